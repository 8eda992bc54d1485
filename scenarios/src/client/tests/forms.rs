//! Forms with files.

use crate::client::Multipart;
use crate::testing::{BOTH, Reply, Seen, Server, client, respond};

#[tokio::test]
async fn fields_and_files_arrive() {
    for kind in BOTH {
        let server = Server::start(|_: &Seen| Reply::Write(respond("200 OK", &[], b""))).await;
        let (mut client, memory) = client(kind, &server.url);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notes.txt");
        std::fs::write(&path, "from a file").unwrap();
        let form = Multipart::new()
            .text("title", "Geese\r\n& co")
            .file(
                "photo",
                "go\"o\nse.png",
                "image/png\r\nx: y",
                vec![b'1', b'2'],
            )
            .file_at("notes", &path, "")
            .await
            .unwrap();
        for _ in 0..2 {
            client
                .post("/up")
                .multipart(form.clone())
                .send()
                .await
                .unwrap();
        }
        assert_eq!(memory.lines(), ["POST /up"; 2]);
        let seen = &server.seen()[0];
        let content_type = seen.header("content-type").unwrap();
        let boundary = content_type
            .strip_prefix("multipart/form-data; boundary=")
            .unwrap();
        let expected = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nGeese\r\n& co\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"go%22o%0Ase.png\"\r\nContent-Type: image/pngx: y\r\n\r\n12\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"notes\"; filename=\"notes.txt\"\r\n\r\nfrom a file\r\n\
             --{boundary}--\r\n"
        );
        assert_eq!(seen.body, expected);
        assert_ne!(server.seen()[1].header("content-type"), Some(content_type));
    }
}

#[tokio::test]
async fn a_file_that_is_not_there_is_an_error_that_names_it() {
    let read = Multipart::new().file_at("x", "no/such/file", "").await;
    let error = read.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    assert!(
        error
            .to_string()
            .starts_with("no/such/file cannot be sent: "),
        "{error}"
    );
}

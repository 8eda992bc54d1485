//! What a recorder sees of the responses of failed requests.

use crate::testing::{BOTH, Reply, Seen, Server, client, client_with, respond};

#[tokio::test]
async fn a_failed_request_is_recorded_with_its_response() {
    for kind in BOTH {
        let server = Server::start(|seen: &Seen| {
            let status = match seen.target.as_str() {
                "/fine" => "200 OK",
                _ => "503 Busy",
            };
            let headers = [("x-first", "1"), ("retry-after", "7")];
            Reply::Write(respond(status, &headers, b"0123456789"))
        })
        .await;
        let (mut client, memory) = client(kind, &server.url);
        client.get("/fine").send().await.unwrap();
        client.get("/a?b=c").name("a").send().await.unwrap();
        drop(client.get("/caught").catch().send().await.unwrap());
        client.get("/stream").stream().send().await.unwrap();
        let samples = memory.samples();
        assert!(samples[0].failed.is_none(), "a success costs nothing");
        for (sample, path) in samples[1..].iter().zip(["a?b=c", "caught", "stream"]) {
            let failed = sample.failed.clone().unwrap();
            let url = format!("{}{path}", server.url);
            assert_eq!(failed.url.as_deref(), Some(url.as_str()), "{kind:?}");
            let response = failed.response.unwrap();
            assert_eq!(response.headers["retry-after"], "7", "{kind:?} {path}");
            assert_eq!(response.body_bytes, 10);
            // What is left to be read is not there yet.
            let body = (path != "stream").then_some("01234567");
            assert_eq!(response.body_start.as_deref(), body, "{kind:?} {path}");
        }
    }
}

#[tokio::test]
async fn a_verdict_of_the_scenario_comes_with_the_response() {
    for kind in BOTH {
        let server =
            Server::start(|_: &Seen| Reply::Write(respond("200 OK", &[], "aäöü€😀".as_bytes())))
                .await;
        let (mut client, memory) = client(kind, &server.url);
        let page = client.get("/").catch().send().await.unwrap();
        page.mark_failure("sold out");
        drop(page);
        let failed = memory.only().failed.unwrap();
        // Eight bytes would end within a character.
        assert_eq!(failed.response.unwrap().body_start.as_deref(), Some("aäöü"));
    }
}

#[tokio::test]
async fn without_a_response_the_address_is_known() {
    for kind in BOTH {
        let server = Server::start(|_: &Seen| Reply::WriteAndClose(b"nonsense".to_vec())).await;
        let (mut client, memory) = client(kind, &server.url);
        client.get("/x").send().await.unwrap_err();
        let failed = memory.only().failed.unwrap();
        assert_eq!(failed.url, Some(format!("{}x", server.url)), "{kind:?}");
        assert!(failed.response.is_none());
    }
}

#[tokio::test]
async fn of_a_body_that_was_too_large_the_length_is_known() {
    for kind in BOTH {
        let server =
            Server::start(|_: &Seen| Reply::Write(respond("500 Oh", &[], &[b'x'; 2_000]))).await;
        let (mut client, memory) = client_with(kind, &server.url, |options| options.max_body = 10);
        client.get("/x").send().await.unwrap();
        let response = memory.only().failed.unwrap().response.unwrap();
        assert_eq!(response.body_start, None, "{kind:?}");
        assert_eq!(response.body_bytes, 2_000);
    }
}

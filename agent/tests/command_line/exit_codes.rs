//! What a program that calls `greylag run` learns from its exit code: 2 only where nothing was started.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;

use super::greylag;

const TEST_FILE: &str = r#"
name = "checkout"
host = "http://127.0.0.1:9"
users = 1
duration = "1s"
wait_time = 0.1
thresholds = ["requests >= 1 during whole"]

[[request]]
path = "/"
"#;

fn write_test_file(directory: &Path, duration: &str) {
    let text = TEST_FILE.replace("1s", duration);
    std::fs::write(directory.join("test.toml"), text).unwrap();
}

/// The address of a server that reads a request and answers with this.
fn server(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = Vec::new();
            while !is_whole(&request) {
                let mut part = [0; 4_096];
                let length = stream.read(&mut part).unwrap();
                if length == 0 {
                    break;
                }
                request.extend_from_slice(&part[..length]);
            }
            // A client that left misses nothing, and the next one is answered.
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    url
}

/// Closing a connection of which something was not read would take the answer away, too.
fn is_whole(request: &[u8]) -> bool {
    let request = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some((head, body)) = request.split_once("\r\n\r\n") else {
        return false;
    };
    let lengths = head
        .lines()
        .filter_map(|line| line.strip_prefix("content-length: "));
    let length: usize = lengths.map(|length| length.parse::<usize>().unwrap()).sum();
    body.len() >= length
}

#[test]
fn a_run_whose_start_was_not_answered_may_have_been_started() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    write_test_file(directory, "1s");
    for (answer, code) in [
        ("", 1),
        ("HTTP/1.1 201 Created\r\ncontent-length: 90\r\n\r\n{", 1),
        (
            "HTTP/1.1 504 Gateway Timeout\r\ncontent-length: 0\r\n\r\n",
            1,
        ),
        (
            "HTTP/1.1 408 Request Timeout\r\ncontent-length: 21\r\n\r\n{\"error\": \"too slow\"}",
            1,
        ),
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", 2),
        (
            "HTTP/1.1 409 Conflict\r\ncontent-length: 19\r\n\r\n{\"error\": \"no one\"}",
            2,
        ),
    ] {
        let url = server(answer);
        let output = greylag(directory, &["run", "test.toml", "--coordinator", &url]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{answer}: {said}");
        let may_run = format!(
            "The run may have been started: `greylag runs --coordinator {url}` lists it then"
        );
        assert_eq!(said.contains(&may_run), code == 1, "{answer}: {said}");
    }
}

#[cfg(feature = "coordinator")]
#[test]
fn a_file_that_cannot_be_written_after_the_run_is_a_failure_and_leaves_the_others() {
    let arguments = [
        "run",
        "test.toml",
        "--headless",
        "--only-summary",
        "--summary",
        "/dev/full",
        "--junit",
        "junit.xml",
        "--html",
        "/dev/full",
        "--save-baseline",
        "main.bundle",
    ];
    // On a busy machine a short run may be over before its first request, and has not passed then.
    let run_of = |duration: &str| {
        let directory = tempfile::tempdir().unwrap();
        write_test_file(directory.path(), duration);
        let output = greylag(directory.path(), &arguments);
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        eprintln!("{shown}");
        let has_passed = shown.contains("Verdict: passed");
        has_passed.then_some((directory, output))
    };
    let passed = ["1s", "5s", "25s"].into_iter().find_map(run_of);
    let (directory, output) = passed.expect("a run passes");
    let directory = directory.path();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for words in [
        "the summary cannot be written to /dev/full: ",
        "the page cannot be written to /dev/full: ",
        "Not saved as the baseline: requests failed, ",
    ] {
        assert!(said.contains(words), "{said}");
    }
    let junit = std::fs::read_to_string(directory.join("junit.xml")).unwrap();
    assert!(junit.contains("<testsuite"), "{junit}");
    assert!(!directory.join("main.bundle").exists());
}

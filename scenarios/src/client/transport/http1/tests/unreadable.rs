//! Answers that cannot be read, and what is said of them.

use http::Method;
use tokio::io::{AsyncWriteExt as _, duplex};

use super::{Then, ask};

#[tokio::test]
async fn what_cannot_be_read_is_named() {
    use Then::{Closes, Keeps};
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let line = "Malformed response: this is not an HTTP/1 status line: ";
    let early = "Connection closed before the whole response was received";
    let cases: Vec<(String, Then, String)> = vec![
        (
            "SSH-2.0-OpenSSH_9.6\r\n".into(),
            Keeps,
            format!("{line}\"SSH-2.0-OpenSSH_9.6\""),
        ),
        (
            "\u{15}\u{3}\u{1}\0\u{2}\u{2}\n".into(),
            Keeps,
            format!("{line}\"\\x15\\x03\\x01\\x00\\x02\\x02\""),
        ),
        (
            "HTTP/1.1 099 Low\r\n\r\n".into(),
            Keeps,
            format!("{line}\"HTTP/1.1 099 Low\""),
        ),
        (
            "HTTP/1.1 1000 High\r\n\r\n".into(),
            Keeps,
            format!("{line}\"HTTP/1.1 1000 High\""),
        ),
        (
            "HTTP/1.1 OK\r\n\r\n".into(),
            Keeps,
            format!("{line}\"HTTP/1.1 OK\""),
        ),
        (
            "HTTP/1.1\r\n\r\n".into(),
            Keeps,
            format!("{line}\"HTTP/1.1\""),
        ),
        (
            format!("<html>{}\n", "x".repeat(500)),
            Keeps,
            format!("{line}\"<html>{}…\"", "x".repeat(74)),
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n".into(),
            Keeps,
            "Malformed response: two different lengths: \"Content-Length: 6\"".into(),
        ),
        (
            format!("{chunked}zz\r\n"),
            Keeps,
            "Malformed response: this is not the size of a chunk: \"zz\"".into(),
        ),
        (
            format!("{chunked}fffffffffffffffff\r\n"),
            Keeps,
            "Malformed response: this is not the size of a chunk: \"fffffffffffffffff\"".into(),
        ),
        (
            format!("{chunked}2\r\nhi there\r\n"),
            Closes,
            "Malformed response: a chunk is longer than its size says; it continues with: \" there\""
                .into(),
        ),
        (format!("{chunked}5\r\nhal"), Closes, early.into()),
        (chunked.into(), Closes, early.into()),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".into(),
            Closes,
            early.into(),
        ),
        ("HTTP/1.1 200 OK\r\nX: ".into(), Closes, early.into()),
        (
            String::new(),
            Closes,
            "RemoteDisconnected('Remote end closed connection without response')".into(),
        ),
    ];
    for (answer, then, error) in cases {
        let (ours, mut theirs) = duplex(1 << 20);
        theirs.write_all(answer.as_bytes()).await.unwrap();
        if then == Closes {
            theirs.shutdown().await.unwrap();
        }
        let found = ask(ours, &Method::GET, b"").await;
        assert_eq!(found.unwrap_err(), error, "{answer:?}");
    }
}

#[tokio::test]
async fn hundreds_of_lines_are_read_and_a_head_without_end_is_not() {
    let many: String = (0..2_000)
        .map(|line| format!("X-{line}: {line}\r\n"))
        .collect();
    let answer = format!("HTTP/1.1 200 OK\r\n{many}Content-Length: 2\r\n\r\nhi");
    let (ours, mut theirs) = duplex(1 << 20);
    theirs.write_all(answer.as_bytes()).await.unwrap();
    let read = ask(ours, &Method::GET, b"").await.unwrap();
    assert_eq!(read.headers.len(), 2_001);

    let endless: String = (0..40_000)
        .map(|line| format!("X-{line}: {line}\r\n"))
        .collect();
    let (ours, mut theirs) = duplex(1 << 20);
    let answer = format!("HTTP/1.1 200 OK\r\n{endless}\r\n");
    theirs.write_all(answer.as_bytes()).await.unwrap();
    let error = ask(ours, &Method::GET, b"").await.unwrap_err();
    assert_eq!(error, "Malformed response: the head is larger than 256 KiB");
}

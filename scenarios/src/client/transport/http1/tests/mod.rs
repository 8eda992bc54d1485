//! Answers byte for byte, and what is read of them.

mod unreadable;

use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use url::Url;

use super::Http1;
use crate::client::headers::Headers;
use crate::client::request_headers::RequestHeaders;
use crate::client::target::Target;
use crate::client::transport::outgoing::Outgoing;
use crate::client::{ClientKind, ClientOptions, ClientShared};

/// What was read of an answer.
#[derive(Debug, PartialEq, Eq)]
struct Read {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    /// Whether the connection serves again.
    serves_again: bool,
}

/// Whether the server closes when it has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Keeps,
    Closes,
}

fn target(path: &str) -> Target {
    let options = Arc::new(ClientOptions::new(ClientKind::Fast));
    let host = Url::parse("http://host.test").unwrap();
    let shared = ClientShared::new(&host, options).unwrap();
    shared.base.target(path, None).unwrap()
}

async fn ask(stream: DuplexStream, method: &Method, body: &[u8]) -> Result<Read, String> {
    let mut http1 = Http1::new(stream, None);
    let target = target("/path?query");
    let headers = Headers::default();
    let outgoing = Outgoing {
        method,
        target: &target,
        headers: &RequestHeaders::new(&headers, None, &target, &target),
        body: &Bytes::copy_from_slice(body),
    };
    let head = http1
        .send(&outgoing)
        .await
        .map_err(|unanswered| unanswered.failure.text().to_owned())?;
    let mut read = Vec::new();
    while let Some(chunk) = poll_fn(|cx| http1.poll_chunk(cx)).await {
        read.extend_from_slice(&chunk.map_err(|failure| failure.text().to_owned())?);
    }
    let shown = |bytes: &[u8]| bytes.iter().map(|&byte| char::from(byte)).collect();
    Ok(Read {
        status: head.status.as_u16(),
        headers: head
            .headers
            .map()
            .iter()
            .map(|(name, value)| (name.to_string(), shown(value.as_bytes())))
            .collect(),
        body: shown(&read),
        serves_again: http1.is_idle().await,
    })
}

async fn answered(answer: &[u8], then: Then) -> Result<Read, String> {
    // In one piece, and byte by byte: where a read ends must not matter.
    let mut results = Vec::new();
    for piece in [answer.len().max(1), 1] {
        let (ours, mut theirs) = duplex(1 << 20);
        let answer = answer.to_vec();
        let server = tokio::spawn(async move {
            for piece in answer.chunks(piece) {
                // The client may have closed: it has seen that more comes than belongs to the answer.
                let _ = theirs.write_all(piece).await;
                tokio::task::yield_now().await;
            }
            if then == Then::Closes {
                let _ = theirs.shutdown().await;
            }
            theirs
        });
        let limit = std::time::Duration::from_secs(20);
        let result = tokio::time::timeout(limit, ask(ours, &Method::GET, b"")).await;
        results.push(result.expect("the answer ends"));
        server.await.unwrap();
    }
    assert_eq!(results[0], results[1], "{}", answer.escape_ascii());
    results.swap_remove(0)
}

/// Names and values.
type Pairs = &'static [(&'static str, &'static str)];

#[tokio::test]
async fn odd_header_lines_are_joined_trimmed_or_left_out() {
    // the header lines of an answer, what is left of them
    let cases: &[(&[u8], Pairs)] = &[
        (
            b"X-Fold: one\r\n two\r\n\tthree\r\n",
            &[("x-fold", "one two three")],
        ),
        (b"X-Fold: one\n two\n", &[("x-fold", "one two")]),
        (b"X-Fold:\r\n two\r\n \r\n", &[("x-fold", "two")]),
        (b" begins folded\r\nX-A: 1\r\n", &[("x-a", "1")]),
        (b"X-Ctl: a\x01b\r\nX-A: 1\r\n", &[("x-a", "1")]),
        (b"X-Nul: a\0b\r\nX-A: 1\r\n", &[("x-a", "1")]),
        (b"X-Cr: a\rb\r\nX-A: 1\r\n", &[("x-a", "1")]),
        (b"X-Del: a\x7fb\r\nX-A: 1\r\n", &[("x-a", "1")]),
        (b"X Bad Header: 1\r\n folded\r\nX-A: 1\r\n", &[("x-a", "1")]),
        (
            b"X-Foo : bar\r\nX-Tab\t: 2\r\n",
            &[("x-foo", "bar"), ("x-tab", "2")],
        ),
        (b"garbage without a colon\r\nX-A: 1\r\n", &[("x-a", "1")]),
        (b": no name\r\nX-A: 1\r\n", &[("x-a", "1")]),
        (b"X-\xe9: 1\r\nX-A: 1\r\n", &[("x-a", "1")]),
        (b"X(y): 1\r\nX-A: 1\r\n", &[("x-a", "1")]),
        (b"X-Latin: caf\xe9\r\n", &[("x-latin", "caf\u{e9}")]),
        (
            b"X-Empty:\r\nX-Tab:\t1\t\r\n",
            &[("x-empty", ""), ("x-tab", "1")],
        ),
        (b"X-A:1\r\r\nX-B: 2\r\n", &[("x-a", "1"), ("x-b", "2")]),
        (b"X-A: 1\nX-B: 2\n", &[("x-a", "1"), ("x-b", "2")]),
        (b"X-A: 1\r\nx-a: 2\r\n", &[("x-a", "1"), ("x-a", "2")]),
    ];
    for (lines, expected) in cases {
        let answer = [
            b"HTTP/1.1 200 OK\r\n",
            *lines,
            b"Content-Length: 2\r\n\r\nhi",
        ]
        .concat();
        let read = answered(&answer, Then::Keeps).await.unwrap();
        let left: Vec<_> = read
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(|(name, _)| *name != "content-length")
            .collect();
        assert_eq!(left, *expected, "{}", lines.escape_ascii());
        assert_eq!((read.body.as_str(), read.serves_again), ("hi", true));
    }
}

#[tokio::test]
async fn odd_framing_is_read_as_it_is_meant() {
    use Then::{Closes, Keeps};
    // answer, what the server does then, body, whether the connection serves again
    let cases: &[(&str, Then, &str, bool)] = &[
        (
            "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nhi",
            Keeps,
            "hi",
            true,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nhi",
            Keeps,
            "hi",
            true,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
            Keeps,
            "hi",
            true,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nhi",
            Keeps,
            "hi",
            true,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nhi",
            Closes,
            "hi",
            false,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nhi",
            Closes,
            "hi",
            false,
        ),
        (
            "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",
            Keeps,
            "hi",
            true,
        ),
        (
            "\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            Keeps,
            "hi",
            true,
        ),
        (
            "HTTP/1.1\t200\tOK\r\nContent-Length: 2\r\n\r\nhi",
            Keeps,
            "hi",
            true,
        ),
        (
            "HTTP/1.1  200   OK\r\nContent-Length: 2\r\n\r\nhi",
            Keeps,
            "hi",
            true,
        ),
        (
            "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi",
            Keeps,
            "hi",
            true,
        ),
        (
            "http/1.1 200 ok\r\nContent-Length: 2\r\n\r\nhi",
            Keeps,
            "hi",
            true,
        ),
        (
            "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            Keeps,
            "hi",
            true,
        ),
        (
            "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            Closes,
            "hi",
            false,
        ),
        (
            "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nhi",
            Keeps,
            "hi",
            true,
        ),
        (
            "HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 2\r\n\r\nhi",
            Keeps,
            "hi",
            false,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            Keeps,
            "hi",
            true,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            Keeps,
            "hi",
            true,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            Keeps,
            "hi",
            true,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nhi",
            Keeps,
            "hi",
            true,
        ),
        (
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            Closes,
            "hi",
            false,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n 2 \r\nhi\r\n0002;a=\"b\";c\r\n!!\r\n0 ;x\r\nX-T: 1\r\n\r\n",
            Keeps,
            "hi!!",
            true,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\nhi\n0\n\n",
            Keeps,
            "hi",
            true,
        ),
        // Everything came; only the last line is missing.
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n",
            Closes,
            "hi",
            false,
        ),
        ("HTTP/1.1 200 OK\r\n\r\nhi", Closes, "hi", false),
        (
            "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
            Keeps,
            "",
            true,
        ),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\nX: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            Keeps,
            "hi",
            true,
        ),
    ];
    for (answer, then, body, serves_again) in cases {
        let read = answered(answer.as_bytes(), *then).await;
        let read = read.unwrap_or_else(|error| panic!("{answer:?}: {error}"));
        assert_eq!(read.body, *body, "{answer:?}");
        assert_eq!(read.serves_again, *serves_again, "{answer:?}");
    }
}

#[tokio::test]
async fn a_connection_with_more_than_the_answer_is_not_used_again() {
    let (ours, mut theirs) = duplex(1 << 20);
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi there";
    theirs.write_all(answer).await.unwrap();
    let read = ask(ours, &Method::GET, b"").await.unwrap();
    assert_eq!((read.body.as_str(), read.serves_again), ("hi", false));
}

#[tokio::test]
async fn an_answer_that_comes_before_the_body_was_taken_is_read() {
    // Room for a part of the body only, and a server that reads nothing.
    let (ours, mut theirs) = duplex(4 << 10);
    theirs
        .write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        .await
        .unwrap();
    let read = ask(ours, &Method::POST, &vec![0; 1 << 20]).await.unwrap();
    assert_eq!((read.status, read.body.as_str()), (413, "no"));
    assert!(!read.serves_again, "the rest of the body was never sent");
}

#[tokio::test]
async fn names_go_out_as_they_were_written() {
    let (ours, mut theirs) = duplex(1 << 20);
    let mut headers = Headers::default();
    for name in ["host", "X-API-Key", "x-lower", "content-type"] {
        headers.insert(name, "1".parse().unwrap());
    }
    let mut own = Headers::default();
    own.insert("X-LOWER", "1".parse().unwrap());
    let target = target("/");
    let body = Bytes::from_static(b"abc");
    let outgoing = Outgoing {
        method: &Method::POST,
        target: &target,
        headers: &RequestHeaders::new(&headers, Some(&own), &target, &target),
        body: &body,
    };
    theirs
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        .await
        .unwrap();
    let mut http1 = Http1::new(ours, None);
    http1.send(&outgoing).await.unwrap();
    drop(http1);
    let mut seen = String::new();
    theirs.read_to_string(&mut seen).await.unwrap();
    assert_eq!(
        seen,
        "POST / HTTP/1.1\r\nhost: 1\r\nX-API-Key: 1\r\nX-LOWER: 1\r\ncontent-type: 1\r\nContent-Length: 3\r\n\r\nabc"
    );
}

//! What becomes of the connection: kept or not, extra bytes on it, its early end.

use super::answer::{Answer, BODY, chunked, head_and, keep, ok, whole};
use crate::conformance::recording_server::End;

/// Whether the next request goes out on the same connection. The server keeps it whatever it says.
pub(super) fn kept() -> Vec<Answer> {
    let lines = [
        ("nothing", ""),
        ("close", "Connection: close\r\n"),
        ("close-mixed-case", "Connection: Close\r\n"),
        ("close-upper-case", "Connection: CLOSE\r\n"),
        ("close-spaces", "Connection:   close  \r\n"),
        ("close-first", "Connection: close, x\r\n"),
        ("close-last", "Connection: x, close\r\n"),
        ("close-without-spaces", "Connection: x,close,y\r\n"),
        (
            "close-in-second-line",
            "Connection: x\r\nConnection: close\r\n",
        ),
        (
            "close-in-first-line",
            "Connection: close\r\nConnection: x\r\n",
        ),
        ("closed", "Connection: closed\r\n"),
        ("close-and-keep-alive", "Connection: close, keep-alive\r\n"),
        ("keep-alive-and-close", "Connection: keep-alive, close\r\n"),
        ("keep-alive", "Connection: keep-alive\r\n"),
        ("keep-alive-mixed-case", "Connection: Keep-Alive\r\n"),
        ("upgrade", "Connection: upgrade\r\n"),
        ("empty", "Connection:\r\n"),
        ("proxy-connection-close", "Proxy-Connection: close\r\n"),
        (
            "keep-alive-max",
            "Connection: keep-alive\r\nKeep-Alive: timeout=5, max=100\r\n",
        ),
        (
            "keep-alive-max-0",
            "Connection: keep-alive\r\nKeep-Alive: timeout=5, max=0\r\n",
        ),
        (
            "keep-alive-timeout-0",
            "Connection: keep-alive\r\nKeep-Alive: timeout=0\r\n",
        ),
    ];
    let mut answers = Vec::new();
    for (what, lines) in lines {
        answers.push(keep(format!("connection/{what}"), ok(lines)));
        if what.contains("keep-alive") || what == "nothing" {
            let old = format!("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n{lines}\r\n{BODY}");
            answers.push(keep(format!("connection/http-1.0-{what}"), old));
        }
    }
    let chunks = "Transfer-Encoding: chunked\r\nConnection: close\r\n";
    answers.push(keep(
        "connection/close-chunked",
        head_and(chunks, "5\r\nhello\r\n0\r\n\r\n"),
    ));
    answers.push(keep(
        "connection/close-404",
        whole("404 Not Found", "Connection: close\r\n", BODY),
    ));
    answers.push(keep(
        "connection/close-204",
        "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
    ));
    answers.push(
        keep(
            "connection/close-head",
            head_and("Content-Length: 5\r\nConnection: close\r\n", ""),
        )
        .to("HEAD"),
    );
    answers
}

/// Bytes behind an answer, on a connection that is kept.
pub(super) fn extra() -> Vec<Answer> {
    let second = whole("200 OK", "", "second");
    let many = vec![b'x'; 100_000];
    let extras: [(&str, &[u8]); 7] = [
        ("crlf", b"\r\n"),
        ("lf", b"\n"),
        ("text", b"x"),
        ("line", b"what is this?\r\n"),
        ("100k", &many),
        ("answer", &second),
        ("status-line", b"HTTP/1.1 200 OK\r\n"),
    ];
    let chunks = chunked("5\r\nhello\r\n0\r\n\r\n");
    let none = b"HTTP/1.1 204 No Content\r\n\r\n".as_slice();
    let old = b"HTTP/1.1 304 Not Modified\r\n\r\n".as_slice();
    let mut answers = Vec::new();
    for (what, extra) in extras {
        answers.push(keep(format!("extra/{what}"), [&ok(""), extra].concat()));
        answers.push(keep(
            format!("extra/{what}-behind-chunks"),
            [&chunks, extra].concat(),
        ));
    }
    for (what, extra) in &extras[2..6] {
        answers.push(keep(
            format!("extra/{what}-behind-204"),
            [none, extra].concat(),
        ));
        answers.push(keep(
            format!("extra/{what}-behind-304"),
            [old, extra].concat(),
        ));
    }
    answers.push(keep(
        "extra/answers-three",
        [&ok(""), second.as_slice(), &second].concat(),
    ));
    answers.push(keep("extra/body-behind-head", ok("")).to("HEAD"));
    answers.push(keep("extra/chunks-behind-head", chunks).to("HEAD"));
    answers
}

/// Answers that end too early, or never, at every place.
pub(super) fn cut() -> Vec<Answer> {
    let mut answers = Vec::new();
    let plain = ok("");
    for at in 0..plain.len() {
        answers.push(Answer {
            end: End::Close,
            ..keep(format!("cut/plain-{at:02}"), &plain[..at])
        });
    }
    let whole = chunked("5\r\nhello\r\n0\r\n\r\n");
    let head = chunked("").len();
    for at in head..whole.len() {
        let name = format!("cut/chunks-{:02}", at - head);
        answers.push(Answer {
            end: End::Close,
            ..keep(name, &whole[..at])
        });
    }
    for (what, at) in [("start", 0), ("head", 20), ("body", plain.len() - 2)] {
        answers.push(keep(format!("reset/{what}"), &plain[..at]).reset());
        answers.push(keep(format!("hang/{what}"), &plain[..at]));
    }
    answers.push(keep("reset/chunk", &whole[..head + 4]).reset());
    answers.push(keep("hang/chunk", &whole[..head + 4]));
    answers.push(keep("hang/last-chunk", &whole[..whole.len() - 2]));
    answers.push(keep("reset/no-length", head_and("", BODY)).reset());
    answers
}

/// Whole answers that come in pieces.
pub(super) fn pieces() -> Vec<Answer> {
    let bytes = ok("X-Odd: one\r\n");
    let split = |what: &str, at: &[usize]| {
        let mut rest = bytes.as_slice();
        let mut answer = Answer {
            pieces: Vec::new(),
            ..keep(format!("pieces/{what}"), "")
        };
        let mut done = 0;
        for at in at {
            let (piece, behind) = rest.split_at(at - done);
            answer = answer.then(piece);
            (rest, done) = (behind, *at);
        }
        answer.then(rest)
    };
    let head = bytes.len() - BODY.len();
    let every: Vec<_> = (1..bytes.len()).collect();
    vec![
        split("single-bytes", &every),
        split("in-status", &[10]),
        split("within-crlf", &[16]),
        split("before-empty-line", &[head - 2]),
        split("within-empty-line", &[head - 1]),
        split("head-and-body", &[head]),
        split("in-body", &[head + 2]),
    ]
}

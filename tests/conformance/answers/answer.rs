//! One raw answer: what it is called, what is asked, what is written, and what becomes of the connection.

use crate::conformance::recording_server::End;

/// The body of answers whose body is not the point.
pub(super) const BODY: &str = "hello";

/// A raw answer.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// `family/what`; also its address and its name in the statistics.
    pub(super) name: String,
    /// What it is asked with.
    pub(super) method: &'static str,
    /// What is written, each piece in a packet of its own. `{HERE}` is the server's own origin.
    pub(super) pieces: Vec<Vec<u8>>,
    /// What becomes of the connection then.
    pub(super) end: End,
}

/// An answer to a GET, after which the connection is kept.
pub(super) fn keep(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Answer {
    Answer {
        name: name.into(),
        method: "GET",
        pieces: vec![bytes.into()],
        end: End::Keep,
    }
}

/// An answer to a GET, after which the connection is closed. What follows on a connection that was closed without notice
/// is a race, so only the answer itself is compared.
pub(super) fn close(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Answer {
    Answer {
        end: End::Close,
        ..keep(name, bytes)
    }
}

impl Answer {
    /// The same, asked with another method.
    pub(super) fn to(self, method: &'static str) -> Self {
        Self { method, ..self }
    }

    /// The same, and the connection is reset.
    pub(super) fn reset(self) -> Self {
        Self {
            end: End::Reset,
            ..self
        }
    }

    /// The same with a further piece.
    pub(super) fn then(mut self, piece: impl Into<Vec<u8>>) -> Self {
        self.pieces.push(piece.into());
        self
    }
}

/// A whole answer: a status line, further header lines (each with its end) and a body with its length.
pub(super) fn whole(status: &str, lines: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\n{lines}\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// `200 OK` with header lines and the usual body.
pub(super) fn ok(lines: &str) -> Vec<u8> {
    whole("200 OK", lines, BODY)
}

/// `200 OK` with these header lines alone, and what follows the head.
pub(super) fn head_and(lines: &str, rest: impl AsRef<[u8]>) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\n{lines}\r\n");
    [head.as_bytes(), rest.as_ref()].concat()
}

/// `200 OK` in chunks, written as given.
pub(super) fn chunked(rest: impl AsRef<[u8]>) -> Vec<u8> {
    head_and("Transfer-Encoding: chunked\r\n", rest)
}

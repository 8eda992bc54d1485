//! A request as it goes out on HTTP/1.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderValue, PROXY_AUTHORIZATION, TRANSFER_ENCODING};
use url::Position;

use super::ForProxy;
use super::head::has_token;
use crate::client::headers::{write_usual, write_value};
use crate::client::transport::outgoing::Outgoing;

/// What follows the head of a request.
pub(super) struct Body<'r> {
    pub(super) bytes: Cow<'r, [u8]>,
    /// Whether it is as long as the head says; a server that waits for more never answers the next request.
    pub(super) is_as_announced: bool,
}

/// Writes the head, and says what follows it.
pub(super) fn write<'r>(
    out: &mut Vec<u8>,
    request: &'r Outgoing<'_>,
    proxy: Option<&ForProxy>,
) -> Body<'r> {
    out.extend_from_slice(request.method.as_str().as_bytes());
    out.push(b' ');
    if proxy.is_some() {
        let url = &request.target.url;
        out.extend_from_slice(url[..Position::BeforePath].as_bytes());
    }
    out.extend_from_slice(
        request
            .target
            .uri
            .path_and_query()
            .map_or("/", |path| path.as_str())
            .as_bytes(),
    );
    out.extend_from_slice(b" HTTP/1.1\r\n");
    if proxy.is_none() && request.headers.write_plain(out) {
        return end_head(out, request.body);
    }
    let headers = request.headers.map();
    let mut length = None;
    let mut is_chunked = false;
    for (name, value) in headers {
        if *name == CONTENT_LENGTH {
            length = Some(value);
        } else if *name == TRANSFER_ENCODING {
            is_chunked |= has_token(value, "chunked");
        }
        match request.headers.written(name) {
            Some(written) => out.extend_from_slice(written.as_bytes()),
            None => write_usual(out, name.as_str()),
        }
        write_value(out, value);
    }
    if let Some(authorization) = proxy.and_then(|proxy| proxy.authorization.as_ref())
        && !headers.contains_key(PROXY_AUTHORIZATION)
    {
        out.extend_from_slice(b"Proxy-Authorization");
        write_value(out, authorization);
    }
    let body = request.body;
    if is_chunked {
        out.extend_from_slice(b"\r\n");
        return Body {
            bytes: Cow::Owned(one_chunk(body)),
            is_as_announced: true,
        };
    }
    let Some(length) = length else {
        return end_head(out, body);
    };
    out.extend_from_slice(b"\r\n");
    Body {
        bytes: Cow::Borrowed(body),
        is_as_announced: length.as_bytes() == body.len().to_string().as_bytes(),
    }
}

/// Ends a head in which nothing is said about the length of the body yet.
fn end_head<'r>(out: &mut Vec<u8>, body: &'r Bytes) -> Body<'r> {
    if !body.is_empty() {
        out.extend_from_slice(b"Content-Length: ");
        write_decimal(out, body.len());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    Body {
        bytes: Cow::Borrowed(body),
        is_as_announced: true,
    }
}

fn write_decimal(out: &mut Vec<u8>, mut number: usize) {
    let start = out.len();
    loop {
        // A digit.
        out.push(b'0' + (number % 10) as u8);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out[start..].reverse();
}

/// Writes a request for a connection through a proxy.
pub(super) fn write_connect(
    out: &mut Vec<u8>,
    authority: &str,
    authorization: Option<&HeaderValue>,
) {
    out.extend_from_slice(
        format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n").as_bytes(),
    );
    if let Some(authorization) = authorization {
        out.extend_from_slice(b"Proxy-Authorization");
        write_value(out, authorization);
    }
    out.extend_from_slice(b"\r\n");
}

fn one_chunk(body: &Bytes) -> Vec<u8> {
    let mut chunks = Vec::with_capacity(body.len() + 32);
    if !body.is_empty() {
        chunks.extend_from_slice(format!("{:x}\r\n", body.len()).as_bytes());
        chunks.extend_from_slice(body);
        chunks.extend_from_slice(b"\r\n");
    }
    chunks.extend_from_slice(b"0\r\n\r\n");
    chunks
}

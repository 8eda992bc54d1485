//! The head of an answer, read as leniently as browsers and curl read it.
//!
//! A header line that cannot be read is left out, as if it had not been sent; a folded one is joined. Only what
//! decides where the answer ends must be right.

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use http::{Method, StatusCode};
use memchr::memchr;

use super::framing::Framing;
use super::plain_head::PlainHead;
use crate::client::failure::Failure;
use crate::client::transport::answer_headers::AnswerHeaders;

/// Longest head of an answer in bytes, all of its lines together.
pub(in crate::client) const LONGEST_HEAD: usize = 256 << 10;
/// What every status line begins with, in any case.
pub(super) const PROTOCOL: &[u8] = b"HTTP/";

/// The failure of a head beyond [`LONGEST_HEAD`].
pub(super) const HEAD_TOO_LONG: Failure =
    Failure::new("Malformed response: the head is larger than 256 KiB");

/// What an answer says before its body.
#[derive(Debug)]
pub(in crate::client) struct Head {
    pub(in crate::client) status: StatusCode,
    /// The reason phrase where it is not the usual one; never empty.
    pub(in crate::client) reason: Option<Bytes>,
    pub(in crate::client) headers: AnswerHeaders,
    is_http_1_0: bool,
    /// What decides about the answer, where it is written as usual.
    plain: Option<PlainHead>,
}

/// Looks for the end of a head, the first empty line; `line` is where the search continues, the start of a line.
/// Returns where the head ends.
pub(super) fn find_end(read: &[u8], line: &mut usize) -> Option<usize> {
    while let Some(length) = memchr(b'\n', &read[*line..]) {
        let end = *line + length;
        let is_empty = read[*line..end].iter().all(|byte| *byte == b'\r');
        *line = end + 1;
        if is_empty {
            return Some(end + 1);
        }
    }
    None
}

impl Head {
    /// Reads a whole head.
    pub(super) fn parse(bytes: &Bytes) -> Result<Self, Failure> {
        Self::parse_by(bytes, PlainHead::read)
    }

    /// Reads a whole head as if it were not written as usual.
    #[cfg(test)]
    pub(super) fn parse_carefully(bytes: &Bytes) -> Result<Self, Failure> {
        Self::parse_by(bytes, |_| None)
    }

    #[cfg(test)]
    pub(super) fn is_plain(&self) -> bool {
        self.plain.is_some()
    }

    fn parse_by(
        bytes: &Bytes,
        read_plain: impl FnOnce(Lines<'_>) -> Option<PlainHead>,
    ) -> Result<Self, Failure> {
        let mut lines = Lines { bytes, position: 0 };
        let (start, end) = lines.next().unwrap_or((0, 0));
        let first = &bytes[start..end];
        let (is_http_1_0, status, reason) = parse_status_line(first)
            .ok_or_else(|| Failure::malformed("this is not an HTTP/1 status line", first))?;
        let reason = match bytes[start + reason..end].trim_ascii() {
            [] => None,
            reason if status.canonical_reason().map(str::as_bytes) == Some(reason) => None,
            reason => Some(bytes.slice_ref(reason)),
        };
        let plain = read_plain(lines);
        let headers = match &plain {
            Some(plain) => AnswerHeaders::of_head(bytes.clone(), plain.noted),
            None => read_headers(bytes)?.into(),
        };
        Ok(Self {
            status,
            reason,
            headers,
            is_http_1_0,
            plain,
        })
    }

    /// Whether more answers follow this one to the same request.
    pub(super) fn is_interim(&self) -> bool {
        self.status.is_informational() && self.status != StatusCode::SWITCHING_PROTOCOLS
    }

    /// Whether the server means to keep the connection.
    pub(super) fn keeps_connection(&self) -> bool {
        if let Some(plain) = &self.plain {
            return plain.keeps.unwrap_or(!self.is_http_1_0)
                && self.status != StatusCode::SWITCHING_PROTOCOLS;
        }
        let says = |word: &str| {
            self.headers
                .map()
                .get_all(CONNECTION)
                .iter()
                .any(|value| has_token(value, word))
        };
        if says("close") {
            return false;
        }
        (!self.is_http_1_0 || says("keep-alive")) && self.status != StatusCode::SWITCHING_PROTOCOLS
    }

    /// How long the body is (RFC 9112, 6.3, read as browsers and python-requests do).
    pub(super) fn framing(&self, method: &Method) -> Result<Framing, Failure> {
        let has_none = *method == Method::HEAD
            || self.status.is_informational()
            || matches!(
                self.status,
                StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
            );
        if has_none {
            return Ok(Framing::Length(0));
        }
        if let Some(plain) = &self.plain {
            return Ok(plain.framing);
        }
        let headers = self.headers.map();
        let mut encodings = headers.get_all(TRANSFER_ENCODING).iter();
        if encodings.any(|value| has_token(value, "chunked")) {
            return Ok(Framing::Chunked);
        }
        let mut length = None;
        for value in headers.get_all(CONTENT_LENGTH) {
            for one in value.as_bytes().split(|byte| *byte == b',') {
                let Some(one) = parse_length(one.trim_ascii()) else {
                    // Its length is unknown, so it ends with the connection.
                    return Ok(Framing::UntilClose);
                };
                if length.is_some_and(|length| length != one) {
                    let line = [b"Content-Length: ", value.as_bytes()].concat();
                    return Err(Failure::malformed("two different lengths", &line));
                }
                length = Some(one);
            }
        }
        Ok(length.map_or(Framing::UntilClose, Framing::Length))
    }
}

/// Reads the headers of a whole head.
pub(in crate::client) fn read_headers(bytes: &Bytes) -> Result<HeaderMap, Failure> {
    let mut lines = Lines { bytes, position: 0 };
    // The status line.
    lines.next();
    let mut headers = HeaderMap::with_capacity(EXPECTED_HEADERS);
    let mut current: Option<(HeaderName, Value)> = None;
    for (start, end) in lines {
        let line = &bytes[start..end];
        if matches!(line.first(), Some(b' ' | b'\t')) {
            // A folded line (RFC 9112, 5.2) continues the one before, if that was one.
            if let Some((_, value)) = &mut current {
                value.join(line.trim_ascii());
            }
            continue;
        }
        if let Some((name, value)) = current.take() {
            keep(&mut headers, name, value)?;
        }
        let Some(colon) = memchr(b':', line) else {
            continue;
        };
        let name = line[..colon].trim_ascii_end();
        if let Ok(name) = HeaderName::from_bytes(name) {
            let value = line[colon + 1..].trim_ascii();
            current = Some((name, Value::Whole(bytes.slice_ref(value))));
        }
    }
    if let Some((name, value)) = current {
        keep(&mut headers, name, value)?;
    }
    Ok(headers)
}

/// Headers for which there is room at once; most answers have fewer.
const EXPECTED_HEADERS: usize = 12;

enum Value {
    Whole(Bytes),
    Joined(Vec<u8>),
}

impl Value {
    fn join(&mut self, more: &[u8]) {
        let mut joined = match std::mem::replace(self, Self::Joined(Vec::new())) {
            Self::Whole(value) => value.to_vec(),
            Self::Joined(value) => value,
        };
        if !joined.is_empty() && !more.is_empty() {
            joined.push(b' ');
        }
        joined.extend_from_slice(more);
        *self = Self::Joined(joined);
    }
}

fn keep(headers: &mut HeaderMap, name: HeaderName, value: Value) -> Result<(), Failure> {
    let value = match value {
        Value::Whole(value) => HeaderValue::from_maybe_shared(value),
        Value::Joined(value) => HeaderValue::from_maybe_shared(Bytes::from(value)),
    };
    // Control bytes cannot be passed on; such a line is left out.
    if let Ok(value) = value {
        headers.try_append(name, value).map_err(|_| HEAD_TOO_LONG)?;
    }
    Ok(())
}

/// Version (whether it is 1.0), status, and where the reason begins.
fn parse_status_line(line: &[u8]) -> Option<(bool, StatusCode, usize)> {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let protocol = line.get(..PROTOCOL.len())?;
    if !protocol.eq_ignore_ascii_case(PROTOCOL) {
        return None;
    }
    let version_end = line.iter().position(is_space)?;
    let version = &line[PROTOCOL.len()..version_end];
    if version.is_empty()
        || !version
            .iter()
            .all(|byte| byte.is_ascii_digit() || *byte == b'.')
    {
        return None;
    }
    let code_start = version_end
        + line[version_end..]
            .iter()
            .position(|byte| !is_space(byte))?;
    let rest = &line[code_start..];
    let code_length = rest.iter().position(is_space).unwrap_or(rest.len());
    let status = StatusCode::from_bytes(&rest[..code_length]).ok()?;
    let is_http_1_0 = matches!(version, b"1.0" | b"1") || version[0] == b'0';
    Some((is_http_1_0, status, code_start + code_length))
}

/// A length as Python reads a whole number, without signs that make no sense.
fn parse_length(text: &[u8]) -> Option<u64> {
    let digits = text.strip_prefix(b"+").unwrap_or(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Whether a list of words with commas between them has this one.
pub(in crate::client) fn has_token(value: &HeaderValue, token: &str) -> bool {
    value
        .as_bytes()
        .split(|byte| *byte == b',')
        .any(|one| one.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

/// The lines of a head, without their ends, up to the empty one.
pub(super) struct Lines<'h> {
    bytes: &'h [u8],
    position: usize,
}

impl<'h> Lines<'h> {
    /// What their positions refer to.
    pub(super) fn bytes(&self) -> &'h [u8] {
        self.bytes
    }
}

impl Iterator for Lines<'_> {
    type Item = (usize, usize);

    fn next(&mut self) -> Option<(usize, usize)> {
        let start = self.position;
        let length = memchr(b'\n', self.bytes.get(start..)?)?;
        self.position = start + length + 1;
        let mut end = start + length;
        while end > start && self.bytes[end - 1] == b'\r' {
            end -= 1;
        }
        (end > start).then_some((start, end))
    }
}

//! Path and query as they are sent: what RFC 3986 does not allow there is percent-encoded, as python-requests (and
//! urllib3 below it) does it for Locust's `HttpUser`. Strict servers refuse the rest, so both clients do it.

use crate::client::kind::ClientKind;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// A path as it is sent; it begins with a slash. The full client resolves `.` and `..` as python-requests does, the
/// fast one sends them as Locust's `FastHttpUser` does.
pub(super) fn path(written: &[u8], kind: ClientKind) -> String {
    match kind {
        ClientKind::Full => encoded_path(&without_dot_segments(written), kind),
        ClientKind::Fast => encoded_path(written, kind),
    }
}

/// A path without dot segments in it, or one in which they stay, as it is sent.
pub(super) fn encoded_path(written: &[u8], kind: ClientKind) -> String {
    let mut sent = String::with_capacity(written.len() + 1);
    if !written.starts_with(b"/") {
        sent.push('/');
    }
    encode(&mut sent, written, is_allowed_in_path, kind);
    sent
}

/// Appends a query as it is sent.
pub(super) fn push_query(sent: &mut String, written: &[u8], kind: ClientKind) {
    let is_allowed = |byte| byte == b'?' || is_allowed_in_path(byte);
    encode(sent, written, is_allowed, kind);
}

/// Encodes what is not allowed. Escapes stay, but for those of letters, digits and `-._~`, which need none.
///
/// As python-requests does it, the full client writes escapes in upper case, and takes a `%` that begins none as a
/// sign that nothing is encoded yet: every `%` becomes `%25`. On the fast client only that one does.
fn encode(sent: &mut String, written: &[u8], is_allowed: impl Fn(u8) -> bool, kind: ClientKind) {
    let mut escapes = written.split(|byte| *byte == b'%').skip(1);
    let is_encoded = kind == ClientKind::Fast || escapes.all(|rest| escaped(rest).is_some());
    let mut rest = written;
    while let [byte, after @ ..] = rest {
        rest = after;
        match escaped(after).filter(|_| *byte == b'%') {
            Some(meant) => {
                rest = &after[2..];
                if !is_encoded {
                    push_escape(sent, b'%');
                    push_digits(sent, meant);
                } else if is_unreserved(meant) {
                    sent.push(char::from(meant));
                } else if kind == ClientKind::Full {
                    push_escape(sent, meant);
                } else {
                    sent.push('%');
                    sent.extend(after[..2].iter().copied().map(char::from));
                }
            }
            None if is_allowed(*byte) => sent.push(char::from(*byte)),
            None => push_escape(sent, *byte),
        }
    }
}

/// The byte that two hexadecimal digits at the start of `text` mean.
fn escaped(text: &[u8]) -> Option<u8> {
    let digit = |byte: &u8| {
        char::from(*byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let [high, low, ..] = text else {
        return None;
    };
    Some(digit(high)? << 4 | digit(low)?)
}

fn push_escape(sent: &mut String, byte: u8) {
    sent.push('%');
    push_digits(sent, byte);
}

fn push_digits(sent: &mut String, byte: u8) {
    for digit in [byte >> 4, byte & 0xF] {
        sent.push(char::from(HEX[usize::from(digit)]));
    }
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// RFC 3986, 3.3: `pchar` and slashes.
fn is_allowed_in_path(byte: u8) -> bool {
    is_unreserved(byte) || b"!$&'()*+,;=:@/".contains(&byte)
}

/// Resolves `.` and `..` (RFC 3986, 5.2.4), as urllib3 does it.
pub(super) fn without_dot_segments(path: &[u8]) -> Vec<u8> {
    let mut kept: Vec<&[u8]> = Vec::new();
    for segment in path.split(|byte| *byte == b'/') {
        match segment {
            b"." => {}
            b".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    if path.starts_with(b"/") && kept.first().is_none_or(|first| !first.is_empty()) {
        kept.insert(0, b"");
    }
    if path.ends_with(b"/.") || path.ends_with(b"/..") {
        kept.push(b"");
    }
    kept.join(&b'/')
}

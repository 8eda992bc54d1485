//! Bodies as text: in the charset that their head names, as browsers and python-requests read them.

use std::borrow::Cow;

use encoding_rs::{Encoding, WINDOWS_1252};
use http::header::{CONTENT_TYPE, HeaderMap};

/// A body as text. A byte order mark counts most and is not part of the text, then the charset of the head (by the
/// names and meanings of the WHATWG's Encoding Standard). Without both it is UTF-8, or Latin-1 if it cannot be UTF-8
/// and is said to be text or XML. What cannot be decoded is replaced (`�`).
pub(in crate::client) fn decode<'b>(headers: &HeaderMap, body: &'b [u8]) -> Cow<'b, str> {
    let content_type = headers.get(CONTENT_TYPE).map(|value| value.as_bytes());
    let content_type = content_type.unwrap_or_default();
    let said = || charset(content_type).and_then(Encoding::for_label);
    let marked = Encoding::for_bom(body).map(|(encoding, _)| encoding);
    if let Some(encoding) = marked.or_else(said) {
        return encoding.decode(body).0;
    }
    match std::str::from_utf8(body) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) if is_text(content_type) => WINDOWS_1252.decode(body).0,
        Err(_) => String::from_utf8_lossy(body),
    }
}

/// The value of the first parameter `charset`, without quotes.
fn charset(content_type: &[u8]) -> Option<&[u8]> {
    let parameters = content_type.split(|byte| *byte == b';').skip(1);
    parameters
        .filter_map(|parameter| {
            let equals = parameter.iter().position(|byte| *byte == b'=')?;
            let (name, value) = (&parameter[..equals], &parameter[equals + 1..]);
            name.trim_ascii()
                .eq_ignore_ascii_case(b"charset")
                .then_some(value)
        })
        .map(|value| {
            let value = value.trim_ascii();
            let quote = |quote: &u8| matches!(quote, b'"' | b'\'');
            match value {
                [first, inner @ .., last] if quote(first) && first == last => inner,
                value => value,
            }
        })
        .next()
}

fn is_text(content_type: &[u8]) -> bool {
    let kind = content_type.split(|byte| *byte == b';').next();
    let kind = kind.unwrap_or_default().trim_ascii().to_ascii_lowercase();
    kind.starts_with(b"text/") || kind.ends_with(b"/xml") || kind.ends_with(b"+xml")
}

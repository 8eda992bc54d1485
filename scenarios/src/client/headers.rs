//! Header names as they are written on the wire of HTTP/1.
//!
//! Names are compared without regard to case everywhere, and kept in lower case. Some backends compare them with
//! it, so a name goes out as the scenario wrote it, or else in the usual spelling (`Content-Type`).

use std::borrow::Cow;
use std::sync::OnceLock;

use http::header::{
    AsHeaderName, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHORIZATION,
    TRANSFER_ENCODING,
};

/// Headers that need a closer look before they are written.
const SPECIAL: [HeaderName; 3] = [CONTENT_LENGTH, TRANSFER_ENCODING, PROXY_AUTHORIZATION];

/// What is wrong with a header that cannot be sent.
pub(super) const NAME_NOT_VALID: &str = "a header's name is not valid";
pub(super) const VALUE_NOT_VALID: &str = "a header's value is not valid";

/// What a scenario may name a header by. A text keeps its spelling on HTTP/1.
pub trait WrittenName {
    /// The name, and how it was written where that is known; `None` if it is not a valid name.
    fn into_name(self) -> Option<(HeaderName, Option<Cow<'static, str>>)>;
}

impl WrittenName for &str {
    fn into_name(self) -> Option<(HeaderName, Option<Cow<'static, str>>)> {
        let name = HeaderName::try_from(self).ok()?;
        let written = (!is_usual(self)).then(|| Cow::Owned(self.to_owned()));
        Some((name, written))
    }
}

impl WrittenName for String {
    fn into_name(self) -> Option<(HeaderName, Option<Cow<'static, str>>)> {
        self.as_str().into_name()
    }
}

impl WrittenName for &String {
    fn into_name(self) -> Option<(HeaderName, Option<Cow<'static, str>>)> {
        self.as_str().into_name()
    }
}

impl WrittenName for Cow<'_, str> {
    fn into_name(self) -> Option<(HeaderName, Option<Cow<'static, str>>)> {
        self.as_ref().into_name()
    }
}

impl WrittenName for HeaderName {
    fn into_name(self) -> Option<(HeaderName, Option<Cow<'static, str>>)> {
        Some((self, None))
    }
}

impl WrittenName for &HeaderName {
    fn into_name(self) -> Option<(HeaderName, Option<Cow<'static, str>>)> {
        Some((self.clone(), None))
    }
}

/// What [`WrittenName::into_name`] gave.
impl WrittenName for (HeaderName, Option<Cow<'static, str>>) {
    fn into_name(self) -> Option<(HeaderName, Option<Cow<'static, str>>)> {
        Some(self)
    }
}

/// Whether a name is written as [`write_usual`] writes it.
fn is_usual(name: &str) -> bool {
    let mut usual = Vec::with_capacity(name.len());
    write_usual(&mut usual, &name.to_ascii_lowercase());
    usual == name.as_bytes()
}

/// Writes a name of lower case in the usual spelling: each word begins with a capital.
pub(super) fn write_usual(out: &mut Vec<u8>, name: &str) {
    let mut begins = true;
    out.extend(name.bytes().map(|byte| {
        let written = if begins {
            byte.to_ascii_uppercase()
        } else {
            byte
        };
        begins = byte == b'-';
        written
    }));
}

/// Writes a header with a name as it is.
pub(super) fn write_line(out: &mut Vec<u8>, name: &str, value: &HeaderValue) {
    out.extend_from_slice(name.as_bytes());
    write_value(out, value);
}

/// Writes what follows a header's name.
pub(super) fn write_value(out: &mut Vec<u8>, value: &HeaderValue) {
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// The names that are not written in the usual spelling; few, mostly none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Spelling(Vec<(HeaderName, Cow<'static, str>)>);

impl Spelling {
    fn set(&mut self, name: &HeaderName, written: Option<Cow<'static, str>>) {
        self.0.retain(|(known, _)| known != name);
        if let Some(written) = written {
            self.0.push((name.clone(), written));
        }
    }

    pub(super) fn get(&self, name: &HeaderName) -> Option<&str> {
        let (_, written) = self.0.iter().find(|(known, _)| known == name)?;
        Some(written)
    }
}

/// Headers to send. What can be read of them is what an [`http::HeaderMap`] has; names that are set as a text
/// are sent in their spelling on HTTP/1.
#[derive(Debug, Clone, Default)]
pub struct Headers {
    map: HeaderMap,
    spelling: Spelling,
    /// What cannot be sent, found while it was set.
    invalid: Option<String>,
    /// All of them as they are written on HTTP/1, once that was asked for; see [`lines`](Self::lines).
    lines: OnceLock<Option<Box<[u8]>>>,
}

impl Headers {
    /// Sets a header, in place of all of its values before; returns the first of those. A name that is not valid
    /// makes the requests of these headers fail before they are sent, with an error that says so.
    pub fn insert(&mut self, name: impl WrittenName, value: HeaderValue) -> Option<HeaderValue> {
        let (name, written) = self.checked(name)?;
        self.lines.take();
        self.spelling.set(&name, written);
        self.map.insert(name, value)
    }

    /// Adds a value to a header; names are treated as by [`insert`](Self::insert).
    pub fn append(&mut self, name: impl WrittenName, value: HeaderValue) {
        if let Some((name, written)) = self.checked(name) {
            self.lines.take();
            self.spelling.set(&name, written);
            self.map.append(name, value);
        }
    }

    /// Removes a header with all of its values; returns the first of them.
    pub fn remove(&mut self, name: impl AsHeaderName) -> Option<HeaderValue> {
        self.lines.take();
        let removed = self.map.remove(name);
        let map = &self.map;
        self.spelling.0.retain(|(name, _)| map.contains_key(name));
        removed
    }

    /// Removes all headers.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    fn checked(
        &mut self,
        name: impl WrittenName,
    ) -> Option<(HeaderName, Option<Cow<'static, str>>)> {
        let name = name.into_name();
        if name.is_none() {
            self.invalid
                .get_or_insert_with(|| NAME_NOT_VALID.to_owned());
        }
        name
    }

    pub(super) fn extend(&mut self, other: Headers) {
        self.lines.take();
        for (name, written) in other.spelling.0 {
            self.spelling.set(&name, Some(written));
        }
        // Extending replaces a name's values by all of its new ones.
        self.map.extend(other.map);
        if let Some(reason) = other.invalid {
            self.invalid.get_or_insert(reason);
        }
    }

    pub(super) fn map(&self) -> &HeaderMap {
        &self.map
    }

    pub(super) fn spelling(&self) -> &Spelling {
        &self.spelling
    }

    /// All of them as they are written on HTTP/1, `Host` among them. `None` if one says how the body is sent or is for
    /// a proxy, which needs a closer look.
    pub(super) fn lines(&self) -> Option<&[u8]> {
        let make = || {
            let mut lines = Vec::new();
            let is_written = self.map.contains_key(HOST) && self.write_lines(&mut lines, |_| true);
            is_written.then(|| lines.into())
        };
        self.lines.get_or_init(make).as_deref()
    }

    /// Writes all of them as lines of HTTP/1. False if one is not `allowed`, says how the body is sent or is for a proxy,
    /// or a spelling is kept of one that is not there.
    pub(super) fn write_lines(
        &self,
        out: &mut Vec<u8>,
        allowed: impl Fn(&HeaderName) -> bool,
    ) -> bool {
        let spelling = &self.spelling.0;
        if !spelling.iter().all(|(name, _)| self.map.contains_key(name)) {
            return false;
        }
        for (name, value) in &self.map {
            if SPECIAL.contains(name) || !allowed(name) {
                return false;
            }
            match self.spelling.get(name) {
                Some(written) => out.extend_from_slice(written.as_bytes()),
                None => write_usual(out, name.as_str()),
            }
            write_value(out, value);
        }
        true
    }

    /// Why nothing can be sent with them.
    pub(super) fn invalid(&self) -> Option<&str> {
        self.invalid.as_deref()
    }
}

impl std::ops::Deref for Headers {
    type Target = HeaderMap;

    fn deref(&self) -> &HeaderMap {
        &self.map
    }
}

impl From<HeaderMap> for Headers {
    fn from(map: HeaderMap) -> Self {
        Self {
            map,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use http::header::CONTENT_TYPE;

    use super::*;

    #[test]
    fn only_unusual_spellings_are_kept() {
        let mut headers = Headers::default();
        let value = HeaderValue::from_static("1");
        headers.insert("X-Api-Key", value.clone());
        headers.insert(CONTENT_TYPE, value.clone());
        assert_eq!(headers.spelling, Spelling::default());
        headers.insert("X-API-Key", value.clone());
        let name = HeaderName::from_static("x-api-key");
        assert_eq!(headers.spelling.get(&name), Some("X-API-Key"));
        // Whoever sets it again decides.
        headers.insert("x-api-key", value.clone());
        assert_eq!(headers.spelling.get(&name), Some("x-api-key"));
        headers.insert(name.clone(), value.clone());
        assert_eq!(headers.spelling.get(&name), None);
        // What is removed leaves nothing that would keep the others from being written as lines.
        headers.insert("X-API-Key", value.clone());
        headers.insert(HOST, value);
        headers.remove("x-api-key");
        assert_eq!(headers.spelling, Spelling::default());
        assert!(headers.lines().is_some());
    }

    #[test]
    fn a_name_that_is_not_valid_is_remembered() {
        let mut headers = Headers::default();
        headers.insert("bad name", HeaderValue::from_static("1"));
        assert_eq!(headers.invalid(), Some(NAME_NOT_VALID));
        assert!(headers.is_empty());
    }
}

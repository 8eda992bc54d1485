//! What a scenario sends as it is.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};

/// A body of text or bytes: [`Request::body`](crate::client::Request::body) takes everything that this can be made of.
///
/// On the fast client a body says what it is, as on Locust's `FastHttpUser`, unless the request or the client has a
/// content type: text is `text/plain; charset=utf-8`, bytes are `application/octet-stream`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestBody {
    pub(in crate::client) bytes: Bytes,
    pub(in crate::client) is_text: bool,
}

impl RequestBody {
    pub(in crate::client) fn content_type(&self) -> &'static str {
        if self.is_text {
            "text/plain; charset=utf-8"
        } else {
            "application/octet-stream"
        }
    }
}

fn text(bytes: impl Into<Bytes>) -> RequestBody {
    RequestBody {
        bytes: bytes.into(),
        is_text: true,
    }
}

fn bytes(bytes: impl Into<Bytes>) -> RequestBody {
    RequestBody {
        bytes: bytes.into(),
        is_text: false,
    }
}

impl From<&'static str> for RequestBody {
    fn from(body: &'static str) -> Self {
        text(body)
    }
}

impl From<String> for RequestBody {
    fn from(body: String) -> Self {
        text(body)
    }
}

impl From<&String> for RequestBody {
    fn from(body: &String) -> Self {
        text(body.clone())
    }
}

impl From<Cow<'static, str>> for RequestBody {
    fn from(body: Cow<'static, str>) -> Self {
        match body {
            Cow::Borrowed(body) => text(body),
            Cow::Owned(body) => text(body),
        }
    }
}

impl From<Bytes> for RequestBody {
    fn from(body: Bytes) -> Self {
        bytes(body)
    }
}

impl From<BytesMut> for RequestBody {
    fn from(body: BytesMut) -> Self {
        bytes(body)
    }
}

impl From<Vec<u8>> for RequestBody {
    fn from(body: Vec<u8>) -> Self {
        bytes(body)
    }
}

impl From<Box<[u8]>> for RequestBody {
    fn from(body: Box<[u8]>) -> Self {
        bytes(body)
    }
}

impl From<&'static [u8]> for RequestBody {
    fn from(body: &'static [u8]) -> Self {
        bytes(body)
    }
}

impl<const LENGTH: usize> From<&'static [u8; LENGTH]> for RequestBody {
    fn from(body: &'static [u8; LENGTH]) -> Self {
        bytes(&body[..])
    }
}

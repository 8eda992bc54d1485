//! The headers of an answer. Most are never looked at, so they become a map when somebody does.

use std::sync::OnceLock;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, HeaderMap, LOCATION, SET_COOKIE};

use super::http1;

/// The headers of an answer.
#[derive(Debug)]
pub(in crate::client) struct AnswerHeaders {
    /// In a box, because what is moved with every answer should be small.
    map: OnceLock<Box<HeaderMap>>,
    /// The head that they came in, where that can be read again.
    head: Bytes,
    noted: Noted,
}

/// What is looked for in every answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::client) struct Noted {
    /// `Content-Encoding`
    pub(in crate::client) encoding: bool,
    /// `Set-Cookie`
    pub(in crate::client) cookies: bool,
    /// `Location`
    pub(in crate::client) location: bool,
}

impl AnswerHeaders {
    /// Those of a head whose headers are known to be readable.
    pub(super) fn of_head(head: Bytes, noted: Noted) -> Self {
        Self {
            map: OnceLock::new(),
            head,
            noted,
        }
    }

    pub(in crate::client) fn map(&self) -> &HeaderMap {
        // A head with more headers than a map takes is read when it comes.
        self.map
            .get_or_init(|| Box::new(http1::read_headers(&self.head).unwrap_or_default()))
    }

    pub(in crate::client) fn noted(&self) -> Noted {
        self.noted
    }
}

impl From<HeaderMap> for AnswerHeaders {
    fn from(map: HeaderMap) -> Self {
        Self {
            noted: Noted {
                encoding: map.contains_key(CONTENT_ENCODING),
                cookies: map.contains_key(SET_COOKIE),
                location: map.contains_key(LOCATION),
            },
            map: Box::new(map).into(),
            head: Bytes::new(),
        }
    }
}

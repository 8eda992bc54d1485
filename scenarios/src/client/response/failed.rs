//! Responses of requests that failed, for whoever records them.

use std::borrow::Cow;

use http::HeaderMap;

use super::{Response, StreamedResponse, text};
use crate::client::body::Body;
use crate::recorder::FailedResponse;

impl FailedResponse for Response {
    fn headers(&self) -> &HeaderMap {
        Response::headers(self)
    }

    fn body_start(&self, bytes: usize) -> Option<Cow<'_, str>> {
        match &self.answer.body {
            Body::Kept(body) => Some(text::decode(
                FailedResponse::headers(self),
                whole_characters(body, bytes),
            )),
            Body::NotKept(_) => None,
        }
    }

    fn body_bytes(&self) -> u64 {
        self.length()
    }
}

impl FailedResponse for StreamedResponse {
    fn headers(&self) -> &HeaderMap {
        StreamedResponse::headers(self)
    }

    fn body_start(&self, _: usize) -> Option<Cow<'_, str>> {
        None
    }

    fn body_bytes(&self) -> u64 {
        self.ended().response_length
    }
}

/// At most so many bytes of a body, up to the end of a character if they are UTF-8: with half a one they would not be taken for
/// UTF-8 any more.
fn whole_characters(body: &[u8], bytes: usize) -> &[u8] {
    const LONGEST_CHARACTER: usize = 4;
    let end = bytes.min(body.len());
    let begins_character = |at: &usize| body.get(*at).is_none_or(|byte| byte & 0xC0 != 0x80);
    let earliest = end.saturating_sub(LONGEST_CHARACTER - 1);
    let end = (earliest..=end).rev().find(begins_character).unwrap_or(end);
    &body[..end]
}

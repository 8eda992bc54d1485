//! The response as a scenario sees it.

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::StatusCode;
use http::header::HeaderMap;
use hyper::ext::ReasonPhrase;
use serde::de::DeserializeOwned;
use url::Url;

use super::ClientKind;
use super::exchange::Answer;
use super::failure::{is_success, status_failure};
use super::judged::ResponseError;
use crate::recorder::Ended;

/// A whole response: head and decoded body.
pub struct Response {
    kind: ClientKind,
    answer: Answer,
    elapsed: Duration,
    time_to_first_byte: Duration,
}

impl Response {
    pub(super) fn new(
        kind: ClientKind,
        answer: Answer,
        started_at: Instant,
        ended_at: Instant,
    ) -> Self {
        Self {
            kind,
            elapsed: ended_at.duration_since(started_at),
            time_to_first_byte: answer.head_at.saturating_duration_since(started_at),
            answer,
        }
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.answer.status
    }

    /// Whether the status makes the request a success: on the full client everything but 400 to 599, on the
    /// fast one 200 to 208, 226, 301 to 304, 307 and 308.
    pub fn is_ok(&self) -> bool {
        is_success(self.kind, self.status())
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.answer.headers
    }

    /// The value of a header, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers().get(name)?.to_str().ok()
    }

    /// The URL that answered: after redirects the last one.
    pub fn url(&self) -> &Url {
        &self.answer.target.url
    }

    /// How many redirects led to this response.
    pub fn redirects(&self) -> usize {
        self.answer.redirects
    }

    /// The decoded body.
    pub fn bytes(&self) -> &Bytes {
        &self.answer.body
    }

    /// The body as text; bytes that are no UTF-8 are replaced.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.answer.body)
    }

    /// The body, read as JSON.
    ///
    /// # Errors
    ///
    /// When it is not the JSON that was asked for. By `?` this becomes an error of the task, not
    /// a failed request; catch the request and write `page.require(page.json())?` if it shall be one.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, JsonError> {
        serde_json::from_slice(&self.answer.body).map_err(JsonError)
    }

    /// Nothing if the status makes the request a success: Locust's `raise_for_status()`.
    ///
    /// # Errors
    ///
    /// When it is a failure. It is recorded as one already, and not counted again when `?` ends the task
    /// with this error.
    pub fn error_for_status(&self) -> Result<(), ResponseError> {
        match self.status_failure(self.url().path()) {
            None => Ok(()),
            Some(text) => Err(ResponseError::recorded(text)),
        }
    }

    /// The response time: from `send()` to the end of the body, redirects included; of a streamed
    /// response to the end of the head.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// From `send()` to the head of this response.
    pub fn time_to_first_byte(&self) -> Duration {
        self.time_to_first_byte
    }

    pub(super) fn length(&self) -> u64 {
        self.answer.body.len() as u64
    }

    /// What the recorder is told.
    pub(super) fn ended(&self) -> Ended {
        Ended {
            response_time: self.elapsed,
            time_to_first_byte: Some(self.time_to_first_byte),
            response_length: self.length(),
            status: Some(self.status()),
        }
    }

    pub(super) fn status_failure(&self, name: &str) -> Option<String> {
        let reason = self
            .answer
            .reason
            .as_ref()
            .and_then(|reason: &ReasonPhrase| std::str::from_utf8(reason.as_bytes()).ok());
        status_failure(self.kind, self.answer.status, reason, name)
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status())
            .field("length", &self.length())
            .field("elapsed", &self.elapsed)
            .finish_non_exhaustive()
    }
}

/// A body that is not the JSON that was asked for.
#[derive(Debug, thiserror::Error)]
#[error("the response is not the JSON asked for: {0}")]
pub struct JsonError(serde_json::Error);

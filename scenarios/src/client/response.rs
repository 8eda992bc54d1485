//! The response as a scenario sees it, and the verdict on a caught one.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::HeaderMap;
use http::{Method, StatusCode};
use hyper::ext::ReasonPhrase;
use serde::de::DeserializeOwned;
use url::Url;

use super::exchange::Answer;
use super::failure::status_failure;
use crate::recorder::{RequestSample, UserContext};
use crate::task::TaskResult;

/// A whole response: head and decoded body.
pub struct Response {
    answer: Answer,
    elapsed: Duration,
    time_to_first_byte: Duration,
}

impl Response {
    pub(super) fn new(answer: Answer, started_at: Instant, ended_at: Instant) -> Self {
        Self {
            elapsed: ended_at.duration_since(started_at),
            time_to_first_byte: answer.head_at.saturating_duration_since(started_at),
            answer,
        }
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.answer.status
    }

    /// Whether the status is below 400: the normal rule for a success.
    pub fn is_ok(&self) -> bool {
        !(self.status().is_client_error() || self.status().is_server_error())
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
    /// a failed request; catch the request and call `failure()` if it shall be one.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, JsonError> {
        serde_json::from_slice(&self.answer.body).map_err(JsonError)
    }

    /// The response time: from `send()` to the end of the body, redirects included.
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

    pub(super) fn status_failure(&self, name: &str) -> Option<String> {
        let reason = self
            .answer
            .reason
            .as_ref()
            .and_then(|reason: &ReasonPhrase| std::str::from_utf8(reason.as_bytes()).ok());
        status_failure(self.answer.status, reason, name)
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

/// A response whose verdict the scenario gives: [`success`](Self::success) or
/// [`failure`](Self::failure). Dropped without one, it follows the normal rule (a status of 400 or
/// above is a failure).
pub struct CaughtResponse {
    response: Response,
    context: Arc<UserContext>,
    delay: Option<Duration>,
    method: Method,
    name: String,
    started_at: Instant,
    verdict: Verdict,
}

enum Verdict {
    Undecided,
    Success,
    Failure(String),
}

impl CaughtResponse {
    pub(super) fn new(
        response: Response,
        context: Arc<UserContext>,
        delay: Option<Duration>,
        method: Method,
        name: String,
        started_at: Instant,
    ) -> Self {
        Self {
            response,
            context,
            delay,
            method,
            name,
            started_at,
            verdict: Verdict::Undecided,
        }
    }

    /// The request was a success, whatever its status. Returns `Ok(())`, to end a task with.
    pub fn success(mut self) -> TaskResult {
        self.verdict = Verdict::Success;
        Ok(())
    }

    /// The request was a failure, recorded with this text. Returns `Ok(())`, to end a task with: the
    /// failure is counted, and it is no error of the task.
    pub fn failure(mut self, error: impl fmt::Display) -> TaskResult {
        self.verdict = Verdict::Failure(error.to_string());
        Ok(())
    }
}

impl Deref for CaughtResponse {
    type Target = Response;

    fn deref(&self) -> &Response {
        &self.response
    }
}

impl Drop for CaughtResponse {
    fn drop(&mut self) {
        let error = match std::mem::replace(&mut self.verdict, Verdict::Undecided) {
            Verdict::Success => None,
            Verdict::Failure(error) => Some(error),
            Verdict::Undecided => self.response.status_failure(&self.name),
        };
        self.context.record(&RequestSample {
            method: self.method.as_str(),
            name: &self.name,
            started_at: self.started_at,
            response_time: self.response.elapsed,
            time_to_first_byte: Some(self.response.time_to_first_byte),
            response_length: self.response.length(),
            error: error.as_deref(),
            from_intended_start: self.delay.map(|delay| self.response.elapsed + delay),
            first_byte_only: false,
        });
    }
}

impl fmt::Debug for CaughtResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.response.fmt(f)
    }
}

//! The response as a scenario sees it.

mod failed;
mod json;
mod judged;
mod rest;
mod server_sent;
mod status;
mod streamed;
pub(super) mod text;

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;
use http::header::HeaderMap;
use serde_json::Value;
use url::Url;

use super::ClientKind;
use super::body::{Body, BodyNotKept};
use super::exchange::Answer;
use super::failure::{is_success, status_failure};
use super::target::Target;
use crate::client::pending::Ended;
use crate::run::UserContext;
use crate::task::ResponseError;

pub use json::{JsonError, ReadJson};
pub use judged::{Answered, CaughtResponse, CaughtStreamedResponse, Judged, ensure};
pub use rest::RestResponse;
pub use server_sent::{LARGEST_EVENT, ServerSentEvent};
pub use status::Status;
pub use streamed::{LONGEST_LINE, StreamError, StreamedResponse};

/// A whole response: head and decoded body.
pub struct Response {
    kind: ClientKind,
    answer: Answer,
    elapsed: Duration,
    time_to_first_byte: Duration,
    asked: Asked,
    /// The body as text where it is not valid UTF-8, once that was asked for.
    replaced: OnceLock<Box<str>>,
    /// The body's JSON, once a value was picked from it.
    parsed: OnceLock<Box<Value>>,
    /// Of a body that was not kept.
    reader: Option<Box<Reader>>,
}

/// Which request was answered, for errors about the response.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) method: Method,
    /// The name it was given, if any.
    pub(super) name: Option<Box<str>>,
    /// Where it went before any redirect.
    pub(super) target: Option<Arc<Target>>,
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = || self.target.as_ref().map(|target| target.name());
        let name = self.name.as_deref().or_else(target);
        write!(f, "{} {}", self.method, name.unwrap_or_default())
    }
}

impl Response {
    pub(super) fn new(kind: ClientKind, answer: Answer, started_at: Instant) -> Self {
        Self {
            kind,
            elapsed: answer.ended_at.duration_since(started_at),
            time_to_first_byte: answer.head_at.saturating_duration_since(started_at),
            answer,
            asked: Asked::default(),
            replaced: OnceLock::new(),
            parsed: OnceLock::new(),
            reader: None,
        }
    }

    /// Says which request this answers.
    pub(super) fn to(mut self, asked: Asked) -> Self {
        self.asked = asked;
        self
    }

    pub(super) fn asked(&self) -> &Asked {
        &self.asked
    }

    /// Says whose it is, for the case that its body is read and was not kept.
    pub(super) fn of(mut self, user: &Arc<UserContext>, name: &str) -> Self {
        if matches!(self.answer.body, Body::NotKept(_)) {
            self.reader = Some(Box::new(Reader {
                user: Arc::clone(user),
                name: name.to_owned(),
                is_reported: AtomicBool::new(false),
            }));
        }
        self
    }

    /// The status: `page.status() == 404`, and `{}` prints `404`.
    pub fn status(&self) -> Status {
        self.answer.status.into()
    }

    /// Whether the status makes the request a success: on the full client everything but 400 to 599, on the
    /// fast one 200 to 208, 226, 301 to 304, 307 and 308.
    pub fn is_ok(&self) -> bool {
        is_success(self.kind, self.answer.status)
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        self.answer.headers.map()
    }

    /// The value of a header as text, if it is there and is UTF-8; [`headers`](Self::headers) has the bytes of any.
    pub fn header(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.headers().get(name)?.as_bytes()).ok()
    }

    /// The URL that answered: after redirects the last one.
    pub fn url(&self) -> &Url {
        &self.answer.target.url
    }

    /// How many redirects led to this response.
    pub fn redirects(&self) -> usize {
        self.answer.redirects
    }

    /// The decoded body, or an error if it was larger than what is kept
    /// ([`max_body`](crate::UserBuilder::max_body)).
    ///
    /// # Errors
    ///
    /// With the body's length and the limit, and how to raise it.
    pub fn body(&self) -> Result<&Bytes, BodyNotKept> {
        match &self.answer.body {
            Body::Kept(bytes) => Ok(bytes),
            Body::NotKept(missing) => Err(missing.clone()),
        }
    }

    /// The decoded body. One that was larger than what is kept is empty here, and reading it is an error of the task,
    /// in results and log; see [`body`](Self::body).
    pub fn bytes(&self) -> &Bytes {
        static NOTHING: Bytes = Bytes::new();
        match &self.answer.body {
            Body::Kept(bytes) => bytes,
            Body::NotKept(missing) => {
                if let Some(reader) = &self.reader {
                    reader.report(missing);
                }
                &NOTHING
            }
        }
    }

    /// The body as text, in the charset of its `Content-Type`. Without one it is UTF-8, or Latin-1 where it cannot be
    /// UTF-8 and is text or XML. A byte order mark counts more than both and is left out; what cannot be decoded is
    /// replaced (`�`). What is said of [`bytes`](Self::bytes) holds here.
    pub fn text(&self) -> &str {
        if let Some(text) = self.replaced.get() {
            return text;
        }
        match text::decode(self.headers(), self.bytes()) {
            Cow::Borrowed(text) => text,
            Cow::Owned(text) => self.replaced.get_or_init(|| text.into()),
        }
    }

    /// The whole body, read as JSON: `page.json::<Value>()?["token"]` for any JSON, or a type of your own,
    /// `let products: Vec<Product> = page.json()?`. For a single value [`pick`](Self::pick) is shorter.
    ///
    /// # Errors
    ///
    /// When it is not the JSON that is expected, or was too large to be kept; the error names the request. By `?` this
    /// becomes an error of the task, not a failed request; catch the request and write `page.require(page.json())?`
    /// to make it one.
    // The type parameter's name is what the compiler suggests where no type is given.
    pub fn json<Value: ReadJson>(&self) -> Result<Value, JsonError> {
        match self.body() {
            Ok(body) => json::read(body, || self.asked.to_string()),
            Err(missing) => Err(JsonError::not_kept(self.asked.to_string(), missing)),
        }
    }

    /// The value at one place of the body's JSON: `let id: u64 = page.pick("/items/0/id")?`, Python's
    /// `page.json()["items"][0]["id"]`. The place is a JSON pointer (RFC 6901): keys and indices, each after a
    /// slash; `~1` is a slash within a key, `~0` a tilde.
    ///
    /// # Errors
    ///
    /// When the body is not JSON, when there is nothing at the place, or when it is not of the expected type; the
    /// error names the request, the place and what is there instead, and `?` adds file and line. It is an error of
    /// the task; catch the request and write `page.require(page.pick("/token"))?` to make it the request's failure.
    pub fn pick<Value: ReadJson>(&self, pointer: &str) -> Result<Value, JsonError> {
        let whole = match self.parsed.get() {
            Some(whole) => whole,
            None => {
                let whole = self.json()?;
                self.parsed.get_or_init(|| whole)
            }
        };
        json::pick(whole, pointer, || self.asked.to_string())
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
        self.answer.body.length()
    }

    /// What is recorded of it.
    pub(super) fn ended(&self) -> Ended {
        Ended {
            response_time: self.elapsed,
            time_to_first_byte: Some(self.time_to_first_byte),
            response_length: self.length(),
            status: Some(self.answer.status),
        }
    }

    pub(super) fn status_failure(&self, name: &str) -> Option<String> {
        let reason = self.answer.reason.as_deref();
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

/// Who reads a body that was not kept.
struct Reader {
    user: Arc<UserContext>,
    name: String,
    is_reported: AtomicBool,
}

impl Reader {
    /// Makes it an error of the task, once for each response.
    fn report(&self, missing: &BodyNotKept) {
        if !self.is_reported.swap(true, Ordering::Relaxed) {
            let text = missing.to_string();
            self.user.run.log.error(&self.name, &text);
            self.user.run.recorder.task_error(&self.name, &text);
        }
    }
}

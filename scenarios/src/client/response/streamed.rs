//! Responses that are read while they come.

use std::fmt;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use serde_json::Value;
use url::Url;

use super::json::{self, JsonError, ReadJson};
use super::server_sent::{DATA_FIELD, LARGEST_EVENT, Parser, ServerSentEvent, TooLarge};
use super::status::Status;
use super::{Asked, Response};
use crate::client::ClientKind;
use crate::client::body::{Body, BodyStream, Collected};
use crate::client::exchange::Answer;
use crate::client::failure::Failure;
use crate::client::pending::Ended;
use crate::task::ResponseError;

/// Longest line that is read, in bytes. A longer one ends the stream with an error.
pub const LONGEST_LINE: usize = 1 << 20;

/// A response whose body is read by the scenario: [`Request::stream`](crate::client::Request::stream).
///
/// It has what the head of a [`Response`] says. The body is read here, always with `.await`: in pieces
/// ([`chunk`](Self::chunk)), lines ([`line`](Self::line)) or server-sent events ([`event`](Self::event)) while they
/// come, or what is left of it as a whole ([`bytes`](Self::bytes), [`text`](Self::text), [`json`](Self::json),
/// [`pick`](Self::pick)). None of this is timed. The connection serves again when the body has been read to its end; dropped before, it is closed (with HTTP/2 only the
/// request is given up).
pub struct StreamedResponse {
    sent_at: Instant,
    /// When the last bytes of the body came; before any, the head.
    came_at: Instant,
    head: Response,
    /// What the head says about the length.
    length: u64,
    body: BodyStream,
    /// What was read beyond the last line.
    rest: BytesMut,
    /// How much of `rest` is known to have no end of a line.
    looked_at: usize,
    /// What was read of an event, once one was asked for.
    events: Option<Box<Parser>>,
    /// The JSON of what was left of the body, once a value was picked from it.
    parsed: Option<Box<Value>>,
    limit: Duration,
    /// Most bytes that are kept of the body where it is read as a whole.
    max_body: usize,
}

impl StreamedResponse {
    pub(in crate::client) fn new(
        kind: ClientKind,
        mut answer: Answer,
        started_at: Instant,
        limit: Duration,
        max_body: usize,
    ) -> Self {
        let body = match answer.unread.take() {
            Some(unread) => BodyStream::new(*unread, answer.headers.map()),
            None => BodyStream::Ended,
        };
        let length = answer
            .headers
            .map()
            .get(CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .unwrap_or(0);
        Self {
            sent_at: started_at,
            came_at: answer.head_at,
            head: Response::new(kind, answer, started_at),
            length,
            body,
            rest: BytesMut::new(),
            looked_at: 0,
            events: None,
            parsed: None,
            limit,
            max_body,
        }
    }

    /// Says which request this answers.
    pub(in crate::client) fn to(mut self, asked: Asked) -> Self {
        self.head = self.head.to(asked);
        self
    }

    pub(in crate::client) fn head(&self) -> &Response {
        &self.head
    }

    /// When the request was sent.
    pub(crate) fn sent_at(&self) -> Instant {
        self.sent_at
    }

    /// When the last bytes that were read came.
    pub(crate) fn came_at(&self) -> Instant {
        self.came_at
    }

    pub(in crate::client) fn ended(&self) -> Ended {
        Ended {
            response_length: self.length,
            ..self.head.ended()
        }
    }

    /// The status, see [`Response::status`].
    pub fn status(&self) -> Status {
        self.head.status()
    }

    /// Whether the status makes the request a success, see [`Response::is_ok`].
    pub fn is_ok(&self) -> bool {
        self.head.is_ok()
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        self.head.headers()
    }

    /// The value of a header as text, see [`Response::header`].
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    /// The URL that answered: after redirects the last one.
    pub fn url(&self) -> &Url {
        self.head.url()
    }

    /// How many redirects led to this response.
    pub fn redirects(&self) -> usize {
        self.head.redirects()
    }

    /// Nothing if the status makes the request a success: Locust's `raise_for_status()`.
    ///
    /// # Errors
    ///
    /// When it is a failure, see [`Response::error_for_status`].
    pub fn error_for_status(&self) -> Result<(), ResponseError> {
        self.head.error_for_status()
    }

    /// The response time: from `send()` to the end of the head, redirects included.
    pub fn elapsed(&self) -> Duration {
        self.head.elapsed()
    }

    /// From `send()` to the head of this response.
    pub fn time_to_first_byte(&self) -> Duration {
        self.head.time_to_first_byte()
    }

    /// The next piece of the decoded body, `None` at its end. Its size is up to server and network. Dropping
    /// the future loses nothing.
    ///
    /// # Errors
    ///
    /// When the body cannot be read or decoded, or nothing came for as long as the request was allowed to
    /// take. The request is recorded without regard to it; catch it and use
    /// [`require`](crate::client::Judged::require) to make it the request's failure.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, StreamError> {
        if !self.rest.is_empty() {
            self.looked_at = 0;
            return Ok(Some(self.rest.split().freeze()));
        }
        self.read().await
    }

    async fn read(&mut self) -> Result<Option<Bytes>, StreamError> {
        match tokio::time::timeout(self.limit, self.body.chunk()).await {
            Ok(Ok(chunk)) => {
                self.came_at = Instant::now();
                Ok(chunk)
            }
            Ok(Err(failure)) => Err(failure.into()),
            Err(_) => {
                self.body = BodyStream::Ended;
                Err(StreamError(
                    "Request timeout: no more of the response came within the time allowed"
                        .to_owned(),
                ))
            }
        }
    }

    /// The next line of the decoded body without its end, `None` after the last; bytes that are not valid
    /// UTF-8 are replaced. Dropping the future loses nothing.
    ///
    /// # Errors
    ///
    /// As for [`chunk`](Self::chunk), and when a line is longer than [`LONGEST_LINE`].
    pub async fn line(&mut self) -> Result<Option<String>, StreamError> {
        loop {
            let unseen = self.rest.get(self.looked_at..).unwrap_or_default();
            if let Some(end) = unseen.iter().position(|byte| *byte == b'\n') {
                let line = self.rest.split_to(self.looked_at + end + 1);
                self.looked_at = 0;
                return Ok(Some(text(&line)));
            }
            if self.has_more_than(LONGEST_LINE) {
                return Err(self.end_with(format!(
                    "A line of the response is longer than {LONGEST_LINE} bytes"
                )));
            }
            match self.read().await? {
                Some(chunk) => self.rest.extend_from_slice(&chunk),
                None if self.rest.is_empty() => return Ok(None),
                None => {
                    self.looked_at = 0;
                    return Ok(Some(text(&self.rest.split())));
                }
            }
        }
    }

    /// Whether what is left, which has no end of a line, is too long for one.
    fn has_more_than(&mut self, longest: usize) -> bool {
        self.looked_at = self.rest.len();
        self.rest.len() > longest
    }

    fn end_with(&mut self, reason: String) -> StreamError {
        self.end();
        StreamError(reason)
    }

    /// Reads nothing more.
    fn end(&mut self) {
        self.body = BodyStream::Ended;
        self.rest.clear();
        self.looked_at = 0;
    }

    /// The next server-sent event of the decoded body (`text/event-stream`), `None` after the last. One that the
    /// end of the body cuts off is none. Dropping the future loses nothing.
    ///
    /// ```
    /// # use greylag_scenarios::prelude::*;
    /// # async fn until_sold(client: &mut Client) -> TaskResult {
    /// let mut prices = client.get("/prices").stream().send().await?;
    /// while let Some(event) = prices.event().await? {
    ///     if event.event() == "sold" {
    ///         break;
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`chunk`](Self::chunk), and when an event's data, or a line without any, is larger than [`LARGEST_EVENT`].
    pub async fn event(&mut self) -> Result<Option<ServerSentEvent>, StreamError> {
        loop {
            let parser = self.events.get_or_insert_default();
            let is_too_large = match parser.next(&mut self.rest, self.looked_at) {
                Ok(Some(event)) => {
                    self.looked_at = 0;
                    return Ok(Some(event));
                }
                Ok(None) => self.has_more_than(LARGEST_EVENT + DATA_FIELD.len()),
                Err(TooLarge) => true,
            };
            if is_too_large {
                return Err(self.end_with(format!(
                    "The data of an event is larger than {LARGEST_EVENT} bytes"
                )));
            }
            match self.read().await? {
                Some(chunk) => self.rest.extend_from_slice(&chunk),
                None => {
                    self.end();
                    return Ok(None);
                }
            }
        }
    }

    /// What is left of the decoded body, read to its end.
    ///
    /// # Errors
    ///
    /// As for [`chunk`](Self::chunk), and when it is larger than what is kept of a body
    /// ([`max_body`](crate::UserBuilder::max_body)).
    pub async fn bytes(&mut self) -> Result<Bytes, StreamError> {
        let mut collected = Collected::new(self.max_body);
        while let Some(chunk) = self.chunk().await? {
            collected.push(chunk);
        }
        match collected.finish() {
            Body::Kept(bytes) => Ok(bytes),
            Body::NotKept(missing) => Err(StreamError(missing.to_string())),
        }
    }

    /// What is left of the decoded body as text, read to its end; see [`Response::text`].
    ///
    /// # Errors
    ///
    /// As for [`bytes`](Self::bytes).
    pub async fn text(&mut self) -> Result<String, StreamError> {
        let bytes = self.bytes().await?;
        Ok(super::text::decode(self.head.headers(), &bytes).into_owned())
    }

    /// What is left of the decoded body as JSON, read to its end; see [`Response::json`].
    ///
    /// # Errors
    ///
    /// As for [`bytes`](Self::bytes), and when it is not the JSON that is expected.
    pub async fn json<Value: ReadJson>(&mut self) -> Result<Value, StreamError> {
        let bytes = self.bytes().await?;
        json::read(&bytes, || self.head.asked().to_string()).map_err(StreamError::from)
    }

    /// The value at one place of the body's JSON, see [`Response::pick`]. The first call reads what is left of the body
    /// to its end; others look at the same JSON.
    ///
    /// # Errors
    ///
    /// As for [`json`](Self::json), and when there is nothing at the place or it is not of the expected type.
    pub async fn pick<Value: ReadJson>(&mut self, pointer: &str) -> Result<Value, StreamError> {
        if self.parsed.is_none() {
            self.parsed = Some(self.json().await?);
        }
        let asked = || self.head.asked().to_string();
        let whole = self.parsed.as_deref().unwrap_or(&serde_json::Value::Null);
        json::pick(whole, pointer, asked).map_err(StreamError::from)
    }
}

/// A line without its end.
fn text(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    String::from_utf8_lossy(line).into_owned()
}

impl fmt::Debug for StreamedResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.head.fmt(f)
    }
}

/// Why a streamed body could not be read, to its end or as what is expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StreamError(String);

impl From<Failure> for StreamError {
    fn from(failure: Failure) -> Self {
        Self(failure.text().to_owned())
    }
}

impl From<JsonError> for StreamError {
    fn from(error: JsonError) -> Self {
        Self(error.to_string())
    }
}

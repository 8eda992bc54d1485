//! JSON APIs: Locust's `rest()`.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;
use url::Url;

use super::json::without_mark;
use super::{CaughtResponse, JsonError, ReadJson, Status};
use crate::client::body::BodyNotKept;
use crate::client::request::RequestContext;
use crate::place::place;
use crate::task::{ResponseError, TaskResult};

/// Most characters of a body that a failure about its JSON shows.
const SHOWN_OF_BAD_JSON: usize = 250;
/// Most characters of a body that other failures show.
const SHOWN_OF_BODY: usize = 200;

/// The response of a JSON API, whose verdict the scenario gives: everything that a
/// [`CaughtResponse`] has, and its JSON.
///
/// A body that is not JSON is a failure unless the scenario says otherwise; an empty one is `null`.
pub struct RestResponse {
    caught: CaughtResponse,
    js: Value,
}

impl RestResponse {
    pub(in crate::client) fn new(caught: CaughtResponse) -> Self {
        let mut js = Value::Null;
        if let Err(missing) = caught.body() {
            caught.mark_failure(missing);
        } else if !caught.bytes().is_empty() {
            match serde_json::from_slice(without_mark(caught.bytes())) {
                Ok(value) => js = value,
                Err(error) => {
                    let text = format!(
                        "Could not parse response as JSON. {}, response code {}, error {error}",
                        start(caught.text(), SHOWN_OF_BAD_JSON),
                        caught.status(),
                    );
                    caught.mark_failure(text);
                }
            }
        }
        Self { caught, js }
    }

    /// The body's JSON; `null` without a body or when it is not JSON.
    pub fn js(&self) -> &Value {
        &self.js
    }

    /// Lets `check` look at the response, and makes every error of it the request's failure; the task
    /// continues.
    ///
    /// - A [`ResponseError`], as [`ensure`](crate::client::ensure) gives it, is the failure's text; after one that
    ///   ends with a comma the start of the body is shown.
    /// - The message of a panic, as a failed `assert!` gives it, likewise. Prefer `ensure`: a panic is printed
    ///   each time, too.
    /// - Any other error with the line of its `?` and the start of the body.
    ///
    /// A failure given by [`mark_failure`](crate::client::Judged::mark_failure) or a body that was not JSON comes
    /// first.
    ///
    /// ```
    /// # use greylag_scenarios::prelude::*;
    /// # async fn basket(client: &mut Client) -> TaskResult {
    /// client.rest(Method::GET, "/basket").send().await?.check(|basket| {
    ///     ensure(basket.js()["items"].is_array(), "no items,")?;
    ///     Ok(())
    /// })
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// What `check` asks for otherwise ([`stop_user`](crate::stop_user) and the like), and a failed request
    /// that is counted already.
    pub fn check(mut self, check: impl FnOnce(&mut Self) -> TaskResult) -> TaskResult {
        let text = match catch_unwind(AssertUnwindSafe(|| check(&mut self))) {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => {
                if let Some(reason) = error.downcast_ref::<ResponseError>() {
                    self.with_body(reason.to_string())
                } else if error.flow().is_some() || error.is_recorded() {
                    return Err(error);
                } else {
                    let at = place(error.location());
                    let body = start(self.caught.text(), SHOWN_OF_BODY);
                    format!("{error} at {at}. Response was {body}")
                }
            }
            Err(panic) => self.with_body(message(&*panic)),
        };
        if !self.caught.is_judged() {
            self.caught.mark_failure(text);
        }
        Ok(())
    }

    fn with_body(&self, text: String) -> String {
        match text.strip_suffix(',') {
            None => text,
            Some(text) => {
                let body = start(self.caught.text(), SHOWN_OF_BODY);
                format!("{text}, response was {body}")
            }
        }
    }
}

impl AsRef<CaughtResponse> for RestResponse {
    fn as_ref(&self) -> &CaughtResponse {
        &self.caught
    }
}

/// What every caught response has: see [`CaughtResponse`] and [`Response`](crate::client::Response).
impl RestResponse {
    /// The status: [`Response::status`](crate::client::Response::status).
    pub fn status(&self) -> Status {
        self.caught.status()
    }

    /// Whether the status makes it a success: [`Response::is_ok`](crate::client::Response::is_ok).
    pub fn is_ok(&self) -> bool {
        self.caught.is_ok()
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        self.caught.headers()
    }

    /// A header as text: [`Response::header`](crate::client::Response::header).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.caught.header(name)
    }

    /// Who answered, after redirects.
    pub fn url(&self) -> &Url {
        self.caught.url()
    }

    /// How many redirects led there.
    pub fn redirects(&self) -> usize {
        self.caught.redirects()
    }

    /// The whole body.
    ///
    /// # Errors
    ///
    /// When it was too large to be kept.
    pub fn body(&self) -> Result<&Bytes, BodyNotKept> {
        self.caught.body()
    }

    /// The whole body: [`Response::bytes`](crate::client::Response::bytes).
    pub fn bytes(&self) -> &Bytes {
        self.caught.bytes()
    }

    /// The body as text: [`Response::text`](crate::client::Response::text).
    pub fn text(&self) -> &str {
        self.caught.text()
    }

    /// The body read as JSON of a type: [`Response::json`](crate::client::Response::json).
    ///
    /// # Errors
    ///
    /// When it is not the JSON that is expected.
    // The type parameter's name is what the compiler suggests where no type is given.
    pub fn json<Value: ReadJson>(&self) -> Result<Value, JsonError> {
        self.caught.json()
    }

    /// The value at one place of the JSON: [`Response::pick`](crate::client::Response::pick).
    ///
    /// # Errors
    ///
    /// When there is none, or not of the expected type.
    pub fn pick<Value: ReadJson>(&self, pointer: &str) -> Result<Value, JsonError> {
        self.caught.pick(pointer)
    }

    /// The response time.
    pub fn elapsed(&self) -> Duration {
        self.caught.elapsed()
    }

    /// From `send()` to the head of this response.
    pub fn time_to_first_byte(&self) -> Duration {
        self.caught.time_to_first_byte()
    }

    /// The request was a success: [`Judged::success`](crate::client::Judged::success).
    #[must_use = "end the task with it: `return page.success();`. To continue, write `page.mark_success();`"]
    pub fn success(&self) -> TaskResult {
        self.caught.success()
    }

    /// The request was a failure: [`Judged::failure`](crate::client::Judged::failure).
    #[must_use = "end the task with it: `return page.failure(\"…\");`. To continue, write `page.mark_failure(\"…\");`"]
    pub fn failure(&self, error: impl fmt::Display) -> TaskResult {
        self.caught.failure(error)
    }

    /// The request was a success, unless a later verdict says otherwise.
    pub fn mark_success(&self) {
        self.caught.mark_success();
    }

    /// The request was a failure with this text, unless a later verdict says otherwise.
    pub fn mark_failure(&self, error: impl fmt::Display) {
        self.caught.mark_failure(error);
    }

    /// Passes a value on, or makes an error the request's failure:
    /// [`Judged::require`](crate::client::Judged::require).
    ///
    /// # Errors
    ///
    /// The error's text, recorded as the request's failure.
    pub fn require<T, E: fmt::Display>(&self, result: Result<T, E>) -> Result<T, ResponseError> {
        self.caught.require(result)
    }

    /// Nothing if the request is a success, by the verdict or else by its status.
    ///
    /// # Errors
    ///
    /// The failure; it is recorded, and not counted again.
    pub fn error_for_status(&self) -> Result<(), ResponseError> {
        self.caught.error_for_status()
    }

    /// The name it is going to be recorded under.
    pub fn name(&self) -> &str {
        self.caught.name()
    }

    /// Records it under another name.
    pub fn set_name(&mut self, name: impl Into<String>) {
        self.caught.set_name(name);
    }

    /// What listeners know of it: the user's context and over it the request's.
    pub fn context_mut(&mut self) -> &mut RequestContext {
        self.caught.context_mut()
    }

    /// Records another response length, in bytes.
    pub fn set_response_length(&mut self, bytes: u64) {
        self.caught.set_response_length(bytes);
    }

    /// Records another response time.
    pub fn set_response_time(&mut self, response_time: Duration) {
        self.caught.set_response_time(response_time);
    }
}

impl fmt::Debug for RestResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.caught.fmt(f)
    }
}

/// The start of a text, on one line.
fn start(text: &str, characters: usize) -> String {
    let mut short: String = text
        .chars()
        .take(characters)
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        })
        .collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// A panic's message, on one line.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("Assertion failed");
    start(text, SHOWN_OF_BAD_JSON)
}

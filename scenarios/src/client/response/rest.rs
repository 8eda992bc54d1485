//! JSON APIs: Locust's `rest()`.

use std::any::Any;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::Value;

use super::CaughtResponse;
use super::json::without_mark;
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
    /// goes on.
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

impl Deref for RestResponse {
    type Target = CaughtResponse;

    fn deref(&self) -> &CaughtResponse {
        &self.caught
    }
}

impl DerefMut for RestResponse {
    fn deref_mut(&mut self) -> &mut CaughtResponse {
        &mut self.caught
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

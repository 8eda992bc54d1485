//! Responses whose verdict the scenario gives.

use std::fmt;
use std::ops::{AsyncFnOnce, Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Response;
use super::streamed::StreamedResponse;
use crate::client::pending::OwnSample;
use crate::client::request::RequestContext;
use crate::recorder::FailedResponse;
use crate::task::{ResponseError, TaskResult};

/// A caught response: [`Request::catch`](crate::client::Request::catch).
pub type CaughtResponse = Judged<Response>;

/// A caught response whose body is left to be read.
pub type CaughtStreamedResponse = Judged<StreamedResponse>;

/// A response whose verdict the scenario gives. Whatever becomes of it, it is recorded exactly once:
///
/// - judged by [`success`](Self::success), [`failure`](Self::failure), [`mark_success`](Self::mark_success)
///   or [`mark_failure`](Self::mark_failure): by the last verdict, when it is dropped;
/// - dropped without a verdict: by the normal rule, its status. That holds also for a task that ends
///   with `?` meanwhile; the error propagates. (Locust records nothing then. The target has seen the request,
///   so here it counts.)
/// - within [`judge`](Self::judge) and [`judge_async`](Self::judge_async) an error can be the verdict.
pub struct Judged<R: Answered> {
    response: R,
    sample: OwnSample,
    /// Behind a lock, so that a verdict can name the response it is about: `page.failure(format!("… {}",
    /// page.url()))`.
    verdict: Mutex<Verdict>,
}

enum Verdict {
    Undecided,
    Success,
    Failure(String),
}

/// A response that can be judged.
pub trait Answered: private::Sealed {}
impl Answered for Response {}
impl Answered for StreamedResponse {}

mod private {
    use super::{FailedResponse, Response, StreamedResponse};

    pub trait Sealed {
        fn head(&self) -> &Response;
        fn failed(&self) -> &dyn FailedResponse;
    }
    impl Sealed for Response {
        fn head(&self) -> &Response {
            self
        }
        fn failed(&self) -> &dyn FailedResponse {
            self
        }
    }
    impl Sealed for StreamedResponse {
        fn head(&self) -> &Response {
            StreamedResponse::head(self)
        }
        fn failed(&self) -> &dyn FailedResponse {
            self
        }
    }
}

impl<R: Answered> Judged<R> {
    pub(in crate::client) fn new(response: R, sample: OwnSample) -> Self {
        Self {
            response,
            sample,
            verdict: Mutex::new(Verdict::Undecided),
        }
    }

    /// The request was a success, whatever its status. Returns `Ok(())`, to end a task with; to continue, use
    /// [`mark_success`](Self::mark_success). A later verdict replaces it.
    #[must_use = "end the task with it: `return page.success();`. To continue, write `page.mark_success();`"]
    pub fn success(&self) -> TaskResult {
        self.mark_success();
        Ok(())
    }

    /// The request was a failure, recorded with this text. Returns `Ok(())`, to end a task with: the
    /// failure is counted, and it is not an error of the task. To continue, use
    /// [`mark_failure`](Self::mark_failure). A later verdict replaces it.
    ///
    /// ```
    /// # use greylag_scenarios::prelude::*;
    /// # async fn homepage(client: &mut Client) -> TaskResult {
    /// let page = client.get("/").catch().send().await?;
    /// if !page.text().contains("Welcome") {
    ///     return page.failure(format!("no welcome at {}", page.url()));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use = "end the task with it: `return page.failure(\"…\");`. To continue, write `page.mark_failure(\"…\");`"]
    pub fn failure(&self, error: impl fmt::Display) -> TaskResult {
        self.mark_failure(error);
        Ok(())
    }

    /// The request was a success, unless a later verdict says otherwise.
    pub fn mark_success(&self) {
        *self.verdict() = Verdict::Success;
    }

    /// The request was a failure with this text, unless a later verdict says otherwise.
    pub fn mark_failure(&self, error: impl fmt::Display) {
        // Before the lock is taken: showing the error may look at the response.
        let text = error.to_string();
        *self.verdict() = Verdict::Failure(text);
    }

    fn verdict(&self) -> MutexGuard<'_, Verdict> {
        // It is held for an assignment only, which leaves nothing half done.
        self.verdict.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes a value on, or makes an error the request's failure:
    /// `let products: Vec<Product> = page.require(page.json())?;`
    ///
    /// # Errors
    ///
    /// The error's text, recorded as the request's failure and therefore not counted again when `?` ends
    /// the task with it.
    pub fn require<T, E: fmt::Display>(&self, result: Result<T, E>) -> Result<T, ResponseError> {
        result.map_err(|error| {
            let text = error.to_string();
            self.mark_failure(&text);
            ResponseError::recorded(text)
        })
    }

    /// Lets `judge` look at the response: what it returns as a [`ResponseError`] is recorded as the
    /// request's failure, and the task continues.
    ///
    /// ```
    /// # use greylag_scenarios::prelude::*;
    /// # async fn homepage(client: &mut Client) -> TaskResult {
    /// client.get("/").catch().send().await?.judge(|page| {
    ///     if page.text().contains("sold out") {
    ///         return Err(ResponseError::new("sold out").into());
    ///     }
    ///     Ok(())
    /// })
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Any other error of `judge`; the request is recorded by the verdict it left, or else by the normal
    /// rule.
    pub fn judge(mut self, judge: impl FnOnce(&mut Self) -> TaskResult) -> TaskResult {
        let outcome = judge(&mut self);
        self.judged(outcome)
    }

    /// [`judge`](Self::judge) for code that awaits: `.judge_async(async |page| { … })`.
    ///
    /// # Errors
    ///
    /// As for [`judge`](Self::judge).
    pub async fn judge_async(
        mut self,
        judge: impl AsyncFnOnce(&mut Self) -> TaskResult,
    ) -> TaskResult {
        let outcome = judge(&mut self).await;
        self.judged(outcome)
    }

    fn judged(self, outcome: TaskResult) -> TaskResult {
        let Err(error) = outcome else {
            return Ok(());
        };
        let Some(reason) = error.downcast_ref::<ResponseError>() else {
            return Err(error);
        };
        // As in Locust an error is the verdict only where no other was given.
        if !self.is_judged() {
            self.mark_failure(reason);
        }
        Ok(())
    }

    pub(in crate::client) fn is_judged(&self) -> bool {
        !matches!(*self.verdict(), Verdict::Undecided)
    }

    /// Nothing if the request is a success, by the verdict or else by its status: Locust's
    /// `raise_for_status()`.
    ///
    /// # Errors
    ///
    /// The failure; it is recorded, and not counted again when `?` ends the task with it.
    pub fn error_for_status(&self) -> Result<(), ResponseError> {
        let failure = match &*self.verdict() {
            Verdict::Success => None,
            Verdict::Failure(text) => Some(text.clone()),
            Verdict::Undecided => self.failure_by_status(),
        };
        match failure {
            None => Ok(()),
            Some(text) => Err(ResponseError::recorded(text)),
        }
    }

    fn failure_by_status(&self) -> Option<String> {
        self.response.head().status_failure(&self.sample.name)
    }

    /// The name it is going to be recorded under.
    pub fn name(&self) -> &str {
        &self.sample.name
    }

    /// Records it under another name.
    pub fn set_name(&mut self, name: impl Into<String>) {
        self.sample.name = name.into();
    }

    /// What listeners know of it: the user's context and over it the request's.
    pub fn context_mut(&mut self) -> &mut RequestContext {
        &mut self.sample.context
    }

    /// Records another response length, in bytes.
    pub fn set_response_length(&mut self, bytes: u64) {
        self.sample.ended.response_length = bytes;
    }

    /// Records another response time, for example that until a stream's first event.
    pub fn set_response_time(&mut self, response_time: Duration) {
        self.sample.ended.response_time = response_time;
    }
}

/// A guard of the response, as a lock's guard is of its value: all that it adds is that it is recorded when dropped.
impl<R: Answered> Deref for Judged<R> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.response
    }
}

/// Reading a stream changes it.
impl DerefMut for CaughtStreamedResponse {
    fn deref_mut(&mut self) -> &mut StreamedResponse {
        &mut self.response
    }
}

impl<R: Answered> Drop for Judged<R> {
    fn drop(&mut self) {
        let failure = match std::mem::replace(&mut *self.verdict(), Verdict::Undecided) {
            Verdict::Success => None,
            Verdict::Failure(text) => Some(text),
            Verdict::Undecided => self.failure_by_status(),
        };
        self.sample
            .record(failure.as_deref(), Some(self.response.failed()));
    }
}

impl<R: Answered> fmt::Debug for Judged<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.response.head().fmt(f)
    }
}

/// `Ok(())` if a condition holds, else a [`ResponseError`] with this text: Python's `assert condition,
/// "text"` within [`Judged::judge`] and [`RestResponse::check`](crate::client::RestResponse::check).
///
/// # Errors
///
/// When the condition does not hold.
pub fn ensure(condition: bool, text: impl fmt::Display) -> Result<(), ResponseError> {
    if condition {
        Ok(())
    } else {
        Err(ResponseError::new(text.to_string()))
    }
}

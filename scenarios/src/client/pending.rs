//! Requests that are not recorded yet: under way, or waiting for the scenario's verdict. Each is recorded exactly once.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;

use super::request::RequestContext;
use super::target::Target;
use super::trace::RequestTrace;
use crate::events::Details;
use crate::recorder::{FailedRequest, FailedResponse, RequestSample};
use crate::run::UserContext;
use crate::task::OfTask;

/// A request under way. Dropping it undecided records a failure, so that no request the target
/// may have seen is ever missing from the counts.
pub(crate) struct Pending<'a> {
    user: &'a Arc<UserContext>,
    method: &'a str,
    name: &'a str,
    started_at: Instant,
    task: OfTask,
    target: &'a Target,
    trace: Option<RequestTrace>,
    user_context: &'a RequestContext,
    own_context: &'a RequestContext,
    open: bool,
}

/// What a request is known by before it is sent.
pub(crate) struct Begun<'a> {
    pub(crate) user: &'a Arc<UserContext>,
    pub(crate) method: &'a str,
    pub(crate) name: &'a str,
    pub(crate) started_at: Instant,
    pub(crate) task: OfTask,
    pub(crate) target: &'a Target,
    pub(crate) trace: Option<RequestTrace>,
    pub(crate) user_context: &'a RequestContext,
    pub(crate) own_context: &'a RequestContext,
}

/// What is known once a request has ended.
pub(crate) struct Ended {
    pub(crate) response_time: Duration,
    pub(crate) time_to_first_byte: Option<Duration>,
    pub(crate) response_length: u64,
    pub(crate) status: Option<StatusCode>,
}

impl<'a> Pending<'a> {
    pub(crate) fn new(begun: Begun<'a>) -> Self {
        let Begun {
            user,
            method,
            name,
            started_at,
            task,
            target,
            trace,
            user_context,
            own_context,
        } = begun;
        Self {
            user,
            method,
            name,
            started_at,
            task,
            target,
            trace,
            user_context,
            own_context,
            open: true,
        }
    }

    /// Records the sample, with the response if there is one.
    pub(crate) fn finish(
        mut self,
        ended: &Ended,
        error: Option<&str>,
        response: Option<&dyn FailedResponse>,
    ) {
        self.open = false;
        self.record(ended, error, response);
    }

    fn record(&self, ended: &Ended, error: Option<&str>, response: Option<&dyn FailedResponse>) {
        let url = Some(self.target.url.as_str());
        let Ended { response_time, .. } = *ended;
        let sample = RequestSample {
            time_to_first_byte: ended.time_to_first_byte,
            status: ended.status.map(|status| status.as_u16()),
            response_length: ended.response_length,
            error,
            from_intended_start: self.task.since_intended_start(response_time),
            user: Some(self.user.info.index),
            tags: self.task.tags,
            trace: self.trace,
            failed: error.map(|_| FailedRequest { url, response }),
            ..RequestSample::new(self.method, self.name, self.started_at, response_time)
        };
        let details = Details {
            url,
            status: ended.status,
            user_context: Some(self.user_context),
            own_context: Some(self.own_context),
        };
        self.user.record_with(&sample, details);
    }

    pub(crate) fn user(&self) -> &'a Arc<UserContext> {
        self.user
    }

    pub(crate) fn name(&self) -> &'a str {
        self.name
    }

    pub(crate) fn started_at(&self) -> Instant {
        self.started_at
    }

    /// Leaves the recording to a caught response.
    pub(crate) fn hand_over(mut self) {
        self.open = false;
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        let ended = Ended {
            response_time: self.started_at.elapsed(),
            time_to_first_byte: None,
            response_length: 0,
            status: None,
        };
        self.record(&ended, Some(self.user.abort_text()), None);
    }
}

/// A sample that no longer belongs to a request: it waits for a verdict and may be rewritten.
pub(crate) struct OwnSample {
    pub(crate) user: Arc<UserContext>,
    pub(crate) method: Cow<'static, str>,
    pub(crate) name: String,
    pub(crate) started_at: Instant,
    pub(crate) task: OfTask,
    pub(crate) target: Option<Arc<Target>>,
    pub(crate) trace: Option<RequestTrace>,
    /// What the user and the request say, the request's entries over the user's.
    pub(crate) context: RequestContext,
    pub(crate) ended: Ended,
}

impl OwnSample {
    /// Records it as it now is, with the response if there is one.
    pub(crate) fn record(&self, error: Option<&str>, response: Option<&dyn FailedResponse>) {
        let url = self.target.as_deref().map(|target| target.url.as_str());
        let response_time = self.ended.response_time;
        let sample = RequestSample {
            time_to_first_byte: self.ended.time_to_first_byte,
            status: self.ended.status.map(|status| status.as_u16()),
            response_length: self.ended.response_length,
            error,
            from_intended_start: self.task.since_intended_start(response_time),
            user: Some(self.user.info.index),
            tags: self.task.tags,
            trace: self.trace,
            failed: error.map(|_| FailedRequest { url, response }),
            ..RequestSample::new(&self.method, &self.name, self.started_at, response_time)
        };
        let details = Details {
            url,
            status: self.ended.status,
            user_context: None,
            own_context: Some(&self.context),
        };
        self.user.record_with(&sample, details);
    }
}

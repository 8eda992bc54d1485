//! A request that has ended, as listeners see it before it is recorded.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::StatusCode;

use super::Events;
use crate::client::{RequestContext, RequestTrace, Status};
use crate::engine::LogLimit;
use crate::place::panic_message;
use crate::recorder::RequestSample;
use crate::run::{Run, UserInfo};

/// Hears every sample, and may rename it.
pub(crate) type RequestListener = Arc<dyn Fn(&mut RequestEvent<'_>) + Send + Sync>;

/// What listeners know of a request beside its sample.
#[derive(Clone, Copy, Default)]
pub(crate) struct Details<'a> {
    /// The address of the first request.
    pub(crate) url: Option<&'a str>,
    /// The final response's; `None` without a response.
    pub(crate) status: Option<StatusCode>,
    /// What the user says about all of its requests.
    pub(crate) user_context: Option<&'a RequestContext>,
    /// What was said about this request.
    pub(crate) own_context: Option<&'a RequestContext>,
}

/// A request that has ended, before it is recorded: Locust's `request` event.
///
/// Listeners are called one after the other, by the user whose request it was and between two of its
/// requests: what they do takes the user's time.
pub struct RequestEvent<'a> {
    /// What is going to be recorded.
    pub sample: &'a RequestSample<'a>,
    /// Whose request it was.
    pub user: &'a UserInfo,
    run: &'a Run,
    details: Details<'a>,
    name: Option<String>,
}

impl RequestEvent<'_> {
    /// The HTTP method, or the type given to [`Client::measure`](crate::client::Client::measure).
    pub fn method(&self) -> &str {
        self.sample.method
    }

    /// The run it belongs to.
    pub fn run(&self) -> &Run {
        self.run
    }

    /// The name it is going to be recorded under.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(self.sample.name)
    }

    /// Records the request under this name.
    pub fn rename(&mut self, name: impl Into<String>) {
        self.name = Some(name.into());
    }

    /// The address of the request, of the first one if it was redirected; `None` for what was
    /// measured otherwise than by the client.
    pub fn url(&self) -> Option<&str> {
        self.details.url
    }

    /// The final response's status; `None` when there was no response.
    pub fn status(&self) -> Option<Status> {
        self.details.status.map(Status::from)
    }

    /// Why it counts as a failure; `None` for a success.
    pub fn error(&self) -> Option<&str> {
        self.sample.error
    }

    /// As it is going to be recorded.
    pub fn response_time(&self) -> Duration {
        self.sample.response_time
    }

    /// Bytes of the decoded body.
    pub fn response_length(&self) -> u64 {
        self.sample.response_length
    }

    /// The trace that it belongs to; `None` where requests are not traced (`trace_share`), and for what was measured otherwise than
    /// by the client.
    pub fn trace(&self) -> Option<RequestTrace> {
        self.sample.trace
    }

    /// When it began, by this machine's wall clock.
    pub fn start_time(&self) -> SystemTime {
        let ago = Instant::now().saturating_duration_since(self.sample.started_at);
        SystemTime::now()
            .checked_sub(ago)
            .unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// What the request, or else its user, says under this key.
    pub fn context(&self, key: &str) -> Option<&str> {
        [self.details.own_context, self.details.user_context]
            .into_iter()
            .flatten()
            .find_map(|context| context.get(key))
    }

    /// Everything that the user and the request say, the request's entries in place of the user's.
    pub fn contexts(&self) -> impl Iterator<Item = (&str, &str)> {
        let own = self.details.own_context;
        let shadowed = move |key: &str| own.is_some_and(|own| own.get(key).is_some());
        self.details
            .user_context
            .into_iter()
            .flat_map(|user| user.iter())
            .filter(move |(key, _)| !shadowed(key))
            .chain(own.into_iter().flat_map(|own| own.iter()))
    }
}

impl fmt::Debug for RequestEvent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestEvent")
            .field("sample", self.sample)
            .field("user", self.user)
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

impl Events {
    /// Calls the listeners of a request that has ended. Returns the name that one of them gave it. A listener that
    /// panics does not end the user, and the others are still called.
    #[cold]
    pub(crate) fn heard_request(
        &self,
        (run, log): (&Run, &LogLimit),
        sample: &RequestSample<'_>,
        user: &UserInfo,
        details: Details<'_>,
    ) -> Option<String> {
        let mut event = RequestEvent {
            sample,
            user,
            run,
            details,
            name: None,
        };
        for listener in &self.request {
            // A sample may be recorded while a panic unwinds already; a second one would end the process.
            let heard = catch_unwind(AssertUnwindSafe(|| listener(&mut event)));
            if let Err(panic) = heard {
                // Limited: a listener that panics may do so with every request.
                log.error("on_request", &panic_message(&*panic));
            }
        }
        event.name
    }
}

//! Where timings go: the sample of one request, and the trait it is handed to.

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, Instant};

use http::HeaderMap;

use crate::client::RequestTrace;
use crate::task::TagSet;

/// One timed request.
///
/// Everything is borrowed: a sample is made on the hot path and must not allocate. Copy what is kept.
#[derive(Debug, Clone, Copy)]
pub struct RequestSample<'a> {
    /// HTTP method of the first request, in capitals; for what was measured otherwise, the type it was
    /// given (`WS`).
    pub method: &'a str,
    /// The name the request is grouped under.
    pub name: &'a str,
    /// When `send()` was called.
    pub started_at: Instant,
    /// From `send()` until the whole body had been read and decoded, redirects included; for a
    /// request that failed in between, until the failure.
    pub response_time: Duration,
    /// From `send()` until the head of the final response, `None` when none came.
    pub time_to_first_byte: Option<Duration>,
    /// Status code of the final response, `None` when none came and for what is not HTTP.
    pub status: Option<u16>,
    /// Length of the decoded body of the final response in bytes; of a streamed one what its head
    /// says, 0 if nothing.
    pub response_length: u64,
    /// Why the request counts as a failure; `None` for a success.
    pub error: Option<&'a str>,
    /// The response time counted from the intended start, where the user is paced or an arrival rate sets
    /// the pace; never less than `response_time`.
    pub from_intended_start: Option<Duration>,
    /// Whether `response_time` is only that until the first byte (requests of goose's own client).
    pub first_byte_only: bool,
    /// Whose request it was: the user's number over the whole run.
    pub user: Option<u64>,
    /// Tags of the task that made it, of those that the run counts: see [`Scenario::counting_tags`](crate::Scenario::counting_tags).
    pub tags: TagSet,
    /// The trace that it belongs to; `None` where requests are not traced, and for what is not a request of this client.
    pub trace: Option<RequestTrace>,
    /// What is known of a failed request beside this; `None` for a success.
    pub failed: Option<FailedRequest<'a>>,
}

impl<'a> RequestSample<'a> {
    /// A success of which nothing else is known.
    pub fn new(
        method: &'a str,
        name: &'a str,
        started_at: Instant,
        response_time: Duration,
    ) -> Self {
        Self {
            method,
            name,
            started_at,
            response_time,
            time_to_first_byte: None,
            status: None,
            response_length: 0,
            error: None,
            from_intended_start: None,
            first_byte_only: false,
            user: None,
            tags: TagSet::NONE,
            trace: None,
            failed: None,
        }
    }
}

/// A request that failed, while it is recorded.
#[derive(Debug, Clone, Copy)]
pub struct FailedRequest<'a> {
    /// The address that was asked for, before any redirect; `None` for what is not HTTP.
    pub url: Option<&'a str>,
    /// What came back; `None` without a response, and for requests of goose's own client.
    pub response: Option<&'a dyn FailedResponse>,
}

/// The response of a request that failed. Nothing is read or copied unless it is asked for, because requests may fail as
/// often as they succeed.
pub trait FailedResponse: fmt::Debug {
    /// The headers.
    fn headers(&self) -> &HeaderMap;
    /// The start of the decoded body as text, at most about so many bytes of it; `None` where the body was not kept, or is
    /// left to be read.
    fn body_start(&self, bytes: usize) -> Option<Cow<'_, str>>;
    /// Length of the decoded body in bytes; of one that is left to be read what the head says, 0 if nothing.
    fn body_bytes(&self) -> u64;
}

/// What became of an iteration that an arrival rate asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// A user began it.
    InTime,
    /// A user began it, but later than intended, because all were busy.
    Late,
    /// No user began it: all were busy for too long.
    Skipped,
}

/// Something of the load generator's own that ran short. The run's results say so beside the numbers, so that
/// it is not mistaken for the target's doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GeneratorLimit<'a> {
    /// A request failed because no more files could be opened (EMFILE, ENFILE).
    FileDescriptors,
    /// A request failed because every local port was in use (EADDRNOTAVAIL).
    Ports,
    /// A request failed because this name did not resolve.
    NameResolution {
        /// The name.
        host: &'a str,
    },
    /// A task kept this process's other users waiting.
    BlockedLoop {
        /// User type and task.
        task: &'a str,
        /// For how long.
        held_up: Duration,
        /// Whether the same occurrence was reported before, when it had not lasted so long.
        again: bool,
    },
}

/// How the values of a custom metric add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// To a total.
    Counter,
    /// The last one counts, and the least and the greatest.
    Gauge,
    /// To a share: each is 0 or 1.
    Rate,
    /// To the statistics of all of them.
    Histogram,
}

/// A value of a custom metric.
#[derive(Debug, Clone, Copy)]
pub struct MetricValue<'a> {
    /// The metric's name, whatever the scenario wrote: neither checked nor bounded.
    pub name: &'a str,
    /// How its values add up.
    pub kind: MetricKind,
    /// Its unit, likewise; may be empty.
    pub unit: &'a str,
    /// The value in millionths of the unit; `None` for what is not a number, infinite or far too large.
    pub millionths: Option<i64>,
}

/// What a timing is given to. The worker's recorder implements it.
///
/// Called by the users themselves, from any thread of the runtime, once per event.
pub trait Recorder: Send + Sync + 'static {
    /// A request ended, well or badly. Called exactly once per request of a user.
    fn request(&self, sample: &RequestSample<'_>);
    /// A user begins; called before its `on_start`.
    fn user_started(&self);
    /// A user has ended; called after its `on_stop`, once for each `user_started`.
    fn user_stopped(&self);
    /// A task ended in an error that is not a failed request: an error by `?`, or a panic
    /// (`panicked: …`).
    fn task_error(&self, task: &str, error: &str);
    /// An iteration of an arrival rate began or was skipped.
    fn arrival(&self, _arrival: Arrival) {}
    /// The load generator itself ran short of something. Called once for each request or occurrence.
    fn generator_limit(&self, _limit: GeneratorLimit<'_>) {}
    /// A value of a custom metric.
    fn metric(&self, _value: &MetricValue<'_>) {}
    /// The scenario says that the test failed, for this reason. May be called often, also for the same one.
    fn fail_test(&self, _reason: &str) {}
    /// The scenario asks to stop the whole test, for this reason. May be called more than once; the first
    /// counts.
    fn stop_test(&self, _reason: &str) {}
    /// The scenario asks to finish the whole test before its time, for this reason. May be called more than once; the first
    /// counts.
    fn finish_test(&self, _reason: &str) {}
}

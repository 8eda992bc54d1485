//! Where timings go: the sample of one request, and the trait it is handed to.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::log_limit::LogLimit;
use crate::engine::stop::StopSignal;
use crate::events::Events;
use crate::run::{Run, UserInfo};

/// One timed request.
///
/// Everything is borrowed: a sample is made on the hot path and must not allocate. Copy what is kept.
#[derive(Debug, Clone, Copy)]
pub struct RequestSample<'a> {
    /// HTTP method of the first request, in capitals.
    pub method: &'a str,
    /// The name the request is grouped under: `name(…)`, or the path and query of the first request.
    pub name: &'a str,
    /// When `send()` was called.
    pub started_at: Instant,
    /// From `send()` until the whole body had been read and decoded, redirects included; for a
    /// request that failed in between, until the failure.
    pub response_time: Duration,
    /// From `send()` until the head of the final response, `None` when none came.
    pub time_to_first_byte: Option<Duration>,
    /// Length of the decoded body of the final response in bytes.
    pub response_length: u64,
    /// Why the request counts as a failure; `None` for a success.
    pub error: Option<&'a str>,
    /// The response time counted from the intended start, where the user is paced or an arrival rate sets
    /// the pace; never less than `response_time`.
    pub from_intended_start: Option<Duration>,
    /// Whether `response_time` is only that until the first byte (requests of goose's own client).
    pub first_byte_only: bool,
}

/// What became of an iteration that an arrival rate asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// A user began it.
    InTime,
    /// A user began it, but later than intended, because all were busy.
    Late,
    /// Nobody began it: all users were busy for too long.
    Skipped,
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
    /// The scenario asks to stop the whole test, for this reason. May be called more than once; the first
    /// counts.
    fn stop_test(&self, _reason: &str) {}
}

/// What all users of one process share in a run.
pub(crate) struct RunContext {
    pub(crate) recorder: Arc<dyn Recorder>,
    pub(crate) log: LogLimit,
    pub(crate) run: Arc<Run>,
    pub(crate) events: Arc<Events>,
}

/// What one user's life and its client share.
pub(crate) struct UserContext {
    pub(crate) run: Arc<RunContext>,
    pub(crate) stop: Arc<StopSignal>,
    pub(crate) info: UserInfo,
}

impl UserContext {
    /// Hands a sample to whoever listens, then records it.
    pub(crate) fn record(&self, sample: &RequestSample<'_>) {
        if self.run.events.request.is_empty() {
            return self.run.recorder.request(sample);
        }
        self.run.events.heard_request(sample, &self.info, |sample| {
            self.run.recorder.request(sample);
        });
    }
}

/// Error text of a request whose future was dropped by the user's own code (time-out, `select!`).
const GIVEN_UP: &str = "Aborted: the task gave up before the response was complete";
/// Error text of a request that the end of the run cut off.
const CUT_OFF: &str = "Aborted: the run ended before the response was complete";

/// A request under way. Dropping it undecided records a failure, so that no request the target
/// may have seen is ever missing from the counts.
pub(crate) struct Pending<'a> {
    context: &'a UserContext,
    method: &'a str,
    name: &'a str,
    started_at: Instant,
    /// How much later than intended the task began, for users with a pace.
    delay: Option<Duration>,
    open: bool,
}

impl<'a> Pending<'a> {
    pub(crate) fn new(
        context: &'a UserContext,
        method: &'a str,
        name: &'a str,
        started_at: Instant,
        delay: Option<Duration>,
    ) -> Self {
        Self {
            context,
            method,
            name,
            started_at,
            delay,
            open: true,
        }
    }

    /// Records the sample.
    pub(crate) fn finish(
        mut self,
        response_time: Duration,
        time_to_first_byte: Option<Duration>,
        response_length: u64,
        error: Option<&str>,
    ) {
        self.open = false;
        self.context.record(&RequestSample {
            method: self.method,
            name: self.name,
            started_at: self.started_at,
            response_time,
            time_to_first_byte,
            response_length,
            error,
            from_intended_start: self.delay.map(|delay| response_time + delay),
            first_byte_only: false,
        });
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
        let error = if self.context.stop.is_cutting_off() {
            CUT_OFF
        } else {
            GIVEN_UP
        };
        let response_time = self.started_at.elapsed();
        self.context.record(&RequestSample {
            method: self.method,
            name: self.name,
            started_at: self.started_at,
            response_time,
            time_to_first_byte: None,
            response_length: 0,
            error: Some(error),
            from_intended_start: self.delay.map(|delay| response_time + delay),
            first_byte_only: false,
        });
    }
}

//! Where timings go: the sample of one request, and the trait it is handed to.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;

use crate::client::{RequestContext, Target};
use crate::engine::LoopWatch;
use crate::engine::log_limit::LogLimit;
use crate::engine::stop::StopSignal;
use crate::events::{Events, heard};
use crate::run::{Run, RunSettings, UserInfo};

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
    /// Records what users are doing at the moment.
    pub(crate) watch: Option<Arc<LoopWatch>>,
}

/// What one user's life and its client share.
pub(crate) struct UserContext {
    pub(crate) run: Arc<RunContext>,
    pub(crate) stop: Arc<StopSignal>,
    pub(crate) info: UserInfo,
}

/// What listeners are told of a request beside its sample.
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

impl UserContext {
    /// A user that takes part in nothing.
    pub(crate) fn outside_a_run(settings: RunSettings, recorder: Arc<dyn Recorder>) -> Self {
        Self {
            run: Arc::new(RunContext {
                run: Arc::new(Run::new(settings, Arc::clone(&recorder))),
                recorder,
                log: LogLimit::new(),
                events: Arc::new(Events::default()),
                watch: None,
            }),
            stop: Arc::new(StopSignal::new(Duration::from_secs(1))),
            info: UserInfo {
                index: 0,
                user_type: "outside a run".into(),
            },
        }
    }

    /// Hands a sample to whoever listens, then records it.
    pub(crate) fn record(&self, sample: &RequestSample<'_>) {
        self.record_with(sample, Details::default());
    }

    /// The same, with more to tell the listeners.
    pub(crate) fn record_with(&self, sample: &RequestSample<'_>, details: Details<'_>) {
        if self.run.events.request.is_empty() {
            return self.run.recorder.request(sample);
        }
        heard(&self.run, sample, &self.info, details);
    }

    /// Error text of what was dropped undecided.
    pub(crate) fn abort_text(&self) -> &'static str {
        if self.stop.is_cutting_off() {
            CUT_OFF
        } else {
            GIVEN_UP
        }
    }
}

/// Error text of a request whose future was dropped by the user's own code (timeout, `select!`).
const GIVEN_UP: &str = "Aborted: the task gave up before the response was complete";
/// Error text of a request that the end of the run cut off.
const CUT_OFF: &str = "Aborted: the run ended before the response was complete";

/// A request under way. Dropping it undecided records a failure, so that no request the target
/// may have seen is ever missing from the counts.
pub(crate) struct Pending<'a> {
    user: &'a Arc<UserContext>,
    method: &'a str,
    name: &'a str,
    started_at: Instant,
    /// How much later than intended the task began, for users with a pace.
    delay: Option<Duration>,
    target: &'a Target,
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
    pub(crate) delay: Option<Duration>,
    pub(crate) target: &'a Target,
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
            delay,
            target,
            user_context,
            own_context,
        } = begun;
        Self {
            user,
            method,
            name,
            started_at,
            delay,
            target,
            user_context,
            own_context,
            open: true,
        }
    }

    /// Records the sample.
    pub(crate) fn finish(mut self, ended: &Ended, error: Option<&str>) {
        self.open = false;
        self.record(ended, error);
    }

    fn record(&self, ended: &Ended, error: Option<&str>) {
        let sample = RequestSample {
            method: self.method,
            name: self.name,
            started_at: self.started_at,
            response_time: ended.response_time,
            time_to_first_byte: ended.time_to_first_byte,
            response_length: ended.response_length,
            error,
            from_intended_start: self.delay.map(|delay| ended.response_time + delay),
            first_byte_only: false,
        };
        let details = Details {
            url: Some(self.target.url.as_str()),
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
        self.record(&ended, Some(self.user.abort_text()));
    }
}

/// A sample that belongs to nobody's request any more: it waits for a verdict and may be rewritten.
pub(crate) struct OwnSample {
    pub(crate) user: Arc<UserContext>,
    pub(crate) method: Cow<'static, str>,
    pub(crate) name: String,
    pub(crate) started_at: Instant,
    pub(crate) delay: Option<Duration>,
    pub(crate) target: Option<Arc<Target>>,
    /// What the user and the request say, the request's entries over the user's.
    pub(crate) context: RequestContext,
    pub(crate) ended: Ended,
}

impl OwnSample {
    /// Records it as it now is.
    pub(crate) fn record(&self, error: Option<&str>) {
        let response_time = self.ended.response_time;
        let sample = RequestSample {
            method: &self.method,
            name: &self.name,
            started_at: self.started_at,
            response_time,
            time_to_first_byte: self.ended.time_to_first_byte,
            response_length: self.ended.response_length,
            error,
            from_intended_start: self.delay.map(|delay| response_time + delay),
            first_byte_only: false,
        };
        let details = Details {
            url: self.target.as_deref().map(|target| target.url.as_str()),
            status: self.ended.status,
            user_context: None,
            own_context: Some(&self.context),
        };
        self.user.record_with(&sample, details);
    }
}

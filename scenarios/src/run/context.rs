//! What the users of a run share with the engine: where their timings go, what listens, and whether they are to stop.

use std::sync::Arc;
use std::time::Duration;

use super::{Run, RunSettings, UserInfo};
use crate::engine::{LogLimit, LoopWatch, StopSignal};
use crate::events::{Details, Events};
use crate::recorder::{Recorder, RequestSample};

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

    /// The same, with what listeners need to know beside it.
    pub(crate) fn record_with(&self, sample: &RequestSample<'_>, details: Details<'_>) {
        if self.run.events.request.is_empty() {
            return self.run.recorder.request(sample);
        }
        let run = &self.run;
        let renamed = run
            .events
            .heard_request((&run.run, &run.log), sample, &self.info, details);
        run.recorder.request(&RequestSample {
            name: renamed.as_deref().unwrap_or(sample.name),
            ..*sample
        });
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

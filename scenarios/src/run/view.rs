//! The run a scenario takes part in, as the scenario sees it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use url::Url;

use crate::client::Tracing;
use crate::options::{CustomOption, Options};
use crate::recorder::Recorder;
use crate::run::{SetUpData, SetUpDataError};
use crate::task::TestEnd;

/// What a run was started with.
#[derive(Clone, Default)]
pub struct RunSettings {
    /// Base URL of the target; `None` when every user type has its own.
    pub host: Option<Url>,
    /// This process among the workers of the run, from 0.
    pub worker: u32,
    /// Worker processes over the whole run.
    pub workers: u32,
    /// The most users the run was planned to have at once.
    pub users: u64,
    /// The scenario's own options, as texts, by name; those left out have their defaults.
    pub options: BTreeMap<String, String>,
    /// The share of requests that are marked as sampled in their `traceparent`, 0 to 1; `None` where requests carry none.
    pub trace_share: Option<f64>,
}

/// Shows which options were given, not their values: some may be secret. So is the password of the host.
impl fmt::Debug for RunSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.host.as_ref().map(without_password);
        f.debug_struct("RunSettings")
            .field("host", &host.as_ref().map(Url::as_str))
            .field("worker", &self.worker)
            .field("workers", &self.workers)
            .field("users", &self.users)
            .field("options", &self.options.keys())
            .field("trace_share", &self.trace_share)
            .finish()
    }
}

/// The URL with `***` in place of a password.
pub(crate) fn without_password(url: &Url) -> Url {
    let mut shown = url.clone();
    if shown.password().is_some() {
        // Fails only for URLs without a host, which have no password.
        let _ = shown.set_password(Some("***"));
    }
    shown
}

/// The run a scenario takes part in: `client.run()`, and what listeners to events are given.
pub struct Run {
    settings: RunSettings,
    options: Options,
    recorder: Arc<dyn Recorder>,
    /// Shared by all that stand for one run in a process.
    pub(crate) set_up: Arc<SetUpData>,
}

impl Run {
    /// A run of a scenario without options of its own.
    pub(crate) fn new(settings: RunSettings, recorder: Arc<dyn Recorder>) -> Self {
        Self::with_options(settings, &[], recorder)
    }

    pub(crate) fn with_options(
        settings: RunSettings,
        declared: &[CustomOption],
        recorder: Arc<dyn Recorder>,
    ) -> Self {
        Self {
            options: Options::new(declared, &settings.options),
            settings,
            recorder,
            set_up: Arc::default(),
        }
    }

    /// Base URL of the target; `None` when every user type has its own.
    pub fn host(&self) -> Option<&Url> {
        self.settings.host.as_ref()
    }

    /// This process among the workers of the run, from 0.
    pub fn worker(&self) -> u32 {
        self.settings.worker
    }

    /// Worker processes over the whole run, at least 1.
    pub fn workers(&self) -> u32 {
        self.settings.workers.max(1)
    }

    /// The most users the run was planned to have at once.
    pub fn users(&self) -> u64 {
        self.settings.users
    }

    /// What was given for the options that the scenario declares. Locust's `environment.parsed_options`.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// What the scenario's [`set_up`](crate::Scenario::set_up) returned, the same on every worker: there when users
    /// start.
    ///
    /// # Errors
    /// The scenario has no `set_up`, it has not run yet, or it returns another type.
    pub fn set_up_data<T: Send + Sync + 'static>(&self) -> Result<Arc<T>, SetUpDataError> {
        self.set_up.get()
    }

    pub(crate) fn tracing(&self) -> Option<Tracing> {
        Tracing::of(self.settings.trace_share)
    }

    pub(crate) fn recorder(&self) -> &Arc<dyn Recorder> {
        &self.recorder
    }

    /// Says that the test failed, whatever its thresholds say: its verdict is then failed, with this reason. The run goes on. May be
    /// called from any user and handler, as often as it is true; up to ten reasons of each worker are kept apart.
    ///
    /// ```
    /// # use greylag_scenarios::Run;
    /// # fn check(run: &Run, stock: i64) {
    /// if stock < 0 {
    ///     run.fail("sold more than there was");
    /// }
    /// # }
    /// ```
    pub fn fail(&self, reason: &str) {
        self.recorder.fail_test(reason);
    }

    /// Stops the whole test, on every worker, for this reason: the run is then Failed.
    pub fn stop_test(&self, reason: &str) {
        self.recorder.stop_test(reason);
    }

    /// Finishes the whole test before its time, on every worker, for this reason: the run is then Finished. Its users go on until
    /// the end has reached all agents, which takes about two seconds.
    pub fn finish_test(&self, reason: &str) {
        self.recorder.finish_test(reason);
    }

    pub(crate) fn end_test(&self, end: &TestEnd) {
        match end {
            TestEnd::Stop(reason) => self.stop_test(reason),
            TestEnd::Finish(reason) => self.finish_test(reason),
        }
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("settings", &self.settings)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// Who a user is among all users of the run: `client.user()`.
#[derive(Debug, Clone)]
pub struct UserInfo {
    /// The user's number over the whole run and all workers, from 0. No two users that are active at the
    /// same time have the same.
    pub index: u64,
    /// The name of its user type.
    pub user_type: Arc<str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_of_the_host_is_not_shown() {
        let settings = RunSettings {
            host: Some("http://ada:hunter2@shop.test/".parse().unwrap()),
            ..RunSettings::default()
        };
        let shown = format!("{settings:?}");
        assert!(shown.contains("http://ada:***@shop.test/"), "{shown}");
    }
}

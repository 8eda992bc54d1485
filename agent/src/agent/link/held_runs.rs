//! The runs that an agent has a part in, as its connection reports them to the coordinator.

use std::time::Instant;

use greylag_infra::protocol::HeldRun;
use greylag_infra::{RunId, RunTime, micros};
use tokio::sync::watch;

/// A run that the agent holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) run_id: RunId,
    /// Run time zero, once the run has started.
    pub(crate) run_zero: Option<Instant>,
    /// Since when the oldest results have been waiting for their acknowledgement.
    pub(crate) unacknowledged_since: Option<Instant>,
    /// Bytes of the run's shipped build that are here, while it is fetched.
    pub(crate) fetched_bytes: Option<u64>,
    /// Why the scenario asks to finish the run before its time, if it does.
    pub(crate) finish_asked: Option<String>,
}

/// What the owner published last.
#[derive(Debug, Clone)]
pub(crate) struct HeldRuns(pub(crate) watch::Receiver<Vec<Held>>);

impl HeldRuns {
    /// Their identifiers.
    pub(crate) fn ids(&self) -> Vec<RunId> {
        let held = self.0.borrow();
        held.iter().map(|held| held.run_id.clone()).collect()
    }

    /// Their state now.
    pub(crate) fn at(&self, now: Instant) -> Vec<HeldRun> {
        let since = |then| micros(now.saturating_duration_since(then));
        let held = self.0.borrow();
        held.iter()
            .map(|held| HeldRun {
                run_id: held.run_id.clone(),
                run_time: held.run_zero.map(since).map(RunTime::from_micros),
                unacknowledged_us: held.unacknowledged_since.map_or(0, since),
                fetched_bytes: held.fetched_bytes,
                finish_asked: held.finish_asked.clone(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn runs_are_reported_as_they_are_at_that_moment() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let held = |run_id: &str, run_zero, unacknowledged_since| Held {
            run_id: run_id.into(),
            run_zero,
            unacknowledged_since,
            fetched_bytes: None,
            finish_asked: None,
        };
        let (_sender, receiver) = watch::channel(vec![
            held("waiting", None, None),
            held("going", Some(start), Some(start + second)),
            held("about to start", Some(start + 10 * second), None),
        ]);
        let runs = HeldRuns(receiver);
        assert_eq!(runs.ids(), ["waiting", "going", "about to start"]);
        let said: Vec<_> = runs
            .at(start + 3 * second)
            .into_iter()
            .map(|run| (run.run_time.map(RunTime::as_micros), run.unacknowledged_us))
            .collect();
        assert_eq!(
            said,
            [(None, 0), (Some(3_000_000), 2_000_000), (Some(0), 0)]
        );
    }
}

//! What a part of a run reports to the coordinator, and how complete it is.

use std::sync::atomic::Ordering;
use std::time::Duration;

use greylag_infra::RunId;
use greylag_infra::protocol::WorkerState;

use super::{AgentRun, Now, Phase, WorkerHandle};
use crate::agent::link::Held;

impl<W: WorkerHandle> AgentRun<W> {
    /// Makes a snapshot of the seconds that are over, or of everything at the end.
    pub(super) fn snapshot(&mut self, now: Now) {
        if self.workers_changed && self.phase != Phase::Over {
            self.report_workers();
        }
        let goes_on = self.run_zero.is_some() && self.phase != Phase::Over;
        let this_second = u32::try_from(self.run_time(now).as_secs()).unwrap_or(u32::MAX);
        self.outbox
            .cut(goes_on.then_some(this_second), self.reported_until());
    }

    /// Up to which second of run time all workers have reported everything. One that was lost never will; where the part
    /// goes on, that is known of it.
    pub(super) fn reported_until(&self) -> u32 {
        let until_of = |ended: bool| {
            let workers = self.workers.values();
            workers
                .filter(move |worker| (worker.ended || worker.lost) == ended)
                .map(|worker| worker.reported_until)
        };
        let latest = || until_of(true).max().unwrap_or(0);
        until_of(false).min().unwrap_or_else(latest)
    }

    pub(super) fn report_workers(&mut self) {
        self.workers_changed = false;
        let states = self
            .workers
            .iter()
            .map(|(index, worker)| WorkerState {
                index: *index,
                pid: worker.pid,
                users: worker.started.saturating_sub(worker.stopped),
                running: worker.handle.is_some(),
            })
            .collect();
        self.outbox.set_workers(states);
    }

    /// How the part stands, for the coordinator.
    pub(crate) fn held(&self, run_id: &RunId) -> Held {
        // On a slow link most of what waits is not in a snapshot yet.
        let pending = self.outbox.oldest_pending_second();
        let pending_since = self.run_zero.zip(pending).and_then(|(run_zero, second)| {
            run_zero.checked_add(Duration::from_secs(u64::from(second) + 1))
        });
        let since = [self.outbox.unacknowledged_since(), pending_since];
        Held {
            run_id: run_id.clone(),
            run_zero: self.run_zero,
            unacknowledged_since: since.into_iter().flatten().min(),
            finish_asked: self.finish_asked.clone(),
            fetched_bytes: (self.phase == Phase::Fetching)
                .then(|| self.fetched.load(Ordering::Relaxed)),
        }
    }
}

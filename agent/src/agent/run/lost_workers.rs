//! Workers that end early: the part fails with them, or goes on with the others where the test says so.

use greylag_infra::{FailureReason, LostWorker, WorkerFailure};

use super::{AgentRun, Now, Phase, WorkerHandle};
use crate::worker_protocol::ToWorker;

impl<W: WorkerHandle> AgentRun<W> {
    /// Whether the part can go on without this worker, which fails so: load is generated, and another worker is left.
    pub(super) fn goes_on_without(&self, index: u32, failure: &WorkerFailure) -> bool {
        let mut workers = self.workers.iter();
        self.may_lose_workers
            && failure.is_loss()
            && self.failure.is_none()
            && self.run_zero.is_some()
            && !self.stopped_early
            && self.phase != Phase::Over
            && workers.any(|(other, worker)| *other != index && !worker.lost)
    }

    /// A worker ends early, and the part goes on without it: it has as long as at the end of the load.
    pub(super) fn let_worker_end(&mut self, index: u32, failure: WorkerFailure, now: Now) {
        let kill_at = now.instant + self.stop_timeout + self.kill_after;
        let Some(worker) = self.workers.get_mut(&index) else {
            return;
        };
        if worker.failing.is_none() {
            worker.failing = Some(failure);
            worker.kill_at = Some(kill_at);
            worker.send(|| ToWorker::Stop);
        }
    }

    /// Kills the workers that were to end early and hang. The results of the others do not wait for theirs.
    pub(super) fn kill_hung_workers(&mut self, now: Now) {
        for worker in self.workers.values_mut() {
            let is_due = worker.kill_at.is_some_and(|at| now.instant >= at);
            if !is_due || worker.ended {
                continue;
            }
            worker.kill_at = None;
            worker.lost = true;
            if let Some(handle) = &worker.handle {
                handle.kill();
            }
        }
    }

    /// Goes on without a worker that failed so.
    pub(super) fn lose_worker(&mut self, lost: LostWorker, now: Now) {
        let index = lost.worker;
        if let Some(worker) = self.workers.get_mut(&index) {
            worker.lost = true;
        }
        let reason = FailureReason::Worker {
            agent: self.agent.clone(),
            worker: index,
            failure: WorkerFailure::Exited {
                how: lost.how.clone(),
            },
        };
        self.note(now, format!("{reason}; going on without it"));
        self.lost_workers.push(lost);
        self.outbox.set_lost_workers(self.lost_workers.clone());
        self.snapshot(now);
    }

    /// There is a new connection to the coordinator, which may be another process than before.
    pub(crate) fn reconnected(&mut self) {
        self.outbox.reconnected();
        let are_known_by_the_end = self.phase == Phase::Over || !self.may_lose_workers;
        if !are_known_by_the_end && !self.lost_workers.is_empty() {
            self.outbox.set_lost_workers(self.lost_workers.clone());
        }
    }
}

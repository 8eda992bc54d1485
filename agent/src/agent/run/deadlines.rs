//! What happens to a part of a run as time passes.

use std::time::Duration;

use greylag_infra::{FailureReason, WorkerFailure};
use greylag_scenarios::WORKER_GRACE;

use super::{AgentRun, Now, Phase, SNAPSHOT_EVERY, WorkerHandle};
use crate::worker_protocol::ToWorker;

/// How often workers are sent a sign of life.
const ALIVE_EVERY: Duration = Duration::from_secs(1);

impl<W: WorkerHandle> AgentRun<W> {
    /// Sends the workers a sign of life from time to time; they end by themselves when they receive nothing for `lease`.
    pub(crate) fn keep_alive(&mut self, lease: Duration, now: Now) {
        if self.phase == Phase::Over || now.instant < self.next_alive {
            return;
        }
        self.next_alive = now.instant + ALIVE_EVERY;
        let lease_ms = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
        for worker in self.workers.values() {
            worker.send(|| ToWorker::Alive { lease_ms });
        }
    }

    /// Looks at deadlines and makes the snapshot that is due.
    pub(crate) fn tick(&mut self, now: Now) {
        self.kill_hung_workers(now);
        match self.phase {
            Phase::Preparing { until } if now.instant >= until => {
                let late = self.workers.iter().filter(|(_, worker)| !worker.ready);
                let reason = FailureReason::WorkersNotReady {
                    agent: self.agent.clone(),
                    workers: late.map(|(index, _)| *index).collect(),
                    within_s: self.prepare_timeout.as_secs(),
                };
                self.fail(reason, now);
                self.kill();
            }
            Phase::Driving => self.watch_planned_end(now),
            Phase::Stopping { kill_at } if now.instant >= kill_at => self.kill_late_workers(now),
            _ => {}
        }
        if now.instant >= self.next_snapshot {
            // From run time zero on, so that a snapshot holds whole seconds.
            while self.next_snapshot <= now.instant {
                self.next_snapshot += SNAPSHOT_EVERY;
            }
            self.snapshot(now);
        } else if self.phase == Phase::Over {
            self.snapshot(now);
        }
    }

    /// The workers end by themselves at the planned end; from then on the deadline runs.
    fn watch_planned_end(&mut self, now: Now) {
        let Some(run_zero) = self.run_zero else {
            return;
        };
        // A checked profile ends within days.
        let planned_end = run_zero + self.profile.ends_at.since_zero();
        if now.instant < planned_end {
            return;
        }
        // Of an end that was not known here when it came the workers hear only now.
        let known_end = planned_end.max(self.profile_since.unwrap_or(planned_end));
        self.phase = Phase::Stopping {
            kill_at: known_end + self.stop_timeout + self.kill_after,
        };
        self.note(now, "Duration reached, stopping users".to_owned());
    }

    fn kill_late_workers(&mut self, now: Now) {
        let late: Vec<u32> = self
            .workers
            .iter()
            .filter(|(_, worker)| {
                let is_known_to_fail = worker.failing.is_some();
                worker.handle.is_some() && !worker.ended && !is_known_to_fail
            })
            .map(|(index, _)| *index)
            .collect();
        for index in late {
            let failure = WorkerFailure::Killed {
                after_s: self.kill_after.as_secs(),
                stop_timeout_s: self.stop_timeout.as_secs(),
            };
            self.on_failing(index, failure, now);
        }
        self.kill();
        self.phase = Phase::Stopping {
            kill_at: now.instant + WORKER_GRACE,
        };
    }
}

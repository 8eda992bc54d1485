//! How the workers of a part of a run, and the agent itself, fare in each second.

use greylag_infra::ProcessHealth;

use super::{AgentRun, Now, Phase, WorkerHandle};

impl<W: WorkerHandle> AgentRun<W> {
    /// Adds how a process fared to the results; the first second in which a worker was saturated is a line of the log, too.
    pub(super) fn add_health(&mut self, health: &ProcessHealth, now: Now) {
        self.outbox.add_health(health);
        if let Some(saturation) = health.saturation()
            && let Some(worker) = health.worker
            && !std::mem::replace(&mut self.was_saturated, true)
        {
            let second = health.second;
            self.note(
                now,
                format!(
                    "Warning: in second {second} worker {worker} {saturation}, so response times include the generator's own delay; the run's page marks such seconds"
                ),
            );
        }
    }

    /// Whether the agent itself is to be measured now: a second of run time has ended.
    pub(crate) fn is_to_be_measured(&self, now: Now) -> bool {
        matches!(self.phase, Phase::Driving | Phase::Stopping { .. })
            && self.run_time(now).as_secs() > u64::from(self.measured)
    }

    /// Adds what the agent itself used since it was last asked, up to the second that has ended.
    pub(crate) fn add_own_health(&mut self, used: &ProcessHealth, now: Now) {
        let until = u32::try_from(self.run_time(now).as_secs()).unwrap_or(u32::MAX);
        let from = std::mem::replace(&mut self.measured, until);
        // After a sleep of the machine there is one of the last second, which says what was used in all of them.
        let first = from.max(until.saturating_sub(1));
        for second in first..until {
            let health = ProcessHealth {
                second,
                worker: None,
                ..*used
            };
            self.outbox.add_health(&health);
        }
    }
}

//! Where run time zero is on the coordinator's clock after a restart.
//!
//! A coordinator's clock is the wall clock as it was at its start, so that of the next one may be anywhere: the
//! wall clock was set, or the coordinator moved to another machine. Agents carry run time on by clocks that no
//! such step moves, and the first one that is heard says where the run stands. Until then the run is at least
//! where its saved results end, and it gets as long as it may still need from there.

use super::catching_up::MAX_CATCH_UP_US;
use super::{END_GRACE_US, RunEffect, RunLifecycle};
use crate::base::AgentId;
use crate::run::RunPhase;

/// Run time zero is left alone when it is off by less than this, in µs: agents know it only as well as their
/// connections are fast.
const TOLERATED_US: u64 = 500_000;

impl RunLifecycle {
    /// Moves run time zero if the clock says that less time has gone by than results are saved of.
    pub(super) fn guess_run_zero(&mut self, saved_us: u64, now_us: u64) -> Vec<RunEffect> {
        match self.record.started_at_us {
            Some(started) if started.saturating_add(saved_us) > now_us => {
                self.record.started_at_us = Some(now_us.saturating_sub(saved_us));
                vec![RunEffect::Save]
            }
            _ => Vec::new(),
        }
    }

    /// When a run must be over that is at least at this run time.
    pub(super) fn deadline_after(&self, saved_us: u64, now_us: u64) -> u64 {
        let left = self.planned_end_us().saturating_sub(saved_us);
        now_us + (left + END_GRACE_US).max(self.lease_us)
    }

    /// An agent was heard; the first that is after a restart knows what the run time is.
    pub(super) fn agent_heard(
        &mut self,
        agent_id: &AgentId,
        run_time_us: Option<u64>,
        now_us: u64,
    ) -> Vec<RunEffect> {
        let (Some(run_time_us), Some(started)) = (run_time_us, self.record.started_at_us) else {
            return Vec::new();
        };
        if self.knows_run_zero
            || !self.presence.contains_key(agent_id)
            || run_time_us > self.longest_run_time_us()
        {
            return Vec::new();
        }
        self.knows_run_zero = true;
        let run_zero = now_us.saturating_sub(run_time_us);
        let mut effects = Vec::new();
        if run_zero.abs_diff(started) > TOLERATED_US {
            self.record.started_at_us = Some(run_zero);
            effects.push(RunEffect::Log(
                "the coordinator's clock was changed while it was down; this run's times follow its agents' clocks"
                    .to_owned(),
            ));
            effects.push(RunEffect::Save);
        }
        if self.record.phase == RunPhase::Running {
            self.set_deadline(self.running_deadline().max(now_us + self.lease_us));
        }
        effects
    }

    /// No agent holds a run for longer than it may last: a greater run time is not believed.
    fn longest_run_time_us(&self) -> u64 {
        self.planned_end_us()
            .saturating_add(self.lease_us)
            .saturating_add(MAX_CATCH_UP_US)
    }
}

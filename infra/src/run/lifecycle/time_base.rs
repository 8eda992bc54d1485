//! Where run time zero is on the coordinator's clock after a restart.
//!
//! A coordinator's clock is the wall clock as it was at its start, so that of the next one may be anywhere: the
//! wall clock was set, or the coordinator moved to another machine. Agents carry run time on by clocks that no
//! such step moves, and the first one that is heard says where the run stands. Until then the run is at least
//! where its saved results end, and it gets as long as it may still need from there.

use std::time::Duration;

use super::catching_up::MAX_CATCH_UP;
use super::{END_GRACE, RunEffect, RunLifecycle};
use crate::base::{AgentId, RunTime, WallTime};
use crate::run::RunPhase;

/// Run time zero is left alone when it is off by less than this: agents know it only as well as their
/// connections are fast.
const TOLERATED: Duration = Duration::from_millis(500);

impl RunLifecycle {
    /// Moves run time zero if the clock says that less time has gone by than results are saved of.
    pub(super) fn guess_run_zero(&mut self, saved: RunTime, now: WallTime) -> Vec<RunEffect> {
        match self.record.started_at {
            Some(started) if started + saved > now => {
                self.record.started_at = Some(now - saved);
                vec![RunEffect::Save]
            }
            _ => Vec::new(),
        }
    }

    /// When a run must be over that is at least at this run time.
    pub(super) fn deadline_after(&self, saved: RunTime, now: WallTime) -> WallTime {
        let left = self.planned_end() - saved;
        now + (left + END_GRACE).max(self.lease)
    }

    /// An agent was heard; the first that is after a restart knows what the run time is.
    pub(super) fn agent_heard(
        &mut self,
        agent_id: &AgentId,
        run_time: Option<RunTime>,
        now: WallTime,
    ) -> Vec<RunEffect> {
        let (Some(run_time), Some(started)) = (run_time, self.record.started_at) else {
            return Vec::new();
        };
        if self.knows_run_zero
            || !self.presence.contains_key(agent_id)
            || run_time > self.longest_run_time()
        {
            return Vec::new();
        }
        self.knows_run_zero = true;
        let run_zero = now - run_time;
        let mut effects = Vec::new();
        if run_zero.abs_diff(started) > TOLERATED {
            self.record.started_at = Some(run_zero);
            effects.push(RunEffect::Log(
                "the coordinator's clock was changed while it was down; this run's times follow its agents' clocks"
                    .to_owned(),
            ));
            effects.push(RunEffect::Save);
        }
        if self.record.phase == RunPhase::Running {
            self.set_deadline(self.running_deadline().max(now + self.lease));
        }
        effects
    }

    /// No agent holds a run for longer than it may last: a greater run time is not believed.
    fn longest_run_time(&self) -> RunTime {
        self.planned_end() + self.lease + MAX_CATCH_UP
    }
}

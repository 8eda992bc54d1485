//! A run that goes on without what it loses: an agent that is silent for too long, was shut down or ended, and workers
//! that died. It has to be Running: before the start the load can be had whole by starting again, so such a run fails as any
//! other does. When no agent is left it fails, with the reason of the last one.
//!
//! Users of what was lost are not moved: slots belong to workers, and every other worker goes on exactly as planned.

use super::{Presence, RunEffect, RunLifecycle};
use crate::base::{AgentId, RunTime, WallTime};
use crate::protocol::{FailureReason, LostWorker};
use crate::run::{GapCause, Loss, RunPhase};

impl RunLifecycle {
    /// An agent is gone with what it has not handed over. `seen` is until when it was there, if that is known.
    pub(super) fn lose(
        &mut self,
        agent_id: &AgentId,
        cause: GapCause,
        reason: FailureReason,
        seen: Option<WallTime>,
        now: WallTime,
    ) -> Vec<RunEffect> {
        let mut effects = self.give_up(agent_id, cause);
        let since = self.saved_until(agent_id);
        let seen = seen.map_or(since, |seen| self.record.run_time(seen));
        let load_until = self.load_until(agent_id, seen);
        effects.extend(self.go_on_or_fail(agent_id, since, load_until, reason, now));
        effects
    }

    /// Until when an agent was there; none if that is not known of a run that was found by a coordinator that was restarted.
    pub(super) fn seen_until(&self, agent_id: &AgentId, now: WallTime) -> Option<WallTime> {
        let seen = match self.presence.get(agent_id)? {
            Presence::Absent { since, .. } => *since,
            _ => now,
        };
        (self.knows_run_zero && Some(seen) != self.recovered_at).then_some(seen)
    }

    /// An agent stops its load early, or has done so.
    pub(super) fn agent_failing(
        &mut self,
        agent_id: &AgentId,
        reason: FailureReason,
        now: WallTime,
    ) -> Vec<RunEffect> {
        // Of one that has ended this is known better.
        let ended_at = self
            .agent(agent_id)
            .and_then(|agent| Some(agent.end.as_ref()?.ended_at));
        let since = ended_at.unwrap_or_else(|| self.record.run_time(now));
        // Otherwise it may have stopped long before it could say so.
        let load_until = match ended_at {
            Some(ended_at) => self.load_until(agent_id, ended_at),
            None => since.min(self.saved_until(agent_id)),
        };
        self.go_on_or_fail(agent_id, since, load_until, reason, now)
    }

    /// An agent goes on without some of its workers.
    pub(super) fn workers_lost(
        &mut self,
        agent_id: &AgentId,
        workers: &[LostWorker],
    ) -> Vec<RunEffect> {
        let Some(agent) = self
            .positions
            .get(agent_id)
            .map(|&at| &self.record.agents[at])
        else {
            return Vec::new();
        };
        if !self.record.goes_on_without_lost() {
            return Vec::new();
        }
        let before = self.record.completeness.clone();
        let load_until = Some(self.record.profile.ends_at);
        let new = (self.record.completeness).take_lost_workers(agent, workers, load_until);
        let mut effects: Vec<RunEffect> = new.iter().map(|loss| self.log_of(loss)).collect();
        if self.record.completeness != before {
            effects.push(RunEffect::Save);
        }
        effects
    }

    /// At the deadline of a run that goes on without what it loses: those whose end has not come count as lost. One that
    /// is there and had all of its load is not: its users did not end in time, which fails the run as any other.
    pub(super) fn leave_late_agents_behind(&mut self, now: WallTime) -> Vec<RunEffect> {
        if !self.record.goes_on_without_lost() {
            return Vec::new();
        }
        let mut effects = Vec::new();
        for agent_id in self.waited_for() {
            let is_absent = matches!(self.presence.get(&agent_id), Some(Presence::Absent { .. }));
            if !is_absent && self.had_all_its_load(&agent_id) {
                continue;
            }
            let reason = FailureReason::AgentsDidNotEnd {
                agents: vec![self.name_of(&agent_id)],
            };
            let seen = self.seen_until(&agent_id, now);
            effects.extend(self.lose(&agent_id, GapCause::AgentLost, reason, seen, now));
        }
        effects
    }

    /// What was lost of the load is kept, and the others go on; or else the run fails for this reason, and its load was whole until
    /// `load_until`.
    fn go_on_or_fail(
        &mut self,
        agent_id: &AgentId,
        since: RunTime,
        load_until: RunTime,
        reason: FailureReason,
        now: WallTime,
    ) -> Vec<RunEffect> {
        if !reason.is_loss() || !self.record.goes_on_without_lost() {
            return self.fail_after(load_until, reason, now);
        }
        let loss = Loss::of_agent(&self.name_of(agent_id), since.second(), reason.clone());
        let is_of_load = since < self.record.profile.ends_at;
        let is_new = is_of_load && self.record.completeness.coverage.add(loss.clone());
        if !self.is_any_left() {
            return self.fail_after(load_until, reason, now);
        }
        match is_new {
            true => vec![self.log_of(&loss), RunEffect::Save],
            false => Vec::new(),
        }
    }

    /// Whether the test says that agents may be lost, and the load has not begun.
    pub(super) fn may_lose_agents_later(&self) -> bool {
        self.record.test.fleet.on_lost_agent.continues() && self.record.phase == RunPhase::Preparing
    }

    /// Until when an agent that was there until `seen` had its load for sure.
    fn load_until(&self, agent_id: &AgentId, seen: RunTime) -> RunTime {
        match seen >= self.record.profile.ends_at {
            // It had all of it, however much it has delivered.
            true => seen,
            // It says that it stops its load, or is missed, some time after it has done so.
            false => seen.min(self.saved_until(agent_id)),
        }
    }

    fn saved_until(&self, agent_id: &AgentId) -> RunTime {
        let saved_until = self.agent(agent_id).map_or(0, |agent| agent.saved_until);
        RunTime::of_second(saved_until)
    }

    /// Whether the results of an agent go on to the end of the load.
    fn had_all_its_load(&self, agent_id: &AgentId) -> bool {
        self.saved_until(agent_id) >= self.record.profile.ends_at
    }

    /// Whether any agent was not lost.
    fn is_any_left(&self) -> bool {
        let coverage = self.record.coverage();
        let mut agents = self.record.agents.iter();
        agents.any(|agent| {
            self.presence.get(&agent.id) != Some(&Presence::GivenUp)
                && !coverage.has_lost_agent(&agent.name)
        })
    }

    fn log_of(&self, loss: &Loss) -> RunEffect {
        let losses = self.record.losses();
        let users = losses.iter().find(|(known, _)| *known == loss);
        let users = users.map(|(_, users)| *users).unwrap_or_default();
        let started_at = self.record.started_at.unwrap_or_default();
        let message = loss.message(users, started_at);
        RunEffect::Log(format!("going on with the others: {message}"))
    }
}

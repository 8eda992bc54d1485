//! A run before it has agents: it waits for its turn, then for enough agents, and begins with those that were chosen.

use std::time::Duration;

use super::{RunEffect, RunLifecycle, positions_of};
use crate::base::{StartTerms, WallTime};
use crate::protocol::FailureReason;
use crate::run::{RunAgent, RunPhase, RunRecord, WaitReason, Waiting, worker_count};

impl RunLifecycle {
    /// A new run that waits, already saved.
    pub fn wait(record: RunRecord, lease: Duration, now: WallTime) -> (Self, Vec<RunEffect>) {
        let mut run = Self::without_agents(record, lease);
        let effects = run.log_of_waiting();
        run.set_waiting_deadline(now);
        (run, effects)
    }

    /// The terms on which a run that waits may begin; none once it has begun or ended.
    pub fn terms_of_waiting(&self) -> Option<&StartTerms> {
        self.record.phase.waiting().map(|waiting| &waiting.terms)
    }

    /// It waits for this reason now.
    pub(super) fn waits(&mut self, reason: WaitReason, now: WallTime) -> Vec<RunEffect> {
        let Some(waiting) = self.record.phase.waiting() else {
            return Vec::new();
        };
        if waiting.reason == reason {
            return Vec::new();
        }
        let terms = waiting.terms.clone();
        let phase = Waiting { reason, terms }.phase();
        let was = std::mem::replace(&mut self.record.phase, phase);
        let mut effects = vec![RunEffect::Save];
        if was.word() != self.record.phase.word() {
            self.set_waiting_deadline(now);
            effects.extend(self.log_of_waiting());
        }
        effects
    }

    /// Its turn has come, and these are its agents with their workers.
    pub(super) fn agents_chosen(&mut self, agents: Vec<RunAgent>, now: WallTime) -> Vec<RunEffect> {
        if self.record.phase.waiting().is_none() || agents.is_empty() {
            return Vec::new();
        }
        self.record.test.workers = worker_count(&agents);
        self.record.agents = agents;
        self.record.phase = RunPhase::Preparing;
        self.positions = positions_of(&self.record);
        self.expect_all(now);
        let mut effects = vec![RunEffect::Save];
        effects.extend(self.prepare(&self.record.agents));
        effects
    }

    /// It cannot begin with the agents that are there.
    pub(super) fn cannot_begin(&mut self, problem: String, now: WallTime) -> Vec<RunEffect> {
        if self.record.phase.waiting().is_none() {
            return Vec::new();
        }
        self.fail(FailureReason::CannotBegin { problem }, now)
    }

    /// Its infrastructure refuses to make machines for it. One that has begun has enough of them.
    pub(super) fn machines_refused(&mut self, problem: String, now: WallTime) -> Vec<RunEffect> {
        if self.record.phase.is_over() {
            return Vec::new();
        }
        let infrastructure = self.record.test.infrastructure.clone();
        let reason = FailureReason::MachinesRefused {
            infrastructure,
            problem,
        };
        if self.record.phase.waiting().is_none() {
            return vec![RunEffect::Log(format!(
                "{reason}; the run goes on with the agents that it has"
            ))];
        }
        self.fail(reason, now)
    }

    /// Fails when agents have been missing for too long. A run whose turn has not come waits for as long as it takes.
    pub(super) fn look_at_waiting(&mut self, now: WallTime) -> Vec<RunEffect> {
        let RunPhase::Provisioning(waiting) = &self.record.phase else {
            return Vec::new();
        };
        let WaitReason::Agents {
            free,
            least,
            machines,
            ..
        } = &waiting.reason
        else {
            return Vec::new();
        };
        // With the least it begins all the same, if no other comes.
        if now <= self.deadline || free >= least {
            return Vec::new();
        }
        let test = &self.record.test;
        let reason = FailureReason::AgentsMissing {
            infrastructure: test.infrastructure.clone(),
            free: *free,
            least: *least,
            within_s: test.fleet.agents_timeout_s,
            machines: machines.clone(),
        };
        self.fail(reason, now)
    }

    /// The time for agents begins when it is the run's turn, and anew with a coordinator that was restarted: agents
    /// have to come back to it.
    pub(super) fn set_waiting_deadline(&mut self, now: WallTime) {
        let timeout = Duration::from_secs(self.record.test.fleet.agents_timeout_s);
        self.set_deadline(now + timeout);
    }

    fn log_of_waiting(&self) -> Vec<RunEffect> {
        let waiting = self.record.phase.waiting().into_iter();
        let word = self.record.phase.word();
        waiting
            .map(|waiting| RunEffect::Log(format!("{word}: {}", waiting.reason)))
            .collect()
    }
}

//! What becomes of a run when its agents get ready, end, are lost, return or are silent.

use std::slice;
use std::time::Duration;

use super::{PREPARE_TIMEOUT, Presence, RunEffect, RunLifecycle};
use crate::base::{AgentId, MAX_SET_UP_DATA_BYTES, WallTime};
use crate::profile::LoadProfile;
use crate::protocol::{AgentEnd, FailureReason, SetUpData};
use crate::run::{GapCause, RunPhase};

impl RunLifecycle {
    pub(super) fn agent_ready(
        &mut self,
        agent_id: &AgentId,
        shape: Option<LoadProfile>,
        set_up_data: Option<SetUpData>,
        now: WallTime,
    ) -> Vec<RunEffect> {
        if let Some(presence @ Presence::Preparing) = self.presence.get_mut(agent_id) {
            *presence = Presence::Ready;
        }
        let mut effects = Vec::new();
        if let Some(data) = set_up_data {
            effects.extend(self.take_set_up_data(agent_id, data, now));
        }
        if let Some(shape) = shape {
            effects.extend(self.take_shape(agent_id, shape, now));
        }
        effects
    }

    /// Keeps what the scenario's set-up made, from the agent of worker 0, once.
    fn take_set_up_data(
        &mut self,
        agent_id: &AgentId,
        data: SetUpData,
        now: WallTime,
    ) -> Vec<RunEffect> {
        if self.record.phase != RunPhase::Preparing
            || self.set_up_data.is_some()
            || !self.has_worker_0(agent_id)
        {
            return Vec::new();
        }
        let bytes = data.bytes().len();
        if bytes > MAX_SET_UP_DATA_BYTES {
            let reason = FailureReason::SetUpDataTooLarge {
                agent: self.name_of(agent_id),
                bytes: bytes as u64,
            };
            return self.fail(reason, now);
        }
        self.set_up_data = Some(data.clone());
        vec![RunEffect::SaveSetUpData(data)]
    }

    pub(super) fn has_worker_0(&self, agent_id: &AgentId) -> bool {
        self.agent(agent_id)
            .is_some_and(|agent| agent.workers.contains(&0))
    }

    pub(super) fn results_saved(
        &mut self,
        agent_id: &AgentId,
        until: Option<u32>,
        now: WallTime,
    ) -> Vec<RunEffect> {
        self.give_time(agent_id, now);
        let position = self.positions.get(agent_id);
        if let Some(agent) = position.and_then(|&at| self.record.agents.get_mut(at)) {
            agent.saved_until = agent.saved_until.max(until.unwrap_or(0));
        }
        Vec::new()
    }

    pub(super) fn agent_ended(
        &mut self,
        agent_id: &AgentId,
        end: AgentEnd,
        now: WallTime,
    ) -> Vec<RunEffect> {
        let failure = end.failure_reason();
        let started = self.record.started_at.is_some();
        if !self.record.take_end(agent_id, end) {
            return Vec::new();
        }
        self.presence.insert(agent_id.to_owned(), Presence::Ended);
        let mut effects = vec![RunEffect::Save];
        let ended_early = || FailureReason::AgentEndedEarly {
            agent: self.name_of(agent_id),
        };
        if let Some(reason) = failure.or_else(|| (!started).then(ended_early)) {
            effects.extend(self.agent_failing(agent_id, reason, now));
        }
        effects
    }

    pub(super) fn agent_lost(&mut self, agent_id: &AgentId, since: WallTime) -> Vec<RunEffect> {
        let Some(presence) = self.presence.get_mut(agent_id) else {
            return Vec::new();
        };
        let was_ready = match *presence {
            Presence::Preparing => false,
            Presence::Ready => true,
            Presence::Absent { .. } | Presence::Ended | Presence::GivenUp => return Vec::new(),
        };
        *presence = Presence::Absent { since, was_ready };
        let name = self.name_of(agent_id);
        vec![RunEffect::Log(format!(
            "agent {name} disconnected; it counts as lost after {} s of silence",
            self.lease.as_secs_f64()
        ))]
    }

    pub(super) fn agent_returned(
        &mut self,
        agent_id: &AgentId,
        holds_run: bool,
        now: WallTime,
    ) -> Vec<RunEffect> {
        let seen = self.seen_until(agent_id, now);
        let Some(presence) = self.presence.get_mut(agent_id) else {
            return Vec::new();
        };
        let was_absent = matches!(presence, Presence::Absent { .. });
        match *presence {
            Presence::Ended => return Vec::new(),
            Presence::GivenUp if holds_run => return vec![self.dismissal(agent_id)],
            Presence::GivenUp => return Vec::new(),
            Presence::Absent {
                was_ready: true, ..
            }
            | Presence::Ready => {
                *presence = Presence::Ready;
            }
            Presence::Absent {
                was_ready: false, ..
            }
            | Presence::Preparing => {
                *presence = Presence::Preparing;
            }
        }
        let name = self.name_of(agent_id);
        let mut effects = Vec::new();
        if was_absent {
            effects.push(RunEffect::Log(format!("agent {name} reconnected")));
        }
        match &self.record.phase {
            RunPhase::Preparing => {
                // It may have lost the order to prepare; sent twice it is harmless, and answered again.
                self.presence
                    .insert(agent_id.to_owned(), Presence::Preparing);
                effects.extend(self.prepare(self.agent(agent_id).map_or(&[], slice::from_ref)));
            }
            _ if !holds_run => {
                let reason = FailureReason::AgentForgotRun { agent: name };
                effects.extend(self.lose(agent_id, GapCause::AgentLost, reason, seen, now));
            }
            RunPhase::Running => {
                if let Some(start_at) = self.record.started_at {
                    effects.push(RunEffect::Send {
                        agent_id: agent_id.to_owned(),
                        message: self.start(start_at),
                    });
                }
            }
            _ => effects.push(self.stop(agent_id)),
        }
        effects
    }

    /// The process that took part is gone, and with it what it had not handed over.
    pub(super) fn agent_restarted(&mut self, agent_id: &AgentId, now: WallTime) -> Vec<RunEffect> {
        if let None | Some(Presence::Ended | Presence::GivenUp) = self.presence.get(agent_id) {
            return Vec::new();
        }
        let reason = FailureReason::AgentRestarted {
            agent: self.name_of(agent_id),
            infrastructure: self.record.test.infrastructure.clone(),
        };
        let seen = self.seen_until(agent_id, now);
        self.lose(agent_id, GapCause::AgentRestarted, reason, seen, now)
    }

    pub(super) fn tick(&mut self, now: WallTime) -> Vec<RunEffect> {
        if self.record.phase.waiting().is_some() {
            return self.look_at_waiting(now);
        }
        let overdue: Vec<(AgentId, Duration)> = self
            .presence
            .iter()
            .filter_map(|(id, presence)| match presence {
                Presence::Absent { since, .. } if now - *since > self.lease => {
                    Some((id.clone(), now - *since))
                }
                _ => None,
            })
            .collect();
        let mut effects = Vec::new();
        for (agent_id, silence) in overdue {
            let reason = FailureReason::AgentLost {
                agent: self.name_of(&agent_id),
                infrastructure: self.record.test.infrastructure.clone(),
                silent_s: (silence + Duration::from_millis(500)).as_secs(),
            };
            let seen = self.seen_until(&agent_id, now);
            effects.extend(self.lose(&agent_id, GapCause::AgentLost, reason, seen, now));
        }
        if now > self.deadline {
            effects.extend(self.leave_late_agents_behind(now));
        }
        if now > self.deadline && !self.is_settled() {
            let agents = self.late_agents();
            let reason = match self.record.phase {
                RunPhase::Preparing => FailureReason::AgentsNotReady {
                    agents,
                    within_s: PREPARE_TIMEOUT.as_secs(),
                },
                _ => FailureReason::AgentsDidNotEnd { agents },
            };
            let was_failing = matches!(self.record.phase, RunPhase::Failing(_));
            effects.extend(self.fail(reason, now));
            if was_failing {
                for agent_id in self.waited_for() {
                    effects.extend(self.give_up(&agent_id, GapCause::AgentLost));
                }
            }
        }
        effects
    }
}

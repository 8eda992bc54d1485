//! The state machine of a run, without I/O: events in, effects out. The coordinator's task performs the effects in
//! their order, so a record is always saved before a message is sent.
//!
//! ```text
//!    another run has the agents       agents are missing
//!   Queued ────────────────────────► Provisioning ──► stop asked, took too long, agents do not fit: Failing(reason)
//!      │ its turn, enough agents        │ enough agents
//!      ▼                                ▼
//!      └────────► agents chosen ◄───────┘
//!                       │
//!       ┌───────────────┘
//!       ▼      all agents Ready                all agents ended as planned
//!   Preparing ─────────────────► Running ──────────────────────────────────► Finished
//!       │                           │
//!       │ stop asked, agent lost    │ stop asked, agent lost for longer than the lease,
//!       │ or failed, took too long  │ agent failed, did not end in time
//!       ▼                           ▼
//!       └───────► Failing(reason) ◄─┘
//!                     │ every agent ended or was given up
//!                     ▼
//!                 Failed(reason)
//! ```
//!
//! A run whose agents are there and free when it is started begins in Preparing. One that waits has no agents; whose turn
//! it is on an infrastructure is decided in `../waiting/`. Queued is stopped like Provisioning, at once and without having
//! sent anything.
//!
//! In the happy case the coordinator sends `Prepare` to each agent; when all are `Ready` it fixes run time
//! zero a moment ahead, saves it and sends `Start`. The agents end by their own clocks; the last snapshot of
//! each carries its end.
//!
//! An agent whose connection breaks is *absent*. If it comes back within the lease nothing happened: it is
//! sent again what it may have missed, and resends what was not acknowledged. If not, it is given up: the run
//! fails and names it, and its results are a gap of the run until it hands them over, which it may do for a
//! while after the end (`../completeness.rs`). A coordinator that was restarted treats all agents as absent since
//! its start. The first reason to fail is the one that is kept. An agent that comes back as a new process does not
//! come back: the run fails immediately.
//!
//! A run whose test says so goes on without an agent or a worker that it loses while Running, until none is left: see
//! `losses`.
//!
//! What a run needs after a restart follows no wall clock, which may have been set meanwhile: see `time_base`.
//!
//! An agent that fetches the run's build has the time to prepare from the last byte that came: see `catching_up`.
//!
//! Lease and the deadline of the end count time in which nothing happens: results that arrive, or that have arrived and
//! wait to be saved, put both off. See `catching_up`.
//!
//! What the scenario's set-up made comes with the `Ready` of the agent that has worker 0, is saved, and goes to
//! everyone with `Start`.
//!
//! The load itself is the record's profile. It changes once at most before the start (a load shape that comes
//! with an agent's `Ready`) and any number of times while Running: saved, then sent whole to everyone.

mod agents;
mod catching_up;
mod event;
mod load_change;
mod losses;
mod time_base;
mod waiting;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::base::{AgentId, RunTime, WallTime};
use crate::load_test::LoadTest;
use crate::protocol::{Counted, FailureReason, Prepare, SetUpData, ToAgent};
use crate::run::{Gap, GapCause, RunAgent, RunPhase, RunRecord};

pub use event::{ChangeRefused, RunEffect, RunEvent, StopRefused, UnfinishedRun};
pub use load_change::CHANGE_DELAY;

/// How far ahead of the decision run time zero lies, so that `Start` reaches every agent before it.
pub const START_DELAY: Duration = Duration::from_millis(500);
/// How long agents may take to start their workers: longer than an agent waits itself, which gives the
/// scenario's start events and its set-up a minute each.
pub const PREPARE_TIMEOUT: Duration = Duration::from_secs(300);
/// How much longer than the load profile and stop timeout an agent may take to report its end.
pub const END_GRACE: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    /// Connected, workers not all up.
    Preparing,
    /// Connected, workers up.
    Ready,
    /// Not connected since then.
    Absent { since: WallTime, was_ready: bool },
    /// Its last snapshot is saved.
    Ended,
    /// Not waited for any more: what it has not handed over is a gap.
    GivenUp,
}

/// One run's state machine.
#[derive(Debug)]
pub struct RunLifecycle {
    record: RunRecord,
    /// Where each agent is in the record: there may be thousands, and something of each is saved every second.
    positions: HashMap<AgentId, usize>,
    presence: BTreeMap<AgentId, Presence>,
    lease: Duration,
    /// When the present phase must be over.
    deadline: WallTime,
    /// When it must be over even if results still arrive.
    latest_deadline: WallTime,
    /// Whether run time zero is known on the coordinator's present clock; not yet after a restart.
    knows_run_zero: bool,
    /// When a coordinator that was restarted found the run: since then its agents count as absent, but none was seen then.
    recovered_at: Option<WallTime>,
    /// Whether a load shape of the scenario's own has come.
    has_shape: bool,
    /// Bytes that each agent has fetched of the run's shipped build, as it said last.
    fetched: BTreeMap<AgentId, u64>,
    /// What the scenario's set-up made, once it has come; saved before anyone is sent it.
    set_up_data: Option<SetUpData>,
}

impl RunLifecycle {
    /// A new run in [`RunPhase::Preparing`], already saved. The effects ask its agents to prepare.
    pub fn begin(record: RunRecord, lease: Duration, now: WallTime) -> (Self, Vec<RunEffect>) {
        let mut run = Self::without_agents(record, lease);
        run.expect_all(now);
        let effects = run.prepare(&run.record.agents);
        (run, effects)
    }

    /// A run whose agents are not known, or are not asked for anything yet.
    fn without_agents(record: RunRecord, lease: Duration) -> Self {
        Self {
            positions: positions_of(&record),
            record,
            presence: BTreeMap::new(),
            lease,
            deadline: WallTime::default(),
            latest_deadline: WallTime::default(),
            knows_run_zero: true,
            recovered_at: None,
            has_shape: false,
            fetched: BTreeMap::new(),
            set_up_data: None,
        }
    }

    /// All agents of the record are to get ready.
    fn expect_all(&mut self, now: WallTime) {
        let agents = self.record.agents.iter();
        self.presence = agents
            .map(|agent| (agent.id.clone(), Presence::Preparing))
            .collect();
        self.set_deadline(now + PREPARE_TIMEOUT);
    }

    /// A run found unfinished by a coordinator that was restarted.
    pub fn recover(
        unfinished: UnfinishedRun,
        lease: Duration,
        now: WallTime,
    ) -> (Self, Vec<RunEffect>) {
        let UnfinishedRun {
            record,
            set_up_data,
            saved,
        } = unfinished;
        let presence = record
            .agents
            .iter()
            .map(|agent| {
                let presence = match agent.end {
                    Some(_) => Presence::Ended,
                    None if was_left_behind(&record, agent) => Presence::GivenUp,
                    None => Presence::Absent {
                        since: now,
                        was_ready: record.phase != RunPhase::Preparing,
                    },
                };
                (agent.id.clone(), presence)
            })
            .collect();
        let mut run = Self {
            presence,
            knows_run_zero: false,
            recovered_at: Some(now),
            set_up_data,
            ..Self::without_agents(record, lease)
        };
        let mut effects = vec![RunEffect::Log(
            "coordinator restarted; waiting for the agents to reconnect".to_owned(),
        )];
        effects.extend(run.guess_run_zero(saved, now));
        match &run.record.phase {
            RunPhase::Queued(_) | RunPhase::Provisioning(_) => {
                run.set_waiting_deadline(now);
                // However short that time is, agents come back first.
                run.set_deadline(run.deadline.max(now + lease));
            }
            // Agents that come back say again what they have prepared.
            RunPhase::Preparing => run.set_deadline(now + PREPARE_TIMEOUT),
            RunPhase::Failing(_) => run.set_deadline(run.failing_deadline(now)),
            _ => run.set_deadline(run.deadline_after(saved, now)),
        }
        // An end can be saved with its snapshot before the life cycle heard of it.
        let failures: Vec<(AgentId, FailureReason)> = run
            .record
            .agents
            .iter()
            .filter_map(|agent| Some((agent.id.clone(), agent.end.as_ref()?.failure_reason()?)))
            .collect();
        for (agent_id, reason) in failures {
            effects.extend(run.agent_failing(&agent_id, reason, now));
        }
        effects.extend(run.settle(now));
        (run, save_once(effects))
    }

    /// The run as it stands, to be saved when an effect says so.
    pub fn record(&self) -> &RunRecord {
        &self.record
    }

    /// Whether the run may be stopped.
    ///
    /// # Errors
    /// It is over.
    pub fn may_stop(&self) -> Result<(), StopRefused> {
        if self.record.phase.is_over() {
            return Err(StopRefused::Over(self.record.phase.status().word()));
        }
        Ok(())
    }

    /// Takes one event. Events about agents that do not take part, and all events after the end, do nothing.
    #[must_use]
    pub fn handle(&mut self, event: RunEvent, now: WallTime) -> Vec<RunEffect> {
        if self.record.phase.is_over() {
            return Vec::new();
        }
        let mut effects = match event {
            RunEvent::Waits(reason) => self.waits(reason, now),
            RunEvent::AgentsChosen(agents) => self.agents_chosen(agents, now),
            RunEvent::CannotBegin { problem } => self.cannot_begin(problem, now),
            RunEvent::MachinesRefused { problem } => self.machines_refused(problem, now),
            RunEvent::AgentReady {
                agent_id,
                shape,
                set_up_data,
            } => self.agent_ready(&agent_id, shape, set_up_data, now),
            RunEvent::ResultsSaved { agent_id, until } => self.results_saved(&agent_id, until, now),
            RunEvent::ResultsWait { agent_id } => {
                self.give_time(&agent_id, now);
                Vec::new()
            }
            RunEvent::AgentEnded { agent_id, end } => self.agent_ended(&agent_id, end, now),
            RunEvent::AgentLost { agent_id, since } => self.agent_lost(&agent_id, since),
            RunEvent::AgentReturned {
                agent_id,
                holds_run,
            } => self.agent_returned(&agent_id, holds_run, now),
            RunEvent::AgentHeard {
                agent_id,
                run_time,
                fetched_bytes,
                finish_asked,
            } => {
                self.agent_fetches(&agent_id, fetched_bytes, now);
                let mut effects = self.agent_heard(&agent_id, run_time, now);
                if let Some(reason) = finish_asked {
                    effects.extend(self.finish_early(&agent_id, &reason, now));
                }
                effects
            }
            RunEvent::AgentRestarted { agent_id } => self.agent_restarted(&agent_id, now),
            RunEvent::AgentFailing { agent_id, reason } => {
                self.agent_failing(&agent_id, reason, now)
            }
            RunEvent::WorkersLost { agent_id, workers } => self.workers_lost(&agent_id, &workers),
            RunEvent::StopAsked => self.fail(FailureReason::StoppedByUser, now),
            RunEvent::ThresholdBreached { threshold, since_s } => {
                self.threshold_breached(threshold, since_s, now)
            }
            RunEvent::ChangeUsers { users, over_us } => self.change_users(users, over_us, now),
            RunEvent::Tick => self.tick(now),
        };
        effects.extend(self.start_if_ready(now));
        effects.extend(self.settle(now));
        save_once(effects)
    }

    /// Begins to fail, unless the run is failing already: the first reason stays.
    fn fail(&mut self, reason: FailureReason, now: WallTime) -> Vec<RunEffect> {
        let load_until = self.record.run_time(now);
        self.fail_after(load_until, reason, now)
    }

    /// The same where the load was whole only until then.
    fn fail_after(
        &mut self,
        load_until: RunTime,
        reason: FailureReason,
        now: WallTime,
    ) -> Vec<RunEffect> {
        if matches!(self.record.phase, RunPhase::Failing(_)) || self.record.phase.is_over() {
            return Vec::new();
        }
        let mut effects = vec![RunEffect::Log(format!("stopping: {reason}"))];
        if reason.is_loss() && self.may_lose_agents_later() {
            effects.push(RunEffect::Log(
                "the load has not begun: agents may be lost only from then on, because another start can still have all of them"
                    .to_owned(),
            ));
        }
        self.record.phase = RunPhase::Failing(reason);
        let is_early = self.record.started_at.is_some() && load_until < self.record.profile.ends_at;
        self.record.completeness.load_whole_until = is_early.then_some(load_until);
        self.set_deadline(self.failing_deadline(now));
        effects.push(RunEffect::Save);
        effects.extend(
            self.presence
                .iter()
                .filter(|(_, presence)| matches!(presence, Presence::Preparing | Presence::Ready))
                .map(|(id, _)| self.stop(id)),
        );
        effects
    }

    /// What was measured before run time zero or belongs to another end is not the load's: it counts while Running only, and only until
    /// the load ends by itself.
    fn threshold_breached(
        &mut self,
        threshold: String,
        since_s: u32,
        now: WallTime,
    ) -> Vec<RunEffect> {
        let run_time = self.record.started_at.map(|started| now.run_time(started));
        let is_ending = run_time.is_some_and(|now| now >= self.record.profile.ends_at);
        if self.record.phase != RunPhase::Running || is_ending {
            return Vec::new();
        }
        self.fail(FailureReason::ThresholdBreached { threshold, since_s }, now)
    }

    fn start_if_ready(&mut self, now: WallTime) -> Vec<RunEffect> {
        let all_ready = self.record.phase == RunPhase::Preparing
            && self
                .presence
                .values()
                .all(|presence| *presence == Presence::Ready);
        if !all_ready {
            return Vec::new();
        }
        let start_at = now + START_DELAY;
        self.record.phase = RunPhase::Running;
        self.record.started_at = Some(start_at);
        self.knows_run_zero = true;
        self.set_deadline(self.running_deadline());
        let mut effects = vec![RunEffect::Save];
        let start = self.start(start_at);
        effects.extend(self.presence.keys().map(|agent_id| RunEffect::Send {
            agent_id: agent_id.clone(),
            message: start.clone(),
        }));
        effects
    }

    fn start(&self, start_at: WallTime) -> ToAgent {
        ToAgent::Start {
            run_id: self.record.id.clone(),
            start_at,
            profile: Arc::new(self.record.profile.clone()),
            set_up_data: self.set_up_data.clone(),
        }
    }

    /// Whether no agent is waited for.
    fn is_settled(&self) -> bool {
        let mut presences = self.presence.values();
        presences.all(|presence| matches!(presence, Presence::Ended | Presence::GivenUp))
    }

    /// The agents that are waited for.
    fn waited_for(&self) -> Vec<AgentId> {
        let waited_for = self
            .presence
            .iter()
            .filter(|(_, presence)| !matches!(presence, Presence::Ended | Presence::GivenUp));
        waited_for.map(|(agent_id, _)| agent_id.clone()).collect()
    }

    /// Ends the run once no agent is waited for.
    fn settle(&mut self, now: WallTime) -> Vec<RunEffect> {
        if !self.is_settled() {
            return Vec::new();
        }
        let phase = match &self.record.phase {
            RunPhase::Failing(reason) => RunPhase::Failed(reason.clone()),
            RunPhase::Running => RunPhase::Finished,
            _ => return Vec::new(),
        };
        self.record.phase = phase;
        self.record.ended_at = Some(self.end_of_load(now));
        let given_up: Vec<AgentId> = self
            .presence
            .iter()
            .filter(|(_, presence)| **presence == Presence::GivenUp)
            .map(|(agent_id, _)| agent_id.clone())
            .collect();
        if !given_up.is_empty() && self.record.started_at.is_some() {
            self.record.completeness.wait_for_late_results(now);
        }
        let mut effects = vec![
            RunEffect::CheckCounts,
            RunEffect::LogOutcome,
            RunEffect::Save,
        ];
        effects.extend(given_up.iter().map(|agent_id| self.dismissal(agent_id)));
        effects.push(RunEffect::Over);
        effects
    }

    /// The last message to an agent that was given up: to end its load and to hand over what it holds, if it can hold any.
    fn dismissal(&self, agent_id: &AgentId) -> RunEffect {
        if self.record.started_at.is_some() {
            return self.stop(agent_id);
        }
        RunEffect::Send {
            agent_id: agent_id.to_owned(),
            message: ToAgent::Abandon {
                run_id: self.record.id.clone(),
            },
        }
    }

    /// Waits no more for an agent. What it has not handed over is missing from here on.
    fn give_up(&mut self, agent_id: &AgentId, cause: GapCause) -> Vec<RunEffect> {
        self.presence.insert(agent_id.to_owned(), Presence::GivenUp);
        if self.record.started_at.is_none() {
            return Vec::new();
        }
        if let Some(agent) = self.agent(agent_id) {
            let gap = Gap::of_agent(&agent.name, agent.saved_until, cause);
            self.record.completeness.add(gap);
        }
        // A run that is failing already is saved for nothing else now.
        vec![RunEffect::Save]
    }

    /// What is saved is not what the agents counted: a gap, and no run that went as planned. Asked for with
    /// [`RunEffect::CheckCounts`], before the run is saved.
    pub fn counts_disagree(&mut self, counted: Counted, saved: Counted) {
        if self.record.phase == RunPhase::Finished {
            let reason = FailureReason::CountsDisagree { counted, saved };
            self.record.phase = RunPhase::Failed(reason);
        }
        self.record
            .completeness
            .add(Gap::counts_disagree(counted, saved));
    }

    /// How the run ended, as a line of its log.
    pub fn outcome(&self) -> String {
        match self.record.phase.failure_reason() {
            Some(reason) => format!("run failed: {reason}"),
            None => "run finished".to_owned(),
        }
    }

    /// When the last user ended if every agent said so, else now, but not after the time at which agents end
    /// by their own clocks: a coordinator that was away for a day does not make the load last a day.
    fn end_of_load(&self, now: WallTime) -> WallTime {
        let Some(started) = self.record.started_at else {
            return now;
        };
        let planned = self.running_deadline() - END_GRACE;
        let mut agents = self.record.agents.iter();
        // A run that ends without some of them took as long as the others.
        let knows_all =
            self.record.goes_on_without_lost() || agents.all(|agent| agent.end.is_some());
        let ends = self.record.agents.iter();
        ends.filter_map(|agent| agent.end.as_ref().map(|end| started + end.ended_at))
            .max()
            .filter(|_| knows_all)
            .map_or(now.min(planned), |end| end.min(now.max(started)))
    }

    /// Asks some of the run's agents to prepare. They share the test, which may be long.
    fn prepare(&self, agents: &[RunAgent]) -> Vec<RunEffect> {
        // What was asked for has become a number, which agents check.
        let test = Arc::new(LoadTest {
            auto_workers: false,
            ..self.record.test.clone()
        });
        let prepare = |agent: &RunAgent| RunEffect::Send {
            agent_id: agent.id.clone(),
            message: ToAgent::Prepare(Box::new(Prepare {
                run_id: self.record.id.clone(),
                test: Arc::clone(&test),
                workers: agent.workers.clone(),
            })),
        };
        agents.iter().map(prepare).collect()
    }

    fn stop(&self, agent_id: &AgentId) -> RunEffect {
        RunEffect::Send {
            agent_id: agent_id.to_owned(),
            message: ToAgent::Stop {
                run_id: self.record.id.clone(),
            },
        }
    }

    /// Whether an agent takes part.
    pub fn has_agent(&self, agent_id: &AgentId) -> bool {
        self.presence.contains_key(agent_id)
    }

    fn agent(&self, agent_id: &AgentId) -> Option<&RunAgent> {
        self.record.agents.get(*self.positions.get(agent_id)?)
    }

    fn name_of(&self, agent_id: &AgentId) -> String {
        self.agent(agent_id)
            .map_or_else(|| "unknown".to_owned(), |agent| agent.name.clone())
    }

    /// The names of the agents that are waited for.
    fn late_agents(&self) -> Vec<String> {
        self.presence
            .iter()
            .filter(|(_, presence)| match self.record.phase {
                RunPhase::Preparing => **presence != Presence::Ready,
                _ => !matches!(presence, Presence::Ended | Presence::GivenUp),
            })
            .map(|(id, _)| self.name_of(id))
            .collect()
    }

    fn running_deadline(&self) -> WallTime {
        self.record.started_at.unwrap_or_default() + self.planned_end() + END_GRACE
    }

    /// The run time at which agents are through by their own clocks, requests in flight included.
    fn planned_end(&self) -> RunTime {
        self.record.profile.ends_at + self.stop_timeout()
    }

    fn stop_timeout(&self) -> Duration {
        Duration::from_secs(self.record.test.stop_timeout_s)
    }

    fn failing_deadline(&self, now: WallTime) -> WallTime {
        now + self.stop_timeout() + self.lease + END_GRACE
    }
}

/// Whether the run goes on without this agent, whose results have not come.
fn was_left_behind(record: &RunRecord, agent: &RunAgent) -> bool {
    record.goes_on_without_lost() && record.completeness.is_given_up(&agent.name)
}

fn positions_of(record: &RunRecord) -> HashMap<AgentId, usize> {
    let agents = record.agents.iter().enumerate();
    agents.map(|(at, agent)| (agent.id.clone(), at)).collect()
}

/// A save saves the record as it is after all effects were decided, so of several only the last before a
/// message is needed; an earlier one would show the end of a run before its counts are checked.
pub fn save_once<E>(effects: E) -> E
where
    E: IntoIterator<Item = RunEffect, IntoIter: DoubleEndedIterator> + FromIterator<RunEffect>,
{
    let mut kept = Vec::new();
    let mut saved_later = false;
    for effect in effects.into_iter().rev() {
        match effect {
            RunEffect::Save if saved_later => continue,
            RunEffect::Save => saved_later = true,
            RunEffect::Send { .. } => saved_later = false,
            _ => {}
        }
        kept.push(effect);
    }
    kept.into_iter().rev().collect()
}

#[cfg(test)]
mod tests;

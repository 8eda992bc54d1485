//! A run: one execution of a load test, as it is kept.

use serde::{Deserialize, Serialize};

use crate::base::{AgentId, BuildInfo, RunId, RunTime, WallTime, builds_of};
use crate::load_test::LoadTest;
use crate::profile::LoadProfile;
use crate::protocol::{AgentEnd, FailureReason};
use crate::run::coverage::{users_of, users_of_losses};
use crate::run::{Completeness, Coverage, Loss, MissingUsers, Waiting};

/// Everything about a run but its results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Identifier, as in the page's address.
    pub id: RunId,
    /// Number within its test: #1, #2, …
    pub number: u64,
    /// The definition as it was when the run was started.
    pub test: LoadTest,
    /// Where the run stands.
    pub phase: RunPhase,
    /// When the run was asked for, on the coordinator's clock.
    #[serde(rename = "created_at_us")]
    pub created_at: WallTime,
    /// Run time zero, once it is known.
    #[serde(rename = "started_at_us")]
    pub started_at: Option<WallTime>,
    /// When the run ended.
    #[serde(rename = "ended_at_us")]
    pub ended_at: Option<WallTime>,
    /// The agents that take part, in the order in which workers were distributed; none while the run waits.
    pub agents: Vec<RunAgent>,
    /// How many users there are when, with the changes made while it runs.
    #[serde(default)]
    pub profile: LoadProfile,
    /// What may be missing from its results and from its load.
    #[serde(default)]
    pub completeness: Completeness,
}

/// One agent's part in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunAgent {
    /// Identity of the agent process.
    pub id: AgentId,
    /// The agent's name.
    pub name: String,
    /// Which build it and its workers are.
    #[serde(default)]
    pub build: BuildInfo,
    /// Global indexes of its workers.
    pub workers: Vec<u32>,
    /// Number of the last snapshot saved; 0 before the first.
    pub last_seq: u64,
    /// Its results of the seconds of run time before this one are saved.
    #[serde(default)]
    pub saved_until: u32,
    /// How its part ended, once its last snapshot is saved.
    pub end: Option<AgentEnd>,
}

/// Where a run stands. The diagram is in `lifecycle/mod.rs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunPhase {
    /// Other runs come first.
    Queued(Waiting),
    /// It is the run's turn, and agents are missing.
    Provisioning(Waiting),
    /// Agents start their workers.
    Preparing,
    /// Load is generated.
    Running,
    /// Load is being stopped early; the run will be Failed for this reason.
    Failing(FailureReason),
    /// Ended as planned.
    Finished,
    /// Ended otherwise, for this reason.
    Failed(FailureReason),
}

/// Status as the page shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// Not ended.
    Running,
    /// Ended as planned.
    Finished,
    /// Ended otherwise.
    Failed,
}

impl RunStatus {
    /// The word the page shows: `Running`, `Finished` or `Failed`.
    pub fn word(self) -> &'static str {
        match self {
            RunStatus::Running => "Running",
            RunStatus::Finished => "Finished",
            RunStatus::Failed => "Failed",
        }
    }
}

impl RunPhase {
    /// The status shown for this phase.
    pub fn status(&self) -> RunStatus {
        match self {
            RunPhase::Queued(_)
            | RunPhase::Provisioning(_)
            | RunPhase::Preparing
            | RunPhase::Running
            | RunPhase::Failing(_) => RunStatus::Running,
            RunPhase::Finished => RunStatus::Finished,
            RunPhase::Failed(_) => RunStatus::Failed,
        }
    }

    /// The phase in one word.
    pub fn word(&self) -> &'static str {
        match self {
            RunPhase::Queued(_) => "Queued",
            RunPhase::Provisioning(_) => "Provisioning",
            RunPhase::Preparing => "Preparing",
            RunPhase::Failing(_) => "Stopping",
            RunPhase::Running | RunPhase::Finished | RunPhase::Failed(_) => self.status().word(),
        }
    }

    /// What the run waits for; none once it has begun or ended.
    pub fn waiting(&self) -> Option<&Waiting> {
        match self {
            RunPhase::Queued(waiting) | RunPhase::Provisioning(waiting) => Some(waiting),
            _ => None,
        }
    }

    /// Why the run has not begun, in words.
    pub fn wait_reason(&self) -> Option<String> {
        self.waiting().map(|waiting| waiting.reason.to_string())
    }

    /// Whether the run has ended.
    pub fn is_over(&self) -> bool {
        self.status() != RunStatus::Running
    }

    /// Why the run failed or is failing.
    pub fn failure_reason(&self) -> Option<&FailureReason> {
        match self {
            RunPhase::Failing(reason) | RunPhase::Failed(reason) => Some(reason),
            _ => None,
        }
    }
}

impl RunRecord {
    /// How long it is to take, in whole seconds: as its test says, or until its scenario finished it.
    pub fn duration_s(&self) -> u64 {
        match self.profile.finished_early {
            None => self.test.duration_s,
            Some(_) => self.profile.ends_at.as_micros().div_ceil(1_000_000),
        }
    }

    /// The builds that took part, each with the names of its agents; unknown ones are left out.
    pub fn builds(&self) -> Vec<(&BuildInfo, Vec<&str>)> {
        let agents = self.agents.iter();
        builds_of(
            agents
                .map(|agent| (agent.name.as_str(), &agent.build))
                .filter(|(_, build)| !build.is_unknown()),
        )
    }

    /// The agent with this identity.
    pub fn agent(&self, agent_id: &AgentId) -> Option<&RunAgent> {
        self.agents.iter().find(|agent| agent.id == *agent_id)
    }

    /// Keeps how an agent's part ended. False if there is no such agent or its end is known.
    pub fn take_end(&mut self, agent_id: &AgentId, end: AgentEnd) -> bool {
        let mut agents = self.agents.iter_mut();
        let agent = agents.find(|agent| agent.id == *agent_id && agent.end.is_none());
        let is_new = agent.is_some();
        if let Some(agent) = agent {
            agent.end = Some(end);
            self.follow_ends();
        }
        is_new
    }

    /// What the agents' ends say about the whole: whose results are not missing (any more), until when agents that were
    /// lost had users, what their workers lost, and of a run that was over before the last end came, how long its load
    /// really took. Harmless when repeated.
    pub fn follow_ends(&mut self) {
        let (started_at, late_until) = (self.started_at, self.completeness.late_until());
        let load_until = self.goes_on_without_lost().then_some(self.profile.ends_at);
        for agent in &self.agents {
            let Some(end) = &agent.end else { continue };
            self.completeness.agent_handed_over(&agent.name);
            self.completeness.coverage.agent_had_users_until(
                &agent.name,
                end.ended_at,
                self.profile.ends_at,
            );
            self.completeness
                .take_lost_workers(agent, &end.lost_workers, load_until);
            if let (Some(started), Some(latest)) = (started_at, late_until) {
                let ended_at = (started + end.ended_at).min(latest);
                self.ended_at = self.ended_at.max(Some(ended_at));
            }
        }
    }

    /// What to say beside its counts; none while nothing is known to be missing.
    pub fn remark(&self) -> Option<String> {
        self.completeness
            .remark(self.started_at.unwrap_or(self.created_at))
    }

    /// Whether the run is going, or went, on without agents and workers that were lost.
    pub(super) fn goes_on_without_lost(&self) -> bool {
        self.test.fleet.on_lost_agent.continues()
            && matches!(self.phase, RunPhase::Running | RunPhase::Finished)
    }

    /// How much of its load there was.
    pub fn coverage(&self) -> &Coverage {
        &self.completeness.coverage
    }

    /// How many of the most users that it asks for are missing in the end.
    pub fn missing_users(&self) -> MissingUsers {
        let of = self.profile.most_users();
        MissingUsers {
            missing: self.missing_of(of),
            of,
        }
    }

    /// How many of so many users are missing in the end.
    pub fn missing_of(&self, users: u64) -> u64 {
        let lost: Vec<u32> = self
            .coverage()
            .lost_workers(&self.agents)
            .into_iter()
            .collect();
        users_of(&lost, self.test.workers, users)
    }

    /// What was lost of its load, each with its users.
    pub fn losses(&self) -> Vec<(&Loss, MissingUsers)> {
        let users = users_of_losses(
            self.coverage(),
            &self.agents,
            self.test.workers,
            self.profile.most_users(),
        );
        self.coverage().losses().iter().zip(users).collect()
    }

    /// What to say about its load; none while nothing of it is missing.
    pub fn coverage_remark(&self) -> Option<String> {
        if self.coverage().is_full() {
            return None;
        }
        let started_at = self.started_at.unwrap_or(self.created_at);
        self.coverage().remark(self.missing_users(), started_at)
    }

    /// Whether the run is over and still takes what this agent holds of it.
    pub fn takes_late_results_of(&self, agent_id: &AgentId, now: WallTime) -> bool {
        self.phase.is_over()
            && self.completeness.takes_late_results(now)
            && self
                .agent(agent_id)
                .is_some_and(|agent| agent.end.is_none())
    }

    /// Where the run is at `now`, or was at its end; run time zero before it started.
    pub fn run_time(&self, now: WallTime) -> RunTime {
        let until = self.ended_at.unwrap_or(now);
        self.started_at
            .map_or(RunTime::ZERO, |zero| until.run_time(zero))
    }

    /// How long the run has been going at `now`, or took in the end, in seconds; 0 before it started.
    pub fn elapsed_s(&self, now: WallTime) -> f64 {
        self.run_time(now).as_micros() as f64 / 1e6
    }
}

/// How many workers these agents have.
pub fn worker_count(agents: &[RunAgent]) -> u32 {
    let workers: usize = agents.iter().map(|agent| agent.workers.len()).sum();
    u32::try_from(workers).unwrap_or(u32::MAX)
}

//! Why a run fails: decided by the coordinator or reported by an agent, in words for people and as a code for programs.
//!
//! On the wire and in the database a reason carries its message beside its data, so that a reader which does not know
//! its kind still shows the message. Versions that knew messages only wrote a text in its place: see
//! [`FailureReason::Other`].

mod form;
mod worker;

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Counted;
use crate::base::{MAX_ERROR_BYTES, MAX_SET_UP_DATA_BYTES, MAX_WORKERS, cut};

pub use worker::WorkerFailure;

/// Most agents or workers that a message names; a run may have thousands.
const MAX_NAMED: usize = 20;

/// Why a run fails or has failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self", tag = "kind", rename_all = "snake_case")]
pub enum FailureReason {
    /// A user stopped it on the page, in the API or on the command line.
    StoppedByUser,
    /// The scenario's code asked for the end of the whole test.
    StoppedByScenario {
        /// In the scenario's words; empty if it gave none.
        text: String,
    },
    /// A threshold was breached for as long as the test allows.
    ThresholdBreached {
        /// The threshold as text.
        threshold: String,
        /// Since which second of run time.
        since_s: u32,
    },
    /// Too few agents were connected and free for too long.
    AgentsMissing {
        /// Where they were missing.
        infrastructure: String,
        /// How many there were.
        free: u32,
        /// How many the run needs.
        least: u32,
        /// How long it waited, in seconds.
        within_s: u64,
        /// What had become of the machines that were asked for, if any were.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        machines: Option<String>,
    },
    /// The infrastructure did not make the machines that the run asked for.
    MachinesRefused {
        /// Which one.
        infrastructure: String,
        /// Why not, as a whole message.
        problem: String,
    },
    /// When the run's turn came, the agents that were there could not run it.
    CannotBegin {
        /// Why not, as a whole message.
        problem: String,
    },
    /// An agent was silent for longer than the lease.
    AgentLost {
        /// Its name.
        agent: String,
        /// Where it is.
        infrastructure: String,
        /// For how long it had been silent, in seconds.
        silent_s: u64,
    },
    /// Another process took an agent's place.
    AgentRestarted {
        /// Its name.
        agent: String,
        /// Where it is.
        infrastructure: String,
    },
    /// An agent came back that does not hold the run any more.
    AgentForgotRun {
        /// Its name.
        agent: String,
    },
    /// An agent's part ended before the run had started.
    AgentEndedEarly {
        /// Its name.
        agent: String,
    },
    /// Agents did not start their workers in time.
    AgentsNotReady {
        /// Their names.
        agents: Vec<String>,
        /// How much time they had, in seconds.
        within_s: u64,
    },
    /// Agents did not report the end of their load in time.
    AgentsDidNotEnd {
        /// Their names.
        agents: Vec<String>,
    },
    /// An agent was shut down during the run.
    AgentShutDown {
        /// Its name.
        agent: String,
    },
    /// An agent cannot run the test.
    AgentCannotRun {
        /// Its name.
        agent: String,
        /// Why not.
        problem: String,
    },
    /// An agent stopped its load because it had lost its coordinator.
    CoordinatorSilent {
        /// Its name.
        agent: String,
        /// For how long it heard nothing, in ms.
        silent_ms: u64,
    },
    /// Workers of an agent did not get ready in time.
    WorkersNotReady {
        /// The agent's name.
        agent: String,
        /// Their global indexes.
        workers: Vec<u32>,
        /// How much time they had, in seconds.
        within_s: u64,
    },
    /// A worker failed.
    Worker {
        /// Name of its agent.
        agent: String,
        /// Its global index.
        worker: u32,
        /// How.
        failure: WorkerFailure,
    },
    /// The scenario's load shape cannot be run.
    ShapeInvalid {
        /// What is wrong with it, as a whole message.
        problem: String,
    },
    /// A load profile cannot be run.
    ProfileInvalid {
        /// What is wrong with it, as a whole message.
        problem: String,
    },
    /// The scenario's set-up made more data than every worker can be sent.
    SetUpDataTooLarge {
        /// Name of the agent that made it.
        agent: String,
        /// Its size.
        bytes: u64,
    },
    /// What is saved is not what the agents counted.
    CountsDisagree {
        /// What the agents counted.
        counted: Counted,
        /// What is saved.
        saved: Counted,
    },
    /// Only a message is known: from a version that wrote no more, or of a kind that this one does not know.
    Other {
        /// The message.
        text: String,
    },
}

impl FailureReason {
    /// A reason of which only the message is known.
    pub fn other(text: impl Into<String>) -> Self {
        Self::Other { text: text.into() }
    }

    /// The code of a run that a threshold stopped.
    pub const THRESHOLD_BREACHED: &str = "threshold_breached";

    /// A word for programs, which does not change.
    pub fn code(&self) -> &'static str {
        match self {
            Self::StoppedByUser => "stopped_by_user",
            Self::StoppedByScenario { .. } => "stopped_by_scenario",
            Self::ThresholdBreached { .. } => Self::THRESHOLD_BREACHED,
            Self::AgentsMissing { .. } => "agents_missing",
            Self::MachinesRefused { .. } => "machines_refused",
            Self::CannotBegin { .. } => "cannot_begin",
            Self::AgentLost { .. } => "agent_lost",
            Self::AgentRestarted { .. } => "agent_restarted",
            Self::AgentForgotRun { .. } => "agent_forgot_run",
            Self::AgentEndedEarly { .. } => "agent_ended_early",
            Self::AgentsNotReady { .. } => "agents_not_ready",
            Self::AgentsDidNotEnd { .. } => "agents_did_not_end",
            Self::AgentShutDown { .. } => "agent_shut_down",
            Self::AgentCannotRun { .. } => "agent_cannot_run",
            Self::CoordinatorSilent { .. } => "coordinator_silent",
            Self::WorkersNotReady { .. } => "workers_not_ready",
            Self::Worker { failure, .. } => failure.code(),
            Self::ShapeInvalid { .. } => "shape_invalid",
            Self::ProfileInvalid { .. } => "profile_invalid",
            Self::SetUpDataTooLarge { .. } => "set_up_data_too_large",
            Self::CountsDisagree { .. } => "counts_disagree",
            Self::Other { .. } => "other",
        }
    }

    /// Whether it is that an agent (or a worker) was lost, so that a run may go on without: not that the test itself cannot
    /// go on, or that somebody wants its end. What only a message is known of is not.
    pub fn is_loss(&self) -> bool {
        match self {
            Self::AgentLost { .. }
            | Self::AgentRestarted { .. }
            | Self::AgentForgotRun { .. }
            | Self::AgentsDidNotEnd { .. }
            | Self::AgentShutDown { .. }
            | Self::CoordinatorSilent { .. } => true,
            Self::Worker { failure, .. } => failure.is_loss(),
            Self::StoppedByUser
            | Self::StoppedByScenario { .. }
            | Self::ThresholdBreached { .. }
            | Self::AgentsMissing { .. }
            | Self::MachinesRefused { .. }
            | Self::CannotBegin { .. }
            | Self::AgentEndedEarly { .. }
            | Self::AgentsNotReady { .. }
            | Self::AgentCannotRun { .. }
            | Self::WorkersNotReady { .. }
            | Self::ShapeInvalid { .. }
            | Self::ProfileInvalid { .. }
            | Self::SetUpDataTooLarge { .. }
            | Self::CountsDisagree { .. }
            | Self::Other { .. } => false,
        }
    }

    /// The reason as it is kept when an agent reports it: no longer than an error may be, and by its message alone if
    /// it is not an agent's to say.
    #[must_use]
    pub fn as_reported(mut self) -> Self {
        let excess = self.to_string().len().saturating_sub(MAX_ERROR_BYTES);
        let longest = self.texts_mut().into_iter().max_by_key(|text| text.len());
        if let Some(text) = longest.filter(|_| excess > 0) {
            *text = cut(text, text.len().saturating_sub(excess)).into_owned();
        }
        let message = self.to_string();
        if message.len() <= MAX_ERROR_BYTES && self.is_said_by_agents() {
            self
        } else {
            Self::other(cut(&message, MAX_ERROR_BYTES))
        }
    }

    /// What a message of an agent's says: of old versions only the text.
    pub(super) fn reported(text: Option<&str>, reason: Option<&Self>) -> Option<Self> {
        let reason = reason.cloned().or_else(|| text.map(Self::other));
        reason.map(Self::as_reported)
    }

    fn is_said_by_agents(&self) -> bool {
        match self {
            Self::StoppedByScenario { .. }
            | Self::AgentShutDown { .. }
            | Self::AgentCannotRun { .. }
            | Self::CoordinatorSilent { .. }
            | Self::Worker { .. }
            | Self::ShapeInvalid { .. }
            | Self::ProfileInvalid { .. }
            | Self::Other { .. } => true,
            Self::WorkersNotReady { workers, .. } => workers.len() <= MAX_WORKERS as usize,
            Self::StoppedByUser
            | Self::ThresholdBreached { .. }
            | Self::AgentsMissing { .. }
            | Self::MachinesRefused { .. }
            | Self::CannotBegin { .. }
            | Self::AgentLost { .. }
            | Self::AgentRestarted { .. }
            | Self::AgentForgotRun { .. }
            | Self::AgentEndedEarly { .. }
            | Self::AgentsNotReady { .. }
            | Self::AgentsDidNotEnd { .. }
            | Self::SetUpDataTooLarge { .. }
            | Self::CountsDisagree { .. } => false,
        }
    }

    /// The texts it holds; each of them is part of its message.
    fn texts_mut(&mut self) -> Vec<&mut String> {
        match self {
            Self::StoppedByScenario { text } | Self::Other { text } => vec![text],
            Self::ThresholdBreached { threshold, .. } => vec![threshold],
            Self::AgentsMissing {
                infrastructure,
                machines,
                ..
            } => [infrastructure].into_iter().chain(machines).collect(),
            Self::MachinesRefused {
                infrastructure,
                problem,
            } => vec![infrastructure, problem],
            Self::CannotBegin { problem }
            | Self::ShapeInvalid { problem }
            | Self::ProfileInvalid { problem } => vec![problem],
            Self::AgentLost {
                agent,
                infrastructure,
                ..
            }
            | Self::AgentRestarted {
                agent,
                infrastructure,
            } => vec![agent, infrastructure],
            Self::AgentCannotRun { agent, problem } => vec![agent, problem],
            Self::AgentForgotRun { agent }
            | Self::AgentEndedEarly { agent }
            | Self::AgentShutDown { agent }
            | Self::CoordinatorSilent { agent, .. }
            | Self::WorkersNotReady { agent, .. }
            | Self::SetUpDataTooLarge { agent, .. } => vec![agent],
            Self::AgentsNotReady { agents, .. } | Self::AgentsDidNotEnd { agents } => {
                agents.iter_mut().collect()
            }
            Self::Worker { agent, failure, .. } => [Some(agent), failure.text_mut()]
                .into_iter()
                .flatten()
                .collect(),
            Self::StoppedByUser | Self::CountsDisagree { .. } => Vec::new(),
        }
    }
}

/// The first of many, and how many there are beside them.
fn some_of(all: &[impl fmt::Display]) -> String {
    let (named, others) = all.split_at(all.len().min(MAX_NAMED));
    let mut text = named.iter().map(ToString::to_string).collect::<Vec<_>>();
    if !others.is_empty() {
        text.push(format!("and {} more", others.len()));
    }
    text.join(", ")
}

impl fmt::Display for FailureReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StoppedByUser => f.write_str("stopped early by a user"),
            Self::StoppedByScenario { text } if text.is_empty() => {
                f.write_str("stopped by the scenario")
            }
            Self::StoppedByScenario { text } => write!(f, "stopped by the scenario: {text}"),
            Self::ThresholdBreached { threshold, since_s } => {
                write!(
                    f,
                    "threshold `{threshold}` has been breached since second {since_s}"
                )
            }
            Self::AgentLost {
                agent,
                infrastructure,
                silent_s,
            } => write!(
                f,
                "agent {agent} of infrastructure {infrastructure} was lost: nothing heard from it for {silent_s} s"
            ),
            Self::AgentRestarted {
                agent,
                infrastructure,
            } => write!(
                f,
                "agent {agent} of infrastructure {infrastructure} was restarted during the run"
            ),
            Self::AgentForgotRun { agent } => {
                write!(f, "agent {agent} reconnected but no longer runs this test")
            }
            Self::AgentEndedEarly { agent } => {
                write!(f, "agent {agent} ended before the run started")
            }
            Self::AgentsNotReady { agents, within_s } => write!(
                f,
                "agent {} did not start its workers within {within_s} s",
                some_of(agents)
            ),
            Self::AgentsDidNotEnd { agents } => write!(
                f,
                "agent {} did not report the end of its load in time",
                some_of(agents)
            ),
            Self::AgentShutDown { agent } => write!(f, "agent {agent} was shut down"),
            Self::AgentCannotRun { agent, problem } => {
                write!(f, "agent {agent} cannot run the test: {problem}")
            }
            Self::CoordinatorSilent { agent, silent_ms } => write!(
                f,
                "agent {agent} heard nothing from the coordinator for {} s",
                *silent_ms as f64 / 1e3
            ),
            Self::WorkersNotReady {
                agent,
                workers,
                within_s,
            } => {
                write!(
                    f,
                    "worker {} on agent {agent} did not get ready within {within_s} s",
                    some_of(workers)
                )
            }
            Self::Worker {
                agent,
                worker,
                failure,
            } => write!(f, "worker {worker} on agent {agent} {failure}"),
            Self::AgentsMissing {
                infrastructure,
                free,
                least,
                within_s,
                machines,
            } => {
                write!(
                    f,
                    "{free} of {least} agents of infrastructure {infrastructure} were connected and free within {within_s} s"
                )?;
                match machines {
                    Some(machines) => write!(f, ": {machines}"),
                    None => Ok(()),
                }
            }
            Self::MachinesRefused {
                infrastructure,
                problem,
            } => write!(
                f,
                "infrastructure {infrastructure} did not make the machines: {problem}"
            ),
            Self::CannotBegin { problem }
            | Self::ShapeInvalid { problem }
            | Self::ProfileInvalid { problem } => f.write_str(problem),
            Self::SetUpDataTooLarge { agent, bytes } => write!(
                f,
                "the set-up data of agent {agent} has {bytes} bytes; the maximum is {MAX_SET_UP_DATA_BYTES}"
            ),
            Self::CountsDisagree { counted, saved } => f.write_str(&counted.against(saved)),
            Self::Other { text } => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests;

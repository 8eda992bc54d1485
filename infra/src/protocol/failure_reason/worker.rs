//! How a worker process fails: reported by itself or seen by its agent.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a worker failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum WorkerFailure {
    /// Its process cannot be started.
    NotStarted {
        /// Why not.
        problem: String,
    },
    /// It cannot run its part of the test, or the scenario's own preparation failed.
    Refused {
        /// Why.
        problem: String,
    },
    /// The thread that drives its users panicked.
    LoadThreadPanicked,
    /// Its load ended before it was asked to.
    LoadEnded {
        /// What the engine says about it; empty if it says nothing.
        problem: String,
    },
    /// Its users were still busy at the end of the stop timeout.
    UsersDidNotEnd {
        /// The stop timeout in seconds.
        stop_timeout_s: u64,
    },
    /// It stopped its load because nothing was heard from its agent.
    AgentSilent {
        /// For how long, in ms.
        silent_ms: u64,
    },
    /// A signal asked it to end.
    AskedToEnd {
        /// The signal's name.
        signal: String,
    },
    /// What it sent as results cannot be used.
    InvalidResults {
        /// Why not.
        problem: String,
    },
    /// What it sent is not a message.
    InvalidMessage {
        /// Why not.
        problem: String,
    },
    /// Its process ended unexpectedly.
    Exited {
        /// How, as text that follows the worker's name: `was killed by signal 9 (SIGKILL)`.
        how: String,
    },
    /// It did not end in time and was killed.
    Killed {
        /// How long after the stop timeout, in seconds.
        after_s: u64,
        /// The stop timeout in seconds.
        stop_timeout_s: u64,
    },
}

impl WorkerFailure {
    /// A word for programs, which does not change.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotStarted { .. } => "worker_not_started",
            Self::Refused { .. } => "worker_refused",
            Self::LoadThreadPanicked => "load_thread_panicked",
            Self::LoadEnded { .. } => "load_ended",
            Self::UsersDidNotEnd { .. } => "users_did_not_end",
            Self::AgentSilent { .. } => "agent_silent",
            Self::AskedToEnd { .. } => "worker_asked_to_end",
            Self::InvalidResults { .. } => "invalid_results",
            Self::InvalidMessage { .. } => "invalid_message",
            Self::Exited { .. } => "worker_exited",
            Self::Killed { .. } => "worker_killed",
        }
    }

    /// Whether it is the loss of the worker, without which a run may go on. What it sent and cannot be used is not: its
    /// results would be wrong, not missing. Nor is it that it or its users did not end in time: then all of the load was there.
    pub fn is_loss(&self) -> bool {
        match self {
            Self::LoadThreadPanicked
            | Self::LoadEnded { .. }
            | Self::AgentSilent { .. }
            | Self::AskedToEnd { .. }
            | Self::Exited { .. } => true,
            Self::NotStarted { .. }
            | Self::Refused { .. }
            | Self::UsersDidNotEnd { .. }
            | Self::Killed { .. }
            | Self::InvalidResults { .. }
            | Self::InvalidMessage { .. } => false,
        }
    }

    pub(super) fn text_mut(&mut self) -> Option<&mut String> {
        match self {
            Self::NotStarted { problem }
            | Self::Refused { problem }
            | Self::LoadEnded { problem }
            | Self::InvalidResults { problem }
            | Self::InvalidMessage { problem } => Some(problem),
            Self::AskedToEnd { signal } => Some(signal),
            Self::Exited { how } => Some(how),
            Self::LoadThreadPanicked
            | Self::UsersDidNotEnd { .. }
            | Self::AgentSilent { .. }
            | Self::Killed { .. } => None,
        }
    }
}

/// As text that follows the worker's name.
impl fmt::Display for WorkerFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted { problem } => write!(f, "cannot be started: {problem}"),
            Self::Refused { problem } => write!(f, "failed: {problem}"),
            Self::LoadThreadPanicked => {
                f.write_str("failed: the load thread panicked; see the log for the panic message")
            }
            Self::LoadEnded { problem } if problem.is_empty() => {
                f.write_str("failed: the load engine ended unexpectedly")
            }
            Self::LoadEnded { problem } => write!(f, "failed: {problem}"),
            Self::UsersDidNotEnd { stop_timeout_s } => write!(
                f,
                "failed: users did not end within the stop timeout of {stop_timeout_s}s"
            ),
            Self::AgentSilent { silent_ms } => write!(
                f,
                "failed: nothing heard from the agent for {} s, so the load was stopped",
                *silent_ms as f64 / 1e3
            ),
            Self::AskedToEnd { signal } => write!(f, "was asked to end by {signal}"),
            Self::InvalidResults { problem } => write!(f, "sent invalid results: {problem}"),
            Self::InvalidMessage { problem } => {
                write!(f, "failed: it sent an invalid message: {problem}")
            }
            Self::Exited { how } => f.write_str(how),
            Self::Killed {
                after_s,
                stop_timeout_s,
            } => write!(
                f,
                "did not end within {after_s} s of the stop timeout ({stop_timeout_s}s) and was killed"
            ),
        }
    }
}

//! Why an agent ended on its own.

use super::link::Refusal;

/// Why an agent ended on its own.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// It and its coordinator do not go together.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It was shut down before it was connected.
    #[error("the agent was shut down")]
    ShutDown,
    /// The one run that it was started for failed.
    #[error("the agent's run failed: {0}")]
    RunFailed(String),
    /// A defect: the agent's task panicked.
    #[error("the agent failed; see the log")]
    Panicked,
}

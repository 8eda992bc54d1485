//! What infrastructures and agents may be called, and why one cannot join.

use super::{MAX_AGENTS, MAX_INFRASTRUCTURES, MAX_SCENARIO_BYTES, SharedBudget};

/// Longest name of an infrastructure or agent, in bytes.
pub(super) const MAX_NAME_BYTES: usize = 100;

/// Why an infrastructure cannot be created or joined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum InfrastructureError {
    #[error(
        "`{0}` is not a valid infrastructure name; use 1 to {MAX_NAME_BYTES} letters, digits, dots, dashes, underscores or spaces"
    )]
    Name(String),
    #[error("an infrastructure named `{0}` already exists")]
    Exists(String),
    #[error("there are already {MAX_INFRASTRUCTURES} infrastructures, the maximum")]
    TooMany,
    #[error("{MAX_AGENTS} agents are already connected or take part in runs, the maximum")]
    TooManyAgents,
    #[error(
        "the agents of this token have their share of what all agents use ({0}) and no more is free for them; stop some of them, or use another token"
    )]
    TokenShare(SharedBudget),
    #[error(
        "the scenario lists of all agents exceed {} MiB; start all agents from one build",
        MAX_SCENARIO_BYTES >> 20
    )]
    TooManyScenarios,
}

/// Checks the name of an infrastructure (or an agent).
///
/// # Errors
/// [`InfrastructureError::Name`].
pub fn check_infrastructure_name(name: &str) -> Result<(), InfrastructureError> {
    let valid = !name.trim().is_empty()
        && name.len() <= MAX_NAME_BYTES
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ' '));
    if valid {
        Ok(())
    } else {
        Err(InfrastructureError::Name(name.chars().take(60).collect()))
    }
}

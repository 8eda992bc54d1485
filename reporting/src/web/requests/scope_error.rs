//! Why a part of a run cannot be answered.

use std::fmt;

use crate::store::{EmptyWindow, UnknownAgentName, UnknownEndpoint};

/// Why there is no such part of a run.
#[derive(Debug, thiserror::Error)]
pub(in crate::web) enum ScopeError {
    #[error("{name} must be a whole number of seconds, got `{got}`")]
    NotASecond { name: &'static str, got: String },
    #[error("saturated can only be `leave-out`, got `{0}`")]
    Saturated(String),
    #[error(transparent)]
    Window(#[from] EmptyWindow),
    #[error("the run has no results yet")]
    NoResults,
    #[error("from is {from}, but the last second with results is {last}")]
    BeyondTheEnd { from: u32, last: u32 },
    #[error("{0}; use method and name, such as `GET /path`")]
    NoSuchEndpoint(UnknownEndpoint),
    #[error("outcome must be `ok` or `failed`, got `{0}`")]
    NotAnOutcome(String),
    #[error("{0}{1}")]
    NoSuchAgent(UnknownAgentName, KnownAgents),
}

/// The names of a run's agents as the end of a message.
#[derive(Debug, Default)]
pub(in crate::web) struct KnownAgents(Vec<String>);

impl KnownAgents {
    pub(super) fn new(names: Vec<String>) -> Self {
        Self(names)
    }
}

impl fmt::Display for KnownAgents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(f, "; its agents: {}", self.0.join(", "))
    }
}

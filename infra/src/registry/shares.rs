//! What the agents of one token may take of what all agents share, so that no one token's agents keep out those of others.
//!
//! A quarter of it is a token's in any case. It may have more as long as no more than half of it is taken in all: a fleet
//! that is alone may be large, and others still find room. Agents with the coordinator's own token, or where none is needed, are
//! limited by the whole only.

use std::fmt;

use super::secret_options::MAX_SECRET_OPTIONS;
use super::{MAX_AGENTS, MAX_INFRASTRUCTURES, MAX_SCENARIO_BYTES};

/// What all agents share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SharedBudget {
    /// Places for agents.
    Agents,
    /// Bytes of memory for lists of scenarios.
    ScenarioBytes,
    /// Infrastructures that agents only named.
    Infrastructures,
    /// Options that are kept as secret.
    SecretOptions,
}

impl SharedBudget {
    pub(super) fn whole(self) -> usize {
        match self {
            Self::Agents => MAX_AGENTS,
            Self::ScenarioBytes => MAX_SCENARIO_BYTES,
            Self::Infrastructures => MAX_INFRASTRUCTURES,
            Self::SecretOptions => MAX_SECRET_OPTIONS,
        }
    }

    fn share(self) -> usize {
        self.whole() / 4
    }

    /// Whether a token's agents may take so much more, when all have taken so much. What they have taken themselves is asked only where it
    /// matters.
    pub(super) fn allows(
        self,
        more: usize,
        by_all: usize,
        by_token: impl FnOnce() -> usize,
    ) -> bool {
        by_all + more <= self.whole() / 2 || by_token() + more <= self.share()
    }
}

impl fmt::Display for SharedBudget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = self.share();
        match self {
            Self::Agents => write!(formatter, "{share} agents"),
            Self::ScenarioBytes => write!(
                formatter,
                "{} MiB of scenario lists, which agents of one build have once",
                share >> 20
            ),
            Self::Infrastructures => {
                write!(formatter, "{share} infrastructures in which nothing ran")
            }
            Self::SecretOptions => write!(formatter, "{share} secret options"),
        }
    }
}

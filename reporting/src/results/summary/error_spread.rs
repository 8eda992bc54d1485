//! How much of a run an error is, and where it occurred.

use serde::{Deserialize, Serialize};

#[cfg(feature = "coordinator")]
use crate::store::ErrorHistory;

/// Most agents of an error that are named.
#[cfg(feature = "coordinator")]
const MAX_AGENTS_NAMED: usize = 20;

/// How much of a run an error is, and where it occurred. Shares are fractions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct ErrorSpread {
    /// Which share of the endpoint's requests ended in it; null where it is not an error of requests.
    #[serde(default)]
    #[cfg_attr(feature = "coordinator", schema(required = true))]
    pub request_share: Option<f64>,
    /// Which share of all errors it is.
    #[serde(default)]
    pub error_share: f64,
    /// On how many agents it occurred.
    #[serde(default)]
    pub agent_count: u64,
    /// Their names, at most 20 of them.
    #[serde(default)]
    pub agents: Vec<String>,
    /// How many samples of it are kept over the whole run: failed requests with what came back.
    #[serde(default)]
    pub samples: u64,
}

#[cfg(feature = "coordinator")]
impl ErrorSpread {
    /// Of an error that occurred so often, at an endpoint with so many requests, in a run with so many errors.
    pub(super) fn of(occurrences: u64, requests: u64, errors: u64) -> Self {
        let share = |of: u64| (of > 0).then(|| occurrences as f64 / of as f64);
        Self {
            request_share: share(requests),
            error_share: share(errors).unwrap_or_default(),
            ..Self::default()
        }
    }

    /// Says on which agents it occurred, and how many samples there are of it.
    pub(crate) fn add(&mut self, known: &ErrorHistory) {
        self.samples = known.samples;
        self.agent_count = known.agents.len() as u64;
        let shown = known.agents.iter().take(MAX_AGENTS_NAMED);
        self.agents = shown
            .map(|name| crate::plain_text::plain_text(name))
            .collect();
    }

    /// The agents that a narrow place names, and how many others there are.
    pub(crate) fn first_agents(&self) -> (&[String], u64) {
        /// So many fit into a column.
        const FIRST: usize = 2;
        let first = &self.agents[..self.agents.len().min(FIRST)];
        (first, self.agent_count.saturating_sub(first.len() as u64))
    }
}

#[cfg(all(test, feature = "coordinator"))]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_a_share_of_its_endpoints_requests_and_of_all_errors() {
        let spread = ErrorSpread::of(3, 12, 6);
        assert_eq!(
            (spread.request_share, spread.error_share),
            (Some(0.25), 0.5)
        );
        let of_task = ErrorSpread::of(3, 0, 6);
        assert_eq!((of_task.request_share, of_task.error_share), (None, 0.5));
    }
}

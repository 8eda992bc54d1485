//! How many requests there were, as two sides count them.

use serde::{Deserialize, Serialize};

/// Requests, and how many of them failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Counted {
    pub requests: u64,
    pub failures: u64,
}

impl Counted {
    /// What to say when this is what the agents counted and something else is saved.
    pub fn against(&self, saved: &Self) -> String {
        format!(
            "the agents counted {} with {}, but {} with {} are saved",
            plural(self.requests, "request"),
            plural(self.failures, "failure"),
            saved.requests,
            saved.failures
        )
    }
}

/// So many of what this word names one of.
fn plural(count: u64, one: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {one}s"),
    }
}

//! How requests ended.

use serde::{Deserialize, Serialize};

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It did not fail.
    Ok,
    /// It failed.
    Failed,
}

/// How the requests of an interval ended. Successful and failed ones are counted apart, so that each are a sum of
/// intervals; in what earlier versions counted they are mixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcomes {
    /// All as this one.
    All(Outcome),
    /// Some failed and some did not; of which the times are is not known.
    Mixed,
}

impl Outcomes {
    /// Those of so many requests, of which so many failed.
    pub fn of(requests: u64, failures: u64) -> Self {
        match failures {
            0 => Self::All(Outcome::Ok),
            _ if failures == requests => Self::All(Outcome::Failed),
            _ => Self::Mixed,
        }
    }

    /// Whether all of them ended so.
    pub(crate) fn are(self, outcome: Outcome) -> bool {
        self == Self::All(outcome)
    }
}

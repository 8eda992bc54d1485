//! What came of a threshold, and of all of them: the verdict.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ThresholdUnit;
use crate::base::OTHER;

/// What came of a threshold, or how it stands while the run is in progress.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ThresholdResult {
    /// The threshold as text.
    pub condition: String,
    /// Its metric: `p95`, `ttfb.p95`, `error_rate`, …; `scenario` of what the scenario's code says.
    pub metric: String,
    /// The unit of `actual` and `limit`.
    pub unit: ThresholdUnit,
    /// What was measured; of a condition that must hold in any stretch of some seconds, in the worst of these. Null
    /// without data.
    pub actual: Option<f64>,
    /// What it is compared with; null where that is a baseline which is unknown, and of what the scenario's code says.
    pub limit: Option<f64>,
    /// How it stands.
    pub state: ThresholdState,
    /// Second of run time since which it is breached; null where it is not.
    pub breached_since_s: Option<u32>,
    /// What else there is to say, such as why there are no data; null for nothing.
    #[serde(default)]
    pub explanation: Option<String>,
}

/// How a threshold stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum ThresholdState {
    /// The run is in progress, and there are no data yet.
    Pending,
    /// The condition holds: so far, or in the end.
    Passed,
    /// The condition does not hold.
    Breached,
    /// The run is over, and there are no data: its endpoint was never requested, its phase never came, or its baseline is
    /// unknown. The verdict is then that the test failed, because what was to be proved was not.
    NoData,
}

/// What the thresholds, and the scenario's code, say of a run: whether the target is as it should be. How the run itself
/// went is its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum TestVerdict {
    /// All conditions hold.
    Passed,
    /// At least one does not, or could not be judged.
    Failed,
}

impl ThresholdResult {
    /// The metric of what the scenario's code says.
    pub const SCENARIO: &str = "scenario";

    /// That the scenario's code said, so many times and from this second on, that the test failed.
    pub fn of_scenario(reason: &str, times: u64, since_s: u32) -> Self {
        let reason = match reason {
            "" | OTHER => "further reasons",
            reason => reason,
        };
        Self {
            condition: format!("{}: {reason}", Self::SCENARIO),
            metric: Self::SCENARIO.to_owned(),
            unit: ThresholdUnit::Count,
            actual: Some(times as f64),
            limit: None,
            state: ThresholdState::Breached,
            breached_since_s: Some(since_s),
            explanation: Some("how often the scenario's code said it".to_owned()),
        }
    }

    /// What was measured, in words: `3.2 %, limit 1 %, breached since second 41`.
    pub fn measured_text(&self) -> String {
        let value = |value: f64| self.unit.text(value);
        let mut measured = match self.actual {
            Some(actual) => value(actual),
            None => "nothing measured".to_owned(),
        };
        // What a baseline says is not in the condition.
        if let Some(limit) = self.limit {
            measured += &format!(", limit {}", value(limit));
        }
        if let Some(since_s) = self.breached_since_s {
            measured += &format!(", breached since second {since_s}");
        }
        if let Some(explanation) = &self.explanation {
            measured += &format!(" ({explanation})");
        }
        measured
    }
}

impl ThresholdState {
    /// Whether it makes the verdict that the test failed.
    pub fn is_failed(self) -> bool {
        matches!(self, Self::Breached | Self::NoData)
    }
}

impl TestVerdict {
    /// The verdict of these thresholds; none if there are none, or if it is still open.
    pub fn of(results: &[ThresholdResult]) -> Option<Self> {
        if results.iter().any(|result| result.state.is_failed()) {
            return Some(Self::Failed);
        }
        let is_open = |result: &ThresholdResult| result.state == ThresholdState::Pending;
        (!results.is_empty() && !results.iter().any(is_open)).then_some(Self::Passed)
    }
}

impl fmt::Display for ThresholdState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "pending",
            Self::Passed => "passed",
            Self::Breached => "breached",
            Self::NoData => "no data",
        })
    }
}

impl fmt::Display for TestVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
        })
    }
}

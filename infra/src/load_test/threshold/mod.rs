//! A threshold: a condition on what a run measures, such as `p95 < 500ms for GET /checkout`, and what came of it.
//!
//! It is written as text everywhere:
//!
//! ```text
//! METRIC COMPARISON LIMIT [for ENDPOINT | for tag TAG] [during PHASE] [within DURATION] [abort after DURATION]
//! metric "NAME" STATISTIC COMPARISON LIMIT …
//! ```
//!
//! Its canonical text, which `Display` writes, stands for it wherever it is kept, sent or shown.

mod amount;
mod error;
mod limit;
mod metric;
mod parse;
mod result;
mod seconds;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::base::MAX_NAME_BYTES;

pub use amount::ThresholdUnit;
use amount::seconds_text;
pub use error::{ThresholdError, ThresholdProblem};
pub use limit::{BaselineChange, ThresholdLimit};
pub use metric::{CustomStatistic, Percentile, ThresholdMetric, TimeStatistic, TimedSpan};
pub(super) use parse::Clause;
pub use result::{TestVerdict, ThresholdResult, ThresholdState};
pub use seconds::NeverJudged;

/// What the name of a custom metric stands behind.
const METRIC: &str = "metric";
/// What a tag stands behind, in the place of a method.
const TAG: &str = "tag";

/// Most thresholds of a test: each is evaluated every second.
pub const MAX_THRESHOLDS: usize = 50;
/// Longest text of a threshold, in bytes: a name of the greatest length, each of whose bytes is escaped, and the rest.
pub const MAX_THRESHOLD_BYTES: usize = 2 * MAX_NAME_BYTES + 256;
/// Longest time of `within`, in seconds.
pub const MAX_WITHIN_S: u32 = 3_600;
/// Longest time of `abort after`, in seconds.
pub const MAX_ABORT_AFTER_S: u32 = 3_600;

/// A condition on what a run measures. It is breached when it does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Threshold {
    /// What is measured.
    pub metric: ThresholdMetric,
    /// How it must compare with the limit.
    pub comparison: Comparison,
    /// The limit.
    pub limit: ThresholdLimit,
    /// Which requests are meant.
    pub of: ThresholdSubject,
    /// Which part of the run is meant.
    pub during: ThresholdPhase,
    /// The condition must hold in any stretch of this many seconds, from 1 to [`MAX_WITHIN_S`]; none for the phase as a
    /// whole.
    pub within_s: Option<u32>,
    /// The run is stopped, and fails, when the condition has been breached for so many seconds, up to
    /// [`MAX_ABORT_AFTER_S`]; none lets it go on.
    pub abort_after_s: Option<u32>,
}

/// How a value must compare with a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Comparison {
    Below,
    AtMost,
    Above,
    AtLeast,
}

/// Which requests a threshold is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum ThresholdSubject {
    /// All of them together.
    #[default]
    All,
    /// Those of one endpoint.
    Endpoint {
        /// HTTP method or another kind of request, without spaces.
        method: String,
        /// Its name, up to [`MAX_NAME_BYTES`].
        name: String,
    },
    /// Those of tasks that have a tag, or are in a task set that has it.
    Tag {
        /// The tag, up to [`MAX_NAME_BYTES`].
        name: String,
    },
    /// None: the values of a custom metric.
    Metric {
        /// Its name, up to [`MAX_METRIC_NAME_BYTES`](crate::protocol::MAX_METRIC_NAME_BYTES).
        name: String,
    },
}

/// Which part of a run a threshold is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum ThresholdPhase {
    /// The run without its ramp-up, from where the load first stops rising.
    #[default]
    AfterRampUp,
    /// Until the load first stops rising.
    RampUp,
    /// The longest stretch in which the load does not change.
    Steady,
    /// From there to the end.
    RampDown,
    /// All of it.
    Whole,
}

impl Comparison {
    /// How each is written, the longer ones first.
    const SIGNS: [(&str, Self); 4] = [
        ("<=", Self::AtMost),
        (">=", Self::AtLeast),
        ("<", Self::Below),
        (">", Self::Above),
    ];

    /// Whether a value is within a limit. Both are finite.
    pub fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Self::Below => value < limit,
            Self::AtMost => value <= limit,
            Self::Above => value > limit,
            Self::AtLeast => value >= limit,
        }
    }

    /// Whether the limit is the most that a value may be.
    pub fn is_upper(self) -> bool {
        matches!(self, Self::Below | Self::AtMost)
    }

    /// How it is written.
    pub fn sign(self) -> &'static str {
        let mut signs = Self::SIGNS.into_iter();
        // Each of them is in the list.
        signs
            .find(|(_, known)| *known == self)
            .map_or("", |(sign, _)| sign)
    }
}

impl ThresholdPhase {
    /// How each is written, as the page calls the phases. The default is never written.
    pub const WORDS: [(&str, Self); 4] = [
        ("ramp-up", Self::RampUp),
        ("steady", Self::Steady),
        ("ramp-down", Self::RampDown),
        ("whole", Self::Whole),
    ];

    /// What holds where none is written, as text beside the thresholds of a run.
    pub const UNLESS_WRITTEN: &str = "Of the run without its ramp-up (until the load first stops rising), unless a threshold says otherwise";
}

impl Threshold {
    /// What the limit is where the metric was `baseline` in the run that it is compared with, in the metric's unit (see
    /// [`ThresholdUnit`]); none if it is about a baseline and that is unknown.
    pub fn limit_value(&self, baseline: Option<f64>) -> Option<f64> {
        self.limit.value(self.metric.unit(), baseline)
    }

    /// What is measured, as text: `p95`, `metric "tokens per second" p95`.
    pub fn metric_text(&self) -> String {
        match &self.of {
            ThresholdSubject::Metric { name } => {
                format!("{METRIC} {} {}", parse::in_quotes(name), self.metric)
            }
            _ => self.metric.to_string(),
        }
    }

    /// Whether a value is within a limit, both in the metric's unit. A baseline that is the best there can be, such as no
    /// failures, cannot be improved on: then the same is enough, `<` or not.
    pub fn holds(&self, value: f64, limit: f64) -> bool {
        let (least, greatest) = self.metric.unit().bounds();
        let best = match self.comparison.is_upper() {
            true => least,
            false => greatest,
        };
        let is_as_good = self.limit.is_of_baseline() && best == Some(limit) && value == limit;
        is_as_good || self.comparison.holds(value, limit)
    }
}

impl fmt::Display for ThresholdSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Endpoint { method, name } => write!(f, "{method} {name}"),
            Self::Tag { name } => write!(f, "{TAG} {name}"),
            Self::Metric { name } => f.write_str(name),
        }
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = self.metric.unit();
        let sign = self.comparison.sign();
        let limit = self.limit.text(unit);
        write!(f, "{} {sign} {limit}", self.metric_text())?;
        match &self.of {
            ThresholdSubject::All | ThresholdSubject::Metric { .. } => {}
            of @ (ThresholdSubject::Endpoint { .. } | ThresholdSubject::Tag { .. }) => {
                write!(f, " for {}", parse::quoted(&of.to_string()))?;
            }
        }
        if let Some(word) = self.during.word() {
            write!(f, " during {word}")?;
        }
        if let Some(seconds) = self.within_s {
            write!(f, " within {}", seconds_text(seconds))?;
        }
        if let Some(seconds) = self.abort_after_s {
            write!(f, " abort after {}", seconds_text(seconds))?;
        }
        Ok(())
    }
}

impl FromStr for Threshold {
    type Err = ThresholdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::from_parts(text, &[])
    }
}

impl Serialize for Threshold {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Threshold {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;

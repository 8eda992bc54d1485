//! What is wrong with the text of a threshold: which part, what is expected there, and the nearest known word.

use super::{MAX_ABORT_AFTER_S, MAX_THRESHOLD_BYTES, MAX_WITHIN_S, ThresholdUnit};
use crate::base::{DurationError, MAX_NAME_BYTES};
use crate::protocol::MAX_METRIC_NAME_BYTES;

/// Longest part of a text that a message repeats, in characters.
const MAX_SHOWN: usize = 60;
/// What may follow a limit.
const CLAUSES: &str = "`for`, `during`, `within` and `abort after`";

/// A text is not a threshold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("threshold `{text}`: {problem}")]
pub struct ThresholdError {
    /// The text, cut.
    pub text: String,
    /// What is wrong with it.
    pub problem: ThresholdProblem,
}

/// What is wrong with the text of a threshold; follows the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum ThresholdProblem {
    #[error("it is empty; write a condition such as `p95 < 500ms`")]
    Empty,
    #[error("it is longer than {MAX_THRESHOLD_BYTES} bytes, the maximum")]
    TooLong,
    #[error("it has control characters; write it on one line")]
    Control,
    #[error(
        "there is nothing to compare; write a metric, then <, <=, > or >=, then a limit, such as `p95 < 500ms`"
    )]
    NoComparison,
    #[error("`{found}` is not a valid comparison; {}", or_meant(.meant.as_deref(), "use <, <=, > or >="))]
    Comparison {
        found: String,
        meant: Option<String>,
    },
    #[error("the metric is missing before `{0}`; write one such as `p95`")]
    NoMetric(&'static str),
    #[error(
        "the statistic of the custom metric is missing before `{0}`; write one behind its name, such as `p95`"
    )]
    NoStatistic(&'static str),
    #[error(
        "`{found}` is not a valid metric; {}",
        or_meant(.nearest.as_deref(), "use a percentile such as p95, mean, median, min or max, also with ttfb. or intended. before it, or rps, requests, failures, error_rate, skipped or generator.saturated")
    )]
    Metric {
        found: String,
        nearest: Option<String>,
    },
    #[error(
        "the name of the custom metric is missing after `metric`; write it in quotation marks and a statistic behind it, such as `metric \"tokens per second\" p95 > 20`"
    )]
    NoMetricName,
    #[error(
        "the name of the custom metric is longer than {MAX_METRIC_NAME_BYTES} bytes, the maximum"
    )]
    LongMetricName,
    #[error(
        "`{found}` is not a valid statistic of a custom metric; {}",
        or_meant(.nearest.as_deref(), "use total, per_second or count of a counter, rate, last, min, max, mean, or a percentile such as p95")
    )]
    CustomStatistic {
        found: String,
        nearest: Option<String>,
    },
    #[error(
        "`{found}` is not a valid percentile; use one above 0 and up to 100 with at most 5 decimals, such as p95 or p99.9"
    )]
    Percentile { found: String },
    #[error(
        "`{found}` is not a valid metric; behind `{prefix}.` stands a statistic of times, such as `{prefix}.p95` or `{prefix}.mean`"
    )]
    NotATime { found: String, prefix: &'static str },
    #[error("the limit is missing after `{sign}`; use {}, or `baseline`", .unit.expected())]
    NoLimit {
        sign: &'static str,
        unit: ThresholdUnit,
    },
    #[error("`{found}` is not a valid limit of {metric}; {}", or_meant(.meant.as_deref(), &format!("use {}, or `baseline`", .unit.expected())))]
    Limit {
        found: String,
        metric: String,
        unit: ThresholdUnit,
        meant: Option<String>,
    },
    #[error("the limit `{found}` is too large; the maximum is {most}")]
    TooLarge { found: String, most: &'static str },
    #[error("{metric} is never below 0; use `<= 0` with the unit, or a limit above 0")]
    NeverBelow { metric: String },
    #[error("{metric} is never above {most}; use `>= {most}`, or a lower limit")]
    NeverAbove { metric: String, most: &'static str },
    #[error("`{found}` is not a valid limit; after `baseline` write + or -, then {}", changes(*.unit))]
    Change { found: String, unit: ThresholdUnit },
    #[error("`{found}` is not expected after the limit; {}", or_meant(.nearest.as_deref(), &format!("what may follow is {CLAUSES}")))]
    Unexpected {
        found: String,
        nearest: Option<String>,
    },
    #[error("`{0}` is given more than once")]
    Repeated(&'static str),
    #[error("`{clause}` is empty; write {expected} after it")]
    NoValue {
        clause: &'static str,
        expected: &'static str,
    },
    #[error("`abort` must be followed by `after` and a duration, such as `abort after 15s`")]
    AbortAfter,
    #[error("the quotation mark is not closed; use \\\" for one inside of a name")]
    OpenQuote,
    #[error("`{found}` is not expected after the quoted name; what may follow is {CLAUSES}")]
    AfterQuote { found: String },
    #[error(
        "`{found}` is not expected after the quoted name; write what follows it as keys of the table"
    )]
    AfterQuotedPart { found: String },
    #[error(
        "`{found}` is not an endpoint; write its method and its name as the table of endpoints shows them, such as `GET /checkout`, or a tag such as `tag api`, or `all`"
    )]
    Endpoint { found: String },
    #[error("the endpoint's name is longer than {MAX_NAME_BYTES} bytes, the maximum")]
    LongName,
    #[error("the tag is missing after `tag`; write one that tasks have, such as `tag api`")]
    NoTag,
    #[error("tags follow the word `tag`, and not `{found}`; did you mean `{meant}`?")]
    NotTheWordTag { found: String, meant: String },
    #[error("the tag is longer than {MAX_NAME_BYTES} bytes, the maximum")]
    LongTag,
    #[error(
        "{metric} is measured for the whole test and not for endpoints or tags; leave `for` out"
    )]
    NotOfRequests { metric: String },
    #[error("`{found}` is not a valid phase; {}", or_meant(.nearest.as_deref(), "use ramp-up, steady, ramp-down or whole, or leave `during` out for everything after the ramp-up"))]
    Phase {
        found: String,
        nearest: Option<String>,
    },
    #[error("`within` must be between 1s and {most} minutes, got {0}s", most = MAX_WITHIN_S / 60)]
    Within(u64),
    #[error("`abort after` must be at most {most} minutes, got {0}s", most = MAX_ABORT_AFTER_S / 60)]
    Abort(u64),
    #[error("`{clause}`: {error}")]
    Duration {
        clause: &'static str,
        error: DurationError,
    },
}

/// A text as messages repeat it.
pub(super) fn shown(text: &str) -> String {
    let plain = text.chars().filter(|c| !c.is_control());
    plain.take(MAX_SHOWN).collect()
}

fn or_meant(meant: Option<&str>, otherwise: &str) -> String {
    match meant {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => otherwise.to_owned(),
    }
}

fn changes(unit: ThresholdUnit) -> &'static str {
    match unit {
        ThresholdUnit::Ms => "a percentage such as 10% or a duration such as 50ms",
        ThresholdUnit::Share => {
            "a percentage of the baseline such as 10% or percentage points such as 0.5pp"
        }
        ThresholdUnit::PerSecond | ThresholdUnit::Count | ThresholdUnit::Number => {
            "a percentage such as 10% or a number such as 20"
        }
    }
}

//! Custom metrics: what a scenario counts beside its requests, by name.
//!
//! Values are whole numbers of millionths of their unit, so that sums are exact and do not depend on the order of what is added
//! or on the number of workers.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::{GeneratorNotice, NoticeKind};
use crate::base::visible_line;

/// Most custom metrics of a run; values of further ones are left out, and a notice says so.
pub const MAX_CUSTOM_METRICS: usize = 100;
/// Longest name of a custom metric, in bytes; longer ones are cut.
pub const MAX_METRIC_NAME_BYTES: usize = 120;
/// Longest unit, in bytes; longer ones are cut.
pub const MAX_METRIC_UNIT_BYTES: usize = 32;
/// Millionths in one.
pub const METRIC_ONE: i64 = 1_000_000;
/// Greatest value in millionths, and the negative of the least: 10^12 of the unit.
pub const MAX_METRIC_VALUE: i64 = 1_000_000_000_000 * METRIC_ONE;
/// Most values of one metric, second and agent.
pub const MAX_METRIC_COUNT: u64 = 1_000_000_000;

/// How the values of a custom metric add up.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum MetricKind {
    /// A total; no value is negative.
    #[default]
    Counter,
    /// The last value, the least and the greatest.
    Gauge,
    /// The share of values that are true, which are 1; others are 0.
    Rate,
    /// Statistics of all values, percentiles included.
    Histogram,
}

impl MetricKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Counter, Self::Gauge, Self::Rate, Self::Histogram];

    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Rate => "rate",
            Self::Histogram => "histogram",
        }
    }
}

impl fmt::Display for MetricKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What is measured.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CustomMetric {
    /// Its name, at most [`MAX_METRIC_NAME_BYTES`], as [`visible_line`] has it: what it is known by in a run.
    pub name: String,
    /// How its values add up.
    pub kind: MetricKind,
    /// The unit of its values, at most [`MAX_METRIC_UNIT_BYTES`]; empty without one.
    pub unit: String,
}

impl CustomMetric {
    /// A metric within the limits.
    pub fn new(name: &str, kind: MetricKind, unit: &str) -> Self {
        Self {
            name: visible_line(name, MAX_METRIC_NAME_BYTES),
            kind,
            unit: visible_line(unit, MAX_METRIC_UNIT_BYTES),
        }
    }

    /// The same within the limits.
    #[must_use]
    pub fn bounded(&self) -> Self {
        Self::new(&self.name, self.kind, &self.unit)
    }
}

/// What the values of one metric in one second add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MetricData {
    /// Second of run time.
    pub second: u32,
    /// Position in the list of metrics that goes with it.
    pub metric: u32,
    /// How many values there are, from 1 to [`MAX_METRIC_COUNT`].
    pub count: u64,
    /// Their sum in millionths, divided by 2^64, rounded down.
    pub sum_high: i64,
    /// The rest of the sum.
    pub sum_low: u64,
    /// The least value in millionths.
    pub min: i64,
    /// The greatest.
    pub max: i64,
    /// When the last one came, in µs of run time.
    pub last_at_us: u64,
    /// The last one.
    pub last: i64,
    /// How many values there are of which size, of a histogram; empty for others.
    pub counts: ByteBuf,
}

impl MetricData {
    /// Sets the sum.
    pub fn set_sum(&mut self, sum: i128) {
        self.sum_high = (sum >> 64) as i64;
        self.sum_low = sum as u64;
    }

    /// The sum in millionths.
    pub fn sum(&self) -> i128 {
        (i128::from(self.sum_high) << 64) | i128::from(self.sum_low)
    }
}

/// Why a value is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeftOut {
    /// It is not a number, infinite, or so large that it cannot be kept as millionths.
    NotFinite,
    /// It is beyond [`MAX_METRIC_VALUE`].
    TooLarge,
    /// A counter cannot go down.
    Negative,
    /// The metric has no name.
    NoName,
    /// The name is that of a metric of another kind or unit.
    Declared(CustomMetric),
    /// There are [`MAX_CUSTOM_METRICS`] others.
    TooMany,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFinite => f.write_str("a value was not a number, or far too large"),
            Self::TooLarge => f.write_str("a value was beyond 10^12"),
            Self::Negative => f.write_str("a counter was given a negative value"),
            Self::NoName => f.write_str("the metric has no name"),
            Self::Declared(known) if known.unit.is_empty() => {
                write!(
                    f,
                    "the run has a {} of this name without a unit",
                    known.kind
                )
            }
            Self::Declared(known) => {
                write!(
                    f,
                    "the run has a {} of this name in {}",
                    known.kind, known.unit
                )
            }
            Self::TooMany => write!(f, "a run has at most {MAX_CUSTOM_METRICS} custom metrics"),
        }
    }
}

impl LeftOut {
    /// What is said of so many values of the metric of this name that are left out in a second, beside the results.
    pub fn notice(&self, name: &str, second: u32, count: u64) -> GeneratorNotice {
        let name = visible_line(name, MAX_METRIC_NAME_BYTES);
        let subject = match self {
            // Their names may be as many as there are values.
            Self::TooMany => self.to_string(),
            _ if name.is_empty() => self.to_string(),
            _ => format!("{name}: {self}"),
        };
        GeneratorNotice {
            kind: NoticeKind::CustomMetric,
            worker: None,
            subject,
            first_second: second,
            last_second: second,
            count,
            worst: 0,
        }
    }
}

/// The custom metrics of a run by number, from 0 in the order in which they were met. Of each name the first one counts.
#[derive(Debug, Clone, Default)]
pub struct MetricNames {
    metrics: Vec<CustomMetric>,
    numbers: HashMap<String, u32>,
}

impl MetricNames {
    /// The number of a metric, a new one if its name is new.
    ///
    /// # Errors
    /// Why its values are left out.
    pub fn number(&mut self, name: &str, kind: MetricKind, unit: &str) -> Result<u32, LeftOut> {
        if let Some(number) = self.numbers.get(name) {
            return self.same(*number, kind, unit);
        }
        let metric = CustomMetric::new(name, kind, unit);
        if metric.name.is_empty() {
            return Err(LeftOut::NoName);
        }
        if let Some(number) = self.numbers.get(&metric.name) {
            return self.same(*number, kind, unit);
        }
        if self.metrics.len() >= MAX_CUSTOM_METRICS {
            return Err(LeftOut::TooMany);
        }
        // Never more than the cap.
        let number = self.metrics.len() as u32;
        self.numbers.insert(metric.name.clone(), number);
        self.metrics.push(metric);
        Ok(number)
    }

    /// This number, if the metric is of this kind and unit.
    fn same(&self, number: u32, kind: MetricKind, unit: &str) -> Result<u32, LeftOut> {
        let known = &self.metrics[number as usize];
        let is_same = known.kind == kind
            && (known.unit == unit || known.unit == visible_line(unit, MAX_METRIC_UNIT_BYTES));
        match is_same {
            true => Ok(number),
            false => Err(LeftOut::Declared(known.clone())),
        }
    }

    /// All metrics by number.
    pub fn metrics(&self) -> &[CustomMetric] {
        &self.metrics
    }
}

impl FromIterator<CustomMetric> for MetricNames {
    /// From metrics by number, as [`Self::metrics`] has them.
    fn from_iter<I: IntoIterator<Item = CustomMetric>>(metrics: I) -> Self {
        let metrics: Vec<CustomMetric> = metrics.into_iter().collect();
        let names = metrics.iter().map(|metric| metric.name.clone());
        Self {
            numbers: names.zip(0..).collect(),
            metrics,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::OTHER;

    #[test]
    fn of_each_name_the_first_counts() {
        let mut names = MetricNames::default();
        let tokens = names.number("tokens", MetricKind::Counter, "");
        assert_eq!(tokens, Ok(0));
        assert_eq!(names.number("depth", MetricKind::Gauge, "jobs"), Ok(1));
        assert_eq!(names.number("tokens", MetricKind::Counter, ""), Ok(0));
        let known = CustomMetric::new("tokens", MetricKind::Counter, "");
        for (kind, unit) in [(MetricKind::Gauge, ""), (MetricKind::Counter, "B")] {
            let left_out = names.number("tokens", kind, unit).unwrap_err();
            assert_eq!(left_out, LeftOut::Declared(known.clone()));
        }
        assert_eq!(
            names.number(" \n", MetricKind::Rate, ""),
            Err(LeftOut::NoName)
        );
    }

    #[test]
    fn names_that_read_alike_are_one() {
        let mut names = MetricNames::default();
        for name in ["tokens", "\u{202e}tokens", "tok\u{200f}ens ", "tokens\n"] {
            assert_eq!(names.number(name, MetricKind::Gauge, "\u{200e}s"), Ok(0));
        }
        assert_eq!(names.metrics()[0].name, "tokens");
        assert_eq!(names.metrics()[0].unit, "s");
        let direction_only = names.number("\u{2066}\u{2069}", MetricKind::Gauge, "");
        assert_eq!(direction_only, Err(LeftOut::NoName));
    }

    #[test]
    fn notices_say_what_was_left_out_and_by_whom() {
        let known = CustomMetric::new("depth", MetricKind::Gauge, "jobs");
        let declared = LeftOut::Declared(known).notice("depth", 4, 1);
        assert_eq!(
            declared.message(None),
            "second 4: 1 value of a custom metric was left out (depth: the run has a gauge of this name in jobs): correct the scenario's code"
        );
        let no_name = GeneratorNotice {
            worker: Some(2),
            ..LeftOut::NoName.notice(" \n", 4, 3)
        };
        assert_eq!(
            no_name.message(Some("a")),
            "second 4: 3 values of custom metrics were left out by worker 2 on agent a (the metric has no name): correct the scenario's code"
        );
        for subject in ["", OTHER] {
            let several = GeneratorNotice {
                subject: subject.to_owned(),
                ..declared.clone()
            };
            assert_eq!(
                several.message(None),
                "second 4: 1 value of a custom metric was left out for several reasons: correct the scenario's code"
            );
        }
    }

    #[test]
    fn names_and_their_number_are_bounded() {
        let mut names = MetricNames::default();
        let long = "ü".repeat(MAX_METRIC_NAME_BYTES);
        let number = names.number(&long, MetricKind::Rate, &long);
        assert_eq!(number, names.number(&long, MetricKind::Rate, &long));
        let metric = &names.metrics()[0];
        assert!(metric.name.len() <= MAX_METRIC_NAME_BYTES);
        assert!(metric.unit.len() <= MAX_METRIC_UNIT_BYTES);
        for number in 1..MAX_CUSTOM_METRICS {
            let name = number.to_string();
            assert_eq!(names.number(&name, MetricKind::Rate, ""), Ok(number as u32));
        }
        let beyond = names.number("one more", MetricKind::Rate, "");
        assert_eq!(beyond, Err(LeftOut::TooMany));
        assert_eq!(names.number("7", MetricKind::Rate, ""), Ok(7));
        let again: MetricNames = names.metrics().iter().cloned().collect();
        assert_eq!(again.clone().number("7", MetricKind::Rate, ""), Ok(7));
        assert_eq!(again.metrics(), names.metrics());
    }

    #[test]
    fn sums_of_any_sign_travel() {
        for sum in [
            0,
            1,
            -1,
            i128::from(i64::MIN),
            i128::from(u64::MAX) + 1,
            -(1_i128 << 90),
        ] {
            let mut data = MetricData::default();
            data.set_sum(sum);
            assert_eq!(data.sum(), sum);
        }
    }
}

//! What a threshold is about.

use std::fmt;

use super::ThresholdUnit;
use super::amount::{fixed, fixed_text, steps};
use super::error::{ThresholdProblem, shown};
use crate::base::nearest;
use crate::protocol::MetricKind;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ThresholdMetric {
    /// A statistic of how long requests took, in ms.
    Time(TimedSpan, TimeStatistic),
    /// Requests per second.
    RequestsPerSecond,
    /// Requests.
    Requests,
    /// Requests that failed.
    Failures,
    /// The share of requests that failed.
    ErrorRate,
    /// The share of iterations of an arrival rate that were skipped because all users were busy.
    Skipped,
    /// The share of seconds in which the load generator was saturated.
    Saturated,
    /// A statistic of the custom metric that the threshold is about.
    Custom(CustomStatistic),
}

/// Which time of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimedSpan {
    /// The response time.
    Response,
    /// From the call until the first byte of the response.
    FirstByte,
    /// The response time from the intended start.
    Intended,
}

/// A statistic of times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum TimeStatistic {
    Percentile(Percentile),
    Mean,
    Min,
    Max,
}

/// A statistic of a custom metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CustomStatistic {
    /// Of a counter the sum of what was added.
    Total,
    /// Of a counter the same per second.
    PerSecond,
    /// How many values there are.
    Count,
    /// Of a rate the share of values that are true.
    Rate,
    /// Of a gauge the last value.
    Last,
    /// Of a histogram its values, of a gauge only the least and the greatest.
    Values(TimeStatistic),
}

/// Those that are not of values, by name.
const CUSTOM_STATISTICS: [(&str, CustomStatistic); 5] = [
    ("total", CustomStatistic::Total),
    ("per_second", CustomStatistic::PerSecond),
    ("count", CustomStatistic::Count),
    ("rate", CustomStatistic::Rate),
    ("last", CustomStatistic::Last),
];

impl CustomStatistic {
    /// Whether metrics of a kind have it.
    pub fn is_of(self, kind: MetricKind) -> bool {
        match self {
            Self::Count => true,
            Self::Total | Self::PerSecond => kind == MetricKind::Counter,
            Self::Rate => kind == MetricKind::Rate,
            Self::Last => kind == MetricKind::Gauge,
            Self::Values(TimeStatistic::Min | TimeStatistic::Max) => {
                matches!(kind, MetricKind::Gauge | MetricKind::Histogram)
            }
            Self::Values(_) => kind == MetricKind::Histogram,
        }
    }

    fn unit(self) -> ThresholdUnit {
        match self {
            Self::Count => ThresholdUnit::Count,
            Self::PerSecond => ThresholdUnit::PerSecond,
            Self::Rate => ThresholdUnit::Share,
            Self::Total | Self::Last | Self::Values(_) => ThresholdUnit::Number,
        }
    }

    fn read(text: &str) -> Result<Self, ThresholdProblem> {
        let mut known = CUSTOM_STATISTICS.iter();
        if let Some((_, statistic)) = known.find(|(name, _)| *name == text) {
            return Ok(*statistic);
        }
        if let Some(statistic) = TimeStatistic::read(text)? {
            return Ok(Self::Values(statistic));
        }
        let known = CUSTOM_STATISTICS.iter().map(|(name, _)| *name);
        let known = known
            .chain(STATISTICS.iter().map(|(name, _)| *name))
            .chain(COMMON);
        Err(ThresholdProblem::CustomStatistic {
            found: shown(text),
            nearest: nearest(&text.to_ascii_lowercase(), known).map(str::to_owned),
        })
    }
}

impl fmt::Display for CustomStatistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Values(statistic) = self {
            return statistic.fmt(f);
        }
        let mut others = CUSTOM_STATISTICS.iter();
        // All others are in the list.
        let name = others.find(|(_, statistic)| statistic == self);
        f.write_str(name.map_or("", |(name, _)| name))
    }
}

/// A percentile above 0 and up to 100, with at most 5 decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percentile(u64);

const PERCENTILE_DECIMALS: usize = 5;
const PERCENTILE_STEPS: u64 = 100_000;

/// Metrics that are not times, by name.
const OTHERS: [(&str, ThresholdMetric); 6] = [
    ("rps", ThresholdMetric::RequestsPerSecond),
    ("requests", ThresholdMetric::Requests),
    ("failures", ThresholdMetric::Failures),
    ("error_rate", ThresholdMetric::ErrorRate),
    ("skipped", ThresholdMetric::Skipped),
    ("generator.saturated", ThresholdMetric::Saturated),
];
/// What stands before a statistic of another time than the response time.
const PREFIXES: [(&str, TimedSpan); 2] = [
    ("ttfb", TimedSpan::FirstByte),
    ("intended", TimedSpan::Intended),
];
/// Names of statistics, beside any percentile; the first of each is the one that is written.
const STATISTICS: [(&str, TimeStatistic); 4] = [
    ("mean", TimeStatistic::Mean),
    ("avg", TimeStatistic::Mean),
    ("min", TimeStatistic::Min),
    ("max", TimeStatistic::Max),
];
const MEDIAN: &str = "median";
/// Names that a misspelled one may mean.
const COMMON: [&str; 5] = ["p50", "p90", "p95", "p99", MEDIAN];

impl Percentile {
    const MEDIAN: Self = Self(50 * PERCENTILE_STEPS);

    /// The percentile of a number above 0 and up to 100, as it is written.
    fn read(text: &str) -> Option<Self> {
        let read = steps(fixed(text, PERCENTILE_DECIMALS)?);
        (1..=100 * PERCENTILE_STEPS)
            .contains(&read)
            .then_some(Self(read))
    }

    /// As a fraction of 1, above 0.
    pub fn fraction(self) -> f64 {
        self.0 as f64 / (100 * PERCENTILE_STEPS) as f64
    }
}

impl fmt::Display for Percentile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("p")?;
        f.write_str(&fixed_text(self.0, PERCENTILE_STEPS, PERCENTILE_DECIMALS))
    }
}

impl ThresholdMetric {
    /// The unit of its values and limits.
    pub fn unit(self) -> ThresholdUnit {
        match self {
            Self::Time(..) => ThresholdUnit::Ms,
            Self::RequestsPerSecond => ThresholdUnit::PerSecond,
            Self::Requests | Self::Failures => ThresholdUnit::Count,
            Self::ErrorRate | Self::Skipped | Self::Saturated => ThresholdUnit::Share,
            Self::Custom(statistic) => statistic.unit(),
        }
    }

    /// Whether requests have it, also those of an endpoint or a tag, and not only the run as a whole.
    pub fn is_of_requests(self) -> bool {
        !matches!(self, Self::Skipped | Self::Saturated | Self::Custom(_))
    }

    /// A statistic of a custom metric.
    pub(super) fn read_custom(text: &str) -> Result<Self, ThresholdProblem> {
        CustomStatistic::read(text).map(Self::Custom)
    }

    pub(super) fn read(text: &str) -> Result<Self, ThresholdProblem> {
        if let Some((_, metric)) = OTHERS.iter().find(|(name, _)| *name == text) {
            return Ok(*metric);
        }
        let prefixed = text.split_once('.').and_then(|(prefix, rest)| {
            let known = PREFIXES.iter().find(|(name, _)| *name == prefix);
            known.map(|(prefix, span)| (*prefix, *span, rest))
        });
        let (span, name) =
            prefixed.map_or((TimedSpan::Response, text), |(_, span, rest)| (span, rest));
        if let Some(statistic) = TimeStatistic::read(name)? {
            return Ok(Self::Time(span, statistic));
        }
        Err(match prefixed {
            Some((prefix, _, _)) => ThresholdProblem::NotATime {
                found: shown(text),
                prefix,
            },
            None => ThresholdProblem::Metric {
                found: shown(text),
                nearest: nearest_name(text),
            },
        })
    }
}

fn nearest_name(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let others = OTHERS.iter().map(|(name, _)| *name);
    let statistics = STATISTICS.iter().map(|(name, _)| *name);
    let known = others.chain(statistics).chain(COMMON);
    nearest(&lower, known).map(str::to_owned)
}

impl TimeStatistic {
    /// None if the name is that of something else.
    fn read(name: &str) -> Result<Option<Self>, ThresholdProblem> {
        if name == MEDIAN {
            return Ok(Some(Self::Percentile(Percentile::MEDIAN)));
        }
        if let Some((_, statistic)) = STATISTICS.iter().find(|(known, _)| *known == name) {
            return Ok(Some(*statistic));
        }
        let number = name.strip_prefix('p');
        let Some(number) = number.filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        else {
            return Ok(None);
        };
        match Percentile::read(number) {
            Some(percentile) => Ok(Some(Self::Percentile(percentile))),
            None => Err(ThresholdProblem::Percentile { found: shown(name) }),
        }
    }
}

impl fmt::Display for TimeStatistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percentile(percentile) => percentile.fmt(f),
            Self::Mean => f.write_str("mean"),
            Self::Min => f.write_str("min"),
            Self::Max => f.write_str("max"),
        }
    }
}

impl fmt::Display for ThresholdMetric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Time(span, statistic) = self {
            if let Some((prefix, _)) = PREFIXES.iter().find(|(_, known)| known == span) {
                write!(f, "{prefix}.")?;
            }
            return statistic.fmt(f);
        }
        if let Self::Custom(statistic) = self {
            return statistic.fmt(f);
        }
        let mut others = OTHERS.iter();
        // All others are in the list.
        let name = others.find(|(_, metric)| metric == self);
        f.write_str(name.map_or("", |(name, _)| name))
    }
}

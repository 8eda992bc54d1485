//! The statistics of some requests as people and programs read them, and the one list of percentiles.
//!
//! Times are milliseconds with µs precision. Without requests everything is 0. Everything is always written; what has a
//! default is missing from the answers of older coordinators, which newer clients read.

use serde::{Deserialize, Serialize};

use crate::measure::interval::{Interval, Measure, SparseInterval, Times, ms};

/// The statistics of all requests, or of those of one endpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct Stats {
    /// Requests, failures included.
    pub requests: u64,
    /// Requests that failed.
    pub failures: u64,
    /// Failures / requests.
    #[serde(default)]
    #[cfg_attr(feature = "coordinator", schema(required = true))]
    pub error_rate: f64,
    /// Bytes of response bodies, decoded.
    #[serde(default)]
    #[cfg_attr(feature = "coordinator", schema(required = true))]
    pub bytes: u64,
    /// Response times.
    #[serde(flatten)]
    pub response: TimeStats,
    /// Response times from the intended start; null when no request has one (users without a pace).
    #[serde(default)]
    #[cfg_attr(feature = "coordinator", schema(required = true))]
    pub intended: Option<IntendedStats>,
    /// Times to the first byte of the answer; null when none is known.
    #[serde(default)]
    #[cfg_attr(feature = "coordinator", schema(required = true))]
    pub first_byte: Option<FirstByteStats>,
    /// Requests that were timed only until the first byte of the answer.
    #[serde(default)]
    #[cfg_attr(feature = "coordinator", schema(required = true))]
    pub first_byte_only: u64,
}

impl Stats {
    /// Those of an interval.
    pub fn of(interval: &Interval) -> Self {
        let sums = interval.sums();
        Self {
            requests: sums.requests(),
            failures: sums.failures,
            error_rate: sums.error_rate(),
            bytes: sums.bytes,
            response: TimeStats::of(interval, Measure::Response, sums.response),
            intended: IntendedStats::of(interval),
            first_byte: FirstByteStats::of(interval),
            first_byte_only: sums.first_byte_only,
        }
    }
}

/// Response times from the moment at which a paced user or an arrival rate meant the request to begin. They
/// include how late it began, so that a target that stalls cannot hide it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct IntendedStats {
    /// Requests that have an intended start.
    pub requests: u64,
    /// Their response times from it.
    #[serde(flatten)]
    pub times: TimeStats,
}

impl IntendedStats {
    fn of(interval: &Interval) -> Option<Self> {
        let times = interval.sums().intended;
        (times.count > 0).then(|| Self {
            requests: times.count,
            times: TimeStats::of(interval, Measure::Intended, times),
        })
    }
}

/// Times from the start of a request to the first byte of its answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct FirstByteStats {
    /// Requests of which it is known.
    pub requests: u64,
    /// Mean.
    pub avg_ms: f64,
}

impl FirstByteStats {
    fn of(interval: &Interval) -> Option<Self> {
        let times = interval.sums().first_byte;
        (times.count > 0).then(|| Self {
            requests: times.count,
            avg_ms: (times.sum_us as f64 / times.count as f64).round() / 1e3,
        })
    }
}

/// A percentile of [`TimeStats`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct ShownPercentile {
    /// Its field's name.
    pub(crate) key: &'static str,
    /// Its title in Locust's tables.
    pub(crate) title: &'static str,
    /// How it is marked where there is little room.
    pub(crate) mark: &'static str,
    /// Its name in words.
    pub(crate) label: &'static str,
    /// Whether it is shown where there is room for few.
    pub(crate) in_brief: bool,
    /// Whether latency bars have it.
    pub(crate) on_bar: bool,
    /// Its value.
    pub(crate) ms: f64,
}

impl ShownPercentile {
    /// Its name on the page: `p95`.
    pub(crate) fn name(&self) -> &'static str {
        self.key.trim_end_matches("_ms")
    }
}

/// Every percentile there is, in ascending order. All of them are columns of Locust's tables and CSV files. What
/// follows an arrow makes one a field of [`TimeStats`], too, and with it part of the summary, what the API answers and the columns of Endpoint
/// Statistics; one that is brief is shown on the card, in tooltips and in the table of times from the intended start, too.
macro_rules! percentiles {
    ($($fraction:literal $title:literal $(=> $key:ident, $mark:literal, $label:literal, in_brief: $in_brief:literal, on_bar: $on_bar:literal)?;)+) => {
        /// Times in ms.
        // The progress of an older coordinator has few of them.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default)]
        #[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
        pub struct TimeStats {
            /// Mean.
            #[cfg_attr(feature = "coordinator", schema(required = true))]
            pub avg_ms: f64,
            /// Least.
            #[cfg_attr(feature = "coordinator", schema(required = true))]
            pub min_ms: f64,
            /// Greatest.
            #[cfg_attr(feature = "coordinator", schema(required = true))]
            pub max_ms: f64,
            $($(
                #[doc = $label]
                #[cfg_attr(feature = "coordinator", schema(required = true))]
                pub $key: f64,
            )?)+
        }

        impl TimeStats {
            /// Of these times of an interval.
            fn of(interval: &Interval, measure: Measure, times: Times) -> Self {
                Self::with(times, interval.percentiles_of(measure, SHOWN_FRACTIONS))
            }

            /// Of the response times of an interval that is kept small.
            pub(crate) fn of_sparse(interval: &SparseInterval) -> Self {
                Self::with(interval.sums.response, interval.percentiles_us(SHOWN_FRACTIONS))
            }

            fn with(times: Times, percentiles: Option<[u64; SHOWN]>) -> Self {
                let [$($($key,)?)+] = percentiles.unwrap_or_default().map(ms);
                Self {
                    avg_ms: times.avg_ms(),
                    min_ms: ms(times.min_us),
                    max_ms: ms(times.max_us),
                    $($($key,)?)+
                }
            }

            /// Its percentiles in ascending order.
            pub(crate) fn all_percentiles(&self) -> [ShownPercentile; SHOWN] {
                [$($(ShownPercentile {
                    key: stringify!($key),
                    title: $title,
                    mark: $mark,
                    label: $label,
                    in_brief: $in_brief,
                    on_bar: $on_bar,
                    ms: self.$key,
                },)?)+]
            }
        }

        /// How many percentiles [`TimeStats`] have.
        const SHOWN: usize = [$($(stringify!($key),)?)+].len();

        /// The fraction of the requests that are faster, of each of these.
        const SHOWN_FRACTIONS: [f64; SHOWN] = [$($({
            let _ = stringify!($key);
            $fraction
        },)?)+];

        /// The same of each percentile.
        pub(crate) const FRACTIONS: [f64; PERCENTILES] = [$($fraction),+];

        /// The title of each percentile.
        pub(crate) const PERCENTILE_TITLES: [&str; PERCENTILES] = [$($title),+];

        /// How many percentiles there are.
        pub(crate) const PERCENTILES: usize = [$($title),+].len();
    };
}

percentiles! {
    0.50 "50%" => p50_ms, "M", "Median", in_brief: true, on_bar: true;
    0.66 "66%";
    0.75 "75%" => p75_ms, "75", "75th percentile", in_brief: false, on_bar: false;
    0.80 "80%";
    0.90 "90%" => p90_ms, "90", "90th percentile", in_brief: true, on_bar: false;
    0.95 "95%" => p95_ms, "95", "95th percentile", in_brief: true, on_bar: true;
    0.98 "98%" => p98_ms, "98", "98th percentile", in_brief: false, on_bar: false;
    0.99 "99%" => p99_ms, "99", "99th percentile", in_brief: true, on_bar: true;
    0.999 "99.9%" => p999_ms, "99.9", "99.9th percentile", in_brief: false, on_bar: false;
    0.9999 "99.99%" => p9999_ms, "99.99", "99.99th percentile", in_brief: false, on_bar: false;
    1.0 "100%";
}

impl TimeStats {
    /// Those of its percentiles that are shown where there is room for few, in ascending order.
    pub(crate) fn percentiles(&self) -> Vec<ShownPercentile> {
        let all = self.all_percentiles().into_iter();
        all.filter(|percentile| percentile.in_brief).collect()
    }
}

/// A percentile for a reader that computes it.
#[cfg(feature = "coordinator")]
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct PercentileKey {
    /// Its title in Locust's tables.
    pub(crate) title: &'static str,
    /// The fraction of the requests that are faster.
    pub(crate) fraction: f64,
    /// The name of its field of [`TimeStats`], if it has one.
    pub(crate) key: Option<&'static str>,
}

/// Every percentile, in ascending order.
#[cfg(feature = "coordinator")]
pub(crate) fn percentile_keys() -> Vec<PercentileKey> {
    let shown = TimeStats::default().all_percentiles();
    let titles = PERCENTILE_TITLES.into_iter().zip(FRACTIONS);
    titles
        .map(|(title, fraction)| PercentileKey {
            title,
            fraction,
            key: shown
                .iter()
                .find(|shown| shown.title == title)
                .map(|shown| shown.key),
        })
        .collect()
}

/// The position of the median among them.
pub(crate) const MEDIAN: usize = 0;
const _: () = assert!(FRACTIONS[MEDIAN] == 0.5, "the median comes first");

/// A time in whole ms.
pub(crate) fn whole_ms(ms: f64) -> u64 {
    ((ms * 1e3).round() as u64 + 500) / 1_000
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn percentiles_ascend_and_are_those_of_the_histogram() {
        assert!(FRACTIONS.is_sorted());
        let mut interval = Interval::default();
        for millis in 1..=1_000 {
            interval.record(Duration::from_millis(millis), None, 3, None);
        }
        let stats = Stats::of(&interval);
        assert_eq!((stats.requests, stats.bytes), (1_000, 3_000));
        assert_eq!(
            (stats.response.min_ms, stats.response.max_ms),
            (1.0, 1_000.0)
        );
        assert_eq!(stats.intended, None);
        for shown in stats.response.all_percentiles() {
            let at = PERCENTILE_TITLES
                .iter()
                .position(|title| *title == shown.title);
            let fraction = FRACTIONS[at.unwrap()];
            let expected = interval.percentile_us(fraction).unwrap();
            assert_eq!(shown.ms, ms(expected), "{}", shown.key);
        }
    }

    #[test]
    fn keys_stand_beside_each_other_and_those_missing_from_older_coordinators_are_zero() {
        let older = r#"{"requests": 2, "failures": 0, "p95_ms": 1.5}"#;
        let stats: Stats = serde_json::from_str(older).unwrap();
        assert_eq!((stats.requests, stats.response.p95_ms), (2, 1.5));
        assert!(serde_json::from_str::<Stats>(r#"{"p95_ms": 1.5}"#).is_err());
        let json = serde_json::to_value(stats).unwrap();
        let object = json.as_object().unwrap();
        for percentile in stats.response.all_percentiles() {
            assert_eq!(object[percentile.key], percentile.ms);
        }
        assert!(object.values().all(|value| !value.is_object()));
    }
}

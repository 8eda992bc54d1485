//! Custom metrics as a summary has them.

use greylag_infra::MetricKind;
use serde::{Deserialize, Serialize};

/// A custom metric over the seconds of a summary, of all agents and endpoints together. What its kind does not have is null, and
/// what has no values is, too, but for totals.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct SummaryMetric {
    /// Its name.
    pub name: String,
    /// How its values add up.
    pub kind: MetricKind,
    /// The unit of its values; empty without one.
    pub unit: String,
    /// How many values there are.
    pub count: u64,
    /// Of a counter and a histogram the sum of all values; of a rate how many are true.
    #[cfg_attr(feature = "coordinator", schema(required = true))]
    pub total: Option<f64>,
    /// Of a counter the total per second: of the whole run, or of the window that was asked for.
    #[cfg_attr(feature = "coordinator", schema(required = true))]
    pub per_second: Option<f64>,
    /// Of a rate the share of values that are true, from 0 to 1.
    #[cfg_attr(feature = "coordinator", schema(required = true))]
    pub rate: Option<f64>,
    /// Of a gauge the last value.
    #[cfg_attr(feature = "coordinator", schema(required = true))]
    pub last: Option<f64>,
    /// Of a gauge and a histogram the least value.
    #[cfg_attr(feature = "coordinator", schema(required = true))]
    pub min: Option<f64>,
    /// Of a gauge and a histogram the greatest value.
    #[cfg_attr(feature = "coordinator", schema(required = true))]
    pub max: Option<f64>,
    /// Of a histogram the average value.
    #[cfg_attr(feature = "coordinator", schema(required = true))]
    pub avg: Option<f64>,
    /// Of a histogram the value below which 50 % of the values lie, within 0.1 %.
    #[cfg_attr(feature = "coordinator", schema(required = true))]
    pub p50: Option<f64>,
    /// The same of 90 %.
    #[cfg_attr(feature = "coordinator", schema(required = true))]
    pub p90: Option<f64>,
    /// The same of 95 %.
    #[cfg_attr(feature = "coordinator", schema(required = true))]
    pub p95: Option<f64>,
    /// The same of 99 %.
    #[cfg_attr(feature = "coordinator", schema(required = true))]
    pub p99: Option<f64>,
}

#[cfg(feature = "coordinator")]
impl SummaryMetric {
    /// A metric over so many seconds.
    pub(crate) fn of(totals: &crate::store::MetricTotals, elapsed_s: f64) -> Self {
        use crate::measure::custom::in_units;

        let crate::store::MetricTotals { metric, sums } = totals;
        let numbers = &sums.numbers;
        let some = |value: i64| (!sums.is_empty()).then(|| in_units(value.into()));
        let empty = Self {
            name: metric.name.clone(),
            kind: metric.kind,
            unit: metric.unit.clone(),
            count: numbers.count,
            ..Self::default()
        };
        match metric.kind {
            MetricKind::Counter => Self {
                total: Some(numbers.total()),
                per_second: Some(if elapsed_s > 0.0 {
                    numbers.total() / elapsed_s
                } else {
                    0.0
                }),
                ..empty
            },
            MetricKind::Rate => Self {
                total: Some(numbers.total()),
                rate: numbers.mean(),
                ..empty
            },
            MetricKind::Gauge => Self {
                last: some(numbers.last),
                min: some(numbers.min),
                max: some(numbers.max),
                ..empty
            },
            MetricKind::Histogram => {
                let percentiles = sums.percentiles([0.5, 0.9, 0.95, 0.99]);
                let percentile = |at: usize| percentiles.map(|all| in_units(all[at].into()));
                Self {
                    total: Some(numbers.total()),
                    min: some(numbers.min),
                    max: some(numbers.max),
                    avg: numbers.mean(),
                    p50: percentile(0),
                    p90: percentile(1),
                    p95: percentile(2),
                    p99: percentile(3),
                    ..empty
                }
            }
        }
    }
}

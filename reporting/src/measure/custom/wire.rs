//! Values of custom metrics as they go over the wire, and what is checked of those that come.

use greylag_infra::protocol::{
    MAX_METRIC_COUNT, MAX_METRIC_VALUE, METRIC_ONE, MetricData, MetricKind,
};
use serde_bytes::ByteBuf;

use super::positions::position_at;
use super::{MetricNumbers, MetricSums, PackedMetric, visit_counts};
use crate::measure::histogram_codec::HistogramError;

/// Why values of a custom metric are refused. Each is a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum MetricError {
    #[error("the sizes of a custom metric's values are not valid: {0}")]
    Counts(HistogramError),
    #[error("a custom metric has {0} values in a second; it must be 1 to {MAX_METRIC_COUNT}")]
    Count(u64),
    #[error("a custom metric has values beyond 10^12")]
    TooLarge,
    #[error("a custom metric's least, greatest, last value and sum do not fit each other")]
    Numbers,
    #[error("the values of a {kind} cannot be these")]
    Kind { kind: MetricKind },
    #[error("a custom metric has {counted} values by size but {count} values")]
    CountMismatch { counted: u64, count: u64 },
}

impl MetricSums {
    /// As it goes over the wire. `metric` is the position in the list that goes with it.
    pub fn to_wire(&self, second: u32, metric: u32) -> MetricData {
        let numbers = self.numbers;
        let mut data = MetricData {
            second,
            metric,
            count: numbers.count,
            min: numbers.min,
            max: numbers.max,
            last_at_us: numbers.last_at_us,
            last: numbers.last,
            counts: ByteBuf::from(self.counts_as_bytes()),
            ..MetricData::default()
        };
        data.set_sum(numbers.sum);
        data
    }
}

/// Checks values of a metric of this kind.
///
/// # Errors
/// See [`MetricError`].
pub fn check_metric(kind: MetricKind, data: &MetricData) -> Result<PackedMetric, MetricError> {
    let numbers = MetricNumbers {
        count: data.count,
        sum: data.sum(),
        min: data.min,
        max: data.max,
        last_at_us: data.last_at_us,
        last: data.last,
    };
    check_numbers(kind, &numbers)?;
    let (mut counted, mut ends) = (0_u64, None);
    visit_counts(&data.counts, |position, count| {
        counted = counted.saturating_add(count);
        ends = Some((ends.map_or(position, |ends: (u32, u32)| ends.0), position));
    })
    .map_err(MetricError::Counts)?;
    if kind != MetricKind::Histogram {
        return match data.counts.is_empty() {
            true => Ok(packed(numbers, data)),
            false => Err(MetricError::Kind { kind }),
        };
    }
    if counted != numbers.count {
        let count = numbers.count;
        return Err(MetricError::CountMismatch { counted, count });
    }
    if ends != Some((position_at(numbers.min), position_at(numbers.max))) {
        return Err(MetricError::Numbers);
    }
    Ok(packed(numbers, data))
}

fn packed(numbers: MetricNumbers, data: &MetricData) -> PackedMetric {
    PackedMetric {
        numbers,
        counts: data.counts.as_slice().into(),
    }
}

fn check_numbers(kind: MetricKind, numbers: &MetricNumbers) -> Result<(), MetricError> {
    let MetricNumbers {
        count,
        sum,
        min,
        max,
        last,
        ..
    } = *numbers;
    if !(1..=MAX_METRIC_COUNT).contains(&count) {
        return Err(MetricError::Count(count));
    }
    if min < -MAX_METRIC_VALUE || max > MAX_METRIC_VALUE {
        return Err(MetricError::TooLarge);
    }
    let of = |value: i64| i128::from(value) * i128::from(count);
    if min > max || !(min..=max).contains(&last) || !(of(min)..=of(max)).contains(&sum) {
        return Err(MetricError::Numbers);
    }
    let is_possible = match kind {
        MetricKind::Counter => min >= 0,
        MetricKind::Rate => {
            let is_share = |value| value == 0 || value == METRIC_ONE;
            is_share(min) && is_share(max) && sum % i128::from(METRIC_ONE) == 0
        }
        MetricKind::Gauge | MetricKind::Histogram => true,
    };
    match is_possible {
        true => Ok(()),
        false => Err(MetricError::Kind { kind }),
    }
}

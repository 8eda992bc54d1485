//! Values of custom metrics as they go over the wire, and what is checked of those that come.

use greylag_infra::protocol::{
    MAX_METRIC_COUNT, MAX_METRIC_VALUE, METRIC_ONE, MetricData, MetricKind,
};
use serde_bytes::ByteBuf;

use super::positions::position_at;
use super::{MetricNumbers, MetricSums, PackedMetric, visit_counts};
use crate::measure::histogram_codec::HistogramError;

/// Most values of a stored row, and its latest time in µs: JSON has no greater whole numbers.
const MAX_STORED: u64 = 1 << 53;

/// Why values of a custom metric are refused. Each is a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum MetricError {
    #[error("the sizes of a custom metric's values are not valid: {0}")]
    Counts(HistogramError),
    #[error("a custom metric has {count} values; it must be 1 to {most}")]
    Count { count: u64, most: u64 },
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

/// Checks values of a metric of this kind in a second.
///
/// # Errors
/// See [`MetricError`].
pub fn check_metric(kind: MetricKind, data: &MetricData) -> Result<PackedMetric, MetricError> {
    let packed = PackedMetric {
        numbers: MetricNumbers {
            count: data.count,
            sum: data.sum(),
            min: data.min,
            max: data.max,
            last_at_us: data.last_at_us,
            last: data.last,
        },
        counts: data.counts.as_slice().into(),
    };
    check(kind, &packed, MAX_METRIC_COUNT)?;
    Ok(packed)
}

/// Checks what values of a metric of this kind add up to in a stored row.
///
/// # Errors
/// See [`MetricError`].
pub(crate) fn check_stored(kind: MetricKind, packed: &PackedMetric) -> Result<(), MetricError> {
    if packed.numbers.last_at_us > MAX_STORED {
        return Err(MetricError::Numbers);
    }
    check(kind, packed, MAX_STORED)
}

fn check(kind: MetricKind, packed: &PackedMetric, most: u64) -> Result<(), MetricError> {
    let PackedMetric { numbers, counts } = packed;
    check_numbers(kind, numbers, most)?;
    let (mut counted, mut ends) = (0_u64, None);
    visit_counts(counts, |position, count| {
        counted = counted.saturating_add(count);
        ends = Some((ends.map_or(position, |ends: (u32, u32)| ends.0), position));
    })
    .map_err(MetricError::Counts)?;
    if kind != MetricKind::Histogram {
        return match counts.is_empty() {
            true => Ok(()),
            false => Err(MetricError::Kind { kind }),
        };
    }
    let count = numbers.count;
    if counted != count {
        return Err(MetricError::CountMismatch { counted, count });
    }
    match ends == Some((position_at(numbers.min), position_at(numbers.max))) {
        true => Ok(()),
        false => Err(MetricError::Numbers),
    }
}

fn check_numbers(kind: MetricKind, numbers: &MetricNumbers, most: u64) -> Result<(), MetricError> {
    let MetricNumbers {
        count,
        sum,
        min,
        max,
        last,
        ..
    } = *numbers;
    if !(1..=most).contains(&count) {
        return Err(MetricError::Count { count, most });
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

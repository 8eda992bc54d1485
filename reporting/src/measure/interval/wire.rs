//! Intervals as they go over the wire, and what is checked of those that come.

use greylag_infra::protocol::{ErrorCount, IntervalData};
use serde_bytes::ByteBuf;

use super::measures::{MAX_STATUS, Measure, PerMeasure};
use super::packed::PackedInterval;
use super::sparse::SparseInterval;
use super::sums::{Sums, Times};
use super::{Interval, MAX_COUNT};
use crate::measure::histogram_codec::{HistogramError, position_of};
use crate::measure::packed_counts::{Extent, PackedCounts};

/// Greatest response time and greatest sums of one interval on the wire (µs or bytes, 2^56): sums over the
/// longest run stay far below 2^63.
const MAX_SUM: u64 = 1 << 56;

/// Why an interval from the wire is refused. Each is a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum IntervalError {
    #[error(transparent)]
    Histogram(#[from] HistogramError),
    #[error("the histogram of {of} counts {counted} requests, the interval says {requests}")]
    CountMismatch {
        of: &'static str,
        counted: u64,
        requests: u64,
    },
    #[error("the interval has status codes of {counted} requests, but {requests} requests")]
    MoreStatusesThanRequests { counted: u64, requests: u64 },
    #[error("the interval has the status code {0}; the greatest is {MAX_STATUS}")]
    Status(u32),
    #[error("the interval has {failures} failures in {requests} requests")]
    MoreFailuresThanRequests { failures: u64, requests: u64 },
    #[error("the interval has more times to first byte ({ttfb_count}) than requests ({requests})")]
    MoreFirstBytesThanRequests { ttfb_count: u64, requests: u64 },
    #[error("the interval has more intended starts ({intended_count}) than requests ({requests})")]
    MoreIntendedThanRequests { intended_count: u64, requests: u64 },
    #[error(
        "the interval has more requests that were timed to the first byte only ({first_byte_only}) than requests ({requests})"
    )]
    MoreFirstByteOnlyThanRequests { first_byte_only: u64, requests: u64 },
    #[error(
        "the interval's least, greatest and sum of {of} do not fit each other or their histogram"
    )]
    Times { of: &'static str },
    #[error("the interval has bytes of answers but no requests")]
    BytesOfNothing,
    #[error("the interval has numbers that no second can have")]
    TooLarge,
}

impl Interval {
    /// As it goes over the wire. `endpoint` is the position in the snapshot's endpoints.
    pub fn to_wire(&self, second: u32, endpoint: u32) -> IntervalData {
        self.as_data(second, endpoint, true)
    }

    /// The same with histograms that are larger and cost a fifth of the time, for short ways.
    pub fn to_plain_wire(&self, second: u32, endpoint: u32) -> IntervalData {
        self.as_data(second, endpoint, false)
    }

    fn as_data(&self, second: u32, endpoint: u32, compress: bool) -> IntervalData {
        let counts = |measure| PackedCounts::from(&self.counts[measure].to_bucket_counts());
        let errors = self.errors.iter();
        let errors = errors.map(|(error, occurrences)| ErrorCount {
            error: error.clone(),
            occurrences: *occurrences,
        });
        IntervalData {
            errors: errors.collect(),
            ..to_wire(&self.sums, counts, second, endpoint, compress)
        }
    }

    /// Reads and checks what came over the wire.
    ///
    /// # Errors
    /// See [`IntervalError`].
    pub fn from_wire(data: &IntervalData) -> Result<Self, IntervalError> {
        let mut interval = Self::default();
        interval.add(&check_wire(data)?);
        for error in &data.errors {
            interval.record_error(&error.error, error.occurrences);
        }
        Ok(interval)
    }
}

impl SparseInterval {
    /// As it goes over the wire. `endpoint` is the position in the snapshot's endpoints.
    pub fn to_wire(&self, second: u32, endpoint: u32) -> IntervalData {
        let counts = |measure| PackedCounts::from(&self.counts[measure]);
        to_wire(&self.sums, counts, second, endpoint, true)
    }
}

/// An interval without errors as it goes over the wire.
fn to_wire(
    sums: &Sums,
    counts: impl Fn(Measure) -> PackedCounts,
    second: u32,
    endpoint: u32,
    compress: bool,
) -> IntervalData {
    let mut data = IntervalData {
        second,
        endpoint,
        ..IntervalData::default()
    };
    sums.write_to_wire(&mut data);
    for measure in Measure::ALL {
        let encoded = measure.encode(&counts(measure), compress);
        *measure.of_wire_mut(&mut data) = ByteBuf::from(encoded);
    }
    data
}

/// Checks an interval from the wire and reads its histograms.
///
/// # Errors
/// See [`IntervalError`].
pub fn check_wire(data: &IntervalData) -> Result<SparseInterval, IntervalError> {
    let (sums, counts) = check(data, Measure::decode_sparse)?;
    Ok(SparseInterval { sums, counts })
}

/// As [`check_wire`], with the histograms as bytes.
///
/// # Errors
/// See [`IntervalError`].
pub(crate) fn check_wire_packed(data: &IntervalData) -> Result<PackedInterval, IntervalError> {
    let (sums, counts) = check(data, Measure::decode)?;
    Ok(PackedInterval { sums, counts })
}

/// Checks an interval, whose counts are read so.
fn check<T: Default>(
    data: &IntervalData,
    decode: impl Fn(Measure, &[u8]) -> Result<(T, Extent), HistogramError>,
) -> Result<(Sums, PerMeasure<T>), IntervalError> {
    let sums = check_sums(data)?;
    let mut has_first_bytes = false;
    let counts = PerMeasure::try_from_fn(|measure| {
        let (counts, extent) = decode(measure, measure.of_wire(data))?;
        check_counts(&sums, measure, extent)?;
        has_first_bytes |= measure == Measure::FirstByte && extent.total > 0;
        Ok::<_, IntervalError>(counts)
    })?;
    Ok((sums.measured(has_first_bytes), counts))
}

fn check_sums(data: &IntervalData) -> Result<Sums, IntervalError> {
    let errors = data
        .errors
        .iter()
        .map(|error| error.occurrences)
        .fold(0, u64::saturating_add);
    let sums = Sums::of_wire(data);
    if sums.requests() > MAX_COUNT || errors > MAX_COUNT {
        return Err(IntervalError::TooLarge);
    }
    check_parts(&sums)?;
    if sums.requests() == 0 && sums.bytes > 0 {
        return Err(IntervalError::BytesOfNothing);
    }
    if sums.numbers().iter().any(|number| *number > MAX_SUM) {
        return Err(IntervalError::TooLarge);
    }
    Ok(sums)
}

fn check_counts(sums: &Sums, measure: Measure, counts: Extent) -> Result<(), IntervalError> {
    let of = measure.name_in_errors();
    let Some(times) = measure.times_in(sums) else {
        return check_statuses(sums, counts);
    };
    if measure == Measure::FirstByte && counts.total == 0 {
        // Earlier versions have only their number and their sum.
        return Ok(());
    }
    if counts.total != times.count {
        return Err(IntervalError::CountMismatch {
            of,
            counted: counts.total,
            requests: times.count,
        });
    }
    if !fit(times, counts) {
        return Err(IntervalError::Times { of });
    }
    Ok(())
}

fn check_statuses(sums: &Sums, counts: Extent) -> Result<(), IntervalError> {
    if counts.total > sums.requests() {
        return Err(IntervalError::MoreStatusesThanRequests {
            counted: counts.total,
            requests: sums.requests(),
        });
    }
    match counts.ends {
        Some((_, greatest)) if greatest > MAX_STATUS => Err(IntervalError::Status(greatest)),
        _ => Ok(()),
    }
}

/// No part of the requests is more than all of them.
fn check_parts(sums: &Sums) -> Result<(), IntervalError> {
    let requests = sums.requests();
    if sums.failures > requests {
        return Err(IntervalError::MoreFailuresThanRequests {
            failures: sums.failures,
            requests,
        });
    }
    if sums.first_byte.count > requests {
        return Err(IntervalError::MoreFirstBytesThanRequests {
            ttfb_count: sums.first_byte.count,
            requests,
        });
    }
    if sums.intended.count > requests {
        return Err(IntervalError::MoreIntendedThanRequests {
            intended_count: sums.intended.count,
            requests,
        });
    }
    if sums.first_byte_only > requests {
        return Err(IntervalError::MoreFirstByteOnlyThanRequests {
            first_byte_only: sums.first_byte_only,
            requests,
        });
    }
    Ok(())
}

/// Whether extremes and sum can be those of times that are counted so.
fn fit(times: Times, counts: Extent) -> bool {
    match counts.ends {
        None => times.min_us == 0 && times.max_us == 0 && times.sum_us == 0,
        Some(ends) => {
            let sum = u128::from(times.sum_us);
            let count = u128::from(times.count);
            times.min_us <= times.max_us
                && ends == (position_of(times.min_us), position_of(times.max_us))
                && sum >= count * u128::from(times.min_us)
                && sum <= count * u128::from(times.max_us)
        }
    }
}

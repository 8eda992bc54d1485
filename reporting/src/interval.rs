//! The unit of measurement: what happened to one endpoint in some stretch of run time.
//!
//! Intervals add up: seconds to windows, workers to agents to runs, endpoints to the Aggregated row. Every
//! number anywhere is read from such a sum, percentiles from its histogram, last.

use std::collections::BTreeMap;
use std::time::Duration;

use greylag_infra::protocol::{ErrorCount, IntervalData, MAX_ERROR_BYTES, MAX_ERRORS, OTHER, cut};
use hdrhistogram::Histogram;
use serde_bytes::ByteBuf;

use crate::histogram_codec::{
    BucketCounts, DIGITS, HIGHEST_US, HistogramError, position_of, value_at,
};

/// Most requests, errors or times of one interval on the wire: what one endpoint can do in a second, with
/// plenty to spare, so that sums over the longest run stay far below 2^63.
pub(crate) const MAX_COUNT: u64 = 1_000_000_000;
/// Greatest response time and greatest sums of one interval on the wire (µs or bytes, 2^56), likewise.
const MAX_SUM: u64 = 1 << 56;

/// A sum of requests with everything that is told about them. All times are response times in µs.
#[derive(Debug, Clone)]
pub struct Interval {
    /// Requests, failures included.
    pub requests: u64,
    /// Requests that failed.
    pub failures: u64,
    /// Bytes of response bodies, decoded.
    pub bytes: u64,
    /// Least response time, exact; 0 without requests.
    pub min_us: u64,
    /// Greatest response time, exact; 0 without requests.
    pub max_us: u64,
    /// Sum of response times, exact.
    pub sum_us: u64,
    /// Sum of times to first byte.
    pub ttfb_sum_us: u64,
    /// Requests that have a time to first byte.
    pub ttfb_count: u64,
    /// Errors by text, at most [`MAX_ERRORS`] texts and [`OTHER`].
    pub errors: BTreeMap<String, u64>,
    histogram: Histogram<u64>,
}

/// Why an interval from the wire is refused. Each is one sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum IntervalError {
    #[error(transparent)]
    Histogram(#[from] HistogramError),
    #[error("the histogram counts {counted} requests, the interval says {requests}")]
    CountMismatch { counted: u64, requests: u64 },
    #[error("the interval has {failures} failures in {requests} requests")]
    MoreFailuresThanRequests { failures: u64, requests: u64 },
    #[error("the interval has more times to first byte ({ttfb_count}) than requests ({requests})")]
    MoreFirstBytesThanRequests { ttfb_count: u64, requests: u64 },
    #[error(
        "the interval's least, greatest and sum of response times do not fit each other or its histogram"
    )]
    Times,
    #[error("the interval has numbers that no second can have")]
    TooLarge,
}

impl Default for Interval {
    fn default() -> Self {
        Self {
            requests: 0,
            failures: 0,
            bytes: 0,
            min_us: 0,
            max_us: 0,
            sum_us: 0,
            ttfb_sum_us: 0,
            ttfb_count: 0,
            errors: BTreeMap::new(),
            histogram: Histogram::new(DIGITS).expect("3 digits are within what the library allows"),
        }
    }
}

impl Interval {
    /// Counts one request. An error makes it a failure.
    pub fn record(
        &mut self,
        response: Duration,
        ttfb: Option<Duration>,
        bytes: u64,
        error: Option<&str>,
    ) {
        let response_us = micros(response);
        self.min_us = if self.requests == 0 {
            response_us
        } else {
            self.min_us.min(response_us)
        };
        self.max_us = self.max_us.max(response_us);
        self.requests += 1;
        self.sum_us = self.sum_us.saturating_add(response_us);
        self.bytes = self.bytes.saturating_add(bytes);
        if let Some(ttfb) = ttfb {
            self.ttfb_sum_us = self.ttfb_sum_us.saturating_add(micros(ttfb));
            self.ttfb_count += 1;
        }
        self.count_value(response_us.min(HIGHEST_US), 1);
        if let Some(error) = error {
            self.failures += 1;
            self.record_error(error, 1);
        }
    }

    /// Counts errors that are no failed request (a task's panic, say). Texts are cut to
    /// [`MAX_ERROR_BYTES`]; beyond [`MAX_ERRORS`] texts further ones count as [`OTHER`].
    pub fn record_error(&mut self, error: &str, occurrences: u64) {
        let error = cut(error, MAX_ERROR_BYTES);
        let known = self.errors.contains_key(error.as_ref());
        let key = if known || self.errors.len() < MAX_ERRORS {
            error.as_ref()
        } else {
            OTHER
        };
        match self.errors.get_mut(key) {
            Some(count) => *count = count.saturating_add(occurrences),
            None => {
                self.errors.insert(key.to_owned(), occurrences);
            }
        }
    }

    /// Adds another interval.
    pub fn merge(&mut self, other: &Interval) {
        self.merge_numbers(other);
        for (error, occurrences) in &other.errors {
            self.record_error(error, *occurrences);
        }
    }

    /// Adds another interval without its errors, as the Aggregated row needs it.
    pub fn merge_numbers(&mut self, other: &Interval) {
        if other.requests > 0 {
            self.min_us = if self.requests == 0 {
                other.min_us
            } else {
                self.min_us.min(other.min_us)
            };
            self.max_us = self.max_us.max(other.max_us);
        }
        self.requests = self.requests.saturating_add(other.requests);
        self.failures = self.failures.saturating_add(other.failures);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
        self.ttfb_sum_us = self.ttfb_sum_us.saturating_add(other.ttfb_sum_us);
        self.ttfb_count = self.ttfb_count.saturating_add(other.ttfb_count);
        self.histogram
            .add(&other.histogram)
            .expect("an auto-resizing histogram takes every value up to 1 h");
    }

    /// Forgets everything but keeps the memory, for the next second.
    pub fn reset(&mut self) {
        self.requests = 0;
        self.failures = 0;
        self.bytes = 0;
        self.min_us = 0;
        self.max_us = 0;
        self.sum_us = 0;
        self.ttfb_sum_us = 0;
        self.ttfb_count = 0;
        self.errors.clear();
        self.histogram.reset();
    }

    /// Whether there is nothing in it, not even an error.
    pub fn is_empty(&self) -> bool {
        self.requests == 0 && self.errors.is_empty()
    }

    /// The response time below which the fraction `q` (0 to 1) of the requests lies: of the N sorted
    /// response times the one at index `min(int(N * q), N - 1)`, as Locust defines it. Exact up to 2 ms,
    /// within 0.1 % above, and never outside the exact least and greatest. None without requests.
    pub fn percentile_us(&self, q: f64) -> Option<u64> {
        let last = self.requests.checked_sub(1)?;
        let index = ((self.requests as f64 * q.clamp(0.0, 1.0)) as u64).min(last);
        if index == last {
            return Some(self.max_us);
        }
        // The library takes the value at rank ceil(quantile * N), counted from 1; the half keeps that
        // at index + 1 whatever the rounding of the quotient.
        let quantile = (index as f64 + 0.5) / self.requests as f64;
        let value = self
            .histogram
            .median_equivalent(self.histogram.value_at_quantile(quantile));
        Some(value.clamp(self.min_us, self.max_us))
    }

    /// Mean response time in µs, not rounded. None without requests.
    pub fn avg_us(&self) -> Option<f64> {
        (self.requests > 0).then(|| self.sum_us as f64 / self.requests as f64)
    }

    /// Failures / requests, 0 without requests.
    pub fn error_rate(&self) -> f64 {
        if self.requests == 0 {
            0.0
        } else {
            self.failures as f64 / self.requests as f64
        }
    }

    /// Response times with their counts in ascending order, each the least of its histogram bucket
    /// (exact up to 2 ms, then 0.1 % wide).
    pub fn distribution(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.histogram.iter_recorded().map(|step| {
            let value = self.histogram.lowest_equivalent(step.value_iterated_to());
            (value, step.count_at_value())
        })
    }

    /// As it goes over the wire. `endpoint` is the position in the snapshot's endpoints.
    pub fn to_wire(&self, second: u32, endpoint: u32) -> IntervalData {
        IntervalData {
            second,
            endpoint,
            requests: self.requests,
            failures: self.failures,
            bytes: self.bytes,
            min_us: self.min_us,
            max_us: self.max_us,
            sum_us: self.sum_us,
            ttfb_sum_us: self.ttfb_sum_us,
            ttfb_count: self.ttfb_count,
            histogram: ByteBuf::from(self.bucket_counts().encode_compressed()),
            errors: self
                .errors
                .iter()
                .map(|(error, occurrences)| ErrorCount {
                    error: error.clone(),
                    occurrences: *occurrences,
                })
                .collect(),
            ..IntervalData::default()
        }
    }

    /// Reads and checks what came over the wire.
    ///
    /// # Errors
    /// See [`IntervalError`].
    pub fn from_wire(data: &IntervalData) -> Result<Self, IntervalError> {
        let counts = check_wire(data)?;
        let mut interval = Self {
            requests: data.requests,
            failures: data.failures,
            bytes: data.bytes,
            min_us: data.min_us,
            max_us: data.max_us,
            sum_us: data.sum_us,
            ttfb_sum_us: data.ttfb_sum_us,
            ttfb_count: data.ttfb_count,
            ..Self::default()
        };
        interval.count_all(&counts);
        for error in &data.errors {
            interval.record_error(&error.error, error.occurrences);
        }
        Ok(interval)
    }

    /// The histogram's counts.
    pub(crate) fn bucket_counts(&self) -> BucketCounts {
        BucketCounts::from_ascending(
            self.distribution()
                .map(|(value, count)| (position_of(value), count))
                .collect(),
        )
    }

    /// Adds counts to the histogram alone; whoever calls it adds the numbers.
    pub(crate) fn count_all(&mut self, counts: &BucketCounts) {
        // From the greatest down, so that the histogram grows at most once.
        for (position, count) in counts.iter().rev() {
            self.count_value(value_at(position), count);
        }
    }

    fn count_value(&mut self, value: u64, count: u64) {
        self.histogram
            .record_n(value, count)
            .expect("an auto-resizing histogram takes every value up to 1 h");
    }
}

/// Checks an interval from the wire and reads its histogram.
pub(crate) fn check_wire(data: &IntervalData) -> Result<BucketCounts, IntervalError> {
    let requests = data.requests;
    let errors = data
        .errors
        .iter()
        .map(|error| error.occurrences)
        .fold(0, u64::saturating_add);
    if requests > MAX_COUNT
        || errors > MAX_COUNT
        || [data.bytes, data.max_us, data.sum_us, data.ttfb_sum_us]
            .iter()
            .any(|sum| *sum > MAX_SUM)
    {
        return Err(IntervalError::TooLarge);
    }
    if data.failures > requests {
        return Err(IntervalError::MoreFailuresThanRequests {
            failures: data.failures,
            requests,
        });
    }
    if data.ttfb_count > requests {
        return Err(IntervalError::MoreFirstBytesThanRequests {
            ttfb_count: data.ttfb_count,
            requests,
        });
    }
    let counts = BucketCounts::decode(&data.histogram)?;
    if counts.total() != requests {
        return Err(IntervalError::CountMismatch {
            counted: counts.total(),
            requests,
        });
    }
    let ends = counts.ends();
    let fits = match ends {
        None => data.min_us == 0 && data.max_us == 0 && data.sum_us == 0 && data.bytes == 0,
        Some(ends) => {
            let sum = u128::from(data.sum_us);
            let requests = u128::from(requests);
            data.min_us <= data.max_us
                && ends == (position_of(data.min_us), position_of(data.max_us))
                && sum >= requests * u128::from(data.min_us)
                && sum <= requests * u128::from(data.max_us)
        }
    };
    if !fits {
        return Err(IntervalError::Times);
    }
    Ok(counts)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

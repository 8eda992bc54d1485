//! The unit of measurement: what happened to one endpoint in some stretch of run time.
//!
//! Intervals add up: seconds to windows, workers to agents to runs, endpoints to the Aggregated row. Every
//! number anywhere is read from such a sum, percentiles from its histograms, last.

mod packed;
mod sparse;
mod sums;
mod wire;

use std::collections::BTreeMap;
use std::time::Duration;

use greylag_infra::protocol::{MAX_ERROR_BYTES, MAX_ERRORS, OTHER, cut};
use hdrhistogram::Histogram;

use self::sums::micros;
use crate::measure::histogram_codec::{BucketCounts, DIGITS, HIGHEST_US, position_of, value_at};

pub(crate) use self::packed::{IntervalSum, PackedInterval};
pub use self::sparse::SparseInterval;
pub(crate) use self::sums::{NUMBER_NAMES, NUMBERS, ms};
pub use self::sums::{Sums, TimeSum, Times};
pub(crate) use self::wire::check_wire_packed;
pub use self::wire::{IntervalError, check_wire};

/// Most requests, errors or times of one interval on the wire: what one endpoint can do in a second, with
/// plenty to spare, so that sums over the longest run stay far below 2^63.
pub(crate) const MAX_COUNT: u64 = 1_000_000_000;

/// A sum of requests with its histograms, which have an array each: for counting requests and for few sums that many
/// are added to. Of many intervals a [`SparseInterval`] is kept.
#[derive(Debug, Clone)]
pub struct Interval {
    sums: Sums,
    /// Errors by text, at most [`MAX_ERRORS`] texts and [`OTHER`].
    pub errors: BTreeMap<String, u64>,
    response: Histogram<u64>,
    /// Times from the intended start; users without a pace have none and need no memory for it.
    intended: Option<Box<Histogram<u64>>>,
}

impl Default for Interval {
    fn default() -> Self {
        Self {
            sums: Sums::default(),
            errors: BTreeMap::new(),
            response: empty_histogram(),
            intended: None,
        }
    }
}

impl Interval {
    /// Counts one request. An error makes it a failure.
    pub fn record(
        &mut self,
        response: Duration,
        first_byte: Option<Duration>,
        bytes: u64,
        error: Option<&str>,
    ) {
        let response_us = micros(response);
        self.sums.response.merge(Times::one(response_us));
        self.sums.bytes = self.sums.bytes.saturating_add(bytes);
        if let Some(first_byte) = first_byte {
            self.sums.first_byte.merge(TimeSum {
                count: 1,
                sum_us: micros(first_byte),
            });
        }
        count_value(&mut self.response, response_us.min(HIGHEST_US), 1);
        if let Some(error) = error {
            self.sums.failures += 1;
            self.record_error(error, 1);
        }
    }

    /// Counts the response time of the request just recorded from its intended start, for users that have
    /// a pace or an arrival rate. At most once per request.
    pub fn record_intended(&mut self, from_intended_start: Duration) {
        let us = micros(from_intended_start);
        self.sums.intended.merge(Times::one(us));
        count_value(self.intended_mut(), us.min(HIGHEST_US), 1);
    }

    /// Says of the request just recorded that its response time ends with the first byte of the answer. At
    /// most once per request.
    pub fn count_first_byte_only(&mut self) {
        self.sums.first_byte_only += 1;
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
        self.sums.merge(&other.sums);
        add(&mut self.response, &other.response);
        if let Some(theirs) = other.intended.as_deref().filter(|h| !h.is_empty()) {
            add(self.intended_mut(), theirs);
        }
    }

    /// Adds an interval that has no errors.
    pub fn add(&mut self, other: &SparseInterval) {
        self.sums.merge(&other.sums);
        count_all(&mut self.response, &other.response);
        if !other.intended.is_empty() {
            count_all(self.intended_mut(), &other.intended);
        }
    }

    /// Forgets everything but keeps the memory, for the next second.
    pub fn reset(&mut self) {
        self.sums = Sums::default();
        self.errors.clear();
        self.response.reset();
        if let Some(intended) = self.intended.as_deref_mut() {
            intended.reset();
        }
    }

    /// Whether there is nothing in it, not even an error.
    pub fn is_empty(&self) -> bool {
        self.requests() == 0 && self.errors.is_empty()
    }

    /// What it counts. It changes only together with the histograms.
    pub fn sums(&self) -> &Sums {
        &self.sums
    }

    /// Requests, failures included.
    pub fn requests(&self) -> u64 {
        self.sums.requests()
    }

    /// The response time below which the fraction `q` (0 to 1) of the requests lies: of the N sorted
    /// response times the one at index `min(int(N * q), N - 1)`, as Locust defines it. Exact up to 2 ms,
    /// within 0.1 % above, and never outside the exact least and greatest. None without requests.
    pub fn percentile_us(&self, q: f64) -> Option<u64> {
        percentile(self.sums.response, &self.response, q)
    }

    /// The percentiles of several fractions.
    pub(crate) fn percentiles_us<const N: usize>(&self, fractions: [f64; N]) -> Option<[u64; N]> {
        (self.requests() > 0).then(|| fractions.map(|q| self.percentile_us(q).unwrap_or(0)))
    }

    /// As [`Self::percentile_us`], of the response times from the intended start. None when no request has
    /// one.
    pub fn intended_percentile_us(&self, q: f64) -> Option<u64> {
        percentile(self.sums.intended, self.intended.as_deref()?, q)
    }

    /// Response times with their counts in ascending order, each the least of its histogram bucket
    /// (exact up to 2 ms, then 0.1 % wide).
    pub fn distribution(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        distribution(&self.response)
    }

    /// The counts of the times from the intended start.
    fn intended_counts(&self) -> BucketCounts {
        let intended = self.intended.as_deref();
        intended.map(bucket_counts).unwrap_or_default()
    }

    fn intended_mut(&mut self) -> &mut Histogram<u64> {
        self.intended
            .get_or_insert_with(|| Box::new(empty_histogram()))
    }
}

fn empty_histogram() -> Histogram<u64> {
    Histogram::new(DIGITS).expect("3 digits are within what the library allows")
}

fn add(sum: &mut Histogram<u64>, added: &Histogram<u64>) {
    sum.add(added)
        .expect("an auto-resizing histogram takes every value up to 1 h");
}

fn count_value(histogram: &mut Histogram<u64>, value: u64, count: u64) {
    histogram
        .record_n(value, count)
        .expect("an auto-resizing histogram takes every value up to 1 h");
}

fn count_all(histogram: &mut Histogram<u64>, counts: &BucketCounts) {
    // From the greatest down, so that the histogram grows at most once.
    for (position, count) in counts.iter().rev() {
        count_value(histogram, value_at(position), count);
    }
}

fn distribution(histogram: &Histogram<u64>) -> impl Iterator<Item = (u64, u64)> + '_ {
    histogram.iter_recorded().map(|step| {
        let value = histogram.lowest_equivalent(step.value_iterated_to());
        (value, step.count_at_value())
    })
}

fn bucket_counts(histogram: &Histogram<u64>) -> BucketCounts {
    BucketCounts::from_ascending(
        distribution(histogram)
            .map(|(value, count)| (position_of(value), count))
            .collect(),
    )
}

fn percentile(times: Times, histogram: &Histogram<u64>, q: f64) -> Option<u64> {
    let last = times.count.checked_sub(1)?;
    let index = ((times.count as f64 * q.clamp(0.0, 1.0)) as u64).min(last);
    if index == last {
        return Some(times.max_us);
    }
    // The library takes the value at rank ceil(quantile * N), counted from 1; the half keeps that
    // at index + 1 whatever the rounding of the quotient.
    let quantile = (index as f64 + 0.5) / times.count as f64;
    let value = histogram.median_equivalent(histogram.value_at_quantile(quantile));
    Some(value.clamp(times.min_us, times.max_us))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_without_a_pace_need_no_memory_for_it() {
        let mut interval = Interval::default();
        interval.record(Duration::from_millis(1), None, 0, None);
        interval.merge(&interval.clone());
        let mut read = Interval::from_wire(&interval.to_wire(0, 0)).unwrap();
        let mut paced = Interval::default();
        paced.record_intended(Duration::from_millis(1));
        paced.reset();
        read.merge(&paced);
        read.reset();
        assert!(interval.intended.is_none() && read.intended.is_none());
    }
}

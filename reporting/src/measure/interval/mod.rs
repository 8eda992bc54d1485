//! The unit of measurement: what happened to one endpoint in some stretch of run time.
//!
//! Intervals add up: seconds to windows, workers to agents to runs, endpoints to the Aggregated row. Every
//! number anywhere is read from such a sum, percentiles from its histograms, last.

mod measures;
mod outcome;
mod packed;
mod sparse;
mod sums;
mod value_counts;
mod wire;

use std::collections::BTreeMap;
use std::time::Duration;

use self::sums::micros;
use self::value_counts::ValueCounts;
use crate::measure::histogram_codec::{HistogramError, value_at};
use greylag_infra::protocol::{MAX_ERROR_BYTES, MAX_ERRORS, OTHER, cut};

pub use self::measures::Measure;
pub(crate) use self::measures::{MEASURE_NAMES, MEASURES, Measures, PerMeasure};
pub use self::outcome::{Outcome, Outcomes};
pub(crate) use self::packed::{IntervalSum, PackedInterval};
pub use self::sparse::SparseInterval;
pub(crate) use self::sums::{NUMBER_NAMES, NUMBERS, ms};
pub use self::sums::{Sums, Times};
pub(crate) use self::wire::check_wire_packed;
pub use self::wire::{IntervalError, check_wire};

/// Most requests, errors or times of one interval on the wire: what one endpoint can do in a second, with
/// plenty to spare, so that sums over the longest run stay far below 2^63.
pub(crate) const MAX_COUNT: u64 = 1_000_000_000;

/// A sum of requests with its counts, made for counting on: for counting requests and for few sums that many are added to.
/// Of many intervals a [`SparseInterval`] is kept.
#[derive(Debug, Clone, Default)]
pub struct Interval {
    sums: Sums,
    /// Errors by text, at most [`MAX_ERRORS`] texts and [`OTHER`].
    pub errors: BTreeMap<String, u64>,
    counts: PerMeasure<ValueCounts>,
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
            let us = micros(first_byte);
            self.sums.first_byte.merge(Times::one(us));
            self.counts[Measure::FirstByte].count(us);
        }
        self.counts[Measure::Response].count(response_us);
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
        self.counts[Measure::Intended].count(us);
    }

    /// Counts the status code of the answer to the request just recorded, none when there is no answer. At most once per
    /// request.
    pub fn count_status(&mut self, status: Option<u16>) {
        let status = u64::from(status.unwrap_or(0)).min(u64::from(measures::MAX_STATUS));
        self.counts[Measure::Status].count(status);
    }

    /// Says of a request that was just recorded without an error that it failed; the text of its error is not counted here.
    pub fn count_failure(&mut self) {
        self.sums.failures += 1;
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
        for (measure, counts) in self.counts.iter_mut() {
            counts.merge(&other.counts[measure]);
        }
    }

    /// Adds an interval that has no errors.
    pub fn add(&mut self, other: &SparseInterval) {
        self.sums.merge(&other.sums);
        for (measure, counts) in self.counts.iter_mut() {
            counts.add(&other.counts[measure]);
        }
    }

    /// Adds the parts of an interval that has no errors; counts without headers.
    pub(crate) fn add_parts(
        &mut self,
        sums: &Sums,
        counts: &PerMeasure<&[u8]>,
    ) -> Result<(), HistogramError> {
        self.sums.merge(sums);
        for (measure, sum) in self.counts.iter_mut() {
            sum.add_body(counts[measure])?;
        }
        Ok(())
    }

    /// The same with counts as they are stored.
    pub(crate) fn add_stored(
        &mut self,
        sums: &Sums,
        counts: &PerMeasure<&[u8]>,
    ) -> Result<(), HistogramError> {
        self.sums.merge(sums);
        for (measure, sum) in self.counts.iter_mut() {
            measure.without_header(counts[measure], |body| sum.add_body(body))?;
        }
        Ok(())
    }

    /// Forgets everything but keeps the memory, for the next second.
    pub fn reset(&mut self) {
        self.sums = Sums::default();
        self.errors.clear();
        for (_, counts) in self.counts.iter_mut() {
            counts.reset();
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
        self.percentile_of(Measure::Response, q)
    }

    /// The percentiles of ascending fractions.
    pub(crate) fn percentiles_us<const N: usize>(&self, ascending: [f64; N]) -> Option<[u64; N]> {
        self.percentiles_of(Measure::Response, ascending)
    }

    /// The same of any times. None for a measure that is not a time, and when no request has one.
    pub(crate) fn percentiles_of<const N: usize>(
        &self,
        measure: Measure,
        ascending: [f64; N],
    ) -> Option<[u64; N]> {
        let mut percentiles = self.percentiles_along(measure, ascending.into_iter())?;
        Some(ascending.map(|_| percentiles.next().unwrap_or(0)))
    }

    /// The same of as many fractions as there are, in one go over the counts.
    pub(crate) fn percentiles_along(
        &self,
        measure: Measure,
        ascending: impl Iterator<Item = f64>,
    ) -> Option<impl Iterator<Item = u64>> {
        let times = measure
            .times_in(&self.sums)
            .filter(|times| times.count > 0)?;
        Some(self.counts[measure].percentiles(times, ascending))
    }

    /// As [`Self::percentile_us`], of the response times from the intended start. None when no request has
    /// one.
    pub fn intended_percentile_us(&self, q: f64) -> Option<u64> {
        self.percentile_of(Measure::Intended, q)
    }

    /// As [`Self::percentile_us`], of any times. None for a measure that is not a time, and when no request has one.
    pub fn percentile_of(&self, measure: Measure, q: f64) -> Option<u64> {
        self.percentiles_of(measure, [q])
            .map(|[percentile]| percentile)
    }

    /// The least of these times, exact.
    pub(crate) fn least_of(&self, measure: Measure) -> Option<u64> {
        let times = measure.times_in(&self.sums)?;
        (times.count > 0).then_some(times.min_us)
    }

    /// Response times with their counts in ascending order, each the least of its histogram bucket
    /// (exact up to 2 ms, then 0.1 % wide).
    pub fn distribution(&self) -> impl Iterator<Item = (u64, u64)> + use<> {
        self.distribution_of(Measure::Response)
    }

    /// The same of any measure; status codes are whole.
    pub fn distribution_of(&self, measure: Measure) -> impl Iterator<Item = (u64, u64)> + use<> {
        let counts: Vec<_> = self.counts[measure].to_bucket_counts().iter().collect();
        let counts = counts.into_iter();
        counts.map(|(position, count)| (value_at(position), count))
    }
}

//! An interval without errors whose histograms are lists of counts: small, for keeping and adding up many.

use super::Interval;
use super::measures::{Measure, PerMeasure};
use super::sums::{Sums, Times};
use super::value_counts::percentiles;
use crate::measure::histogram_codec::{BucketCounts, position_of};

/// Sums with the counts of each measure.
#[derive(Debug, Clone, Default)]
pub struct SparseInterval {
    pub(crate) sums: Sums,
    pub(crate) counts: PerMeasure<BucketCounts>,
}

impl From<&Interval> for SparseInterval {
    fn from(interval: &Interval) -> Self {
        Self {
            sums: interval.sums,
            counts: PerMeasure::from_fn(|measure| interval.counts[measure].to_bucket_counts()),
        }
    }
}

impl SparseInterval {
    /// What it counts.
    pub fn sums(&self) -> &Sums {
        &self.sums
    }

    /// That of requests with these response times in µs, so many of which failed.
    pub fn of_times_us(mut times_us: Vec<u64>, failures: u64) -> Self {
        times_us.sort_unstable();
        let mut sums = Sums {
            failures,
            ..Sums::default()
        };
        let mut counts: Vec<(u32, u64)> = Vec::new();
        for us in times_us {
            sums.response.merge(Times::one(us));
            let position = position_of(us);
            match counts.last_mut() {
                Some((last, count)) if *last == position => *count += 1,
                _ => counts.push((position, 1)),
            }
        }
        let mut sparse = Self {
            sums,
            ..Self::default()
        };
        sparse.counts[Measure::Response] = BucketCounts::from_ascending(counts);
        sparse
    }

    /// Bytes that it takes in memory.
    pub fn memory(&self) -> usize {
        let counts = self.counts.iter().map(|(_, counts)| counts.memory());
        size_of::<Self>() + counts.sum::<usize>()
    }

    /// Adds another one.
    pub fn merge(&mut self, other: &Self) {
        self.sums.merge(&other.sums);
        for (measure, counts) in self.counts.iter_mut() {
            counts.merge(&other.counts[measure]);
        }
    }

    /// The percentiles of the response times, see [`Self::percentiles_of`].
    pub(crate) fn percentiles_us<const N: usize>(&self, ascending: [f64; N]) -> Option<[u64; N]> {
        self.percentiles_of(Measure::Response, ascending)
    }

    /// The percentiles of ascending fractions, each as [`Interval::percentile_us`] has it, in one go over the
    /// counts. None without any.
    pub(crate) fn percentiles_of<const N: usize>(
        &self,
        measure: Measure,
        ascending: [f64; N],
    ) -> Option<[u64; N]> {
        let times = measure
            .times_in(&self.sums)
            .filter(|times| times.count > 0)?;
        let counts = self.counts[measure].iter();
        let mut percentiles = percentiles(times, counts, ascending.into_iter());
        Some(ascending.map(|_| percentiles.next().unwrap_or(times.max_us)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::measure::interval::Interval;
    use proptest::prelude::*;

    const FRACTIONS: [f64; 7] = [0.0, 0.25, 0.5, 0.9, 0.99, 0.9999, 1.0];

    proptest! {
        #[test]
        fn percentiles_are_those_of_the_dense_histogram(
            a in prop::collection::vec(0..5_000_000_000_u64, 0..60),
            b in prop::collection::vec(1..3_000_u64, 0..60),
        ) {
            let (mut dense, mut sparse) = (Interval::default(), SparseInterval::default());
            let all = [a.clone(), b.clone()].concat();
            for part in [a, b] {
                let mut interval = Interval::default();
                for us in part {
                    interval.record(Duration::from_micros(us), None, 1, None);
                }
                dense.merge(&interval);
                sparse.merge(&SparseInterval::from(&interval));
            }
            prop_assert_eq!(sparse.sums, *dense.sums());
            let counted = SparseInterval::of_times_us(all, 0);
            prop_assert_eq!(&counted.counts[Measure::Response], &sparse.counts[Measure::Response]);
            prop_assert_eq!(counted.sums.response, sparse.sums.response);
            let expected = FRACTIONS.map(|q| dense.percentile_us(q));
            match sparse.percentiles_us(FRACTIONS) {
                None => prop_assert!(expected.iter().all(Option::is_none)),
                Some(percentiles) => prop_assert_eq!(percentiles.map(Some), expected),
            }
        }
    }
}

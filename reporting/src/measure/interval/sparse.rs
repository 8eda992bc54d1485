//! An interval without errors whose histogram is its list of counts: small, for adding up many one by one.

use super::Interval;
use super::sums::Sums;
use crate::measure::histogram_codec::{BucketCounts, value_at};

/// Sums with the counts of the response times.
#[derive(Debug, Clone, Default)]
pub(crate) struct SparseInterval {
    pub(crate) sums: Sums,
    pub(crate) counts: BucketCounts,
}

impl From<&Interval> for SparseInterval {
    fn from(interval: &Interval) -> Self {
        Self {
            sums: **interval,
            counts: interval.bucket_counts(),
        }
    }
}

impl SparseInterval {
    /// Adds another one.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.sums.merge(&other.sums);
        self.counts.merge(&other.counts);
    }

    /// The percentiles of ascending fractions, each as [`super::Interval::percentile_us`] has it, in one go over
    /// the counts. None without requests.
    pub(crate) fn percentiles_us<const N: usize>(&self, ascending: [f64; N]) -> Option<[u64; N]> {
        let requests = self.sums.requests;
        let last = requests.checked_sub(1)?;
        let mut percentiles = [self.sums.max_us; N];
        let mut counts = self.counts.iter();
        let (mut position, mut seen) = (0, 0);
        for (percentile, q) in percentiles.iter_mut().zip(ascending) {
            let index = ((requests as f64 * q.clamp(0.0, 1.0)) as u64).min(last);
            if index == last {
                break;
            }
            while seen <= index {
                let Some((next, count)) = counts.next() else {
                    return Some(percentiles);
                };
                position = next;
                seen += count;
            }
            let least = value_at(position);
            let middle = least + (value_at(position + 1) - least) / 2;
            *percentile = middle.clamp(self.sums.min_us, self.sums.max_us);
        }
        Some(percentiles)
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
            for part in [a, b] {
                let mut interval = Interval::default();
                for us in part {
                    interval.record(Duration::from_micros(us), None, 1, None);
                }
                dense.merge(&interval);
                sparse.merge(&SparseInterval { sums: *interval, counts: interval.bucket_counts() });
            }
            prop_assert_eq!(sparse.sums, *dense);
            let expected = FRACTIONS.map(|q| dense.percentile_us(q));
            match sparse.percentiles_us(FRACTIONS) {
                None => prop_assert!(expected.iter().all(Option::is_none)),
                Some(percentiles) => prop_assert_eq!(percentiles.map(Some), expected),
            }
        }
    }
}

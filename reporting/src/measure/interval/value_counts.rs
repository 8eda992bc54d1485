//! Counts by value while more are counted: few as a list, many as an array.
//!
//! Most endpoints have few requests in a second, and an array takes up to 188 kB whatever it counts.

use super::sums::Times;
use crate::measure::count_sum::CountSum;
use crate::measure::histogram_codec::{
    BucketCounts, HistogramError, middle_of, position_of, visit_body,
};
use crate::measure::packed_counts::Precision;

/// Most values that are kept as a list.
const MAX_FEW: usize = 256;

/// Counts by value, of values that are distinguished as in a histogram.
#[derive(Debug, Clone)]
pub(super) enum ValueCounts {
    /// The position of each, in any order.
    Few(Vec<u32>),
    Many(CountSum),
}

impl Default for ValueCounts {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl ValueCounts {
    /// Counts a value once.
    #[inline]
    pub(super) fn count(&mut self, value: u64) {
        let position = position_of(value);
        match self {
            Self::Few(few) if few.len() < MAX_FEW => few.push(position),
            Self::Few(_) => self.many().count(position, 1),
            Self::Many(many) => many.count(position, 1),
        }
    }

    /// Counts values at a position.
    fn add_at(&mut self, position: u32, count: u64) {
        match self {
            Self::Few(few) if count <= (MAX_FEW - few.len()) as u64 => {
                few.extend(std::iter::repeat_n(position, count as usize));
            }
            Self::Few(_) => self.many().count(position, count),
            Self::Many(many) => many.count(position, count),
        }
    }

    /// Adds counts.
    pub(super) fn add(&mut self, counts: &BucketCounts) {
        for (position, count) in counts.iter() {
            self.add_at(position, count);
        }
    }

    /// Adds a histogram: what comes after its header.
    pub(super) fn add_body(&mut self, body: &[u8]) -> Result<(), HistogramError> {
        match self {
            Self::Few(_) => visit_body(body, |position, count| self.add_at(position, count)),
            Self::Many(many) => many.add(body, Precision::Full),
        }
    }

    /// Adds others.
    pub(super) fn merge(&mut self, other: &Self) {
        match other {
            Self::Few(others) => {
                for position in others {
                    self.add_at(*position, 1);
                }
            }
            Self::Many(others) if others.is_empty() => {}
            Self::Many(others) => self.many().merge(others),
        }
    }

    /// Forgets everything but keeps the memory.
    pub(super) fn reset(&mut self) {
        match self {
            Self::Few(few) => few.clear(),
            Self::Many(many) => many.clear(),
        }
    }

    /// The values as a list, in ascending order.
    pub(super) fn to_bucket_counts(&self) -> BucketCounts {
        BucketCounts::from_ascending(match self {
            Self::Few(few) => {
                let few = sorted(few);
                let same = few.chunk_by(|one, other| one == other);
                same.map(|same| (same[0], same.len() as u64)).collect()
            }
            Self::Many(many) => many.iter().collect(),
        })
    }

    /// The percentiles of ascending fractions of these times, which are counted here.
    pub(super) fn percentiles(
        &self,
        times: Times,
        ascending: impl Iterator<Item = f64>,
    ) -> impl Iterator<Item = u64> {
        let (few, many) = match self {
            Self::Few(few) => (sorted(few), None),
            Self::Many(many) => (Vec::new(), Some(many.iter())),
        };
        let few = few.into_iter().map(|position| (position, 1));
        percentiles(times, few.chain(many.into_iter().flatten()), ascending)
    }

    fn many(&mut self) -> &mut CountSum {
        if let Self::Few(few) = self {
            let mut many = CountSum::default();
            for position in few.iter() {
                many.count(*position, 1);
            }
            *self = Self::Many(many);
        }
        match self {
            Self::Many(many) => many,
            Self::Few(_) => unreachable!("it was made an array"),
        }
    }
}

fn sorted(few: &[u32]) -> Vec<u32> {
    let mut few = few.to_vec();
    few.sort_unstable();
    few
}

/// The percentiles of ascending fractions, in one go over the counts, which ascend by position and are of these times.
///
/// Of the N sorted times each is the one at index `min(int(N * q), N - 1)`: see
/// [`Interval::percentile_us`](super::Interval::percentile_us).
pub(super) fn percentiles(
    times: Times,
    counts: impl Iterator<Item = (u32, u64)>,
    ascending: impl Iterator<Item = f64>,
) -> impl Iterator<Item = u64> {
    let last = times.count.saturating_sub(1);
    let mut counts = counts.fuse();
    let (mut position, mut seen) = (0, 0_u64);
    ascending.map(move |q| {
        let index = ((times.count as f64 * q.clamp(0.0, 1.0)) as u64).min(last);
        if index == last {
            return times.max_us;
        }
        while seen <= index {
            let Some((next, count)) = counts.next() else {
                return times.max_us;
            };
            position = next;
            seen = seen.saturating_add(count);
        }
        middle_of(position).clamp(times.min_us, times.max_us)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::measure::histogram_codec::HIGHEST_US;
    use crate::measure::packed_counts::PackedCounts;

    fn counted(values: &[u64]) -> ValueCounts {
        let mut counts = ValueCounts::default();
        for value in values {
            counts.count(*value);
        }
        counts
    }

    fn values() -> impl Strategy<Value = Vec<u64>> {
        prop::collection::vec(
            prop_oneof![0..3_000_u64, 0..=2 * HIGHEST_US],
            0..2 * MAX_FEW,
        )
    }

    proptest! {
        #[test]
        fn few_and_many_are_the_same(values in values(), others in values(), q in 0.0..1.0_f64) {
            let both = [&values[..], &others].concat();
            let expected = counted(&both).to_bucket_counts();
            let mut merged = counted(&values);
            merged.merge(&counted(&others));
            prop_assert_eq!(merged.to_bucket_counts(), expected.clone());
            let mut added = counted(&values);
            added.add(&counted(&others).to_bucket_counts());
            prop_assert_eq!(added.to_bucket_counts(), expected.clone());
            let mut many = ValueCounts::default();
            many.many();
            many.add(&expected);
            prop_assert_eq!(many.to_bucket_counts(), expected.clone());
            let mut read = counted(&values);
            read.add_body(PackedCounts::from(&counted(&others).to_bucket_counts()).as_bytes()).unwrap();
            prop_assert_eq!(read.to_bucket_counts(), expected);
            let times = both.iter().fold(Times::default(), |mut times, us| {
                times.merge(Times::one(*us));
                times
            });
            // The definition, of all values in a list.
            let mut sorted = both;
            sorted.sort_unstable();
            let fractions = [0.0, q / 2.0, q, 1.0];
            let of_list = |q: f64| {
                let last = sorted.len() - 1;
                match ((sorted.len() as f64 * q) as usize).min(last) {
                    index if index == last => times.max_us,
                    index => middle_of(position_of(sorted[index])).clamp(times.min_us, times.max_us),
                }
            };
            if times.count > 0 {
                let expected = fractions.map(of_list);
                for counts in [&merged, &many] {
                    let percentiles: Vec<_> = counts.percentiles(times, fractions.into_iter()).collect();
                    prop_assert_eq!(percentiles, expected);
                }
            }
            merged.reset();
            prop_assert!(merged.to_bucket_counts().is_empty());
        }
    }

    #[test]
    fn few_values_take_little_memory() {
        let mut counts = counted(&[HIGHEST_US; MAX_FEW]);
        assert!(matches!(counts, ValueCounts::Few(_)));
        counts.count(1);
        assert!(matches!(counts, ValueCounts::Many(_)));
        counts.reset();
        assert!(matches!(counts, ValueCounts::Many(_)));
    }
}

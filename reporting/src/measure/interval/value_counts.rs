//! Counts by value while more are counted: few as a list, many as a histogram.
//!
//! Most endpoints have few requests in a second, and a histogram takes up to 188 kB whatever it counts.

use hdrhistogram::Histogram;

use super::sums::Times;
use crate::measure::histogram_codec::{
    BucketCounts, DIGITS, HIGHEST_US, middle_of, position_of, value_at,
};

/// Most values that are kept as a list.
const MAX_FEW: usize = 256;

/// Counts by value, of values that are distinguished as in a histogram.
#[derive(Debug, Clone)]
pub(super) enum ValueCounts {
    /// The position of each, in any order.
    Few(Vec<u32>),
    Many(Box<Histogram<u64>>),
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
        match self {
            Self::Few(few) if few.len() < MAX_FEW => few.push(position_of(value)),
            Self::Few(_) => count_value(self.many(), value, 1),
            Self::Many(many) => count_value(many, value, 1),
        }
    }

    /// Adds counts.
    pub(super) fn add(&mut self, counts: &BucketCounts) {
        let total = counts.total();
        if let Self::Few(few) = self
            && total <= (MAX_FEW - few.len()) as u64
        {
            for (position, count) in counts.iter() {
                few.extend(std::iter::repeat_n(position, count as usize));
            }
            return;
        }
        let many = self.many();
        // From the greatest down, so that the histogram grows at most once.
        for (position, count) in counts.iter().rev() {
            count_value(many, value_at(position), count);
        }
    }

    /// Adds others.
    pub(super) fn merge(&mut self, other: &Self) {
        match other {
            Self::Few(others) => {
                for position in others {
                    self.count(value_at(*position));
                }
            }
            Self::Many(others) if others.is_empty() => {}
            Self::Many(others) => self
                .many()
                .add(&**others)
                .expect("an auto-resizing histogram takes every value up to 1 h"),
        }
    }

    /// Forgets everything but keeps the memory.
    pub(super) fn reset(&mut self) {
        match self {
            Self::Few(few) => few.clear(),
            Self::Many(many) => many.reset(),
        }
    }

    /// The values as a list, in ascending order.
    pub(super) fn to_bucket_counts(&self) -> BucketCounts {
        let mut counts: Vec<(u32, u64)> = Vec::new();
        match self {
            Self::Few(few) => {
                let mut few = few.clone();
                few.sort_unstable();
                for same in few.chunk_by(|one, other| one == other) {
                    counts.push((same[0], same.len() as u64));
                }
            }
            Self::Many(many) => {
                for step in many.iter_recorded() {
                    let value = many.lowest_equivalent(step.value_iterated_to());
                    counts.push((position_of(value), step.count_at_value()));
                }
            }
        }
        BucketCounts::from_ascending(counts)
    }

    /// The percentile of these times, which are counted here.
    pub(super) fn percentile(&self, times: Times, q: f64) -> Option<u64> {
        let last = times.count.checked_sub(1)?;
        let index = ((times.count as f64 * q.clamp(0.0, 1.0)) as u64).min(last);
        if index == last {
            return Some(times.max_us);
        }
        let value = match self {
            Self::Few(few) => {
                let mut few = few.clone();
                let last = few.len().checked_sub(1)?;
                let at = usize::try_from(index).map_or(last, |index| index.min(last));
                let (_, position, _) = few.select_nth_unstable(at);
                middle_of(*position)
            }
            Self::Many(many) => {
                // The library takes the value at rank ceil(quantile * N), counted from 1; the half keeps that
                // at index + 1 whatever the rounding of the quotient.
                let quantile = (index as f64 + 0.5) / times.count as f64;
                many.median_equivalent(many.value_at_quantile(quantile))
            }
        };
        Some(value.clamp(times.min_us, times.max_us))
    }

    fn many(&mut self) -> &mut Histogram<u64> {
        if let Self::Few(few) = self {
            let mut many = Box::new(
                Histogram::new(DIGITS).expect("3 digits are within what the library allows"),
            );
            for position in few.iter() {
                count_value(&mut many, value_at(*position), 1);
            }
            *self = Self::Many(many);
        }
        match self {
            Self::Many(many) => many,
            Self::Few(_) => unreachable!("it was made a histogram"),
        }
    }
}

#[inline]
fn count_value(histogram: &mut Histogram<u64>, value: u64, count: u64) {
    histogram
        .record_n(value.min(HIGHEST_US), count)
        .expect("an auto-resizing histogram takes every value up to 1 h");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
            prop_assert_eq!(many.to_bucket_counts(), expected);
            let times = both.iter().fold(Times::default(), |mut times, us| {
                times.merge(Times::one(*us));
                times
            });
            prop_assert_eq!(merged.percentile(times, q), many.percentile(times, q));
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

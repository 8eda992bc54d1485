//! Counts by position in an array: for adding up many histograms, and for counting on.

use std::ops::Range;

use super::histogram_codec::{
    HistogramError, add_body, coarse_position, put_counts, reach, visit_body,
};
use super::packed_counts::{PackedCounts, Precision};

/// A sum of histograms: an array that reaches as far as their counts do and is used again for the next sum.
#[derive(Debug, Clone, Default)]
pub(crate) struct CountSum {
    counts: Vec<u64>,
    /// Where there may be others than 0.
    used: Range<usize>,
}

impl CountSum {
    /// Adds a histogram: what comes after its header.
    pub(crate) fn add(&mut self, body: &[u8], precision: Precision) -> Result<(), HistogramError> {
        match precision {
            Precision::Full => {
                let mut added = 0..0;
                let read = add_body(body, &mut self.counts, &mut added);
                if !added.is_empty() {
                    self.use_also(added);
                }
                read
            }
            Precision::Coarse => visit_body(body, |position, count| {
                self.count(coarse_position(position), count);
            }),
        }
    }

    /// Counts at a position.
    #[inline]
    pub(crate) fn count(&mut self, position: u32, count: u64) {
        let at = position as usize;
        self.use_also(at..at + 1);
        self.counts[at] = self.counts[at].saturating_add(count);
    }

    /// Adds another sum.
    pub(crate) fn merge(&mut self, other: &Self) {
        if other.used.is_empty() {
            return;
        }
        self.use_also(other.used.clone());
        let theirs = &other.counts[other.used.clone()];
        for (sum, count) in self.counts[other.used.clone()].iter_mut().zip(theirs) {
            *sum = sum.saturating_add(*count);
        }
    }

    /// Makes room at these positions, of which there is at least one.
    #[inline]
    fn use_also(&mut self, positions: Range<usize>) {
        if positions.end > self.counts.len() {
            reach(&mut self.counts, positions.end);
        }
        if self.used.is_empty() {
            self.used = positions;
        } else {
            self.used.start = self.used.start.min(positions.start);
            self.used.end = self.used.end.max(positions.end);
        }
    }

    /// Whether nothing was counted.
    pub(crate) fn is_empty(&self) -> bool {
        self.used.is_empty()
    }

    /// Positions with their counts, in ascending order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, u64)> {
        let first = u32::try_from(self.used.start).expect("positions are 32 bits wide");
        let counts = (first..).zip(&self.counts[self.used.clone()]);
        counts.filter_map(|(position, count)| (*count > 0).then_some((position, *count)))
    }

    /// Begins anew with the same memory.
    pub(crate) fn clear(&mut self) {
        self.counts[std::mem::take(&mut self.used)].fill(0);
    }

    /// Takes the sum out and begins anew.
    pub(crate) fn take(&mut self) -> PackedCounts {
        let mut bytes = Vec::with_capacity(self.used.len().min(4_096));
        put_counts(&mut bytes, self.iter());
        self.clear();
        PackedCounts::from_shortest(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::measure::histogram_codec::BucketCounts;

    fn counts() -> impl Strategy<Value = BTreeMap<u32, u64>> {
        let position = prop_oneof![0..2_000_u32, 0..=23_220_u32];
        prop::collection::btree_map(position, 1..=1_u64 << 40, 0..50)
    }

    fn body(counts: &BTreeMap<u32, u64>) -> PackedCounts {
        let counts = counts.iter().map(|(position, count)| (*position, *count));
        PackedCounts::from(&BucketCounts::from_ascending(counts.collect()))
    }

    fn add(sum: &mut BTreeMap<u32, u64>, counts: &BTreeMap<u32, u64>) {
        for (position, count) in counts {
            *sum.entry(*position).or_default() += count;
        }
    }

    proptest! {
        #[test]
        fn sums_are_those_of_a_map(a in counts(), b in counts(), c in counts()) {
            let (mut sum, mut other) = (CountSum::default(), CountSum::default());
            let mut expected = BTreeMap::new();
            // The second time in the memory of the first.
            for [a, b, c] in [[&a, &b, &c], [&c, &a, &b]] {
                expected.clear();
                sum.add(body(a).as_bytes(), Precision::Full).unwrap();
                for (position, count) in b {
                    sum.count(*position, *count);
                }
                other.clear();
                other.add(body(c).as_bytes(), Precision::Full).unwrap();
                sum.merge(&other);
                for one in [a, b, c] {
                    add(&mut expected, one);
                }
                prop_assert_eq!(sum.iter().collect::<BTreeMap<_, _>>(), expected.clone());
                prop_assert_eq!(sum.is_empty(), expected.is_empty());
                prop_assert_eq!(sum.take(), body(&expected));
            }
        }

        #[test]
        fn coarse_counts_are_those_of_coarse_positions(a in counts()) {
            let mut sum = CountSum::default();
            sum.add(body(&a).as_bytes(), Precision::Coarse).unwrap();
            let mut expected = BTreeMap::new();
            for (position, count) in a {
                *expected.entry(coarse_position(position)).or_default() += count;
            }
            prop_assert_eq!(sum.iter().collect::<BTreeMap<_, _>>(), expected);
        }
    }
}

//! Some seconds of run time, as stretches.

use std::ops::Range;

/// Seconds as ascending stretches that do not touch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Seconds(Vec<Range<u32>>);

impl Seconds {
    /// From seconds in ascending order.
    pub(crate) fn ascending(seconds: impl IntoIterator<Item = u32>) -> Self {
        let mut stretches: Vec<Range<u32>> = Vec::new();
        for second in seconds {
            match stretches.last_mut() {
                Some(last) if second < last.end => {}
                Some(last) if second == last.end => last.end = second.saturating_add(1),
                _ => stretches.push(second..second.saturating_add(1)),
            }
        }
        Self(stretches)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.0
            .iter()
            .map(|part| u64::from(part.end - part.start))
            .sum()
    }

    /// The stretches, ascending.
    pub(crate) fn stretches(&self) -> &[Range<u32>] {
        &self.0
    }

    pub(crate) fn contains(&self, second: u32) -> bool {
        let at = self.0.partition_point(|part| part.end <= second);
        self.0.get(at).is_some_and(|part| part.contains(&second))
    }

    /// Those of them in a stretch.
    pub(crate) fn within(&self, seconds: &Range<u32>) -> impl Iterator<Item = Range<u32>> + '_ {
        let (start, end) = (seconds.start, seconds.end);
        let first = self.0.partition_point(move |part| part.end <= start);
        let parts = self.0[first..].iter();
        parts
            .take_while(move |part| part.start < end)
            .map(move |part| part.start.max(start)..part.end.min(end))
            .filter(|part| !part.is_empty())
    }

    /// How much of the time between two moments of run time, in seconds, they are.
    pub(crate) fn time_within(&self, from: f64, to: f64) -> f64 {
        let overlaps = self.0.iter().map(|part| {
            let (start, end) = (f64::from(part.start).max(from), f64::from(part.end).min(to));
            (end - start).max(0.0)
        });
        // Not sum(): that of nothing is -0.0.
        overlaps.fold(0.0, |sum, overlap| sum + overlap)
    }

    /// What is left of a stretch without them.
    pub(crate) fn rest_of(&self, seconds: &Range<u32>) -> Vec<Range<u32>> {
        let mut rest = Vec::new();
        let mut from = seconds.start;
        for part in self.within(seconds) {
            if from < part.start {
                rest.push(from..part.start);
            }
            from = part.end;
        }
        if from < seconds.end {
            rest.push(from..seconds.end);
        }
        rest
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn stretches_are_the_seconds(
            seconds in prop::collection::btree_set(0..200_u32, 0..80), from in 0..200_u32, length in 0..100_u32,
        ) {
            let of = Seconds::ascending(seconds.iter().copied());
            prop_assert_eq!(of.count(), seconds.len() as u64);
            prop_assert!(of.stretches().windows(2).all(|pair| pair[0].end < pair[1].start));
            let window = from..from + length;
            for second in window.clone() {
                prop_assert_eq!(of.contains(second), seconds.contains(&second));
            }
            let flat = |parts: Vec<Range<u32>>| parts.into_iter().flatten().collect::<BTreeSet<u32>>();
            let inside: BTreeSet<u32> = window.clone().filter(|second| seconds.contains(second)).collect();
            let outside: BTreeSet<u32> = window.clone().filter(|second| !seconds.contains(second)).collect();
            prop_assert_eq!(flat(of.within(&window).collect()), inside.clone());
            prop_assert_eq!(flat(of.rest_of(&window)), outside);
            let time = of.time_within(f64::from(window.start), f64::from(window.end));
            prop_assert_eq!(time, inside.len() as f64);
        }
    }

    #[test]
    fn a_second_that_is_not_over_counts_in_part() {
        let of = Seconds::ascending([3, 4, 9]);
        assert_eq!(of.time_within(0.0, 9.25), 2.25);
        assert_eq!(of.time_within(4.5, 9.0), 0.5);
    }
}

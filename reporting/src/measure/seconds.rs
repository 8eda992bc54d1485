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
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn stretches_are_the_seconds(seconds in prop::collection::btree_set(0..200_u32, 0..80)) {
            let of = Seconds::ascending(seconds.iter().copied());
            prop_assert_eq!(of.count(), seconds.len() as u64);
            prop_assert!(of.stretches().windows(2).all(|pair| pair[0].end < pair[1].start));
            let flat: BTreeSet<u32> = of.stretches().iter().cloned().flatten().collect();
            prop_assert_eq!(flat, seconds);
        }
    }
}

//! Which of the tags that a run counts a task has.

use std::time::Duration;

/// Most tags that a run counts: a bit of a [`TagSet`] for each.
pub const MAX_COUNTED_TAGS: usize = u64::BITS as usize;

/// Some of the tags that a run counts, as their positions in the list of them. It is copied with every request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TagSet(u64);

impl TagSet {
    /// None of them.
    pub const NONE: Self = Self(0);

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those of both.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The positions, ascending, each below [`MAX_COUNTED_TAGS`].
    pub fn positions(self) -> impl Iterator<Item = u32> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let position = (rest != 0).then(|| rest.trailing_zeros())?;
            rest &= rest - 1;
            Some(position)
        })
    }
}

/// Positions from [`MAX_COUNTED_TAGS`] on are left out.
impl FromIterator<usize> for TagSet {
    fn from_iter<T: IntoIterator<Item = usize>>(positions: T) -> Self {
        let known = positions.into_iter();
        let known = known.filter(|position| *position < MAX_COUNTED_TAGS);
        Self(known.fold(0, |bits, position| bits | 1 << position))
    }
}

/// What every request that a task makes is recorded with.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OfTask {
    /// How much later than intended the task began, for users with a pace.
    pub(crate) delay: Option<Duration>,
    /// Its tags and those of the task sets around it; none outside of tasks.
    pub(crate) tags: TagSet,
}

impl OfTask {
    /// A response time counted from the intended start.
    pub(crate) fn since_intended_start(&self, response_time: Duration) -> Option<Duration> {
        self.delay.map(|delay| response_time + delay)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_set_has_the_positions_it_was_made_of(positions in prop::collection::btree_set(0..80_usize, 0..20)) {
            let set: TagSet = positions.iter().copied().collect();
            let kept: Vec<usize> = positions.into_iter().filter(|at| *at < MAX_COUNTED_TAGS).collect();
            prop_assert_eq!(set.is_empty(), kept.is_empty());
            prop_assert_eq!(set.positions().map(|at| at as usize).collect::<Vec<_>>(), kept);
        }
    }
}

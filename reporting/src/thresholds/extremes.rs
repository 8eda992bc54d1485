//! The least and the greatest of what is in a window that slides.

use std::collections::VecDeque;

/// Extremes of the seconds in a window: of each kind only those that a later second does not outdo.
#[derive(Debug, Default)]
pub(super) struct SlidingExtremes {
    least: VecDeque<(u32, i64)>,
    greatest: VecDeque<(u32, i64)>,
}

impl SlidingExtremes {
    /// Adds a second behind all others, by its least and its greatest.
    pub(super) fn add(&mut self, second: u32, (least, greatest): (i64, i64)) {
        while self.least.back().is_some_and(|last| last.1 >= least) {
            self.least.pop_back();
        }
        self.least.push_back((second, least));
        while self.greatest.back().is_some_and(|last| last.1 <= greatest) {
            self.greatest.pop_back();
        }
        self.greatest.push_back((second, greatest));
    }

    /// Only seconds from this one on are in the window.
    pub(super) fn begin_at(&mut self, second: u32) {
        for side in [&mut self.least, &mut self.greatest] {
            while side.front().is_some_and(|first| first.0 < second) {
                side.pop_front();
            }
        }
    }

    /// The least and the greatest; none of a window in which there is nothing.
    pub(super) fn get(&self) -> Option<(i64, i64)> {
        Some((self.least.front()?.1, self.greatest.front()?.1))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn they_are_those_of_the_window(
            seconds in prop::collection::vec(prop::collection::vec(-10..10_i64, 0..3), 1..60), width in 1..10_usize,
        ) {
            let mut sliding = SlidingExtremes::default();
            for (at, values) in seconds.iter().enumerate() {
                if let Some(ends) = values.iter().min().zip(values.iter().max()) {
                    sliding.add(at as u32, (*ends.0, *ends.1));
                }
                let first = (at + 1).saturating_sub(width);
                sliding.begin_at(first as u32);
                let inside = || seconds[first..=at].iter().flatten().copied();
                prop_assert_eq!(sliding.get(), inside().min().zip(inside().max()));
            }
        }
    }
}

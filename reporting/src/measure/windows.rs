//! Any stretch of run time as a few stored blocks.
//!
//! Results are stored per second (level 0) and as sums of 8, 64, 512, … seconds (levels 1, 2, 3, …), each
//! level as far as it has been rolled up. A window of a day is then some seventy blocks instead of 86,400.

/// How many blocks of one level make one of the next.
const RADIX: u32 = 8;
/// Levels, that of single seconds included: 1, 8, 64, 512, 4,096 and 32,768 s.
pub(crate) const LEVELS: usize = 6;

/// Up to which second (exclusive) each level is there. Always a multiple of the level's width; level 0 is
/// always there.
pub(crate) type Rolled = [u32; LEVELS];

/// Every level is kept up with level 0.
pub(crate) const ALL_ROLLED: Rolled = [u32::MAX; LEVELS];
/// Nothing but level 0 is there.
pub(crate) const NOTHING_ROLLED: Rolled = [u32::MAX, 0, 0, 0, 0, 0];

/// Consecutive stored rows of one level: those whose first second is in `[from, to)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block {
    /// Level of the rows.
    pub(crate) level: usize,
    /// First second.
    pub(crate) from: u32,
    /// End, exclusive.
    pub(crate) to: u32,
}

/// Seconds in one row of a level.
pub(crate) const fn width(level: usize) -> u32 {
    RADIX.pow(level as u32)
}

/// First second of the row of a level that holds `second`.
pub(crate) const fn bucket_of(second: u32, level: usize) -> u32 {
    second - second % width(level)
}

/// The fewest rows that add up to `[from, to)`.
pub(crate) fn decompose(from: u32, to: u32, rolled: &Rolled) -> Vec<Block> {
    let mut blocks = Vec::new();
    split(from, to, LEVELS - 1, rolled, &mut blocks);
    blocks
}

fn split(from: u32, to: u32, level: usize, rolled: &Rolled, blocks: &mut Vec<Block>) {
    if from >= to {
        return;
    }
    if level == 0 {
        blocks.push(Block { level, from, to });
        return;
    }
    let width = width(level);
    let first = from.checked_next_multiple_of(width).unwrap_or(u32::MAX);
    let end = bucket_of(to.min(rolled[level]), level);
    if first >= end {
        split(from, to, level - 1, rolled, blocks);
        return;
    }
    split(from, first, level - 1, rolled, blocks);
    blocks.push(Block {
        level,
        from: first,
        to: end,
    });
    split(end, to, level - 1, rolled, blocks);
}

/// Only the levels of which each row belongs to one step of so many seconds.
pub(crate) fn within_a_step(mut rolled: Rolled, step: u32) -> Rolled {
    for (level, until) in rolled.iter_mut().enumerate().skip(1) {
        if !step.is_multiple_of(width(level)) {
            *until = 0;
        }
    }
    rolled
}

/// A step that a row of any level belongs to.
pub(crate) const ANY_STEP: u32 = width(LEVELS - 1);

/// The width of a point, in seconds, so that `seconds` of run time make at most `max_points` points: 1 to 7 times the
/// width of a level, but at most `max_rows`, which are the rows of a point; and that level.
pub(crate) fn step_for(seconds: u32, max_points: usize, max_rows: u32) -> (u32, usize) {
    let max_points = u32::try_from(max_points).unwrap_or(u32::MAX).max(1);
    for level in 0..LEVELS {
        for times in 1..RADIX.min(max_rows.saturating_add(1)) {
            let step = times * width(level);
            if seconds.div_ceil(step) <= max_points {
                return (step, level);
            }
        }
    }
    let level = LEVELS - 1;
    let step = seconds
        .div_ceil(max_points)
        .checked_next_multiple_of(width(level));
    (step.unwrap_or(width(level)), level)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rolled() -> impl Strategy<Value = Rolled> {
        prop::array::uniform6(0..100_000_u32).prop_map(|mut until| {
            until[0] = u32::MAX;
            for level in 1..LEVELS {
                until[level] = bucket_of(until[level].min(until[level - 1]), level);
            }
            until
        })
    }

    proptest! {
        #[test]
        fn blocks_cover_the_window_once_and_in_order(from in 0..100_000_u32, length in 0..100_000_u32, rolled in rolled()) {
            let blocks = decompose(from, from + length, &rolled);
            let mut next = from;
            for block in &blocks {
                prop_assert_eq!(block.from, next);
                prop_assert!(block.to > block.from);
                prop_assert_eq!(block.from % width(block.level), 0);
                prop_assert_eq!(block.to % width(block.level), 0);
                prop_assert!(block.to <= rolled[block.level]);
                next = block.to;
            }
            prop_assert_eq!(next, from + length);
        }

        #[test]
        fn a_rolled_window_needs_few_rows(from in 0..2_592_000_u32, length in 0..2_592_000_u32) {
            let rows: u32 = decompose(from, from + length, &ALL_ROLLED)
                .iter()
                .map(|block| (block.to - block.from) / width(block.level))
                .sum();
            // at most 7 on either side of each level below the last, and 30 days of the last
            prop_assert!(rows <= 14 * 5 + 2_592_000 / width(LEVELS - 1) + 1, "{} rows", rows);
        }

        #[test]
        fn steps_give_enough_but_not_too_many_points(
            seconds in 1..2_700_000_u32,
            max_points in 1..5_000_usize,
            max_rows in 1..10_u32,
        ) {
            let (step, level) = step_for(seconds, max_points, max_rows);
            prop_assert!(seconds.div_ceil(step) as usize <= max_points);
            prop_assert_eq!(step % width(level), 0);
            let thinnest = seconds as usize <= max_points;
            prop_assert_eq!(step == 1, thinnest);
            if level < LEVELS - 1 {
                prop_assert!(step / width(level) <= max_rows);
            }
        }
    }
}

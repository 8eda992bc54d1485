//! Where values of any size and sign are counted.
//!
//! Those from 0 on have the positions of an HdrHistogram of three digits that has no greatest value, behind a zero in the middle; the
//! negative ones are its mirror image before that. So ascending positions are ascending values.

use greylag_infra::protocol::MAX_METRIC_VALUE;

use crate::measure::histogram_codec::{middle_of, unbounded_position};

/// Where 0 is counted.
const ZERO: u32 = unbounded_position(MAX_METRIC_VALUE.unsigned_abs());
/// The greatest position.
pub(super) const LAST: u32 = 2 * ZERO;

/// Where a value is counted, up to the greatest there may be.
pub(super) fn position_at(value: i64) -> u32 {
    let from_zero = unbounded_position(value.unsigned_abs()).min(ZERO);
    match value < 0 {
        true => ZERO - from_zero,
        false => ZERO + from_zero,
    }
}

/// The value in the middle of those that are counted at a position.
pub(super) fn middle_at(position: u32) -> i64 {
    // Up to a little above the greatest value.
    let size = middle_of(position.abs_diff(ZERO)).cast_signed();
    match position < ZERO {
        true => -size,
        false => size,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_middle_is_within_a_thousandth_and_in_order(
            a in -MAX_METRIC_VALUE..=MAX_METRIC_VALUE, b in -3_000_i64..3_000, shift in 0..60_u32,
        ) {
            let values = [a >> shift, b, a, MAX_METRIC_VALUE, -MAX_METRIC_VALUE, 0];
            for value in values {
                let position = position_at(value);
                prop_assert!(position <= LAST);
                let middle = middle_at(position);
                let most = i128::from(value).abs() / 1_000;
                prop_assert!((i128::from(middle) - i128::from(value)).abs() <= most, "{} for {}", middle, value);
            }
            let mut ascending = values;
            ascending.sort_unstable();
            prop_assert!(ascending.map(position_at).is_sorted());
        }
    }
}

//! Numbers as whole millionths, so that they add up to the same in any order.

/// Millionths in one.
const ONE: i64 = 1_000_000;

/// A number that a metric takes: any of Rust's.
pub trait Amount {
    /// The nearest whole number of millionths; none for what is not a number, infinite or beyond 9·10^12.
    fn millionths(self) -> Option<i64>;
}

macro_rules! whole_amounts {
    ($($number:ty)+) => {
        $(impl Amount for $number {
            fn millionths(self) -> Option<i64> {
                i64::try_from(self).ok()?.checked_mul(ONE)
            }
        })+
    };
}

whole_amounts!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize);

impl Amount for f64 {
    fn millionths(self) -> Option<i64> {
        let millionths = (self * ONE as f64).round();
        // Exclusive: the greatest i64 is not an f64.
        let is_within = millionths.abs() < i64::MAX as f64;
        // What is not a number is not within either.
        is_within.then_some(millionths as i64)
    }
}

impl Amount for f32 {
    fn millionths(self) -> Option<i64> {
        f64::from(self).millionths()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_is_the_nearest_millionth() {
        assert_eq!(0.1.millionths(), Some(100_000));
        assert_eq!((-53.200_000_4).millionths(), Some(-53_200_000));
        assert_eq!(1e-6.millionths(), Some(1));
        assert_eq!(u64::MAX.millionths(), None);
        assert_eq!((1_u64 << 40).millionths(), Some(ONE << 40));
        assert_eq!((-7_i8).millionths(), Some(-7 * ONE));
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e13, -1e300] {
            assert_eq!(bad.millionths(), None, "{bad}");
        }
        assert_eq!(0.5_f32.millionths(), Some(ONE / 2));
    }
}

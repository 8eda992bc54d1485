//! The values of a metric in some stretch of time as bytes of a stored row: the numbers as LEB128, those that may be negative
//! as ZigZag, then the counts.

use super::{MetricNumbers, MetricSums, PackedMetric, visit_counts};

/// Packs a row.
pub(crate) fn pack(sums: &MetricSums) -> Vec<u8> {
    let MetricNumbers {
        count,
        sum,
        min,
        max,
        last_at_us,
        last,
    } = sums.numbers;
    let mut bytes = Vec::new();
    for number in [
        count.into(),
        zigzag(sum),
        zigzag(min.into()),
        zigzag(max.into()),
        last_at_us.into(),
        zigzag(last.into()),
    ] {
        put(&mut bytes, number);
    }
    bytes.extend(sums.counts_as_bytes());
    bytes
}

/// Reads a row; none where the bytes are not one.
pub(crate) fn unpack(mut bytes: &[u8]) -> Option<PackedMetric> {
    let left = &mut bytes;
    let numbers = MetricNumbers {
        count: u64::try_from(take(left)?).ok()?,
        sum: zagzig(take(left)?),
        min: i64::try_from(zagzig(take(left)?)).ok()?,
        max: i64::try_from(zagzig(take(left)?)).ok()?,
        last_at_us: u64::try_from(take(left)?).ok()?,
        last: i64::try_from(zagzig(take(left)?)).ok()?,
    };
    visit_counts(left, |_, _| {}).ok()?;
    (numbers.min <= numbers.max).then(|| PackedMetric {
        numbers,
        counts: (*left).into(),
    })
}

fn zigzag(number: i128) -> u128 {
    ((number << 1) ^ (number >> 127)).cast_unsigned()
}

fn zagzig(number: u128) -> i128 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

fn put(bytes: &mut Vec<u8>, mut number: u128) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take(left: &mut &[u8]) -> Option<u128> {
    let mut number = 0_u128;
    for shift in (0..u128::BITS).step_by(7) {
        let (first, rest) = left.split_first()?;
        *left = rest;
        number |= u128::from(first & 0x7f) << shift;
        if *first < 0x80 {
            return Some(number);
        }
    }
    None
}

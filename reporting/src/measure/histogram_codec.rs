//! Histograms as bytes: HdrHistogram's V2 encoding, plain or inside DEFLATE, read with bounded memory.
//!
//! Format: the header and the ZigZag LEB128-64b9B counts of HdrHistogram's
//! `AbstractHistogram.encodeIntoCompressedByteBuffer` (V2), the same that the `hdrhistogram` crate writes;
//! a test compares the two. The crate's own reader is not used on bytes from outside for two reasons: it
//! inflates and allocates whatever the bytes ask for, and it fills a dense array of 188 kB where a second's
//! histogram has a few hundred counts. Here a histogram is its list of non-zero counts.

use std::io::Write;
use std::ops::Range;

use flate2::{Compression, write::ZlibEncoder};

use super::inflate::inflate;

/// Greatest response time a histogram tells apart, in µs (1 h); longer ones count as this.
pub(crate) const HIGHEST_US: u64 = 3_600_000_000;
/// Significant decimal digits of a histogram.
pub(crate) const DIGITS: u8 = 3;

/// log2 of half the counts per power of two that [`DIGITS`] digits need (2 * 10^3 -> 2048 -> 1024).
const HALF_MAGNITUDE: u32 = 10;
const HALF: u64 = 1 << HALF_MAGNITUDE;
const COOKIE: u32 = 0x1c84_9313;
const COMPRESSED_COOKIE: u32 = 0x1c84_9314;
const HEADER_BYTES: usize = 40;
const COMPRESSED_HEADER_BYTES: usize = 8;
/// The length of an array of counts is a multiple of so many: those of one doubling.
const GROWS_BY: usize = 1 << HALF_MAGNITUDE;
/// Longest encoded count.
const MAX_COUNT_BYTES: usize = 9;

/// Why bytes cannot be read as a histogram of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum HistogramError {
    #[error("the histogram is cut short")]
    CutShort,
    #[error("the histogram begins with {0:#010x}, which is not an HdrHistogram V2 encoding")]
    Cookie(u32),
    #[error("the histogram's compressed part is damaged or larger than the largest histogram")]
    Deflate,
    #[error("the histogram is not one of 1 µs to 1 h with {DIGITS} significant digits")]
    Range,
    #[error("the histogram counts values above 1 h")]
    TooHigh,
    #[error("the histogram's counts are not valid")]
    Counts,
}

/// The non-zero counts of a histogram of 1 µs to 1 h with [`DIGITS`] digits, by ascending position.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct BucketCounts(Vec<(u32, u64)>);

/// Position of the count that a value belongs to; values above [`HIGHEST_US`] count as that.
pub(crate) fn position_of(value_us: u64) -> u32 {
    unbounded_position(value_us.min(HIGHEST_US))
}

/// The same of any value, without a greatest one.
pub(super) const fn unbounded_position(value: u64) -> u32 {
    let bucket = (u64::BITS - (value | (2 * HALF - 1)).leading_zeros()) - (HALF_MAGNITUDE + 1);
    let sub_bucket = value >> bucket;
    let position = ((bucket as u64 + 1) << HALF_MAGNITUDE) + sub_bucket - HALF;
    // At most 55 times 1,024.
    position as u32
}

/// Least value that belongs to a count.
pub(crate) fn value_at(position: u32) -> u64 {
    let position = u64::from(position);
    match position >> HALF_MAGNITUDE {
        0 => position,
        bucket => ((position & (HALF - 1)) + HALF) << (bucket - 1),
    }
}

/// The value in the middle of those that are counted at a position.
pub(crate) fn middle_of(position: u32) -> u64 {
    let least = value_at(position);
    least + (value_at(position + 1) - least) / 2
}

/// Steps per doubling of a coarse histogram.
const COARSE_STEPS_MAGNITUDE: u32 = 4;

/// The position that stands for all in the same step of a coarse histogram, of which each doubling has 16: the one in
/// its middle, so that a time read from it is at most 1/32 from the true one.
pub(crate) fn coarse_position(position: u32) -> u32 {
    let value = value_at(position);
    let magnitude = u64::BITS - 1 - (value | 1).leading_zeros();
    if magnitude <= COARSE_STEPS_MAGNITUDE {
        return position;
    }
    let step = 1_u64 << (magnitude - COARSE_STEPS_MAGNITUDE);
    position_of((value & !(step - 1)) + step / 2)
}

impl BucketCounts {
    /// Counts in ascending order of position, each position once.
    pub(crate) fn from_ascending(counts: Vec<(u32, u64)>) -> Self {
        debug_assert!(counts.is_sorted_by(|a, b| a.0 < b.0));
        Self(counts)
    }

    /// Whether it counts nothing.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many positions have a count.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Bytes that the list takes, with the room that it has beyond its counts.
    pub(crate) fn memory(&self) -> usize {
        self.0.capacity() * size_of::<(u32, u64)>()
    }

    /// Positions and counts in ascending order.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (u32, u64)> + '_ {
        self.0.iter().copied()
    }

    /// The sum of the counts.
    pub(crate) fn total(&self) -> u64 {
        self.iter()
            .fold(0, |total, (_, count)| total.saturating_add(count))
    }

    /// Least and greatest position that has a count.
    pub(crate) fn ends(&self) -> Option<(u32, u32)> {
        Some((self.0.first()?.0, self.0.last()?.0))
    }

    /// Adds another histogram's counts.
    pub(crate) fn merge(&mut self, other: &Self) {
        if self.0.is_empty() {
            self.0.clone_from(&other.0);
            return;
        }
        let mut merged = Vec::with_capacity(self.0.len() + other.0.len());
        let mut theirs = other.0.iter().copied().peekable();
        for (position, count) in self.0.iter().copied() {
            while let Some(their) = theirs.next_if(|their| their.0 < position) {
                merged.push(their);
            }
            let same = theirs.next_if(|their| their.0 == position);
            merged.push((position, count.saturating_add(same.map_or(0, |s| s.1))));
        }
        merged.extend(theirs);
        self.0 = merged;
    }

    /// V2 bytes, not compressed; nothing for no counts.
    #[cfg(test)]
    pub(crate) fn encode(&self) -> Vec<u8> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let mut body = Vec::with_capacity(self.0.len() * 4);
        put_counts(&mut body, self.iter());
        plain(&body)
    }

    /// V2 bytes inside DEFLATE; nothing for no counts.
    #[cfg(test)]
    pub(crate) fn encode_compressed(&self) -> Vec<u8> {
        if self.0.is_empty() {
            return Vec::new();
        }
        compressed(&self.encode())
    }

    /// Reads either form; no bytes are no counts. Memory stays below 0.5 MB whatever the bytes are.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, HistogramError> {
        let mut counts = Vec::with_capacity(bytes.len().min(512));
        visit_counts(bytes, |position, count| counts.push((position, count)))?;
        Ok(Self(counts))
    }
}

/// Reads either form like [`BucketCounts::decode`] and gives each position and count, in ascending order, to
/// `visit`; some may have been given before an error is found.
pub(crate) fn visit_counts(
    bytes: &[u8],
    visit: impl FnMut(u32, u64),
) -> Result<(), HistogramError> {
    with_body(bytes, |body| visit_body(body, visit)).map(drop)
}

/// Gives `read` the counts of either form, which are not checked yet: what comes after the header. Nothing is read from
/// no bytes.
pub(super) fn with_body<T>(
    bytes: &[u8],
    read: impl FnOnce(&[u8]) -> Result<T, HistogramError>,
) -> Result<Option<T>, HistogramError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    match be_u32(bytes, 0)? {
        COOKIE => read(plain_body(bytes)?).map(Some),
        COMPRESSED_COOKIE => {
            let length = be_u32(bytes, 4)? as usize;
            let body = &bytes[COMPRESSED_HEADER_BYTES..];
            if body.len() != length {
                return Err(HistogramError::CutShort);
            }
            let largest = HEADER_BYTES + (position_of(HIGHEST_US) as usize + 1) * MAX_COUNT_BYTES;
            inflate(body, largest, |plain| read(plain_body(plain)?).map(Some))
                .ok_or(HistogramError::Deflate)?
        }
        cookie => Err(HistogramError::Cookie(cookie)),
    }
}

fn be_u32(bytes: &[u8], at: usize) -> Result<u32, HistogramError> {
    let field = bytes.get(at..at + 4).ok_or(HistogramError::CutShort)?;
    Ok(u32::from_be_bytes(field.try_into().expect("4 bytes")))
}

fn plain_body(bytes: &[u8]) -> Result<&[u8], HistogramError> {
    let header = bytes
        .first_chunk::<HEADER_BYTES>()
        .ok_or(HistogramError::CutShort)?;
    let field = |at: usize| u32::from_be_bytes(header[at..at + 4].try_into().expect("4 bytes"));
    if field(0) != COOKIE {
        return Err(HistogramError::Cookie(field(0)));
    }
    let lowest = u64::from_be_bytes(header[16..24].try_into().expect("8 bytes"));
    let normalizing_offset = field(8);
    // The highest value is not compared: an auto-resized histogram names the range it grew to.
    if field(12) != u32::from(DIGITS) || lowest != 1 || normalizing_offset != 0 {
        return Err(HistogramError::Range);
    }
    let body = &bytes[HEADER_BYTES..];
    if body.len() != field(4) as usize {
        return Err(HistogramError::CutShort);
    }
    Ok(body)
}

/// Gives each position and count of what comes after a header.
pub(super) fn visit_body(body: &[u8], visit: impl FnMut(u32, u64)) -> Result<(), HistogramError> {
    visit_body_up_to(body, position_of(HIGHEST_US), visit)
}

/// The same where `last` is the greatest position that there may be.
pub(super) fn visit_body_up_to(
    body: &[u8],
    last: u32,
    mut visit: impl FnMut(u32, u64),
) -> Result<(), HistogramError> {
    let mut rest = body;
    let mut position: u32 = 0;
    while !rest.is_empty() {
        let count = take_count(&mut rest)?;
        if count < 0 {
            let zeros = u32::try_from(count.unsigned_abs()).unwrap_or(u32::MAX);
            position = position.saturating_add(zeros);
        } else {
            if count > 0 {
                if position > last {
                    return Err(HistogramError::TooHigh);
                }
                visit(position, count.unsigned_abs());
            }
            position = position.saturating_add(1);
        }
    }
    Ok(())
}

/// Adds what comes after a header to an array, which it makes so long that every count has its place, and says in `added`,
/// which is empty before, between which positions there are counts; some may have been added before an error is found.
pub(super) fn add_body(
    body: &[u8],
    sum: &mut Vec<u64>,
    added: &mut Range<usize>,
) -> Result<(), HistogramError> {
    let last = position_of(HIGHEST_US) as usize;
    let mut rest = body;
    let mut position: usize = 0;
    while !rest.is_empty() {
        let count = take_count(&mut rest)?;
        if count <= 0 {
            // A single one is written as 0.
            let zeros = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
            position = position.saturating_add(zeros.max(1));
            continue;
        }
        if position > last {
            return Err(HistogramError::TooHigh);
        }
        if position >= sum.len() {
            reach(sum, position + 1);
        }
        sum[position] = sum[position].saturating_add(count.unsigned_abs());
        if Range::is_empty(added) {
            added.start = position;
        }
        position += 1;
        // Most of what follows are single bytes: counts, which are even, and zeros, whose number is odd. Which of them comes next cannot
        // be predicted, so both are read by the same steps.
        let reached = sum.len().min(last + 1);
        let places = &mut sum[..reached];
        while let Some((&byte, after)) = rest.split_first()
            && byte < 0x80
            && let Some(place) = places.get_mut(position)
        {
            let half = byte >> 1;
            let are_zeros = 0_u8.wrapping_sub(byte & 1);
            *place = place.saturating_add(u64::from(half & !are_zeros));
            position += 1 + usize::from(half & are_zeros);
            rest = after;
        }
        added.end = added.end.max(position.min(sum.len()));
    }
    Ok(())
}

/// Makes an array of counts so long.
#[cold]
pub(super) fn reach(counts: &mut Vec<u64>, length: usize) {
    counts.resize(length.next_multiple_of(GROWS_BY), 0);
}

/// The header and the counts that come after it.
pub(super) fn plain(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("at most 9 bytes per count");
    let mut bytes = Vec::with_capacity(HEADER_BYTES + body.len());
    bytes.extend(COOKIE.to_be_bytes());
    bytes.extend(length.to_be_bytes());
    bytes.extend(0_u32.to_be_bytes()); // normalizing index offset
    bytes.extend(u32::from(DIGITS).to_be_bytes());
    bytes.extend(1_u64.to_be_bytes());
    bytes.extend(HIGHEST_US.to_be_bytes());
    bytes.extend(1.0_f64.to_be_bytes());
    bytes.extend(body);
    bytes
}

/// The plain form inside DEFLATE.
pub(super) fn compressed(plain: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    bytes.extend(COMPRESSED_COOKIE.to_be_bytes());
    bytes.extend([0; 4]); // length of what follows, filled in below
    let mut encoder = ZlibEncoder::new(bytes, Compression::fast());
    encoder
        .write_all(plain)
        .expect("writing to memory cannot fail");
    let mut bytes = encoder.finish().expect("writing to memory cannot fail");
    let length =
        u32::try_from(bytes.len() - COMPRESSED_HEADER_BYTES).expect("at most 9 bytes per count");
    bytes[4..8].copy_from_slice(&length.to_be_bytes());
    bytes
}

/// Appends counts as they come after a header, given in ascending order of position.
pub(super) fn put_counts(bytes: &mut Vec<u8>, counts: impl Iterator<Item = (u32, u64)>) {
    let mut next = 0;
    for (position, count) in counts {
        match position - next {
            0 => {}
            1 => put_count(bytes, 0),
            zeros => put_count(bytes, -i64::from(zeros)),
        }
        put_count(bytes, i64::try_from(count).unwrap_or(i64::MAX));
        next = position + 1;
    }
}

/// Bytes that [`put_counts`] appends for a count that comes after so many zeros.
#[inline]
pub(super) fn counts_bytes(zeros: u32, count: u64) -> usize {
    let bytes = |bits: u32| (bits.div_ceil(7) as usize).clamp(1, MAX_COUNT_BYTES);
    let of_zeros = match zeros {
        0 => 0,
        zeros => bytes(u64::BITS - (2 * u64::from(zeros) - 1).leading_zeros()),
    };
    of_zeros + bytes(u64::BITS + 1 - count.leading_zeros())
}

fn put_count(bytes: &mut Vec<u8>, count: i64) {
    let mut left = ((count << 1) ^ (count >> 63)) as u64;
    for _ in 0..MAX_COUNT_BYTES - 1 {
        if left < 0x80 {
            bytes.push(left as u8);
            return;
        }
        bytes.push(left as u8 | 0x80);
        left >>= 7;
    }
    bytes.push(left as u8); // the ninth byte holds all eight of its bits
}

#[inline]
fn take_count(bytes: &mut &[u8]) -> Result<i64, HistogramError> {
    // Most counts and most runs of zeros are one byte.
    if let Some((&byte, rest)) = bytes.split_first()
        && byte < 0x80
    {
        *bytes = rest;
        return Ok(i64::from(byte >> 1) ^ -i64::from(byte & 1));
    }
    take_long_count(bytes)
}

fn take_long_count(bytes: &mut &[u8]) -> Result<i64, HistogramError> {
    let mut value: u64 = 0;
    for index in 0..MAX_COUNT_BYTES {
        let (&byte, rest) = bytes.split_first().ok_or(HistogramError::Counts)?;
        *bytes = rest;
        if index == MAX_COUNT_BYTES - 1 {
            value |= u64::from(byte) << (7 * index);
            break;
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            break;
        }
    }
    Ok((value >> 1) as i64 ^ -((value & 1) as i64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::Histogram;
    use hdrhistogram::serialization::{
        Deserializer, Serializer, V2DeflateSerializer, V2Serializer,
    };
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn counts_of(values: &[u64]) -> BucketCounts {
        let mut counts = BTreeMap::new();
        for value in values {
            *counts.entry(position_of(*value)).or_default() += 1;
        }
        BucketCounts::from_ascending(counts.into_iter().collect())
    }

    fn library_histogram(values: &[u64]) -> Histogram<u64> {
        let mut histogram = Histogram::new_with_bounds(1, HIGHEST_US, DIGITS).unwrap();
        for value in values {
            histogram.saturating_record(*value);
        }
        histogram
    }

    fn values() -> impl Strategy<Value = Vec<u64>> {
        let value = prop_oneof![0..3_000_u64, 0..1_000_000_u64, 0..=HIGHEST_US];
        prop::collection::vec(value, 1..200)
    }

    proptest! {
        #[test]
        fn positions_are_those_of_the_library(values in values()) {
            let library = library_histogram(&values);
            let ours = counts_of(&values);
            let theirs: Vec<(u64, u64)> = library
                .iter_recorded()
                .map(|step| (library.lowest_equivalent(step.value_iterated_to()), step.count_at_value()))
                .collect();
            let ours: Vec<(u64, u64)> = ours.iter().map(|(at, n)| (value_at(at), n)).collect();
            prop_assert_eq!(ours, theirs);
        }

        #[test]
        fn the_bytes_are_those_of_the_library(values in values()) {
            let library = library_histogram(&values);
            let ours = counts_of(&values);
            let mut plain = Vec::new();
            V2Serializer::new().serialize(&library, &mut plain).unwrap();
            prop_assert_eq!(&ours.encode(), &plain);
            let mut compressed = Vec::new();
            V2DeflateSerializer::new().serialize(&library, &mut compressed).unwrap();
            prop_assert_eq!(&BucketCounts::decode(&compressed).unwrap(), &ours);
            let read_back: Histogram<u64> = Deserializer::new()
                .deserialize(&mut ours.encode_compressed().as_slice())
                .unwrap();
            prop_assert_eq!(read_back, library);
        }

        #[test]
        fn merging_is_counting_together(a in values(), b in values()) {
            let mut merged = counts_of(&a);
            merged.merge(&counts_of(&b));
            prop_assert_eq!(merged, counts_of(&[a, b].concat()));
        }

        #[test]
        fn added_to_an_array_is_what_is_visited(
            counts in prop::collection::btree_map(0..25_000_u32, prop_oneof![0..100_u64, 0..=1_u64 << 40], 0..200),
            mut cut in 0..2_000_usize,
        ) {
            let mut body = Vec::new();
            put_counts(&mut body, counts.into_iter());
            // Zeros after the last count.
            put_count(&mut body, -70);
            put_count(&mut body, 0);
            cut = cut.min(body.len());
            for body in [&body[..], &body[..cut]] {
                let (mut sum, mut added) = (vec![1; GROWS_BY], 0..0);
                let mut visited = BTreeMap::new();
                let read = visit_body(body, |position, count| {
                    visited.insert(position as usize, count);
                });
                prop_assert_eq!(add_body(body, &mut sum, &mut added), read);
                if let Some((first, _)) = visited.first_key_value() {
                    prop_assert_eq!(added.start, *first);
                }
                for (position, sum) in sum.iter().enumerate() {
                    let before = u64::from(position < GROWS_BY);
                    let count = visited.remove(&position).unwrap_or(0);
                    prop_assert_eq!(*sum, before + count);
                    prop_assert!(count == 0 || added.contains(&position));
                }
                prop_assert!(visited.is_empty());
                prop_assert!(added.is_empty() || added.end <= sum.len());
            }
        }

        #[test]
        fn no_bytes_make_it_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..300), plain in any::<bool>()) {
            let _ = BucketCounts::decode(&bytes);
            let _ = add_body(&bytes, &mut Vec::new(), &mut (0..0));
            let mut framed = counts_of(&[5]).encode();
            framed.truncate(HEADER_BYTES);
            framed[4..8].copy_from_slice(&(bytes.len() as u32).to_be_bytes());
            framed.append(&mut bytes);
            if !plain {
                framed.swap(3, 2);
            }
            let _ = BucketCounts::decode(&framed);
        }
    }

    #[test]
    fn large_counts_survive() {
        for count in [1, 63, 64, 1 << 20, 1 << 55, i64::MAX as u64] {
            let counts = BucketCounts::from_ascending(vec![(0, count), (23_220, count)]);
            assert_eq!(BucketCounts::decode(&counts.encode()), Ok(counts));
        }
    }

    #[test]
    fn each_kind_of_damage_is_reported() {
        let good = counts_of(&[1, 1_000_000, HIGHEST_US]);
        let plain = good.encode();
        let compressed = good.encode_compressed();
        let changed = |bytes: &[u8], at: usize, to: u8| {
            let mut bytes = bytes.to_vec();
            bytes[at] = to;
            BucketCounts::decode(&bytes)
        };
        for cut in [
            &plain[..3],
            &plain[..39],
            &plain[..45],
            &compressed[..compressed.len() - 1],
        ] {
            assert_eq!(BucketCounts::decode(cut), Err(HistogramError::CutShort));
        }
        assert_eq!(
            changed(&plain, 3, 0),
            Err(HistogramError::Cookie(0x1c84_9300))
        );
        assert_eq!(changed(&plain, 15, 2), Err(HistogramError::Range));
        assert_eq!(changed(&plain, 23, 2), Err(HistogramError::Range));
        assert_eq!(changed(&compressed, 8, 0), Err(HistogramError::Deflate));
        let too_high = BucketCounts::from_ascending(vec![(23_221, 1)]).encode();
        assert_eq!(
            BucketCounts::decode(&too_high),
            Err(HistogramError::TooHigh)
        );
    }

    #[test]
    fn a_deflate_bomb_is_refused() {
        let mut bomb = COMPRESSED_COOKIE.to_be_bytes().to_vec();
        bomb.extend([0; 4]);
        let mut encoder = ZlibEncoder::new(bomb, Compression::best());
        encoder.write_all(&vec![0; 64 << 20]).unwrap();
        let mut bomb = encoder.finish().unwrap();
        let length = (bomb.len() - COMPRESSED_HEADER_BYTES) as u32;
        bomb[4..8].copy_from_slice(&length.to_be_bytes());
        assert_eq!(BucketCounts::decode(&bomb), Err(HistogramError::Deflate));
    }
}

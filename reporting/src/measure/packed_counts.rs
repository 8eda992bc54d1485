//! The counts of a histogram as bytes.
//!
//! A count takes two or three bytes where a list of them takes sixteen, and reading them costs about as much as walking
//! the list. So what waits to be saved, and what is kept of the newest seconds, is packed.

use super::histogram_codec::{
    BucketCounts, HistogramError, compressed, counts_bytes, plain, put_counts, visit_body,
    with_body,
};

/// The non-zero counts of a histogram by ascending position: the part of HdrHistogram's V2 encoding that comes after its
/// header.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PackedCounts(Box<[u8]>);

/// What counts come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Their sum.
    pub(crate) total: u64,
    /// Least and greatest position that has one.
    pub(crate) ends: Option<(u32, u32)>,
}

impl PackedCounts {
    /// Reads and checks either form of the encoding; no bytes are no counts. Whatever length the bytes had (there may be
    /// zeros after the last count, and numbers may be longer than they need be), the shortest is kept.
    pub(crate) fn decode(bytes: &[u8]) -> Result<(Self, Extent), HistogramError> {
        Ok(with_body(bytes, Self::decode_bare)?.unwrap_or_default())
    }

    /// The same of what comes after the header alone.
    pub(crate) fn decode_bare(body: &[u8]) -> Result<(Self, Extent), HistogramError> {
        let mut extent = Extent::default();
        let mut shortest = 0;
        let mut next = 0;
        visit_body(body, |position, count| {
            shortest += counts_bytes(position - next, count);
            next = position + 1;
            extent.total = extent.total.saturating_add(count);
            let first = extent.ends.map_or(position, |ends| ends.0);
            extent.ends = Some((first, position));
        })?;
        let packed = Self(body.into());
        if body.len() == shortest {
            return Ok((packed, extent));
        }
        Ok((Self::from(&packed.to_bucket_counts()?), extent))
    }

    /// What [`put_counts`] wrote.
    pub(super) fn from_shortest(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }

    /// What [`Self::as_bytes`] gave.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As HdrHistogram's V2 encoding; nothing for no counts.
    pub(crate) fn encode(&self) -> Vec<u8> {
        if self.0.is_empty() {
            return Vec::new();
        }
        plain(&self.0)
    }

    /// The same inside DEFLATE.
    pub(crate) fn encode_compressed(&self) -> Vec<u8> {
        if self.0.is_empty() {
            return Vec::new();
        }
        compressed(&plain(&self.0))
    }

    /// Gives each position and count, in ascending order.
    pub(crate) fn visit(&self, visit: impl FnMut(u32, u64)) -> Result<(), HistogramError> {
        visit_body(&self.0, visit)
    }

    /// The list of its counts.
    pub(crate) fn to_bucket_counts(&self) -> Result<BucketCounts, HistogramError> {
        let mut counts = Vec::new();
        self.visit(|position, count| counts.push((position, count)))?;
        Ok(BucketCounts::from_ascending(counts))
    }
}

impl From<&BucketCounts> for PackedCounts {
    fn from(counts: &BucketCounts) -> Self {
        let mut bytes = Vec::with_capacity(counts.len() * 3);
        put_counts(&mut bytes, counts.iter());
        Self(bytes.into())
    }
}

/// How finely a sum tells times apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Precision {
    /// As finely as the histograms that it sums up.
    Full,
    /// In 16 steps per doubling, see [`coarse_position`](super::histogram_codec::coarse_position).
    Coarse,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_shortest_form_is_kept(
            counts in prop::collection::btree_map(0..23_221_u32, 1..=1_u64 << 40, 1..50),
            zeros in 1..100_000_usize,
        ) {
            let counts = BucketCounts::from_ascending(counts.into_iter().collect());
            let shortest = PackedCounts::from(&counts);
            let mut padded = shortest.as_bytes().to_vec();
            padded.resize(padded.len() + zeros, 0);
            // The first number, longer than it need be.
            let at = padded.iter().position(|byte| *byte < 0x80).unwrap();
            if at < 7 {
                padded[at] |= 0x80;
                padded.insert(at + 1, 0);
            }
            for body in [shortest.as_bytes(), &padded] {
                let (decoded, extent) = PackedCounts::decode(&plain(body)).unwrap();
                prop_assert_eq!(&decoded, &shortest);
                prop_assert_eq!(extent.total, counts.total());
                prop_assert_eq!(extent.ends, counts.ends());
            }
        }

        #[test]
        fn as_many_bytes_are_counted_as_are_put(zeros in 0..23_221_u32, bits in 0..63_u32, less in 0..2_u64) {
            let count = ((1_u64 << bits) - less).max(1);
            let mut bytes = Vec::new();
            put_counts(&mut bytes, std::iter::once((zeros, count)));
            prop_assert_eq!(counts_bytes(zeros, count), bytes.len());
        }
    }
}

//! An interval as it is stored: its numbers and the non-zero counts of its histogram, without errors.
//!
//! Adding up thousands of these costs a fraction of what dense histograms would.

use greylag_infra::protocol::IntervalData;
use rusqlite::Row;

use super::error::{StoreError, StoreResult};
use super::integers::from_sql;
use crate::histogram_codec::{BucketCounts, visit_counts};
use crate::interval::{Interval, IntervalError, check_wire};

/// Columns of a piece in the order [`Piece::read`] expects.
pub(super) const PIECE_COLUMNS: &str =
    "requests, failures, bytes, min_us, max_us, sum_us, ttfb_sum_us, ttfb_count, histogram";

/// Smaller histograms gain next to nothing from compression.
const COMPRESSED_ABOVE_BYTES: usize = 256;

#[derive(Debug, Clone, Default)]
pub(super) struct Piece {
    pub(super) requests: u64,
    pub(super) failures: u64,
    pub(super) bytes: u64,
    pub(super) min_us: u64,
    pub(super) max_us: u64,
    pub(super) sum_us: u64,
    pub(super) ttfb_sum_us: u64,
    pub(super) ttfb_count: u64,
    counts: BucketCounts,
    /// The histogram's bytes as they came, as long as nothing was added.
    compressed: Option<Vec<u8>>,
}

impl Piece {
    /// Checks and reads what came over the wire.
    pub(super) fn from_wire(data: IntervalData) -> Result<Self, IntervalError> {
        let counts = check_wire(&data)?;
        Ok(Self {
            requests: data.requests,
            failures: data.failures,
            bytes: data.bytes,
            min_us: data.min_us,
            max_us: data.max_us,
            sum_us: data.sum_us,
            ttfb_sum_us: data.ttfb_sum_us,
            ttfb_count: data.ttfb_count,
            counts,
            compressed: Some(data.histogram.into_vec()),
        })
    }

    /// Reads [`PIECE_COLUMNS`] beginning at column `first`.
    pub(super) fn read(row: &Row<'_>, first: usize) -> StoreResult<Self> {
        let mut counts = Vec::new();
        let numbers = Self::read_numbers(row, first, |position, count| {
            counts.push((position, count));
        })?;
        Ok(Self {
            counts: BucketCounts::from_ascending(counts),
            ..numbers
        })
    }

    /// As [`Self::read`], but gives the histogram's positions and counts to `visit` and keeps none: adding up
    /// thousands of rows need not build a list for each.
    pub(super) fn read_numbers(
        row: &Row<'_>,
        first: usize,
        visit: impl FnMut(u32, u64),
    ) -> StoreResult<Self> {
        let number = |index: usize| row.get(first + index).map(from_sql);
        let unreadable = |error: &dyn std::error::Error| StoreError::Unreadable(error.to_string());
        let histogram = row.get_ref(first + 8)?;
        let bytes = histogram.as_blob().map_err(|error| unreadable(&error))?;
        visit_counts(bytes, visit).map_err(|error| unreadable(&error))?;
        Ok(Self {
            requests: number(0)?,
            failures: number(1)?,
            bytes: number(2)?,
            min_us: number(3)?,
            max_us: number(4)?,
            sum_us: number(5)?,
            ttfb_sum_us: number(6)?,
            ttfb_count: number(7)?,
            counts: BucketCounts::default(),
            compressed: None,
        })
    }

    /// Adds another piece.
    pub(super) fn merge(&mut self, other: &Self) {
        if other.requests > 0 {
            self.min_us = if self.requests == 0 {
                other.min_us
            } else {
                self.min_us.min(other.min_us)
            };
            self.max_us = self.max_us.max(other.max_us);
        }
        self.requests = self.requests.saturating_add(other.requests);
        self.failures = self.failures.saturating_add(other.failures);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
        self.ttfb_sum_us = self.ttfb_sum_us.saturating_add(other.ttfb_sum_us);
        self.ttfb_count = self.ttfb_count.saturating_add(other.ttfb_count);
        self.counts.merge(&other.counts);
        self.compressed = None;
    }

    /// Adds this piece to an interval.
    pub(super) fn add_to(&self, interval: &mut Interval) {
        if self.requests > 0 {
            interval.min_us = if interval.requests == 0 {
                self.min_us
            } else {
                interval.min_us.min(self.min_us)
            };
            interval.max_us = interval.max_us.max(self.max_us);
        }
        interval.requests = interval.requests.saturating_add(self.requests);
        interval.failures = interval.failures.saturating_add(self.failures);
        interval.bytes = interval.bytes.saturating_add(self.bytes);
        interval.sum_us = interval.sum_us.saturating_add(self.sum_us);
        interval.ttfb_sum_us = interval.ttfb_sum_us.saturating_add(self.ttfb_sum_us);
        interval.ttfb_count = interval.ttfb_count.saturating_add(self.ttfb_count);
        interval.count_all(&self.counts);
    }

    /// The histogram's bytes for a row of this level: the larger ones of level 0 compressed, where most of the
    /// space goes; the others plain, which are read several times as fast.
    pub(super) fn histogram(&self, level: usize) -> Vec<u8> {
        let plain = self.counts.encode();
        if level > 0 || plain.len() <= COMPRESSED_ABOVE_BYTES {
            return plain;
        }
        match &self.compressed {
            Some(bytes) => bytes.clone(),
            None => self.counts.encode_compressed(),
        }
    }
}

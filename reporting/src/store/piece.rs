//! An interval as it is stored: its numbers and the non-zero counts of its histogram, without errors.
//!
//! Adding up thousands of these costs a fraction of what dense histograms would.

use greylag_infra::protocol::IntervalData;
use rusqlite::Row;

use super::error::{StoreError, StoreResult};
use super::integers::from_sql;
use crate::measure::histogram_codec::{BucketCounts, visit_counts};
use crate::measure::interval::{Interval, IntervalError, Sums, Times, check_wire};

/// Columns of a piece in the order [`Piece::read`] expects.
pub(super) const PIECE_COLUMNS: &str = "requests, failures, bytes, min_us, max_us, sum_us, ttfb_sum_us, ttfb_count, histogram,
     intended_count, intended_min_us, intended_max_us, intended_sum_us, intended_histogram, first_byte_only";
/// Positions of the two histograms among them.
const HISTOGRAM: usize = 8;
const INTENDED_HISTOGRAM: usize = 13;

/// Smaller histograms gain next to nothing from compression.
const COMPRESSED_ABOVE_BYTES: usize = 256;

#[derive(Debug, Clone, Default)]
pub(super) struct Piece {
    pub(super) sums: Sums,
    response: Counts,
    intended: Counts,
}

/// A histogram's non-zero counts.
#[derive(Debug, Clone, Default)]
struct Counts {
    counts: BucketCounts,
    /// The bytes as they came, as long as nothing was added.
    compressed: Option<Vec<u8>>,
}

impl Piece {
    /// Checks and reads what came over the wire.
    pub(super) fn from_wire(data: IntervalData) -> Result<Self, IntervalError> {
        let checked = check_wire(&data)?;
        Ok(Self {
            sums: checked.sums,
            response: Counts {
                counts: checked.counts,
                compressed: Some(data.histogram.into_vec()),
            },
            intended: Counts {
                counts: checked.intended_counts,
                compressed: Some(data.intended_histogram.into_vec()),
            },
        })
    }

    /// How many counts its histograms have in memory.
    pub(super) fn buckets(&self) -> usize {
        self.response.counts.len() + self.intended.counts.len()
    }

    /// Reads [`PIECE_COLUMNS`] beginning at column `first`.
    pub(super) fn read(row: &Row<'_>, first: usize) -> StoreResult<Self> {
        let (mut response, mut intended) = (Vec::new(), Vec::new());
        let sums = read_sums(
            row,
            first,
            |position, count| response.push((position, count)),
            |position, count| intended.push((position, count)),
        )?;
        Ok(Self {
            sums,
            response: Counts::from_ascending(response),
            intended: Counts::from_ascending(intended),
        })
    }

    /// Adds another piece.
    pub(super) fn merge(&mut self, other: &Self) {
        self.sums.merge(&other.sums);
        self.response.merge(&other.response);
        self.intended.merge(&other.intended);
    }

    /// Adds this piece to an interval.
    pub(super) fn add_to(&self, interval: &mut Interval) {
        interval.add_sums(&self.sums);
        interval.count_all(&self.response.counts);
        interval.count_all_intended(&self.intended.counts);
    }

    /// The histogram's bytes for a row of this level.
    pub(super) fn histogram(&self, level: usize) -> Vec<u8> {
        self.response.encode(level)
    }

    /// Those of the times from the intended start.
    pub(super) fn intended_histogram(&self, level: usize) -> Vec<u8> {
        self.intended.encode(level)
    }
}

/// As [`Piece::read`], but gives the histograms' positions and counts to `response` and `intended` and keeps
/// none: adding up thousands of rows need not build lists for each.
pub(super) fn read_sums(
    row: &Row<'_>,
    first: usize,
    response: impl FnMut(u32, u64),
    intended: impl FnMut(u32, u64),
) -> StoreResult<Sums> {
    let number = |index: usize| row.get(first + index).map(from_sql);
    visit_blob(row, first + HISTOGRAM, response)?;
    visit_blob(row, first + INTENDED_HISTOGRAM, intended)?;
    Ok(Sums {
        requests: number(0)?,
        failures: number(1)?,
        bytes: number(2)?,
        min_us: number(3)?,
        max_us: number(4)?,
        sum_us: number(5)?,
        ttfb_sum_us: number(6)?,
        ttfb_count: number(7)?,
        intended: Times {
            count: number(9)?,
            min_us: number(10)?,
            max_us: number(11)?,
            sum_us: number(12)?,
        },
        first_byte_only: number(14)?,
    })
}

fn visit_blob(row: &Row<'_>, column: usize, visit: impl FnMut(u32, u64)) -> StoreResult<()> {
    let unreadable = |error: &dyn std::error::Error| StoreError::Unreadable(error.to_string());
    let histogram = row.get_ref(column)?;
    let bytes = histogram.as_blob().map_err(|error| unreadable(&error))?;
    visit_counts(bytes, visit).map_err(|error| unreadable(&error))
}

impl Counts {
    fn from_ascending(counts: Vec<(u32, u64)>) -> Self {
        Self {
            counts: BucketCounts::from_ascending(counts),
            compressed: None,
        }
    }

    fn merge(&mut self, other: &Self) {
        self.counts.merge(&other.counts);
        self.compressed = None;
    }

    /// The larger ones of level 0 compressed, where most of the space goes; the others plain, which are read
    /// several times as fast.
    fn encode(&self, level: usize) -> Vec<u8> {
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

//! Rows that earlier versions saved: nothing says what is in them but reading them.
//!
//! ```text
//! form | users | errors | intervals        form: 2, or 3 for all that follows inside DEFLATE
//! intervals  until the end, each: endpoint, which numbers are not 0, these, which measures have counts, these (length, counts)
//! ```
//!
//! Those of even earlier ones have the forms 0 and 1, and of each interval the counts of the first two measures.

use std::borrow::Cow;
use std::iter;

use super::{
    Intervals, PackedRow, RowInterval, inflate, row_interval, take, take_counts,
    take_users_and_errors, unreadable, until_error,
};
use crate::measure::interval::{Measure, NUMBERS};
use crate::store::error::StoreResult;

const OLDEST_PLAIN: u8 = 0;
const OLDEST_COMPRESSED: u8 = 1;
const PLAIN: u8 = 2;
const COMPRESSED: u8 = 3;

/// The intervals of such a row.
#[derive(Debug)]
pub(super) struct OldIntervals<'a> {
    /// All of the row but the form.
    bytes: Cow<'a, [u8]>,
    /// Where they begin in it.
    at: usize,
    is_oldest: bool,
}

/// Reads such a row.
pub(super) fn read(bytes: &[u8]) -> StoreResult<PackedRow<'_>> {
    let is_oldest = matches!(bytes.first(), Some(&(OLDEST_PLAIN | OLDEST_COMPRESSED)));
    let bytes: Cow<'_, [u8]> = match bytes.split_first() {
        Some((&(PLAIN | OLDEST_PLAIN), rest)) => rest.into(),
        Some((&(COMPRESSED | OLDEST_COMPRESSED), rest)) => inflate(rest)?.into(),
        _ => return Err(unreadable()),
    };
    let mut rest = &bytes[..];
    let (users, errors) = take_users_and_errors(&mut rest)?;
    let at = bytes.len() - rest.len();
    Ok(PackedRow {
        users,
        errors,
        intervals: Intervals::Old(OldIntervals {
            bytes,
            at,
            is_oldest,
        }),
    })
}

impl OldIntervals<'_> {
    /// In the order in which they were added; after an error no more.
    pub(super) fn read(&self) -> impl Iterator<Item = StoreResult<RowInterval<'_>>> {
        let mut rest = &self.bytes[self.at..];
        until_error(iter::from_fn(move || {
            (!rest.is_empty()).then(|| take_interval(&mut rest, self.is_oldest))
        }))
    }
}

fn take_interval<'a>(rest: &mut &'a [u8], is_oldest: bool) -> StoreResult<RowInterval<'a>> {
    let endpoint = take(rest)?.cast_signed();
    let used = take(rest)?;
    let mut numbers = [0; NUMBERS];
    for (at, number) in (0..).zip(&mut numbers) {
        if used & (1 << at) != 0 {
            *number = take(rest)?;
        }
    }
    let counts = if is_oldest {
        take_counts(rest, |measure| {
            matches!(measure, Measure::Response | Measure::Intended)
        })?
    } else {
        let used = take(rest)?;
        take_counts(rest, |measure| used & (1 << measure as u64) != 0)?
    };
    Ok(row_interval(endpoint, numbers, counts))
}

//! What one agent did in one stretch of run time, packed into bytes: numbers as LEB128, those that are 0 left out.
//!
//! ```text
//! form | users | errors | intervals        form: 2, or 3 for all that follows inside DEFLATE
//! users      started, stopped, arrivals, late arrivals, skipped arrivals
//! errors     how many, then each: number, occurrences
//! intervals  until the end, each: endpoint, which numbers are not 0, these, which measures have counts, these (length, counts)
//! ```
//!
//! Rows of earlier versions have the forms 0 and 1, and of each interval the counts of the first two measures.

use std::borrow::Cow;
use std::io::{Read, Write};
use std::iter;

use flate2::{Compression, bufread::ZlibDecoder, write::ZlibEncoder};

use crate::measure::arrivals::Arrivals;
use crate::measure::interval::{Measure, NUMBERS, Outcomes, PerMeasure, Sums};
use crate::store::error::{StoreError, StoreResult};
use crate::store::integers::to_sql;

const OLD_PLAIN: u8 = 0;
const OLD_COMPRESSED: u8 = 1;
const PLAIN: u8 = 2;
const COMPRESSED: u8 = 3;
/// The measures of the old forms.
const OLD_MEASURES: [Measure; 2] = [Measure::Response, Measure::Intended];
/// Shorter ones gain next to nothing from compression.
const COMPRESSED_ABOVE_BYTES: usize = 512;
/// Longest that a row may be when it is inflated. Those of one snapshot are shorter, and so are coarse ones however many
/// they sum up.
const MAX_BYTES: u64 = 64 << 20;

/// Users that came and went, and iterations of an arrival rate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::store) struct UserSums {
    pub(in crate::store) started: u64,
    pub(in crate::store) stopped: u64,
    pub(in crate::store) arrivals: Arrivals,
}

impl UserSums {
    pub(in crate::store) fn merge(&mut self, other: Self) {
        self.started = self.started.saturating_add(other.started);
        self.stopped = self.stopped.saturating_add(other.stopped);
        self.arrivals.merge(other.arrivals);
    }

    /// How many more users there are afterwards than before.
    pub(in crate::store) fn change(self) -> i64 {
        to_sql(self.started) - to_sql(self.stopped)
    }
}

/// The requests to one endpoint, with counts as [`crate::measure::packed_counts`] has them. Those that failed are apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::store) struct RowInterval<'a> {
    pub(in crate::store) endpoint: i64,
    pub(in crate::store) sums: Sums,
    pub(in crate::store) counts: PerMeasure<&'a [u8]>,
}

impl RowInterval<'_> {
    /// What it may be added up with: the requests to the same endpoint that ended the same way.
    pub(super) fn place(&self) -> (i64, Outcomes) {
        (self.endpoint, self.sums.outcomes())
    }
}

/// Writes a row.
#[derive(Debug)]
pub(super) struct RowWriter(Vec<u8>);

impl RowWriter {
    /// Begins a row with everything but its intervals.
    pub(super) fn new(users: UserSums, errors: &[(i64, u64)]) -> Self {
        let mut bytes = vec![PLAIN];
        let Arrivals {
            started,
            late,
            skipped,
        } = users.arrivals;
        for number in [users.started, users.stopped, started, late, skipped] {
            put(&mut bytes, number);
        }
        put(&mut bytes, errors.len() as u64);
        for (error, occurrences) in errors {
            put(&mut bytes, error.cast_unsigned());
            put(&mut bytes, *occurrences);
        }
        Self(bytes)
    }

    /// Adds an interval.
    pub(super) fn add(&mut self, interval: RowInterval<'_>) {
        let bytes = &mut self.0;
        put(bytes, interval.endpoint.cast_unsigned());
        let numbers = interval.sums.numbers();
        let used = (0..).zip(numbers).filter(|(_, number)| *number > 0);
        put(bytes, used.fold(0, |bits, (at, _)| bits | 1 << at));
        for number in numbers.into_iter().filter(|number| *number > 0) {
            put(bytes, number);
        }
        let counts = interval.counts.iter();
        let used = counts.filter(|(_, counts)| !counts.is_empty());
        put(
            bytes,
            used.fold(0, |bits, (measure, _)| bits | 1 << measure as u64),
        );
        for (_, counts) in interval
            .counts
            .iter()
            .filter(|(_, counts)| !counts.is_empty())
        {
            put(bytes, counts.len() as u64);
            bytes.extend(*counts);
        }
    }

    /// Whether it is longer than what can be read again.
    pub(super) fn is_too_long(&self) -> bool {
        self.0[1..].len() as u64 > MAX_BYTES
    }

    /// The row as it was written; none where it is too long.
    pub(super) fn finish(self) -> Option<Vec<u8>> {
        (!self.is_too_long()).then_some(self.0)
    }

    /// The row compressed, if that makes it smaller; likewise.
    pub(super) fn finish_compressed(self) -> Option<Vec<u8>> {
        if self.is_too_long() || self.0.len() <= COMPRESSED_ABOVE_BYTES {
            return self.finish();
        }
        let mut encoder = ZlibEncoder::new(vec![COMPRESSED], Compression::fast());
        encoder
            .write_all(&self.0[1..])
            .expect("writing to memory cannot fail");
        Some(encoder.finish().expect("writing to memory cannot fail"))
    }
}

/// A row that is read.
#[derive(Debug)]
pub(in crate::store) struct PackedRow<'a> {
    users: UserSums,
    errors: Vec<(i64, u64)>,
    /// All of it but the form.
    bytes: Cow<'a, [u8]>,
    /// Where the intervals begin in it.
    intervals_at: usize,
    is_old: bool,
}

impl<'a> PackedRow<'a> {
    /// Reads a row; its intervals are read when they are asked for.
    pub(super) fn read(bytes: &'a [u8]) -> StoreResult<Self> {
        let is_old = matches!(bytes.first(), Some(&(OLD_PLAIN | OLD_COMPRESSED)));
        let bytes: Cow<'a, [u8]> = match bytes.split_first() {
            Some((&(PLAIN | OLD_PLAIN), rest)) => rest.into(),
            Some((&(COMPRESSED | OLD_COMPRESSED), rest)) => {
                let mut plain = Vec::with_capacity(rest.len() * 3);
                ZlibDecoder::new(rest)
                    .take(MAX_BYTES)
                    .read_to_end(&mut plain)
                    .map_err(|error| StoreError::Unreadable(error.to_string()))?;
                plain.into()
            }
            _ => return Err(unreadable()),
        };
        let mut left = &bytes[..];
        let mut next = || take(&mut left);
        let users = UserSums {
            started: next()?,
            stopped: next()?,
            arrivals: Arrivals {
                started: next()?,
                late: next()?,
                skipped: next()?,
            },
        };
        let count = next()?;
        let mut errors = Vec::new();
        for _ in 0..count {
            errors.push((next()?.cast_signed(), next()?));
        }
        let intervals_at = bytes.len() - left.len();
        Ok(Self {
            users,
            errors,
            bytes,
            intervals_at,
            is_old,
        })
    }

    pub(in crate::store) fn users(&self) -> UserSums {
        self.users
    }

    /// Numbers of errors and how often they occurred.
    pub(in crate::store) fn errors(&self) -> &[(i64, u64)] {
        &self.errors
    }

    /// The intervals, in the order in which they were added; after an error no more.
    pub(in crate::store) fn intervals(&self) -> impl Iterator<Item = StoreResult<RowInterval<'_>>> {
        let mut rest = &self.bytes[self.intervals_at..];
        iter::from_fn(move || {
            let next = (!rest.is_empty()).then(|| take_interval(&mut rest, self.is_old))?;
            if next.is_err() {
                rest = &[];
            }
            Some(next)
        })
    }
}

#[inline]
fn take_interval<'a>(rest: &mut &'a [u8], is_old: bool) -> StoreResult<RowInterval<'a>> {
    let endpoint = take(rest)?.cast_signed();
    let used = take(rest)?;
    let mut numbers = [0; NUMBERS];
    for (at, number) in (0..).zip(&mut numbers) {
        if used & (1 << at) != 0 {
            *number = take(rest)?;
        }
    }
    let used = if is_old {
        OLD_MEASURES
            .iter()
            .fold(0, |bits, measure| bits | 1 << *measure as u64)
    } else {
        take(rest)?
    };
    let counts = PerMeasure::try_from_fn(|measure| {
        if used & (1 << measure as u64) == 0 {
            return Ok(&[][..]);
        }
        take_bytes(rest)
    })?;
    let has_first_bytes = !counts[Measure::FirstByte].is_empty();
    Ok(RowInterval {
        endpoint,
        sums: Sums::from_numbers(numbers).measured(has_first_bytes),
        counts,
    })
}

fn unreadable() -> StoreError {
    StoreError::Unreadable("the results of an agent are cut short".to_owned())
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

#[inline]
fn take(bytes: &mut &[u8]) -> StoreResult<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or_else(unreadable)?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(unreadable())
}

fn take_bytes<'a>(bytes: &mut &'a [u8]) -> StoreResult<&'a [u8]> {
    let length = usize::try_from(take(bytes)?).map_err(|_| unreadable())?;
    let (taken, rest) = bytes.split_at_checked(length).ok_or_else(unreadable)?;
    *bytes = rest;
    Ok(taken)
}

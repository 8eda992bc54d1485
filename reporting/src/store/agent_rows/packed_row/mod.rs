//! What one agent did in one stretch of run time, packed into bytes: numbers as LEB128, those that are 0 left out.
//!
//! ```text
//! form | length of the head | head | bodies        form: 4, or 5 for bodies inside DEFLATE
//! head       users, errors, then until its end for each interval: endpoint, requests, failures, length of its body
//! users      started, stopped, arrivals, late arrivals, skipped arrivals
//! errors     how many, then each: number, occurrences
//! body       which other numbers are not 0, these, which measures have counts, these (length, counts)
//! ```
//!
//! Most of what is asked is in the head, which is short however much the agent did; and the bodies of one endpoint are found
//! by it. Rows of earlier versions have the forms 0 to 3: see [`old`].

mod old;

use std::borrow::Cow;
use std::io::{Read, Write};
use std::iter;
use std::ops::Range;

use flate2::{Compression, bufread::ZlibDecoder, write::ZlibEncoder};

use self::old::OldIntervals;
use crate::measure::arrivals::Arrivals;
use crate::measure::interval::{Measure, NUMBERS, Outcomes, PerMeasure, Sums};
use crate::store::error::{StoreError, StoreResult};
use crate::store::integers::to_sql;

const PLAIN: u8 = 4;
const COMPRESSED: u8 = 5;
/// Shorter bodies gain next to nothing from compression.
const COMPRESSED_ABOVE_BYTES: usize = 512;
/// Longest that a row may be when it is inflated. Those of one snapshot are shorter, and so are coarse ones however many
/// they sum up.
const MAX_BYTES: u64 = 64 << 20;
/// The numbers that are in the head: requests and failures.
const HEAD_NUMBERS: usize = 2;

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

/// The requests of an interval, as they are in the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct RowCounts {
    pub(in crate::store) endpoint: i64,
    pub(in crate::store) requests: u64,
    pub(in crate::store) failures: u64,
}

/// Writes a row.
#[derive(Debug, Clone)]
pub(super) struct RowWriter {
    head: Vec<u8>,
    bodies: Vec<u8>,
    /// One body, used again.
    body: Vec<u8>,
}

impl RowWriter {
    /// Begins a row with everything but its intervals.
    pub(super) fn new(users: UserSums, errors: &[(i64, u64)]) -> Self {
        let mut head = Vec::new();
        let Arrivals {
            started,
            late,
            skipped,
        } = users.arrivals;
        for number in [users.started, users.stopped, started, late, skipped] {
            put(&mut head, number);
        }
        put(&mut head, errors.len() as u64);
        for (error, occurrences) in errors {
            put(&mut head, error.cast_unsigned());
            put(&mut head, *occurrences);
        }
        Self {
            head,
            bodies: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Adds an interval.
    pub(super) fn add(&mut self, interval: RowInterval<'_>) {
        let numbers = interval.sums.numbers();
        let (in_head, others) = numbers.split_at(HEAD_NUMBERS);
        let body = &mut self.body;
        body.clear();
        let used = (0..).zip(others).filter(|(_, number)| **number > 0);
        put(body, used.fold(0, |bits, (at, _)| bits | 1 << at));
        for number in others.iter().filter(|number| **number > 0) {
            put(body, *number);
        }
        let has_counts = |(_, counts): &(Measure, &&[u8])| !counts.is_empty();
        let used = interval.counts.iter().filter(has_counts);
        put(
            body,
            used.fold(0, |bits, (measure, _)| bits | 1 << measure as u64),
        );
        for (_, counts) in interval.counts.iter().filter(has_counts) {
            put(body, counts.len() as u64);
            body.extend(*counts);
        }
        put(&mut self.head, interval.endpoint.cast_unsigned());
        for number in in_head {
            put(&mut self.head, *number);
        }
        put(&mut self.head, body.len() as u64);
        self.bodies.extend_from_slice(body);
    }

    /// Whether it is longer than what can be read again.
    pub(super) fn is_too_long(&self) -> bool {
        (self.head.len() + self.bodies.len()) as u64 > MAX_BYTES
    }

    /// The row as it was written; none where it is too long.
    pub(super) fn finish(self) -> Option<Vec<u8>> {
        if self.is_too_long() {
            return None;
        }
        let mut bytes = self.begin(PLAIN);
        bytes.extend(self.bodies);
        Some(bytes)
    }

    /// The row with its bodies compressed, if that makes it smaller; likewise.
    pub(super) fn finish_compressed(self) -> Option<Vec<u8>> {
        if self.is_too_long() || self.bodies.len() <= COMPRESSED_ABOVE_BYTES {
            return self.finish();
        }
        let mut encoder = ZlibEncoder::new(self.begin(COMPRESSED), Compression::fast());
        encoder
            .write_all(&self.bodies)
            .expect("writing to memory cannot fail");
        Some(encoder.finish().expect("writing to memory cannot fail"))
    }

    fn begin(&self, form: u8) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.head.len() + self.bodies.len() + 8);
        bytes.push(form);
        put(&mut bytes, self.head.len() as u64);
        bytes.extend(&self.head);
        bytes
    }
}

/// How far the head of a row goes, by its first bytes; none where a row has to be read whole, as those of earlier versions, or
/// there are too few bytes.
pub(super) fn end_of_head(first: &[u8]) -> Option<usize> {
    let (&(PLAIN | COMPRESSED), mut rest) = first.split_first()? else {
        return None;
    };
    let length = usize::try_from(take(&mut rest).ok()?).ok()?;
    (first.len() - rest.len()).checked_add(length)
}

/// Where the bodies of an endpoint are in a row with this head; none where they are not there as they are.
///
/// # Errors
/// The head cannot be read.
pub(super) fn bodies_of(head: &[u8], endpoint: i64) -> StoreResult<Option<Vec<Range<usize>>>> {
    if head.first() != Some(&PLAIN) {
        return Ok(None);
    }
    let mut ranges = Vec::new();
    let mut at = head.len();
    let row = PackedRow::read(head)?;
    for entry in row.entries() {
        let entry = entry?;
        let end = at.checked_add(entry.bytes).ok_or_else(unreadable)?;
        if entry.counts.endpoint == endpoint {
            ranges.push(at..end);
        }
        at = end;
    }
    Ok(Some(ranges))
}

/// A row that is read.
#[derive(Debug)]
pub(in crate::store) struct PackedRow<'a> {
    users: UserSums,
    errors: Vec<(i64, u64)>,
    intervals: Intervals<'a>,
}

#[derive(Debug)]
enum Intervals<'a> {
    Old(OldIntervals<'a>),
    Indexed {
        /// What the head says of each.
        index: &'a [u8],
        bodies: Cow<'a, [u8]>,
        /// The endpoint whose bodies these are, if not of all.
        of: Option<i64>,
    },
}

/// What the head says of an interval.
struct Entry {
    counts: RowCounts,
    /// Length of its body.
    bytes: usize,
}

impl<'a> PackedRow<'a> {
    /// Reads a row; its intervals are read when they are asked for. Of the head alone they cannot be read.
    pub(super) fn read(bytes: &'a [u8]) -> StoreResult<Self> {
        let Some(end) = end_of_head(bytes) else {
            return old::read(bytes);
        };
        let (head, bodies) = bytes.split_at_checked(end).ok_or_else(unreadable)?;
        let bodies = match bytes.first() {
            Some(&COMPRESSED) if !bodies.is_empty() => inflate(bodies)?.into(),
            _ => bodies.into(),
        };
        Self::of_head(head, bodies, None)
    }

    /// Reads a row of which there are only the head and these bodies, one after the other: all of one endpoint.
    pub(super) fn read_only(head: &'a [u8], endpoint: i64, bodies: &'a [u8]) -> StoreResult<Self> {
        Self::of_head(head, bodies.into(), Some(endpoint))
    }

    fn of_head(head: &'a [u8], bodies: Cow<'a, [u8]>, of: Option<i64>) -> StoreResult<Self> {
        let (_, mut index) = head.split_first().ok_or_else(unreadable)?;
        take(&mut index)?;
        let (users, errors) = take_users_and_errors(&mut index)?;
        Ok(Self {
            users,
            errors,
            intervals: Intervals::Indexed { index, bodies, of },
        })
    }

    pub(in crate::store) fn users(&self) -> UserSums {
        self.users
    }

    /// Numbers of errors and how often they occurred.
    pub(in crate::store) fn errors(&self) -> &[(i64, u64)] {
        &self.errors
    }

    /// The requests of all intervals; after an error no more.
    pub(in crate::store) fn counts(&self) -> impl Iterator<Item = StoreResult<RowCounts>> {
        let (old, indexed) = match &self.intervals {
            Intervals::Old(old) => (Some(old.read()), None),
            Intervals::Indexed { .. } => (None, Some(self.entries())),
        };
        let old = old.into_iter().flatten().map(|interval| {
            interval.map(|RowInterval { endpoint, sums, .. }| RowCounts {
                endpoint,
                requests: sums.requests(),
                failures: sums.failures,
            })
        });
        let indexed = indexed.into_iter().flatten();
        old.chain(indexed.map(|entry| entry.map(|entry| entry.counts)))
    }

    /// The intervals, in the order in which they were added; after an error no more.
    pub(in crate::store) fn intervals(&self) -> impl Iterator<Item = StoreResult<RowInterval<'_>>> {
        let (old, indexed) = match &self.intervals {
            Intervals::Old(old) => (Some(old.read()), None),
            Intervals::Indexed { bodies, of, .. } => {
                let entries = self.entries().filter(move |entry| {
                    let Ok(Entry { counts, .. }) = entry else {
                        return true;
                    };
                    of.is_none_or(|only| only == counts.endpoint)
                });
                let mut rest = &bodies[..];
                let read = entries.map(move |entry| {
                    let Entry { counts, bytes } = entry?;
                    let (body, after) = rest.split_at_checked(bytes).ok_or_else(unreadable)?;
                    rest = after;
                    body_of(counts, body)
                });
                (None, Some(read))
            }
        };
        let indexed = indexed.into_iter().flatten();
        until_error(old.into_iter().flatten().chain(indexed))
    }

    /// What the head says of each interval; after an error no more. Nothing of rows of earlier versions.
    fn entries(&self) -> impl Iterator<Item = StoreResult<Entry>> {
        let mut rest = match &self.intervals {
            Intervals::Old(_) => &[],
            Intervals::Indexed { index, .. } => *index,
        };
        until_error(iter::from_fn(move || {
            (!rest.is_empty()).then(|| take_entry(&mut rest))
        }))
    }
}

/// As many as there are until the first error, which is the last one.
fn until_error<T>(
    items: impl Iterator<Item = StoreResult<T>>,
) -> impl Iterator<Item = StoreResult<T>> {
    let mut items = items.fuse();
    let mut failed = false;
    iter::from_fn(move || {
        let next = if failed { None } else { items.next() };
        failed |= matches!(next, Some(Err(_)));
        next
    })
}

#[inline]
fn take_entry(rest: &mut &[u8]) -> StoreResult<Entry> {
    Ok(Entry {
        counts: RowCounts {
            endpoint: take(rest)?.cast_signed(),
            requests: take(rest)?,
            failures: take(rest)?,
        },
        bytes: usize::try_from(take(rest)?).map_err(|_| unreadable())?,
    })
}

#[inline]
fn body_of(counts: RowCounts, mut body: &[u8]) -> StoreResult<RowInterval<'_>> {
    let rest = &mut body;
    let used = take(rest)?;
    let mut numbers = [0; NUMBERS];
    (numbers[0], numbers[1]) = (counts.requests, counts.failures);
    for (at, number) in (0..).zip(&mut numbers[HEAD_NUMBERS..]) {
        if used & (1 << at) != 0 {
            *number = take(rest)?;
        }
    }
    let used = take(rest)?;
    let measured = take_counts(rest, |measure| used & (1 << measure as u64) != 0)?;
    Ok(row_interval(counts.endpoint, numbers, measured))
}

/// The counts of those measures that have some.
#[inline]
fn take_counts<'a>(
    rest: &mut &'a [u8],
    has_some: impl Fn(Measure) -> bool,
) -> StoreResult<PerMeasure<&'a [u8]>> {
    PerMeasure::try_from_fn(|measure| {
        if has_some(measure) {
            take_bytes(rest)
        } else {
            Ok(&[][..])
        }
    })
}

fn row_interval<'a>(
    endpoint: i64,
    numbers: [u64; NUMBERS],
    counts: PerMeasure<&'a [u8]>,
) -> RowInterval<'a> {
    let has_first_bytes = !counts[Measure::FirstByte].is_empty();
    RowInterval {
        endpoint,
        sums: Sums::from_numbers(numbers).measured(has_first_bytes),
        counts,
    }
}

fn take_users_and_errors(rest: &mut &[u8]) -> StoreResult<(UserSums, Vec<(i64, u64)>)> {
    let users = UserSums {
        started: take(rest)?,
        stopped: take(rest)?,
        arrivals: Arrivals {
            started: take(rest)?,
            late: take(rest)?,
            skipped: take(rest)?,
        },
    };
    let count = take(rest)?;
    let mut errors = Vec::new();
    for _ in 0..count {
        errors.push((take(rest)?.cast_signed(), take(rest)?));
    }
    Ok((users, errors))
}

fn inflate(bytes: &[u8]) -> StoreResult<Vec<u8>> {
    let mut plain = Vec::with_capacity(bytes.len() * 3);
    ZlibDecoder::new(bytes)
        .take(MAX_BYTES)
        .read_to_end(&mut plain)
        .map_err(|error| StoreError::Unreadable(error.to_string()))?;
    Ok(plain)
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

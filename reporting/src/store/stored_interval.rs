//! A row of the table `intervals`: its columns, and how it is read, written and added up.
//!
//! A row has the numbers of an interval and the non-zero counts of its histograms, but no errors. Adding up thousands
//! of these costs a fraction of what dense histograms would.

use std::sync::LazyLock;

use greylag_infra::protocol::IntervalData;
use rusqlite::{Connection, Row};

use super::error::{StoreError, StoreResult};
use super::integers::{from_sql, to_sql};
use crate::measure::histogram_codec::{BucketCounts, DenseCounts, visit_counts};
use crate::measure::interval::{
    Interval, IntervalError, NUMBER_NAMES, NUMBERS, SparseInterval, Sums, check_wire,
};

/// Which row of a run and level: first second, endpoint and agent.
pub(super) type Place = (u32, i64, i64);

/// The columns of a place.
const KEY: [&str; 5] = ["run", "level", "bucket", "endpoint", "agent"];
/// The columns after the numbers.
const HISTOGRAMS: [&str; 2] = ["histogram", "intended_histogram"];

/// The columns that are not the key, in the order in which they are read and written.
pub(super) static INTERVAL_COLUMNS: LazyLock<String> =
    LazyLock::new(|| [&NUMBER_NAMES[..], &HISTOGRAMS].concat().join(", "));

/// Of these, those that [`read_response`] reads.
pub(super) static RESPONSE_COLUMNS: LazyLock<String> =
    LazyLock::new(|| [&NUMBER_NAMES[..], &HISTOGRAMS[..1]].concat().join(", "));

static INSERT: LazyLock<String> = LazyLock::new(|| {
    let places = ["?"; KEY.len() + NUMBERS + HISTOGRAMS.len()].join(", ");
    format!(
        "INSERT OR REPLACE INTO intervals ({}, {}) VALUES ({places})",
        KEY.join(", "),
        *INTERVAL_COLUMNS
    )
});

/// Smaller histograms gain next to nothing from compression.
const COMPRESSED_ABOVE_BYTES: usize = 256;

/// An interval in a row, or for one.
#[derive(Debug, Clone, Default)]
pub(super) struct StoredInterval {
    interval: SparseInterval,
    /// The histograms as they came over the wire, compressed, as long as nothing was added.
    received: Option<Received>,
}

#[derive(Debug, Clone)]
struct Received {
    response: Vec<u8>,
    intended: Vec<u8>,
}

impl StoredInterval {
    /// Checks and reads what came over the wire.
    pub(super) fn from_wire(data: IntervalData) -> Result<Self, IntervalError> {
        Ok(Self {
            interval: check_wire(&data)?,
            received: Some(Received {
                response: data.histogram.into_vec(),
                intended: data.intended_histogram.into_vec(),
            }),
        })
    }

    /// Reads [`INTERVAL_COLUMNS`] beginning at column `first`.
    pub(super) fn read(row: &Row<'_>, first: usize) -> StoreResult<Self> {
        let (mut response, mut intended) = (Vec::new(), Vec::new());
        let sums = visit(
            row,
            first,
            |position, count| response.push((position, count)),
            |position, count| intended.push((position, count)),
        )?;
        Ok(Self {
            interval: SparseInterval {
                sums,
                response: BucketCounts::from_ascending(response),
                intended: BucketCounts::from_ascending(intended),
            },
            received: None,
        })
    }

    /// Writes it in its place, instead of what there was.
    pub(super) fn write(
        &self,
        connection: &Connection,
        run: i64,
        level: usize,
        (bucket, endpoint, agent): Place,
    ) -> StoreResult<()> {
        let key = [
            run,
            to_sql(level as u64),
            i64::from(bucket),
            endpoint,
            agent,
        ];
        let numbers = self.interval.sums.numbers().map(to_sql);
        let received = self.received.as_ref();
        let histograms = [
            encode(
                &self.interval.response,
                received.map(|bytes| &bytes.response),
                level,
            ),
            encode(
                &self.interval.intended,
                received.map(|bytes| &bytes.intended),
                level,
            ),
        ];
        let mut statement = connection.prepare_cached(&INSERT)?;
        for (position, value) in (1..).zip(key.into_iter().chain(numbers)) {
            statement.raw_bind_parameter(position, value)?;
        }
        for (position, bytes) in (1 + KEY.len() + NUMBERS..).zip(histograms) {
            statement.raw_bind_parameter(position, bytes)?;
        }
        statement.raw_execute()?;
        Ok(())
    }

    /// Adds another one.
    pub(super) fn merge(&mut self, other: &Self) {
        self.interval.merge(&other.interval);
        self.received = None;
    }

    /// Bytes that it takes beside itself, roughly.
    pub(super) fn memory(&self) -> usize {
        let received = self.received.as_ref();
        self.interval.buckets() * size_of::<(u32, u64)>()
            + received.map_or(0, |bytes| bytes.response.len() + bytes.intended.len())
    }

    /// The interval.
    pub(super) fn interval(&self) -> &SparseInterval {
        &self.interval
    }
}

/// The sum of many rows: reading one needs no list of its counts.
#[derive(Debug, Default)]
pub(super) struct RowSum {
    sums: Sums,
    response: DenseCounts,
    intended: DenseCounts,
}

impl RowSum {
    /// Adds [`INTERVAL_COLUMNS`] beginning at column `first`.
    pub(super) fn add(&mut self, row: &Row<'_>, first: usize) -> StoreResult<()> {
        let (response, intended) = (&mut self.response, &mut self.intended);
        let sums = visit(
            row,
            first,
            |position, count| response.add(position, count),
            |position, count| intended.add(position, count),
        )?;
        self.sums.merge(&sums);
        Ok(())
    }

    /// The sum.
    pub(super) fn into_interval(self) -> Interval {
        let mut interval = Interval::default();
        interval.add(&SparseInterval {
            sums: self.sums,
            response: self.response.into_bucket_counts(),
            intended: self.intended.into_bucket_counts(),
        });
        interval
    }
}

/// Reads [`RESPONSE_COLUMNS`] beginning at column `first`: an interval without the histogram from the intended start.
pub(super) fn read_response(row: &Row<'_>, first: usize) -> StoreResult<SparseInterval> {
    let mut response = Vec::new();
    visit_blob(row, first + NUMBERS, |position, count| {
        response.push((position, count));
    })?;
    Ok(SparseInterval {
        sums: sums(row, first)?,
        response: BucketCounts::from_ascending(response),
        intended: BucketCounts::default(),
    })
}

/// Gives the numbers, and the histograms' positions and counts to `response` and `intended`.
fn visit(
    row: &Row<'_>,
    first: usize,
    response: impl FnMut(u32, u64),
    intended: impl FnMut(u32, u64),
) -> StoreResult<Sums> {
    visit_blob(row, first + NUMBERS, response)?;
    visit_blob(row, first + NUMBERS + 1, intended)?;
    sums(row, first)
}

fn sums(row: &Row<'_>, first: usize) -> StoreResult<Sums> {
    let mut numbers = [0; NUMBERS];
    for (index, number) in numbers.iter_mut().enumerate() {
        *number = from_sql(row.get(first + index)?);
    }
    Ok(Sums::from_numbers(numbers))
}

fn visit_blob(row: &Row<'_>, column: usize, visit: impl FnMut(u32, u64)) -> StoreResult<()> {
    let unreadable = |error: &dyn std::error::Error| StoreError::Unreadable(error.to_string());
    let histogram = row.get_ref(column)?;
    let bytes = histogram.as_blob().map_err(|error| unreadable(&error))?;
    visit_counts(bytes, visit).map_err(|error| unreadable(&error))
}

/// The larger ones of level 0 compressed, where most of the space goes; the others plain, which are read several
/// times as fast.
fn encode(counts: &BucketCounts, received: Option<&Vec<u8>>, level: usize) -> Vec<u8> {
    let plain = counts.encode();
    if level > 0 || plain.len() <= COMPRESSED_ABOVE_BYTES {
        return plain;
    }
    match received {
        Some(bytes) => bytes.clone(),
        None => counts.encode_compressed(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::schema::migrate;
    use super::*;

    /// An interval whose histograms are large enough to be compressed.
    fn wide(from_us: u64) -> Interval {
        let mut interval = Interval::default();
        for step in 0..500 {
            let time = Duration::from_micros(from_us + step * 7);
            interval.record(time, Some(time), 10, None);
            interval.record_intended(time * 2);
        }
        interval
    }

    #[test]
    fn a_row_is_what_was_written_at_every_level_also_after_adding() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        let received = |from_us| StoredInterval::from_wire(wide(from_us).to_wire(0, 0)).unwrap();
        let mut sum = received(100);
        sum.merge(&received(50_000));
        let mut dense = wide(100);
        dense.merge(&wide(50_000));
        let written = [(received(100), wide(100)), (sum, dense)];
        for (endpoint, (stored, expected)) in (0..).zip(&written) {
            for level in [0, 1] {
                stored
                    .write(&connection, 1, level, (0, endpoint, 0))
                    .unwrap();
                let query = format!(
                    "SELECT {} FROM intervals WHERE level = {level} AND endpoint = {endpoint}",
                    *INTERVAL_COLUMNS
                );
                let mut statement = connection.prepare(&query).unwrap();
                let mut rows = statement.query([]).unwrap();
                let row = rows.next().unwrap().unwrap();
                let read = StoredInterval::read(row, 0).unwrap().interval;
                let expected = SparseInterval::from(expected);
                assert_eq!(read.sums, expected.sums);
                assert_eq!(read.response, expected.response);
                assert_eq!(read.intended, expected.intended);
                let response = read_response(row, 0).unwrap();
                assert_eq!(response.sums, expected.sums);
                assert_eq!(response.response, expected.response);
                assert_eq!(response.intended, BucketCounts::default());
                let mut summed = RowSum::default();
                summed.add(row, 0).unwrap();
                assert_eq!(
                    SparseInterval::from(&summed.into_interval()).response,
                    read.response
                );
            }
        }
    }
}

//! A row of the table `intervals`: its columns, and how it is read, written and added up.
//!
//! A row has the numbers of an interval and the non-zero counts of its histograms, but no errors.

use std::sync::LazyLock;

use rusqlite::{Connection, Row};

use super::error::{StoreError, StoreResult};
use super::integers::{from_sql, to_sql};
use crate::measure::histogram_codec::BucketCounts;
use crate::measure::interval::{
    IntervalSum, NUMBER_NAMES, NUMBERS, PackedInterval, SparseInterval, Sums,
};
use crate::measure::packed_counts::PackedCounts;

/// Which row of a run and level: first second, endpoint and agent.
pub(super) type Place = (u32, i64, i64);

/// In the column of the agent: all agents together. Versions before had rows of each agent.
pub(super) const ALL_AGENTS: i64 = -1;

/// The columns of a place.
const KEY: [&str; 5] = ["run", "level", "bucket", "endpoint", "agent"];
/// The columns after the numbers.
const HISTOGRAMS: [&str; 2] = ["histogram", "intended_histogram"];

/// The columns that are not the key, in the order in which they are read and written.
pub(super) static INTERVAL_COLUMNS: LazyLock<String> =
    LazyLock::new(|| [&NUMBER_NAMES[..], &HISTOGRAMS].concat().join(", "));

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

/// Reads [`INTERVAL_COLUMNS`] beginning at column `first`.
pub(super) fn read(row: &Row<'_>, first: usize) -> StoreResult<PackedInterval> {
    Ok(PackedInterval {
        sums: sums(row, first)?,
        response: counts(row, first + NUMBERS)?,
        intended: counts(row, first + NUMBERS + 1)?,
    })
}

/// Adds [`INTERVAL_COLUMNS`] beginning at column `first` to a sum.
pub(super) fn add(sum: &mut IntervalSum, row: &Row<'_>, first: usize) -> StoreResult<()> {
    let (response, intended) = (blob(row, first + NUMBERS)?, blob(row, first + NUMBERS + 1)?);
    Ok(sum.add_encoded(&sums(row, first)?, response, intended)?)
}

/// Reads [`INTERVAL_COLUMNS`] beginning at column `first` without the histogram from the intended start.
pub(super) fn read_response(row: &Row<'_>, first: usize) -> StoreResult<SparseInterval> {
    Ok(SparseInterval {
        sums: sums(row, first)?,
        response: BucketCounts::decode(blob(row, first + NUMBERS)?)?,
        intended: BucketCounts::default(),
    })
}

/// Reads the numbers of [`INTERVAL_COLUMNS`] beginning at column `first`.
pub(super) fn sums(row: &Row<'_>, first: usize) -> StoreResult<Sums> {
    let mut numbers = [0; NUMBERS];
    for (index, number) in numbers.iter_mut().enumerate() {
        *number = from_sql(row.get(first + index)?);
    }
    Ok(Sums::from_numbers(numbers))
}

fn counts(row: &Row<'_>, column: usize) -> StoreResult<PackedCounts> {
    Ok(PackedCounts::decode(blob(row, column)?)?.0)
}

fn blob<'a>(row: &'a Row<'_>, column: usize) -> StoreResult<&'a [u8]> {
    let bytes = row.get_ref(column)?.as_blob();
    bytes.map_err(|error| StoreError::Unreadable(error.to_string()))
}

/// Writes an interval in its place, instead of what there was.
pub(super) fn write(
    connection: &Connection,
    run: i64,
    level: usize,
    (bucket, endpoint, agent): Place,
    interval: &PackedInterval,
) -> StoreResult<()> {
    let key = [
        run,
        to_sql(level as u64),
        i64::from(bucket),
        endpoint,
        agent,
    ];
    let numbers = interval.sums.numbers().map(to_sql);
    let histograms = [
        encode(&interval.response, level),
        encode(&interval.intended, level),
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

/// The larger ones of level 0 compressed, where most of the space goes; the others plain, which are read several
/// times as fast.
fn encode(counts: &PackedCounts, level: usize) -> Vec<u8> {
    if level > 0 || counts.as_bytes().len() <= COMPRESSED_ABOVE_BYTES {
        counts.encode()
    } else {
        counts.encode_compressed()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::schema::migrate;
    use super::*;
    use crate::measure::interval::Interval;

    /// An interval whose histograms are large enough to be compressed.
    fn wide() -> Interval {
        let mut interval = Interval::default();
        for step in 0..500 {
            let time = Duration::from_micros(100 + step * 7);
            interval.record(time, Some(time), 10, None);
            interval.record_intended(time * 2);
        }
        interval
    }

    #[test]
    fn a_row_is_what_was_written_at_every_level() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        let sparse = SparseInterval::from(&wide());
        let packed = PackedInterval::from(&sparse);
        for level in [0, 1] {
            write(&connection, 1, level, (0, 0, 0), &packed).unwrap();
            let query = format!(
                "SELECT {} FROM intervals WHERE level = {level}",
                *INTERVAL_COLUMNS
            );
            let mut statement = connection.prepare(&query).unwrap();
            let mut rows = statement.query([]).unwrap();
            let row = rows.next().unwrap().unwrap();
            assert_eq!(read(row, 0).unwrap(), packed);
            let response = read_response(row, 0).unwrap();
            assert_eq!(response.sums, sparse.sums);
            assert_eq!(response.response, sparse.response);
            assert_eq!(response.intended, BucketCounts::default());
            let mut sum = IntervalSum::default();
            add(&mut sum, row, 0).unwrap();
            assert_eq!(sum.take(), packed);
        }
    }
}

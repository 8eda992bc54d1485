//! A row of the table `intervals`: its columns, and how it is read, written and added up.
//!
//! A row has the numbers of an interval and the non-zero counts of its histograms, but no errors.

use std::sync::LazyLock;

use rusqlite::{Connection, Row, Statement};

use super::error::{StoreError, StoreResult};
use super::integers::{from_sql, to_sql};
use crate::measure::interval::{
    Interval, IntervalSum, MEASURE_NAMES, MEASURES, Measure, Measures, NUMBER_NAMES, NUMBERS,
    Outcome, Outcomes, PackedInterval, PerMeasure, SparseInterval, Sums,
};

/// Which row of a run and level: first second, endpoint and agent.
pub(super) type Place = (u32, i64, i64);

/// In the column of the agent: all agents together. Versions before had rows of each agent.
pub(super) const ALL_AGENTS: i64 = -1;

/// In the column of the agent of an interval: all agents together, requests that ended so. Rows of mixed outcomes have the
/// number that versions before had for all of them, so that what they saved is added to.
pub(super) fn all_agents(outcomes: Outcomes) -> i64 {
    match outcomes {
        Outcomes::Mixed => ALL_AGENTS,
        Outcomes::All(Outcome::Ok) => -2,
        Outcomes::All(Outcome::Failed) => -3,
    }
}

/// The columns of a place.
const KEY: [&str; 5] = ["run", "level", "bucket", "endpoint", "agent"];

/// The columns that are not the key, in the order in which they are read and written.
pub(super) static INTERVAL_COLUMNS: LazyLock<String> =
    LazyLock::new(|| [&NUMBER_NAMES[..], &MEASURE_NAMES].concat().join(", "));

/// [`INTERVAL_COLUMNS`] for reading the counts of these measures: of the others there is only whether there are any. The
/// length of a value stands before it, so that its pages are not read.
pub(super) fn columns(measures: Measures) -> String {
    let mut columns: Vec<String> = NUMBER_NAMES.map(str::to_owned).into();
    for (measure, name) in Measure::ALL.into_iter().zip(MEASURE_NAMES) {
        columns.push(if measures.has(measure) {
            name.to_owned()
        } else {
            format!("zeroblob(length({name}) > 0)")
        });
    }
    columns.join(", ")
}

/// A parameter for each of [`INTERVAL_COLUMNS`].
pub(super) static PLACES: LazyLock<String> = LazyLock::new(|| ["?"; NUMBERS + MEASURES].join(", "));

static INSERT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT OR REPLACE INTO intervals ({}, {}) VALUES ({}, {})",
        KEY.join(", "),
        *INTERVAL_COLUMNS,
        ["?"; KEY.len()].join(", "),
        *PLACES
    )
});

/// Smaller histograms gain next to nothing from compression.
const COMPRESSED_ABOVE_BYTES: usize = 256;

/// Reads [`INTERVAL_COLUMNS`] beginning at column `first`.
pub(super) fn read(row: &Row<'_>, first: usize) -> StoreResult<PackedInterval> {
    let counts = blobs(row, first)?;
    Ok(PackedInterval {
        sums: measured_sums(row, first, &counts)?,
        counts: PerMeasure::try_from_fn(|measure| {
            let decoded = measure.decode(counts[measure]);
            decoded.map(|(counts, _)| counts)
        })?,
    })
}

/// Adds [`INTERVAL_COLUMNS`] beginning at column `first` to a sum.
pub(super) fn add(sum: &mut IntervalSum, row: &Row<'_>, first: usize) -> StoreResult<()> {
    let counts = blobs(row, first)?;
    Ok(sum.add_encoded(&measured_sums(row, first, &counts)?, &counts)?)
}

/// Adds [`columns`] beginning at column `first` to a sum with the counts of one measure only.
pub(super) fn add_only(
    sum: &mut IntervalSum,
    row: &Row<'_>,
    first: usize,
    measure: Measure,
) -> StoreResult<()> {
    let counts = blobs(row, first)?;
    let sums = measured_sums(row, first, &counts)?;
    Ok(sum.add_encoded(&sums, &counts.among(Measures::only(measure)))?)
}

/// Adds [`columns`] beginning at column `first` to an interval with the counts of these measures, which the columns were of.
pub(super) fn add_to(
    interval: &mut Interval,
    row: &Row<'_>,
    first: usize,
    measures: Measures,
) -> StoreResult<()> {
    let counts = blobs(row, first)?;
    let sums = measured_sums(row, first, &counts)?;
    Ok(interval.add_stored(&sums, &counts.among(measures))?)
}

/// Reads [`columns`] beginning at column `first` with the counts of one measure only.
pub(super) fn read_only(
    row: &Row<'_>,
    first: usize,
    measure: Measure,
) -> StoreResult<SparseInterval> {
    let counts = blobs(row, first)?;
    let mut only = SparseInterval {
        sums: measured_sums(row, first, &counts)?,
        ..SparseInterval::default()
    };
    only.counts[measure] = measure.decode(counts[measure])?.0.to_bucket_counts()?;
    Ok(only)
}

/// Reads the numbers of [`INTERVAL_COLUMNS`] beginning at column `first`.
pub(super) fn sums(row: &Row<'_>, first: usize) -> StoreResult<Sums> {
    let mut numbers = [0; NUMBERS];
    for (index, number) in numbers.iter_mut().enumerate() {
        *number = from_sql(row.get(first + index)?);
    }
    Ok(Sums::from_numbers(numbers))
}

fn measured_sums(row: &Row<'_>, first: usize, counts: &PerMeasure<&[u8]>) -> StoreResult<Sums> {
    Ok(sums(row, first)?.measured(!counts[Measure::FirstByte].is_empty()))
}

fn blobs<'a>(row: &'a Row<'_>, first: usize) -> StoreResult<PerMeasure<&'a [u8]>> {
    PerMeasure::try_from_fn(|measure| blob(row, first + NUMBERS + measure as usize))
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
    let mut statement = connection.prepare_cached(&INSERT)?;
    for (position, value) in (1..).zip(key) {
        statement.raw_bind_parameter(position, value)?;
    }
    bind(&mut statement, 1 + KEY.len(), interval, level == 0)?;
    statement.raw_execute()?;
    Ok(())
}

/// Binds [`INTERVAL_COLUMNS`] from parameter `first` on. Rows of single seconds are compressed: there most of the space goes;
/// the others are read several times as fast.
pub(super) fn bind(
    statement: &mut Statement<'_>,
    first: usize,
    interval: &PackedInterval,
    is_of_a_second: bool,
) -> StoreResult<()> {
    let numbers = interval.sums.numbers().map(to_sql);
    for (position, value) in (first..).zip(numbers) {
        statement.raw_bind_parameter(position, value)?;
    }
    for (position, (measure, counts)) in (first + NUMBERS..).zip(interval.counts.iter()) {
        let compress = is_of_a_second && counts.as_bytes().len() > COMPRESSED_ABOVE_BYTES;
        statement.raw_bind_parameter(position, measure.encode(counts, compress))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::schema::migrate;
    use super::*;
    use crate::measure::histogram_codec::BucketCounts;

    /// An interval whose histograms are large enough to be compressed.
    fn wide() -> Interval {
        let mut interval = Interval::default();
        for step in 0..500 {
            let time = Duration::from_micros(100 + step * 7);
            interval.record(time, Some(time), 10, None);
            interval.record_intended(time * 2);
            interval.count_status(Some(200));
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
            for measure in Measure::ALL {
                let only = read_only(row, 0, measure).unwrap();
                assert_eq!(only.sums, sparse.sums);
                for (other, counts) in only.counts.iter() {
                    let expected = (other == measure).then_some(&sparse.counts[measure]);
                    assert_eq!(counts, expected.unwrap_or(&BucketCounts::default()));
                }
            }
            let mut sum = IntervalSum::default();
            add(&mut sum, row, 0).unwrap();
            assert_eq!(sum.take(), packed);
        }
    }

    #[test]
    fn of_what_is_not_asked_for_there_is_only_whether_there_is_any() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        let all = SparseInterval::from(&wide());
        let mut unmeasured = all.clone();
        unmeasured.counts[Measure::FirstByte] = BucketCounts::default();
        for (bucket, interval) in [(0, &all), (1, &unmeasured)] {
            write(&connection, 1, 1, (bucket, 0, 0), &interval.into()).unwrap();
            let query = format!(
                "SELECT {} FROM intervals WHERE bucket = {bucket}",
                columns(Measures::IN_TABLES)
            );
            let mut statement = connection.prepare(&query).unwrap();
            let mut rows = statement.query([]).unwrap();
            let mut sum = Interval::default();
            let row = rows.next().unwrap().unwrap();
            add_to(&mut sum, row, 0, Measures::IN_TABLES).unwrap();
            let has_first_bytes = bucket == 0;
            assert_eq!(*sum.sums(), interval.sums.measured(has_first_bytes));
            for (measure, counts) in SparseInterval::from(&sum).counts.iter() {
                if Measures::IN_TABLES.has(measure) {
                    assert_eq!(counts, &all.counts[measure]);
                } else {
                    assert!(counts.is_empty());
                }
            }
        }
    }
}

//! Custom metrics of a run: one row for each metric in a second, all agents together, which grows by what comes later.
//!
//! Rows of 8, 64, … seconds are made when those of intervals are (`rollup.rs`), so that one list says how far both are there. Values
//! know no endpoint, and rows no agent: scopes choose seconds only.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use greylag_infra::protocol::{MAX_CUSTOM_METRICS, MetricKind, MetricNames};
use greylag_infra::{CustomMetric, RunId};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Store;
use super::error::{StoreError, StoreResult};
use super::integers::{small_from_sql, to_sql};
use super::rollup::read_rolled;
use super::run_rows::key_of;
use super::scope::{RowScope, Scope};
use crate::measure::custom::{MetricSums, PackedMetric, check_stored, pack, unpack};
use crate::measure::seconds::Seconds;
use crate::measure::windows::{ANY_STEP, LEVELS, Rolled, bucket_of, decompose, within_a_step};

/// What is added to a run, by second and number of the metric. It stays packed until its row is made, one after the other.
pub(super) type AddedMetrics<'a> = BTreeMap<(u32, u32), Vec<&'a PackedMetric>>;

/// Which row of a run: metric, level and first second.
type Place = (u32, usize, u32);

/// A custom metric over some part of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricTotals {
    /// Which.
    pub metric: CustomMetric,
    /// What its values add up to; empty where there are none in the part.
    pub sums: MetricSums,
}

/// The custom metrics of a run over some part of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CustomMetrics {
    /// Each, in the order in which they came.
    pub metrics: Vec<MetricTotals>,
    /// The seconds that are left out: of a scope without saturated seconds those in which any agent was saturated.
    pub(crate) left_out: Seconds,
}

impl Store {
    /// The custom metrics of a run over the seconds of a scope, whatever endpoint or agent it names.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub async fn custom_metrics(
        &self,
        id: &RunId,
        scope: &Scope,
    ) -> Result<CustomMetrics, StoreError> {
        let (id, scope) = (id.to_owned(), scope.clone());
        let query = move |connection: &rusqlite::Transaction<'_>| totals(connection, &id, &scope);
        self.inner.readers.run(query).await
    }
}

/// The custom metrics of a run by number.
pub(super) fn names(connection: &Connection, run: i64) -> StoreResult<MetricNames> {
    let mut statement = connection.prepare_cached(
        "SELECT name, kind, unit FROM custom_metrics WHERE run = ?1 ORDER BY metric",
    )?;
    let rows = statement.query_map([run], |row| {
        let kind: String = row.get(1)?;
        let mut kinds = MetricKind::ALL.into_iter();
        let kind = kinds.find(|known| known.word() == kind);
        let unknown = || rusqlite::Error::InvalidColumnType(1, "kind".to_owned(), Type::Text);
        Ok(CustomMetric {
            name: row.get(0)?,
            kind: kind.ok_or_else(unknown)?,
            unit: row.get(2)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether the metrics of a run are as they are added, and all values are of one of them.
pub(super) fn check_names(connection: &Connection, run: i64) -> StoreResult<()> {
    let unreadable = |reason: &str| Err(StoreError::Unreadable(reason.to_owned()));
    let names = names(connection, run)?;
    let metrics = names.metrics();
    let is_bounded = |metric: &CustomMetric| *metric == metric.bounded();
    if metrics.len() > MAX_CUSTOM_METRICS || !metrics.iter().all(is_bounded) {
        return unreadable("there are too many custom metrics, or their names are too long");
    }
    let mut known = BTreeSet::new();
    if !metrics.iter().all(|metric| known.insert(&metric.name)) {
        return unreadable("two custom metrics have the same name");
    }
    let mut numbers = connection.prepare(
        "SELECT metric FROM custom_metrics WHERE run = ?1 UNION SELECT metric FROM custom_values WHERE run = ?1 ORDER BY 1",
    )?;
    let numbers = numbers.query_map([run], |row| row.get::<_, i64>(0))?;
    let numbers: Vec<i64> = numbers.collect::<Result<_, _>>()?;
    match numbers.iter().copied().eq(0..to_sql(metrics.len() as u64)) {
        true => Ok(()),
        false => unreadable("custom metrics are not numbered from 0, or some of them have no name"),
    }
}

/// Keeps a metric that is new in a run.
pub(super) fn add_name(
    connection: &Connection,
    run: i64,
    number: u32,
    metric: &CustomMetric,
) -> StoreResult<()> {
    connection
        .prepare_cached(
            "INSERT INTO custom_metrics (run, metric, name, kind, unit) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            run,
            number,
            metric.name,
            metric.kind.word(),
            metric.unit
        ])?;
    Ok(())
}

/// Adds values to a run whose longer stretches are there so far.
pub(super) fn add(
    connection: &Connection,
    run: i64,
    rolled: &Rolled,
    added: &AddedMetrics<'_>,
) -> StoreResult<()> {
    for ((second, metric), parts) in added {
        add_at(connection, run, (*metric, 0, *second), parts)?;
    }
    for (level, until) in rolled.iter().enumerate().skip(1) {
        let mut stretches = AddedMetrics::new();
        for ((second, metric), parts) in added.iter().filter(|((second, _), _)| second < until) {
            let place = (bucket_of(*second, level), *metric);
            stretches.entry(place).or_default().extend(parts);
        }
        for ((bucket, metric), parts) in stretches {
            add_at(connection, run, (metric, level, bucket), &parts)?;
        }
    }
    Ok(())
}

/// Makes the rows of longer stretches that are complete now and were not before, of so many metrics.
pub(super) fn roll(
    connection: &Connection,
    run: i64,
    metrics: u32,
    before: &Rolled,
    after: &Rolled,
) -> StoreResult<()> {
    for level in 1..LEVELS {
        for metric in 0..metrics {
            let mut bucket = before[level];
            let mut sums = MetricSums::default();
            let seconds = before[level]..after[level];
            visit_level(
                connection,
                run,
                metric,
                level - 1,
                seconds,
                |second, row| {
                    let next = bucket_of(second, level);
                    if next != bucket {
                        let place = (metric, level, bucket);
                        write(connection, run, place, &std::mem::take(&mut sums))?;
                        bucket = next;
                    }
                    sums.add(row);
                    Ok(())
                },
            )?;
            write(connection, run, (metric, level, bucket), &sums)?;
        }
    }
    Ok(())
}

/// Whether all rows of a run can be read, and have what values of their metric's kind may add up to.
pub(super) fn check_values(connection: &Connection, run: i64) -> StoreResult<()> {
    let names = names(connection, run)?;
    let mut statement =
        connection.prepare("SELECT metric, packed FROM custom_values WHERE run = ?1")?;
    let mut rows = statement.query([run])?;
    while let Some(row) = rows.next()? {
        let metric = small_from_sql(row.get(0)?);
        let unnamed = || StoreError::Unreadable(format!("custom metric {metric} has no name"));
        let metric = names.metrics().get(metric as usize).ok_or_else(unnamed)?;
        let checked = check_stored(metric.kind, &read_row(blob(row, 1)?)?);
        checked.map_err(|error| StoreError::Unreadable(error.to_string()))?;
    }
    Ok(())
}

/// Gives `visit` each row of a metric in these seconds of a scope, by its first second. Each belongs to one step of `step` seconds.
pub(super) fn visit(
    connection: &Connection,
    scope: &RowScope,
    metric: u32,
    step: u32,
    mut visit: impl FnMut(u32, &PackedMetric),
) -> StoreResult<()> {
    let rolled = within_a_step(read_rolled(connection, scope.run)?, step);
    let rest = scope.left_out.rest_of(&(scope.from..scope.to)).into_iter();
    for block in rest.flat_map(|part| decompose(part.start, part.end, &rolled)) {
        let seconds = block.from..block.to;
        visit_level(
            connection,
            scope.run,
            metric,
            block.level,
            seconds,
            |second, row| {
                visit(second, row);
                Ok(())
            },
        )?;
    }
    Ok(())
}

fn totals(connection: &Connection, id: &RunId, scope: &Scope) -> StoreResult<CustomMetrics> {
    let names = names(connection, key_of(connection, id)?)?;
    if names.metrics().is_empty() {
        return Ok(CustomMetrics::default());
    }
    let scope = RowScope::find(connection, id, &scope.seconds_only())?;
    let metrics = names.metrics().iter().zip(0..);
    let read = metrics.map(|(metric, number)| {
        let mut sums = MetricSums::default();
        visit(connection, &scope, number, ANY_STEP, |_, row| sums.add(row))?;
        let metric = metric.clone();
        Ok(MetricTotals { metric, sums })
    });
    Ok(CustomMetrics {
        metrics: read.collect::<StoreResult<_>>()?,
        left_out: scope.left_out,
    })
}

/// Adds to a row, or makes it.
fn add_at(
    connection: &Connection,
    run: i64,
    place: Place,
    parts: &[&PackedMetric],
) -> StoreResult<()> {
    let mut sums = MetricSums::default();
    let (metric, level, bucket) = place;
    let row = connection
        .prepare_cached(
            "SELECT packed FROM custom_values WHERE run = ?1 AND metric = ?2 AND level = ?3 AND bucket = ?4",
        )?
        .query_row(params![run, metric, to_sql(level as u64), bucket], |row| {
            Ok(blob(row, 0).and_then(read_row))
        })
        .optional()?;
    if let Some(row) = row {
        sums.add(&row?);
    }
    for part in parts {
        sums.add(part);
    }
    write(connection, run, place, &sums)
}

/// Makes or replaces a row; there is none without values.
fn write(
    connection: &Connection,
    run: i64,
    (metric, level, bucket): Place,
    sums: &MetricSums,
) -> StoreResult<()> {
    if sums.is_empty() {
        return Ok(());
    }
    connection
        .prepare_cached(
            "INSERT INTO custom_values (run, metric, level, bucket, packed) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (run, metric, level, bucket) DO UPDATE SET packed = excluded.packed",
        )?
        .execute(params![
            run,
            metric,
            to_sql(level as u64),
            bucket,
            pack(sums)
        ])?;
    Ok(())
}

fn visit_level(
    connection: &Connection,
    run: i64,
    metric: u32,
    level: usize,
    seconds: Range<u32>,
    mut visit: impl FnMut(u32, &PackedMetric) -> StoreResult<()>,
) -> StoreResult<()> {
    if seconds.is_empty() {
        return Ok(());
    }
    let mut statement = connection.prepare_cached(
        "SELECT bucket, packed FROM custom_values
         WHERE run = ?1 AND metric = ?2 AND level = ?3 AND bucket >= ?4 AND bucket < ?5 ORDER BY bucket",
    )?;
    let mut rows = statement.query(params![
        run,
        metric,
        to_sql(level as u64),
        seconds.start,
        seconds.end
    ])?;
    while let Some(row) = rows.next()? {
        visit(small_from_sql(row.get(0)?), &read_row(blob(row, 1)?)?)?;
    }
    Ok(())
}

fn blob<'a>(row: &'a Row<'_>, at: usize) -> StoreResult<&'a [u8]> {
    let blob = row.get_ref(at)?.as_blob();
    blob.map_err(|error| StoreError::Unreadable(error.to_string()))
}

fn read_row(packed: &[u8]) -> StoreResult<PackedMetric> {
    let unreadable = || StoreError::Unreadable("the values of a custom metric".to_owned());
    unpack(packed).ok_or_else(unreadable)
}

#[cfg(test)]
mod tests {
    use std::iter::once;

    use super::*;
    use crate::measure::windows::NOTHING_ROLLED;
    use crate::store::schema::open_writer;

    /// A value of a histogram, as one snapshot has it.
    fn one(value: i64, second: u32) -> PackedMetric {
        let mut sums = MetricSums::default();
        sums.record(value, u64::from(second) * 1_000_000, true);
        unpack(&pack(&sums)).unwrap()
    }

    #[test]
    fn many_transactions_leave_one_row_for_each_place() {
        const ROUNDS: u32 = 40;
        const SECONDS: u32 = 20;
        let dir = tempfile::tempdir().unwrap();
        let connection = open_writer(dir.path()).unwrap();
        let mut rolled = NOTHING_ROLLED;
        for round in 0..ROUNDS {
            let parts = |second: u32| [i64::from(round), -5].map(|value| one(value, second));
            let parts: Vec<_> = (0..SECONDS).map(|second| (second, parts(second))).collect();
            let added = parts
                .iter()
                .map(|(second, parts)| ((*second, 0), parts.iter().collect()))
                .collect();
            add(&connection, 7, &rolled, &added).unwrap();
            if round == ROUNDS / 2 {
                let mut after = rolled;
                after[1] = 16;
                roll(&connection, 7, 1, &rolled, &after).unwrap();
                rolled = after;
            }
        }
        let count = |level: u32| -> u32 {
            let query = "SELECT count(*) FROM custom_values WHERE run = 7 AND level = ?1";
            connection
                .query_row(query, [level], |row| row.get(0))
                .unwrap()
        };
        assert_eq!([0, 1, 2].map(count), [SECONDS, 2, 0]);
        let mut whole = MetricSums::default();
        for (level, seconds) in once((1, 0..16)).chain(once((0, 16..SECONDS))) {
            visit_level(&connection, 7, 0, level, seconds, |_, row| {
                whole.add(row);
                Ok(())
            })
            .unwrap();
        }
        let values: u64 = u64::from(2 * ROUNDS * SECONDS);
        let sum = (0..i128::from(ROUNDS)).sum::<i128>() - 5 * i128::from(ROUNDS);
        assert_eq!(whole.numbers.count, values);
        assert_eq!(whole.numbers.sum, sum * i128::from(SECONDS));
        assert_eq!((whole.numbers.min, whole.numbers.max), (-5, 39));
    }
}

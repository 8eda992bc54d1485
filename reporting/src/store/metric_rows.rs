//! Custom metrics of a run: rows that are only ever added, one for each metric in a second, all agents together.
//!
//! Rows of the same place add up. Those of 8, 64, … seconds are made when those of intervals are (`rollup.rs`), so that one list says
//! how far both are there. Values know no endpoint, and rows no agent: scopes choose seconds only.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use greylag_infra::protocol::{MAX_CUSTOM_METRICS, MetricKind, MetricNames};
use greylag_infra::{CustomMetric, RunId};
use rusqlite::types::Type;
use rusqlite::{Connection, params};

use super::Store;
use super::error::{StoreError, StoreResult};
use super::integers::{small_from_sql, to_sql};
use super::rollup::read_rolled;
use super::run_rows::key_of;
use super::scope::{RowScope, Scope};
use crate::measure::custom::{MetricSums, PackedMetric, pack, unpack};
use crate::measure::windows::{ANY_STEP, LEVELS, Rolled, bucket_of, decompose, within_a_step};

/// What is added to a run, by second and number of the metric.
pub(super) type AddedMetrics = BTreeMap<(u32, u32), MetricSums>;

/// A custom metric over some part of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricTotals {
    /// Which.
    pub metric: CustomMetric,
    /// What its values add up to; empty where there are none in the part.
    pub sums: MetricSums,
}

/// A custom metric over time, in steps of so many seconds.
pub type MetricSeries = Vec<(u32, MetricSums)>;

impl Store {
    /// The custom metrics of a run over the seconds of a scope, in the order in which they came, whatever endpoint or agent it names.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub async fn custom_metrics(
        &self,
        id: &RunId,
        scope: &Scope,
    ) -> Result<Vec<MetricTotals>, StoreError> {
        let (id, scope) = (id.to_owned(), scope.clone());
        let query = move |connection: &rusqlite::Transaction<'_>| totals(connection, &id, &scope);
        self.inner.readers.run(query).await
    }

    /// One of them over time: the steps of `step_s` seconds in which it has values, by their first second.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub async fn custom_metric_series(
        &self,
        id: &RunId,
        scope: &Scope,
        name: &str,
        step_s: u32,
    ) -> Result<MetricSeries, StoreError> {
        let (id, scope, name) = (id.to_owned(), scope.clone(), name.to_owned());
        let query = move |connection: &rusqlite::Transaction<'_>| {
            series(connection, &id, &scope, &name, step_s.max(1))
        };
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
    added: &AddedMetrics,
) -> StoreResult<()> {
    for ((second, metric), sums) in added {
        insert(connection, run, *metric, 0, *second, sums)?;
    }
    for (level, until) in rolled.iter().enumerate().skip(1) {
        let mut stretches = AddedMetrics::new();
        for ((second, metric), sums) in added.iter().filter(|((second, _), _)| second < until) {
            let place = (bucket_of(*second, level), *metric);
            stretches.entry(place).or_default().merge(sums);
        }
        for ((bucket, metric), sums) in stretches {
            insert(connection, run, metric, level, bucket, &sums)?;
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
            let mut stretches: BTreeMap<u32, MetricSums> = BTreeMap::new();
            let seconds = before[level]..after[level];
            visit_level(
                connection,
                run,
                metric,
                level - 1,
                seconds,
                |second, row| {
                    let stretch = stretches.entry(bucket_of(second, level)).or_default();
                    stretch.add(row);
                },
            )?;
            for (bucket, sums) in stretches {
                insert(connection, run, metric, level, bucket, &sums)?;
            }
        }
    }
    Ok(())
}

/// Whether a row can be read.
pub(super) fn check(packed: &[u8]) -> StoreResult<()> {
    read_row(packed).map(drop)
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
            &mut visit,
        )?;
    }
    Ok(())
}

fn totals(connection: &Connection, id: &RunId, scope: &Scope) -> StoreResult<Vec<MetricTotals>> {
    let names = names(connection, key_of(connection, id)?)?;
    if names.metrics().is_empty() {
        return Ok(Vec::new());
    }
    let scope = RowScope::find(connection, id, &scope.seconds_only())?;
    let metrics = names.metrics().iter().zip(0..);
    let read = metrics.map(|(metric, number)| {
        let mut sums = MetricSums::default();
        visit(connection, &scope, number, ANY_STEP, |_, row| sums.add(row))?;
        let metric = metric.clone();
        Ok(MetricTotals { metric, sums })
    });
    read.collect()
}

fn series(
    connection: &Connection,
    id: &RunId,
    scope: &Scope,
    name: &str,
    step: u32,
) -> StoreResult<MetricSeries> {
    let scope = RowScope::find(connection, id, &scope.seconds_only())?;
    let names = names(connection, scope.run)?;
    let mut steps: BTreeMap<u32, MetricSums> = BTreeMap::new();
    let named = names.metrics().iter().zip(0..);
    for (_, number) in named.filter(|(metric, _)| metric.name == name) {
        visit(connection, &scope, number, step, |second, row| {
            let first = (second - second % step).max(scope.from);
            steps.entry(first).or_default().add(row);
        })?;
    }
    Ok(steps.into_iter().collect())
}

fn insert(
    connection: &Connection,
    run: i64,
    metric: u32,
    level: usize,
    bucket: u32,
    sums: &MetricSums,
) -> StoreResult<()> {
    connection
        .prepare_cached(
            "INSERT INTO custom_values (run, metric, level, bucket, packed) VALUES (?1, ?2, ?3, ?4, ?5)",
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
    mut visit: impl FnMut(u32, &PackedMetric),
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
        let packed = row.get_ref(1)?.as_blob();
        let packed = packed.map_err(|error| StoreError::Unreadable(error.to_string()))?;
        visit(small_from_sql(row.get(0)?), &read_row(packed)?);
    }
    Ok(())
}

fn read_row(packed: &[u8]) -> StoreResult<PackedMetric> {
    let unreadable = || StoreError::Unreadable("the values of a custom metric".to_owned());
    unpack(packed).ok_or_else(unreadable)
}

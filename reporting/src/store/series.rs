//! Users, requests and failures over time, and the current rate.

use std::collections::HashMap;

use greylag_infra::RunRecord;
use greylag_infra::protocol::Endpoint;
use rusqlite::{Connection, params};

use super::error::StoreResult;
use super::integers::{from_sql, small_from_sql, to_sql};
use super::live::{endpoints, last_second};
use super::rows::SeriesPoint;
use super::run_rows::key_of;
use super::totals::Arrivals;
use crate::measure::windows::{ALL_ROLLED, LEVELS, decompose, step_for, width};

/// The current rate of requests is the mean over so many full seconds, as in Locust.
pub const CURRENT_RPS_WINDOW_S: u32 = 10;
/// Seconds behind now that the window ends while a run goes on, because the newest results are still on
/// their way; Locust leaves out two as well.
const CURRENT_RPS_LAG_S: u32 = 2;

/// Users, requests and failures over time: every step from the first to the last, empty ones too. That of a
/// run that is over has one more at its end, when nobody is there any more.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Series {
    /// Seconds in one point.
    pub step_s: u32,
    /// Points by time.
    pub points: Vec<SeriesPoint>,
}

/// Requests per second over the last [`CURRENT_RPS_WINDOW_S`] full seconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CurrentRps {
    by_endpoint: HashMap<Endpoint, f64>,
}

impl CurrentRps {
    /// Of one endpoint.
    pub fn of(&self, endpoint: &Endpoint) -> f64 {
        self.by_endpoint.get(endpoint).copied().unwrap_or(0.0)
    }

    /// Of all endpoints together.
    pub fn total(&self) -> f64 {
        // Not sum(): that of nothing is -0.0.
        self.by_endpoint.values().fold(0.0, |sum, rate| sum + rate)
    }
}

/// Some consecutive points of a series.
#[derive(Debug, Default)]
pub(crate) struct SeriesPart {
    pub(crate) points: Vec<SeriesPoint>,
    /// Where the next ones begin; none after the last.
    pub(crate) next: Option<u32>,
}

/// The step of a run's series with at most `max_points` points.
pub(super) fn step(connection: &Connection, run_id: &str, max_points: usize) -> StoreResult<u32> {
    let run = key_of(connection, run_id)?;
    let last = last_second(connection, run)?;
    Ok(last.map_or(1, |last| step_for(last.saturating_add(2), max_points).0))
}

/// The second after the last one of a run that has anything.
pub(super) fn end_second(connection: &Connection, run_id: &str) -> StoreResult<u32> {
    let run = key_of(connection, run_id)?;
    Ok(last_second(connection, run)?.map_or(0, |last| last.saturating_add(1)))
}

/// The series of a run from the step that holds `from_second`. The step depends on the length of the whole
/// run, which makes at most `max_points` points.
pub(super) fn read(
    connection: &Connection,
    run_id: &str,
    from_second: u32,
    max_points: usize,
) -> StoreResult<Series> {
    let step_s = step(connection, run_id, max_points)?;
    let part = read_part(connection, run_id, step_s, from_second, u32::MAX)?;
    Ok(Series {
        step_s,
        points: part.points,
    })
}

/// At most `count` points, and one more at the end of a run that is over, from the step that holds `from`.
pub(super) fn read_part(
    connection: &Connection,
    run_id: &str,
    step: u32,
    from: u32,
    count: u32,
) -> StoreResult<SeriesPart> {
    let run = key_of(connection, run_id)?;
    let step = step.max(1);
    let first = from - from % step;
    let Some(last) = last_second(connection, run)?.filter(|last| first <= *last) else {
        return Ok(SeriesPart::default());
    };
    let end = first.saturating_add(count.saturating_mul(step));
    let (mut points, next) = if end <= last {
        (points(connection, run, step, first, end - 1)?, Some(end))
    } else {
        (points(connection, run, step, first, last)?, None)
    };
    let is_over: bool = connection
        .prepare_cached("SELECT is_over FROM runs WHERE run = ?1")?
        .query_row([run], |row| row.get(0))?;
    if is_over
        && next.is_none()
        && let Some(end) = points.last()
    {
        // An agent that was lost never told that its users stopped.
        points.push(SeriesPoint {
            second: end.second.saturating_add(step),
            users: 0,
            requests: 0,
            failures: 0,
        });
    }
    Ok(SeriesPart { points, next })
}

/// The points of the steps from `first` to the one that holds `last`.
fn points(
    connection: &Connection,
    run: i64,
    step: u32,
    first: u32,
    last: u32,
) -> StoreResult<Vec<SeriesPoint>> {
    let mut points: Vec<SeriesPoint> = (first..=last)
        .step_by(step as usize)
        .map(|second| SeriesPoint {
            second,
            users: 0,
            requests: 0,
            failures: 0,
        })
        .collect();
    let mut changes = vec![0_i64; points.len()];
    // The widest rows of which each belongs to one step.
    let level = (0..LEVELS)
        .rfind(|level| step.is_multiple_of(width(*level)))
        .unwrap_or(0);
    let mut statement = connection.prepare_cached(
        "SELECT bucket, requests, failures, started - stopped FROM seconds
         WHERE run = ?1 AND level = ?2 AND bucket >= ?3 AND bucket <= ?4",
    )?;
    let mut rows = statement.query(params![run, to_sql(level as u64), first, last])?;
    while let Some(row) = rows.next()? {
        let at = ((small_from_sql(row.get(0)?) - first) / step) as usize;
        if let Some(point) = points.get_mut(at) {
            point.requests += from_sql(row.get(1)?);
            point.failures += from_sql(row.get(2)?);
            changes[at] += row.get::<_, i64>(3)?;
        }
    }
    let mut users = users_before(connection, run, first)?;
    for (point, change) in points.iter_mut().zip(changes) {
        // Other workers' stops may be known before one worker's starts: never below zero.
        point.users = from_sql(users);
        users += change;
    }
    Ok(points)
}

/// Users active at the instant `second`: started before it and not stopped before it.
pub(super) fn users_before(connection: &Connection, run: i64, second: u32) -> StoreResult<i64> {
    let mut statement = connection.prepare_cached(
        "SELECT coalesce(sum(started - stopped), 0) FROM seconds
         WHERE run = ?1 AND level = ?2 AND bucket >= ?3 AND bucket < ?4",
    )?;
    let mut users = 0;
    for block in decompose(0, second, &ALL_ROLLED) {
        users += statement.query_row(
            params![run, to_sql(block.level as u64), block.from, block.to],
            |row| row.get::<_, i64>(0),
        )?;
    }
    Ok(users)
}

/// Users that have been started since run time zero; those that have stopped count.
pub(super) fn users_started(connection: &Connection, run_id: &str) -> StoreResult<u64> {
    let run = key_of(connection, run_id)?;
    // The widest stretches are the fewest rows, and together they are the whole run.
    let started: i64 = connection
        .prepare_cached(
            "SELECT coalesce(sum(started), 0) FROM seconds WHERE run = ?1 AND level = ?2",
        )?
        .query_row(params![run, to_sql(LEVELS as u64 - 1)], |row| row.get(0))?;
    Ok(from_sql(started))
}

/// Adds to a second at every level. The levels agree because they are only ever written together.
pub(super) fn add_second(
    connection: &Connection,
    run: i64,
    second: u32,
    change: SecondChange,
) -> StoreResult<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO seconds (run, level, bucket, requests, failures, started, stopped,
             arrivals, late_arrivals, skipped_arrivals)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT DO UPDATE SET
             requests = requests + excluded.requests, failures = failures + excluded.failures,
             started = started + excluded.started, stopped = stopped + excluded.stopped,
             arrivals = arrivals + excluded.arrivals, late_arrivals = late_arrivals + excluded.late_arrivals,
             skipped_arrivals = skipped_arrivals + excluded.skipped_arrivals",
    )?;
    for level in 0..LEVELS {
        statement.execute(params![
            run,
            to_sql(level as u64),
            second - second % width(level),
            to_sql(change.requests),
            to_sql(change.failures),
            to_sql(change.started),
            to_sql(change.stopped),
            to_sql(change.arrivals.started),
            to_sql(change.arrivals.late),
            to_sql(change.arrivals.skipped),
        ])?;
    }
    Ok(())
}

/// What a snapshot adds to a second, all endpoints together.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SecondChange {
    pub(super) requests: u64,
    pub(super) failures: u64,
    pub(super) started: u64,
    pub(super) stopped: u64,
    pub(super) arrivals: Arrivals,
}

/// The current rate at `now_us`; of a run that is over, that of its last full seconds with results.
pub(super) fn current_rps(
    connection: &Connection,
    record: &RunRecord,
    now_us: u64,
) -> StoreResult<CurrentRps> {
    let run = key_of(connection, &record.id)?;
    let elapsed = record.elapsed_s(now_us) as u32;
    let end = if record.phase.is_over() {
        last_second(connection, run)?.unwrap_or(0).min(elapsed)
    } else {
        elapsed.saturating_sub(CURRENT_RPS_LAG_S)
    };
    let start = end.saturating_sub(CURRENT_RPS_WINDOW_S);
    if start == end {
        return Ok(CurrentRps::default());
    }
    let mut statement = connection.prepare_cached(
        "SELECT endpoint, sum(requests) FROM intervals
         WHERE run = ?1 AND level = 0 AND bucket >= ?2 AND bucket < ?3 GROUP BY endpoint",
    )?;
    let endpoints = endpoints(connection, run)?;
    let mut by_endpoint = HashMap::new();
    let mut rows = statement.query(params![run, start, end])?;
    while let Some(row) = rows.next()? {
        let number: i64 = row.get(0)?;
        if let Some(endpoint) = usize::try_from(number)
            .ok()
            .and_then(|at| endpoints.get(at))
        {
            let rate = from_sql(row.get(1)?) as f64 / f64::from(end - start);
            by_endpoint.insert(endpoint.clone(), rate);
        }
    }
    Ok(CurrentRps { by_endpoint })
}

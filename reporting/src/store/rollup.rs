//! Adding up finished stretches of a run, so that long windows need few rows.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, OptionalExtension, params};

use super::error::StoreResult;
use super::integers::{small_from_sql, to_sql};
use super::stored_interval::{INTERVAL_COLUMNS, Place, StoredInterval};
use crate::measure::windows::{LEVELS, NOTHING_ROLLED, Rolled, bucket_of, width};

/// Seconds behind the newest result after which a stretch is taken to be complete. Nothing breaks if more
/// comes later: it is added at every level that is there.
const GRACE_S: u32 = 20;

/// How far each level of a run is rolled up.
pub(super) fn read_rolled(connection: &Connection, run: i64) -> StoreResult<Rolled> {
    let mut rolled = NOTHING_ROLLED;
    let mut statement =
        connection.prepare_cached("SELECT level, until FROM rolled WHERE run = ?1")?;
    let mut rows = statement.query([run])?;
    while let Some(row) = rows.next()? {
        let level: i64 = row.get(0)?;
        if let Some(until) = usize::try_from(level)
            .ok()
            .and_then(|at| rolled.get_mut(at))
        {
            *until = small_from_sql(row.get(1)?);
        }
    }
    Ok(rolled)
}

/// Adds intervals at level 0 and at each level that is rolled up past them.
pub(super) fn add_intervals(
    connection: &Connection,
    run: i64,
    rolled: &Rolled,
    intervals: &BTreeMap<Place, StoredInterval>,
) -> StoreResult<()> {
    for (place, interval) in intervals {
        add(connection, run, 0, *place, interval)?;
    }
    let mut below: Option<BTreeMap<Place, StoredInterval>> = None;
    for (level, until) in rolled.iter().enumerate().skip(1) {
        let mut sums: BTreeMap<Place, StoredInterval> = BTreeMap::new();
        for (place, interval) in below.as_ref().unwrap_or(intervals) {
            if place.0 < *until {
                sums.entry((bucket_of(place.0, level), place.1, place.2))
                    .or_default()
                    .merge(interval);
            }
        }
        for (place, interval) in &sums {
            add(connection, run, level, *place, interval)?;
        }
        below = Some(sums);
    }
    Ok(())
}

/// Rolls up what is complete by now, `last_second` being the newest with results; says how far.
pub(super) fn roll(
    connection: &Connection,
    run: i64,
    mut rolled: Rolled,
    last_second: u32,
) -> StoreResult<Rolled> {
    let mut complete = last_second.saturating_sub(GRACE_S);
    for (level, until) in rolled.iter_mut().enumerate().skip(1) {
        complete = bucket_of(complete, level);
        if complete <= *until {
            break;
        }
        let mut from = *until;
        while let Some(first) = next_bucket(connection, run, level - 1, from, complete)? {
            let bucket = bucket_of(first, level);
            from = bucket + width(level);
            roll_bucket(connection, run, level, bucket)?;
        }
        *until = complete;
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO rolled (run, level, until) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![run, to_sql(level as u64), complete])?;
    }
    Ok(rolled)
}

/// The first row of a level in `[from, to)`, so that empty stretches cost nothing.
fn next_bucket(
    connection: &Connection,
    run: i64,
    level: usize,
    from: u32,
    to: u32,
) -> StoreResult<Option<u32>> {
    let bucket: Option<i64> = connection
        .prepare_cached(
            "SELECT bucket FROM intervals WHERE run = ?1 AND level = ?2 AND bucket >= ?3 AND bucket < ?4
             ORDER BY bucket LIMIT 1",
        )?
        .query_row(params![run, to_sql(level as u64), from, to], |row| row.get(0))
        .optional()?;
    Ok(bucket.map(small_from_sql))
}

fn roll_bucket(connection: &Connection, run: i64, level: usize, bucket: u32) -> StoreResult<()> {
    let mut sums: HashMap<(i64, i64), StoredInterval> = HashMap::new();
    {
        let mut statement = connection.prepare_cached(&format!(
            "SELECT endpoint, agent, {} FROM intervals
             WHERE run = ?1 AND level = ?2 AND bucket >= ?3 AND bucket < ?4",
            *INTERVAL_COLUMNS
        ))?;
        let mut rows = statement.query(params![
            run,
            to_sql(level as u64 - 1),
            bucket,
            bucket + width(level)
        ])?;
        while let Some(row) = rows.next()? {
            sums.entry((row.get(0)?, row.get(1)?))
                .or_default()
                .merge(&StoredInterval::read(row, 2)?);
        }
    }
    for ((endpoint, agent), interval) in &sums {
        interval.write(connection, run, level, (bucket, *endpoint, *agent))?;
    }
    Ok(())
}

/// Adds an interval to the row of its place, if there is one.
fn add(
    connection: &Connection,
    run: i64,
    level: usize,
    place: Place,
    interval: &StoredInterval,
) -> StoreResult<()> {
    let known = {
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {} FROM intervals
             WHERE run = ?1 AND level = ?2 AND bucket = ?3 AND endpoint = ?4 AND agent = ?5",
            *INTERVAL_COLUMNS
        ))?;
        let mut rows = statement.query(params![
            run,
            to_sql(level as u64),
            place.0,
            place.1,
            place.2
        ])?;
        rows.next()?
            .map(|row| StoredInterval::read(row, 0))
            .transpose()?
    };
    match known {
        None => interval.write(connection, run, level, place),
        Some(mut sum) => {
            sum.merge(interval);
            sum.write(connection, run, level, place)
        }
    }
}

/// Adds errors, by second and number, at every level.
pub(super) fn add_errors(
    connection: &Connection,
    run: i64,
    agent: i64,
    errors: &BTreeMap<(u32, i64), u64>,
) -> StoreResult<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO errors (run, level, bucket, error, agent, occurrences) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO UPDATE SET occurrences = occurrences + excluded.occurrences",
    )?;
    for ((second, error), occurrences) in errors {
        for level in 0..LEVELS {
            statement.execute(params![
                run,
                to_sql(level as u64),
                bucket_of(*second, level),
                error,
                agent,
                to_sql(*occurrences)
            ])?;
        }
    }
    Ok(())
}

//! Adding up finished stretches of a run, so that long windows need few rows.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::error::StoreResult;
use super::integers::{small_from_sql, to_sql};
use super::recent_rows::{RecentPlace, RecentRow, RecentRows};
use super::stored_interval::{self, INTERVAL_COLUMNS, Place, all_agents};
use crate::measure::interval::{IntervalSum, PackedInterval};
use crate::measure::windows::{NOTHING_ROLLED, Rolled, bucket_of, width};

/// Seconds behind the present one of the run after which a stretch is taken to be complete. Nothing breaks if more
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

/// What is added to a run, all agents together.
pub(super) type Added = BTreeMap<RecentPlace, PackedInterval>;

/// Adds intervals to the rows of their seconds, and to those of longer stretches that are there already. The run has
/// come to the second `now`.
pub(super) fn add(
    connection: &Connection,
    run: i64,
    rolled: &Rolled,
    (recent, now): (&mut RecentRows, u32),
    added: &Added,
    sum: &mut IntervalSum,
) -> StoreResult<()> {
    for (added_at, interval) in added {
        let (second, endpoint, outcomes) = *added_at;
        let place = (second, endpoint, all_agents(outcomes));
        sum.add(interval)?;
        match recent.get(*added_at) {
            RecentRow::Stored(row) => sum.add(row)?,
            RecentRow::Missing => {}
            RecentRow::Unknown => add_stored(connection, run, 0, place, sum)?,
        }
        let row = sum.take();
        stored_interval::write(connection, run, 0, place, &row)?;
        recent.set(*added_at, row, now);
    }
    for (level, until) in rolled.iter().enumerate().skip(1) {
        let late = added.iter().filter(|((second, ..), _)| second < until);
        let mut buckets: BTreeMap<Place, Vec<&PackedInterval>> = BTreeMap::new();
        for ((second, endpoint, outcomes), interval) in late {
            let place = (bucket_of(*second, level), *endpoint, all_agents(*outcomes));
            buckets.entry(place).or_default().push(interval);
        }
        for (place, intervals) in buckets {
            for interval in intervals {
                sum.add(interval)?;
            }
            add_stored(connection, run, level, place, sum)?;
            stored_interval::write(connection, run, level, place, &sum.take())?;
        }
    }
    Ok(())
}

/// Adds the row of a place to a sum, if there is one.
fn add_stored(
    connection: &Connection,
    run: i64,
    level: usize,
    (bucket, endpoint, agent): Place,
    sum: &mut IntervalSum,
) -> StoreResult<()> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {} FROM intervals
         WHERE run = ?1 AND level = ?2 AND bucket = ?3 AND endpoint = ?4 AND agent = ?5",
        *INTERVAL_COLUMNS
    ))?;
    let mut rows = statement.query(params![run, to_sql(level as u64), bucket, endpoint, agent])?;
    match rows.next()? {
        Some(row) => stored_interval::add(sum, row, 0),
        None => Ok(()),
    }
}

/// Rolls up what is complete when the run has come to this second; says how far.
pub(super) fn roll(
    connection: &Connection,
    run: i64,
    mut rolled: Rolled,
    present: u32,
    sum: &mut IntervalSum,
) -> StoreResult<Rolled> {
    let mut complete = present.saturating_sub(GRACE_S);
    for (level, until) in rolled.iter_mut().enumerate().skip(1) {
        complete = bucket_of(complete, level);
        if complete <= *until {
            break;
        }
        let mut from = *until;
        while let Some(first) = next_bucket(connection, run, level - 1, from, complete)? {
            let bucket = bucket_of(first, level);
            from = bucket + width(level);
            roll_bucket(connection, run, level, bucket, sum)?;
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

fn roll_bucket(
    connection: &Connection,
    run: i64,
    level: usize,
    bucket: u32,
    sum: &mut IntervalSum,
) -> StoreResult<()> {
    let mut parts: Vec<((i64, i64), PackedInterval)> = Vec::new();
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
            let of = (row.get(0)?, row.get(1)?);
            parts.push((of, stored_interval::read(row, 2)?));
        }
    }
    // Rows of single agents are those that an earlier version saved; those of all agents differ by outcome.
    parts.sort_by_key(|(of, _)| *of);
    for parts in parts.chunk_by(|one, other| one.0 == other.0) {
        for (_, interval) in parts {
            sum.add(interval)?;
        }
        let (endpoint, agent) = parts[0].0;
        stored_interval::write(
            connection,
            run,
            level,
            (bucket, endpoint, agent),
            &sum.take(),
        )?;
    }
    Ok(())
}

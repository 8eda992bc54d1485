//! How the processes that generate the load of a run fared: rows that are only ever added, all processes of a second in few of them.
//!
//! What the snapshots that are saved together say of a second is one row, whichever agents they are of; rows of the same place add up.
//! Rows of 8, 64, … seconds are made when those of intervals are (`rollup.rs`), so that one list says how far both are there.
//! The seconds in which a worker was saturated stand beside them ([`saturated`]), because they are asked for with every number.

mod packed;
mod read;
pub(super) mod saturated;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Range;

use rusqlite::{Connection, params};

pub(super) use self::packed::ProcessKey;
pub(crate) use self::read::{GeneratorHealth, HealthPoint, ProcessSums};
pub(super) use self::read::{read, series};
use super::error::{StoreError, StoreResult};
use super::integers::{small_from_sql, to_sql};
use super::rollup::read_rolled;
use super::scope::RowScope;
use crate::measure::health::HealthSums;
use crate::measure::windows::{LEVELS, Rolled, bucket_of, decompose, within_a_step};

/// Whether a row can be read.
pub(super) fn check(packed: &[u8]) -> StoreResult<()> {
    packed::read(packed, |_, _| {})
}

/// Processes and how they fared.
pub(super) type Processes = BTreeMap<ProcessKey, HealthSums>;

/// Adds how processes fared, by second, to a run whose longer stretches are there so far.
pub(super) fn add(
    connection: &Connection,
    run: i64,
    rolled: &Rolled,
    added: &BTreeMap<u32, Processes>,
) -> StoreResult<()> {
    for (second, processes) in added {
        insert(connection, run, 0, *second, processes)?;
    }
    for (level, until) in rolled.iter().enumerate().skip(1) {
        let mut stretches: BTreeMap<u32, Processes> = BTreeMap::new();
        for (second, processes) in added.iter().filter(|(second, _)| *second < until) {
            let stretch = stretches.entry(bucket_of(*second, level)).or_default();
            merge(stretch, processes);
        }
        for (bucket, processes) in stretches {
            insert(connection, run, level, bucket, &processes)?;
        }
    }
    let seconds = added.iter().map(|(second, processes)| {
        let saturated = processes.iter().filter(|(_, sums)| sums.saturated > 0);
        (*second, saturated.map(|(key, _)| key.agent).collect())
    });
    saturated::add(connection, run, seconds)
}

/// Makes the rows of longer stretches that are complete now and were not before.
pub(super) fn roll(
    connection: &Connection,
    run: i64,
    before: &Rolled,
    after: &Rolled,
) -> StoreResult<()> {
    for level in 1..LEVELS {
        let mut stretches: BTreeMap<u32, Processes> = BTreeMap::new();
        read_level(
            connection,
            run,
            level - 1,
            before[level]..after[level],
            |second, key, sums| {
                let stretch = stretches.entry(bucket_of(second, level)).or_default();
                stretch.entry(key).or_default().merge(&sums);
            },
        )?;
        for (bucket, processes) in stretches {
            insert(connection, run, level, bucket, &processes)?;
        }
    }
    Ok(())
}

/// Gives `visit` each process of a scope with the first second of each of its rows, in ascending order of levels' stretches. Each row
/// belongs to one step of `step` seconds.
pub(super) fn visit(
    connection: &Connection,
    scope: &RowScope,
    seconds: Range<u32>,
    step: u32,
    mut visit: impl FnMut(u32, ProcessKey, &HealthSums),
) -> StoreResult<()> {
    let rolled = within_a_step(read_rolled(connection, scope.run)?, step);
    let rest = scope.left_out.rest_of(&seconds).into_iter();
    for block in rest.flat_map(|part| decompose(part.start, part.end, &rolled)) {
        let place = block.from..block.to;
        read_level(
            connection,
            scope.run,
            block.level,
            place,
            |second, key, sums| {
                if scope.agents().is_empty() || scope.agents().contains(&key.agent) {
                    visit(second, key, &sums);
                }
            },
        )?;
    }
    Ok(())
}

fn merge(into: &mut Processes, processes: &Processes) {
    for (key, sums) in processes {
        into.entry(*key).or_default().merge(sums);
    }
}

fn insert(
    connection: &Connection,
    run: i64,
    level: usize,
    bucket: u32,
    processes: &Processes,
) -> StoreResult<()> {
    connection
        .prepare_cached("INSERT INTO health (run, level, bucket, packed) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![
            run,
            to_sql(level as u64),
            bucket,
            packed::pack(processes.iter())
        ])?;
    Ok(())
}

fn read_level(
    connection: &Connection,
    run: i64,
    level: usize,
    seconds: Range<u32>,
    mut visit: impl FnMut(u32, ProcessKey, HealthSums),
) -> StoreResult<()> {
    if seconds.is_empty() {
        return Ok(());
    }
    let mut statement = connection.prepare_cached(
        "SELECT bucket, packed FROM health WHERE run = ?1 AND level = ?2 AND bucket >= ?3 AND bucket < ?4
         ORDER BY bucket",
    )?;
    let mut rows = statement.query(params![
        run,
        to_sql(level as u64),
        seconds.start,
        seconds.end
    ])?;
    while let Some(row) = rows.next()? {
        let second = small_from_sql(row.get(0)?);
        let packed = row.get_ref(1)?.as_blob();
        let packed = packed.map_err(|error| StoreError::Unreadable(error.to_string()))?;
        packed::read(packed, |key, sums| visit(second, key, sums))?;
    }
    Ok(())
}

//! What each second of run time adds to a run beside its requests: users that come and go, iterations.
//!
//! `seconds` has all agents together, at all levels, which are kept with each snapshot so that they always agree. Those
//! of each agent are in its own rows (`agent_rows/`); what was saved by earlier versions is in `agent_seconds`.

use std::collections::BTreeMap;
use std::ops::Range;

use greylag_infra::RunId;
use rusqlite::{Connection, params};

use super::agent_rows::UserSums;
use super::error::StoreResult;
use super::integers::{from_sql, small_from_sql, to_sql};
use super::run_rows::key_of;
use super::scope::RowScope;
use crate::measure::arrivals::Arrivals;
use crate::measure::windows::{ALL_ROLLED, LEVELS, bucket_of, decompose, within_a_step};

/// What is added to a second, all endpoints together.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SecondChange {
    pub(super) requests: u64,
    pub(super) failures: u64,
    pub(super) users: UserSums,
}

impl SecondChange {
    fn merge(&mut self, other: Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.failures = self.failures.saturating_add(other.failures);
        self.users.merge(other.users);
    }
}

/// Adds what all agents did in some seconds, at every level.
pub(super) fn add_seconds(
    connection: &Connection,
    run: i64,
    seconds: &BTreeMap<u32, SecondChange>,
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
        let mut buckets: BTreeMap<u32, SecondChange> = BTreeMap::new();
        for (second, change) in seconds {
            let bucket = buckets.entry(bucket_of(*second, level)).or_default();
            bucket.merge(*change);
        }
        for (bucket, change) in buckets {
            let Arrivals {
                started,
                late,
                skipped,
            } = change.users.arrivals;
            statement.execute(params![
                run,
                to_sql(level as u64),
                bucket,
                to_sql(change.requests),
                to_sql(change.failures),
                to_sql(change.users.started),
                to_sql(change.users.stopped),
                to_sql(started),
                to_sql(late),
                to_sql(skipped),
            ])?;
        }
    }
    Ok(())
}

/// Gives `visit` the first second of each row of these seconds of a scope with what it adds: of single agents only users
/// and iterations, and only those that earlier versions saved. Each row belongs to one step of `step` seconds.
pub(super) fn visit(
    connection: &Connection,
    scope: &RowScope,
    seconds: Range<u32>,
    step: u32,
    mut visit: impl FnMut(u32, SecondChange) -> StoreResult<()>,
) -> StoreResult<()> {
    let rows_of = match scope.agent_filter() {
        None => {
            "requests, failures FROM seconds
             WHERE run = ?1 AND level = ?2 AND bucket >= ?3 AND bucket < ?4 AND ?5 IS NULL"
        }
        Some(_) => {
            "0, 0 FROM agent_seconds WHERE run = ?1 AND level = ?2 AND bucket >= ?3 AND bucket < ?4
             AND agent IN (SELECT agent FROM run_agents WHERE run = ?1 AND name = ?5)"
        }
    };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT bucket, started, stopped, arrivals, late_arrivals, skipped_arrivals, {rows_of}"
    ))?;
    for block in decompose(seconds.start, seconds.end, &within_a_step(ALL_ROLLED, step)) {
        let mut rows = statement.query(params![
            scope.run,
            to_sql(block.level as u64),
            block.from,
            block.to,
            scope.agent_filter()
        ])?;
        while let Some(row) = rows.next()? {
            let users = UserSums {
                started: from_sql(row.get(1)?),
                stopped: from_sql(row.get(2)?),
                arrivals: Arrivals {
                    started: from_sql(row.get(3)?),
                    late: from_sql(row.get(4)?),
                    skipped: from_sql(row.get(5)?),
                },
            };
            let change = SecondChange {
                requests: from_sql(row.get(6)?),
                failures: from_sql(row.get(7)?),
                users,
            };
            visit(small_from_sql(row.get(0)?), change)?;
        }
    }
    Ok(())
}

/// Whether users or iterations of a run are of agents that are not known: of a run of several agents that an earlier
/// version saved.
pub(super) fn has_unattributed_changes(connection: &Connection, run: i64) -> StoreResult<bool> {
    // The widest stretches are the fewest rows, and together they are the whole run.
    let sum = |table: &str| {
        connection
            .prepare_cached(&format!(
                "SELECT coalesce(sum(started + stopped + arrivals + skipped_arrivals), 0) FROM {table}
                 WHERE run = ?1 AND level = ?2"
            ))?
            .query_row(params![run, to_sql(LEVELS as u64 - 1)], |row| {
                row.get::<_, i64>(0)
            })
    };
    Ok(sum("seconds")? != sum("agent_seconds")?)
}

/// Users that have been started since run time zero; those that have stopped count.
pub(super) fn users_started(connection: &Connection, run_id: &RunId) -> StoreResult<u64> {
    let run = key_of(connection, run_id)?;
    let started: i64 = connection
        .prepare_cached(
            "SELECT coalesce(sum(started), 0) FROM seconds WHERE run = ?1 AND level = ?2",
        )?
        .query_row(params![run, to_sql(LEVELS as u64 - 1)], |row| row.get(0))?;
    Ok(from_sql(started))
}

//! What each second of run time adds to a run beside its requests: users that come and go, iterations.
//!
//! `seconds` has all agents together; `agent_seconds` has the users and iterations of each agent, in runs of
//! versions that kept them. All levels are kept with each snapshot, so they always agree.

use greylag_infra::RunId;
use rusqlite::{Connection, params};

use super::error::StoreResult;
use super::integers::{from_sql, small_from_sql, to_sql};
use super::run_rows::key_of;
use super::scope::RowScope;
use crate::measure::arrivals::Arrivals;
use crate::measure::windows::{ALL_ROLLED, Block, LEVELS, bucket_of, decompose};

/// What a snapshot adds to a second, all endpoints together.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SecondChange {
    pub(super) requests: u64,
    pub(super) failures: u64,
    pub(super) started: u64,
    pub(super) stopped: u64,
    pub(super) arrivals: Arrivals,
}

impl SecondChange {
    fn has_users_or_arrivals(&self) -> bool {
        self.started > 0 || self.stopped > 0 || !self.arrivals.is_empty()
    }
}

/// Adds what an agent did in a second, at every level.
pub(super) fn add_second(
    connection: &Connection,
    run: i64,
    agent: i64,
    second: u32,
    change: SecondChange,
) -> StoreResult<()> {
    let mut of_all = connection.prepare_cached(
        "INSERT INTO seconds (run, level, bucket, requests, failures, started, stopped,
             arrivals, late_arrivals, skipped_arrivals)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT DO UPDATE SET
             requests = requests + excluded.requests, failures = failures + excluded.failures,
             started = started + excluded.started, stopped = stopped + excluded.stopped,
             arrivals = arrivals + excluded.arrivals, late_arrivals = late_arrivals + excluded.late_arrivals,
             skipped_arrivals = skipped_arrivals + excluded.skipped_arrivals",
    )?;
    let mut of_agent = connection.prepare_cached(
        "INSERT INTO agent_seconds (run, level, bucket, agent, started, stopped,
             arrivals, late_arrivals, skipped_arrivals)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT DO UPDATE SET
             started = started + excluded.started, stopped = stopped + excluded.stopped,
             arrivals = arrivals + excluded.arrivals, late_arrivals = late_arrivals + excluded.late_arrivals,
             skipped_arrivals = skipped_arrivals + excluded.skipped_arrivals",
    )?;
    for level in 0..LEVELS {
        let (bucket, level) = (bucket_of(second, level), to_sql(level as u64));
        of_all.execute(params![
            run,
            level,
            bucket,
            to_sql(change.requests),
            to_sql(change.failures),
            to_sql(change.started),
            to_sql(change.stopped),
            to_sql(change.arrivals.started),
            to_sql(change.arrivals.late),
            to_sql(change.arrivals.skipped),
        ])?;
        if change.has_users_or_arrivals() {
            of_agent.execute(params![
                run,
                level,
                bucket,
                agent,
                to_sql(change.started),
                to_sql(change.stopped),
                to_sql(change.arrivals.started),
                to_sql(change.arrivals.late),
                to_sql(change.arrivals.skipped),
            ])?;
        }
    }
    Ok(())
}

/// The rows of a block: ?1 run, ?2 level, ?3 and ?4 its seconds, ?5 the agent.
fn rows_of(scope: &RowScope) -> &'static str {
    match scope.agent {
        None => {
            "seconds WHERE run = ?1 AND level = ?2 AND bucket >= ?3 AND bucket < ?4 AND ?5 IS NULL"
        }
        Some(_) => {
            "agent_seconds WHERE run = ?1 AND level = ?2 AND bucket >= ?3 AND bucket < ?4
             AND agent IN (SELECT agent FROM run_agents WHERE run = ?1 AND name = ?5)"
        }
    }
}

/// Iterations of an arrival rate in a scope.
pub(super) fn arrivals(connection: &Connection, scope: &RowScope) -> StoreResult<Arrivals> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT coalesce(sum(arrivals), 0), coalesce(sum(late_arrivals), 0), coalesce(sum(skipped_arrivals), 0)
         FROM {}",
        rows_of(scope)
    ))?;
    let mut sum = Arrivals::default();
    for block in decompose(scope.from, scope.to, &ALL_ROLLED) {
        let row = params![
            scope.run,
            to_sql(block.level as u64),
            block.from,
            block.to,
            scope.agent
        ];
        sum.merge(statement.query_row(row, |row| {
            Ok(Arrivals {
                started: from_sql(row.get(0)?),
                late: from_sql(row.get(1)?),
                skipped: from_sql(row.get(2)?),
            })
        })?);
    }
    Ok(sum)
}

/// Users of a scope that are active at the instant `second`, whatever its window: started before it and not stopped
/// before it.
pub(super) fn users_before(
    connection: &Connection,
    scope: &RowScope,
    second: u32,
) -> StoreResult<i64> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT coalesce(sum(started - stopped), 0) FROM {}",
        rows_of(scope)
    ))?;
    let mut users = 0;
    for block in decompose(0, second, &ALL_ROLLED) {
        let row = params![
            scope.run,
            to_sql(block.level as u64),
            block.from,
            block.to,
            scope.agent
        ];
        users += statement.query_row(row, |row| row.get::<_, i64>(0))?;
    }
    Ok(users)
}

/// Gives `visit` the first second of each row of a block and how many more users there are after it than before.
pub(super) fn visit_user_changes(
    connection: &Connection,
    scope: &RowScope,
    block: Block,
    mut visit: impl FnMut(u32, i64),
) -> StoreResult<()> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT bucket, started - stopped FROM {}",
        rows_of(scope)
    ))?;
    let mut rows = statement.query(params![
        scope.run,
        to_sql(block.level as u64),
        block.from,
        block.to,
        scope.agent
    ])?;
    while let Some(row) = rows.next()? {
        visit(small_from_sql(row.get(0)?), row.get(1)?);
    }
    Ok(())
}

/// Whether users or iterations of a run were saved by a version that did not keep whose they are.
pub(super) fn has_changes_of_unknown_agents(
    connection: &Connection,
    run: i64,
) -> StoreResult<bool> {
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

//! Console log lines as rows, bounded per run.

use greylag_infra::protocol::{LogLine, MAX_LOG_LINE_BYTES, MAX_NAME_BYTES, cut};
use greylag_infra::{RunId, WallTime};
use rusqlite::{Connection, params};

use super::error::StoreResult;
use super::integers::{from_sql, time_to_sql, to_sql};
use super::log_search::row_of;
use super::run_rows::key_of;
use super::scope::{AGENT, RowScope, Scope};
use crate::api_types::LogRow;

/// Most console log lines kept of one run; further ones are counted and dropped.
pub const MAX_LOG_LINES: u64 = 1_000_000;
/// Most bytes of console log lines kept of one run.
pub const MAX_LOG_BYTES: u64 = 256 << 20;
/// Lines the coordinator may add beyond that: agents that come and go, and why a run failed.
const RESERVED_LINES: u64 = 10_000;

/// Latest time of a line, the end of the year 9999 in µs since 1970: browsers fail at much later ones.
const LATEST: WallTime = WallTime::from_micros(253_402_300_799_999_999);

/// Who lines are from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LogOrigin {
    /// The agent of this number.
    Agent(i64),
    Coordinator,
}

impl LogOrigin {
    /// In the column of the agent.
    fn agent(self) -> Option<i64> {
        match self {
            LogOrigin::Agent(number) => Some(number),
            LogOrigin::Coordinator => None,
        }
    }
}

/// Adds lines to a run's log and counts those that were dropped, here or before.
pub(super) fn append(
    connection: &Connection,
    run: i64,
    lines: &[LogLine],
    dropped_before: u64,
    origin: LogOrigin,
) -> StoreResult<()> {
    if lines.is_empty() && dropped_before == 0 {
        return Ok(());
    }
    let (mut count, mut bytes) = connection
        .prepare_cached("SELECT log_lines, log_bytes FROM runs WHERE run = ?1")?
        .query_row([run], |row| {
            Ok((row.get(0).map(from_sql)?, row.get(1).map(from_sql)?))
        })?;
    let (most_lines, most_bytes) = match origin {
        LogOrigin::Agent(_) => (MAX_LOG_LINES, MAX_LOG_BYTES),
        LogOrigin::Coordinator => (MAX_LOG_LINES + RESERVED_LINES, u64::MAX),
    };
    let mut dropped = dropped_before;
    let mut statement = connection.prepare_cached(
        "INSERT INTO log (run, seq, at_us, source, text, agent) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for line in lines {
        let text = cut(&line.text, MAX_LOG_LINE_BYTES);
        if count >= most_lines || bytes + text.len() as u64 > most_bytes {
            dropped = dropped.saturating_add(1);
            continue;
        }
        count += 1;
        bytes += text.len() as u64;
        statement.execute(params![
            run,
            to_sql(count),
            time_to_sql(line.at.min(LATEST)),
            cut(&line.source, MAX_NAME_BYTES),
            text,
            origin.agent()
        ])?;
    }
    connection
        .prepare_cached(
            "UPDATE runs SET log_lines = ?2, log_bytes = ?3, log_lines_dropped = min(log_lines_dropped + ?4, 1 << 62)
             WHERE run = ?1",
        )?
        .execute(params![run, to_sql(count), to_sql(bytes), to_sql(dropped.min(1 << 61))])?;
    Ok(())
}

/// At most `limit` lines of a scope after position `after_seq`, fit to be shown: the first ones.
pub(super) fn read(
    connection: &Connection,
    run_id: &RunId,
    scope: &Scope,
    after_seq: u64,
    limit: usize,
) -> StoreResult<Vec<LogRow>> {
    select(
        connection,
        "ORDER BY seq LIMIT ?6",
        run_id,
        scope,
        after_seq,
        limit,
    )
}

/// At most `limit` lines of a scope after position `after_seq`, fit to be shown, in order: the last ones.
pub(super) fn read_last(
    connection: &Connection,
    run_id: &RunId,
    scope: &Scope,
    after_seq: u64,
    limit: usize,
) -> StoreResult<Vec<LogRow>> {
    let mut rows = select(
        connection,
        "ORDER BY seq DESC LIMIT ?6",
        run_id,
        scope,
        after_seq,
        limit,
    )?;
    rows.reverse();
    Ok(rows)
}

fn select(
    connection: &Connection,
    order: &str,
    run_id: &RunId,
    scope: &Scope,
    after_seq: u64,
    limit: usize,
) -> StoreResult<Vec<LogRow>> {
    let seconds = scope.seconds();
    let has_window = scope.window.is_some();
    let scope = RowScope::find(connection, run_id, scope)?;
    let (mut from_us, mut to_us) = (0, i64::MAX);
    if has_window {
        let Some(start_us) = started_at_us(connection, scope.run)? else {
            return Ok(Vec::new());
        };
        let at = |second: u32| start_us.saturating_add(i64::from(second) * 1_000_000);
        (from_us, to_us) = (at(seconds.start), at(seconds.end));
    }
    let mut statement = connection.prepare_cached(&format!(
        "SELECT seq, at_us, source, text FROM log
         WHERE run = ?1 AND seq > ?2 AND at_us >= ?3 AND at_us < ?4 AND {AGENT} {order}"
    ))?;
    let rows = statement.query_map(
        params![
            scope.run,
            to_sql(after_seq),
            from_us,
            to_us,
            scope.agent,
            to_sql(limit as u64)
        ],
        row_of,
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn started_at_us(connection: &Connection, run: i64) -> StoreResult<Option<i64>> {
    Ok(connection
        .prepare_cached("SELECT started_at_us FROM runs WHERE run = ?1")?
        .query_row([run], |row| row.get(0))?)
}

/// Lines of agents that were saved by a version that did not keep whose they are.
pub(super) fn unattributed(connection: &Connection, run: i64) -> StoreResult<u64> {
    let lines: i64 = connection
        .prepare_cached(
            "SELECT count(*) FROM log WHERE run = ?1 AND agent IS NULL AND source <> 'coordinator'",
        )?
        .query_row([run], |row| row.get(0))?;
    Ok(from_sql(lines))
}

/// Lines of a run that were left out.
pub(super) fn dropped(connection: &Connection, run_id: &RunId) -> StoreResult<u64> {
    let run = key_of(connection, run_id)?;
    let dropped: i64 = connection
        .prepare_cached("SELECT log_lines_dropped FROM runs WHERE run = ?1")?
        .query_row([run], |row| row.get(0))?;
    Ok(from_sql(dropped))
}

/// Lines of a run that are in its log: positions have no gaps.
pub(super) fn count(connection: &Connection, run_id: &RunId) -> StoreResult<u64> {
    let run = key_of(connection, run_id)?;
    let lines: i64 = connection
        .prepare_cached("SELECT log_lines FROM runs WHERE run = ?1")?
        .query_row([run], |row| row.get(0))?;
    Ok(from_sql(lines))
}

//! How many requests and failures there are in a scope, without their histograms.

use std::ops::Range;

use rusqlite::{Connection, params};

use super::agent_rows;
use super::error::StoreResult;
use super::integers::{from_sql, small_from_sql, to_sql};
use super::rollup::read_rolled;
use super::scope::{ENDPOINT_AND_AGENT, RowScope};
use crate::measure::windows::{ALL_ROLLED, ANY_STEP, decompose, within_a_step};

/// Gives `visit` the first second of each row of these seconds of a scope, and its requests and failures. Each row
/// belongs to one step of `step` seconds.
pub(super) fn visit(
    connection: &Connection,
    scope: &RowScope,
    seconds: Range<u32>,
    step: u32,
    mut visit: impl FnMut(u32, u64, u64),
) -> StoreResult<()> {
    let (query, rolled) = if scope.has_no_filter() {
        let query = "SELECT bucket, requests, failures FROM seconds
             WHERE run = ?1 AND level = ?2 AND bucket >= ?3 AND bucket < ?4 AND ?5 IS NULL AND ?6 IS NULL";
        (query.to_owned(), ALL_ROLLED)
    } else {
        let query = format!(
            "SELECT bucket, requests, failures FROM intervals
             WHERE run = ?1 AND level = ?2 AND bucket >= ?3 AND bucket < ?4 AND {ENDPOINT_AND_AGENT}"
        );
        (query, read_rolled(connection, scope.run)?)
    };
    let mut statement = connection.prepare_cached(&query)?;
    for block in decompose(seconds.start, seconds.end, &within_a_step(rolled, step)) {
        let mut rows = statement.query(params![
            scope.run,
            to_sql(block.level as u64),
            block.from,
            block.to,
            scope.endpoint,
            scope.agent_filter()
        ])?;
        while let Some(row) = rows.next()? {
            visit(
                small_from_sql(row.get(0)?),
                from_sql(row.get(1)?),
                from_sql(row.get(2)?),
            );
        }
    }
    agent_rows::visit(connection, scope, seconds, step, |second, row| {
        for interval in row.intervals()? {
            if scope.has_endpoint(interval.endpoint) {
                visit(second, interval.sums.requests(), interval.sums.failures);
            }
        }
        Ok(())
    })
}

/// All requests of a scope.
pub(super) fn count(connection: &Connection, scope: &RowScope) -> StoreResult<u64> {
    let mut sum = 0_u64;
    visit(
        connection,
        scope,
        scope.from..scope.to,
        ANY_STEP,
        |_, requests, _| {
            sum = sum.saturating_add(requests);
        },
    )?;
    Ok(sum)
}

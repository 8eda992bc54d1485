//! How many requests and failures there are in a scope, without their histograms.

use rusqlite::{Connection, params};

use super::error::StoreResult;
use super::integers::{from_sql, small_from_sql, to_sql};
use super::rollup::read_rolled;
use super::scope::{ENDPOINT_AND_AGENT, RowScope};
use crate::measure::windows::{ALL_ROLLED, Block, Rolled, decompose};

/// Up to where each level has the requests of a scope.
pub(super) fn rolled(connection: &Connection, scope: &RowScope) -> StoreResult<Rolled> {
    if scope.is_everyone() {
        Ok(ALL_ROLLED)
    } else {
        read_rolled(connection, scope.run)
    }
}

/// Gives `visit` the first second of rows of a block with the requests and failures of each.
pub(super) fn visit(
    connection: &Connection,
    scope: &RowScope,
    block: Block,
    mut visit: impl FnMut(u32, u64, u64),
) -> StoreResult<()> {
    let (level, from, to) = (to_sql(block.level as u64), block.from, block.to);
    let read = |row: &rusqlite::Row<'_>| {
        Ok::<_, rusqlite::Error>((
            small_from_sql(row.get(0)?),
            from_sql(row.get(1)?),
            from_sql(row.get(2)?),
        ))
    };
    if scope.is_everyone() {
        let mut statement = connection.prepare_cached(
            "SELECT bucket, requests, failures FROM seconds
             WHERE run = ?1 AND level = ?2 AND bucket >= ?3 AND bucket < ?4",
        )?;
        let mut rows = statement.query(params![scope.run, level, from, to])?;
        while let Some(row) = rows.next()? {
            let (bucket, requests, failures) = read(row)?;
            visit(bucket, requests, failures);
        }
        return Ok(());
    }
    let mut statement = connection.prepare_cached(&format!(
        "SELECT bucket, requests, failures FROM intervals
         WHERE run = ?1 AND level = ?2 AND bucket >= ?3 AND bucket < ?4 AND {ENDPOINT_AND_AGENT}"
    ))?;
    let mut rows = statement.query(params![
        scope.run,
        level,
        from,
        to,
        scope.endpoint,
        scope.agent
    ])?;
    while let Some(row) = rows.next()? {
        let (bucket, requests, failures) = read(row)?;
        visit(bucket, requests, failures);
    }
    Ok(())
}

/// All requests of a scope.
pub(super) fn count(connection: &Connection, scope: &RowScope) -> StoreResult<u64> {
    let mut sum = 0_u64;
    for block in decompose(scope.from, scope.to, &rolled(connection, scope)?) {
        visit(connection, scope, block, |_, requests, _| {
            sum = sum.saturating_add(requests);
        })?;
    }
    Ok(sum)
}

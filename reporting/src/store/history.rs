//! A run second by second, as the CSV files need it.

use std::collections::BTreeMap;

use greylag_infra::protocol::Endpoint;
use rusqlite::{Connection, params};

use super::error::StoreResult;
use super::integers::{from_sql, small_from_sql};
use super::live::{endpoints, last_second};
use super::run_rows::key_of;
use super::series::users_before;
use super::stored_interval::{INTERVAL_COLUMNS, StoredInterval};
use crate::measure::interval::SparseInterval;

/// Some consecutive seconds of a run.
#[derive(Debug, Default)]
pub(crate) struct HistoryPart {
    /// Every second, empty ones too; none when there are no more.
    pub(crate) seconds: Vec<HistorySecond>,
}

/// One second of a run.
#[derive(Debug, Default)]
pub(crate) struct HistorySecond {
    pub(crate) second: u32,
    /// Users active when it was over.
    pub(crate) users: u64,
    /// Requests that ended in it, by endpoint, of all agents together.
    pub(crate) intervals: Vec<(Endpoint, SparseInterval)>,
}

/// At most `count` seconds from `from` on, up to the last one that has anything.
pub(super) fn read(
    connection: &Connection,
    run_id: &str,
    from: u32,
    count: u32,
) -> StoreResult<HistoryPart> {
    let run = key_of(connection, run_id)?;
    let Some(last) = last_second(connection, run)? else {
        return Ok(HistoryPart::default());
    };
    let to = from.saturating_add(count).min(last.saturating_add(1));
    let mut parts = intervals(connection, run, from, to)?;
    let changes = user_changes(connection, run, from, to)?;
    let names = endpoints(connection, run)?;
    let mut users = users_before(connection, run, from)?;
    let seconds = (from..to)
        .map(|second| {
            users += changes.get(&second).copied().unwrap_or(0);
            HistorySecond {
                second,
                users: from_sql(users),
                intervals: parts
                    .remove(&second)
                    .unwrap_or_default()
                    .into_iter()
                    .filter_map(|(number, interval)| {
                        let endpoint = names.get(usize::try_from(number).ok()?)?;
                        Some((endpoint.clone(), interval))
                    })
                    .collect(),
            }
        })
        .collect();
    Ok(HistoryPart { seconds })
}

/// By second and number of the endpoint.
type Intervals = BTreeMap<u32, BTreeMap<i64, SparseInterval>>;

fn intervals(connection: &Connection, run: i64, from: u32, to: u32) -> StoreResult<Intervals> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT bucket, endpoint, {} FROM intervals
         WHERE run = ?1 AND level = 0 AND bucket >= ?2 AND bucket < ?3",
        *INTERVAL_COLUMNS
    ))?;
    let mut rows = statement.query(params![run, from, to])?;
    let mut parts = Intervals::new();
    while let Some(row) = rows.next()? {
        let interval = StoredInterval::read(row, 2)?.into_interval();
        parts
            .entry(small_from_sql(row.get(0)?))
            .or_default()
            .entry(row.get(1)?)
            .or_default()
            .merge(&interval);
    }
    Ok(parts)
}

/// How many more users there are at the end of each second than at its beginning.
fn user_changes(
    connection: &Connection,
    run: i64,
    from: u32,
    to: u32,
) -> StoreResult<BTreeMap<u32, i64>> {
    let mut statement = connection.prepare_cached(
        "SELECT bucket, started - stopped FROM seconds
         WHERE run = ?1 AND level = 0 AND bucket >= ?2 AND bucket < ?3",
    )?;
    let rows = statement.query_map(params![run, from, to], |row| {
        Ok((small_from_sql(row.get(0)?), row.get(1)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

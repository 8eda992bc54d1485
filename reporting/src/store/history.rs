//! A run second by second, as the CSV files need it.

use std::collections::BTreeMap;

use greylag_infra::RunId;
use greylag_infra::protocol::Endpoint;
use rusqlite::{Connection, params};

use super::agent_rows;
use super::error::StoreResult;
use super::integers::{from_sql, small_from_sql};
use super::live::endpoints;
use super::scope::{ENDPOINT_AND_AGENT, RowScope, Scope};
use super::second_rows::{users_before, visit_user_changes};
use super::stored_interval::{RESPONSE_COLUMNS, read_response};
use crate::measure::histogram_codec::BucketCounts;
use crate::measure::interval::SparseInterval;
use crate::measure::packed_counts::PackedCounts;

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
    /// Requests that ended in it, by endpoint, of all agents together; without the histograms from the intended start,
    /// which no history shows.
    pub(crate) intervals: Vec<(Endpoint, SparseInterval)>,
}

/// At most `count` seconds of a scope from `from` on, up to the last one that has anything.
pub(super) fn read(
    connection: &Connection,
    run_id: &RunId,
    scope: &Scope,
    from: u32,
    count: u32,
) -> StoreResult<HistoryPart> {
    let scope = &RowScope::find(connection, run_id, scope)?;
    let to = from.saturating_add(count).min(scope.to);
    let from = from.max(scope.from);
    let mut parts = intervals(connection, scope, from, to)?;
    let mut changes: BTreeMap<u32, i64> = BTreeMap::new();
    visit_user_changes(connection, scope, from..to, 1, |second, change| {
        *changes.entry(second).or_default() += change;
    })?;
    let names = endpoints(connection, scope.run)?;
    let mut users = users_before(connection, scope, from)?;
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

fn intervals(
    connection: &Connection,
    scope: &RowScope,
    from: u32,
    to: u32,
) -> StoreResult<Intervals> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT bucket, endpoint, {} FROM intervals
         WHERE run = ?1 AND level = ?2 AND bucket >= ?3 AND bucket < ?4 AND {ENDPOINT_AND_AGENT}",
        *RESPONSE_COLUMNS
    ))?;
    let mut rows = statement.query(params![
        scope.run,
        0,
        from,
        to,
        scope.endpoint,
        scope.agent_filter()
    ])?;
    let mut parts = Intervals::new();
    while let Some(row) = rows.next()? {
        let interval = read_response(row, 2)?;
        parts
            .entry(small_from_sql(row.get(0)?))
            .or_default()
            .entry(row.get(1)?)
            .or_default()
            .merge(&interval);
    }
    agent_rows::visit(connection, scope, from..to, 1, |second, row| {
        for interval in row.intervals()? {
            if scope.has_endpoint(interval.endpoint) {
                let of_second = parts.entry(second).or_default();
                let sum = of_second.entry(interval.endpoint).or_default();
                sum.merge(&SparseInterval {
                    sums: interval.sums,
                    response: PackedCounts::from_bytes(interval.response).to_bucket_counts()?,
                    intended: BucketCounts::default(),
                });
            }
        }
        Ok(())
    })?;
    Ok(parts)
}

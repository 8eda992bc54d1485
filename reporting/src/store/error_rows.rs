//! What is known about each error of a run.

use std::collections::{BTreeMap, BTreeSet};

use greylag_infra::RunId;
use greylag_infra::protocol::Endpoint;
use rusqlite::{Connection, params};

use super::error::StoreResult;
use super::integers::{from_sql, small_from_sql, to_sql};
use super::live::endpoints;
use super::run_rows::agents;
use super::scope::{AGENT, RowScope, Scope};
use crate::measure::windows::{ALL_ROLLED, Block, LEVELS, decompose, width};

/// What is known about an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ErrorHistory {
    pub(crate) endpoint: Endpoint,
    pub(crate) text: String,
    pub(crate) occurrences: u64,
    /// Second of run time in which it occurred first.
    pub(crate) first: u32,
    /// And last.
    pub(crate) last: u32,
    /// Names of the agents on which it occurred.
    pub(crate) agents: BTreeSet<String>,
}

/// Notes when errors occurred, given by second and number.
pub(super) fn saw(
    connection: &Connection,
    run: i64,
    errors: &BTreeMap<(u32, i64), u64>,
) -> StoreResult<()> {
    let mut seen: BTreeMap<i64, (u32, u32)> = BTreeMap::new();
    for (second, error) in errors.keys() {
        // In order of time, so the last one is the latest.
        seen.entry(*error).or_insert((*second, *second)).1 = *second;
    }
    let mut statement = connection.prepare_cached(
        "UPDATE error_texts SET first_second = min(coalesce(first_second, ?3), ?3),
                                last_second = max(coalesce(last_second, ?4), ?4)
         WHERE run = ?1 AND error = ?2",
    )?;
    for (error, (first, last)) in seen {
        statement.execute(params![run, error, first, last])?;
    }
    Ok(())
}

/// An error of an agent in some stretch of run time.
pub(super) struct ErrorSum {
    pub(super) error: i64,
    pub(super) agent: i64,
    pub(super) occurrences: u64,
    /// First second of the first row that has it.
    first_bucket: u32,
    /// And of the last one.
    last_bucket: u32,
}

/// Gives `visit` the errors of a block, whatever the endpoint of the scope.
pub(super) fn visit(
    connection: &Connection,
    scope: &RowScope,
    block: Block,
    mut visit: impl FnMut(ErrorSum),
) -> StoreResult<()> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT error, agent, sum(occurrences), min(bucket), max(bucket) FROM errors
         WHERE run = ?1 AND level = ?2 AND bucket >= ?3 AND bucket < ?4 AND {AGENT} GROUP BY error, agent"
    ))?;
    let mut rows = statement.query(params![
        scope.run,
        to_sql(block.level as u64),
        block.from,
        block.to,
        scope.agent
    ])?;
    while let Some(row) = rows.next()? {
        visit(ErrorSum {
            error: row.get(0)?,
            agent: row.get(1)?,
            occurrences: from_sql(row.get(2)?),
            first_bucket: small_from_sql(row.get(3)?),
            last_bucket: small_from_sql(row.get(4)?),
        });
    }
    Ok(())
}

/// A row that has an error.
#[derive(Clone, Copy)]
struct Place {
    level: usize,
    bucket: u32,
}

/// Every error of a scope, the most frequent first, then by name, method and text.
pub(super) fn read(
    connection: &Connection,
    run_id: &RunId,
    scope: &Scope,
) -> StoreResult<Vec<ErrorHistory>> {
    let scope = &RowScope::find(connection, run_id, scope)?;
    let mut errors = by_number(connection, scope)?;
    let agents = agents(connection, scope.run)?;
    let mut firsts: BTreeMap<i64, Place> = BTreeMap::new();
    let mut lasts: BTreeMap<i64, Place> = BTreeMap::new();
    for block in decompose(scope.from, scope.rolled_to, &ALL_ROLLED) {
        visit(connection, scope, block, |sum| {
            let Some(error) = errors.get_mut(&sum.error) else {
                return;
            };
            error.occurrences = error.occurrences.saturating_add(sum.occurrences);
            let agent = usize::try_from(sum.agent).ok();
            if let Some(agent) = agent.and_then(|at| agents.get(at)) {
                error.agents.insert(agent.name.clone());
            }
            if scope.agent.is_some() || error.first < scope.from || error.last >= scope.to {
                // Blocks come in the order of time.
                let place = |bucket| Place {
                    level: block.level,
                    bucket,
                };
                let first = firsts.entry(sum.error).or_insert(place(sum.first_bucket));
                if first.level == block.level {
                    first.bucket = first.bucket.min(sum.first_bucket);
                }
                let last = lasts.entry(sum.error).or_insert(place(sum.last_bucket));
                if last.bucket <= sum.last_bucket {
                    *last = place(sum.last_bucket);
                }
            }
        })?;
    }
    narrow_down(
        connection,
        scope,
        &mut firsts,
        |sum| sum.first_bucket,
        u32::min,
    )?;
    narrow_down(
        connection,
        scope,
        &mut lasts,
        |sum| sum.last_bucket,
        u32::max,
    )?;
    for (error, (first, last)) in firsts
        .iter()
        .filter_map(|(error, first)| Some((error, (first, lasts.get(error)?))))
    {
        if let Some(error) = errors.get_mut(error) {
            error.first = first.bucket;
            error.last = last.bucket;
        }
    }
    let mut errors: Vec<_> = errors
        .into_values()
        .filter(|error| error.occurrences > 0)
        .collect();
    errors.sort_by(|a, b| {
        b.occurrences.cmp(&a.occurrences).then_with(|| {
            (&a.endpoint.name, &a.endpoint.method, &a.text).cmp(&(
                &b.endpoint.name,
                &b.endpoint.method,
                &b.text,
            ))
        })
    });
    Ok(errors)
}

/// Goes down from rows of longer stretches to single seconds: to the first or the last row below each that has the
/// error. Few rows are read of however long a window.
fn narrow_down(
    connection: &Connection,
    scope: &RowScope,
    places: &mut BTreeMap<i64, Place>,
    bucket_of: impl Fn(&ErrorSum) -> u32,
    nearer: impl Fn(u32, u32) -> u32,
) -> StoreResult<()> {
    for level in (1..LEVELS).rev() {
        let mut by_bucket: BTreeMap<u32, BTreeMap<i64, Option<u32>>> = BTreeMap::new();
        for (error, place) in places.iter().filter(|(_, place)| place.level == level) {
            let errors = by_bucket.entry(place.bucket).or_default();
            errors.insert(*error, None);
        }
        for (bucket, mut errors) in by_bucket {
            let below = Block {
                level: level - 1,
                from: bucket,
                to: bucket.saturating_add(width(level)),
            };
            visit(connection, scope, below, |sum| {
                if let Some(found) = errors.get_mut(&sum.error) {
                    let bucket = bucket_of(&sum);
                    *found = Some(found.map_or(bucket, |found| nearer(found, bucket)));
                }
            })?;
            for (error, found) in errors {
                let bucket = found.unwrap_or(bucket);
                let level = level - 1;
                places.insert(error, Place { level, bucket });
            }
        }
    }
    Ok(())
}

/// The errors of a scope's endpoints as they are known of the whole run, without how often and where they occurred.
fn by_number(
    connection: &Connection,
    scope: &RowScope,
) -> StoreResult<BTreeMap<i64, ErrorHistory>> {
    let names = endpoints(connection, scope.run)?;
    let mut statement = connection.prepare_cached(
        "SELECT error, endpoint, text, first_second, last_second FROM error_texts WHERE run = ?1",
    )?;
    let mut rows = statement.query([scope.run])?;
    let mut errors = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let endpoint: i64 = row.get(1)?;
        if scope.endpoint.is_some_and(|only| only != endpoint) {
            continue;
        }
        let seconds: (Option<i64>, Option<i64>) = (row.get(3)?, row.get(4)?);
        if let (Some(endpoint), (Some(first), Some(last))) = (
            usize::try_from(endpoint).ok().and_then(|at| names.get(at)),
            seconds,
        ) {
            let error = ErrorHistory {
                endpoint: endpoint.clone(),
                text: row.get(2)?,
                occurrences: 0,
                first: small_from_sql(first),
                last: small_from_sql(last),
                agents: BTreeSet::new(),
            };
            errors.insert(row.get(0)?, error);
        }
    }
    Ok(errors)
}

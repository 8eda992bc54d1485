//! What is known about each error of a run.

use std::collections::{BTreeMap, BTreeSet};

use greylag_infra::RunId;
use greylag_infra::protocol::Endpoint;
use rusqlite::{Connection, Row, params};

use super::agent_rows::{self, RowPart};
use super::agent_set::AgentSet;
use super::error::{StoreError, StoreResult};
use super::integers::{from_sql, small_from_sql, to_sql};
use super::live::endpoints;
use super::run_rows::agents;
use super::scope::{AGENT, RowScope, Scope};
use super::stored_interval::ALL_AGENTS;
use crate::measure::windows::{ALL_ROLLED, Block, LEVELS, bucket_of, decompose, width};

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
    /// How many samples of it are kept, over the whole run.
    pub(crate) samples: u64,
}

/// How often an error occurred in a second, and on which agents.
#[derive(Debug, Default)]
pub(super) struct Occurrences {
    pub(super) count: u64,
    pub(super) agents: AgentSet,
}

/// Adds errors of all agents, by second and number: at every level, and when they occurred.
pub(super) fn add(
    connection: &Connection,
    run: i64,
    errors: &BTreeMap<(u32, i64), Occurrences>,
) -> StoreResult<()> {
    let mut known = connection.prepare_cached(
        "SELECT agents FROM errors WHERE run = ?1 AND level = ?2 AND bucket = ?3 AND error = ?4 AND agent = ?5",
    )?;
    let mut statement = connection.prepare_cached(
        "INSERT INTO errors (run, level, bucket, error, agent, occurrences, agents) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT DO UPDATE SET occurrences = occurrences + excluded.occurrences, agents = excluded.agents",
    )?;
    for level in 0..LEVELS {
        let mut buckets: BTreeMap<(u32, i64), Occurrences> = BTreeMap::new();
        for ((second, error), added) in errors {
            let sum = buckets
                .entry((bucket_of(*second, level), *error))
                .or_default();
            sum.count = sum.count.saturating_add(added.count);
            sum.agents.add(added.agents.as_bytes());
        }
        let level = to_sql(level as u64);
        for ((bucket, error), mut sum) in buckets {
            let mut rows = known.query(params![run, level, bucket, error, ALL_AGENTS])?;
            if let Some(row) = rows.next()? {
                sum.agents.add(agents_of(row, 0)?);
            }
            drop(rows);
            statement.execute(params![
                run,
                level,
                bucket,
                error,
                ALL_AGENTS,
                to_sql(sum.count),
                sum.agents.as_bytes()
            ])?;
        }
    }
    saw(connection, run, errors)
}

/// The column of a row with its agents; rows of a single agent have none.
fn agents_of<'a>(row: &'a Row<'_>, column: usize) -> StoreResult<&'a [u8]> {
    let agents = row.get_ref(column)?.as_blob_or_null();
    let agents = agents.map_err(|error| StoreError::Unreadable(error.to_string()))?;
    Ok(agents.unwrap_or_default())
}

/// Notes when errors occurred.
fn saw(
    connection: &Connection,
    run: i64,
    errors: &BTreeMap<(u32, i64), Occurrences>,
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

/// An error in a row.
pub(super) struct ErrorSum {
    pub(super) error: i64,
    pub(super) occurrences: u64,
    /// The agents on which it occurred.
    pub(super) agents: AgentSet,
    /// First second of the row.
    pub(super) bucket: u32,
}

/// Gives `visit` the errors of a block of the rows of all agents, whatever the endpoint of the scope. In a scope of
/// single agents these are only the rows that earlier versions saved.
pub(super) fn visit(
    connection: &Connection,
    scope: &RowScope,
    block: Block,
    mut visit: impl FnMut(ErrorSum) -> StoreResult<()>,
) -> StoreResult<()> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT error, agent, occurrences, bucket, agents FROM errors
         WHERE run = ?1 AND level = ?2 AND bucket >= ?3 AND bucket < ?4 AND {AGENT}"
    ))?;
    let mut rows = statement.query(params![
        scope.run,
        to_sql(block.level as u64),
        block.from,
        block.to,
        scope.agent_filter()
    ])?;
    while let Some(row) = rows.next()? {
        let mut agents = AgentSet::default();
        agents.insert(row.get(1)?);
        agents.add(agents_of(row, 4)?);
        visit(ErrorSum {
            error: row.get(0)?,
            occurrences: from_sql(row.get(2)?),
            agents,
            bucket: small_from_sql(row.get(3)?),
        })?;
    }
    Ok(())
}

/// Where the errors of a scope are.
#[derive(Clone, Copy)]
enum Source {
    /// Rows that every level is kept up with.
    Errors,
    /// The rows of an agent.
    Agent(i64),
}

impl Source {
    fn visit(
        self,
        connection: &Connection,
        scope: &RowScope,
        block: Block,
        mut visit_sum: impl FnMut(ErrorSum),
    ) -> StoreResult<()> {
        let agent = match self {
            Self::Errors => {
                return visit(connection, scope, block, |sum| {
                    visit_sum(sum);
                    Ok(())
                });
            }
            Self::Agent(agent) => agent,
        };
        let seconds = block.from..block.to;
        agent_rows::visit_level(
            connection,
            (scope.run, agent),
            block.level,
            seconds,
            RowPart::Head,
            |bucket, row| {
                for (error, occurrences) in row.errors().iter().copied() {
                    let mut agents = AgentSet::default();
                    agents.insert(agent);
                    visit_sum(ErrorSum {
                        error,
                        occurrences,
                        agents,
                        bucket,
                    });
                }
                Ok(())
            },
        )
    }

    fn blocks(self, scope: &RowScope) -> Vec<Block> {
        let (to, rolled) = match self {
            Self::Errors => (scope.rolled_to, ALL_ROLLED),
            Self::Agent(agent) => (scope.to, agent_rows::rolled(agent, scope.rolled_by)),
        };
        let rest = scope.left_out.rest_of(&(scope.from..to)).into_iter();
        rest.flat_map(|seconds| decompose(seconds.start, seconds.end, &rolled))
            .collect()
    }
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
    if !scope.has_errors() {
        return Ok(Vec::new());
    }
    let mut errors = by_number(connection, scope)?;
    let agents = agents(connection, scope.run)?;
    let mut seconds: BTreeMap<i64, (u32, u32)> = BTreeMap::new();
    let of_agents = scope.agents().iter().map(|agent| Source::Agent(*agent));
    for source in [Source::Errors].into_iter().chain(of_agents) {
        let found = find(connection, scope, source, |sum| {
            let Some(error) = errors.get_mut(&sum.error) else {
                return false;
            };
            error.occurrences = error.occurrences.saturating_add(sum.occurrences);
            let names = sum.agents.iter().filter_map(|at| agents.get(at));
            for agent in names {
                if !error.agents.contains(&agent.name) {
                    error.agents.insert(agent.name.clone());
                }
            }
            !scope.agents().is_empty()
                || !scope.left_out.is_empty()
                || error.first < scope.from
                || error.last >= scope.to
        })?;
        for (error, (first, last)) in found {
            let seconds = seconds.entry(error).or_insert((first, last));
            *seconds = (seconds.0.min(first), seconds.1.max(last));
        }
    }
    for (error, (first, last)) in seconds {
        if let Some(error) = errors.get_mut(&error) {
            (error.first, error.last) = (first, last);
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

/// Gives `add` every row with an error of a scope. Finds in which second those occurred first and last for which that says
/// so.
fn find(
    connection: &Connection,
    scope: &RowScope,
    source: Source,
    mut add: impl FnMut(&ErrorSum) -> bool,
) -> StoreResult<BTreeMap<i64, (u32, u32)>> {
    let mut firsts: BTreeMap<i64, Place> = BTreeMap::new();
    let mut lasts: BTreeMap<i64, Place> = BTreeMap::new();
    for block in source.blocks(scope) {
        source.visit(connection, scope, block, |sum| {
            if !add(&sum) {
                return;
            }
            let place = Place {
                level: block.level,
                bucket: sum.bucket,
            };
            let first = firsts.entry(sum.error).or_insert(place);
            if place.bucket < first.bucket {
                *first = place;
            }
            let last = lasts.entry(sum.error).or_insert(place);
            if place.bucket > last.bucket {
                *last = place;
            }
        })?;
    }
    narrow_down(connection, scope, source, &mut firsts, u32::min)?;
    narrow_down(connection, scope, source, &mut lasts, u32::max)?;
    let seconds = firsts.into_iter().filter_map(|(error, first)| {
        let last = lasts.get(&error)?;
        Some((error, (first.bucket, last.bucket)))
    });
    Ok(seconds.collect())
}

/// Goes down from rows of longer stretches to single seconds: to the first or the last row below each that has the
/// error. Few rows are read of however long a window.
fn narrow_down(
    connection: &Connection,
    scope: &RowScope,
    source: Source,
    places: &mut BTreeMap<i64, Place>,
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
            source.visit(connection, scope, below, |sum| {
                if let Some(found) = errors.get_mut(&sum.error) {
                    *found = Some(found.map_or(sum.bucket, |found| nearer(found, sum.bucket)));
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
        "SELECT error, endpoint, text, first_second, last_second, samples FROM error_texts WHERE run = ?1",
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
                samples: from_sql(row.get(5)?),
            };
            errors.insert(row.get(0)?, error);
        }
    }
    Ok(errors)
}

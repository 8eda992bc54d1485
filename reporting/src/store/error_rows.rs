//! What is known about each error of a run.

use std::collections::{BTreeMap, BTreeSet};

use greylag_infra::protocol::Endpoint;
use rusqlite::{Connection, params};

use super::error::StoreResult;
use super::integers::{from_sql, small_from_sql, to_sql};
use super::live::endpoints;
use super::run_rows::{agents, key_of};
use crate::measure::windows::LEVELS;

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

/// Every error of a run, the most frequent first, then by name, method and text.
pub(super) fn read(connection: &Connection, run_id: &str) -> StoreResult<Vec<ErrorHistory>> {
    let run = key_of(connection, run_id)?;
    let mut errors = by_number(connection, run)?;
    let agents = agents(connection, run)?;
    // The widest stretches are the fewest rows, and together they are the whole run.
    let mut statement = connection.prepare_cached(
        "SELECT error, agent, sum(occurrences) FROM errors WHERE run = ?1 AND level = ?2 GROUP BY error, agent",
    )?;
    let mut rows = statement.query(params![run, to_sql(LEVELS as u64 - 1)])?;
    while let Some(row) = rows.next()? {
        let Some(error) = errors.get_mut(&row.get(0)?) else {
            continue;
        };
        error.occurrences = error.occurrences.saturating_add(from_sql(row.get(2)?));
        let agent: i64 = row.get(1)?;
        if let Some(agent) = usize::try_from(agent).ok().and_then(|at| agents.get(at)) {
            error.agents.insert(agent.name.clone());
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

/// The errors of a run without how often and where they occurred.
fn by_number(connection: &Connection, run: i64) -> StoreResult<BTreeMap<i64, ErrorHistory>> {
    let names = endpoints(connection, run)?;
    let mut statement = connection.prepare_cached(
        "SELECT error, endpoint, text, first_second, last_second FROM error_texts WHERE run = ?1",
    )?;
    let mut rows = statement.query([run])?;
    let mut errors = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let endpoint: i64 = row.get(1)?;
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

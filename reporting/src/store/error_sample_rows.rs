//! Samples of errors as rows: failed requests with what came back, a few of each error.

use std::collections::BTreeSet;

use greylag_infra::RunId;
use greylag_infra::protocol::{
    ErrorSampleData, MAX_ERROR_SAMPLES_OF_AGENT, MAX_ERROR_SAMPLES_OF_ERROR, keeps_error_sample,
};
use rusqlite::{Connection, params};

use super::error::{StoreError, StoreResult};
use super::integers::{from_sql, to_sql};
use super::live::endpoints;
use super::rows::ErrorSampleRow;
use super::run_rows;
use super::scope::{RowScope, Scope};
use crate::plain_text::{plain_lines, plain_text};

/// Adds a sample of an error, unless there are enough of it: those that come first are kept.
pub(super) fn add(
    connection: &Connection,
    run: i64,
    agent: i64,
    error: i64,
    sample: &ErrorSampleData,
) -> StoreResult<()> {
    let (of_error, of_agent) = connection
        .prepare_cached(
            "SELECT count(*), coalesce(sum(agent = ?3), 0) FROM error_samples WHERE run = ?1 AND error = ?2",
        )?
        .query_row(params![run, error, agent], |row| {
            Ok((from_sql(row.get(0)?), from_sql(row.get(1)?)))
        })?;
    let of_run: i64 = connection
        .prepare_cached("SELECT sum(samples) FROM error_texts WHERE run = ?1")?
        .query_row([run], |row| row.get(0))?;
    let count = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    let is_kept = count(of_agent) < MAX_ERROR_SAMPLES_OF_AGENT
        && keeps_error_sample(
            count(of_error),
            MAX_ERROR_SAMPLES_OF_ERROR,
            count(from_sql(of_run)),
        );
    if !is_kept {
        return Ok(());
    }
    // With the names of fields, so that rows of other versions can be read. Where it is has columns.
    let packed = ErrorSampleData {
        endpoint: 0,
        error: 0,
        at_us: 0,
        ..sample.clone()
    };
    let packed = rmp_serde::to_vec_named(&packed).expect("texts and numbers always encode");
    connection
        .prepare_cached(
            "INSERT INTO error_samples (run, error, sample, agent, at_us, packed) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![run, error, to_sql(of_error), agent, to_sql(sample.at_us), packed])?;
    connection
        .prepare_cached(
            "UPDATE error_texts SET samples = samples + 1 WHERE run = ?1 AND error = ?2",
        )?
        .execute(params![run, error])?;
    Ok(())
}

/// Whether a row can be read.
pub(super) fn check(packed: &[u8]) -> StoreResult<()> {
    unpack(packed).map(drop)
}

fn unpack(packed: &[u8]) -> StoreResult<ErrorSampleData> {
    rmp_serde::from_slice(packed).map_err(|error| StoreError::Unreadable(error.to_string()))
}

/// An error of a run that has samples.
struct SampledError {
    number: i64,
    endpoint: i64,
    text: String,
}

/// The samples of a scope in the order of their errors, at most `limit`, and how many there are; only of errors with this text, if
/// one is given, which may be as it is shown.
pub(super) fn read(
    connection: &Connection,
    run_id: &RunId,
    scope: &Scope,
    text: Option<&str>,
    limit: usize,
) -> StoreResult<(Vec<ErrorSampleRow>, u64)> {
    let scope = RowScope::find(connection, run_id, scope)?;
    if !scope.has_errors() {
        return Ok((Vec::new(), 0));
    }
    let names = endpoints(connection, scope.run)?;
    let agents = run_rows::agents(connection, scope.run)?;
    let of_agents: BTreeSet<i64> = scope.agents().iter().copied().collect();
    let mut statement = connection.prepare_cached(
        "SELECT agent, at_us, packed FROM error_samples WHERE run = ?1 AND error = ?2 ORDER BY at_us, sample",
    )?;
    let (mut found, mut count) = (Vec::new(), 0);
    for error in sampled_errors(connection, &scope)? {
        let shown = plain_text(&error.text);
        let is_asked = |text: &str| [&*error.text, &*shown].contains(&text);
        if !text.is_none_or(is_asked) {
            continue;
        }
        let mut rows = statement.query(params![scope.run, error.number])?;
        while let Some(row) = rows.next()? {
            let (agent, at_us): (i64, u64) = (row.get(0)?, from_sql(row.get(1)?));
            let second = u32::try_from(at_us / 1_000_000).unwrap_or(u32::MAX);
            let is_there = (scope.from..scope.asked_to).contains(&second)
                && !scope.left_out.contains(second)
                && (of_agents.is_empty() || of_agents.contains(&agent));
            if !is_there {
                continue;
            }
            count += 1;
            let endpoint = usize::try_from(error.endpoint)
                .ok()
                .and_then(|at| names.get(at));
            let Some(endpoint) = endpoint.filter(|_| found.len() < limit) else {
                continue;
            };
            let packed = row.get_ref(2)?.as_blob();
            let packed = packed.map_err(|error| StoreError::Unreadable(error.to_string()))?;
            let sample = unpack(packed)?;
            let agent = usize::try_from(agent).ok().and_then(|at| agents.get(at));
            let header = |(name, value): (String, String)| (plain_text(&name), plain_text(&value));
            found.push(ErrorSampleRow {
                method: plain_text(&endpoint.method),
                name: plain_text(&endpoint.name),
                error: shown.clone(),
                agent: agent.map(|agent| plain_text(&agent.name)),
                data: ErrorSampleData {
                    at_us,
                    url: sample.url.as_deref().map(plain_text),
                    headers: sample.headers.into_iter().map(header).collect(),
                    body: sample.body.as_deref().map(plain_lines),
                    ..sample
                },
            });
        }
    }
    Ok((found, count))
}

/// The errors of a scope's endpoint that have samples, in the order in which they were first seen.
fn sampled_errors(connection: &Connection, scope: &RowScope) -> StoreResult<Vec<SampledError>> {
    let mut statement = connection.prepare_cached(
        "SELECT error, endpoint, text FROM error_texts WHERE run = ?1 AND samples > 0 ORDER BY error",
    )?;
    let errors = statement.query_map([scope.run], |row| {
        Ok(SampledError {
            number: row.get(0)?,
            endpoint: row.get(1)?,
            text: row.get(2)?,
        })
    })?;
    let mut errors = errors.collect::<Result<Vec<_>, _>>()?;
    errors.retain(|error| scope.has_endpoint(error.endpoint));
    Ok(errors)
}

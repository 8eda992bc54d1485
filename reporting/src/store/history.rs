//! A run second by second and what is known about each of its errors, as the CSV files need them.

use std::collections::{BTreeMap, BTreeSet};

use greylag_infra::protocol::Endpoint;
use rusqlite::{Connection, params};

use super::error::StoreResult;
use super::integers::{from_sql, small_from_sql};
use super::live::{endpoints, error_texts, last_second};
use super::piece::{PIECE_COLUMNS, read_sums};
use super::run_rows::{agents, key_of};
use super::series::users_before;
use crate::histogram_codec::BucketCounts;
use crate::interval::SparseInterval;

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
        "SELECT bucket, endpoint, {PIECE_COLUMNS} FROM intervals
         WHERE run = ?1 AND level = 0 AND bucket >= ?2 AND bucket < ?3"
    ))?;
    let mut rows = statement.query(params![run, from, to])?;
    let mut parts = Intervals::new();
    while let Some(row) = rows.next()? {
        let mut counts = Vec::new();
        let sums = read_sums(
            row,
            2,
            |position, count| counts.push((position, count)),
            |_, _| {},
        )?;
        parts
            .entry(small_from_sql(row.get(0)?))
            .or_default()
            .entry(row.get(1)?)
            .or_default()
            .merge(&SparseInterval {
                sums,
                counts: BucketCounts::from_ascending(counts),
            });
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

/// Every error of a run, the most frequent first, then by name, method and text.
pub(super) fn errors(connection: &Connection, run_id: &str) -> StoreResult<Vec<ErrorHistory>> {
    let run = key_of(connection, run_id)?;
    let names = endpoints(connection, run)?;
    let texts = error_texts(connection, run)?;
    let agents = agents(connection, run)?;
    let mut statement = connection.prepare_cached(
        "SELECT error, agent, sum(occurrences), min(bucket), max(bucket) FROM errors
         WHERE run = ?1 AND level = 0 GROUP BY error, agent ORDER BY error",
    )?;
    let mut rows = statement.query([run])?;
    let mut errors: BTreeMap<i64, ErrorHistory> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let number: i64 = row.get(0)?;
        let Some((endpoint, text)) = usize::try_from(number)
            .ok()
            .and_then(|at| texts.get(at))
            .and_then(|(endpoint, text)| {
                Some((names.get(usize::try_from(*endpoint).ok()?)?, text))
            })
        else {
            continue;
        };
        let (first, last) = (small_from_sql(row.get(3)?), small_from_sql(row.get(4)?));
        let error = errors.entry(number).or_insert_with(|| ErrorHistory {
            endpoint: endpoint.clone(),
            text: text.clone(),
            occurrences: 0,
            first,
            last,
            agents: BTreeSet::new(),
        });
        error.occurrences = error.occurrences.saturating_add(from_sql(row.get(2)?));
        error.first = error.first.min(first);
        error.last = error.last.max(last);
        let agent: i64 = row.get(1)?;
        if let Some(agent) = usize::try_from(agent).ok().and_then(|at| agents.get(at)) {
            error.agents.insert(agent.name.clone());
        }
    }
    let mut errors: Vec<_> = errors.into_values().collect();
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

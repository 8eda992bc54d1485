//! Sums over a window or a whole run, by endpoint.

use std::collections::HashMap;
use std::ops::Range;

use greylag_infra::protocol::Endpoint;
use rusqlite::{Connection, params};

use super::error::StoreResult;
use super::integers::{from_sql, to_sql};
use super::live::{endpoints, error_texts, last_second};
use super::rollup::read_rolled;
use super::run_rows::key_of;
use super::stored_interval::{INTERVAL_COLUMNS, RowSum};
use crate::measure::interval::Interval;
use crate::measure::windows::{ALL_ROLLED, decompose};

/// Everything that happened in a window, by endpoint.
#[derive(Debug, Clone, Default)]
pub struct RunTotals {
    /// Sorted by name, then method. An endpoint with errors but no requests is a task, not a request: it
    /// belongs into lists of errors only.
    pub endpoints: Vec<(Endpoint, Interval)>,
    /// Iterations of an arrival rate; all 0 when users pace themselves.
    pub arrivals: Arrivals,
}

/// Iterations that an arrival rate asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Arrivals {
    /// Those that began, late ones included.
    pub started: u64,
    /// Of these, those that began late.
    pub late: u64,
    /// Those that never began, because every user was busy.
    pub skipped: u64,
}

impl Arrivals {
    /// Adds others.
    pub(super) fn merge(&mut self, other: Arrivals) {
        self.started = self.started.saturating_add(other.started);
        self.late = self.late.saturating_add(other.late);
        self.skipped = self.skipped.saturating_add(other.skipped);
    }

    /// Whether an arrival rate has asked for nothing yet.
    pub fn is_empty(&self) -> bool {
        *self == Arrivals::default()
    }
}

impl RunTotals {
    /// Endpoints that have requests.
    pub fn requested(&self) -> impl Iterator<Item = &(Endpoint, Interval)> {
        self.endpoints
            .iter()
            .filter(|(_, interval)| interval.requests() > 0)
    }

    /// The sum over every endpoint, without errors' texts.
    pub fn aggregated(&self) -> Interval {
        let mut sum = Interval::default();
        for (_, interval) in &self.endpoints {
            sum.merge_numbers(interval);
        }
        sum
    }

    /// Errors with their endpoint, the most frequent first, then by name, method and text.
    pub fn errors(&self) -> Vec<(&Endpoint, &str, u64)> {
        let mut errors: Vec<_> = self
            .endpoints
            .iter()
            .flat_map(|(endpoint, interval)| {
                interval
                    .errors
                    .iter()
                    .map(move |(text, occurrences)| (endpoint, text.as_str(), *occurrences))
            })
            .collect();
        errors.sort_by(|a, b| {
            b.2.cmp(&a.2)
                .then_with(|| (&a.0.name, &a.0.method, a.1).cmp(&(&b.0.name, &b.0.method, b.1)))
        });
        errors
    }

    /// The interval of an endpoint, a new one if there is none.
    pub(super) fn entry(&mut self, endpoint: &Endpoint) -> &mut Interval {
        let at = self
            .endpoints
            .binary_search_by(|(known, _)| {
                (&known.name, &known.method).cmp(&(&endpoint.name, &endpoint.method))
            })
            .unwrap_or_else(|at| {
                self.endpoints
                    .insert(at, (endpoint.clone(), Interval::default()));
                at
            });
        &mut self.endpoints[at].1
    }
}

/// The sums over `[window.start, window.end)` seconds of run time, or the whole run.
pub(super) fn read(
    connection: &Connection,
    run_id: &str,
    window: Option<Range<u32>>,
) -> StoreResult<RunTotals> {
    let run = key_of(connection, run_id)?;
    let Some(last) = last_second(connection, run)? else {
        return Ok(RunTotals::default());
    };
    let window = window.unwrap_or(0..u32::MAX);
    let (from, to) = (window.start, window.end.min(last.saturating_add(1)));
    let mut sums: HashMap<i64, RowSum> = HashMap::new();
    let mut statement = connection.prepare_cached(&format!(
        "SELECT endpoint, {} FROM intervals
         WHERE run = ?1 AND level = ?2 AND bucket >= ?3 AND bucket < ?4",
        *INTERVAL_COLUMNS
    ))?;
    for block in decompose(from, to, &read_rolled(connection, run)?) {
        let mut rows = statement.query(params![
            run,
            to_sql(block.level as u64),
            block.from,
            block.to
        ])?;
        while let Some(row) = rows.next()? {
            sums.entry(row.get(0)?).or_default().add(row, 1)?;
        }
    }
    let mut sums: HashMap<i64, Interval> = sums
        .into_iter()
        .map(|(endpoint, sum)| (endpoint, sum.into_interval()))
        .collect();
    add_errors(connection, run, from, to, &mut sums)?;
    let mut totals = RunTotals {
        arrivals: arrivals(connection, run, from, to)?,
        ..RunTotals::default()
    };
    for (number, endpoint) in (0..).zip(endpoints(connection, run)?) {
        if let Some(interval) = sums.remove(&number).filter(|sum| !sum.is_empty()) {
            totals.endpoints.push((endpoint, interval));
        }
    }
    totals
        .endpoints
        .sort_by(|(a, _), (b, _)| (&a.name, &a.method).cmp(&(&b.name, &b.method)));
    Ok(totals)
}

fn arrivals(connection: &Connection, run: i64, from: u32, to: u32) -> StoreResult<Arrivals> {
    let mut statement = connection.prepare_cached(
        "SELECT coalesce(sum(arrivals), 0), coalesce(sum(late_arrivals), 0), coalesce(sum(skipped_arrivals), 0)
         FROM seconds WHERE run = ?1 AND level = ?2 AND bucket >= ?3 AND bucket < ?4",
    )?;
    let mut sum = Arrivals::default();
    for block in decompose(from, to, &ALL_ROLLED) {
        sum.merge(statement.query_row(
            params![run, to_sql(block.level as u64), block.from, block.to],
            |row| {
                Ok(Arrivals {
                    started: from_sql(row.get(0)?),
                    late: from_sql(row.get(1)?),
                    skipped: from_sql(row.get(2)?),
                })
            },
        )?);
    }
    Ok(sum)
}

fn add_errors(
    connection: &Connection,
    run: i64,
    from: u32,
    to: u32,
    sums: &mut HashMap<i64, Interval>,
) -> StoreResult<()> {
    let texts = error_texts(connection, run)?;
    if texts.is_empty() {
        return Ok(());
    }
    let mut statement = connection.prepare_cached(
        "SELECT error, sum(occurrences) FROM errors
         WHERE run = ?1 AND level = ?2 AND bucket >= ?3 AND bucket < ?4 GROUP BY error",
    )?;
    for block in decompose(from, to, &ALL_ROLLED) {
        let mut rows = statement.query(params![
            run,
            to_sql(block.level as u64),
            block.from,
            block.to
        ])?;
        while let Some(row) = rows.next()? {
            let number: i64 = row.get(0)?;
            let error = usize::try_from(number).ok().and_then(|at| texts.get(at));
            if let Some((endpoint, text)) = error {
                sums.entry(*endpoint)
                    .or_default()
                    .record_error(text, from_sql(row.get(1)?));
            }
        }
    }
    Ok(())
}

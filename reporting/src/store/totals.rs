//! Sums over a part of a run or the whole, by endpoint.

use std::collections::HashMap;

use greylag_infra::RunId;
use greylag_infra::protocol::Endpoint;
use rusqlite::{Connection, params};

use super::error::StoreResult;
use super::integers::to_sql;
use super::live::{endpoints, error_texts};
use super::rollup::read_rolled;
use super::scope::{ENDPOINT_AND_AGENT, RowScope, Scope};
use super::second_rows::arrivals;
use super::stored_interval::INTERVAL_COLUMNS;
use super::{agent_rows, error_rows, stored_interval};
use crate::measure::arrivals::Arrivals;
use crate::measure::interval::{Interval, IntervalSum};
use crate::measure::packed_counts::Precision;
use crate::measure::windows::{ALL_ROLLED, ANY_STEP, decompose};

/// Everything that happened in a scope, by endpoint.
#[derive(Debug, Clone, Default)]
pub struct RunTotals {
    /// Sorted by name, then method. An endpoint with errors but no requests is a task, not a request: it
    /// belongs into lists of errors only.
    pub endpoints: Vec<(Endpoint, Interval)>,
    /// Iterations of an arrival rate; all 0 when users pace themselves.
    pub arrivals: Arrivals,
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

/// The sums over a scope.
pub(super) fn read(
    connection: &Connection,
    run_id: &RunId,
    scope: &Scope,
) -> StoreResult<RunTotals> {
    let scope = RowScope::find(connection, run_id, scope)?;
    let mut sums: HashMap<i64, IntervalSum> = HashMap::new();
    let mut errors: HashMap<i64, u64> = HashMap::new();
    let mut statement = connection.prepare_cached(&format!(
        "SELECT endpoint, {} FROM intervals
         WHERE run = ?1 AND level = ?2 AND bucket >= ?3 AND bucket < ?4 AND {ENDPOINT_AND_AGENT}",
        *INTERVAL_COLUMNS
    ))?;
    for block in decompose(scope.from, scope.to, &read_rolled(connection, scope.run)?) {
        let mut rows = statement.query(params![
            scope.run,
            to_sql(block.level as u64),
            block.from,
            block.to,
            scope.endpoint,
            scope.agent_filter()
        ])?;
        while let Some(row) = rows.next()? {
            stored_interval::add(sums.entry(row.get(0)?).or_default(), row, 1)?;
        }
    }
    agent_rows::visit(
        connection,
        &scope,
        scope.from..scope.to,
        ANY_STEP,
        |_, row| {
            for part in row.intervals()? {
                if scope.has_endpoint(part.endpoint) {
                    let sum = sums.entry(part.endpoint).or_default();
                    sum.add_parts(&part.sums, part.response, part.intended, Precision::Full)?;
                }
            }
            for (error, occurrences) in row.errors().iter().copied() {
                let sum = errors.entry(error).or_default();
                *sum = sum.saturating_add(occurrences);
            }
            Ok(())
        },
    )?;
    let mut sums = sums
        .into_iter()
        .map(|(endpoint, mut sum)| Ok((endpoint, sum.take().to_interval()?)))
        .collect::<StoreResult<HashMap<i64, Interval>>>()?;
    add_errors(connection, &scope, errors, &mut sums)?;
    let mut totals = RunTotals {
        arrivals: arrivals(connection, &scope)?,
        ..RunTotals::default()
    };
    for (number, endpoint) in (0..).zip(endpoints(connection, scope.run)?) {
        if let Some(interval) = sums.remove(&number).filter(|sum| !sum.is_empty()) {
            totals.endpoints.push((endpoint, interval));
        }
    }
    totals
        .endpoints
        .sort_by(|(a, _), (b, _)| (&a.name, &a.method).cmp(&(&b.name, &b.method)));
    Ok(totals)
}

fn add_errors(
    connection: &Connection,
    scope: &RowScope,
    mut occurrences: HashMap<i64, u64>,
    sums: &mut HashMap<i64, Interval>,
) -> StoreResult<()> {
    let texts = error_texts(connection, scope.run)?;
    if texts.is_empty() {
        return Ok(());
    }
    for block in decompose(scope.from, scope.rolled_to, &ALL_ROLLED) {
        error_rows::visit(connection, scope, block, |row| {
            let sum = occurrences.entry(row.error).or_default();
            *sum = sum.saturating_add(row.occurrences);
        })?;
    }
    for (number, (endpoint, text)) in (0..).zip(&texts) {
        if let Some(occurrences) = occurrences.get(&number)
            && scope.has_endpoint(*endpoint)
        {
            let interval = sums.entry(*endpoint).or_default();
            interval.record_error(text, *occurrences);
        }
    }
    Ok(())
}

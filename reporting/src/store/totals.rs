//! Sums over a part of a run or the whole, by endpoint.

use std::collections::HashMap;

use greylag_infra::RunId;
use greylag_infra::protocol::Endpoint;
use rusqlite::{Connection, params};

use super::error::StoreResult;
use super::error_rows;
use super::integers::to_sql;
use super::live::{endpoints, error_texts};
use super::rollup::read_rolled;
use super::scope::{ENDPOINT_AND_AGENT, RowScope, Scope};
use super::second_rows::arrivals;
use super::stored_interval::{INTERVAL_COLUMNS, RowSum};
use crate::measure::arrivals::Arrivals;
use crate::measure::interval::Interval;
use crate::measure::windows::{ALL_ROLLED, decompose};

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
    let mut sums: HashMap<i64, RowSum> = HashMap::new();
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
            scope.agent
        ])?;
        while let Some(row) = rows.next()? {
            sums.entry(row.get(0)?).or_default().add(row, 1)?;
        }
    }
    let mut sums: HashMap<i64, Interval> = sums
        .into_iter()
        .map(|(endpoint, sum)| (endpoint, sum.into_interval()))
        .collect();
    add_errors(connection, &scope, &mut sums)?;
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
    sums: &mut HashMap<i64, Interval>,
) -> StoreResult<()> {
    let texts = error_texts(connection, scope.run)?;
    if texts.is_empty() {
        return Ok(());
    }
    for block in decompose(scope.from, scope.rolled_to, &ALL_ROLLED) {
        error_rows::visit(connection, scope, block, |row| {
            let error = usize::try_from(row.error).ok().and_then(|at| texts.get(at));
            if let Some((endpoint, text)) = error
                && scope.endpoint.is_none_or(|only| only == *endpoint)
            {
                sums.entry(*endpoint)
                    .or_default()
                    .record_error(text, row.occurrences);
            }
        })?;
    }
    Ok(())
}

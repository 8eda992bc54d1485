//! Sums over a part of a run or the whole, by endpoint.

use std::collections::HashMap;

use greylag_infra::RunId;
use greylag_infra::protocol::Endpoint;
use rusqlite::Connection;

use super::error::StoreResult;
use super::live::{endpoints, error_texts};
use super::scope::{RowScope, Scope};
use super::scope_rows::{self, Part, Requests, Wanted};
use crate::measure::arrivals::Arrivals;
use crate::measure::interval::{Interval, Measures};
use crate::measure::seconds::Seconds;
use crate::measure::windows::ANY_STEP;

/// Everything that happened in a scope, by endpoint.
#[derive(Debug, Clone, Default)]
pub struct RunTotals {
    /// Sorted by name, then method. An endpoint with errors but no requests is a task, not a request: it
    /// belongs into lists of errors only.
    pub endpoints: Vec<(Endpoint, Interval)>,
    /// Iterations of an arrival rate; all 0 when users pace themselves.
    pub arrivals: Arrivals,
    /// Seconds of the scope that are left out.
    pub(crate) left_out: Seconds,
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

    /// Whether there are any errors.
    pub(crate) fn has_errors(&self) -> bool {
        let mut intervals = self.endpoints.iter().map(|(_, interval)| interval);
        intervals.any(|interval| !interval.errors.is_empty())
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

/// The sums over a scope, with the counts of these measures.
pub(super) fn read(
    connection: &Connection,
    run_id: &RunId,
    scope: &Scope,
    measures: Measures,
) -> StoreResult<RunTotals> {
    let scope = RowScope::find(connection, run_id, scope)?;
    let texts = error_texts(connection, scope.run)?;
    let mut sums: HashMap<i64, Interval> = HashMap::new();
    let mut errors: HashMap<i64, u64> = HashMap::new();
    let mut totals = RunTotals {
        left_out: scope.left_out.clone(),
        ..RunTotals::default()
    };
    let wanted = Wanted {
        users: true,
        requests: Requests::Intervals(measures),
        errors: !texts.is_empty(),
    };
    let seconds = scope.from..scope.to;
    scope_rows::visit(connection, &scope, seconds, ANY_STEP, wanted, |_, part| {
        match part {
            Part::Users(users) => totals.arrivals.merge(users.arrivals),
            Part::Interval { endpoint, numbers } => {
                numbers.add_to(sums.entry(endpoint).or_default(), measures)?;
            }
            Part::Errors { error, occurrences } => {
                let sum = errors.entry(error).or_default();
                *sum = sum.saturating_add(occurrences);
            }
            Part::Counts { .. } | Part::OfEndpoint { .. } => {}
        }
        Ok(())
    })?;
    for (number, (endpoint, text)) in (0..).zip(&texts) {
        if let Some(occurrences) = errors.get(&number)
            && scope.has_endpoint(*endpoint)
        {
            let interval = sums.entry(*endpoint).or_default();
            interval.record_error(text, *occurrences);
        }
    }
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

//! Requests by status code over run time.

use std::collections::BTreeMap;

use greylag_infra::RunId;
use rusqlite::Transaction;

use super::{ChartData, ChartSteps, endpoints_of, find, greatest};
use crate::measure::histogram_codec::value_at;
use crate::measure::interval::{Measure, Measures};
use crate::store::error::StoreResult;
use crate::store::scope::{RowScope, Scope};
use crate::store::scope_rows::{self, Part, Requests, Wanted};

/// Name of requests without an answer, and of those that are not HTTP.
const NO_ANSWER: &str = "no answer";
/// Name of requests of agents of earlier versions, which do not count status codes.
const NOT_MEASURED: &str = "not measured";

/// Requests by status code.
pub(super) fn read(
    connection: &Transaction<'_>,
    run_id: &RunId,
    scope: &Scope,
    steps: ChartSteps,
) -> StoreResult<ChartData> {
    let rows = |scope: &RowScope| endpoints_of(connection, scope);
    let (scope, steps) = find(connection, run_id, scope, rows, steps)?;
    let mut counts: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let wanted = Wanted {
        requests: Requests::Intervals(Measures::only(Measure::Status)),
        ..Wanted::default()
    };
    let seconds = steps.seconds();
    scope_rows::visit(
        connection,
        &scope,
        seconds,
        steps.width(),
        wanted,
        |second, part| {
            let Part::Interval { numbers, .. } = part else {
                return Ok(());
            };
            let interval = numbers.only(Measure::Status)?;
            let mut add = |name: String, count: u64| {
                let line = counts.entry(name).or_insert_with(|| vec![0; steps.len()]);
                let sum = &mut line[steps.at(second)];
                *sum = sum.saturating_add(count);
            };
            let mut measured = 0_u64;
            for (position, count) in interval.counts[Measure::Status].iter() {
                measured = measured.saturating_add(count);
                match value_at(position) {
                    0 => add(NO_ANSWER.to_owned(), count),
                    status => add(status.to_string(), count),
                }
            }
            let rest = interval.sums.requests().saturating_sub(measured);
            if rest > 0 {
                add(NOT_MEASURED.to_owned(), rest);
            }
            Ok(())
        },
    )?;
    Ok(steps.chart(greatest(counts.into_iter().collect())))
}

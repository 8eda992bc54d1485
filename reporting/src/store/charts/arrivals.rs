//! Iterations of an arrival rate over run time.

use std::ops::Range;

use greylag_infra::{RunRecord, RunTime};
use rusqlite::Transaction;

use super::steps::Steps;
use super::{ChartData, ChartLine, ChartSteps, find};
use crate::measure::arrivals::Arrivals;
use crate::store::error::StoreResult;
use crate::store::scope::{RowScope, Scope};
use crate::store::scope_rows::{self, Part, Wanted};

/// Iterations that were planned, began, began late and never began. Which part of the plan is an agent's follows from its
/// workers, and is not shown.
pub(super) fn read(
    connection: &Transaction<'_>,
    run: &RunRecord,
    scope: &Scope,
    steps: ChartSteps,
) -> StoreResult<ChartData> {
    let is_of_agent = scope.agent.is_some();
    let (scope, steps) = find(connection, &run.id, scope, |_: &RowScope| Ok(1), steps)?;
    let mut sums = vec![Arrivals::default(); steps.len()];
    let wanted = Wanted {
        users: true,
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
            if let Part::Users(users) = part {
                sums[steps.at(second)].merge(users.arrivals);
            }
            Ok(())
        },
    )?;
    if sums.iter().all(Arrivals::is_empty) && !run.profile.has_arrivals() {
        return Ok(steps.chart(Vec::new()));
    }
    let mut lines = Vec::new();
    if run.profile.has_arrivals() && !is_of_agent {
        lines.push(ChartLine {
            name: "planned".to_owned(),
            values: planned(run, &steps),
        });
    }
    let line = |name: &str, of: fn(&Arrivals) -> u64| {
        ChartLine::of_counts(name, &sums.iter().map(of).collect::<Vec<_>>())
    };
    lines.push(line("started", |arrivals| arrivals.started));
    lines.push(line("late", |arrivals| arrivals.late));
    lines.push(line("skipped", |arrivals| arrivals.skipped));
    Ok(steps.chart(lines))
}

/// Iterations that are due in each of these steps, but for the seconds that are left out.
fn planned(run: &RunRecord, steps: &Steps) -> Vec<Option<f64>> {
    let due = |second: u32| run.profile.arrivals_before(RunTime::of_second(second));
    let of_step = |counted: Vec<Range<u32>>| {
        let parts = counted.iter().map(|part| due(part.end) - due(part.start));
        Some(parts.sum::<u64>() as f64)
    };
    steps.counted().map(of_step).collect()
}

//! A custom metric over run time.

use greylag_infra::RunId;
use greylag_infra::protocol::{MAX_METRIC_NAME_BYTES, MetricKind, visible_line};
use rusqlite::Transaction;

use super::{ChartData, ChartLine, ChartSteps, find};
use crate::measure::custom::{MetricSums, in_units};
use crate::store::error::{StoreResult, UnknownMetric};
use crate::store::metric_rows;
use crate::store::scope::Scope;

/// Fractions of the percentiles that the chart of a histogram has, by name.
const PERCENTILES: [(&str, f64); 2] = [("p50", 0.5), ("p95", 0.95)];

/// The names of the lines of a kind, which are those of its statistics in a summary.
fn lines_of(kind: MetricKind) -> &'static [&'static str] {
    match kind {
        MetricKind::Counter => &["total"],
        MetricKind::Gauge => &["last", "min", "max"],
        MetricKind::Rate => &["rate"],
        MetricKind::Histogram => &["avg", PERCENTILES[0].0, PERCENTILES[1].0],
    }
}

/// The values of these lines in a step. Where nothing was counted a counter has counted 0, and others have no value.
fn values_of(kind: MetricKind, sums: &MetricSums) -> Vec<Option<f64>> {
    let numbers = &sums.numbers;
    let some = |value: i64| (!sums.is_empty()).then(|| in_units(value.into()));
    match kind {
        MetricKind::Counter => vec![Some(numbers.total())],
        MetricKind::Gauge => vec![some(numbers.last), some(numbers.min), some(numbers.max)],
        MetricKind::Rate => vec![numbers.mean()],
        MetricKind::Histogram => {
            let percentiles = sums.percentiles(PERCENTILES.map(|(_, fraction)| fraction));
            let at = |place: usize| percentiles.map(|all| in_units(all[place].into()));
            vec![numbers.mean(), at(0), at(1)]
        }
    }
}

/// The metric of a name, as the run knows it or as the scenario wrote it, in the seconds of a scope.
pub(super) fn read(
    connection: &Transaction<'_>,
    run_id: &RunId,
    scope: &Scope,
    name: &str,
    steps: ChartSteps,
) -> StoreResult<ChartData> {
    let (mut scope, steps) = find(connection, run_id, &scope.seconds_only(), |_| Ok(1), steps)?;
    let known = metric_rows::names(connection, scope.run)?;
    let known = known.metrics();
    let as_known = visible_line(name, MAX_METRIC_NAME_BYTES);
    let number = known.iter().position(|metric| metric.name == as_known);
    let number = number.ok_or_else(|| UnknownMetric(name.to_owned()))?;
    let kind = known[number].kind;
    let names = lines_of(kind);
    let mut lines: Vec<ChartLine> = names
        .iter()
        .map(|name| ChartLine {
            name: (*name).to_owned(),
            values: Vec::with_capacity(steps.len()),
        })
        .collect();
    let mut put = |sums: &MetricSums| {
        for (line, value) in lines.iter_mut().zip(values_of(kind, sums)) {
            line.values.push(value);
        }
    };
    // Rows come in the order of their seconds, so that the values of one step are held and not those of all.
    let mut sums = MetricSums::default();
    let mut at = 0;
    let seconds = steps.seconds();
    (scope.from, scope.to) = (seconds.start, seconds.end);
    // There are at most 100 metrics.
    let number = number as u32;
    metric_rows::visit(connection, &scope, number, steps.width(), |second, row| {
        while at < steps.at(second) {
            put(&std::mem::take(&mut sums));
            at += 1;
        }
        sums.add(row);
    })?;
    while at < steps.len() {
        put(&std::mem::take(&mut sums));
        at += 1;
    }
    Ok(steps.chart(lines))
}

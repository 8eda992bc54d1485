//! Percentiles over run time.

use std::collections::BTreeMap;

use greylag_infra::RunId;
use rusqlite::Transaction;

use super::{ChartData, ChartLine, ChartSteps, endpoints_of, find};
use crate::measure::interval::{
    IntervalSum, Measure, Measures, PackedInterval, SparseInterval, ms,
};
use crate::measure::stats::{FRACTIONS, PERCENTILE_TITLES, PERCENTILES};
use crate::store::error::StoreResult;
use crate::store::scope::{RowScope, Scope};
use crate::store::scope_rows::{self, Part, Requests, Wanted};

/// The percentiles of these times, every one there is. The last line is the greatest time.
pub(super) fn read(
    connection: &Transaction<'_>,
    run_id: &RunId,
    scope: &Scope,
    measure: Measure,
    steps: ChartSteps,
) -> StoreResult<ChartData> {
    let rows = |scope: &RowScope| endpoints_of(connection, scope);
    let (scope, steps) = find(connection, run_id, scope, rows, steps)?;
    let mut sums = StepSums::default();
    let wanted = Wanted {
        requests: Requests::Intervals(Measures::only(measure)),
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
            if let Part::Interval { numbers, .. } = part {
                numbers.add_only_to(measure, sums.at(steps.at(second))?)?;
            }
            Ok(())
        },
    )?;
    let mut lines: Vec<ChartLine> = PERCENTILE_TITLES
        .iter()
        .map(|title| ChartLine {
            name: (*title).to_owned(),
            values: vec![None; steps.len()],
        })
        .collect();
    for (step, sum) in sums.finish() {
        let Some(percentiles) = percentiles_of(&sum, measure)? else {
            continue;
        };
        for (line, us) in lines.iter_mut().zip(percentiles) {
            line.values[step] = Some(ms(us));
        }
    }
    Ok(steps.chart(lines))
}

fn percentiles_of(
    sum: &PackedInterval,
    measure: Measure,
) -> StoreResult<Option<[u64; PERCENTILES]>> {
    let mut sparse = SparseInterval {
        sums: sum.sums,
        ..SparseInterval::default()
    };
    sparse.counts[measure] = sum.counts[measure].to_bucket_counts()?;
    Ok(sparse.percentiles_of(measure, FRACTIONS))
}

/// Sums of steps. Rows come step after step, agent by agent, so that one array is enough for all.
#[derive(Default)]
struct StepSums {
    open: Option<usize>,
    sum: IntervalSum,
    done: BTreeMap<usize, PackedInterval>,
}

impl StepSums {
    /// The sum of a step, to add to.
    fn at(&mut self, step: usize) -> StoreResult<&mut IntervalSum> {
        if self.open != Some(step) {
            self.close();
            if let Some(before) = self.done.remove(&step) {
                self.sum.add(&before)?;
            }
            self.open = Some(step);
        }
        Ok(&mut self.sum)
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            self.done.insert(open, self.sum.take());
        }
    }

    fn finish(mut self) -> BTreeMap<usize, PackedInterval> {
        self.close();
        self.done
    }
}

//! The steps of a chart.

use std::ops::Range;

use super::{ChartData, ChartLine, ChartSteps, MAX_CHART_STEPS};
use crate::measure::seconds::Seconds;
use crate::measure::windows::step_for;
use crate::store::scope::RowScope;

/// About how many rows a chart may read; each costs some µs.
const MAX_ROWS: u32 = 40_000;
/// Fewest steps that a chart is to have, however many rows each has.
const MIN_STEPS: u32 = 30;
/// Most rows of the same endpoint in a step.
const MAX_ROWS_OF_STEP: u32 = 3;

/// Steps of a scope.
#[derive(Debug, Clone)]
pub(super) struct Steps {
    step: u32,
    /// Where the first one begins, whatever the scope has of it.
    first: u32,
    from: u32,
    to: u32,
    /// Those of the scope's seconds that are left out.
    left_out: Seconds,
}

impl Steps {
    /// Those of a scope of which each second has so many rows.
    pub(super) fn of(scope: &RowScope, rows: u32, asked: ChartSteps) -> Self {
        let from = scope.from.max(asked.since.min(scope.to));
        let chosen = || {
            let most = (MAX_ROWS / rows.max(1)).clamp(MIN_STEPS, MAX_CHART_STEPS - 1);
            step_for(scope.to - scope.from, most as usize, MAX_ROWS_OF_STEP).0
        };
        let fits = |step: &u32| (scope.to - from) / step < MAX_CHART_STEPS;
        let step = asked.step_s.filter(fits).unwrap_or_else(chosen).max(1);
        let first = from - from % step;
        Self {
            step,
            first,
            // The whole of a step that is asked for again.
            from: first.max(scope.from),
            to: scope.to,
            left_out: scope.left_out.clone(),
        }
    }

    /// Seconds in one.
    pub(super) fn width(&self) -> u32 {
        self.step
    }

    /// The seconds of all.
    pub(super) fn seconds(&self) -> Range<u32> {
        self.from..self.to
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        if self.from >= self.to {
            return 0;
        }
        (self.to - self.first).div_ceil(self.step) as usize
    }

    /// Which one a second belongs to; what comes before the first belongs to it.
    pub(super) fn at(&self, second: u32) -> usize {
        (second.saturating_sub(self.first) / self.step) as usize
    }

    /// The first second of each that is in the scope.
    pub(super) fn starts(&self) -> impl Iterator<Item = u32> + '_ {
        let steps = (self.first..self.to).step_by(self.step as usize);
        steps.take(self.len()).map(|second| second.max(self.from))
    }

    /// Where each begins and ends within the scope.
    fn stretches(&self) -> impl Iterator<Item = Range<u32>> + '_ {
        let ends = self.starts().skip(1).chain([self.to]);
        self.starts().zip(ends).map(|(from, to)| from..to)
    }

    /// The seconds of each that are not left out.
    pub(super) fn counted(&self) -> impl Iterator<Item = Vec<Range<u32>>> + '_ {
        self.stretches().map(|step| self.left_out.rest_of(&step))
    }

    /// How many seconds of each are left out; nothing where that is none.
    fn left_out(&self) -> Vec<u32> {
        if self.left_out.is_empty() {
            return Vec::new();
        }
        let of_step = |step: Range<u32>| {
            let parts = self.left_out.within(&step);
            parts.map(|part| part.end - part.start).sum()
        };
        self.stretches().map(of_step).collect()
    }

    /// A chart of lines with a value for each.
    pub(super) fn chart(&self, lines: Vec<ChartLine>) -> ChartData {
        ChartData {
            step_s: self.step,
            seconds: self.starts().collect(),
            end_s: self.to,
            left_out: self.left_out(),
            lines,
        }
    }
}

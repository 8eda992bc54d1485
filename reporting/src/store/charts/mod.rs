//! What charts over run time show of a scope: some lines with a value for each step.
//!
//! Values are counts of a step, so that they add up to the totals, or percentiles of its times. How many rows a chart may
//! read bounds how narrow its steps are.

mod agents;
mod arrivals;
mod custom;
mod errors;
mod percentiles;
mod statuses;
mod steps;

use greylag_infra::{RunId, RunRecord};
use rusqlite::Transaction;
use serde::Serialize;
use utoipa::ToSchema;

use self::steps::Steps;
use super::error::StoreResult;
use super::scope::{RowScope, Scope};
use super::{Store, StoreError};
use crate::measure::interval::Measure;

/// Most steps of a chart: more than a screen has room for.
pub const MAX_CHART_STEPS: u32 = 1_200;
/// Most lines of a chart; further ones are summed up in one.
pub(crate) const MAX_LINES: usize = 12;
/// Name of that one.
const OTHERS: &str = "others";

/// Which chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chart {
    /// Percentiles of some times.
    Percentiles(Measure),
    /// Requests by status code.
    Statuses,
    /// Errors by text.
    Errors,
    /// Users of each agent.
    AgentUsers,
    /// Requests of each agent.
    AgentRequests,
    /// Iterations of an arrival rate.
    Arrivals,
    /// The custom metric of this name.
    Custom(String),
}

/// Which steps of a chart.
#[derive(Debug, Clone, Copy, Default)]
pub struct ChartSteps {
    /// Seconds in a step; chosen by the length of the scope when left out.
    pub step_s: Option<u32>,
    /// Only the steps from the one with this second on.
    pub since: u32,
}

/// A chart over run time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct ChartData {
    /// Seconds in a step. The first and the last step have only those that are in the scope.
    pub step_s: u32,
    /// First second of run time of each step.
    pub seconds: Vec<u32>,
    /// End of the last step, exclusive.
    pub end_s: u32,
    /// Seconds of each step that are left out, because the load generator was saturated; missing for none. A rate is per second of the rest.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<u32>,
    /// Lines with a value for each step: the greatest first, where they are not in an order of their own.
    pub lines: Vec<ChartLine>,
}

/// A line of a chart.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ChartLine {
    /// What it is about.
    pub name: String,
    /// A value for each step, null where nothing was measured.
    pub values: Vec<Option<f64>>,
}

impl ChartLine {
    fn of_counts(name: impl Into<String>, counts: &[u64]) -> Self {
        Self {
            name: name.into(),
            values: counts.iter().map(|count| Some(*count as f64)).collect(),
        }
    }
}

impl Store {
    /// A chart of a scope of a run.
    ///
    /// # Errors
    /// The run was not found, it does not have what the scope names, or the database failed.
    pub async fn chart(
        &self,
        run: &RunRecord,
        scope: &Scope,
        chart: Chart,
        steps: ChartSteps,
    ) -> Result<ChartData, StoreError> {
        let (run, scope) = (run.clone(), scope.clone());
        let query = move |connection: &Transaction<'_>| match chart {
            Chart::Custom(name) => custom::read(connection, &run.id, &scope, &name, steps),
            Chart::Percentiles(measure) => {
                percentiles::read(connection, &run.id, &scope, measure, steps)
            }
            Chart::Statuses => statuses::read(connection, &run.id, &scope, steps),
            Chart::Errors => errors::read(connection, &run.id, &scope, steps),
            Chart::AgentUsers | Chart::AgentRequests => {
                let what = agents::What::of(chart);
                agents::read(connection, &run, &scope, what, steps)
            }
            Chart::Arrivals => arrivals::read(connection, &run, &scope, steps),
        };
        self.inner.readers.run(query).await
    }
}

/// Looks up a scope and chooses its steps, of which each has so many rows for each of its own rows.
fn find(
    connection: &Transaction<'_>,
    run_id: &RunId,
    scope: &Scope,
    rows: impl FnOnce(&RowScope) -> StoreResult<u32>,
    steps: ChartSteps,
) -> StoreResult<(RowScope, Steps)> {
    let scope = RowScope::find(connection, run_id, scope)?;
    let rows = rows(&scope)?;
    let steps = Steps::of(&scope, rows, steps);
    Ok((scope, steps))
}

/// Endpoints whose rows are read for a scope.
fn endpoints_of(connection: &Transaction<'_>, scope: &RowScope) -> StoreResult<u32> {
    if scope.endpoint.is_some() {
        return Ok(1);
    }
    let count: i64 = connection
        .prepare_cached("SELECT count(*) FROM endpoints WHERE run = ?1")?
        .query_row([scope.run], |row| row.get(0))?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Lines of counts by name, the greatest first; those that are too many as one.
fn greatest(counts: Vec<(String, Vec<u64>)>) -> Vec<ChartLine> {
    let mut counts = counts;
    let total = |counts: &[u64]| counts.iter().fold(0_u64, |sum, n| sum.saturating_add(*n));
    counts.sort_by_cached_key(|(name, counts)| (u64::MAX - total(counts), name.clone()));
    let others = if counts.len() > MAX_LINES {
        counts.split_off(MAX_LINES - 1)
    } else {
        Vec::new()
    };
    let mut lines: Vec<_> = counts
        .into_iter()
        .map(|(name, counts)| ChartLine::of_counts(name, &counts))
        .collect();
    if let Some((_, mut sum)) = others.first().cloned() {
        for (_, counts) in &others[1..] {
            for (sum, count) in sum.iter_mut().zip(counts) {
                *sum = sum.saturating_add(*count);
            }
        }
        lines.push(ChartLine::of_counts(OTHERS, &sum));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_lines_come_first_and_the_others_are_one() {
        let counts = (0..20_u64).map(|number| (format!("line {number}"), vec![number, 1]));
        let lines = greatest(counts.collect());
        assert_eq!(lines.len(), MAX_LINES);
        assert_eq!(
            lines[0],
            ChartLine::of_counts("line 19".to_owned(), &[19, 1])
        );
        let others: u64 = (0..9).sum();
        let expected = ChartLine::of_counts(OTHERS, &[others, 9]);
        assert_eq!(lines[MAX_LINES - 1], expected);
    }
}

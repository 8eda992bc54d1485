//! How headline numbers of a test go from run to run, as small charts that need no script.

use greylag_infra::TestVerdict;

use crate::results::page_text::{ms, percent, rate};
use crate::results::views::front_view::RunRow;

/// Size of a chart, in units of its drawing.
pub(crate) const WIDTH: f64 = 300.0;
/// Its height.
pub(crate) const HEIGHT: f64 = 56.0;
/// What is left free at each side for the dots.
const MARGIN: f64 = 5.0;

/// One number over the runs, oldest first.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Trend {
    /// What it is.
    pub(crate) label: &'static str,
    /// Of the newest run.
    pub(crate) newest: String,
    /// The chart in words.
    pub(crate) summary: String,
    /// The points of its line.
    pub(crate) line: String,
    pub(crate) dots: Vec<Dot>,
}

/// One run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Dot {
    pub(crate) x: String,
    pub(crate) y: String,
    /// It was not finished, or its verdict is failed.
    pub(crate) has_failed: bool,
    /// What is shown when one points at it.
    pub(crate) title: String,
}

/// The trends of these runs, newest first, that are over and have results; none of fewer than two.
pub(crate) fn trends(rows: &[RunRow]) -> Vec<Trend> {
    let is_shown = |row: &&RunRow| row.status != "Running" && row.totals.stats.requests > 0;
    let runs: Vec<&RunRow> = rows.iter().rev().filter(is_shown).collect();
    if runs.len() < 2 {
        return Vec::new();
    }
    let in_ms = |value: f64| format!("{} ms", ms(value));
    vec![
        trend("95th percentile", &runs, in_ms, |run| {
            run.totals.stats.response.p95_ms
        }),
        trend("Requests per second", &runs, rate, |run| run.totals.rps),
        trend("Error rate", &runs, percent, |run| {
            run.totals.stats.error_rate
        }),
    ]
}

fn trend(
    label: &'static str,
    runs: &[&RunRow],
    shown: impl Fn(f64) -> String,
    value: impl Fn(&RunRow) -> f64,
) -> Trend {
    let values: Vec<f64> = runs.iter().map(|run| value(run)).collect();
    let greatest = values.iter().copied().fold(0.0, f64::max);
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let step = (WIDTH - 2.0 * MARGIN) / (runs.len() - 1).max(1) as f64;
    let dots: Vec<Dot> = (0_u32..)
        .zip(runs.iter().zip(&values))
        .map(|(at, (run, value))| {
            let share = if greatest > 0.0 {
                value / greatest
            } else {
                0.0
            };
            let has_failed_verdict = run.verdict == Some(TestVerdict::Failed);
            let verdict = run.verdict.map(|verdict| format!(", verdict {verdict}"));
            Dot {
                x: format!("{:.1}", MARGIN + f64::from(at) * step),
                y: format!("{:.1}", HEIGHT - MARGIN - share * (HEIGHT - 2.0 * MARGIN)),
                has_failed: run.status == "Failed" || has_failed_verdict,
                title: format!(
                    "#{}: {}{}",
                    run.number,
                    shown(*value),
                    verdict.unwrap_or_default()
                ),
            }
        })
        .collect();
    let line: Vec<String> = dots
        .iter()
        .map(|dot| format!("{},{}", dot.x, dot.y))
        .collect();
    let newest = shown(values.last().copied().unwrap_or_default());
    Trend {
        label,
        summary: format!(
            "{label} over {} runs: from {} to {}, newest {newest}",
            runs.len(),
            shown(least),
            shown(greatest)
        ),
        newest,
        line: line.join(" "),
        dots,
    }
}

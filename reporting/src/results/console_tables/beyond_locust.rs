//! What Locust does not measure, below its tables, where there is something to tell.

use std::fmt::Write;

use super::{PERCENTILES_NAME_WIDTH, Row, method_column, shortened};
use crate::measure::arrivals::Arrivals;
use crate::measure::stats::{IntendedStats, whole_ms};
use crate::results::metric_text::MetricRow;
use crate::results::summary::{
    SummaryCompleteness, SummaryCoverage, SummaryMetric, SummaryWarning,
};

/// Endpoints that are named in one line.
const MAX_NAMES_LISTED: usize = 20;
/// Gaps, and losses of the load, that have a line of their own.
const MAX_GAPS_LISTED: usize = 20;

/// What is missing of the load and of the counts, response times from the intended start, what was timed to the first byte only, an arrival
/// rate's iterations, custom metrics, and what the load generator itself ran short of.
pub(super) fn write(
    out: &mut String,
    rows: &[Row],
    aggregated: &Row,
    arrivals: Arrivals,
    metrics: &[SummaryMetric],
    completeness: &SummaryCompleteness,
    warnings: &[SummaryWarning],
) -> std::fmt::Result {
    write_coverage(out, &completeness.coverage)?;
    write_completeness(out, completeness)?;
    if let Some(intended) = &aggregated.stats.intended {
        write_intended_table(out, rows, aggregated, intended)?;
    }
    if aggregated.stats.first_byte_only > 0 {
        let names: Vec<String> = rows
            .iter()
            .filter(|row| row.stats.first_byte_only > 0)
            .map(|row| format!("{} {}", row.method, row.name))
            .collect();
        let more = match names.len().saturating_sub(MAX_NAMES_LISTED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let listed = names[..names.len().min(MAX_NAMES_LISTED)].join(", ");
        writeln!(out, "Timed to the first byte only: {listed}{more}\n")?;
    }
    if !arrivals.is_empty() {
        write!(
            out,
            "Arrivals: {} started, {} of them late, {} skipped",
            arrivals.started, arrivals.late, arrivals.skipped
        )?;
        if arrivals.skipped > 0 {
            write!(out, " because all users were busy")?;
        }
        writeln!(out, "\n")?;
    }
    if !metrics.is_empty() {
        writeln!(out, "Custom metrics")?;
        for metric in metrics {
            writeln!(out, "- {}", MetricRow::of(metric).line())?;
        }
        writeln!(out)?;
    }
    if !warnings.is_empty() {
        writeln!(out, "Limits of the load generator")?;
        for warning in warnings {
            writeln!(out, "- {}", warning.message)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn write_coverage(out: &mut String, coverage: &SummaryCoverage) -> std::fmt::Result {
    let Some(remark) = &coverage.remark else {
        return Ok(());
    };
    writeln!(out, "{remark}")?;
    for loss in coverage.losses.iter().take(MAX_GAPS_LISTED) {
        writeln!(out, "- {}", loss.message)?;
    }
    writeln!(out)
}

fn write_completeness(out: &mut String, completeness: &SummaryCompleteness) -> std::fmt::Result {
    let Some(remark) = &completeness.remark else {
        return Ok(());
    };
    writeln!(out, "{remark}")?;
    // The first one is in the remark.
    for gap in completeness.gaps.iter().skip(1).take(MAX_GAPS_LISTED) {
        writeln!(out, "- {}", gap.message)?;
    }
    writeln!(out)
}

fn write_intended_table(
    out: &mut String,
    rows: &[Row],
    aggregated: &Row,
    intended: &IntendedStats,
) -> std::fmt::Result {
    let columns = columns(intended);
    write!(
        out,
        "Response time from the intended start\n{:<8} {:<PERCENTILES_NAME_WIDTH$} {:>8}",
        "Type", "Name", "Avg"
    )?;
    for (title, _) in &columns {
        write!(out, " {title:>6}")?;
    }
    writeln!(out, " {:>6}", "# reqs")?;
    let separator = format!(
        "--------|{}|--------{}",
        "-".repeat(PERCENTILES_NAME_WIDTH),
        "|------".repeat(columns.len() + 1)
    );
    writeln!(out, "{separator}")?;
    for row in rows {
        if let Some(intended) = &row.stats.intended {
            write_intended(out, row, intended)?;
        }
    }
    writeln!(out, "{separator}")?;
    write_intended(out, aggregated, intended)?;
    writeln!(out)
}

/// What follows the average, with its titles.
fn columns(intended: &IntendedStats) -> Vec<(&'static str, f64)> {
    let shown = intended.times.percentiles();
    let shown = shown
        .iter()
        .map(|percentile| (percentile.title, percentile.ms));
    shown.chain([("100%", intended.times.max_ms)]).collect()
}

fn write_intended(out: &mut String, row: &Row, intended: &IntendedStats) -> std::fmt::Result {
    write!(
        out,
        "{:<8} {:<PERCENTILES_NAME_WIDTH$} {:>8}",
        method_column(&row.method),
        shortened(&row.name, PERCENTILES_NAME_WIDTH),
        whole_ms(intended.times.avg_ms)
    )?;
    for (_, ms) in columns(intended) {
        write!(out, " {:>6}", whole_ms(ms))?;
    }
    writeln!(out, " {:>6}", intended.requests)
}

//! What Locust does not measure, below its tables, where there is something to tell.

use std::fmt::Write;

use super::{PERCENTILES_NAME_WIDTH, method_column, shortened};
use crate::measure::interval::Interval;
use crate::plain_text::plain_text;
use crate::results::summary::{SummaryCompleteness, SummaryWarning};
use crate::store::RunTotals;

/// Those of the table of times from the intended start.
const INTENDED_PERCENTILES: [(f64, &str); 4] =
    [(0.50, "50%"), (0.95, "95%"), (0.99, "99%"), (1.0, "100%")];
/// Endpoints that are named in one line.
const MAX_NAMES_TOLD: usize = 20;
/// Gaps that have a line of their own.
const MAX_GAPS_LISTED: usize = 20;

/// What is missing, response times from the intended start, what was timed to the first byte only, an arrival
/// rate's iterations, and what the load generator itself ran short of.
pub(super) fn write(
    out: &mut String,
    totals: &RunTotals,
    completeness: &SummaryCompleteness,
    warnings: &[SummaryWarning],
) -> std::fmt::Result {
    write_completeness(out, completeness)?;
    let all = totals.aggregated();
    if all.intended.count > 0 {
        write!(
            out,
            "Response time from the intended start\n{:<8} {:<PERCENTILES_NAME_WIDTH$} {:>8}",
            "Type", "Name", "Avg"
        )?;
        for (_, title) in INTENDED_PERCENTILES {
            write!(out, " {title:>6}")?;
        }
        writeln!(out, " {:>6}", "# reqs")?;
        let separator = format!(
            "--------|{}|--------{}",
            "-".repeat(PERCENTILES_NAME_WIDTH),
            "|------".repeat(INTENDED_PERCENTILES.len() + 1)
        );
        writeln!(out, "{separator}")?;
        for (endpoint, interval) in totals.requested() {
            if interval.intended.count > 0 {
                write_intended(out, &endpoint.method, &endpoint.name, interval)?;
            }
        }
        writeln!(out, "{separator}")?;
        write_intended(out, "", "Aggregated", &all)?;
        writeln!(out)?;
    }
    if all.first_byte_only > 0 {
        let names: Vec<String> = totals
            .requested()
            .filter(|(_, interval)| interval.first_byte_only > 0)
            .map(|(endpoint, _)| plain_text(&format!("{} {}", endpoint.method, endpoint.name)))
            .collect();
        let more = match names.len().saturating_sub(MAX_NAMES_TOLD) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let told = names[..names.len().min(MAX_NAMES_TOLD)].join(", ");
        writeln!(out, "Timed to the first byte only: {told}{more}\n")?;
    }
    let arrivals = totals.arrivals;
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
    if !warnings.is_empty() {
        writeln!(out, "Limits of the load generator")?;
        for warning in warnings {
            writeln!(out, "- {}", warning.message)?;
        }
        writeln!(out)?;
    }
    Ok(())
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

fn write_intended(
    out: &mut String,
    method: &str,
    name: &str,
    interval: &Interval,
) -> std::fmt::Result {
    let ms = |us: u64| (us + 500) / 1_000;
    let times = interval.intended;
    write!(
        out,
        "{:<8} {:<PERCENTILES_NAME_WIDTH$} {:>8}",
        method_column(&plain_text(method)),
        shortened(&plain_text(name), PERCENTILES_NAME_WIDTH),
        ms(times.avg_us().unwrap_or(0.0).round() as u64)
    )?;
    for (q, _) in INTENDED_PERCENTILES {
        write!(
            out,
            " {:>6}",
            ms(interval.intended_percentile_us(q).unwrap_or(0))
        )?;
    }
    writeln!(out, " {:>6}", times.count)
}

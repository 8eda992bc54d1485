//! A run in Markdown, for the page of a CI job or a pull request: verdict, thresholds, numbers, what differs from the baseline.
//!
//! It is written for GitHub Flavored Markdown, which GitLab reads, too. Everything in it is bounded, and all of it together: a comment on
//! a pull request may have 65,536 characters.

use std::fmt::Write as _;

use greylag_infra::{RunRecord, TestVerdict, ThresholdPhase, ThresholdState, WallTime};

use super::code_span::{cell, code};
use super::sparkline::sparkline;
use super::{fault, name_of};
use crate::compare::{Difference, Verdict, change_text};
use crate::measure::interval::Measure;
use crate::measure::stats::Stats;
use crate::plain_text::plain_text;
use crate::results::comparison::{
    Asked, Comparison, RunComparison, finding, run_verdict, statistic_name, value_text,
};
use crate::results::metric_text::MetricRow;
use crate::results::page_text::{count, elapsed, ms, percent, rate};
use crate::results::summary::Summary;
use crate::store::{Chart, ChartSteps, Scope, Store, StoreError, why_no_baseline};

/// Most characters of all together.
const MAX_TEXT_CHARS: usize = 65_000;
/// By what the following numbers are divided until that is so.
const SHORTER: [usize; 4] = [1, 3, 10, 100];
/// Most rows of thresholds: failed ones before others where there are more.
const MAX_THRESHOLDS: usize = 50;
/// Most rows of endpoints.
const MAX_ENDPOINTS: usize = 20;
/// Most rows of errors.
const MAX_ERRORS: usize = 10;
/// Most remarks and warnings.
const MAX_REMARKS: usize = 10;
/// Most rows of differences.
const MAX_DIFFERENCES: usize = 30;
/// Most custom metrics.
const MAX_METRICS: usize = 30;
/// How wide charts are, in characters.
const CHART_COLUMNS: u32 = 40;
/// The percentile of the chart, by its title.
const CHART_PERCENTILE: &str = "95%";

/// What the summary is made of.
#[derive(Debug)]
pub(crate) struct MarkdownSummary {
    summary: Summary,
    /// The 95th percentile over run time, in ms.
    p95: Vec<Option<f64>>,
    baseline: Baseline,
    /// Address of the run's page.
    page: Option<String>,
}

/// What the run was compared with.
#[derive(Debug)]
enum Baseline {
    /// Its test names no run, and has no pinned one.
    None,
    Compared(Box<Comparison>),
    /// It cannot be compared with the one that is meant, for this reason.
    Not(String),
}

/// How much shorter lists are than they may be.
#[derive(Debug, Clone, Copy)]
struct Rows(usize);

impl Rows {
    fn of(self, most: usize) -> usize {
        (most / self.0).max(1)
    }
}

impl Baseline {
    async fn of(store: &Store, run: &RunRecord, now: WallTime) -> Result<Self, StoreError> {
        let Some(reference) = store.baseline_run(run).await? else {
            return Ok(match run.test.baseline.trim() {
                "" => Self::None,
                _ => Self::Not(why_no_baseline(&run.test)),
            });
        };
        let asked = Asked {
            runs: vec![run.id.as_str().to_owned()],
            reference: Some(reference.id.as_str().to_owned()),
            ..Asked::default()
        };
        Ok(match Comparison::read(store, &asked, now).await {
            Ok(comparison) => Self::Compared(Box::new(comparison)),
            Err(error) => Self::Not(error.to_string()),
        })
    }
}

impl MarkdownSummary {
    /// Of a run as it stands at `now`, with a link to its page if its address is known.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub(crate) async fn read(
        store: &Store,
        run: &RunRecord,
        now: WallTime,
        page: Option<String>,
    ) -> Result<Self, StoreError> {
        let whole = Scope::default();
        let series = store.series(&run.id, &whole, CHART_COLUMNS as usize);
        let series = series.await?;
        let summary = Summary::read_with(store, run, &whole, &series, now).await?;
        let steps = ChartSteps {
            step_s: Some(series.step_s.max(1)),
            since: 0,
        };
        let times = Chart::Percentiles(Measure::Response);
        let times = store.chart(run, &whole, times, steps).await?;
        let mut lines = times.lines.into_iter();
        let p95 = lines.find(|line| line.name == CHART_PERCENTILE);
        Ok(Self {
            summary,
            p95: p95.map(|line| line.values).unwrap_or_default(),
            baseline: Baseline::of(store, run, now).await?,
            page,
        })
    }

    /// The text.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for shorter in SHORTER {
            text.clear();
            let written = self.write(&mut text, Rows(shorter));
            written.expect("writing to memory cannot fail");
            if text.chars().count() <= MAX_TEXT_CHARS {
                break;
            }
        }
        text
    }

    fn write(&self, text: &mut String, rows: Rows) -> std::fmt::Result {
        self.write_head(text, rows)?;
        self.write_thresholds(text, rows)?;
        self.write_numbers(text)?;
        self.write_metrics(text, rows)?;
        self.write_charts(text)?;
        self.write_endpoints(text, rows)?;
        self.write_errors(text, rows)?;
        self.write_baseline(text, rows)
    }

    fn write_head(&self, text: &mut String, rows: Rows) -> std::fmt::Result {
        let summary = &self.summary;
        let run = &summary.run;
        let fault = fault(summary);
        let is_running = run.status == "Running";
        let (sign, outcome) = match (is_running, &fault, summary.verdict) {
            (true, ..) => ("⏳", "in progress"),
            (_, Some(_), _) | (_, None, Some(TestVerdict::Failed)) => ("❌", "failed"),
            (_, None, Some(TestVerdict::Passed)) => ("✅", "passed"),
            (_, None, None) => ("✅", "finished"),
        };
        writeln!(text, "## {sign} {} {outcome}\n", code(&name_of(summary)))?;
        if let Some(fault) = fault {
            writeln!(text, "**The run failed:** {}\n", code(&fault))?;
        }
        write!(
            text,
            "{} users, {} on {}",
            count(run.users),
            elapsed(run.elapsed_s),
            code(&run.infrastructure)
        )?;
        if let Some(page) = &self.page {
            write!(text, " · [Results]({page})")?;
        }
        text.push_str("\n\n");
        let completeness = &summary.completeness;
        let remarks = [&completeness.coverage.remark, &completeness.remark];
        let remarks = remarks.into_iter().flatten();
        let remarks: Vec<&String> = remarks
            .chain(summary.warnings.iter().map(|warning| &warning.message))
            .collect();
        let most = rows.of(MAX_REMARKS);
        for remark in remarks.iter().take(most) {
            writeln!(text, "> ⚠️ {}\n", code(remark))?;
        }
        more(text, remarks.len(), most, "warnings")
    }

    fn write_metrics(&self, text: &mut String, rows: Rows) -> std::fmt::Result {
        let metrics = &self.summary.custom_metrics;
        if metrics.is_empty() {
            return Ok(());
        }
        text.push_str("### Custom metrics\n\n");
        let most = rows.of(MAX_METRICS);
        for metric in metrics.iter().take(most) {
            writeln!(text, "- {}", metric_line(&MetricRow::of(metric)))?;
        }
        text.push('\n');
        more(text, metrics.len(), most, "custom metrics")
    }

    fn write_thresholds(&self, text: &mut String, rows: Rows) -> std::fmt::Result {
        let results = &self.summary.thresholds;
        if results.is_empty() {
            return Ok(());
        }
        let failed = results.iter().filter(|result| result.state.is_failed());
        let verdict = self.summary.verdict;
        let verdict = verdict.map_or("open".to_owned(), |verdict| verdict.to_string());
        writeln!(
            text,
            "**Verdict: {verdict}** ({} of {} {} failed)\n",
            failed.count(),
            results.len(),
            // What the scenario says is one, too.
            if results.len() == 1 {
                "condition"
            } else {
                "conditions"
            }
        )?;
        text.push_str("| Threshold | State | Measured |\n|---|---|---|\n");
        let most = rows.of(MAX_THRESHOLDS);
        let mut shown: Vec<_> = results.iter().collect();
        if shown.len() > most {
            shown.sort_by_key(|result| !result.state.is_failed());
        }
        for result in shown.iter().take(most) {
            let sign = match result.state {
                ThresholdState::Passed => "✅",
                ThresholdState::Pending => "⏳",
                ThresholdState::Breached | ThresholdState::NoData => "❌",
            };
            writeln!(
                text,
                "| {} | {sign} {} | {} |",
                cell(&result.condition),
                result.state,
                cell(&result.measured_text())
            )?;
        }
        text.push('\n');
        more(text, results.len(), most, "conditions")?;
        writeln!(text, "{}.\n", ThresholdPhase::UNLESS_WRITTEN)
    }

    fn write_numbers(&self, text: &mut String) -> std::fmt::Result {
        let totals = &self.summary.totals;
        row_titles(text, &[]);
        write_stats(text, &[], &totals.stats, totals.rps)?;
        text.push('\n');
        Ok(())
    }

    fn write_charts(&self, text: &mut String) -> std::fmt::Result {
        // At the end of a run that is over the series has a moment without users in addition, which does not count as a step.
        let steps = self.summary.series.iter().take(self.p95.len());
        let series: Vec<_> = steps.collect();
        if series.len() < 2 {
            return Ok(());
        }
        let step_s = f64::from(self.summary.series_step_s);
        let per_second = |number: u64| Some(number as f64 / step_s);
        let users: Vec<_> = series.iter().map(|at| Some(at.users as f64)).collect();
        let requests: Vec<_> = series.iter().map(|at| per_second(at.requests)).collect();
        let failures: Vec<_> = series.iter().map(|at| per_second(at.failures)).collect();
        let most = |values: &[Option<f64>]| values.iter().flatten().copied().fold(0.0, f64::max);
        text.push_str("| Over run time | | Most |\n|---|---|--:|\n");
        let rows = [
            ("Users", &users, count(most(&users) as u64)),
            ("Requests/s", &requests, rate(most(&requests))),
            ("Failures/s", &failures, rate(most(&failures))),
            ("p95", &self.p95, format!("{} ms", ms(most(&self.p95)))),
        ];
        for (name, values, most) in rows {
            writeln!(text, "| {name} | `{}` | {most} |", sparkline(values))?;
        }
        text.push('\n');
        Ok(())
    }

    fn write_endpoints(&self, text: &mut String, rows: Rows) -> std::fmt::Result {
        let mut endpoints: Vec<_> = self.summary.endpoints.iter().collect();
        if endpoints.len() < 2 {
            return Ok(());
        }
        endpoints.sort_by_key(|endpoint| std::cmp::Reverse(endpoint.stats.requests));
        text.push_str("### Endpoints\n\n");
        row_titles(text, &["Endpoint"]);
        let all = self.summary.totals.stats.requests.max(1) as f64;
        let most = rows.of(MAX_ENDPOINTS);
        for endpoint in endpoints.iter().take(most) {
            let name = endpoint_cell(&endpoint.method, &endpoint.name);
            let share = endpoint.stats.requests as f64 / all;
            let rps = self.summary.totals.rps * share;
            write_stats(text, &[&name], &endpoint.stats, rps)?;
        }
        text.push('\n');
        more(text, endpoints.len(), most, "endpoints")
    }

    fn write_errors(&self, text: &mut String, rows: Rows) -> std::fmt::Result {
        let errors = &self.summary.errors;
        if errors.is_empty() {
            return Ok(());
        }
        text.push_str("### Errors\n\n| Occurrences | Endpoint | Error |\n|--:|---|---|\n");
        let most = rows.of(MAX_ERRORS);
        for error in errors.iter().take(most) {
            writeln!(
                text,
                "| {} | {} | {} |",
                count(error.occurrences),
                endpoint_cell(&error.method, &error.name),
                cell(&error.error)
            )?;
        }
        text.push('\n');
        more(text, errors.len(), most, "errors")
    }

    fn write_baseline(&self, text: &mut String, rows: Rows) -> std::fmt::Result {
        let not = |text: &mut String, reason: &str| {
            writeln!(text, "Not compared with a baseline: {}\n", code(reason))
        };
        match &self.baseline {
            Baseline::None => Ok(()),
            Baseline::Not(reason) => not(text, reason),
            Baseline::Compared(comparison) => match comparison.runs.first() {
                Some(run) => write_comparison(text, comparison, run, rows),
                None => Ok(()),
            },
        }
    }
}

/// What differs: of all requests together everything, of endpoints what was found.
fn write_comparison(
    text: &mut String,
    comparison: &Comparison,
    run: &RunComparison,
    rows: Rows,
) -> std::fmt::Result {
    let reference = &comparison.reference;
    let reference = code(&format!(
        "{} #{}",
        plain_text(&reference.test),
        reference.number
    ));
    writeln!(
        text,
        "### Compared with {reference}\n\n**{}**, seconds {} to {}\n",
        run_verdict(&run.differences),
        run.run.from,
        run.run.to
    )?;
    for remark in run.remarks.iter().take(rows.of(MAX_REMARKS)) {
        writeln!(text, "> ⚠️ {}\n", code(remark))?;
    }
    let aggregated = run.differences.aggregated.iter();
    let aggregated = aggregated.map(|difference| ("all requests".to_owned(), difference));
    let of_endpoints = run.differences.endpoints.iter().flat_map(|endpoint| {
        let name = endpoint_cell(&endpoint.method, &endpoint.name);
        let found = endpoint.differences.iter().filter(|difference| {
            let verdict = difference.verdict;
            verdict.is_some_and(|verdict| verdict != Verdict::NoEvidence)
        });
        found.map(move |difference| (name.clone(), difference))
    });
    let found: Vec<(String, &Difference)> = aggregated.chain(of_endpoints).collect();
    let most = rows.of(MAX_DIFFERENCES);
    text.push_str(
        "| | | Baseline | This run | Change | 95 % interval | |\n|---|---|--:|--:|--:|--:|---|\n",
    );
    for (name, difference) in found.iter().take(most) {
        let statistic = difference.statistic;
        let value = |value: Option<f64>| value_text(statistic, value);
        let change = |change: Option<f64>| {
            change.map_or("–".to_owned(), |change| change_text(statistic, change))
        };
        let interval = match (difference.low, difference.high) {
            (Some(_), Some(_)) => {
                format!("{} to {}", change(difference.low), change(difference.high))
            }
            _ => "–".to_owned(),
        };
        writeln!(
            text,
            "| {name} | {} | {} | {} | {} | {interval} | {} |",
            statistic_name(statistic),
            value(difference.reference),
            value(difference.value),
            change(difference.change),
            finding(difference),
        )?;
    }
    text.push('\n');
    more(text, found.len(), most, "differences")
}

/// Name and kind are cut apart from the values, which are numbers and titles of ours and stay whole.
fn metric_line(row: &MetricRow) -> String {
    let (name, kind) = (code(&row.name), code(&row.kind_text()));
    format!("{name} ({kind}): {}", row.values())
}

fn endpoint_cell(method: &str, name: &str) -> String {
    cell(format!("{method} {name}").trim_start())
}

/// The titles of statistics, after those of other columns.
fn row_titles(text: &mut String, others: &[&str]) {
    const TITLES: &str =
        "| Requests | Failures | Requests/s | Average | Median | p95 | p99 | Max |";
    for title in others {
        text.push_str("| ");
        text.push_str(title);
        text.push(' ');
    }
    text.push_str(TITLES);
    text.push('\n');
    for _ in others {
        text.push_str("|---");
    }
    text.push_str("|--:|--:|--:|--:|--:|--:|--:|--:|\n");
}

fn write_stats(text: &mut String, others: &[&str], stats: &Stats, rps: f64) -> std::fmt::Result {
    for other in others {
        write!(text, "| {other} ")?;
    }
    let times = &stats.response;
    write!(
        text,
        "| {} | {} ({}) | {} ",
        count(stats.requests),
        count(stats.failures),
        percent(stats.error_rate),
        rate(rps)
    )?;
    for time in [
        times.avg_ms,
        times.p50_ms,
        times.p95_ms,
        times.p99_ms,
        times.max_ms,
    ] {
        write!(text, "| {} ms ", ms(time))?;
    }
    text.push_str("|\n");
    Ok(())
}

/// How many of a list are not shown.
fn more(text: &mut String, all: usize, shown: usize, what: &str) -> std::fmt::Result {
    match all.checked_sub(shown) {
        None | Some(0) => Ok(()),
        Some(others) => writeln!(text, "… and {others} more {what}\n"),
    }
}

#[cfg(test)]
mod tests {
    use greylag_infra::MetricKind;

    use super::super::code_span::MAX_CHARS;
    use super::*;
    use crate::results::summary::SummaryMetric;

    #[test]
    fn values_of_a_metric_with_a_long_name_are_whole() {
        let mut metric = SummaryMetric {
            name: "x".repeat(MAX_CHARS + 1),
            kind: MetricKind::Counter,
            unit: "bytes`".to_owned(),
            count: 3,
            total: Some(1_234.5),
            per_second: Some(0.25),
            ..SummaryMetric::default()
        };
        let values = "total 1,235, per second 0.25";
        let line = metric_line(&MetricRow::of(&metric));
        assert!(line.ends_with(values), "{line}");
        metric.name = "sent".to_owned();
        assert_eq!(
            metric_line(&MetricRow::of(&metric)),
            format!("`sent` (`` counter, bytes` ``): {values}")
        );
    }
}

//! `greylag compare`: whether runs differ by more than their noise.

use std::process::ExitCode;

use clap::Args;
use greylag_infra::RunId;
use greylag_reporting::{
    ComparedMetric, ComparedRun, Comparison, Difference, RunComparison, Statistic, change_text,
    finding, plain_text, run_verdict, statistic_name,
};

use crate::cli::aligned_columns::aligned;
use crate::cli::compare_asked::CompareAsked;
use crate::cli::failure::Failure;
use crate::cli::options::CoordinatorAccess;
use crate::cli::print::print_line;

/// Options of `greylag compare`.
#[derive(Debug, Args)]
pub(crate) struct CompareOptions {
    /// Two to five runs: each as its id, as TEST#NUMBER, as TEST#pinned for the newest pinned run of a test, or as a test for its newest run.
    #[arg(value_name = "RUN", required = true, num_args = 2..=5)]
    runs: Vec<String>,
    /// The run that the others are compared with [default: the first].
    #[arg(long, value_name = "RUN")]
    reference: Option<String>,
    /// Further runs of what the reference is a run of, at least two: the noise between them counts.
    #[arg(long, value_name = "RUN", value_delimiter = ',')]
    baseline: Vec<String>,
    /// Seconds of run time that are compared, such as 30..120 [default: the steady state].
    #[arg(long, value_name = "FROM..TO", value_parser = window, conflicts_with = "whole")]
    window: Option<(u32, u32)>,
    /// Compare the whole runs, with ramp-up and ramp-down.
    #[arg(long)]
    whole: bool,
    /// Compare only this endpoint, such as "GET /path".
    #[arg(long, value_name = "ENDPOINT")]
    endpoint: Option<String>,
    /// Print the comparison as the API answers it.
    #[arg(long)]
    json: bool,
    /// Exit with code 1 if a run is slower than the reference, fails more often or has fewer requests per second.
    #[arg(long)]
    fail_on_slower: bool,
    #[command(flatten)]
    access: CoordinatorAccess,
}

fn window(text: &str) -> Result<(u32, u32), String> {
    let seconds = |text: &str| text.trim().trim_end_matches('s').parse::<u32>().ok();
    let window = text
        .split_once("..")
        .and_then(|(from, to)| Some((seconds(from)?, seconds(to)?)));
    window.ok_or_else(|| "write the first second and the end, such as 30..120".to_owned())
}

/// Compares runs.
pub(crate) async fn compare(options: CompareOptions) -> Result<ExitCode, Failure> {
    let api = options.access.client()?;
    let (from, to) = match (options.window, options.whole) {
        (Some((from, to)), _) => (Some(from), Some(to)),
        (None, true) => (Some(0), None),
        (None, false) => (None, None),
    };
    let asked = CompareAsked {
        runs: options.runs,
        reference: options.reference,
        baseline: options.baseline,
        from,
        to,
        endpoint: options.endpoint,
    };
    let comparison = api.compare(&asked).await.map_err(Failure::bad_input)?;
    if options.json {
        let json = serde_json::to_string_pretty(&comparison)
            .expect("a comparison has nothing but texts and numbers");
        print_line(json);
    } else {
        print(&comparison);
        let page = api.compare_page(&asked.of_these(&comparison));
        print_line(format_args!("\n{page}"));
    }
    let is_worse = comparison.runs.iter().any(|run| run.differences.is_worse());
    Ok(if options.fail_on_slower && is_worse {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn print(comparison: &Comparison) {
    print_line(format_args!(
        "Reference: {}",
        described(&comparison.reference)
    ));
    for run in &comparison.baseline {
        print_line(format_args!("           {}", described(run)));
    }
    for run in &comparison.runs {
        print_run(run);
    }
    print_line(
        "\nAll intervals of a comparison together hold the true differences in 95 % of comparisons. \"No evidence\" does not mean that \
         runs are the same: FINDS is the increase that would have been found in four of five comparisons.",
    );
}

fn described(run: &ComparedRun) -> String {
    let RunNamed { test, id } = named(run);
    format!(
        "{test} ({id}), {}..{} s, {} requests",
        run.from, run.to, run.requests
    )
}

struct RunNamed<'a> {
    test: String,
    id: &'a RunId,
}

fn named(run: &ComparedRun) -> RunNamed<'_> {
    RunNamed {
        test: format!("{} #{}", plain_text(&run.test), run.number),
        id: &run.id,
    }
}

fn print_run(run: &RunComparison) {
    print_line(format_args!("\n{}", described(&run.run)));
    print_line(format_args!("Verdict: {}", run_verdict(&run.differences)));
    for remark in &run.remarks {
        print_line(format_args!("Remark: {}", plain_text(remark)));
    }
    let differences = &run.differences;
    let aggregated = std::iter::once(("Aggregated".to_owned(), &differences.aggregated));
    let endpoints = differences.endpoints.iter().map(|endpoint| {
        let name = format!("{} {}", endpoint.method, endpoint.name);
        (plain_text(name.trim_start()), &endpoint.differences)
    });
    let mut rows = vec![
        [
            "ENDPOINT",
            "STATISTIC",
            "REFERENCE",
            "RUN",
            "CHANGE",
            "INTERVAL",
            "VERDICT",
            "FINDS",
        ]
        .map(str::to_owned),
    ];
    for (name, differences) in aggregated.chain(endpoints) {
        rows.extend(
            differences
                .iter()
                .map(|difference| cells(&name, difference)),
        );
    }
    print_table(&rows);
    let metrics = metric_rows(&run.custom_metrics);
    if metrics.len() > 1 {
        print_line("");
        print_table(&metrics);
    }
}

/// The table of custom metrics, its titles first.
fn metric_rows(metrics: &[ComparedMetric]) -> Vec<[String; 5]> {
    let titles = ["CUSTOM METRIC", "STATISTIC", "REFERENCE", "RUN", "CHANGE"];
    let mut rows = vec![titles.map(str::to_owned)];
    for metric in metrics {
        let name = match metric.unit.as_str() {
            "" => plain_text(&metric.name),
            unit => plain_text(&format!("{} ({unit})", metric.name)),
        };
        let known = |text: &str| match text {
            "" => "-".to_owned(),
            text => plain_text(text),
        };
        rows.extend(metric.statistics.iter().map(|one| {
            [
                name.clone(),
                plain_text(&one.title).to_lowercase(),
                known(&one.reference_text),
                known(&one.value_text),
                plain_text(&one.change_text),
            ]
        }));
    }
    rows
}

fn print_table<const N: usize>(rows: &[[String; N]]) {
    for line in aligned(rows) {
        print_line(line);
    }
}

fn cells(endpoint: &str, difference: &Difference) -> [String; 8] {
    let statistic = difference.statistic;
    let value = |value: Option<f64>| value.map_or("-".to_owned(), |value| shown(statistic, value));
    let change =
        |value: Option<f64>| value.map_or(String::new(), |value| change_text(statistic, value));
    let interval = match (difference.low, difference.high) {
        (Some(low), Some(high)) => format!(
            "{} to {}",
            change_text(statistic, low),
            change_text(statistic, high)
        ),
        _ => String::new(),
    };
    [
        endpoint.to_owned(),
        statistic_name(statistic).to_owned(),
        value(difference.reference),
        value(difference.value),
        change(difference.change),
        interval,
        finding(difference).to_owned(),
        change(difference.detectable),
    ]
}

fn shown(statistic: Statistic, value: f64) -> String {
    match statistic {
        Statistic::Rate => format!("{value:.1}"),
        Statistic::ErrorRate => format!("{:.2}%", 100.0 * value),
        _ if value < 10.0 => format!("{value:.3} ms"),
        _ => format!("{value:.1} ms"),
    }
}

#[cfg(test)]
mod tests {
    use greylag_infra::protocol::MetricKind;
    use greylag_reporting::MetricDifference;

    use super::*;

    #[test]
    fn a_metric_has_a_row_for_each_statistic() {
        let difference = MetricDifference {
            statistic: "per_second".to_owned(),
            title: "Per second".to_owned(),
            reference: None,
            value: Some(2.0),
            change: None,
            reference_text: String::new(),
            value_text: "2".to_owned(),
            change_text: String::new(),
        };
        let metric = ComparedMetric {
            name: "speed\u{1b}[2J".to_owned(),
            kind: MetricKind::Histogram,
            unit: "m/s".to_owned(),
            statistics: vec![difference],
        };
        let rows = metric_rows(&[metric]);
        assert_eq!(
            rows[1..],
            [["speed (m/s)", "per second", "-", "2", ""].map(str::to_owned)]
        );
    }

    #[test]
    fn a_window_is_two_seconds() {
        assert_eq!(window("30..120"), Ok((30, 120)));
        assert_eq!(window("30s..120s"), Ok((30, 120)));
        for wrong in ["30", "..", "a..b", "-1..3"] {
            assert!(window(wrong).is_err(), "{wrong}");
        }
    }
}

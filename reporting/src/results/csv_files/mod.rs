//! CSV files of a run, from the same sums as everything else: Locust's four, and three of our own (`series.rs`, `samples.rs`,
//! `custom_metrics.rs`).
//!
//! In Locust's, names and order of the columns are those of Locust 2.47's `locust/stats.py` (`StatsCSV`,
//! `StatsCSVFileWriter`); lines end in CRLF and a field is quoted only where it must be, as Python's `csv` writes
//! them. Times are milliseconds: whole ones for percentiles and medians, floats with µs precision elsewhere. Texts
//! are written as they are: the files are data for programs. One that begins with `=`, `+`, `-` or `@` is not
//! changed, as in Locust, JMeter and k6; who opens the file in a spreadsheet should import it as text.

mod custom_metrics;
mod history;
pub(crate) mod samples;
pub(crate) mod series;

use std::io::Write;

use csv::{Terminator, Writer, WriterBuilder};
use greylag_infra::{RunTime, WallTime};

use crate::measure::interval::{Interval, ms};
use crate::measure::stats::{FRACTIONS, PERCENTILE_TITLES, PERCENTILES, Stats, whole_ms};
use crate::results::error_place::split_place;
use crate::results::page_text::iso;
use crate::results::summary::{AGGREGATED, per_second};
use crate::store::{ErrorHistory, RunTotals};

pub(crate) use custom_metrics::custom_metrics;
pub(crate) use history::History;

/// Where there are no requests there are no percentiles.
const NOT_AVAILABLE: &str = "N/A";
/// `_stats.csv`: a row per endpoint, then the Aggregated one, of a run that has been going for `elapsed_s`.
pub(crate) fn stats(totals: &RunTotals, elapsed_s: f64) -> Vec<u8> {
    let mut file = file(Vec::new());
    let mut header = vec![
        "Type",
        "Name",
        "Request Count",
        "Failure Count",
        "Median Response Time",
        "Average Response Time",
        "Min Response Time",
        "Max Response Time",
        "Average Content Size",
        "Requests/s",
        "Failures/s",
    ];
    header.extend(PERCENTILE_TITLES);
    put(&mut file, &header);
    for (endpoint, interval) in totals.requested() {
        let row = stats_row(&endpoint.method, &endpoint.name, interval, elapsed_s);
        put(&mut file, &row);
    }
    put(
        &mut file,
        &stats_row("", AGGREGATED, &totals.aggregated(), elapsed_s),
    );
    written(file)
}

fn stats_row(method: &str, name: &str, interval: &Interval, elapsed_s: f64) -> Vec<String> {
    let stats = Stats::of(interval);
    let mut row = vec![
        method.to_owned(),
        name.to_owned(),
        stats.requests.to_string(),
        stats.failures.to_string(),
        whole_ms(stats.response.p50_ms).to_string(),
        float(stats.response.avg_ms),
        float(stats.response.min_ms),
        float(stats.response.max_ms),
        float(mean(stats.bytes, stats.requests)),
        float(per_second(stats.requests, elapsed_s)),
        float(per_second(stats.failures, elapsed_s)),
    ];
    row.extend(percentiles_row(interval.percentiles_us(FRACTIONS)));
    row
}

/// `_failures.csv`: the errors of requests, the most frequent first. Run time zero is `started_at`.
pub(crate) fn failures(
    errors: &[ErrorHistory],
    totals: &RunTotals,
    started_at: WallTime,
) -> Vec<u8> {
    let seen = |second: u32| iso(started_at + RunTime::of_second(second));
    let mut file = file(Vec::new());
    put(
        &mut file,
        &[
            "Method",
            "Name",
            "Error",
            "Occurrences",
            "First Seen",
            "Last Seen",
        ],
    );
    for error in errors.iter().filter(|error| !is_task(error, totals)) {
        put(
            &mut file,
            &[
                error.endpoint.method.as_str(),
                &error.endpoint.name,
                &error.text,
                &error.occurrences.to_string(),
                &seen(error.first),
                &seen(error.last),
            ],
        );
    }
    written(file)
}

/// `_exceptions.csv`: errors that are no failed request. Rust has no traceback to tell; the column has the one line
/// that the error names as its place, and the task.
pub(crate) fn exceptions(errors: &[ErrorHistory], totals: &RunTotals) -> Vec<u8> {
    let mut file = file(Vec::new());
    put(&mut file, &["Count", "Message", "Traceback", "Nodes"]);
    for error in errors.iter().filter(|error| is_task(error, totals)) {
        let nodes: Vec<&str> = error.agents.iter().map(String::as_str).collect();
        let (message, place) = split_place(&error.text);
        let task = &error.endpoint.name;
        let traceback = match place {
            Some(place) => format!("{place} in {task}"),
            None => format!("in {task}"),
        };
        put(
            &mut file,
            &[
                error.occurrences.to_string().as_str(),
                message,
                &traceback,
                &nodes.join(", "),
            ],
        );
    }
    written(file)
}

/// An endpoint with errors but no requests is a task.
fn is_task(error: &ErrorHistory, totals: &RunTotals) -> bool {
    !totals
        .requested()
        .any(|(endpoint, _)| *endpoint == error.endpoint)
}

fn file<W: Write>(to: W) -> Writer<W> {
    WriterBuilder::new()
        .terminator(Terminator::CRLF)
        .from_writer(to)
}

fn put<T: AsRef<[u8]>>(file: &mut Writer<Vec<u8>>, row: &[T]) {
    file.write_record(row)
        .expect("writing to memory cannot fail, and every row has the header's columns");
}

fn written(file: Writer<Vec<u8>>) -> Vec<u8> {
    file.into_inner().expect("writing to memory cannot fail")
}

/// The columns of all percentiles.
fn percentiles_row(percentiles_us: Option<[u64; PERCENTILES]>) -> [String; PERCENTILES] {
    match percentiles_us {
        Some(percentiles) => percentiles.map(|us| whole_ms(ms(us)).to_string()),
        None => std::array::from_fn(|_| NOT_AVAILABLE.to_owned()),
    }
}

/// As Python writes a float: `4.0`, not `4`.
fn float(value: f64) -> String {
    format!("{value:?}")
}

fn mean(sum: u64, count: u64) -> f64 {
    if count == 0 {
        0.0
    } else {
        sum as f64 / count as f64
    }
}

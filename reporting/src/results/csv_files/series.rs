//! `series.csv`: what happened in each second, of all requests together and of each endpoint.

use greylag_infra::{RunTime, WallTime};

use super::{file, float, put, written};
use crate::measure::interval::SparseInterval;
use crate::measure::stats::TimeStats;
use crate::results::calendar::rfc3339;
use crate::results::summary::AGGREGATED;
use crate::store::HistorySecond;

/// The columns before the percentiles.
const COLUMNS: [&str; 13] = [
    "second",
    "at",
    "method",
    "name",
    "users",
    "requests",
    "failures",
    "requests_per_s",
    "failures_per_s",
    "bytes",
    "avg_ms",
    "min_ms",
    "max_ms",
];

/// The line of column names.
pub(crate) fn header() -> Vec<u8> {
    let percentiles = TimeStats::default().all_percentiles();
    let percentiles = percentiles.iter().map(|percentile| percentile.key);
    let names: Vec<&str> = COLUMNS.into_iter().chain(percentiles).collect();
    let mut file = file(Vec::new());
    put(&mut file, &names);
    written(file)
}

/// The rows of these seconds of a run whose time zero is `started_at`: of each the one of all requests together, then one for each endpoint
/// that had any, by name and method. A second that is left out has none.
pub(crate) fn rows(seconds: Vec<HistorySecond>, started_at: WallTime) -> Vec<u8> {
    let mut file = file(Vec::new());
    for second in seconds.into_iter().filter(|second| !second.left_out) {
        let mut intervals = second.intervals;
        intervals.sort_by(|(one, _), (other, _)| {
            (&one.name, &one.method).cmp(&(&other.name, &other.method))
        });
        let mut all = SparseInterval::default();
        for (_, interval) in &intervals {
            all.merge(interval);
        }
        let start = [
            second.second.to_string(),
            rfc3339(started_at + RunTime::of_second(second.second)),
        ];
        let users = second.users.to_string();
        let mut row = |method: &str, name: &str, interval: &SparseInterval| {
            let named = [method.to_owned(), name.to_owned(), users.clone()];
            put(
                &mut file,
                &[&start[..], &named[..], &numbers(interval)].concat(),
            );
        };
        row("", AGGREGATED, &all);
        for (endpoint, interval) in &intervals {
            if interval.sums.requests() > 0 {
                row(&endpoint.method, &endpoint.name, interval);
            }
        }
    }
    written(file)
}

/// Every column after the users. Without requests there are no times.
fn numbers(interval: &SparseInterval) -> Vec<String> {
    let sums = &interval.sums;
    let (requests, failures) = (sums.requests(), sums.failures);
    // A row is of one second.
    let mut numbers = vec![
        requests.to_string(),
        failures.to_string(),
        float(requests as f64),
        float(failures as f64),
        sums.bytes.to_string(),
    ];
    let times = TimeStats::of_sparse(interval);
    let percentiles = times.all_percentiles().map(|percentile| percentile.ms);
    let times = [times.avg_ms, times.min_ms, times.max_ms];
    numbers.extend(times.into_iter().chain(percentiles).map(|ms| {
        if requests == 0 {
            String::new()
        } else {
            float(ms)
        }
    }));
    numbers
}

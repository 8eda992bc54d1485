//! `_stats_history.csv`: how the run stood after each of its seconds.

use std::collections::{BTreeMap, VecDeque};

use greylag_infra::WallTime;

use super::{file, float, mean, percentiles_row, put, written};
use crate::measure::interval::{SparseInterval, ms};
use crate::measure::stats::{FRACTIONS, MEDIAN, PERCENTILE_TITLES, whole_ms};
use crate::results::summary::AGGREGATED;
use crate::store::{CURRENT_RPS_WINDOW_S, HistorySecond, RunTotals};

/// Takes seconds in order and gives their rows. A row holds the rates of the last ten seconds and the whole
/// run's numbers so far. Its percentiles are the whole run's, in a full history, which has a row for each
/// endpoint too, those of the last ten seconds: both as in Locust.
#[derive(Debug)]
pub(crate) struct History {
    full: bool,
    started_at: WallTime,
    /// By name and method.
    endpoints: BTreeMap<(String, String), RunningTotals>,
    aggregated: RunningTotals,
    header_is_due: bool,
}

/// The sums of an endpoint so far.
#[derive(Debug, Default)]
struct RunningTotals {
    total: SparseInterval,
    /// The last seconds, the newest last.
    recent: VecDeque<SparseInterval>,
}

impl RunningTotals {
    fn add(&mut self, second: SparseInterval) {
        self.total.merge(&second);
        self.recent.push_back(second);
        if self.recent.len() > CURRENT_RPS_WINDOW_S as usize {
            self.recent.pop_front();
        }
    }
}

impl History {
    /// The history of a run whose time zero is `started_at`.
    pub(crate) fn new(full: bool, started_at: WallTime) -> Self {
        Self {
            full,
            started_at,
            endpoints: BTreeMap::new(),
            aggregated: RunningTotals::default(),
            header_is_due: true,
        }
    }

    /// The history continues after a part of it, with what there was before: all that came before the part's end, and
    /// the last seconds of it. There is no header again.
    pub(crate) fn continue_after(&mut self, before: &RunTotals, last_seconds: Vec<HistorySecond>) {
        self.header_is_due = false;
        for second in last_seconds.into_iter().filter(|second| !second.left_out) {
            self.add(second);
        }
        let of_all = SparseInterval::from(&before.aggregated());
        self.aggregated.total = of_all;
        if self.full {
            for (endpoint, interval) in before.requested() {
                let key = (endpoint.name.clone(), endpoint.method.clone());
                self.endpoints.entry(key).or_default().total = SparseInterval::from(interval);
            }
        }
    }

    /// The rows of the seconds that come next; before the first ones the header.
    pub(crate) fn rows(&mut self, seconds: Vec<HistorySecond>) -> Vec<u8> {
        let mut file = file(Vec::new());
        if std::mem::take(&mut self.header_is_due) {
            put(&mut file, &header());
        }
        for second in seconds.into_iter().filter(|second| !second.left_out) {
            let (number, users) = (second.second, second.users);
            self.add(second);
            let timestamp = self.started_at.as_micros() / 1_000_000 + u64::from(number) + 1;
            // Fewer at the beginning, and where some are left out.
            let window_s = self.aggregated.recent.len() as u32;
            let row = |method: &str, name: &str, running: &RunningTotals| {
                let start = [timestamp.to_string(), users.to_string()];
                let named = [method.to_owned(), name.to_owned()];
                [
                    &start[..],
                    &named[..],
                    &numbers(running, window_s, self.full),
                ]
                .concat()
            };
            if self.full {
                for ((name, method), running) in &self.endpoints {
                    put(&mut file, &row(method, name, running));
                }
            }
            put(&mut file, &row("", AGGREGATED, &self.aggregated));
        }
        written(file)
    }

    fn add(&mut self, second: HistorySecond) {
        let mut all = SparseInterval::default();
        let mut added: BTreeMap<(String, String), SparseInterval> = BTreeMap::new();
        for (endpoint, interval) in second.intervals {
            all.merge(&interval);
            if self.full {
                added.insert((endpoint.name, endpoint.method), interval);
            }
        }
        self.aggregated.add(all);
        // Those that were quiet in this second, too: their last ten seconds continue.
        for (key, running) in &mut self.endpoints {
            running.add(added.remove(key).unwrap_or_default());
        }
        for (key, interval) in added {
            let mut running = RunningTotals::default();
            running.add(interval);
            self.endpoints.insert(key, running);
        }
    }
}

fn header() -> Vec<&'static str> {
    let mut header = vec![
        "Timestamp",
        "User Count",
        "Type",
        "Name",
        "Requests/s",
        "Failures/s",
    ];
    header.extend(PERCENTILE_TITLES);
    header.extend([
        "Total Request Count",
        "Total Failure Count",
        "Total Median Response Time",
        "Total Average Response Time",
        "Total Min Response Time",
        "Total Max Response Time",
        "Total Average Content Size",
    ]);
    header
}

/// Every column after the name.
fn numbers(running: &RunningTotals, window_s: u32, full: bool) -> Vec<String> {
    let sums = &running.total.sums;
    let (requests, failures) =
        running
            .recent
            .iter()
            .fold((0, 0), |(requests, failures), second| {
                let sums = &second.sums;
                (requests + sums.requests(), failures + sums.failures)
            });
    let rate = |count: u64| format!("{:.6}", count as f64 / f64::from(window_s));
    let total = running.total.percentiles_us(FRACTIONS);
    let percentiles = if full {
        let mut recent = SparseInterval::default();
        for second in &running.recent {
            recent.merge(second);
        }
        recent.percentiles_us(FRACTIONS)
    } else {
        total
    };
    let mut row = vec![rate(requests), rate(failures)];
    row.extend(percentiles_row(percentiles));
    let median_us = total.map_or(0, |percentiles| percentiles[MEDIAN]);
    row.extend([
        sums.requests().to_string(),
        sums.failures.to_string(),
        whole_ms(ms(median_us)).to_string(),
        float(sums.response.avg_ms()),
        float(ms(sums.response.min_us)),
        float(ms(sums.response.max_us)),
        float(mean(sums.bytes, sums.requests())),
    ]);
    row
}

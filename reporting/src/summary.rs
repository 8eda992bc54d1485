//! A run in one JSON document: what `--summary` writes and `/api/v1/runs/{id}/summary` answers.
//!
//! Times are milliseconds with µs precision, rates are per second, `error_rate` is a fraction. A run without
//! requests has zeros.

use greylag_infra::{GeneratorNotice, LoadTest, NoticeKind, RunRecord};
use serde::{Deserialize, Serialize};

use crate::interval::Interval;
use crate::plain_text::plain_text;
use crate::store::{Arrivals, CurrentRps, RunTotals, Series};

/// A run as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// What was run.
    pub run: SummaryRun,
    /// All requests.
    pub totals: SummaryTotals,
    /// Requests by endpoint, sorted by name and method.
    pub endpoints: Vec<SummaryEndpoint>,
    /// Errors, the most frequent first.
    pub errors: Vec<SummaryError>,
    /// What the load generator itself ran short of: what it says about the numbers of these seconds.
    #[serde(default)]
    pub warnings: Vec<SummaryWarning>,
    /// Every second from the first to the last one with results; one more, with nobody there, once the run is
    /// over.
    pub series: Vec<SummarySecond>,
}

/// What was run, and how it went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SummaryRun {
    /// Identifier.
    pub id: String,
    /// Number within its test.
    pub number: u64,
    /// Name of the test.
    pub test: String,
    /// Always `Locust`.
    pub r#type: String,
    /// Name of the infrastructure.
    pub infrastructure: String,
    /// `Running`, `Finished` or `Failed`.
    pub status: String,
    /// Why it failed or is failing.
    pub failure_reason: Option<String>,
    /// Peak users.
    pub users: u64,
    /// Planned duration, ramp-up included.
    pub duration_s: u64,
    /// Ramp-up.
    pub ramp_up_s: u64,
    /// Worker processes.
    pub workers: u32,
    /// Run time zero in UTC (RFC 3339), null while workers are being started.
    pub started_at: Option<String>,
    /// How long it has been going, or took.
    pub elapsed_s: f64,
}

/// All requests of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct SummaryTotals {
    pub requests: u64,
    pub failures: u64,
    /// Requests / elapsed of the whole run.
    pub rps: f64,
    pub error_rate: f64,
    pub avg_ms: f64,
    pub min_ms: f64,
    pub max_ms: f64,
    pub p50_ms: f64,
    pub p95_ms: f64,
    pub p99_ms: f64,
    /// Response times from the intended start; null when no request has one (users without a pace).
    #[serde(default)]
    pub intended: Option<SummaryIntended>,
    /// Requests that were timed only until the first byte of the answer.
    #[serde(default)]
    pub first_byte_only: u64,
    /// Iterations of an arrival rate; null for a run without one.
    #[serde(default)]
    pub arrivals: Option<SummaryArrivals>,
}

/// Response times from the moment at which a paced user or an arrival rate meant the request to begin. They
/// include how late it began, so that a target that stalls cannot hide it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct SummaryIntended {
    /// Requests that have an intended start.
    pub requests: u64,
    pub avg_ms: f64,
    pub min_ms: f64,
    pub max_ms: f64,
    pub p50_ms: f64,
    pub p95_ms: f64,
    pub p99_ms: f64,
}

/// Iterations that an arrival rate asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SummaryArrivals {
    /// Those that began, late ones included.
    pub started: u64,
    /// Of these, those that began late.
    pub late: u64,
    /// Those that never began, because every user was busy.
    pub skipped: u64,
}

/// The requests of one endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct SummaryEndpoint {
    pub method: String,
    pub name: String,
    pub requests: u64,
    pub failures: u64,
    pub avg_ms: f64,
    pub min_ms: f64,
    pub max_ms: f64,
    pub p50_ms: f64,
    pub p95_ms: f64,
    pub p99_ms: f64,
    /// See [`crate::CURRENT_RPS_WINDOW_S`].
    pub current_rps: f64,
    /// As in the totals.
    #[serde(default)]
    pub intended: Option<SummaryIntended>,
    /// Requests that were timed only until the first byte of the answer.
    #[serde(default)]
    pub first_byte_only: u64,
}

/// One kind of error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct SummaryError {
    /// That of the endpoint, or `TASK` for an error that is no failed request.
    pub method: String,
    pub name: String,
    pub error: String,
    pub occurrences: u64,
}

/// One thing that the load generator itself ran short of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SummaryWarning {
    /// What: `cpu`, `file_descriptors`, …; see [`NoticeKind`].
    pub kind: NoticeKind,
    /// Global index of the worker; null for several workers together.
    pub worker: Option<u32>,
    /// The agent that runs the worker.
    pub agent: Option<String>,
    /// The host or task it is about; empty where the kind has none.
    pub subject: String,
    /// First second of run time; 0 for what was known before the start.
    pub first_second: u32,
    /// Last second of run time.
    pub last_second: u32,
    /// How often, or how many; see the kind.
    pub count: u64,
    /// The worst value; see the kind.
    pub worst: u64,
    /// All of it in words.
    pub message: String,
}

impl SummaryWarning {
    /// The notices of a run, with the names of its agents.
    pub(crate) fn all(record: &RunRecord, notices: &[GeneratorNotice]) -> Vec<Self> {
        let agent_of = |worker: u32| {
            let mut agents = record.agents.iter();
            agents.find(|agent| agent.workers.contains(&worker))
        };
        notices
            .iter()
            .map(|notice| {
                let agent = notice.worker.and_then(agent_of);
                let agent = agent.map(|agent| plain_text(&agent.name));
                Self {
                    kind: notice.kind,
                    worker: notice.worker,
                    subject: plain_text(&notice.subject),
                    first_second: notice.first_second,
                    last_second: notice.last_second,
                    count: notice.count,
                    worst: notice.worst,
                    message: plain_text(&notice.message(agent.as_deref())),
                    agent,
                }
            })
            .collect()
    }
}

/// One second of run time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SummarySecond {
    /// Which.
    pub second: u32,
    /// Users active when it began.
    pub users: u64,
    /// Requests that ended in it.
    pub requests: u64,
    /// Failures among them.
    pub failures: u64,
}

impl Summary {
    /// The summary of a run at `now_us` (µs since 1970) from its whole-run totals, its series in steps of
    /// one second and its notices.
    pub fn of(
        record: &RunRecord,
        totals: &RunTotals,
        series: &Series,
        current: &CurrentRps,
        notices: &[GeneratorNotice],
        now_us: u64,
    ) -> Self {
        let elapsed_s = record.elapsed_s(now_us);
        Self {
            run: SummaryRun {
                id: record.id.clone(),
                number: record.number,
                test: record.test.name.clone(),
                r#type: "Locust".to_owned(),
                infrastructure: record.test.infrastructure.clone(),
                status: record.phase.status().word().to_owned(),
                failure_reason: record.phase.failure_reason().map(str::to_owned),
                users: record.test.users,
                duration_s: record.test.duration_s,
                ramp_up_s: ramp_up_s(&record.test),
                workers: record.test.workers,
                started_at: record.started_at_us.map(rfc3339),
                elapsed_s,
            },
            totals: SummaryTotals {
                arrivals: arrivals_of(record, totals.arrivals),
                ..totals_of(&totals.aggregated(), elapsed_s)
            },
            endpoints: totals
                .requested()
                .map(|(endpoint, interval)| SummaryEndpoint {
                    method: endpoint.method.clone(),
                    name: endpoint.name.clone(),
                    requests: interval.requests,
                    failures: interval.failures,
                    avg_ms: avg_ms(interval),
                    min_ms: ms(interval.min_us),
                    max_ms: ms(interval.max_us),
                    p50_ms: percentile_ms(interval, 0.50),
                    p95_ms: percentile_ms(interval, 0.95),
                    p99_ms: percentile_ms(interval, 0.99),
                    current_rps: current.of(endpoint),
                    intended: intended_of(interval),
                    first_byte_only: interval.first_byte_only,
                })
                .collect(),
            errors: totals
                .errors()
                .into_iter()
                .map(|(endpoint, error, occurrences)| SummaryError {
                    method: endpoint.method.clone(),
                    name: endpoint.name.clone(),
                    error: error.to_owned(),
                    occurrences,
                })
                .collect(),
            warnings: SummaryWarning::all(record, notices),
            series: series
                .points
                .iter()
                .map(|point| SummarySecond {
                    second: point.second,
                    users: point.users,
                    requests: point.requests,
                    failures: point.failures,
                })
                .collect(),
        }
    }
}

fn totals_of(sum: &Interval, elapsed_s: f64) -> SummaryTotals {
    SummaryTotals {
        requests: sum.requests,
        failures: sum.failures,
        rps: per_second(sum.requests, elapsed_s),
        error_rate: sum.error_rate(),
        avg_ms: avg_ms(sum),
        min_ms: ms(sum.min_us),
        max_ms: ms(sum.max_us),
        p50_ms: percentile_ms(sum, 0.50),
        p95_ms: percentile_ms(sum, 0.95),
        p99_ms: percentile_ms(sum, 0.99),
        intended: intended_of(sum),
        first_byte_only: sum.first_byte_only,
        arrivals: None,
    }
}

fn intended_of(interval: &Interval) -> Option<SummaryIntended> {
    let times = interval.intended;
    let percentile = |q| interval.intended_percentile_us(q).map_or(0.0, ms);
    (times.count > 0).then(|| SummaryIntended {
        requests: times.count,
        avg_ms: times.avg_us().unwrap_or(0.0).round() / 1e3,
        min_ms: ms(times.min_us),
        max_ms: ms(times.max_us),
        p50_ms: percentile(0.50),
        p95_ms: percentile(0.95),
        p99_ms: percentile(0.99),
    })
}

fn arrivals_of(record: &RunRecord, arrivals: Arrivals) -> Option<SummaryArrivals> {
    let has_rate = record.test.arrival_rate.is_some() || !record.profile.rates.is_empty();
    (has_rate || !arrivals.is_empty()).then_some(SummaryArrivals {
        started: arrivals.started,
        late: arrivals.late,
        skipped: arrivals.skipped,
    })
}

/// The ramp-up of a test in whole seconds, also of one that has a spawn rate.
pub(crate) fn ramp_up_s(test: &LoadTest) -> u64 {
    test.ramp_up().as_secs_f64().round() as u64
}

/// A count over the elapsed seconds, 0 before any have.
pub(crate) fn per_second(count: u64, elapsed_s: f64) -> f64 {
    if elapsed_s > 0.0 {
        count as f64 / elapsed_s
    } else {
        0.0
    }
}

/// µs as ms.
pub(crate) fn ms(us: u64) -> f64 {
    us as f64 / 1e3
}

/// The mean in ms to the µs, 0 without requests.
pub(crate) fn avg_ms(interval: &Interval) -> f64 {
    interval.avg_us().unwrap_or(0.0).round() / 1e3
}

/// A percentile in ms, 0 without requests.
pub(crate) fn percentile_ms(interval: &Interval, q: f64) -> f64 {
    interval.percentile_us(q).map_or(0.0, ms)
}

/// µs since 1970 as RFC 3339 in UTC, with µs where there are any.
fn rfc3339(us: u64) -> String {
    let (seconds, fraction) = (us / 1_000_000, us % 1_000_000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days to a date: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days, for dates
    // after 1970. Years begin in March there.
    let z = days + 719_468;
    let era = z / 146_097;
    let day_of_era = z % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let fraction = match fraction {
        0 => String::new(),
        fraction => format!(".{fraction:06}"),
    };
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}{fraction}Z",
        second / 3_600,
        second / 60 % 60,
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339() {
        let cases = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00Z"),
            (951_868_799_999_999, "2000-02-29T23:59:59.999999Z"),
            (1_709_251_200_000_000, "2024-03-01T00:00:00Z"),
            (1_795_326_540_250_000, "2026-11-22T05:49:00.250000Z"),
            (4_102_444_799_000_000, "2099-12-31T23:59:59Z"),
        ];
        for (us, text) in cases {
            assert_eq!(rfc3339(us), text);
        }
    }
}

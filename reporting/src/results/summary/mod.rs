//! A run in one JSON document: what `--summary` writes and `/api/v1/runs/{id}/summary` answers.
//!
//! Times are milliseconds with µs precision, rates are per second, `error_rate` is a fraction. A run without
//! requests has zeros.

#[cfg(feature = "coordinator")]
mod build;
mod completeness;
mod error_spread;
mod generator;
mod metrics;
mod progress;
#[cfg(feature = "coordinator")]
mod read;

use greylag_infra::{
    DataFile, NoticeKind, RunId, SourceCommit, TestVerdict, ThresholdResult, WallTime,
};
use serde::{Deserialize, Serialize};

#[cfg(feature = "coordinator")]
pub(crate) use build::{per_second, ramp_up_s, verdict_of};
#[cfg(feature = "coordinator")]
pub(crate) use read::remark;

#[cfg(feature = "coordinator")]
pub use read::MAX_SUMMARY_POINTS;

pub use completeness::{SummaryCompleteness, SummaryCoverage, SummaryGap, SummaryLoss};
pub use error_spread::ErrorSpread;
#[cfg(feature = "coordinator")]
pub(crate) use generator::burden;
pub use generator::{SummaryGenerator, SummaryStretch, SummaryWorst};
pub use metrics::SummaryMetric;
pub use progress::Progress;

use crate::measure::arrivals::Arrivals;
use crate::measure::interval::Outcome;
use crate::measure::series_point::SeriesPoint;
use crate::measure::stats::Stats;

/// A run as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct Summary {
    /// What was run.
    pub run: SummaryRun,
    /// Which part of the run the numbers are about; missing for the whole run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<SummaryScope>,
    /// Whether the numbers are everything that was sent.
    #[serde(flatten)]
    pub completeness: SummaryCompleteness,
    /// All requests.
    pub totals: SummaryTotals,
    /// Requests by endpoint, sorted by name and method.
    pub endpoints: Vec<SummaryEndpoint>,
    /// Errors, the most frequent first.
    pub errors: Vec<SummaryError>,
    /// What the scenario counts beside its requests, in the order in which it began to.
    #[serde(default)]
    pub custom_metrics: Vec<SummaryMetric>,
    /// What came of the test's thresholds, in their order: of the whole run, whatever part the other numbers are about.
    #[serde(default)]
    pub thresholds: Vec<ThresholdResult>,
    /// What they say of the run: `passed` or `failed`; null without thresholds, and while it is open.
    #[serde(default)]
    #[cfg_attr(feature = "coordinator", schema(required = true))]
    pub verdict: Option<TestVerdict>,
    /// What the load generator itself ran short of: what it says about the numbers of these seconds.
    #[serde(default)]
    pub warnings: Vec<SummaryWarning>,
    /// How the load generator fared.
    #[serde(default)]
    pub generator: SummaryGenerator,
    /// Seconds in one entry of `series`: 1, or more in a run that is too long for an entry per second.
    #[serde(default = "one_second")]
    pub series_step_s: u32,
    /// Every step from the first to the last one with results; one more, without users, once the run is
    /// over. The last field, because long ones are sent piece by piece.
    pub series: Vec<SeriesPoint>,
}

fn one_second() -> u32 {
    1
}

/// What was run, and how it went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct SummaryRun {
    /// Identifier.
    #[cfg_attr(feature = "coordinator", schema(value_type = String))]
    pub id: RunId,
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
    /// The same as a word for programs.
    #[serde(default)]
    pub failure_code: Option<String>,
    /// Why its scenario finished it before its time, null if it did not.
    #[serde(default)]
    pub finished_early: Option<String>,
    /// Peak users.
    pub users: u64,
    /// Planned duration, ramp-up included.
    pub duration_s: u64,
    /// Ramp-up: how long the load rises from the start.
    pub ramp_up_s: u64,
    /// Worker processes.
    pub workers: u32,
    /// The builds that the agents were.
    #[serde(default)]
    pub builds: Vec<SummaryBuild>,
    /// Run time zero in UTC (RFC 3339), null while workers are being started.
    pub started_at: Option<String>,
    /// How long it has been going, or took.
    pub elapsed_s: f64,
}

/// A part of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct SummaryScope {
    /// First second of run time.
    pub from: u32,
    /// End in seconds of run time, exclusive; null for the end of the run.
    pub to: Option<u32>,
    /// The only endpoint.
    pub endpoint: Option<SummaryEndpointName>,
    /// The only agent, by name.
    pub agent: Option<String>,
    /// How the requests ended that are meant; null for all.
    #[serde(default)]
    #[cfg_attr(feature = "coordinator", schema(required = true))]
    pub outcome: Option<Outcome>,
    /// `leave-out` where the seconds are left out in which the load generator was saturated; missing otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saturated: Option<String>,
    /// What may be missing of the numbers.
    pub remark: Option<String>,
}

/// Which endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct SummaryEndpointName {
    pub method: String,
    pub name: String,
}

/// A build that took part in a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct SummaryBuild {
    /// SHA-256 of the executable in hexadecimal.
    pub sha256: String,
    /// Greylag's version.
    pub version: String,
    /// What it was compiled for.
    pub platform: String,
    /// Names of its agents.
    pub agents: Vec<String>,
    /// Where it comes from, if it was shipped to the agents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipped: Option<SummaryShipped>,
}

/// Where a build comes from that was shipped to the agents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct SummaryShipped {
    /// Who uploaded it; may be empty.
    pub uploaded_by: String,
    /// When, in µs since 1970.
    #[serde(rename = "uploaded_at_us")]
    #[cfg_attr(feature = "coordinator", schema(value_type = u64))]
    pub uploaded_at: WallTime,
    /// The commit that its crate was at when it was uploaded, if that is known.
    pub commit: Option<SourceCommit>,
    /// The scenario's data files, as they were when the run was started.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<DataFile>,
}

/// All requests of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct SummaryTotals {
    /// Their statistics.
    #[serde(flatten)]
    pub stats: Stats,
    /// Requests per second: of the whole run, or of the window that was asked for.
    pub rps: f64,
    /// Iterations of an arrival rate; null for a run without one.
    #[serde(default)]
    #[cfg_attr(feature = "coordinator", schema(required = true))]
    pub arrivals: Option<Arrivals>,
}

/// The requests of one endpoint.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct SummaryEndpoint {
    /// HTTP method or another kind of request; empty in a row of all endpoints together.
    pub method: String,
    /// Its name; `Aggregated` in a row of all endpoints together.
    pub name: String,
    /// The statistics of its requests.
    #[serde(flatten)]
    pub stats: Stats,
    /// Requests per second over the last 10 full seconds.
    pub current_rps: f64,
    /// Failures per second over the same.
    #[serde(default)]
    #[cfg_attr(feature = "coordinator", schema(required = true))]
    pub current_failures_per_s: f64,
}

/// Name of a row of all endpoints together.
#[cfg(feature = "coordinator")]
pub(crate) const AGGREGATED: &str = "Aggregated";

/// One kind of error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct SummaryError {
    /// That of the endpoint, or `TASK` for an error that is not a failed request.
    pub method: String,
    pub name: String,
    pub error: String,
    pub occurrences: u64,
    #[serde(flatten)]
    pub spread: ErrorSpread,
    /// Second of run time in which it occurred first, and last; null where that is not known yet.
    #[serde(default)]
    pub first_second: Option<u32>,
    #[serde(default)]
    pub last_second: Option<u32>,
    /// The same in UTC (RFC 3339).
    #[serde(default)]
    pub first_seen: Option<String>,
    #[serde(default)]
    pub last_seen: Option<String>,
}

/// One thing that the load generator itself ran short of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct SummaryWarning {
    /// What: `cpu`, `file_descriptors`, …
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

//! The summary as it is promised to users, written down a second time: a field that is missing, new or of another
//! kind fails the tests.

use serde::Deserialize;

/// All results of a run.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Summary {
    pub run: Run,
    /// Missing for a whole run.
    pub scope: Option<Scope>,
    pub complete: bool,
    pub remark: Option<String>,
    pub gaps: Vec<Gap>,
    pub coverage: Coverage,
    pub totals: Totals,
    pub endpoints: Vec<Endpoint>,
    pub errors: Vec<ErrorCount>,
    pub custom_metrics: Vec<CustomMetric>,
    pub thresholds: Vec<ThresholdResult>,
    /// `passed` or `failed`.
    pub verdict: Option<String>,
    pub warnings: Vec<Warning>,
    pub generator: Generator,
    pub series_step_s: u32,
    pub series: Vec<Point>,
}

/// A custom metric; what its kind does not have is null.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names say it")]
pub struct CustomMetric {
    pub name: String,
    pub kind: String,
    pub unit: String,
    pub count: u64,
    pub total: Option<f64>,
    pub per_second: Option<f64>,
    pub rate: Option<f64>,
    pub last: Option<f64>,
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub avg: Option<f64>,
    pub p50: Option<f64>,
    pub p90: Option<f64>,
    pub p95: Option<f64>,
    pub p99: Option<f64>,
}

/// What was run, and how it went.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Run {
    pub id: String,
    pub number: u64,
    pub test: String,
    pub r#type: String,
    pub infrastructure: String,
    pub status: String,
    pub failure_reason: Option<String>,
    pub failure_code: Option<String>,
    pub finished_early: Option<String>,
    pub users: u64,
    pub duration_s: f64,
    pub ramp_up_s: f64,
    pub workers: u32,
    pub builds: Vec<Build>,
    pub started_at: Option<String>,
    pub elapsed_s: f64,
}

/// What came of a threshold.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names say it")]
pub struct ThresholdResult {
    pub condition: String,
    pub metric: String,
    pub unit: String,
    pub actual: Option<f64>,
    pub limit: Option<f64>,
    pub state: String,
    pub breached_since_s: Option<u32>,
    pub explanation: Option<String>,
}

/// How the load generator fared.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Generator {
    pub measured: bool,
    pub saturated_seconds: u64,
    pub left_out: bool,
    pub saturated: Vec<Stretch>,
    pub worst: Option<Worst>,
}

/// Seconds of run time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Stretch {
    pub from: u32,
    pub to: u32,
}

/// The worker that was worst off.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Worst {
    pub worker: u32,
    pub agent: String,
    pub saturated_seconds: u64,
    pub core_percent: Option<f64>,
    pub wait_percent: Option<f64>,
    pub late_p99_ms: Option<f64>,
}

/// Which part of a run.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Scope {
    pub from: u32,
    pub to: Option<u32>,
    pub endpoint: Option<EndpointName>,
    pub agent: Option<String>,
    pub outcome: Option<String>,
    #[serde(default)]
    pub saturated: Option<String>,
    pub remark: Option<String>,
}

/// An endpoint without its numbers.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names say it")]
pub struct EndpointName {
    pub method: String,
    pub name: String,
}

/// Something that is missing.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Gap {
    pub code: String,
    pub agent: Option<String>,
    pub worker: Option<u32>,
    pub since_second: u32,
    pub since: String,
    pub message: String,
}

/// How much of the load there was.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Coverage {
    pub full: bool,
    pub remark: Option<String>,
    pub users: u64,
    pub missing_users: u64,
    pub losses: Vec<Loss>,
}

/// Something that was lost of the load.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Loss {
    pub code: String,
    pub agent: String,
    pub worker: Option<u32>,
    pub since_second: u32,
    pub since: String,
    pub users: u64,
    pub message: String,
}

/// A build that took part.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Build {
    pub sha256: String,
    pub version: String,
    pub platform: String,
    pub agents: Vec<String>,
    /// Only of one that was uploaded.
    #[serde(default)]
    pub shipped: Option<Shipped>,
}

/// Where a build comes from that was uploaded.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Shipped {
    pub uploaded_by: String,
    pub uploaded_at_us: u64,
    pub commit: Option<Commit>,
    #[serde(default)]
    pub data: Vec<DataFile>,
}

/// A data file that was uploaded with a build.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names say it")]
pub struct DataFile {
    pub path: String,
    pub sha256: String,
    pub size: u64,
}

/// The commit that a build was compiled from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Commit {
    pub id: String,
    pub is_modified: bool,
}

/// Sums over all endpoints; times in milliseconds.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Totals {
    pub requests: u64,
    pub failures: u64,
    pub rps: f64,
    pub error_rate: f64,
    pub bytes: u64,
    pub avg_ms: f64,
    pub min_ms: f64,
    pub max_ms: f64,
    pub p50_ms: f64,
    pub p75_ms: f64,
    pub p90_ms: f64,
    pub p95_ms: f64,
    pub p98_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    pub p9999_ms: f64,
    pub intended: Option<Intended>,
    pub first_byte: Option<FirstByte>,
    pub first_byte_only: u64,
    pub arrivals: Option<Arrivals>,
}

/// Response times from the intended start; times in milliseconds.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Intended {
    pub requests: u64,
    pub avg_ms: f64,
    pub min_ms: f64,
    pub max_ms: f64,
    pub p50_ms: f64,
    pub p75_ms: f64,
    pub p90_ms: f64,
    pub p95_ms: f64,
    pub p98_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    pub p9999_ms: f64,
}

/// Times to the first byte; in milliseconds.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names say it")]
pub struct FirstByte {
    pub requests: u64,
    pub avg_ms: f64,
}

/// Iterations of an arrival rate.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Arrivals {
    pub started: u64,
    pub late: u64,
    pub skipped: u64,
}

/// One endpoint; times in milliseconds.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Endpoint {
    pub method: String,
    pub name: String,
    pub requests: u64,
    pub failures: u64,
    pub error_rate: f64,
    pub bytes: u64,
    pub avg_ms: f64,
    pub min_ms: f64,
    pub max_ms: f64,
    pub p50_ms: f64,
    pub p75_ms: f64,
    pub p90_ms: f64,
    pub p95_ms: f64,
    pub p98_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    pub p9999_ms: f64,
    pub current_rps: f64,
    pub current_failures_per_s: f64,
    pub intended: Option<Intended>,
    pub first_byte: Option<FirstByte>,
    pub first_byte_only: u64,
}

/// One kind of error.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names say it")]
pub struct ErrorCount {
    pub method: String,
    pub name: String,
    pub error: String,
    pub occurrences: u64,
    pub request_share: Option<f64>,
    pub error_share: f64,
    pub agent_count: u64,
    pub agents: Vec<String>,
    pub samples: u64,
    pub first_second: Option<u32>,
    pub last_second: Option<u32>,
    pub first_seen: Option<String>,
    pub last_seen: Option<String>,
}

/// What the load generator itself ran short of.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Warning {
    pub kind: String,
    pub worker: Option<u32>,
    pub agent: Option<String>,
    pub subject: String,
    pub first_second: u32,
    pub last_second: u32,
    pub count: u64,
    pub worst: u64,
    pub message: String,
}

/// One second of run time.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Point {
    pub second: u32,
    pub users: u64,
    pub requests: u64,
    pub failures: u64,
    /// Missing for none.
    #[serde(default)]
    pub left_out: u32,
}

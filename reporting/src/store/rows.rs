//! What the store answers about single things of a run, as plain rows.
//!
//! `_us` are µs since 1970 on the coordinator's clock, `_s` seconds of run time, `_ms` milliseconds.

use greylag_infra::protocol::{ErrorSampleData, SampleKind, TraceId};
use serde::Serialize;
use utoipa::ToSchema;

/// One worker process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct WorkerRow {
    /// Name of its agent.
    pub agent: String,
    /// Global index.
    pub index: u32,
    /// Process id.
    pub pid: u32,
    /// Users active at its last report.
    pub users: u64,
    /// Whether it runs.
    pub running: bool,
    /// Whether its agent is not heard, so that its state is unknown.
    pub stale: bool,
}

/// A request that was kept for the scatter plot, with all that is known of it. What is `None` was not recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleRow {
    /// When it ended, µs of run time.
    pub at_us: u64,
    /// Response time in µs.
    pub response_us: u64,
    /// Time to first byte in µs.
    pub first_byte_us: Option<u32>,
    /// HTTP method.
    pub method: String,
    /// Name.
    pub name: String,
    /// Outcome.
    pub failed: bool,
    /// Status of the response, [`SampleDetails::NO_ANSWER`](greylag_infra::protocol::SampleDetails::NO_ANSWER) where none
    /// came.
    pub status: Option<u16>,
    /// Text of its error.
    pub error: Option<String>,
    /// Name of the agent.
    pub agent: Option<String>,
    /// Global index of the worker.
    pub worker: Option<u32>,
    /// Number of the user over the whole run.
    pub user: Option<u32>,
    /// Its trace, if it was sampled.
    pub trace_id: Option<TraceId>,
    /// Why it was kept.
    pub kind: SampleKind,
}

/// A failed request with what came back, fit to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ErrorSampleRow {
    /// Method of the endpoint.
    pub(crate) method: String,
    /// And its name.
    pub(crate) name: String,
    /// Text of the error.
    pub(crate) error: String,
    /// Name of the agent.
    pub(crate) agent: Option<String>,
    /// All else; its positions are not used.
    pub(crate) data: ErrorSampleData,
}

/// One dot of the scatter plot.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SamplePoint {
    /// Seconds of run time at which the request ended.
    pub at_s: f64,
    /// Response time.
    pub response_ms: f64,
    /// HTTP method.
    pub method: String,
    /// Name.
    pub name: String,
    /// Outcome.
    pub failed: bool,
    /// Why it was kept.
    pub kind: SampleKind,
}

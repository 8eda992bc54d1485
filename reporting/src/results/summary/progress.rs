//! How a run is going: what `/api/v1/runs/{id}/progress` answers and the command line shows.

use greylag_infra::{TestVerdict, ThresholdResult};
use serde::{Deserialize, Serialize};

use super::{SummaryCompleteness, SummaryTotals, SummaryWarning};

/// How a run is going.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct Progress {
    /// `Running`, `Finished` or `Failed`.
    pub status: String,
    /// Where it stands exactly: `Queued`, `Provisioning`, `Preparing`, `Running`, `Stopping`, `Finished` or `Failed`.
    #[serde(default)]
    pub phase: String,
    /// Why it has not begun, while it is `Queued` or `Provisioning`.
    #[serde(default)]
    pub waiting: Option<String>,
    /// Why it failed or is failing.
    pub failure_reason: Option<String>,
    /// The same as a word for programs.
    #[serde(default)]
    pub failure_code: Option<String>,
    /// How long it has been going, or took.
    pub elapsed_s: f64,
    /// How long it takes as planned; null before it has started, when a load shape may still decide it.
    pub duration_s: Option<u64>,
    /// Users active now.
    pub users: u64,
    /// All requests so far.
    #[serde(flatten)]
    pub totals: SummaryTotals,
    /// Requests per second over the last 10 full seconds.
    pub current_rps: f64,
    /// Whether the numbers are everything that was sent.
    #[serde(flatten)]
    pub completeness: SummaryCompleteness,
    /// How the test's thresholds stand, in their order.
    #[serde(default)]
    pub thresholds: Vec<ThresholdResult>,
    /// What they say of the run: `passed` or `failed`; null without thresholds, and while it goes on.
    #[serde(default)]
    #[cfg_attr(feature = "coordinator", schema(required = true))]
    pub verdict: Option<TestVerdict>,
    /// What the load generator itself ran short of.
    #[serde(default)]
    pub warnings: Vec<SummaryWarning>,
}

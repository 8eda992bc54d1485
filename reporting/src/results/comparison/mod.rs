//! Runs beside a reference, as `/api/v1/compare` answers it: what was compared, what differs, and what to bear in mind.

#[cfg(feature = "coordinator")]
mod address;
#[cfg(feature = "coordinator")]
mod custom_metrics;
#[cfg(feature = "coordinator")]
mod read;
#[cfg(feature = "coordinator")]
mod remarks;
mod wording;

use greylag_infra::RunId;
use greylag_infra::protocol::MetricKind;
use serde::{Deserialize, Serialize};

#[cfg(feature = "coordinator")]
pub(crate) use address::CompareAddress;
#[cfg(feature = "coordinator")]
pub(crate) use read::{Asked, CompareError, MAX_RUNS, Stretch, find_run};
pub use wording::{finding, run_verdict, statistic_name};
#[cfg(feature = "coordinator")]
pub(crate) use wording::{value_text, verdict_name};

use crate::compare::RunDifferences;

/// Runs beside a reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct Comparison {
    /// What the others are compared with.
    pub reference: ComparedRun,
    /// Further runs of the same thing as the reference: the noise between them counts.
    pub baseline: Vec<ComparedRun>,
    /// The others, as they were asked for.
    pub runs: Vec<RunComparison>,
}

/// A run that is compared, and which part of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct ComparedRun {
    /// Identifier.
    #[cfg_attr(feature = "coordinator", schema(value_type = String))]
    pub id: RunId,
    /// Name of the test.
    pub test: String,
    /// Number within its test.
    pub number: u64,
    /// First second of run time that is compared.
    pub from: u32,
    /// End of what is compared, exclusive.
    pub to: u32,
    /// Requests that are compared.
    pub requests: u64,
}

/// A run beside the reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct RunComparison {
    /// Which.
    pub run: ComparedRun,
    /// What differs.
    #[serde(flatten)]
    pub differences: RunDifferences,
    /// What else differs between the two, or is missing of either, and may be the reason.
    pub remarks: Vec<String>,
    /// The custom metrics of either, in the order of the reference, of all agents and endpoints together. Of several runs of the reference it is the
    /// first one's.
    #[serde(default)]
    pub custom_metrics: Vec<ComparedMetric>,
}

/// A custom metric of two runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct ComparedMetric {
    /// Its name.
    pub name: String,
    /// How its values add up.
    pub kind: MetricKind,
    /// The unit of its values; empty without one.
    pub unit: String,
    /// The statistics of its kind.
    pub statistics: Vec<MetricDifference>,
}

/// A statistic of a custom metric in two runs. How much it varies by chance is not estimated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct MetricDifference {
    /// Its key in a summary.
    pub statistic: String,
    /// Its name as people read it.
    pub title: String,
    /// The reference's value; null without any.
    pub reference: Option<f64>,
    /// The other run's.
    pub value: Option<f64>,
    /// The difference relative to the reference, of rates absolute; null where either is missing or the reference is 0.
    pub change: Option<f64>,
    /// The reference's value as people read it.
    pub reference_text: String,
    /// The other run's, likewise.
    pub value_text: String,
    /// The difference, likewise; empty where it is null.
    pub change_text: String,
}

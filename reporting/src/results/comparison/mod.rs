//! Runs beside a reference, as `/api/v1/compare` answers it: what was compared, what differs, and what to bear in mind.

#[cfg(feature = "coordinator")]
mod address;
#[cfg(feature = "coordinator")]
mod read;
#[cfg(feature = "coordinator")]
mod remarks;
mod wording;

use greylag_infra::RunId;
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
}

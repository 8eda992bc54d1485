//! A point of the time series of users, requests and failures.

use serde::{Deserialize, Serialize};

/// One point of the time series: `[second, second + step)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub struct SeriesPoint {
    /// Its first second of run time.
    pub second: u32,
    /// Users active at the start of this second (started before it and not stopped before it).
    pub users: u64,
    /// Requests that ended in it (per step; divide by `step_s` for a rate).
    pub requests: u64,
    /// Failures among them.
    pub failures: u64,
}

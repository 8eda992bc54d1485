//! A point of the time series of users, requests and failures.

use serde::{Deserialize, Serialize};

/// One point of the time series: `[second, second + step)`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Seconds of it that are left out, because the load generator was saturated; missing for none. A rate is per second of the rest.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u32,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

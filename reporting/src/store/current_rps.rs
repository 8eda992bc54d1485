//! The current rate of requests.

use std::collections::HashMap;

use greylag_infra::protocol::Endpoint;
use greylag_infra::{RunRecord, WallTime};
use rusqlite::Connection;

use super::error::StoreResult;
use super::live::{endpoints, last_second};
use super::scope::{RowScope, Scope};
use super::scope_rows::{self, Part, Requests, Wanted};

/// The current rate of requests is the mean over so many full seconds, as in Locust.
pub const CURRENT_RPS_WINDOW_S: u32 = 10;
/// Seconds behind now that the window ends while a run is active, because the newest results are still on
/// their way; Locust leaves out two as well.
const CURRENT_RPS_LAG_S: u32 = 2;

/// Requests per second over the last [`CURRENT_RPS_WINDOW_S`] full seconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CurrentRps {
    by_endpoint: HashMap<Endpoint, f64>,
}

impl CurrentRps {
    /// Of one endpoint.
    pub fn of(&self, endpoint: &Endpoint) -> f64 {
        self.by_endpoint.get(endpoint).copied().unwrap_or(0.0)
    }

    /// Of all endpoints together.
    pub fn total(&self) -> f64 {
        // Not sum(): that of nothing is -0.0.
        self.by_endpoint.values().fold(0.0, |sum, rate| sum + rate)
    }
}

/// The current rate at `now`; of a run that is over, that of its last full seconds with results.
pub(super) fn read(
    connection: &Connection,
    record: &RunRecord,
    scope: &Scope,
    now: WallTime,
) -> StoreResult<CurrentRps> {
    let window = scope.seconds();
    let scope = RowScope::find(connection, &record.id, scope)?;
    let elapsed = record.elapsed_s(now) as u32;
    let end = if record.phase.is_over() {
        last_second(connection, scope.run)?
            .unwrap_or(0)
            .min(elapsed)
    } else {
        elapsed.saturating_sub(CURRENT_RPS_LAG_S)
    };
    let end = end.min(window.end);
    let start = end.saturating_sub(CURRENT_RPS_WINDOW_S).max(window.start);
    if start >= end {
        return Ok(CurrentRps::default());
    }
    let endpoints = endpoints(connection, scope.run)?;
    let mut requests: HashMap<i64, u64> = HashMap::new();
    let wanted = Wanted {
        requests: Requests::Intervals,
        ..Wanted::default()
    };
    scope_rows::visit(connection, &scope, start..end, 1, wanted, |_, part| {
        if let Part::Interval { endpoint, numbers } = part {
            *requests.entry(endpoint).or_default() += numbers.sums()?.requests();
        }
        Ok(())
    })?;
    let mut by_endpoint = HashMap::new();
    for (number, requests) in requests {
        if let Some(endpoint) = usize::try_from(number)
            .ok()
            .and_then(|at| endpoints.get(at))
        {
            let rate = requests as f64 / f64::from(end - start);
            by_endpoint.insert(endpoint.clone(), rate);
        }
    }
    Ok(CurrentRps { by_endpoint })
}

//! The current rate of requests.

use std::collections::HashMap;

use greylag_infra::protocol::Endpoint;
use greylag_infra::{RunRecord, WallTime};
use rusqlite::Connection;

use super::error::StoreResult;
use super::live::{endpoints, last_second};
use super::scope::{RowScope, Scope};
use super::scope_rows::{self, Part, Requests, Wanted};
use crate::measure::interval::Measures;

/// The current rate of requests is the mean over so many full seconds, as in Locust.
pub const CURRENT_RPS_WINDOW_S: u32 = 10;
/// Seconds behind now that the window ends while a run is active, because the newest results are still on
/// their way; Locust leaves out two as well.
const CURRENT_RPS_LAG_S: u32 = 2;

/// Requests and failures per second over the last [`CURRENT_RPS_WINDOW_S`] full seconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CurrentRps {
    by_endpoint: HashMap<Endpoint, CurrentRate>,
}

/// Those of some requests.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CurrentRate {
    /// Requests per second.
    pub requests: f64,
    /// Failures per second.
    pub failures: f64,
}

impl CurrentRps {
    /// Of one endpoint.
    pub fn of(&self, endpoint: &Endpoint) -> CurrentRate {
        self.by_endpoint.get(endpoint).copied().unwrap_or_default()
    }

    /// Of all endpoints together.
    pub fn total(&self) -> CurrentRate {
        // Not sum(): that of nothing is -0.0.
        let rates = self.by_endpoint.values();
        rates.fold(CurrentRate::default(), |sum, rate| CurrentRate {
            requests: sum.requests + rate.requests,
            failures: sum.failures + rate.failures,
        })
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
    let left_out = scope.left_out.within(&(start..end));
    let left_out: u32 = left_out.map(|part| part.end - part.start).sum();
    let seconds = end.saturating_sub(start).saturating_sub(left_out);
    if seconds == 0 {
        return Ok(CurrentRps::default());
    }
    let endpoints = endpoints(connection, scope.run)?;
    let mut counts: HashMap<i64, (u64, u64)> = HashMap::new();
    let wanted = Wanted {
        requests: Requests::Intervals(Measures::NONE),
        ..Wanted::default()
    };
    scope_rows::visit(connection, &scope, start..end, 1, wanted, |_, part| {
        if let Part::Interval { endpoint, numbers } = part {
            let sums = numbers.sums()?;
            let (requests, failures) = counts.entry(endpoint).or_default();
            *requests = requests.saturating_add(sums.requests());
            *failures = failures.saturating_add(sums.failures);
        }
        Ok(())
    })?;
    let mut by_endpoint = HashMap::new();
    for (number, (requests, failures)) in counts {
        if let Some(endpoint) = usize::try_from(number)
            .ok()
            .and_then(|at| endpoints.get(at))
        {
            let seconds = f64::from(seconds);
            let rate = CurrentRate {
                requests: requests as f64 / seconds,
                failures: failures as f64 / seconds,
            };
            by_endpoint.insert(endpoint.clone(), rate);
        }
    }
    Ok(CurrentRps { by_endpoint })
}

//! A run second by second, as the CSV files need it.

use std::collections::BTreeMap;

use greylag_infra::RunId;
use greylag_infra::protocol::Endpoint;
use rusqlite::Connection;

use super::error::StoreResult;
use super::integers::from_sql;
use super::live::endpoints;
use super::scope::{RowScope, Scope};
use super::scope_rows::{self, Part, Requests, Wanted, users_before};
use crate::measure::interval::{Measure, Measures, SparseInterval};

/// Some consecutive seconds of a run.
#[derive(Debug, Default)]
pub(crate) struct HistoryPart {
    /// Every second, empty ones too; none when there are no more.
    pub(crate) seconds: Vec<HistorySecond>,
}

/// One second of a run.
#[derive(Debug, Default)]
pub(crate) struct HistorySecond {
    pub(crate) second: u32,
    /// Whether it is left out, so that nothing of it is here.
    pub(crate) left_out: bool,
    /// Users active when it was over.
    pub(crate) users: u64,
    /// Requests that ended in it, by endpoint, of all agents together; with the histograms of response
    /// times alone: no history shows others.
    pub(crate) intervals: Vec<(Endpoint, SparseInterval)>,
}

/// At most `count` seconds of a scope from `from` on, up to the last one that has anything.
pub(super) fn read(
    connection: &Connection,
    run_id: &RunId,
    scope: &Scope,
    from: u32,
    count: u32,
) -> StoreResult<HistoryPart> {
    let scope = &RowScope::find(connection, run_id, scope)?;
    let to = from.saturating_add(count).min(scope.to);
    let from = from.max(scope.from);
    let mut parts = Intervals::new();
    let mut changes: BTreeMap<u32, i64> = BTreeMap::new();
    let wanted = Wanted {
        users: true,
        requests: Requests::Intervals(Measures::only(Measure::Response)),
        errors: false,
    };
    scope_rows::visit(connection, scope, from..to, 1, wanted, |second, part| {
        match part {
            Part::Users(users) => {
                let change = changes.entry(second).or_default();
                *change = change.saturating_add(users.change());
            }
            Part::Interval { endpoint, numbers } => {
                let of_second = parts.entry(second).or_default();
                let sum: &mut SparseInterval = of_second.entry(endpoint).or_default();
                sum.merge(&numbers.only(Measure::Response)?);
            }
            Part::Counts { .. } | Part::OfEndpoint { .. } | Part::Errors { .. } => {}
        }
        Ok(())
    })?;
    let names = endpoints(connection, scope.run)?;
    let mut users = users_before(connection, scope, from)?;
    let seconds = (from..to)
        .map(|second| {
            users = users.saturating_add(changes.get(&second).copied().unwrap_or(0));
            HistorySecond {
                second,
                left_out: scope.left_out.contains(second),
                users: from_sql(users),
                intervals: parts
                    .remove(&second)
                    .unwrap_or_default()
                    .into_iter()
                    .filter_map(|(number, interval)| {
                        let endpoint = names.get(usize::try_from(number).ok()?)?;
                        Some((endpoint.clone(), interval))
                    })
                    .collect(),
            }
        })
        .collect();
    Ok(HistoryPart { seconds })
}

/// By second and number of the endpoint.
type Intervals = BTreeMap<u32, BTreeMap<i64, SparseInterval>>;

//! The rows of a scope, wherever they are: of all agents together, of single agents, of what earlier versions saved.
//!
//! Whatever is asked about a scope is read here, in one pass, so that where its rows are is known in one place.

use std::ops::Range;

use greylag_infra::RunId;
use rusqlite::{Connection, Row, params};

use super::agent_rows::{self, PackedRow, RowInterval, RowPart, UserSums};
use super::error::StoreResult;
use super::integers::{from_sql, small_from_sql, to_sql};
use super::rollup::read_rolled;
use super::scope::{AGENT, RowScope, Scope};
use super::stored_interval;
use super::{error_rows, lost_users, second_rows, tag_rows};
use crate::measure::interval::{
    Interval, IntervalSum, Measure, Measures, Outcome, SparseInterval, Sums,
};
use crate::measure::packed_counts::{PackedCounts, Precision};
use crate::measure::windows::{ALL_ROLLED, ANY_STEP, decompose, width, within_a_step};

/// What is read of the rows of a scope.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wanted {
    /// [`Part::Users`].
    pub(super) users: bool,
    pub(super) requests: Requests,
    /// [`Part::Errors`].
    pub(super) errors: bool,
}

/// What is read of requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Requests {
    #[default]
    Nothing,
    /// [`Part::Counts`].
    Counts,
    /// [`Part::OfEndpoint`].
    CountsByEndpoint,
    /// [`Part::Interval`], with the counts of these measures.
    Intervals(Measures),
}

/// A part of what a scope adds up to. Parts of the same kind add up.
pub(super) enum Part<'a> {
    /// Users that came and went, and iterations, whatever the endpoint. Users of agents that were given up go where the
    /// agents' results end.
    Users(UserSums),
    /// Requests, and how many of them failed.
    Counts { requests: u64, failures: u64 },
    /// The same of an endpoint.
    OfEndpoint {
        endpoint: i64,
        requests: u64,
        failures: u64,
    },
    /// Requests to an endpoint.
    Interval { endpoint: i64, numbers: Numbers<'a> },
    /// How often an error occurred, whatever the endpoint.
    Errors { error: i64, occurrences: u64 },
}

/// An interval as it is stored.
pub(super) enum Numbers<'a> {
    /// Of all agents together: a row with its columns from this one on.
    Together(&'a Row<'a>, usize),
    OfAgent(RowInterval<'a>),
}

impl Numbers<'_> {
    /// Everything but the histograms.
    pub(super) fn sums(&self) -> StoreResult<Sums> {
        match self {
            Self::Together(row, first) => stored_interval::sums(row, *first),
            Self::OfAgent(interval) => Ok(interval.sums),
        }
    }

    /// Adds it to an interval with the counts of these measures.
    pub(super) fn add_to(&self, interval: &mut Interval, measures: Measures) -> StoreResult<()> {
        match self {
            Self::Together(row, first) => stored_interval::add_to(interval, row, *first, measures),
            Self::OfAgent(RowInterval { sums, counts, .. }) => {
                Ok(interval.add_parts(sums, &counts.among(measures))?)
            }
        }
    }

    /// Adds its numbers and the counts of one measure to a sum.
    pub(super) fn add_only_to(&self, measure: Measure, sum: &mut IntervalSum) -> StoreResult<()> {
        match self {
            Self::Together(row, first) => stored_interval::add_only(sum, row, *first, measure),
            Self::OfAgent(interval) => {
                let counts = interval.counts.among(Measures::only(measure));
                Ok(sum.add_parts(&interval.sums, &counts, Precision::Full)?)
            }
        }
    }

    /// Adds all of it to a sum.
    pub(super) fn add_all_to(&self, sum: &mut IntervalSum) -> StoreResult<()> {
        match self {
            Self::Together(row, first) => stored_interval::add(sum, row, *first),
            Self::OfAgent(RowInterval { sums, counts, .. }) => {
                Ok(sum.add_parts(sums, counts, Precision::Full)?)
            }
        }
    }

    /// Its sums and the counts of one measure.
    pub(super) fn only(&self, measure: Measure) -> StoreResult<SparseInterval> {
        match self {
            Self::Together(row, first) => stored_interval::read_only(row, *first, measure),
            Self::OfAgent(interval) => {
                let mut only = SparseInterval {
                    sums: interval.sums,
                    ..SparseInterval::default()
                };
                let counts = PackedCounts::from_bytes(interval.counts[measure]);
                only.counts[measure] = counts.to_bucket_counts()?;
                Ok(only)
            }
        }
    }

    /// Whether it is in a scope as far as that is about outcomes.
    fn is_in(&self, scope: &RowScope) -> StoreResult<bool> {
        if scope.outcome.is_none() {
            return Ok(true);
        }
        let sums = self.sums()?;
        Ok(scope.has_outcome(sums.requests(), sums.failures))
    }
}

/// Gives `visit` the first second of each row of these seconds of a scope, and its parts. Each row belongs to one step of
/// `step` seconds. Of seconds that are left out there are only the users that came and went: they are there afterwards.
pub(super) fn visit(
    connection: &Connection,
    scope: &RowScope,
    seconds: Range<u32>,
    step: u32,
    wanted: Wanted,
    mut visit: impl FnMut(u32, Part<'_>) -> StoreResult<()>,
) -> StoreResult<()> {
    for rest in scope.left_out.rest_of(&seconds) {
        visit_stretch(connection, scope, rest, step, wanted, &mut visit)?;
    }
    if !wanted.users {
        return Ok(());
    }
    let users = Wanted {
        users: true,
        ..Wanted::default()
    };
    for left_out in scope.left_out.within(&seconds) {
        visit_stretch(
            connection,
            scope,
            left_out,
            step,
            users,
            &mut |second, part| match part {
                Part::Users(UserSums {
                    started, stopped, ..
                }) => {
                    let users = UserSums {
                        started,
                        stopped,
                        ..UserSums::default()
                    };
                    visit(second, Part::Users(users))
                }
                Part::Counts { .. }
                | Part::OfEndpoint { .. }
                | Part::Interval { .. }
                | Part::Errors { .. } => Ok(()),
            },
        )?;
    }
    Ok(())
}

/// The same of a stretch of which nothing is left out.
fn visit_stretch(
    connection: &Connection,
    scope: &RowScope,
    seconds: Range<u32>,
    step: u32,
    wanted: Wanted,
    visit: &mut impl FnMut(u32, Part<'_>) -> StoreResult<()>,
) -> StoreResult<()> {
    if let Some(tag) = &scope.tag {
        return tag_rows::visit(connection, scope.run, tag, seconds, wanted.requests, visit);
    }
    let wanted = Wanted {
        errors: wanted.errors && scope.has_errors(),
        ..wanted
    };
    if wanted.users {
        lost_users::visit(connection, scope, seconds.clone(), |second, users| {
            visit(second, Part::Users(users))
        })?;
    }
    if scope.is_in_common_rows() {
        visit_common(connection, scope, seconds.clone(), step, wanted, visit)?;
    }
    let part = match (wanted.requests, scope.endpoint) {
        (Requests::Nothing | Requests::Counts | Requests::CountsByEndpoint, _) => RowPart::Head,
        (Requests::Intervals(_), Some(endpoint)) => RowPart::Endpoint(endpoint),
        (Requests::Intervals(_), None) => RowPart::All,
    };
    agent_rows::visit(connection, scope, seconds, step, part, |second, row| {
        if wanted.users {
            visit(second, Part::Users(row.users()))?;
        }
        if wanted.errors {
            for (error, occurrences) in row.errors().iter().copied() {
                visit(second, Part::Errors { error, occurrences })?;
            }
        }
        match wanted.requests {
            Requests::Nothing => Ok(()),
            Requests::Counts => {
                let (mut requests, mut failures) = (0_u64, 0_u64);
                for counts in row.counts() {
                    let counts = counts?;
                    if scope.has_endpoint(counts.endpoint)
                        && scope.has_outcome(counts.requests, counts.failures)
                    {
                        requests = requests.saturating_add(counts.requests);
                        failures = failures.saturating_add(counts.failures);
                    }
                }
                visit(second, Part::Counts { requests, failures })
            }
            Requests::CountsByEndpoint => {
                for counts in row.counts() {
                    let counts = counts?;
                    let (requests, failures) = (counts.requests, counts.failures);
                    if scope.has_endpoint(counts.endpoint) && scope.has_outcome(requests, failures)
                    {
                        let endpoint = counts.endpoint;
                        let part = Part::OfEndpoint {
                            endpoint,
                            requests,
                            failures,
                        };
                        visit(second, part)?;
                    }
                }
                Ok(())
            }
            Requests::Intervals(_) => visit_of_agent(scope, row, |endpoint, numbers| {
                visit(second, Part::Interval { endpoint, numbers })
            }),
        }
    })
}

/// Gives `visit` the intervals of an agent's row that are in a scope.
fn visit_of_agent<'a>(
    scope: &RowScope,
    row: &'a PackedRow<'_>,
    mut visit: impl FnMut(i64, Numbers<'a>) -> StoreResult<()>,
) -> StoreResult<()> {
    for interval in row.intervals() {
        let interval = interval?;
        let (endpoint, numbers) = (interval.endpoint, Numbers::OfAgent(interval));
        if scope.has_endpoint(endpoint) && numbers.is_in(scope)? {
            visit(endpoint, numbers)?;
        }
    }
    Ok(())
}

/// The rows that are of all agents together, or were saved by earlier versions.
fn visit_common(
    connection: &Connection,
    scope: &RowScope,
    seconds: Range<u32>,
    step: u32,
    wanted: Wanted,
    visit: &mut impl FnMut(u32, Part<'_>) -> StoreResult<()>,
) -> StoreResult<()> {
    let all_endpoints = wanted.requests == Requests::Counts && scope.has_no_filter();
    if wanted.users || all_endpoints {
        second_rows::visit(connection, scope, seconds.clone(), step, |second, sum| {
            if wanted.users {
                visit(second, Part::Users(sum.users))?;
            }
            if !all_endpoints {
                return Ok(());
            }
            let (requests, failures) = scope.part_of((sum.requests, sum.failures));
            visit(second, Part::Counts { requests, failures })
        })?;
    }
    if wanted.errors {
        let end = if seconds.end == scope.to && step == ANY_STEP {
            scope.rolled_to
        } else {
            seconds.end
        };
        let rolled = within_a_step(ALL_ROLLED, step);
        for block in decompose(seconds.start, end, &rolled) {
            error_rows::visit(connection, scope, block, |sum| {
                let (error, occurrences) = (sum.error, sum.occurrences);
                visit(sum.bucket, Part::Errors { error, occurrences })
            })?;
        }
    }
    match wanted.requests {
        Requests::Counts if !all_endpoints => {
            let columns = "requests, failures";
            visit_intervals(connection, scope, seconds, step, columns, |second, row| {
                let (requests, failures) = (from_sql(row.get(2)?), from_sql(row.get(3)?));
                if !scope.has_outcome(requests, failures) {
                    return Ok(());
                }
                visit(second, Part::Counts { requests, failures })
            })
        }
        Requests::Intervals(measures) => {
            let columns = stored_interval::columns(measures);
            visit_intervals(connection, scope, seconds, step, &columns, |second, row| {
                let (endpoint, numbers) = (row.get(1)?, Numbers::Together(row, 2));
                if !numbers.is_in(scope)? {
                    return Ok(());
                }
                visit(second, Part::Interval { endpoint, numbers })
            })
        }
        Requests::CountsByEndpoint => {
            let columns = "requests, failures";
            visit_intervals(connection, scope, seconds, step, columns, |second, row| {
                let (requests, failures) = (from_sql(row.get(2)?), from_sql(row.get(3)?));
                if !scope.has_outcome(requests, failures) {
                    return Ok(());
                }
                let endpoint = row.get(1)?;
                let part = Part::OfEndpoint {
                    endpoint,
                    requests,
                    failures,
                };
                visit(second, part)
            })
        }
        Requests::Nothing | Requests::Counts => Ok(()),
    }
}

/// Gives `visit` rows of intervals: bucket, endpoint and these columns. Those of one endpoint are looked up, because the rows
/// of all others stand between them.
fn visit_intervals(
    connection: &Connection,
    scope: &RowScope,
    seconds: Range<u32>,
    step: u32,
    columns: &str,
    mut visit: impl FnMut(u32, &Row<'_>) -> StoreResult<()>,
) -> StoreResult<()> {
    let place = match scope.endpoint {
        Some(_) => "bucket = ?3 AND endpoint = ?4",
        None => "bucket >= ?3 AND bucket < ?4",
    };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT bucket, endpoint, {columns} FROM intervals WHERE run = ?1 AND level = ?2 AND {place} AND {AGENT}"
    ))?;
    let mut query = |level: i64, place: (u32, i64)| {
        let mut rows = statement.query(params![
            scope.run,
            level,
            place.0,
            place.1,
            scope.agent_filter()
        ])?;
        while let Some(row) = rows.next()? {
            visit(small_from_sql(row.get(0)?), row)?;
        }
        StoreResult::Ok(())
    };
    let rolled = within_a_step(read_rolled(connection, scope.run)?, step);
    for block in decompose(seconds.start, seconds.end, &rolled) {
        let level = to_sql(block.level as u64);
        match scope.endpoint {
            Some(endpoint) => (block.from..block.to)
                .step_by(width(block.level) as usize)
                .try_for_each(|bucket| query(level, (bucket, endpoint)))?,
            None => query(level, (block.from, block.to.into()))?,
        }
    }
    Ok(())
}

/// Users of a scope that are active at the instant `second`, whatever its window: started before it and not stopped
/// before it.
pub(super) fn users_before(
    connection: &Connection,
    scope: &RowScope,
    second: u32,
) -> StoreResult<i64> {
    let mut users = 0_i64;
    let wanted = Wanted {
        users: true,
        ..Wanted::default()
    };
    visit(connection, scope, 0..second, ANY_STEP, wanted, |_, part| {
        if let Part::Users(sum) = part {
            users = users.saturating_add(sum.change());
        }
        Ok(())
    })?;
    Ok(users)
}

/// Users of a run in a scope that are active by what is saved of it.
pub(super) fn users_active(
    connection: &Connection,
    run_id: &RunId,
    scope: &Scope,
) -> StoreResult<u64> {
    let scope = RowScope::find(connection, run_id, scope)?;
    Ok(from_sql(users_before(connection, &scope, scope.to)?))
}

/// Requests that are not in a scope because it is of one outcome, and how they ended is not known.
pub(super) fn mixed_requests(connection: &Connection, scope: &RowScope) -> StoreResult<u64> {
    if scope.outcome.is_none() || !scope.may_be_mixed {
        return Ok(0);
    }
    let of = |outcome| requests(connection, &scope.with_outcome(outcome));
    let told_apart = of(Some(Outcome::Ok))?.saturating_add(of(Some(Outcome::Failed))?);
    Ok(of(None)?.saturating_sub(told_apart))
}

/// All requests of a scope.
pub(super) fn requests(connection: &Connection, scope: &RowScope) -> StoreResult<u64> {
    let mut sum = 0_u64;
    let wanted = Wanted {
        requests: Requests::Counts,
        ..Wanted::default()
    };
    let seconds = scope.from..scope.to;
    visit(connection, scope, seconds, ANY_STEP, wanted, |_, part| {
        if let Part::Counts { requests, .. } = part {
            sum = sum.saturating_add(requests);
        }
        Ok(())
    })?;
    Ok(sum)
}

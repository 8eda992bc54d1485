//! Users, requests and failures over time.

use greylag_infra::RunId;
use rusqlite::Connection;

use super::error::StoreResult;
use super::integers::from_sql;
use super::live::last_second;
use super::run_rows::key_of;
use super::scope::{RowScope, Scope};
use super::scope_rows::{self, Part, Requests, Wanted, users_before};
use crate::measure::series_point::SeriesPoint;
use crate::measure::windows::step_for;

/// Most rows that a point of an endpoint or an agent is made of. Each is looked up, among those of all others.
const MAX_ROWS_OF_POINT: u32 = 3;

/// Users, requests and failures over time: every step from the first to the last, empty ones too. That of a
/// run that is over has one more at its end, when no users are left, unless that is behind the window.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Series {
    /// Seconds in one point.
    pub step_s: u32,
    /// Points by time.
    pub points: Vec<SeriesPoint>,
}

/// Some consecutive points of a series.
#[derive(Debug, Default)]
pub(crate) struct SeriesPart {
    pub(crate) points: Vec<SeriesPoint>,
    /// Where the next ones begin; none after the last.
    pub(crate) next: Option<u32>,
}

/// The step of a scope's series with at most `max_points` points, or 3.
pub(super) fn step(
    connection: &Connection,
    run_id: &RunId,
    scope: &Scope,
    max_points: usize,
) -> StoreResult<u32> {
    let scope = RowScope::find(connection, run_id, scope)?;
    Ok(step_of(&scope, max_points))
}

fn step_of(scope: &RowScope, max_points: usize) -> u32 {
    if scope.is_empty() {
        return 1;
    }
    // The end of a run that is over has a point of its own, and a window may begin within a point.
    let more = 1 + usize::from(scope.from > 0);
    let max_rows = if scope.has_no_filter() {
        u32::MAX
    } else {
        MAX_ROWS_OF_POINT
    };
    let max_points = max_points.saturating_sub(more);
    step_for(scope.to - scope.from, max_points, max_rows).0
}

/// The second after the last one of a run that has anything.
pub(super) fn end_second(connection: &Connection, run_id: &RunId) -> StoreResult<u32> {
    let run = key_of(connection, run_id)?;
    Ok(last_second(connection, run)?.map_or(0, |last| last.saturating_add(1)))
}

/// The series of a scope. Its length and `max_points` (at least 3) make the step.
pub(super) fn read(
    connection: &Connection,
    run_id: &RunId,
    scope: &Scope,
    max_points: usize,
) -> StoreResult<Series> {
    let scope = RowScope::find(connection, run_id, scope)?;
    let step_s = step_of(&scope, max_points);
    let part = part_of(connection, &scope, step_s, 0, u32::MAX)?;
    Ok(Series {
        step_s,
        points: part.points,
    })
}

/// At most `count` points of a scope, and one more at the end of a run that is over where the window goes on behind it, from the step that holds the
/// second `from`.
pub(super) fn read_part(
    connection: &Connection,
    run_id: &RunId,
    scope: &Scope,
    step: u32,
    from: u32,
    count: u32,
) -> StoreResult<SeriesPart> {
    let scope = RowScope::find(connection, run_id, scope)?;
    part_of(connection, &scope, step, from, count)
}

fn part_of(
    connection: &Connection,
    scope: &RowScope,
    step: u32,
    from: u32,
    count: u32,
) -> StoreResult<SeriesPart> {
    let step = step.max(1);
    let from = from.max(scope.from);
    let first = from - from % step;
    if from >= scope.to {
        return Ok(SeriesPart::default());
    }
    let end = first.saturating_add(count.saturating_mul(step));
    if end < scope.to {
        let points = points(connection, scope, step, first, end)?;
        return Ok(SeriesPart {
            points,
            next: Some(end),
        });
    }
    let mut points = points(connection, scope, step, first, scope.to)?;
    let is_over: bool = connection
        .prepare_cached("SELECT is_over FROM runs WHERE run = ?1")?
        .query_row([scope.run], |row| row.get(0))?;
    let after_last = points
        .last()
        .map(|last| (last.second - last.second % step).saturating_add(step));
    if let Some(second) = after_last.filter(|second| is_over && *second < scope.asked_to) {
        // An agent that was lost never reported that its users stopped.
        points.push(SeriesPoint {
            second,
            ..SeriesPoint::default()
        });
    }
    Ok(SeriesPart { points, next: None })
}

/// The points of the steps from `first`, which begins one, to `end`. The scope's window may cut the first and the last
/// one.
fn points(
    connection: &Connection,
    scope: &RowScope,
    step: u32,
    first: u32,
    end: u32,
) -> StoreResult<Vec<SeriesPoint>> {
    let from = first.max(scope.from);
    let mut points: Vec<SeriesPoint> = (first..end)
        .step_by(step as usize)
        .map(|second| {
            let step = second.max(from)..second.saturating_add(step).min(end);
            let left_out = scope.left_out.within(&step);
            SeriesPoint {
                second: step.start,
                left_out: left_out.map(|part| part.end - part.start).sum(),
                ..SeriesPoint::default()
            }
        })
        .collect();
    let mut changes = vec![0_i64; points.len()];
    let point_of = |second: u32| ((second - first) / step) as usize;
    let wanted = Wanted {
        users: true,
        requests: Requests::Counts,
        errors: false,
    };
    scope_rows::visit(
        connection,
        scope,
        from..end,
        step,
        wanted,
        |second, part| {
            match part {
                Part::Users(users) => {
                    let change = &mut changes[point_of(second)];
                    *change = change.saturating_add(users.change());
                }
                Part::Counts { requests, failures } => {
                    let point = &mut points[point_of(second)];
                    point.requests = point.requests.saturating_add(requests);
                    point.failures = point.failures.saturating_add(failures);
                }
                Part::OfEndpoint { .. } | Part::Interval { .. } | Part::Errors { .. } => {}
            }
            Ok(())
        },
    )?;
    let mut users = users_before(connection, scope, from)?;
    for (point, change) in points.iter_mut().zip(changes) {
        // Other workers' stops may be known before one worker's starts: never below zero.
        point.users = from_sql(users);
        users = users.saturating_add(change);
    }
    Ok(points)
}

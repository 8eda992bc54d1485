//! What thresholds need of each second, read through its scope.

use std::ops::Range;

use greylag_infra::{CustomMetric, RunId, ThresholdSubject};
use rusqlite::Connection;

use crate::measure::interval::{Measure, Measures, SparseInterval};
use crate::measure::windows::ANY_STEP;
use crate::store::error::{StoreError, StoreResult};
use crate::store::health_rows::saturated;
use crate::store::run_rows::key_of;
use crate::store::scope::{RowScope, Scope, Window};
use crate::store::scope_rows::{self, Numbers, Part, Requests, Wanted};
use crate::store::{metric_rows, tag_rows};
use crate::thresholds::{
    Counted, CountedApart, Evaluation, Need, Needed, Second, endpoint_of, tag_of,
};

/// Takes in the seconds up to `until`.
pub(super) fn take_in(
    connection: &Connection,
    run_id: &RunId,
    evaluation: &mut Evaluation,
    until: u32,
) -> StoreResult<()> {
    let apart = evaluation.counted_apart();
    let new = evaluation.next()..until;
    let mut counted = counted_in(connection, run_id, new.clone(), &apart)?;
    let key = key_of(connection, run_id)?;
    counted.tagged = tag_rows::requests(connection, key, &apart.tags, new)?;
    evaluation.take_in(until, counted, |need, seconds| {
        read(connection, run_id, need, seconds)
    })
}

/// What a run had before a second, after which it has nothing: this is asked inside of the only writer, and what is stored of tags
/// by second would take long to read.
pub(super) fn counted_before(
    connection: &Connection,
    run_id: &RunId,
    second: u32,
    apart: &CountedApart,
) -> StoreResult<Counted> {
    let mut counted = counted_in(connection, run_id, 0..second, apart)?;
    counted.tagged = tag_rows::all_requests(connection, key_of(connection, run_id)?)?;
    Ok(counted)
}

/// The same of some seconds, but for tags.
fn counted_in(
    connection: &Connection,
    run_id: &RunId,
    seconds: Range<u32>,
    apart: &CountedApart,
) -> StoreResult<Counted> {
    let mut counted = Counted::default();
    let Ok(window) = Window::new(seconds.start, seconds.end) else {
        return Ok(counted);
    };
    let scope = RowScope::find(connection, run_id, &Scope::of_window(window))?;
    let wanted = Wanted {
        users: true,
        requests: Requests::Counts,
        errors: false,
    };
    let seconds = scope.from..scope.to;
    scope_rows::visit(connection, &scope, seconds, ANY_STEP, wanted, |_, part| {
        match part {
            Part::Users(users) => counted.arrivals.merge(users.arrivals),
            Part::Counts { requests, failures } => {
                counted.requests = counted.requests.saturating_add(requests);
                counted.failures = counted.failures.saturating_add(failures);
            }
            Part::OfEndpoint { .. } | Part::Interval { .. } | Part::Errors { .. } => {}
        }
        Ok(())
    })?;
    if !apart.metrics.is_empty() {
        let names = metric_rows::names(connection, scope.run)?;
        let named = names.metrics().iter().zip(0..);
        for (_, number) in named.filter(|(metric, _)| apart.metrics.contains(&metric.name)) {
            metric_rows::visit(connection, &scope, number, ANY_STEP, |_, row| {
                counted.values = counted.values.saturating_add(row.numbers.count);
            })?;
        }
    }
    Ok(counted)
}

/// What a need has in each of some seconds.
fn read(
    connection: &Connection,
    run_id: &RunId,
    need: &Need,
    asked: Range<u32>,
) -> StoreResult<Vec<Second>> {
    let mut seconds = vec![Second::default(); asked.len()];
    let Ok(window) = Window::new(asked.start, asked.end) else {
        return Ok(seconds);
    };
    let scope = Scope {
        endpoint: endpoint_of(&need.of),
        ..Scope::of_window(window)
    };
    let scope = match RowScope::find(connection, run_id, &scope) {
        Ok(scope) => scope.of_tag(tag_of(&need.of)),
        // Not requested so far.
        Err(StoreError::UnknownEndpoint(_)) => return Ok(seconds),
        Err(error) => return Err(error),
    };
    let at = |second: u32| (second - asked.start) as usize;
    let wanted = match need.what {
        Needed::Custom(statistic) => {
            let names = metric_rows::names(connection, scope.run)?;
            let named = names.metrics().iter().zip(0..);
            let is_meant = |metric: &CustomMetric| match &need.of {
                ThresholdSubject::Metric { name } => {
                    *name == metric.name && statistic.is_of(metric.kind)
                }
                _ => false,
            };
            for (_, number) in named.filter(|(metric, _)| is_meant(metric)) {
                metric_rows::visit(connection, &scope, number, 1, |second, row| {
                    seconds[at(second)].metric.add(row);
                })?;
            }
            return Ok(seconds);
        }
        Needed::Saturated => {
            let saturated = saturated::read(connection, scope.run, &[], scope.from..scope.to)?;
            for second in saturated.stretches().iter().cloned().flatten() {
                seconds[at(second)].saturated = true;
            }
            return Ok(seconds);
        }
        Needed::Arrivals => Wanted {
            users: true,
            ..Wanted::default()
        },
        Needed::Counts => Wanted {
            requests: Requests::Counts,
            ..Wanted::default()
        },
        Needed::Sums => Wanted {
            requests: Requests::Intervals(Measures::NONE),
            ..Wanted::default()
        },
        Needed::Times(measure) => Wanted {
            requests: Requests::Intervals(Measures::only(measure)),
            ..Wanted::default()
        },
    };
    let range = scope.from..scope.to;
    scope_rows::visit(connection, &scope, range, 1, wanted, |second, part| {
        let sum = &mut seconds[at(second)];
        match part {
            Part::Users(users) => sum.arrivals.merge(users.arrivals),
            Part::Counts { requests, failures } => {
                let response = &mut sum.sums.response;
                response.count = response.count.saturating_add(requests);
                sum.sums.failures = sum.sums.failures.saturating_add(failures);
            }
            Part::Interval { numbers, .. } => match need.what {
                Needed::Times(measure) => add_times(sum, &numbers, measure)?,
                _ => sum.sums.merge(&numbers.sums()?),
            },
            Part::OfEndpoint { .. } | Part::Errors { .. } => {}
        }
        Ok(())
    })?;
    Ok(seconds)
}

fn add_times(sum: &mut Second, numbers: &Numbers<'_>, measure: Measure) -> StoreResult<()> {
    let SparseInterval { sums, mut counts } = numbers.only(measure)?;
    sum.sums.merge(&sums);
    sum.counts.merge(&std::mem::take(&mut counts[measure]));
    Ok(())
}

//! The requests of a run in parts: by endpoint, or all together.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::{PartsAsked, RequestParts, RunParts, chunks, part_of};
use crate::measure::arrivals::Arrivals;
use crate::measure::interval::{IntervalSum, Measures, Outcome, Outcomes};
use crate::store::error::StoreResult;
use crate::store::scope::RowScope;
use crate::store::scope_rows::{self, Part, Requests, Wanted};

/// How many bytes of histograms there are; none if these are more than are wanted.
pub(super) fn read_intervals(
    connection: &Connection,
    scope: &RowScope,
    asked: &PartsAsked,
    parts: &mut RunParts,
) -> StoreResult<Option<usize>> {
    let RunParts {
        edges, requests, ..
    } = parts;
    let wanted = Wanted {
        requests: Requests::Intervals(Measures::ALL),
        ..Wanted::default()
    };
    let mut open = OpenSums::default();
    let mut bytes = 0;
    for chunk in chunks(edges, &asked.cuts) {
        scope_rows::visit(
            connection,
            scope,
            chunk,
            asked.step_s,
            wanted,
            |second, part| {
                let Part::Interval { endpoint, numbers } = part else {
                    return Ok(());
                };
                let group = group_of(asked, requests, endpoint);
                let Some(group) = group else {
                    return Ok(());
                };
                let sums = numbers.sums()?;
                let outcomes = Outcomes::of(sums.requests(), sums.failures);
                let place = (part_of(edges, second), outcomes);
                let sum = open.at(group, place, requests, &mut bytes)?;
                numbers.add_all_to(sum)
            },
        )?;
        open.close(requests, &mut bytes)?;
        if bytes > asked.most_bytes {
            return Ok(None);
        }
    }
    Ok(Some(bytes))
}

/// Which requests those to an endpoint are among.
fn group_of(asked: &PartsAsked, requests: &[RequestParts], endpoint: i64) -> Option<usize> {
    if asked.together {
        return Some(0);
    }
    let number = usize::try_from(endpoint).ok()?;
    (number < requests.len()).then_some(number)
}

/// A sum for each outcome of what came last, because rows of all endpoints that are added up come one after another.
#[derive(Debug, Default)]
struct OpenSums {
    places: BTreeMap<Outcomes, (usize, usize)>,
    sums: BTreeMap<Outcomes, IntervalSum>,
}

impl OpenSums {
    /// The sum of a group, part and outcome.
    fn at(
        &mut self,
        group: usize,
        (part, outcomes): (usize, Outcomes),
        requests: &mut [RequestParts],
        bytes: &mut usize,
    ) -> StoreResult<&mut IntervalSum> {
        let sum = self.sums.entry(outcomes).or_default();
        match self.places.insert(outcomes, (group, part)) {
            Some(before) if before != (group, part) => {
                put_by(sum, before, outcomes, requests, bytes)?;
            }
            _ => {}
        }
        Ok(sum)
    }

    /// Puts all of them by.
    fn close(&mut self, requests: &mut [RequestParts], bytes: &mut usize) -> StoreResult<()> {
        for (outcomes, place) in std::mem::take(&mut self.places) {
            let sum = self.sums.entry(outcomes).or_default();
            put_by(sum, place, outcomes, requests, bytes)?;
        }
        Ok(())
    }
}

fn put_by(
    sum: &mut IntervalSum,
    (group, part): (usize, usize),
    outcomes: Outcomes,
    requests: &mut [RequestParts],
    bytes: &mut usize,
) -> StoreResult<()> {
    let intervals = &mut requests[group].intervals;
    if let Some(before) = intervals.remove(&(part, outcomes)) {
        *bytes -= before.histogram_bytes();
        sum.add(&before)?;
    }
    let interval = sum.take();
    *bytes += interval.histogram_bytes();
    intervals.insert((part, outcomes), interval);
    Ok(())
}

/// Counts of requests, and users.
pub(super) fn read_counts(
    connection: &Connection,
    scope: &RowScope,
    asked: &PartsAsked,
    parts: &mut RunParts,
) -> StoreResult<()> {
    let step = if asked.counts_seconds {
        1
    } else {
        asked.step_s
    };
    let wanted = Wanted {
        users: true,
        requests: if asked.together {
            Requests::Counts
        } else {
            Requests::CountsByEndpoint
        },
        errors: false,
    };
    let RunParts {
        edges, requests, ..
    } = parts;
    let first_second = |second| {
        if asked.counts_seconds {
            second
        } else {
            edges[part_of(edges, second)]
        }
    };
    let mut users: BTreeMap<u32, (i64, Arrivals)> = BTreeMap::new();
    for chunk in chunks(edges, &asked.cuts) {
        scope_rows::visit(connection, scope, chunk, step, wanted, |second, part| {
            match part {
                Part::Users(sum) => {
                    let known = users.entry(second).or_default();
                    known.0 += sum.change();
                    known.1.merge(sum.arrivals);
                }
                Part::OfEndpoint {
                    endpoint,
                    requests: of_endpoint,
                    failures,
                } => {
                    let outcomes = Outcomes::of(of_endpoint, failures);
                    if let Some(group) = group_of(asked, requests, endpoint) {
                        let place = (outcomes, first_second(second));
                        requests[group].count(place, of_endpoint, failures);
                    }
                }
                Part::Counts {
                    requests: all,
                    failures,
                } => {
                    // Where it is not known of each request how it ended, nothing asks for those that ended in one way.
                    let second = first_second(second);
                    let ok = all.saturating_sub(failures);
                    requests[0].count((Outcomes::All(Outcome::Ok), second), ok, 0);
                    let failed = (Outcomes::All(Outcome::Failed), second);
                    requests[0].count(failed, failures, failures);
                }
                Part::Interval { .. } | Part::Errors { .. } => {}
            }
            Ok(())
        })?;
    }
    parts.users = users
        .into_iter()
        .map(|(second, (change, arrivals))| (second, change, arrivals))
        .filter(|(_, change, arrivals)| *change != 0 || !arrivals.is_empty())
        .collect();
    Ok(())
}

impl RequestParts {
    fn count(&mut self, place: (Outcomes, u32), requests: u64, failures: u64) {
        if requests == 0 {
            return;
        }
        let known = self.counts.entry(place).or_default();
        known.0 = known.0.saturating_add(requests);
        known.1 = known.1.saturating_add(failures);
    }
}

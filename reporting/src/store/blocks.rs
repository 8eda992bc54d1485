//! A stretch of a run for comparing it with others: sums, and how they came about in blocks of seconds.

use std::collections::HashMap;

use greylag_infra::RunId;
use greylag_infra::protocol::Endpoint;
use rusqlite::Connection;

use super::error::StoreResult;
use super::live::endpoints;
use super::scope::{RowScope, Scope};
use super::scope_rows::{self, Requests, Wanted};
use crate::compare::MeasuredRun;
use crate::measure::interval::{Measure, Measures, SparseInterval};
use crate::measure::windows::{ANY_STEP, step_for};

/// Most blocks of a run. Slow noise is told from fast noise with some hundreds; more only take longer.
const MAX_BLOCKS: usize = 512;

/// The whole blocks of a scope, or of what tasks with a tag requested in its seconds, of which there may be none, and the first second of the first.
pub(super) fn read(
    connection: &Connection,
    run_id: &RunId,
    scope: &Scope,
    tag: Option<&str>,
) -> StoreResult<(u32, MeasuredRun)> {
    let scope = RowScope::find(connection, run_id, scope)?.of_tag(tag.map(str::to_owned));
    let names = match tag {
        // Its requests are read as those of one endpoint.
        Some(tag) => vec![Endpoint {
            method: "tag".to_owned(),
            name: tag.to_owned(),
        }],
        None => endpoints(connection, scope.run)?,
    };
    let name_of = |number: i64| names.get(usize::try_from(number).ok()?);
    let step = step_for(scope.to.saturating_sub(scope.from), MAX_BLOCKS, u32::MAX).0;
    // Rows of longer stretches begin at multiples of their width.
    let from = scope.from.next_multiple_of(step);
    let blocks = scope.to.saturating_sub(from) / step;
    let seconds = from..from + blocks * step;
    let mut totals: HashMap<i64, SparseInterval> = HashMap::new();
    let wanted = Wanted {
        requests: Requests::Intervals(Measures::only(Measure::Response)),
        ..Wanted::default()
    };
    let visit = |width, visit: &mut dyn FnMut(u32, i64, SparseInterval)| {
        scope_rows::visit(
            connection,
            &scope,
            seconds.clone(),
            width,
            wanted,
            |second, part| {
                if let scope_rows::Part::Interval { endpoint, numbers } = part {
                    visit(second, endpoint, numbers.only(Measure::Response)?);
                }
                Ok(())
            },
        )
    };
    visit(ANY_STEP, &mut |_, endpoint, requests| {
        totals.entry(endpoint).or_default().merge(&requests);
    })?;
    let totals = totals
        .into_iter()
        .filter_map(|(number, total)| Some((name_of(number)?.clone(), total)));
    let mut run = MeasuredRun::new(blocks as usize, step, totals.collect());
    visit(step, &mut |second, endpoint, requests| {
        if let Some(name) = name_of(endpoint) {
            run.add(((second - from) / step) as usize, name, &requests);
        }
    })?;
    Ok((from, run))
}

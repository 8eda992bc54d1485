//! Errors by text over run time.

use std::collections::BTreeMap;

use greylag_infra::RunId;
use rusqlite::Transaction;

use super::{ChartData, ChartSteps, find, greatest};
use crate::plain_text::plain_text;
use crate::store::error::StoreResult;
use crate::store::live::error_texts;
use crate::store::scope::{RowScope, Scope};
use crate::store::scope_rows::{self, Part, Wanted};

/// Errors by text, whatever their endpoint.
pub(super) fn read(
    connection: &Transaction<'_>,
    run_id: &RunId,
    scope: &Scope,
    steps: ChartSteps,
) -> StoreResult<ChartData> {
    let rows = |scope: &RowScope| {
        let texts = error_texts(connection, scope.run)?;
        Ok(u32::try_from(texts.len()).unwrap_or(u32::MAX))
    };
    let (scope, steps) = find(connection, run_id, scope, rows, steps)?;
    let texts = error_texts(connection, scope.run)?;
    let mut counts: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    let wanted = Wanted {
        errors: !texts.is_empty(),
        ..Wanted::default()
    };
    let seconds = steps.seconds();
    scope_rows::visit(
        connection,
        &scope,
        seconds,
        steps.width(),
        wanted,
        |second, part| {
            let Part::Errors { error, occurrences } = part else {
                return Ok(());
            };
            let text = usize::try_from(error).ok().and_then(|at| texts.get(at));
            if let Some((endpoint, text)) = text
                && scope.has_endpoint(*endpoint)
            {
                let line = counts.entry(text).or_insert_with(|| vec![0; steps.len()]);
                let sum = &mut line[steps.at(second)];
                *sum = sum.saturating_add(occurrences);
            }
            Ok(())
        },
    )?;
    let counts = counts.into_iter();
    let counts = counts.map(|(text, counts)| (plain_text(text), counts));
    Ok(steps.chart(greatest(counts.collect())))
}

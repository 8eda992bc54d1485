//! The custom metrics of a run in parts.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::{MetricParts, PartsAsked, RunParts, chunks, part_of};
use crate::measure::custom::{MetricSums, pack};
use crate::store::error::StoreResult;
use crate::store::metric_rows;
use crate::store::scope::RowScope;

/// How many bytes they have; none if these are more than so many.
pub(super) fn read(
    connection: &Connection,
    scope: &RowScope,
    asked: &PartsAsked,
    most_bytes: usize,
    parts: &mut RunParts,
) -> StoreResult<Option<usize>> {
    let names = metric_rows::names(connection, scope.run)?;
    let chunks = chunks(&parts.edges, &asked.cuts);
    let mut bytes = 0;
    for (metric, number) in names.metrics().iter().zip(0..) {
        let mut of_metric = BTreeMap::new();
        for chunk in &chunks {
            let mut in_chunk = scope.clone();
            (in_chunk.from, in_chunk.to) = (chunk.start, chunk.end);
            // Rows come in the order of their seconds, so that one part is open at a time.
            let (mut open, mut sums) = (0, MetricSums::default());
            let mut close = |part: usize, sums: MetricSums| {
                if !sums.is_empty() {
                    let packed = pack(&sums);
                    bytes += packed.len();
                    of_metric.insert(part, packed);
                }
            };
            metric_rows::visit(
                connection,
                &in_chunk,
                number,
                asked.step_s,
                |second, row| {
                    let part = part_of(&parts.edges, second);
                    if part != open {
                        close(open, std::mem::take(&mut sums));
                        open = part;
                    }
                    sums.add(row);
                },
            )?;
            close(open, sums);
            if bytes > most_bytes {
                return Ok(None);
            }
        }
        parts.metrics.push(MetricParts {
            metric: metric.clone(),
            parts: of_metric,
        });
    }
    Ok(Some(bytes))
}

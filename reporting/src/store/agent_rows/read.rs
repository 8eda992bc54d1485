//! Reading the rows of single agents, as much of each as is needed.

use std::ops::Range;

use rusqlite::blob::Blob;
use rusqlite::{Connection, MAIN_DB, params};

use super::packed_row::{PackedRow, bodies_of, end_of_head};
use super::rolled;
use crate::measure::windows::{decompose, width, within_a_step};
use crate::store::error::{StoreError, StoreResult};
use crate::store::integers::to_sql;
use crate::store::scope::RowScope;

/// Bytes that are read of a row whose head is wanted: most heads are shorter.
const FIRST_BYTES: usize = 2_048;

/// What is needed of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum RowPart {
    /// Users, errors and how many requests there were.
    Head,
    /// Everything of this endpoint.
    Endpoint(i64),
    All,
}

/// A row: run, level, first second and agent.
type RowPlace = (i64, usize, u32, i64);

/// Gives `visit` the first second of each row of a scope's agents in these seconds, and what is needed of the row. Each row
/// belongs to one step of `step` seconds. There are none where the scope is not of single agents.
pub(in crate::store) fn visit(
    connection: &Connection,
    scope: &RowScope,
    seconds: Range<u32>,
    step: u32,
    part: RowPart,
    mut visit: impl FnMut(u32, &PackedRow<'_>) -> StoreResult<()>,
) -> StoreResult<()> {
    let mut reader = Reader::new(connection, part);
    for agent in scope.agents() {
        let rolled = within_a_step(rolled(*agent, scope.rolled_by), step);
        for block in decompose(seconds.start, seconds.end, &rolled) {
            let seconds = block.from..block.to;
            reader.visit_level(scope.run, *agent, block.level, seconds, &mut visit)?;
        }
    }
    Ok(())
}

/// Gives `visit` the rows of one agent and level.
pub(in crate::store) fn visit_level(
    connection: &Connection,
    (run, agent): (i64, i64),
    level: usize,
    seconds: Range<u32>,
    part: RowPart,
    visit: impl FnMut(u32, &PackedRow<'_>) -> StoreResult<()>,
) -> StoreResult<()> {
    Reader::new(connection, part).visit_level(run, agent, level, seconds, visit)
}

/// Gives `visit` the bytes of the rows of a place.
pub(super) fn visit_whole(
    connection: &Connection,
    (run, level, bucket, agent): RowPlace,
    mut visit: impl FnMut(&[u8]) -> StoreResult<()>,
) -> StoreResult<()> {
    let mut statement = connection.prepare_cached(
        "SELECT packed FROM agent_intervals WHERE run = ?1 AND level = ?2 AND bucket = ?3 AND agent = ?4",
    )?;
    let mut rows = statement.query(params![run, to_sql(level as u64), bucket, agent])?;
    while let Some(row) = rows.next()? {
        let packed = row.get_ref(0)?.as_blob();
        visit(packed.map_err(|error| StoreError::Unreadable(error.to_string()))?)?;
    }
    Ok(())
}

/// Reads rows. A row can be megabytes, of which only the pages that are read are taken from the file.
struct Reader<'c> {
    connection: &'c Connection,
    part: RowPart,
    /// The bytes of the row that was read last.
    blob: Option<Blob<'c>>,
    head: Vec<u8>,
    bodies: Vec<u8>,
}

impl<'c> Reader<'c> {
    fn new(connection: &'c Connection, part: RowPart) -> Self {
        Self {
            connection,
            part,
            blob: None,
            head: Vec::new(),
            bodies: Vec::new(),
        }
    }

    fn visit_level(
        &mut self,
        run: i64,
        agent: i64,
        level: usize,
        seconds: Range<u32>,
        mut visit: impl FnMut(u32, &PackedRow<'_>) -> StoreResult<()>,
    ) -> StoreResult<()> {
        for bucket in seconds.step_by(width(level) as usize) {
            let place = (run, level, bucket, agent);
            if self.part == RowPart::All {
                visit_whole(self.connection, place, |packed| {
                    visit(bucket, &PackedRow::read(packed)?)
                })?;
                continue;
            }
            for id in self.ids(place)? {
                visit(bucket, &self.read(id)?)?;
            }
        }
        Ok(())
    }

    fn ids(&self, (run, level, bucket, agent): RowPlace) -> StoreResult<Vec<i64>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id FROM agent_intervals WHERE run = ?1 AND level = ?2 AND bucket = ?3 AND agent = ?4",
        )?;
        let place = params![run, to_sql(level as u64), bucket, agent];
        let ids = statement.query_map(place, |row| row.get(0))?;
        Ok(ids.collect::<Result<_, _>>()?)
    }

    fn read(&mut self, id: i64) -> StoreResult<PackedRow<'_>> {
        let blob = match &mut self.blob {
            Some(blob) => {
                blob.reopen(id)?;
                blob
            }
            none => none.insert(self.connection.blob_open(
                MAIN_DB,
                "agent_intervals",
                "packed",
                id,
                true,
            )?),
        };
        let all = blob.len();
        let head = &mut self.head;
        fill(head, blob, 0..FIRST_BYTES.min(all))?;
        let mut only = None;
        let mut whole = true;
        if let Some(end) = end_of_head(head) {
            if end <= head.len() {
                head.truncate(end);
            } else {
                fill(head, blob, 0..end)?;
            }
            whole = false;
            if let RowPart::Endpoint(endpoint) = self.part {
                self.bodies.clear();
                match bodies_of(head, endpoint)? {
                    Some(ranges) => {
                        for range in ranges {
                            extend(&mut self.bodies, blob, range)?;
                        }
                        only = Some(endpoint);
                    }
                    None => whole = true,
                }
            }
        }
        if whole {
            fill(head, blob, 0..all)?;
        }
        match only {
            Some(endpoint) => PackedRow::read_only(head, endpoint, &self.bodies),
            None => PackedRow::read(head),
        }
    }
}

/// Fills a buffer with these bytes of a row.
fn fill(buffer: &mut Vec<u8>, blob: &Blob<'_>, range: Range<usize>) -> StoreResult<()> {
    buffer.clear();
    extend(buffer, blob, range)
}

fn extend(buffer: &mut Vec<u8>, blob: &Blob<'_>, range: Range<usize>) -> StoreResult<()> {
    // Checked before memory is taken for what a damaged row claims.
    if range.end > blob.len() {
        return Err(StoreError::Unreadable(
            "the results of an agent are cut short".to_owned(),
        ));
    }
    let from = buffer.len();
    buffer.resize(from + range.len(), 0);
    blob.read_at_exact(&mut buffer[from..], range.start)?;
    Ok(())
}

//! Each agent's own part of a run: rows that are only ever added.
//!
//! What a snapshot adds to an agent and a second is one row, so that nothing has to be read to write it, and the rows of
//! a moment are neighbours in the file whichever agents they are of. Rows of the same place add up. A run of a single
//! agent needs none, because all of it is that agent's ([`Grain::None`]). Only at the places of longer stretches, to which
//! an agent that is always late adds with each snapshot, a few rows are made one, without those that cannot be read.
//!
//! Rows of longer stretches are made in time, agent by agent in turn, so that never all of them are due together. How
//! far they are there follows from one number of the run alone ([`rolled`]).

mod packed_row;
mod read;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Range;

use rusqlite::{Connection, params};

pub(super) use self::packed_row::{PackedRow, RowInterval, UserSums};
pub(super) use self::read::{RowPart, visit, visit_level};

use self::packed_row::RowWriter;
use self::read::visit_whole;
use super::error::{StoreError, StoreResult};
use super::integers::{small_from_sql, to_sql};
use crate::measure::interval::IntervalSum;
use crate::measure::packed_counts::{PackedCounts, Precision};
use crate::measure::windows::{LEVELS, NOTHING_ROLLED, Rolled, bucket_of, width};

/// Up to so many agents each one's histograms are kept as exactly as those of all together.
const MAX_FULL_AGENTS: usize = 32;
/// The seconds that a stretch is over before its row is made. What comes later is added at every level.
///
/// Never changed: it says how far the rows of longer stretches are there, also of runs that were saved long ago.
const GRACE_S: u32 = 20;
/// Rows of an agent at one place of a longer stretch before they are made one.
const MAX_ROWS_OF_PLACE: usize = 16;

/// Whether a row can be read, with all that is in it.
pub(super) fn check(packed: &[u8]) -> StoreResult<()> {
    let row = PackedRow::read(packed)?;
    for counts in row.counts() {
        counts?;
    }
    for interval in row.intervals() {
        for (_, counts) in interval?.counts.iter() {
            PackedCounts::from_bytes(counts).visit(|_, _| {})?;
        }
    }
    Ok(())
}

/// How exactly the parts of single agents are kept; decided when a run is created. Counts, sums and extremes are exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grain {
    /// There is one agent, and all of the run is its part.
    None,
    /// Histograms are exact.
    Full,
    /// Histograms have 16 steps per doubling: percentiles are at most 3.2 % from the true ones.
    Coarse,
}

impl Grain {
    /// That of a run with so many agents.
    pub(super) fn of(agents: usize) -> Self {
        match agents {
            0 | 1 => Self::None,
            2..=MAX_FULL_AGENTS => Self::Full,
            _ => Self::Coarse,
        }
    }

    /// In the column of the run.
    pub(super) fn as_sql(self) -> i64 {
        match self {
            Self::None => 0,
            Self::Full => 1,
            Self::Coarse => 2,
        }
    }

    /// From the column of the run.
    pub(super) fn from_sql(value: i64) -> StoreResult<Self> {
        match value {
            0 => Ok(Self::None),
            1 => Ok(Self::Full),
            2 => Ok(Self::Coarse),
            _ => Err(StoreError::Unreadable(format!("{value} is not a grain"))),
        }
    }

    fn precision(self) -> Precision {
        match self {
            Self::None | Self::Full => Precision::Full,
            Self::Coarse => Precision::Coarse,
        }
    }
}

/// Up to where the rows of each level of an agent are there, in a run whose rows were made by this second.
pub(super) fn rolled(agent: i64, rolled_by: Option<u32>) -> Rolled {
    let mut rolled = NOTHING_ROLLED;
    let complete = rolled_by.unwrap_or(0).saturating_sub(GRACE_S);
    let turn = u32::try_from(agent).unwrap_or(0);
    for level in 1..LEVELS {
        let own = complete.saturating_sub(turn % width(level));
        rolled[level] = bucket_of(own.min(rolled[level - 1]), level);
    }
    rolled
}

/// A row of a second that is in rows of longer stretches already.
pub(super) struct LateRow {
    second: u32,
    packed: Vec<u8>,
}

/// Writes the rows of a run's agents.
pub(super) struct AgentRows<'a> {
    pub(super) connection: &'a Connection,
    pub(super) run: i64,
    pub(super) grain: Grain,
    /// The second by which rows of longer stretches were made before.
    pub(super) rolled_by: Option<u32>,
    pub(super) sum: &'a mut IntervalSum,
    /// Agents with rows that would have been too long, and the seconds of these: their histograms are coarse.
    pub(super) coarse: Vec<(i64, Range<u32>)>,
}

impl AgentRows<'_> {
    /// Adds what an agent did in a second. Gives the row, if the second is in rows of longer stretches already: then it is
    /// to be added to these ([`Self::add_late`]).
    pub(super) fn add(
        &mut self,
        agent: i64,
        second: u32,
        users: UserSums,
        errors: &[(i64, u64)],
        intervals: &[RowInterval<'_>],
    ) -> StoreResult<Option<LateRow>> {
        let intervals = intervals.iter().map(std::slice::from_ref);
        let place = (agent, second..second.saturating_add(1));
        let Some(packed) = self.pack(place, users, errors, intervals)? else {
            self.log_left_out(agent, 0, second, "it is too long");
            return Ok(None);
        };
        self.insert(agent, 0, second, &packed)?;
        let is_late = second < rolled(agent, self.rolled_by)[1];
        Ok(is_late.then_some(LateRow { second, packed }))
    }

    /// Adds seconds of an agent to the rows of longer stretches that are there: one row for those of each stretch.
    pub(super) fn add_late(&mut self, agent: i64, late: &[LateRow]) -> StoreResult<()> {
        let rolled = rolled(agent, self.rolled_by);
        for (level, until) in rolled.iter().enumerate().skip(1) {
            let mut stretches: BTreeMap<u32, Vec<Vec<u8>>> = BTreeMap::new();
            for row in late.iter().filter(|row| row.second < *until) {
                let parts = stretches.entry(bucket_of(row.second, level));
                parts.or_default().push(row.packed.clone());
            }
            for (bucket, parts) in stretches {
                self.add_to_stretch(agent, level, bucket, parts)?;
            }
        }
        Ok(())
    }

    fn add_to_stretch(
        &mut self,
        agent: i64,
        level: usize,
        bucket: u32,
        mut parts: Vec<Vec<u8>>,
    ) -> StoreResult<()> {
        let place = bucket..bucket.saturating_add(1);
        let known = self.packed_rows(agent, level, place)?;
        if known.len() >= MAX_ROWS_OF_PLACE {
            self.delete(agent, level, bucket)?;
            parts.extend(known);
        }
        if let [only] = parts.as_slice() {
            return self.insert(agent, level, bucket, only);
        }
        // Those that cannot be added up would fill the place.
        let sum = match self.pack_sum(agent, level, bucket, &parts) {
            Err(StoreError::Unreadable(_)) => {
                self.sum.take();
                let readable = self.readable(agent, level, bucket, parts)?;
                self.pack_sum(agent, level, bucket, &readable)?
            }
            sum => sum?,
        };
        match sum {
            Some(sum) => self.insert(agent, level, bucket, &sum),
            None => {
                self.log_left_out(agent, level, bucket, "it is too long");
                Ok(())
            }
        }
    }

    /// Those of an agent's rows that can be added up.
    fn readable(
        &mut self,
        agent: i64,
        level: usize,
        bucket: u32,
        parts: Vec<Vec<u8>>,
    ) -> StoreResult<Vec<Vec<u8>>> {
        let mut readable = Vec::new();
        for part in parts {
            let added = self.add_up(&part);
            self.sum.take();
            match added {
                Ok(()) => readable.push(part),
                Err(StoreError::Unreadable(reason)) => {
                    self.log_left_out(agent, level, bucket, &reason);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(readable)
    }

    fn add_up(&mut self, packed: &[u8]) -> StoreResult<()> {
        let precision = self.grain.precision();
        for interval in PackedRow::read(packed)?.intervals() {
            let RowInterval { sums, counts, .. } = interval?;
            self.sum.add_parts(&sums, &counts, precision)?;
        }
        Ok(())
    }

    /// Makes the rows of longer stretches that are due when the run has come to this second.
    pub(super) fn roll(&mut self, agents: Range<i64>, present: u32) -> StoreResult<()> {
        for agent in agents {
            let before = rolled(agent, self.rolled_by);
            let after = rolled(agent, Some(present));
            for level in 1..LEVELS {
                self.roll_level(agent, level, before[level]..after[level])?;
            }
        }
        Ok(())
    }

    fn roll_level(&mut self, agent: i64, level: usize, seconds: Range<u32>) -> StoreResult<()> {
        let mut from = seconds.start;
        while from < seconds.end {
            if seconds.end - from > width(level) {
                // So that empty stretches cost nothing.
                match self.next_bucket(level - 1, from..seconds.end)? {
                    Some(next) => from = bucket_of(next, level),
                    None => break,
                }
            }
            match self.roll_bucket(agent, level, from) {
                Ok(()) => {}
                // What one agent's rows hold must not keep the others from being saved.
                Err(StoreError::Unreadable(reason)) => {
                    self.sum.take();
                    self.log_left_out(agent, level, from, &reason);
                }
                Err(error) => return Err(error),
            }
            from += width(level);
        }
        Ok(())
    }

    fn roll_bucket(&mut self, agent: i64, level: usize, bucket: u32) -> StoreResult<()> {
        let parts = self.packed_rows(agent, level - 1, bucket..bucket + width(level))?;
        if parts.is_empty() {
            return Ok(());
        }
        match self.pack_sum(agent, level, bucket, &parts)? {
            Some(packed) => self.insert(agent, level, bucket, &packed)?,
            None => self.log_left_out(agent, level, bucket, "it is too long"),
        }
        Ok(())
    }

    fn log_left_out(&self, agent: i64, level: usize, bucket: u32, reason: &str) {
        let run = self.run;
        tracing::error!(
            run,
            agent,
            level,
            bucket,
            "a row of an agent's own results is left out: {reason}"
        );
    }

    /// The first bucket that a row of any agent is in: that of one alone is not found without reading those of others.
    fn next_bucket(&self, level: usize, seconds: Range<u32>) -> StoreResult<Option<u32>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT bucket FROM agent_intervals
             WHERE run = ?1 AND level = ?2 AND bucket >= ?3 AND bucket < ?4
             ORDER BY bucket LIMIT 1",
        )?;
        let mut rows = statement.query(params![
            self.run,
            to_sql(level as u64),
            seconds.start,
            seconds.end
        ])?;
        Ok(match rows.next()? {
            Some(row) => Some(small_from_sql(row.get(0)?)),
            None => None,
        })
    }

    fn packed_rows(
        &self,
        agent: i64,
        level: usize,
        seconds: Range<u32>,
    ) -> StoreResult<Vec<Vec<u8>>> {
        let mut packed = Vec::new();
        for bucket in seconds.step_by(width(level) as usize) {
            visit_whole(self.connection, (self.run, level, bucket, agent), |row| {
                packed.push(row.to_vec());
                Ok(())
            })?;
        }
        Ok(packed)
    }

    fn pack_sum(
        &mut self,
        agent: i64,
        level: usize,
        bucket: u32,
        parts: &[Vec<u8>],
    ) -> StoreResult<Option<Vec<u8>>> {
        let rows = parts.iter().map(|part| PackedRow::read(part));
        let rows = rows.collect::<StoreResult<Vec<_>>>()?;
        let mut users = UserSums::default();
        let mut errors: Vec<(i64, u64)> = Vec::new();
        let mut intervals = Vec::new();
        for row in &rows {
            users.merge(row.users());
            errors.extend(row.errors());
            for interval in row.intervals() {
                intervals.push(interval?);
            }
        }
        errors.sort_unstable();
        errors.dedup_by(|next, sum| {
            let same = next.0 == sum.0;
            if same {
                sum.1 = sum.1.saturating_add(next.1);
            }
            same
        });
        intervals.sort_by_key(RowInterval::place);
        let by_place = intervals.chunk_by(|one, other| one.place() == other.place());
        let seconds = bucket..bucket.saturating_add(width(level));
        self.pack((agent, seconds), users, &errors, by_place)
    }

    /// Packs a row, each of `intervals` being those of one place that are to be added up. Where it is too long as it
    /// should be, its histograms are coarse; none where that does not help.
    fn pack<'a>(
        &mut self,
        (agent, seconds): (i64, Range<u32>),
        users: UserSums,
        errors: &[(i64, u64)],
        intervals: impl Iterator<Item = &'a [RowInterval<'a>]> + Clone,
    ) -> StoreResult<Option<Vec<u8>>> {
        let writer = RowWriter::new(users, errors);
        let is_second = seconds.len() == 1;
        let packed = self.pack_as(self.grain, writer.clone(), is_second, intervals.clone())?;
        if packed.is_some() || self.grain == Grain::Coarse {
            return Ok(packed);
        }
        self.coarse.push((agent, seconds));
        self.pack_as(Grain::Coarse, writer, is_second, intervals)
    }

    fn pack_as<'a>(
        &mut self,
        grain: Grain,
        mut writer: RowWriter,
        is_second: bool,
        intervals: impl Iterator<Item = &'a [RowInterval<'a>]>,
    ) -> StoreResult<Option<Vec<u8>>> {
        for parts in intervals {
            match parts {
                [] => {}
                [only] if grain == Grain::Full => writer.add(*only),
                [first, ..] => {
                    for part in parts {
                        let precision = grain.precision();
                        self.sum.add_parts(&part.sums, &part.counts, precision)?;
                    }
                    let sum = self.sum.take();
                    writer.add(RowInterval {
                        endpoint: first.endpoint,
                        sums: sum.sums,
                        counts: sum.parts(),
                    });
                }
            }
            if writer.is_too_long() {
                return Ok(None);
            }
        }
        Ok(match grain {
            Grain::Full if is_second => writer.finish_compressed(),
            // Of longer stretches a part is read without the rest, and all of it several times as fast. Coarse histograms are
            // mostly ones, which hardly shrink.
            Grain::None | Grain::Full | Grain::Coarse => writer.finish(),
        })
    }

    fn delete(&self, agent: i64, level: usize, bucket: u32) -> StoreResult<()> {
        self.connection
            .prepare_cached(
                "DELETE FROM agent_intervals WHERE run = ?1 AND level = ?2 AND bucket = ?3 AND agent = ?4",
            )?
            .execute(params![self.run, to_sql(level as u64), bucket, agent])?;
        Ok(())
    }

    fn insert(&self, agent: i64, level: usize, bucket: u32, packed: &[u8]) -> StoreResult<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO agent_intervals (run, level, bucket, agent, packed) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![self.run, to_sql(level as u64), bucket, agent, packed])?;
        Ok(())
    }
}

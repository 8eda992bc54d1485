//! Samples for the scatter plot as rows: at most [`crate::MAX_SAMPLES_PER_SECOND`] per row, whatever its
//! level.

use std::collections::BTreeMap;
use std::ops::Range;

use greylag_infra::RunId;
use greylag_infra::protocol::{Endpoint, SampleData, SampleDetails, SampleKind};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::error::{StoreError, StoreResult};
use super::integers::{from_sql, to_sql};
use super::live::endpoints;
use super::rows::{SamplePoint, SampleRow};
use super::run_rows;
use super::scope::{AGENT, RowScope, Scope};
use super::scope_rows;
use super::stored_interval::ALL_AGENTS;
use crate::measure::samples::{Complete, Sample, choose_shown, drawn_per_row, thin_samples};
use crate::measure::windows::{LEVELS, bucket_of, width};
use crate::plain_text::plain_text;

/// Samples of a run, thinned.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    /// By time.
    pub points: Vec<SamplePoint>,
    /// Which requests are all among them.
    pub complete: Complete,
    /// Requests of the whole scope so far, of which these are some.
    pub of: u64,
}

/// Samples of some consecutive seconds.
#[derive(Debug, Default)]
pub(crate) struct KeptPart {
    pub(crate) seconds: Vec<KeptSecond>,
    /// The second with which the next ones begin; none after the last.
    pub(crate) next: Option<u32>,
}

/// All that is kept of a second.
#[derive(Debug)]
pub(crate) struct KeptSecond {
    /// By time.
    pub(crate) samples: Vec<SampleRow>,
    /// Which requests of this second are all among them.
    pub(crate) complete: Complete,
}

/// A sample as it is stored: packed as a MessagePack array.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct StoredSample {
    pub(super) endpoint: u32,
    pub(super) at_us: u64,
    pub(super) response_us: u64,
    pub(super) failed: bool,
    /// Rows of earlier versions do not have it.
    #[serde(default)]
    pub(super) kind: SampleKind,
    /// Number of the agent. Rows of earlier versions are of one agent, which is in their key.
    #[serde(default)]
    pub(super) agent: i64,
    /// Its error is the number of a text of the run.
    #[serde(default)]
    pub(super) details: SampleDetails,
}

impl Sample for StoredSample {
    fn data(&self) -> SampleData {
        SampleData {
            endpoint: self.endpoint,
            at_us: self.at_us,
            response_us: self.response_us,
            failed: self.failed,
            details: self.details,
            kind: self.kind,
        }
    }
    fn set_kind(&mut self, kind: SampleKind) {
        self.kind = kind;
    }
}

/// Adds samples of all agents at every level.
pub(super) fn add(
    connection: &Connection,
    run: i64,
    samples: Vec<StoredSample>,
) -> StoreResult<()> {
    let mut below = samples;
    for level in 0..LEVELS {
        let mut buckets: BTreeMap<u32, Vec<StoredSample>> = BTreeMap::new();
        for sample in below {
            let second = u32::try_from(sample.at_us / 1_000_000).unwrap_or(u32::MAX);
            buckets
                .entry(bucket_of(second, level))
                .or_default()
                .push(sample);
        }
        below = Vec::new();
        for (bucket, mut new) in buckets {
            thin_samples(&mut new);
            below.extend(&new);
            let row = params![run, to_sql(level as u64), bucket, ALL_AGENTS];
            let packed: Option<Vec<u8>> = connection
                .prepare_cached(
                    "SELECT packed FROM samples WHERE run = ?1 AND level = ?2 AND bucket = ?3 AND agent = ?4",
                )?
                .query_row(row, |row| row.get(0))
                .optional()?;
            if let Some(packed) = packed {
                new.extend(unpack(&packed)?);
                thin_samples(&mut new);
            }
            let packed = rmp_serde::to_vec(&new).expect("numbers always encode");
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO samples (run, level, bucket, agent, packed) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![run, to_sql(level as u64), bucket, ALL_AGENTS, packed])?;
        }
    }
    Ok(())
}

/// The samples of a scope at and after `from_second`: at most `max_points` that were drawn, and a few more.
pub(super) fn read(
    connection: &Connection,
    run_id: &RunId,
    scope: &Scope,
    from_second: u32,
    max_points: usize,
) -> StoreResult<Samples> {
    let scope = RowScope::find(connection, run_id, scope)?;
    let seconds = scope.from.max(from_second)..scope.to;
    let length = seconds.end.saturating_sub(seconds.start).max(1);
    let level = level_for(length, max_points, Share::of(connection, &scope)?);
    let (mut samples, mut complete) = of_rows(connection, &scope, level, seconds)?;
    choose_shown(&mut samples, &mut complete, max_points);
    let names = shown_names(connection, scope.run)?;
    let points = samples
        .into_iter()
        .filter_map(|sample| {
            let endpoint = names.get(sample.endpoint as usize)?;
            Some(SamplePoint {
                at_s: sample.at_us as f64 / 1e6,
                response_ms: sample.response_us as f64 / 1e3,
                method: endpoint.method.clone(),
                name: endpoint.name.clone(),
                failed: sample.failed,
                kind: sample.kind,
            })
        })
        .collect();
    Ok(Samples {
        points,
        complete,
        of: scope_rows::requests(connection, &scope)?,
    })
}

/// The samples of a scope with all that is known of them, and which requests are all among them: at most `max_samples`
/// that were drawn, and a few more.
pub(super) fn read_details(
    connection: &Connection,
    run_id: &RunId,
    scope: &Scope,
    max_samples: usize,
) -> StoreResult<(Vec<SampleRow>, Complete)> {
    let scope = RowScope::find(connection, run_id, scope)?;
    let seconds = scope.from..scope.to;
    let length = seconds.end.saturating_sub(seconds.start).max(1);
    let level = level_for(length, max_samples, Share::of(connection, &scope)?);
    let (mut samples, mut complete) = of_rows(connection, &scope, level, seconds)?;
    choose_shown(&mut samples, &mut complete, max_samples);
    Ok((details(connection, scope.run, samples)?, complete))
}

/// Every sample of a scope that is kept, second by second: of at most `count` seconds from `from` on. None of a second without any.
pub(super) fn read_kept(
    connection: &Connection,
    run_id: &RunId,
    scope: &Scope,
    from: u32,
    count: u32,
) -> StoreResult<KeptPart> {
    let scope = RowScope::find(connection, run_id, scope)?;
    let to = from.saturating_add(count).min(scope.to);
    let shown = Shown::of(connection, scope.run)?;
    let mut seconds = Vec::new();
    for second in from.max(scope.from)..to {
        let (mut samples, complete) = of_rows(connection, &scope, 0, second..second + 1)?;
        samples.sort_by_key(|sample| sample.at_us);
        let samples = shown.details(connection, scope.run, samples)?;
        if !samples.is_empty() {
            seconds.push(KeptSecond { samples, complete });
        }
    }
    Ok(KeptPart {
        seconds,
        next: (to < scope.to).then_some(to),
    })
}

/// The samples of a scope that a dot of the scatter plot stands for: whose request ended in this millisecond of run time
/// after so many µs, as exact as `is_shown_as` compares. Whatever rows the dot came from, the row of its second has it.
pub(super) fn of_dot(
    connection: &Connection,
    run_id: &RunId,
    scope: &Scope,
    at_ms: u64,
    is_shown_as: impl Fn(u64) -> bool,
) -> StoreResult<Vec<SampleRow>> {
    let scope = RowScope::find(connection, run_id, scope)?;
    let second = u32::try_from(at_ms / 1_000).unwrap_or(u32::MAX);
    let seconds = second.max(scope.from)..second.saturating_add(1).min(scope.to);
    let (mut samples, _) = of_rows(connection, &scope, 0, seconds)?;
    samples.retain(|sample| sample.at_us / 1_000 == at_ms && is_shown_as(sample.response_us));
    samples.sort_by_key(|sample| sample.at_us);
    details(connection, scope.run, samples)
}

/// The samples of a scope in the rows of a level, and which requests are all among them.
fn of_rows(
    connection: &Connection,
    scope: &RowScope,
    level: usize,
    seconds: Range<u32>,
) -> StoreResult<(Vec<StoredSample>, Complete)> {
    let mut samples = Vec::new();
    let mut complete = Complete::ALL;
    let mut statement = connection.prepare_cached(&format!(
        "SELECT packed, agent FROM samples
         WHERE run = ?1 AND level = ?2 AND bucket >= ?3 AND bucket < ?4 AND (agent = {ALL_AGENTS} OR {AGENT})"
    ))?;
    let mut rows = statement.query(params![
        scope.run,
        to_sql(level as u64),
        bucket_of(seconds.start, level),
        seconds.end,
        scope.agent_filter()
    ])?;
    while let Some(row) = rows.next()? {
        let packed = row.get_ref(0)?.as_blob();
        let packed = packed.map_err(|error| StoreError::Unreadable(error.to_string()))?;
        let mut of_row = unpack(packed)?;
        complete = complete.and_of(&of_row);
        let agent: i64 = row.get(1)?;
        if agent != ALL_AGENTS {
            for sample in &mut of_row {
                sample.agent = agent;
            }
        }
        of_row.retain(|sample| {
            let second = u32::try_from(sample.at_us / 1_000_000).unwrap_or(u32::MAX);
            let endpoint = i64::from(sample.endpoint);
            let is_of_agent = scope.agents().is_empty() || scope.agents().contains(&sample.agent);
            let has_outcome = scope.has_outcome(1, u64::from(sample.failed));
            seconds.contains(&second)
                && !scope.left_out.contains(second)
                && scope.has_endpoint(endpoint)
                && is_of_agent
                && has_outcome
        });
        samples.extend(of_row);
    }
    Ok((samples, complete))
}

/// Endpoints of a run by number, fit to be shown.
fn shown_names(connection: &Connection, run: i64) -> StoreResult<Vec<Endpoint>> {
    let shown = |endpoint: Endpoint| Endpoint {
        method: plain_text(&endpoint.method),
        name: plain_text(&endpoint.name),
    };
    Ok(endpoints(connection, run)?.into_iter().map(shown).collect())
}

/// What is known of samples, fit to be shown.
fn details(
    connection: &Connection,
    run: i64,
    samples: Vec<StoredSample>,
) -> StoreResult<Vec<SampleRow>> {
    Shown::of(connection, run)?.details(connection, run, samples)
}

/// What the numbers in a run's samples stand for, fit to be shown.
struct Shown {
    endpoints: Vec<Endpoint>,
    agents: Vec<String>,
}

impl Shown {
    fn of(connection: &Connection, run: i64) -> StoreResult<Self> {
        let agents = run_rows::agents(connection, run)?;
        Ok(Self {
            endpoints: shown_names(connection, run)?,
            agents: agents.iter().map(|agent| plain_text(&agent.name)).collect(),
        })
    }

    fn details(
        &self,
        connection: &Connection,
        run: i64,
        samples: Vec<StoredSample>,
    ) -> StoreResult<Vec<SampleRow>> {
        let mut text_of = connection
            .prepare_cached("SELECT text FROM error_texts WHERE run = ?1 AND error = ?2")?;
        let mut error_of = |sample: &StoredSample| -> StoreResult<Option<String>> {
            let Some(number) = sample.details.error else {
                return Ok(None);
            };
            let text: Option<String> = text_of
                .query_row(params![run, number], |row| row.get(0))
                .optional()?;
            Ok(text.map(|text| plain_text(&text)))
        };
        let mut rows = Vec::with_capacity(samples.len());
        for sample in samples {
            let Some(endpoint) = self.endpoints.get(sample.endpoint as usize) else {
                continue;
            };
            let agent = usize::try_from(sample.agent).ok();
            let agent = agent.and_then(|number| self.agents.get(number));
            let SampleDetails {
                first_byte_us,
                status,
                user,
                worker,
                error: _,
                trace_id,
            } = sample.details;
            rows.push(SampleRow {
                at_us: sample.at_us,
                response_us: sample.response_us,
                first_byte_us,
                method: endpoint.method.clone(),
                name: endpoint.name.clone(),
                failed: sample.failed,
                status,
                error: error_of(&sample)?,
                agent: agent.cloned(),
                worker,
                user,
                trace_id,
                kind: sample.kind,
            });
        }
        Ok(rows)
    }
}

/// Most rows that are read, however few of their samples are wanted.
const MAX_ROWS: u32 = 8_192;

/// How many of a run's agents a scope is about: of a row's samples about as large a part is theirs.
#[derive(Debug, Clone, Copy)]
struct Share {
    agents: u64,
    of: u64,
}

impl Share {
    fn of(connection: &Connection, scope: &RowScope) -> StoreResult<Self> {
        if scope.agents().is_empty() {
            return Ok(Self { agents: 1, of: 1 });
        }
        let of: i64 = connection
            .prepare_cached("SELECT count(*) FROM run_agents WHERE run = ?1")?
            .query_row([scope.run], |row| row.get(0))?;
        Ok(Self {
            agents: scope.agents().len() as u64,
            of: from_sql(of),
        })
    }
}

/// The coarsest level whose full rows still make about twice `max_points` samples of those that are wanted: of the rows'
/// different shares the least is that of all.
fn level_for(seconds: u32, max_points: usize, share: Share) -> usize {
    let rows = |level: usize| seconds / width(level);
    let are_enough = |level: &usize| {
        let drawn = u64::from(rows(*level)) * drawn_per_row() as u64;
        drawn.saturating_mul(share.agents) >= (2 * max_points as u64).saturating_mul(share.of)
    };
    let wanted = (1..LEVELS).rev().find(are_enough).unwrap_or(0);
    (wanted..LEVELS)
        .find(|level| rows(*level) <= MAX_ROWS)
        .unwrap_or(LEVELS - 1)
}

/// Whether a row can be read.
pub(super) fn check(packed: &[u8]) -> StoreResult<()> {
    unpack(packed).map(drop)
}

fn unpack(packed: &[u8]) -> StoreResult<Vec<StoredSample>> {
    rmp_serde::from_slice(packed).map_err(|error| StoreError::Unreadable(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_earlier_versions_are_read() {
        let row = [
            rmp_serde::to_vec(&[(3_u32, 5_u64, 7_u64, true)]).unwrap(),
            rmp_serde::to_vec(&[(3_u32, 5_u64, 7_u64, true, SampleKind::Slow)]).unwrap(),
            rmp_serde::to_vec(&[(3_u32, 5_u64, 7_u64, true, SampleKind::Slow, 9_i64)]).unwrap(),
        ];
        for (kind, agent, packed) in [
            (SampleKind::Drawn, 0, &row[0]),
            (SampleKind::Slow, 0, &row[1]),
            (SampleKind::Slow, 9, &row[2]),
        ] {
            let sample = unpack(packed).unwrap()[0];
            let expected = StoredSample {
                endpoint: 3,
                at_us: 5,
                response_us: 7,
                failed: true,
                kind,
                agent,
                details: SampleDetails::default(),
            };
            assert_eq!(sample, expected);
        }
    }

    #[test]
    fn finer_rows_are_read_for_one_agent_of_many_but_not_too_many() {
        let level = |seconds, agents, of| level_for(seconds, 1_000, Share { agents, of });
        let hour = level(3_600, 1, 1);
        assert_eq!(level(3_600, 100, 100), hour);
        assert!(level(3_600, 1, 10) < hour);
        assert_eq!(level(3_600, 1, 1_000), 0);
        let day = 24 * 3_600;
        assert!(day / width(level(day, 1, 1_000)) > 1_000);
        for seconds in [day, 10 * day] {
            assert!(seconds / width(level(seconds, 1, 1_000)) <= MAX_ROWS);
        }
    }
}

//! All of a run in parts of some seconds, for a reader that adds up any stretch of them by itself.
//!
//! Parts begin at the multiples of a step, so that their rows are read as they are stored, and at seconds that are named: what a
//! reader is sure to ask for begins and ends with a part.

mod metrics;
mod requests;

use std::collections::BTreeMap;
use std::ops::Range;

use greylag_infra::protocol::Endpoint;
use greylag_infra::{CustomMetric, RunId};
use rusqlite::Connection;

use super::Store;
use super::agent_set::AgentSet;
use super::error::{StoreError, StoreResult};
use super::error_rows;
use super::integers::from_sql;
use super::live::endpoints;
use super::run_rows::agents;
use super::scope::{RowScope, Scope, Window};
use crate::measure::arrivals::Arrivals;
use crate::measure::interval::{Outcomes, PackedInterval};
use crate::measure::windows::{NOTHING_ROLLED, decompose};

/// Parts by which it is estimated how large all of them are.
const PARTS_LOOKED_AT: u32 = 12;
/// Parts that are read before it is looked at how large they are.
const PARTS_AT_A_TIME: usize = 64;

/// Which parts.
#[derive(Debug, Clone)]
pub(crate) struct PartsAsked {
    /// Seconds in a part.
    pub(crate) step_s: u32,
    /// Whether the requests of each second are counted by themselves, or only those of each part.
    pub(crate) counts_seconds: bool,
    /// Whether the requests to all endpoints are added up.
    pub(crate) together: bool,
    /// Seconds at which a part begins whatever the step.
    pub(crate) cuts: Vec<u32>,
    /// End of the last part, exclusive, where the run has no results up to there yet.
    pub(crate) end: u32,
    /// Most bytes of histograms and custom metrics.
    pub(crate) most_bytes: usize,
    /// Most errors of all parts, each with the agents on which it occurred: how many there are of both.
    pub(crate) most_errors: usize,
}

/// Of what there is more in a run's parts than is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TooMuch {
    /// Histograms and custom metrics.
    Bytes,
    /// Errors and their agents.
    Errors,
}

/// A run in parts.
#[derive(Debug, Default)]
pub(crate) struct RunParts {
    /// First second of each part in order, and the end of the last one.
    pub(crate) edges: Vec<u32>,
    /// Endpoints, by name and method.
    pub(crate) endpoints: Vec<Endpoint>,
    /// The requests to each of these, or to all together.
    pub(crate) requests: Vec<RequestParts>,
    /// Users that came and went, and iterations, by second (or by the first second of some rows) in which there were any.
    pub(crate) users: Vec<(u32, i64, Arrivals)>,
    /// Errors by name and method of their endpoint, then by text.
    pub(crate) errors: Vec<ErrorParts>,
    /// Names of the agents.
    pub(crate) agents: Vec<String>,
    /// Custom metrics in their order, of all agents.
    pub(crate) metrics: Vec<MetricParts>,
}

/// A custom metric.
#[derive(Debug)]
pub(crate) struct MetricParts {
    pub(crate) metric: CustomMetric,
    /// What its values add up to by part, as the bytes of a stored row.
    pub(crate) parts: BTreeMap<usize, Vec<u8>>,
}

/// Requests.
#[derive(Debug, Default)]
pub(crate) struct RequestParts {
    /// By part.
    pub(crate) intervals: BTreeMap<(usize, Outcomes), PackedInterval>,
    /// Requests and failures by second, or by the first second of a part.
    pub(crate) counts: BTreeMap<(Outcomes, u32), (u64, u64)>,
}

/// An error.
#[derive(Debug)]
pub(crate) struct ErrorParts {
    /// Its endpoint's place among those of the run; of a task's error an endpoint without requests.
    pub(crate) endpoint: usize,
    pub(crate) text: String,
    /// How many samples of it are kept.
    pub(crate) samples: u64,
    /// By part.
    pub(crate) parts: BTreeMap<usize, ErrorPart>,
}

/// An error in a part of a run.
#[derive(Debug, Default)]
pub(crate) struct ErrorPart {
    pub(crate) occurrences: u64,
    /// Second of run time in which it occurred first, and last.
    pub(crate) first: u32,
    pub(crate) last: u32,
    /// Numbers of the agents on which it occurred.
    pub(crate) agents: Vec<usize>,
}

impl Store {
    /// A whole run in parts, or of what there is more than asked for.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub(crate) async fn run_parts(
        &self,
        id: &RunId,
        asked: PartsAsked,
    ) -> Result<Result<RunParts, TooMuch>, StoreError> {
        let id = id.clone();
        let query = move |connection: &rusqlite::Transaction<'_>| read(connection, &id, &asked);
        self.inner.readers.run(query).await
    }

    /// About how many bytes of histograms and custom metrics a run has in parts of so many seconds, by some parts in its middle, by
    /// endpoint or `together`.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub(crate) async fn estimated_part_bytes(
        &self,
        id: &RunId,
        step_s: u32,
        together: bool,
    ) -> Result<usize, StoreError> {
        let id = id.clone();
        let query = move |connection: &rusqlite::Transaction<'_>| {
            estimate(connection, &id, step_s, together)
        };
        self.inner.readers.run(query).await
    }
}

fn read(
    connection: &Connection,
    id: &RunId,
    asked: &PartsAsked,
) -> StoreResult<Result<RunParts, TooMuch>> {
    let seconds = Window::new(0, asked.end).map_or_else(|_| Scope::default(), Scope::of_window);
    let scope = RowScope::find(connection, id, &seconds)?;
    let mut parts = RunParts {
        edges: edges(asked, scope.to),
        agents: agents(connection, scope.run)?
            .into_iter()
            .map(|agent| agent.name)
            .collect(),
        ..RunParts::of(endpoints(connection, scope.run)?, asked.together)
    };
    let Some(bytes) = requests::read_intervals(connection, &scope, asked, &mut parts)? else {
        return Ok(Err(TooMuch::Bytes));
    };
    let most = asked.most_bytes - bytes;
    if metrics::read(connection, &scope, asked, most, &mut parts)?.is_none() {
        return Ok(Err(TooMuch::Bytes));
    }
    requests::read_counts(connection, &scope, asked, &mut parts)?;
    if read_errors(connection, &scope, asked.most_errors, &mut parts)?.is_none() {
        return Ok(Err(TooMuch::Errors));
    }
    parts.sort();
    Ok(Ok(parts))
}

fn estimate(
    connection: &Connection,
    id: &RunId,
    step_s: u32,
    together: bool,
) -> StoreResult<usize> {
    let scope = RowScope::find(connection, id, &Scope::default())?;
    let parts = scope.to.div_ceil(step_s);
    let looked_at = parts.min(PARTS_LOOKED_AT);
    let first = (parts - looked_at) / 2 * step_s;
    let asked = PartsAsked {
        step_s,
        counts_seconds: false,
        together,
        cuts: Vec::new(),
        end: scope.to,
        most_bytes: usize::MAX,
        most_errors: 0,
    };
    let end = first.saturating_add(looked_at * step_s).min(scope.to);
    let mut some = RunParts {
        edges: vec![first, end],
        ..RunParts::of(endpoints(connection, scope.run)?, together)
    };
    some.edges
        .splice(1..1, (first + step_s..end).step_by(step_s as usize));
    let bytes = requests::read_intervals(connection, &scope, &asked, &mut some)?.unwrap_or(0);
    let of_metrics = metrics::read(connection, &scope, &asked, usize::MAX, &mut some)?;
    let bytes = bytes.saturating_add(of_metrics.unwrap_or(0));
    let shared = bytes / (looked_at as usize).max(1);
    Ok(shared.saturating_mul(parts as usize))
}

/// The first seconds of parts, and the end of the run.
fn edges(asked: &PartsAsked, end: u32) -> Vec<u32> {
    let mut edges: Vec<u32> = (0..end).step_by(asked.step_s.max(1) as usize).collect();
    edges.extend(asked.cuts.iter().filter(|second| **second < end));
    edges.sort_unstable();
    edges.dedup();
    edges.push(end);
    edges
}

/// Errors, of each second by itself: that is how exactly it is known when they were seen. Gives how many there are of all parts and their agents; none
/// if these are more than are wanted.
fn read_errors(
    connection: &Connection,
    scope: &RowScope,
    most: usize,
    parts: &mut RunParts,
) -> StoreResult<Option<usize>> {
    let mut statement = connection.prepare_cached(
        "SELECT endpoint, text, samples FROM error_texts WHERE run = ?1 ORDER BY error",
    )?;
    let rows = statement.query_map([scope.run], |row| {
        Ok((row.get::<_, i64>(0)?, row.get(1)?, row.get::<_, i64>(2)?))
    })?;
    for row in rows {
        let (endpoint, text, samples) = row?;
        parts.errors.push(ErrorParts {
            endpoint: usize::try_from(endpoint).unwrap_or(usize::MAX),
            text,
            samples: from_sql(samples),
            parts: BTreeMap::new(),
        });
    }
    let mut entries = 0;
    if parts.errors.is_empty() {
        return Ok(Some(entries));
    }
    let mut agents: BTreeMap<(usize, usize), AgentSet> = BTreeMap::new();
    for block in decompose(scope.from, scope.to, &NOTHING_ROLLED) {
        error_rows::visit(connection, scope, block, |sum| {
            let part = part_of(&parts.edges, sum.bucket);
            let error = usize::try_from(sum.error).ok();
            let Some((number, error)) =
                error.and_then(|number| Some((number, parts.errors.get_mut(number)?)))
            else {
                return Ok(());
            };
            if entries > most {
                return Ok(());
            }
            let known = error.parts.entry(part).or_insert_with(|| {
                entries += 1;
                ErrorPart {
                    first: sum.bucket,
                    ..ErrorPart::default()
                }
            });
            known.occurrences = known.occurrences.saturating_add(sum.occurrences);
            known.first = known.first.min(sum.bucket);
            known.last = known.last.max(sum.bucket);
            let set = agents.entry((number, part)).or_default();
            set.add(sum.agents.as_bytes());
            Ok(())
        })?;
    }
    entries += agents.values().map(|set| set.iter().count()).sum::<usize>();
    if entries > most {
        return Ok(None);
    }
    for ((number, part), set) in agents {
        if let Some(known) = parts.errors[number].parts.get_mut(&part) {
            known.agents = set.iter().collect();
        }
    }
    Ok(Some(entries))
}

impl RunParts {
    /// Without any results.
    fn of(endpoints: Vec<Endpoint>, together: bool) -> Self {
        let groups = if together { 1 } else { endpoints.len() };
        let mut requests = Vec::new();
        requests.resize_with(groups, RequestParts::default);
        Self {
            endpoints,
            requests,
            ..Self::default()
        }
    }

    /// Brings endpoints and errors into the order in which they are shown.
    fn sort(&mut self) {
        let endpoints = std::mem::take(&mut self.endpoints);
        let mut numbered: Vec<(usize, Endpoint)> = endpoints.into_iter().enumerate().collect();
        numbered.sort_by(|(_, a), (_, b)| (&a.name, &a.method).cmp(&(&b.name, &b.method)));
        let mut place = vec![0; numbered.len()];
        for (at, (number, _)) in numbered.iter().enumerate() {
            place[*number] = at;
        }
        if self.requests.len() == place.len() {
            let mut requests = std::mem::take(&mut self.requests);
            let sorted = numbered
                .iter()
                .map(|(number, _)| std::mem::take(&mut requests[*number]));
            self.requests = sorted.collect();
        }
        self.endpoints = numbered.into_iter().map(|(_, endpoint)| endpoint).collect();
        self.errors.retain(|error| error.endpoint < place.len());
        for error in &mut self.errors {
            error.endpoint = place[error.endpoint];
        }
        self.errors
            .sort_by(|a, b| (a.endpoint, &a.text).cmp(&(b.endpoint, &b.text)));
    }
}

/// Stretches of some parts each. None goes over a cut, where rows of several seconds would.
fn chunks(edges: &[u32], cuts: &[u32]) -> Vec<Range<u32>> {
    let last = edges.len() - 1;
    let begins =
        |at: usize| at.is_multiple_of(PARTS_AT_A_TIME) || at == last || cuts.contains(&edges[at]);
    let starts: Vec<u32> = (0..=last)
        .filter(|at| begins(*at))
        .map(|at| edges[at])
        .collect();
    starts.windows(2).map(|pair| pair[0]..pair[1]).collect()
}

/// The part that a second of the run is in.
fn part_of(edges: &[u32], second: u32) -> usize {
    edges
        .partition_point(|edge| *edge <= second)
        .saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use greylag_infra::protocol::Snapshot;
    use greylag_infra::{
        BuildInfo, Completeness, LoadProfile, LoadTest, RunAgent, RunPhase, RunRecord, WallTime,
    };

    use super::*;
    use crate::measure::interval::Interval;

    #[tokio::test]
    async fn more_errors_than_are_wanted_are_not_given() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let agent = RunAgent {
            id: "a".into(),
            name: "a".to_owned(),
            build: BuildInfo::default(),
            workers: vec![0],
            last_seq: 0,
            saved_until: 0,
            end: None,
        };
        let run = RunRecord {
            id: "r".into(),
            number: 1,
            test: LoadTest::default(),
            phase: RunPhase::Running,
            created_at: WallTime::default(),
            started_at: Some(WallTime::default()),
            ended_at: None,
            agents: vec![agent],
            profile: LoadProfile::default(),
            completeness: Completeness::default(),
        };
        store.create_run(run).await.unwrap();
        let intervals = (0..4).map(|second| {
            let mut interval = Interval::default();
            interval.record(Duration::from_millis(1), None, 0, Some("broken"));
            interval.to_wire(second, 0)
        });
        let snapshot = Snapshot {
            run_id: "r".into(),
            seq: 1,
            endpoints: vec![Endpoint {
                method: "GET".to_owned(),
                name: "/".to_owned(),
            }],
            intervals: intervals.collect(),
            ..Snapshot::default()
        };
        store
            .save_snapshot(&"r".into(), &"a".into(), snapshot)
            .await
            .unwrap();
        let parts = async |step_s, most_errors| {
            let asked = PartsAsked {
                step_s,
                counts_seconds: true,
                together: false,
                cuts: Vec::new(),
                end: 4,
                most_bytes: usize::MAX,
                most_errors,
            };
            store.run_parts(&"r".into(), asked).await.unwrap()
        };
        // In each part an error and the agent on which it occurred.
        assert_eq!(parts(1, 8).await.unwrap().errors[0].parts.len(), 4);
        assert_eq!(parts(1, 7).await.unwrap_err(), TooMuch::Errors);
        assert_eq!(parts(4, 2).await.unwrap().errors[0].parts.len(), 1);
        assert_eq!(parts(4, 1).await.unwrap_err(), TooMuch::Errors);
    }
}

//! What the writer keeps in memory about active runs: bounded by endpoints and errors, never by time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use greylag_infra::protocol::{
    CustomMetric, Endpoint, LeftOut, MAX_ENDPOINTS, MAX_ERRORS, MetricNames, OTHER, WorkerState,
};
use greylag_infra::{AgentId, RunId, RunRecord, WallClock, WallTime};
use rusqlite::{Connection, Transaction, params};

use super::agent_rows::Grain;
use super::error::{StoreError, StoreResult};
use super::integers::{small_from_sql, to_sql};
use super::lock::DirectoryLock;
use super::recent_rows::RecentRows;
use super::scope::Scope;
use super::totals::{self, RunTotals};
use super::upkeep::Upkeep;
use super::{metric_rows, rollup, run_rows, second_rows};
use crate::measure::interval::{IntervalSum, Measures};
use crate::measure::windows::Rolled;

/// Whole-run totals of active runs, as of the last saved snapshot.
pub(super) type LiveTotals = Arc<Mutex<HashMap<RunId, Arc<RunTotals>>>>;

/// What the writer thread owns.
#[derive(Debug)]
pub(super) struct WriterState {
    pub(super) connection: Connection,
    pub(super) live: HashMap<RunId, LiveRun>,
    pub(super) totals: LiveTotals,
    pub(super) upkeep: Upkeep,
    pub(super) clock: WallClock,
    _lock: DirectoryLock,
}

impl WriterState {
    pub(super) fn new(
        connection: Connection,
        totals: LiveTotals,
        lock: DirectoryLock,
        clock: WallClock,
    ) -> Self {
        Self {
            connection,
            live: HashMap::new(),
            totals,
            upkeep: Upkeep::at_start(),
            clock,
            _lock: lock,
        }
    }

    /// Does some writing in one transaction.
    pub(super) fn transaction<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> StoreResult<T>,
    ) -> StoreResult<T> {
        let transaction = self.connection.transaction()?;
        let answer = work(&transaction)?;
        transaction.commit()?;
        Ok(answer)
    }

    /// Agents of the runs that are being saved.
    pub(super) fn live_agents(&self) -> usize {
        self.live.values().map(|live| live.agents.len()).sum()
    }

    /// Forgets what is kept of a run; what is needed again is read again.
    pub(super) fn forget(&mut self, run_id: &RunId) {
        self.live.remove(run_id);
        lock_totals(&self.totals).remove(run_id);
    }

    /// The whole-run totals of a run, which are kept up from here on if it is active.
    pub(super) fn live_totals(&mut self, run_id: &RunId) -> StoreResult<Arc<RunTotals>> {
        if let Some(totals) = lock_totals(&self.totals).get(run_id) {
            return Ok(Arc::clone(totals));
        }
        let transaction = self.connection.transaction()?;
        let whole = Scope::default();
        let read = Arc::new(totals::read(&transaction, run_id, &whole, Measures::ALL)?);
        let is_over = LiveRun::load(&transaction, run_id, self.clock)?.is_over;
        drop(transaction);
        if !is_over {
            lock_totals(&self.totals).insert(run_id.to_owned(), Arc::clone(&read));
        }
        Ok(read)
    }

    /// Puts everything into the database file itself, at the end.
    pub(super) fn finish(&mut self) {
        let checkpoint = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        if let Err(error) = checkpoint {
            tracing::warn!(%error, "the database's write-ahead log remains until the next start");
        }
    }
}

/// The totals' lock, whoever panicked with it.
pub(super) fn lock_totals(
    totals: &LiveTotals,
) -> std::sync::MutexGuard<'_, HashMap<RunId, Arc<RunTotals>>> {
    totals.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One agent's place in a run.
#[derive(Debug)]
pub(super) struct LiveAgent {
    pub(super) number: i64,
    pub(super) workers: Vec<u32>,
    pub(super) last_seq: u64,
    pub(super) saved_until: u32,
    pub(super) ended: bool,
}

/// What saving a snapshot needs to know about its run. After a failed transaction it is thrown away, because
/// it may know what was not saved.
#[derive(Debug)]
pub(super) struct LiveRun {
    pub(super) key: i64,
    pub(super) clock: WallClock,
    pub(super) is_over: bool,
    /// Whether it takes results although it is over.
    pub(super) takes_late_results: bool,
    /// Seconds at and beyond this one cannot belong to the run.
    pub(super) end_of_time: u32,
    pub(super) agents: HashMap<AgentId, LiveAgent>,
    pub(super) last_second: Option<u32>,
    /// The second by which rows of longer stretches were made.
    pub(super) rolled_by: Option<u32>,
    started_at: Option<WallTime>,
    pub(super) rolled: Rolled,
    /// How exactly its agents are kept; none until something is saved of a run that an earlier version began.
    pub(super) grain: Option<Grain>,
    /// Whether it is noted that successful and failed requests are mixed in some rows.
    pub(super) may_be_mixed: bool,
    pub(super) recent: RecentRows,
    pub(super) sum: IntervalSum,
    /// Workers by index, as they are stored.
    pub(super) workers: HashMap<u32, WorkerState>,
    /// The tags that its thresholds are about, by position.
    pub(super) counted_tags: Vec<String>,
    metrics: MetricNames,
    endpoints: HashMap<Endpoint, i64>,
    endpoints_by_number: Vec<Endpoint>,
    errors: HashMap<(i64, String), i64>,
    errors_by_number: Vec<(i64, String)>,
    /// Whether an error did not fit any more.
    errors_are_full: bool,
}

/// How long after its planned end and stop timeout a run may still have results, in seconds: clocks are set
/// right, machines sleep.
const END_SLACK_S: u64 = 3_600;

/// How far the clock of an agent may be ahead of the coordinator's before its results are of a time that the run has not come to.
const AHEAD_S: u32 = 2;

/// Seconds of run time at and beyond this one cannot belong to a run.
fn end_of_time(record: &RunRecord) -> u32 {
    let end = record
        .test
        .duration_s
        .saturating_add(record.test.stop_timeout_s)
        .saturating_add(END_SLACK_S);
    u32::try_from(end).unwrap_or(u32::MAX)
}

/// The row that takes what is beyond [`MAX_ENDPOINTS`].
pub fn other_endpoint() -> Endpoint {
    Endpoint {
        method: String::new(),
        name: OTHER.to_owned(),
    }
}

impl LiveRun {
    /// Reads what is known about a run.
    pub(super) fn load(connection: &Connection, id: &RunId, clock: WallClock) -> StoreResult<Self> {
        let record = run_rows::by_id(connection, id)?
            .ok_or_else(|| StoreError::UnknownRun(id.shortened()))?;
        let key = run_rows::key_of(connection, id)?;
        let endpoints = endpoints(connection, key)?;
        let errors = error_texts(connection, key)?;
        let LastSeconds {
            last_second,
            rolled_by,
        } = last_seconds(connection, key)?;
        Ok(Self {
            key,
            clock,
            is_over: record.phase.is_over(),
            takes_late_results: record.completeness.takes_late_results(clock.now()),
            end_of_time: end_of_time(&record),
            counted_tags: record.test.counted_tags(),
            agents: (0..)
                .zip(record.agents)
                .map(|(number, agent)| {
                    let live = LiveAgent {
                        number,
                        workers: agent.workers,
                        last_seq: agent.last_seq,
                        saved_until: agent.saved_until,
                        ended: agent.end.is_some(),
                    };
                    (agent.id, live)
                })
                .collect(),
            last_second,
            rolled_by,
            started_at: record.started_at,
            rolled: rollup::read_rolled(connection, key)?,
            grain: run_rows::grain(connection, key)?,
            may_be_mixed: false,
            recent: RecentRows::after(last_second),
            sum: IntervalSum::default(),
            workers: HashMap::new(),
            metrics: metric_rows::names(connection, key)?,
            endpoints: (0..).zip(&endpoints).map(|(n, e)| (e.clone(), n)).collect(),
            endpoints_by_number: endpoints,
            // Where an agent did so itself, it has warned.
            errors_are_full: errors.len() >= MAX_ERRORS
                && errors.iter().any(|(_, text)| text == OTHER),
            errors: (0..).zip(&errors).map(|(n, e)| (e.clone(), n)).collect(),
            errors_by_number: errors,
        })
    }

    /// Its record was saved so.
    pub(super) fn follow(&mut self, record: &RunRecord) {
        self.is_over = record.phase.is_over();
        self.takes_late_results = record.completeness.takes_late_results(self.clock.now());
        self.end_of_time = end_of_time(record);
        self.started_at = record.started_at;
        for agent in &record.agents {
            if let Some(live) = self.agents.get_mut(&agent.id) {
                live.ended |= agent.end.is_some();
            }
        }
    }

    /// The second that the run has come to: the last one that has anything, but by the clock, so that results that an agent
    /// takes to be of a later time do not make those of all others late.
    pub(super) fn present_second(&self, last_second: u32) -> u32 {
        let now = self.clock.now();
        match self.started_at {
            Some(start) if start <= now => {
                let second = now.run_time(start).second().saturating_add(AHEAD_S);
                last_second.min(second)
            }
            // The clock has been set since: it says nothing.
            _ => last_second,
        }
    }

    /// The number of an endpoint, a new one while there are fewer than [`MAX_ENDPOINTS`], then that of
    /// [`other_endpoint`]. Also whether this was the first that did not fit.
    pub(super) fn endpoint_number(
        &mut self,
        connection: &Connection,
        endpoint: &Endpoint,
    ) -> StoreResult<(i64, bool)> {
        if let Some(number) = self.endpoints.get(endpoint) {
            return Ok((*number, false));
        }
        let other = other_endpoint();
        let full = self.endpoints.len() >= MAX_ENDPOINTS && *endpoint != other;
        if full && let Some(number) = self.endpoints.get(&other) {
            return Ok((*number, false));
        }
        let endpoint = if full { other } else { endpoint.clone() };
        let number = to_sql(self.endpoints.len() as u64);
        connection
            .prepare_cached(
                "INSERT INTO endpoints (run, endpoint, method, name) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![self.key, number, endpoint.method, endpoint.name])?;
        self.endpoints_by_number.push(endpoint.clone());
        self.endpoints.insert(endpoint, number);
        Ok((number, full))
    }

    /// The number of an endpoint's error, a new one while there are fewer than [`MAX_ERRORS`] in the run,
    /// then that of the endpoint's [`OTHER`]. Also whether this was the first of the run that did not fit.
    pub(super) fn error_number(
        &mut self,
        connection: &Connection,
        endpoint: i64,
        text: &str,
    ) -> StoreResult<(i64, bool)> {
        let mut key = (endpoint, text.to_owned());
        if let Some(number) = self.errors.get(&key) {
            return Ok((*number, false));
        }
        let full = self.errors.len() >= MAX_ERRORS && text != OTHER;
        let first_beyond = full && !self.errors_are_full;
        if full {
            self.errors_are_full = true;
            key.1 = OTHER.to_owned();
            if let Some(number) = self.errors.get(&key) {
                return Ok((*number, first_beyond));
            }
        }
        let number = to_sql(self.errors.len() as u64);
        connection
            .prepare_cached(
                "INSERT INTO error_texts (run, error, endpoint, text) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![self.key, number, endpoint, key.1])?;
        self.errors_by_number.push(key.clone());
        self.errors.insert(key, number);
        Ok((number, first_beyond))
    }

    /// The number of a custom metric, a new one if its name is new; or why its values are left out.
    pub(super) fn metric_number(
        &mut self,
        connection: &Connection,
        metric: &CustomMetric,
    ) -> StoreResult<Result<u32, LeftOut>> {
        let known = self.metrics.metrics().len();
        let number = self.metrics.number(&metric.name, metric.kind, &metric.unit);
        if let Some(new) = self.metrics.metrics().get(known) {
            metric_rows::add_name(connection, self.key, known as u32, new)?;
        }
        Ok(number)
    }

    /// How many custom metrics the run has.
    pub(super) fn metrics(&self) -> u32 {
        // At most a hundred.
        self.metrics.metrics().len() as u32
    }

    /// How exactly the run's agents are kept. What an earlier version began is decided when something is saved of it.
    pub(super) fn grain(&mut self, connection: &Connection) -> StoreResult<Grain> {
        if let Some(grain) = self.grain {
            return Ok(grain);
        }
        let grain = Grain::of(self.agents.len());
        let unknown = second_rows::has_unattributed_changes(connection, self.key)?;
        run_rows::save_grain(connection, self.key, grain, unknown)?;
        self.grain = Some(grain);
        Ok(grain)
    }

    /// Notes with the run that successful and failed requests are mixed in some of its rows: an agent of an earlier version
    /// counts them together.
    pub(super) fn note_mixed(&mut self, connection: &Connection) -> StoreResult<()> {
        if !self.may_be_mixed {
            connection
                .prepare_cached("UPDATE runs SET may_be_mixed = 1 WHERE run = ?1")?
                .execute([self.key])?;
            self.may_be_mixed = true;
        }
        Ok(())
    }

    /// The endpoint with this number, as [`Self::endpoint_number`] gave it.
    pub(super) fn endpoint(&self, number: i64) -> Option<&Endpoint> {
        self.endpoints_by_number.get(usize::try_from(number).ok()?)
    }

    /// The endpoint's number and the text of the error with this number, as [`Self::error_number`] gave it.
    pub(super) fn error(&self, number: i64) -> Option<(i64, &str)> {
        let (endpoint, text) = self.errors_by_number.get(usize::try_from(number).ok()?)?;
        Some((*endpoint, text))
    }
}

/// Endpoints of a run by number: they are numbered from 0 without gaps.
pub(super) fn endpoints(connection: &Connection, run: i64) -> StoreResult<Vec<Endpoint>> {
    let mut statement = connection
        .prepare_cached("SELECT method, name FROM endpoints WHERE run = ?1 ORDER BY endpoint")?;
    let rows = statement.query_map([run], |row| {
        Ok(Endpoint {
            method: row.get(0)?,
            name: row.get(1)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Errors of a run by number, likewise: the endpoint's number and the text.
pub(super) fn error_texts(connection: &Connection, run: i64) -> StoreResult<Vec<(i64, String)>> {
    let mut statement = connection
        .prepare_cached("SELECT endpoint, text FROM error_texts WHERE run = ?1 ORDER BY error")?;
    let rows = statement.query_map([run], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The last second of a run that has anything.
pub(super) fn last_second(connection: &Connection, run: i64) -> StoreResult<Option<u32>> {
    Ok(last_seconds(connection, run)?.last_second)
}

/// How far a run has come.
#[derive(Debug, Clone, Copy)]
pub(super) struct LastSeconds {
    /// The last second that has anything.
    pub(super) last_second: Option<u32>,
    /// The second by which the rows of longer stretches were made.
    pub(super) rolled_by: Option<u32>,
}

pub(super) fn last_seconds(connection: &Connection, run: i64) -> StoreResult<LastSeconds> {
    let second = |second: Option<i64>| second.map(small_from_sql);
    Ok(connection
        .prepare_cached(
            "SELECT last_second, coalesce(rolled_by, last_second) FROM runs WHERE run = ?1",
        )?
        .query_row([run], |row| {
            Ok(LastSeconds {
                last_second: second(row.get(0)?),
                rolled_by: second(row.get(1)?),
            })
        })?)
}

#[cfg(test)]
mod tests {
    use greylag_infra::protocol::Snapshot;
    use greylag_infra::{
        BuildInfo, Completeness, LATE_RESULTS, LoadProfile, LoadTest, RunAgent, RunPhase,
        RunRecord, WallTime,
    };

    use super::super::{SaveOutcome, Store};
    use super::*;

    fn over(id: &RunId, ended_at: WallTime) -> RunRecord {
        let mut completeness = Completeness::default();
        completeness.wait_for_late_results(ended_at);
        RunRecord {
            id: id.to_owned(),
            number: 0,
            test: LoadTest::default(),
            phase: RunPhase::Finished,
            created_at: WallTime::default(),
            started_at: Some(WallTime::default()),
            ended_at: Some(ended_at),
            agents: vec![RunAgent {
                id: "a".into(),
                name: "a".to_owned(),
                workers: vec![0],
                last_seq: 0,
                saved_until: 0,
                end: None,
                build: BuildInfo::default(),
            }],
            profile: LoadProfile::default(),
            completeness,
        }
    }

    #[tokio::test]
    async fn late_results_are_taken_by_the_clock_of_the_runs_whatever_the_wall_clock_says() {
        let dir = tempfile::tempdir().unwrap();
        // In 1970: the wall clock has been set since.
        let now = WallTime::default() + 2 * LATE_RESULTS;
        let store = Store::open_at(dir.path(), WallClock::showing(now)).unwrap();
        let first = |run_id: &RunId| Snapshot {
            run_id: run_id.to_owned(),
            seq: 1,
            ..Snapshot::default()
        };
        store
            .create_run(over(&"in time".into(), now))
            .await
            .unwrap();
        let saved = store
            .save_snapshot(&"in time".into(), &"a".into(), first(&"in time".into()))
            .await;
        assert_eq!(saved.unwrap(), SaveOutcome::Saved);
        let long_ago = now - LATE_RESULTS;
        store
            .create_run(over(&"too late".into(), long_ago))
            .await
            .unwrap();
        let refused = store
            .save_snapshot(&"too late".into(), &"a".into(), first(&"too late".into()))
            .await;
        assert!(refused.unwrap_err().is_unknown_run());
    }
}

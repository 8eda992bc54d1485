//! How the thresholds of runs stand, and what is kept of it when a run is over.
//!
//! While a run goes on, its evaluation is kept in memory and takes in each second once all agents have delivered it: it costs
//! the same every second. What it says follows from the rows alone, so a coordinator that is restarted takes the seconds in
//! again and says the same. When the run is over the results are stored with it, for lists and so that they are not computed
//! again; when results of agents come later they are outdated, and stay until the run has been judged again.

mod baseline;
mod noise;
mod rows;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use greylag_infra::{RunId, RunRecord, TestVerdict, ThresholdResult};
use rusqlite::{Connection, params};

use self::baseline::KeptBaseline;
use self::rows::{counted_before, take_in};
use super::Store;
use super::error::{StoreError, StoreResult};
use super::live::{WriterState, last_second};
use super::notice_rows::failures;
use super::run_rows::{from_json, json, key_of};
use crate::thresholds::{Counted, Evaluation, ThresholdAbort};

/// Seconds that are read of the database at a time: what is in memory meanwhile.
const SECONDS_AT_A_TIME: u32 = 64;
/// How often the thresholds of a run that is over are judged again because results came meanwhile.
const MAX_TRIALS: usize = 5;

/// How the thresholds of active runs stand.
#[derive(Debug, Default)]
pub(super) struct LiveThresholds(Mutex<HashMap<RunId, Arc<JudgedRun>>>);

/// How those of one run stand.
#[derive(Debug, Default)]
struct JudgedRun {
    /// None before the first second, and while it is at work.
    evaluation: tokio::sync::Mutex<Option<Evaluation>>,
    shown: Mutex<Option<Arc<Vec<ThresholdResult>>>>,
}

impl LiveThresholds {
    fn of(&self, id: &RunId) -> Arc<JudgedRun> {
        Arc::clone(self.runs().entry(id.to_owned()).or_default())
    }

    fn shown(&self, id: &RunId) -> Option<Arc<Vec<ThresholdResult>>> {
        let judged = self.runs().get(id).map(Arc::clone)?;
        judged.shown().clone()
    }

    fn forget(&self, id: &RunId) {
        self.runs().remove(id);
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<RunId, Arc<JudgedRun>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl JudgedRun {
    fn shown(&self) -> MutexGuard<'_, Option<Arc<Vec<ThresholdResult>>>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// How the thresholds of a run stand: as they were judged last while it goes on, and for good when it is over. Where results
    /// came since, they stand as they did until they are judged again, so that whoever looks does not take the place of the one
    /// who says what changed.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub async fn threshold_results(
        &self,
        record: &RunRecord,
    ) -> Result<Arc<Vec<ThresholdResult>>, StoreError> {
        if record.test.thresholds.is_empty() {
            return self.failures(record).await.map(Arc::new);
        }
        if record.phase.is_over() {
            if let Some(stored) = self.stored_results(&record.id).await? {
                return Ok(Arc::new(stored));
            }
            if let Some(mut results) = self.last_results(&record.id).await? {
                // What the scenario's code says failed is not judged.
                results.truncate(record.test.thresholds.len());
                results.extend(self.failures(record).await?);
                return Ok(Arc::new(results));
            }
            return Ok(self.judge(record).await?.results);
        }
        if let Some(shown) = self.inner.thresholds.shown(&record.id) {
            return Ok(shown);
        }
        let baseline = self.baseline(record).await?;
        Ok(Arc::new(evaluation(record, &baseline).results(record)))
    }

    /// Judges the thresholds of a run as far as all of its agents have delivered, or for good when it is over; then the
    /// results are kept.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub async fn judge(&self, record: &RunRecord) -> Result<Judgement, StoreError> {
        if !record.phase.is_over() {
            return self.judge_so_far(record).await;
        }
        let judged = self.judge_for_good(record).await;
        // Whatever came of it: what is in memory is of a run in progress.
        self.inner.thresholds.forget(&record.id);
        judged
    }

    async fn judge_so_far(&self, record: &RunRecord) -> StoreResult<Judgement> {
        let judged = self.inner.thresholds.of(&record.id);
        let mut kept = judged.evaluation.lock().await;
        let until = match delivered_until(record) {
            Some(until) => until,
            None => self.end_second(&record.id).await?,
        };
        let known = kept.take();
        let evaluation = self.continued(record, known, until).await?;
        let mut results = evaluation.results(record);
        results.extend(self.failures(record).await?);
        let judgement = Judgement {
            results: Arc::new(results),
            abort: evaluation.abort(),
            is_kept: false,
        };
        *judged.shown() = Some(Arc::clone(&judgement.results));
        *kept = Some(evaluation);
        Ok(judgement)
    }

    async fn judge_for_good(&self, record: &RunRecord) -> StoreResult<Judgement> {
        let judged = self.inner.thresholds.of(&record.id);
        let mut kept = judged.evaluation.lock().await;
        if let Some(stored) = self.stored_results(&record.id).await? {
            return Ok(Judgement {
                results: Arc::new(stored),
                abort: None,
                is_kept: true,
            });
        }
        let mut known = kept.take();
        let mut results = Arc::default();
        let mut is_kept = false;
        let now = self.clock().now();
        for _ in 0..MAX_TRIALS {
            // The seconds at the end in which nothing happened count, too.
            let until = self.end_second(&record.id).await?;
            let until = until.max(record.run_time(now).second());
            let mut evaluation = self.continued(record, known.take(), until).await?;
            evaluation.finish(record.elapsed_s(now));
            let mut judged = evaluation.results(record);
            let baseline = self.baseline(record).await?;
            self.weigh_noise(record, &baseline, &mut judged).await?;
            judged.extend(self.failures(record).await?);
            results = Arc::new(judged);
            let saved = self.save_results(&record.id, &evaluation, Arc::clone(&results));
            is_kept = saved.await?;
            if is_kept {
                break;
            }
        }
        Ok(Judgement {
            // As whoever asks next reads it: a number may change in its last place when it is read from a text.
            results: Arc::new(from_json(&json(&*results))?),
            abort: None,
            is_kept,
        })
    }

    /// An evaluation that has taken in the seconds up to `until`, from where a known one is.
    async fn continued(
        &self,
        record: &RunRecord,
        known: Option<Evaluation>,
        until: u32,
    ) -> StoreResult<Evaluation> {
        // An agent may have said that it has delivered more than the run came to.
        let goes_on = |known: &Evaluation| known.is_of(record) && known.next() <= until;
        let begun = match known.filter(goes_on) {
            Some(known) => known,
            None => evaluation(record, &self.baseline(record).await?),
        };
        self.taken_in(&record.id, begun, until).await
    }

    /// An evaluation that has taken in a run's seconds up to `until`.
    async fn taken_in(
        &self,
        id: &RunId,
        mut evaluation: Evaluation,
        until: u32,
    ) -> StoreResult<Evaluation> {
        while evaluation.next() < until {
            let end = until.min(evaluation.next().saturating_add(SECONDS_AT_A_TIME));
            let id = id.clone();
            let taken_in = move |connection: &rusqlite::Transaction<'_>| {
                take_in(connection, &id, &mut evaluation, end)?;
                Ok(evaluation)
            };
            evaluation = self.inner.readers.run(taken_in).await?;
        }
        Ok(evaluation)
    }

    /// What the scenario's code says failed, by reason.
    async fn failures(&self, record: &RunRecord) -> StoreResult<Vec<ThresholdResult>> {
        let id = record.id.clone();
        let query = move |connection: &rusqlite::Transaction<'_>| {
            failures(connection, key_of(connection, &id)?)
        };
        self.inner.readers.run(query).await
    }

    async fn stored_results(&self, id: &RunId) -> StoreResult<Option<Vec<ThresholdResult>>> {
        let id = id.to_owned();
        let query = move |connection: &rusqlite::Transaction<'_>| {
            stored_results(connection, key_of(connection, &id)?)
        };
        self.inner.readers.run(query).await
    }

    /// Keeps results, unless the evaluation does not know all that is stored; false then.
    async fn save_results(
        &self,
        id: &RunId,
        evaluation: &Evaluation,
        results: Arc<Vec<ThresholdResult>>,
    ) -> StoreResult<bool> {
        let id = id.to_owned();
        let (next, counted) = (evaluation.next(), evaluation.counted());
        let apart = evaluation.counted_apart();
        let saved = move |state: &mut WriterState| {
            state.transaction(|connection| {
                let key = key_of(connection, &id)?;
                let stored: Counted = counted_before(connection, &id, next, &apart)?;
                let end = last_second(connection, key)?.map_or(0, |last| last.saturating_add(1));
                let said = failures(connection, key)?;
                if stored != counted || end > next || !results.ends_with(&said) {
                    return Ok(false);
                }
                let verdict = TestVerdict::of(&results).map(|verdict| verdict.to_string());
                connection
                    .prepare_cached(
                        "UPDATE runs SET threshold_results = ?2, results_outdated = 0, verdict = ?3 WHERE run = ?1",
                    )?
                    .execute(params![key, json(&*results), verdict])?;
                Ok(true)
            })
        };
        self.inner.writer.run(saved).await
    }

    /// How the thresholds of a run stood when they were last judged for good, even if results came since; none if they never
    /// were.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub(crate) async fn last_results(
        &self,
        id: &RunId,
    ) -> Result<Option<Vec<ThresholdResult>>, StoreError> {
        let id = id.to_owned();
        let query = move |connection: &rusqlite::Transaction<'_>| {
            last_results(connection, key_of(connection, &id)?)
        };
        self.inner.readers.run(query).await
    }

    /// Runs that are over and whose thresholds have not been judged for good, or not since results came: the coordinator ended meanwhile.
    ///
    /// # Errors
    /// The database failed.
    pub(crate) async fn runs_to_judge(&self) -> Result<Vec<RunRecord>, StoreError> {
        let query = |connection: &rusqlite::Transaction<'_>| super::run_rows::to_judge(connection);
        self.inner.readers.run(query).await
    }
}

/// Of a run of which nothing has been taken in.
fn evaluation(record: &RunRecord, baseline: &KeptBaseline) -> Evaluation {
    Evaluation::new(record, &baseline.values, &baseline.why_unknown(record))
}

/// What is kept of a run to which nothing has come since.
fn stored_results(connection: &Connection, run: i64) -> StoreResult<Option<Vec<ThresholdResult>>> {
    let is_outdated: bool = connection
        .prepare_cached("SELECT results_outdated FROM runs WHERE run = ?1")?
        .query_row([run], |row| row.get(0))?;
    match is_outdated {
        true => Ok(None),
        false => last_results(connection, run),
    }
}

fn last_results(connection: &Connection, run: i64) -> StoreResult<Option<Vec<ThresholdResult>>> {
    let stored: Option<String> = connection
        .prepare_cached("SELECT threshold_results FROM runs WHERE run = ?1")?
        .query_row([run], |row| row.get(0))?;
    stored.map(|stored| from_json(&stored)).transpose()
}

/// Whether what is kept of a run's thresholds can be read.
pub(super) fn check(connection: &Connection, run: i64) -> StoreResult<()> {
    last_results(connection, run)?;
    baseline::kept(connection, run).map(drop)
}

/// A verdict from its column.
pub(super) fn verdict_of(stored: Option<String>) -> Option<TestVerdict> {
    let stored = stored?;
    let known = [TestVerdict::Passed, TestVerdict::Failed];
    known
        .into_iter()
        .find(|verdict| verdict.to_string() == stored)
}

/// Results came of a run that is over: its thresholds are to be judged again. Until then its verdict is the one that it had, so that
/// lists are not without it.
pub(super) fn outdate_results(connection: &Connection, id: &RunId) -> StoreResult<()> {
    connection
        .prepare_cached("UPDATE runs SET results_outdated = 1 WHERE id = ?1")?
        .execute([id.as_str()])?;
    let key = key_of(connection, id)?;
    if !failures(connection, key)?.is_empty() {
        mark_failed(connection, key)?;
    }
    Ok(())
}

/// The scenario's code says that the test failed, which nothing can change.
pub(super) fn mark_failed(connection: &Connection, run: i64) -> StoreResult<()> {
    connection
        .prepare_cached("UPDATE runs SET verdict = ?2 WHERE run = ?1")?
        .execute(params![run, TestVerdict::Failed.to_string()])?;
    Ok(())
}

/// What came of judging.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// How the thresholds stand.
    pub results: Arc<Vec<ThresholdResult>>,
    /// Whether the run is to be stopped.
    pub abort: Option<ThresholdAbort>,
    /// Whether the results are stored with the run, which is over. False of one in progress, and where results kept coming while it was judged:
    /// it is to be judged again then.
    pub is_kept: bool,
}

/// Up to which second all agents of an active run have delivered, but for those that it goes on without; all there are
/// once each has ended its part.
fn delivered_until(record: &RunRecord) -> Option<u32> {
    let agents = record.agents.iter();
    let awaited = agents
        .filter(|agent| agent.end.is_none() && !record.coverage().has_lost_agent(&agent.name));
    let until = awaited.map(|agent| agent.saved_until).min();
    until.or_else(|| record.agents.is_empty().then_some(0))
}

#[cfg(test)]
mod tests {
    use greylag_infra::{Completeness, LoadProfile, LoadTest, RunPhase, WallTime};

    use super::*;

    fn running(id: &str) -> RunRecord {
        RunRecord {
            id: id.into(),
            number: 1,
            test: LoadTest {
                thresholds: vec!["rps > 1".parse().unwrap()],
                ..LoadTest::default()
            },
            phase: RunPhase::Running,
            created_at: WallTime::default(),
            started_at: Some(WallTime::default()),
            ended_at: None,
            agents: Vec::new(),
            profile: LoadProfile::default(),
            completeness: Completeness::default(),
        }
    }

    fn over(id: &str) -> RunRecord {
        RunRecord {
            phase: RunPhase::Finished,
            ended_at: Some(WallTime::from_micros(10_000_000)),
            ..running(id)
        }
    }

    #[tokio::test]
    async fn nothing_of_a_run_that_is_over_stays_in_memory() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let mut record = store.create_run(running("r")).await.unwrap();
        let kept = || store.inner.thresholds.runs().len();
        store.judge(&record).await.unwrap();
        assert_eq!(kept(), 1);
        record.phase = RunPhase::Finished;
        record.ended_at = Some(WallTime::from_micros(10_000_000));
        store.update_run(&record).await.unwrap();
        for _ in 0..2 {
            store.judge(&record).await.unwrap();
            assert_eq!(kept(), 0, "also where the results are read");
        }
        record.id = "deleted".into();
        assert!(store.judge(&record).await.is_err());
        assert_eq!(kept(), 0);
    }

    #[tokio::test]
    async fn it_is_said_whether_the_results_were_kept() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let record = store.create_run(over("r")).await.unwrap();
        let on_writer = |sql: &'static str| {
            let run = move |state: &mut WriterState| {
                state.transaction(|connection| Ok(connection.execute_batch(sql)?))
            };
            store.inner.writer.run(run)
        };
        // The writer always sees a second more than the readers.
        let ahead = "CREATE TEMP TABLE runs AS SELECT * FROM main.runs;
            UPDATE temp.runs SET last_second = 4000;";
        on_writer(ahead).await.unwrap();
        assert!(!store.judge(&record).await.unwrap().is_kept);
        assert_eq!(store.last_results(&record.id).await.unwrap(), None);
        on_writer("DROP TABLE temp.runs").await.unwrap();
        for _ in 0..2 {
            assert!(store.judge(&record).await.unwrap().is_kept);
        }
        assert!(store.last_results(&record.id).await.unwrap().is_some());
    }
}

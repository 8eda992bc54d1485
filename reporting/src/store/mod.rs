//! Everything that is kept: one SQLite database in the data directory.
//!
//! One thread writes (`writer.rs`), a few connections read (`readers.rs`). The snapshots of a run that wait are
//! one transaction (`save/`); once they are answered, they survive the end of the process however that comes. Results are rows per second
//! and endpoint, all agents together, with sums of 8, 64, … seconds above them (`rollup.rs`); windows are read as few of
//! either (`totals.rs`, `../measure/windows.rs`). Each agent's own part is kept beside them (`agent_rows/`).

mod agent_rows;
mod agent_set;
mod annotation_rows;
mod announcement_rows;
mod backup;
mod blocks;
mod build_rows;
mod bundle;
mod charts;
mod check_pool;
mod checked_snapshot;
mod current_rps;
mod delete_run;
mod disk_space;
mod error;
mod error_rows;
mod error_sample_rows;
mod health_rows;
mod history;
mod integers;
mod live;
mod lock;
mod log_rows;
mod log_search;
mod lost_users;
mod machine_rows;
mod metric_rows;
mod named_run;
mod notice_rows;
mod private_files;
mod queries;
mod readers;
mod recent_rows;
mod rollup;
mod rows;
mod run_parts;
mod run_rows;
mod run_search;
mod sample_rows;
mod save;
mod schema;
mod scope;
mod scope_rows;
mod second_rows;
mod secret_rows;
mod series;
mod stored_interval;
mod tag_rows;
mod thresholds;
mod token_rows;
mod totals;
mod upkeep;
mod wholeness;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use greylag_infra::protocol::{LogLine, Snapshot};
use greylag_infra::{AgentId, Gap, RunId, RunRecord, SetUpData, WallClock, WallTime};
use tokio::sync::Semaphore;

use self::check_pool::CheckPool;
use self::disk_space::DiskSpace;
use self::live::{LiveTotals, WriterState};
use self::lock::DirectoryLock;
use self::log_rows::LogOrigin;
use self::readers::Readers;
use self::thresholds::LiveThresholds;
use self::writer::Writer;

pub(crate) use self::annotation_rows::ListedAnnotations;
pub use self::annotation_rows::{
    AnnotationChange, Annotations, MAX_RUN_MARKS, RunMark, TooManyMarks,
};
pub(crate) use self::announcement_rows::DueAnnouncement;
pub use self::bundle::BundleError;
pub(crate) use self::bundle::BundleUpload;
pub(crate) use self::charts::MAX_LINES as MAX_CHART_LINES;
pub use self::charts::{Chart, ChartData, ChartLine, ChartSteps, MAX_CHART_STEPS};
pub(crate) use self::check_pool::ReadySnapshot;
pub use self::current_rps::{CURRENT_RPS_WINDOW_S, CurrentRate, CurrentRps};
pub(crate) use self::delete_run::KeepLimit;
pub use self::error::{
    RunIsPinned, RunNotOver, StoreError, UnknownAgentName, UnknownEndpoint, UnknownMetric,
};
pub(crate) use self::error_rows::ErrorHistory;
pub(crate) use self::health_rows::{GeneratorHealth, HealthPoint, ProcessSums};
pub(crate) use self::history::HistorySecond;
pub use self::live::other_endpoint;
pub use self::log_rows::{MAX_LOG_BYTES, MAX_LOG_LINES};
pub use self::log_search::{LogFilter, LogOrder, LogPage, LogPattern, LogRange, PatternError};
pub(crate) use self::machine_rows::HeldMachines;
pub use self::metric_rows::{CustomMetrics, MetricTotals};
pub(crate) use self::named_run::why_no_baseline;
pub(crate) use self::rows::ErrorSampleRow;
pub use self::rows::{SamplePoint, SampleRow, WorkerRow};
pub(crate) use self::run_parts::{ErrorParts, MetricParts, PartsAsked, RunParts, TooMuch};
pub use self::run_rows::{MAX_RUNS_PER_QUERY, TestRecord};
pub use self::run_search::RunFilter;
pub(crate) use self::sample_rows::KeptSecond;
pub use self::sample_rows::Samples;
pub use self::save::SaveOutcome;
pub use self::scope::{EmptyWindow, Scope, Window};
pub use self::series::Series;
pub(crate) use self::series::SeriesPart;
pub use self::thresholds::Judgement;
pub(crate) use self::token_rows::TokenRow;
pub use self::totals::RunTotals;

/// Handle to the store; clones are the same store. It ends with the last clone, or with [`Store::close`].
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    writer: Writer,
    checks: CheckPool,
    readers: Arc<Readers>,
    totals: LiveTotals,
    thresholds: LiveThresholds,
    disk: Arc<DiskSpace>,
    /// One run is imported at a time.
    imports: Arc<Semaphore>,
    /// Whether runs that are created are to be announced.
    announces: AtomicBool,
    clock: WallClock,
}

impl Store {
    /// Opens the store in a data directory, creating either if it is missing. Blocks for a moment.
    ///
    /// # Errors
    /// The directory is a file, cannot be written or is in use by another coordinator, or the database was
    /// made by a newer version or is damaged. Each is a message for the user.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        Self::open_at(dir, WallClock::start())
    }

    fn open_at(dir: &Path, clock: WallClock) -> Result<Self, StoreError> {
        let lock = DirectoryLock::take(dir)?;
        let connection = schema::open_writer(dir)?;
        bundle::clear_leftovers(dir);
        let totals = LiveTotals::default();
        let state = WriterState::new(connection, Arc::clone(&totals), lock, clock);
        Ok(Self {
            inner: Arc::new(Inner {
                writer: Writer::start(dir, state)?,
                checks: CheckPool::start(dir)?,
                readers: Arc::new(Readers::new(dir.to_owned())),
                totals,
                thresholds: LiveThresholds::default(),
                disk: DiskSpace::of(dir),
                imports: Arc::new(Semaphore::new(1)),
                announces: AtomicBool::new(false),
                clock,
            }),
        })
    }

    /// The clock by which everything is saved.
    pub(crate) fn clock(&self) -> WallClock {
        self.inner.clock
    }

    /// Bytes that are left on the disk of the results, if they are few.
    pub(crate) fn disk_nearly_full(&self) -> Option<u64> {
        self.inner.disk.nearly_full()
    }

    /// Looks how much room is left, in the background.
    pub(crate) fn look_at_disk(&self) {
        let disk = Arc::clone(&self.inner.disk);
        tokio::task::spawn_blocking(move || disk.look());
    }

    /// Writes something that changes nothing.
    ///
    /// # Errors
    /// The database cannot be written.
    pub(crate) async fn try_to_save(&self) -> Result<(), StoreError> {
        let tried = |state: &mut WriterState| {
            state.transaction(|connection| schema::write_again(connection))
        };
        self.inner.writer.run(tried).await
    }

    /// Does what was asked before, then closes the database and frees the directory. Everything asked later,
    /// by any clone, is answered with [`StoreError::Closed`].
    pub async fn close(&self) {
        let inner = Arc::clone(&self.inner);
        let closing = tokio::task::spawn_blocking(move || {
            inner.readers.close();
            inner.writer.close();
        });
        if closing.await.is_err() {
            tracing::error!("the store was not closed cleanly");
        }
    }

    /// Keeps a new run and returns it with its number within its test.
    ///
    /// # Errors
    /// There is a run with this identifier, or the database failed.
    pub async fn create_run(&self, record: RunRecord) -> Result<RunRecord, StoreError> {
        let is_announced = self.inner.announces.load(Ordering::Relaxed);
        let created = move |state: &mut WriterState| {
            state.transaction(|connection| {
                let record = run_rows::insert(connection, record)?;
                if is_announced {
                    announcement_rows::add(connection, &record.id)?;
                }
                Ok(record)
            })
        };
        self.inner.writer.run(created).await
    }

    /// Keeps a run's phase and times and its agents' ends (a known end is never forgotten). The numbers of
    /// the agents' last snapshots are not taken from here: they are written with the snapshots.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub async fn update_run(&self, record: &RunRecord) -> Result<(), StoreError> {
        let record = record.clone();
        let updated = move |state: &mut WriterState| {
            state.transaction(|connection| run_rows::update(connection, &record))?;
            if record.phase.is_over() {
                state.forget(&record.id);
                state.upkeep.empty_log_file();
            } else if let Some(live) = state.live.get_mut(&record.id) {
                live.follow(&record);
                if live.agents.len() != record.agents.len() {
                    // It was read while the run had none.
                    state.live.remove(&record.id);
                }
            }
            Ok(())
        };
        self.inner.writer.run(updated).await
    }

    /// Keeps what follows from the end of an agent that was given up and has handed over its results of a run that is
    /// over, and gives the run. What other agents hand over meanwhile stays as it is.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub(crate) async fn save_late_end(
        &self,
        run_id: &RunId,
        gap: Option<Gap>,
    ) -> Result<RunRecord, StoreError> {
        let id = run_id.to_owned();
        let saved = move |state: &mut WriterState| {
            let record = state.transaction(|connection| {
                let record = run_rows::by_id(connection, &id)?;
                let mut record = record.ok_or_else(|| StoreError::UnknownRun(id.shortened()))?;
                if let Some(gap) = gap {
                    record.completeness.add(gap);
                }
                run_rows::update(connection, &record)?;
                Ok(record)
            })?;
            state.forget(&id);
            Ok(record)
        };
        self.inner.writer.run(saved).await
    }

    /// Keeps what a run's set-up made, until the run is over.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub async fn save_set_up_data(
        &self,
        run_id: &RunId,
        data: SetUpData,
    ) -> Result<(), StoreError> {
        let id = run_id.to_owned();
        let saved = move |state: &mut WriterState| {
            state.transaction(|connection| run_rows::save_set_up_data(connection, &id, &data))
        };
        self.inner.writer.run(saved).await
    }

    /// What a run's set-up made; none before it has, and after the run.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub async fn set_up_data(&self, run_id: &RunId) -> Result<Option<SetUpData>, StoreError> {
        let id = run_id.to_owned();
        let query =
            move |connection: &rusqlite::Transaction<'_>| run_rows::set_up_data(connection, &id);
        self.inner.readers.run(query).await
    }

    /// A run by its identifier.
    ///
    /// # Errors
    /// The database failed.
    pub async fn run(&self, id: &RunId) -> Result<Option<RunRecord>, StoreError> {
        let id = id.to_owned();
        let query = move |connection: &rusqlite::Transaction<'_>| run_rows::by_id(connection, &id);
        self.inner.readers.run(query).await
    }

    /// The run before this one, of the same test, that has begun.
    ///
    /// # Errors
    /// The database failed.
    pub(crate) async fn run_before(
        &self,
        run: &RunRecord,
    ) -> Result<Option<RunRecord>, StoreError> {
        let run = run.clone();
        let query =
            move |connection: &rusqlite::Transaction<'_>| run_rows::before(connection, &run);
        self.inner.readers.run(query).await
    }

    /// Runs, newest first, at most [`MAX_RUNS_PER_QUERY`].
    ///
    /// # Errors
    /// The database failed.
    pub async fn runs(&self, filter: RunFilter) -> Result<Vec<RunRecord>, StoreError> {
        let query =
            move |connection: &rusqlite::Transaction<'_>| run_rows::list(connection, &filter);
        self.inner.readers.run(query).await
    }

    /// The same, and how many there would be without limit and offset.
    ///
    /// # Errors
    /// The database failed.
    pub async fn runs_and_count(
        &self,
        filter: RunFilter,
    ) -> Result<(Vec<RunRecord>, u64), StoreError> {
        let query = move |connection: &rusqlite::Transaction<'_>| {
            let runs = run_rows::list(connection, &filter)?;
            Ok((runs, run_search::count(connection, &filter)?))
        };
        self.inner.readers.run(query).await
    }

    /// Runs that have not ended, oldest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn unfinished_runs(&self) -> Result<Vec<RunRecord>, StoreError> {
        self.inner.readers.run(|c| run_rows::unfinished(c)).await
    }

    /// Runs that have begun and ended since this time, the last first.
    ///
    /// # Errors
    /// The database failed.
    pub(crate) async fn runs_ended_since(
        &self,
        since: WallTime,
        limit: usize,
    ) -> Result<Vec<RunRecord>, StoreError> {
        let query = move |c: &rusqlite::Transaction<'_>| run_rows::ended_since(c, since, limit);
        self.inner.readers.run(query).await
    }

    /// The newest runs that are over and may have been taking late results when this database was used last.
    ///
    /// # Errors
    /// The database failed.
    pub(crate) async fn runs_taking_late_results(&self) -> Result<Vec<RunRecord>, StoreError> {
        let query = |c: &rusqlite::Transaction<'_>| run_rows::taking_late_results(c);
        self.inner.readers.run(query).await
    }

    /// Tests, the one that ran last first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn tests(&self) -> Result<Vec<TestRecord>, StoreError> {
        self.inner.readers.run(|c| run_rows::tests(c)).await
    }

    /// Names of infrastructures, sorted.
    ///
    /// # Errors
    /// The database failed.
    pub async fn infrastructures(&self) -> Result<Vec<String>, StoreError> {
        self.inner
            .readers
            .run(|c| run_rows::infrastructures(c))
            .await
    }

    /// Keeps the name of an infrastructure; one that is known is left alone.
    ///
    /// # Errors
    /// The database failed.
    pub async fn save_infrastructure(&self, name: &str) -> Result<(), StoreError> {
        let name = name.to_owned();
        let saved = move |state: &mut WriterState| {
            state.transaction(|connection| run_rows::insert_infrastructure(connection, &name))
        };
        self.inner.writer.run(saved).await
    }

    /// Saves a snapshot exactly once: when this has returned [`SaveOutcome::Saved`], it survives the end of
    /// the process and may be acknowledged. An error or any other outcome has changed nothing.
    ///
    /// # Errors
    /// The run or the agent's part in it is not known, the run is over and the snapshot no duplicate
    /// ([`StoreError::UnknownRun`] too), the agent has ended its part, the snapshot is not valid, or the
    /// database failed (then it may be sent again).
    pub async fn save_snapshot(
        &self,
        run_id: &RunId,
        agent_id: &AgentId,
        snapshot: Snapshot,
    ) -> Result<SaveOutcome, StoreError> {
        let ready = self.checks().run(|checker| checker.check(snapshot));
        let ready = ready.await??;
        self.queue_snapshot(run_id, agent_id, ready).await?.await
    }

    /// The threads that check snapshots.
    pub(crate) fn checks(&self) -> &CheckPool {
        &self.inner.checks
    }

    /// Puts a snapshot into the writer's queue, where it is before all that are put there after this has returned. What
    /// is returned is done when it is saved, as [`Self::save_snapshot`].
    ///
    /// # Errors
    /// The store is closed.
    pub(crate) async fn queue_snapshot(
        &self,
        run_id: &RunId,
        agent_id: &AgentId,
        ready: ReadySnapshot,
    ) -> Result<impl Future<Output = Result<SaveOutcome, StoreError>> + use<>, StoreError> {
        let (run_id, agent_id) = (run_id.to_owned(), agent_id.to_owned());
        let ReadySnapshot { snapshot, share } = ready;
        let queued = self.inner.writer.save(run_id, agent_id, snapshot).await;
        // From here on the writer's queue counts it.
        drop(share);
        queued
    }

    /// Adds lines to a run's console log.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub async fn append_log(&self, run_id: &RunId, lines: Vec<LogLine>) -> Result<(), StoreError> {
        let run_id = run_id.to_owned();
        let appended = move |state: &mut WriterState| {
            state.transaction(|connection| {
                let run = run_rows::key_of(connection, &run_id)?;
                log_rows::append(connection, run, &lines, 0, LogOrigin::Coordinator)
            })
        };
        self.inner.writer.run(appended).await
    }
}

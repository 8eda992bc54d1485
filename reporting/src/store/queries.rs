//! What is read of a run's results.

use std::sync::Arc;

use greylag_infra::protocol::Endpoint;
use greylag_infra::{GeneratorNotice, RunId, RunRecord, WallTime};

use super::agent_rows::Grain;
use super::current_rps::{self, CurrentRps};
use super::error::StoreError;
use super::error_rows::{self, ErrorHistory};
use super::error_sample_rows;
use super::health_rows::{self, GeneratorHealth, HealthPoint};
use super::history::{self, HistoryPart};
use super::live::{self, WriterState, lock_totals};
use super::log_search::{self, LogFilter, LogPage, LogRange};
use super::rows::{ErrorSampleRow, SampleRow, WorkerRow};
use super::sample_rows::{self, KeptPart, Samples};
use super::scope::{RowScope, Scope};
use super::series::{self, Series, SeriesPart};
use super::totals::{self, RunTotals};
use super::{Store, blocks, log_rows, notice_rows, run_rows, scope_rows, second_rows};
use crate::api_types::LogRow;
use crate::compare::MeasuredRun;
use crate::measure::interval::Measures;
use crate::measure::samples::Complete;

impl Store {
    /// The sums over a scope by endpoint. Those of a whole active run are kept in memory.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub async fn totals(
        &self,
        run_id: &RunId,
        scope: &Scope,
    ) -> Result<Arc<RunTotals>, StoreError> {
        self.totals_with(run_id, scope, Measures::ALL).await
    }

    /// The same as tables show them: percentiles are known of response times and of those from the intended start.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub(crate) async fn table_totals(
        &self,
        run_id: &RunId,
        scope: &Scope,
    ) -> Result<Arc<RunTotals>, StoreError> {
        self.totals_with(run_id, scope, Measures::IN_TABLES).await
    }

    /// The same with the counts of these measures. Reading them is what takes longest.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub(crate) async fn totals_with(
        &self,
        run_id: &RunId,
        scope: &Scope,
        measures: Measures,
    ) -> Result<Arc<RunTotals>, StoreError> {
        let id = run_id.to_owned();
        if scope.is_whole() {
            if let Some(totals) = lock_totals(&self.inner.totals).get(run_id) {
                return Ok(Arc::clone(totals));
            }
            let live = self
                .run(run_id)
                .await?
                .is_some_and(|run| !run.phase.is_over());
            if live {
                // On the writer's thread, so that no snapshot comes in between.
                let read = move |state: &mut WriterState| state.live_totals(&id);
                return self.inner.writer.run(read).await;
            }
        }
        let scope = scope.clone();
        let query = move |connection: &rusqlite::Transaction<'_>| {
            totals::read(connection, &id, &scope, measures)
        };
        self.inner.readers.run(query).await.map(Arc::new)
    }

    /// The last second of run time that has results.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub(crate) async fn last_second(&self, run_id: &RunId) -> Result<Option<u32>, StoreError> {
        let id = run_id.to_owned();
        let query = move |connection: &rusqlite::Transaction<'_>| {
            live::last_second(connection, run_rows::key_of(connection, &id)?)
        };
        self.inner.readers.run(query).await
    }

    /// Users, requests and failures of a scope over time. Its length and `max_points` make the width of a point.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub async fn series(
        &self,
        run_id: &RunId,
        scope: &Scope,
        max_points: usize,
    ) -> Result<Series, StoreError> {
        let (id, scope) = (run_id.to_owned(), scope.clone());
        let query = move |connection: &rusqlite::Transaction<'_>| {
            series::read(connection, &id, &scope, max_points)
        };
        self.inner.readers.run(query).await
    }

    /// A scope of a run for comparing it with others, and its first second; of a tag only where one is given.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub(crate) async fn blocks(
        &self,
        run_id: &RunId,
        scope: &Scope,
        tag: Option<String>,
    ) -> Result<(u32, MeasuredRun), StoreError> {
        let (id, scope) = (run_id.to_owned(), scope.clone());
        let query = move |connection: &rusqlite::Transaction<'_>| {
            blocks::read(connection, &id, &scope, tag.as_deref())
        };
        self.inner.readers.run(query).await
    }

    /// Users of a run that have been started so far; those that have stopped count.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub(crate) async fn users_started(&self, run_id: &RunId) -> Result<u64, StoreError> {
        let id = run_id.to_owned();
        let query = move |connection: &rusqlite::Transaction<'_>| {
            second_rows::users_started(connection, &id)
        };
        self.inner.readers.run(query).await
    }

    /// Users of a run in a scope that are active by what is saved of it; those of agents that were given up are not.
    ///
    /// # Errors
    /// The run or the scope's agent was not found, or the database failed.
    pub(crate) async fn users_active(
        &self,
        run_id: &RunId,
        scope: &Scope,
    ) -> Result<u64, StoreError> {
        let (id, scope) = (run_id.to_owned(), scope.to_owned());
        let query = move |connection: &rusqlite::Transaction<'_>| {
            scope_rows::users_active(connection, &id, &scope)
        };
        self.inner.readers.run(query).await
    }

    /// Requests per second of a scope by endpoint over its last [`CURRENT_RPS_WINDOW_S`](crate::CURRENT_RPS_WINDOW_S) full seconds; of a run that is
    /// over, over its last ones.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub async fn current_rps(
        &self,
        record: &RunRecord,
        scope: &Scope,
        now: WallTime,
    ) -> Result<CurrentRps, StoreError> {
        let (record, scope) = (record.clone(), scope.clone());
        let query = move |connection: &rusqlite::Transaction<'_>| {
            current_rps::read(connection, &record, &scope, now)
        };
        self.inner.readers.run(query).await
    }

    /// At most `max_points` samples of a scope at and after `from_second` (see [`crate::thin_samples`]), with the number
    /// of requests of the whole scope. Method and name are fit to be shown.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub async fn samples(
        &self,
        run_id: &RunId,
        scope: &Scope,
        from_second: u32,
        max_points: usize,
    ) -> Result<Samples, StoreError> {
        let (id, scope) = (run_id.to_owned(), scope.clone());
        let query = move |connection: &rusqlite::Transaction<'_>| {
            sample_rows::read(connection, &id, &scope, from_second, max_points)
        };
        self.inner.readers.run(query).await
    }

    /// The samples of a scope with all that is known of them, by time, and which requests are all among them: at most
    /// `max_samples` that were drawn, and a few more.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub async fn sample_details(
        &self,
        run_id: &RunId,
        scope: &Scope,
        max_samples: usize,
    ) -> Result<(Vec<SampleRow>, Complete), StoreError> {
        let (id, scope) = (run_id.to_owned(), scope.clone());
        let query = move |connection: &rusqlite::Transaction<'_>| {
            sample_rows::read_details(connection, &id, &scope, max_samples)
        };
        self.inner.readers.run(query).await
    }

    /// Every sample of a scope that is kept, of at most `count` seconds from `from` on.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub(crate) async fn kept_samples(
        &self,
        run_id: &RunId,
        scope: &Scope,
        from: u32,
        count: u32,
    ) -> Result<KeptPart, StoreError> {
        let (id, scope) = (run_id.to_owned(), scope.clone());
        let query = move |connection: &rusqlite::Transaction<'_>| {
            sample_rows::read_kept(connection, &id, &scope, from, count)
        };
        self.inner.readers.run(query).await
    }

    /// The samples of a scope that a dot stands for: requests that ended in this millisecond of run time, with a response
    /// time that `is_shown_as` the dot's.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub(crate) async fn samples_of_dot(
        &self,
        run_id: &RunId,
        scope: &Scope,
        at_ms: u64,
        is_shown_as: impl Fn(u64) -> bool + Send + 'static,
    ) -> Result<Vec<SampleRow>, StoreError> {
        let (id, scope) = (run_id.to_owned(), scope.clone());
        let query = move |connection: &rusqlite::Transaction<'_>| {
            sample_rows::of_dot(connection, &id, &scope, at_ms, is_shown_as)
        };
        self.inner.readers.run(query).await
    }

    /// At most `limit` console log lines after position `after_seq` (0 for the first), without terminal
    /// escapes and control characters.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub async fn log(
        &self,
        run_id: &RunId,
        scope: &Scope,
        after_seq: u64,
        limit: usize,
    ) -> Result<Vec<LogRow>, StoreError> {
        let (id, scope) = (run_id.to_owned(), scope.clone());
        let query = move |connection: &rusqlite::Transaction<'_>| {
            log_rows::read(connection, &id, &scope, after_seq, limit)
        };
        self.inner.readers.run(query).await
    }

    /// As [`Self::log`], but of more than `limit` lines the last ones.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub async fn last_log_lines(
        &self,
        run_id: &RunId,
        scope: &Scope,
        after_seq: u64,
        limit: usize,
    ) -> Result<Vec<LogRow>, StoreError> {
        let (id, scope) = (run_id.to_owned(), scope.clone());
        let query = move |connection: &rusqlite::Transaction<'_>| {
            log_rows::read_last(connection, &id, &scope, after_seq, limit)
        };
        self.inner.readers.run(query).await
    }

    /// A page of the lines that a filter takes, after no more work than is always quickly done: if it was not everything, the page
    /// says where to go on.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub async fn log_page(
        &self,
        run_id: &RunId,
        filter: &LogFilter,
        range: LogRange,
    ) -> Result<LogPage, StoreError> {
        let (id, filter) = (run_id.to_owned(), filter.clone());
        let query = move |connection: &rusqlite::Transaction<'_>| {
            log_search::read_page(connection, &id, &filter, range)
        };
        self.inner.readers.run(query).await
    }

    /// The position after which a run's log has the lines of this second of run time and later ones, as near as lines that came late
    /// allow; none before the run has begun.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub async fn log_position_at(
        &self,
        run_id: &RunId,
        second: f64,
    ) -> Result<Option<u64>, StoreError> {
        let id = run_id.to_owned();
        // Beyond either end it is that end.
        let run_time_us = (second * 1e6) as u64;
        let query = move |connection: &rusqlite::Transaction<'_>| {
            log_search::position_at(connection, &id, run_time_us)
        };
        self.inner.readers.run(query).await
    }

    /// How many lines a run's log has: the position of the last one.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub async fn log_line_count(&self, run_id: &RunId) -> Result<u64, StoreError> {
        let id = run_id.to_owned();
        let query = move |connection: &rusqlite::Transaction<'_>| log_rows::count(connection, &id);
        self.inner.readers.run(query).await
    }

    /// Console log lines that were left out, by workers that wrote too fast or because a run may keep no more.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub async fn log_lines_dropped(&self, run_id: &RunId) -> Result<u64, StoreError> {
        let id = run_id.to_owned();
        let query =
            move |connection: &rusqlite::Transaction<'_>| log_rows::dropped(connection, &id);
        self.inner.readers.run(query).await
    }

    /// At most `count` seconds of a run from `from` on, up to the last one that has anything.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub(crate) async fn history(
        &self,
        run_id: &RunId,
        scope: &Scope,
        from: u32,
        count: u32,
    ) -> Result<HistoryPart, StoreError> {
        let (id, scope) = (run_id.to_owned(), scope.clone());
        let query = move |connection: &rusqlite::Transaction<'_>| {
            history::read(connection, &id, &scope, from, count)
        };
        self.inner.readers.run(query).await
    }

    /// What is known about each error of a run, the most frequent first.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub(crate) async fn errors(
        &self,
        run_id: &RunId,
        scope: &Scope,
    ) -> Result<Vec<ErrorHistory>, StoreError> {
        let (id, scope) = (run_id.to_owned(), scope.clone());
        let query =
            move |connection: &rusqlite::Transaction<'_>| error_rows::read(connection, &id, &scope);
        self.inner.readers.run(query).await
    }

    /// The samples of a scope's errors, or of those with this text (as it is kept or shown): at most `limit`, and how many
    /// there are.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub(crate) async fn error_samples(
        &self,
        run_id: &RunId,
        scope: &Scope,
        text: Option<String>,
        limit: usize,
    ) -> Result<(Vec<ErrorSampleRow>, u64), StoreError> {
        let (id, scope) = (run_id.to_owned(), scope.clone());
        let query = move |connection: &rusqlite::Transaction<'_>| {
            error_sample_rows::read(connection, &id, &scope, text.as_deref(), limit)
        };
        self.inner.readers.run(query).await
    }

    /// Worker processes of a run at their last report.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub async fn worker_rows(
        &self,
        run_id: &RunId,
        scope: &Scope,
    ) -> Result<Vec<WorkerRow>, StoreError> {
        let (id, scope) = (run_id.to_owned(), scope.clone());
        let query = move |connection: &rusqlite::Transaction<'_>| {
            run_rows::workers(connection, &id, &scope)
        };
        self.inner.readers.run(query).await
    }

    /// What the generator itself ran short of, by kind, worker and subject.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub async fn notices(
        &self,
        run_id: &RunId,
        scope: &Scope,
    ) -> Result<Vec<GeneratorNotice>, StoreError> {
        let (id, scope) = (run_id.to_owned(), scope.clone());
        let query = move |connection: &rusqlite::Transaction<'_>| {
            notice_rows::read(connection, &id, &scope)
        };
        self.inner.readers.run(query).await
    }

    /// How the generator of a run fared.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub(crate) async fn generator_health(
        &self,
        run_id: &RunId,
        scope: &Scope,
    ) -> Result<GeneratorHealth, StoreError> {
        let (id, scope) = (run_id.to_owned(), scope.clone());
        let query = move |connection: &rusqlite::Transaction<'_>| {
            health_rows::read(connection, &id, &scope)
        };
        self.inner.readers.run(query).await
    }

    /// How its workers fared over time, in steps of `step_s` seconds.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub(crate) async fn health_series(
        &self,
        run_id: &RunId,
        scope: &Scope,
        step_s: u32,
    ) -> Result<Vec<HealthPoint>, StoreError> {
        let (id, scope) = (run_id.to_owned(), scope.clone());
        let query = move |connection: &rusqlite::Transaction<'_>| {
            health_rows::series(connection, &id, &scope, step_s)
        };
        self.inner.readers.run(query).await
    }

    /// The step of a series of the whole run that has at most `max_points` points, in seconds.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub(crate) async fn series_step(
        &self,
        run_id: &RunId,
        scope: &Scope,
        max_points: usize,
    ) -> Result<u32, StoreError> {
        let (id, scope) = (run_id.to_owned(), scope.clone());
        let query = move |connection: &rusqlite::Transaction<'_>| {
            series::step(connection, &id, &scope, max_points)
        };
        self.inner.readers.run(query).await
    }

    /// At most `count` points of a series in steps of `step_s` seconds, from the one that begins at `from`.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub(crate) async fn series_part(
        &self,
        run_id: &RunId,
        scope: &Scope,
        step_s: u32,
        from: u32,
        count: u32,
    ) -> Result<SeriesPart, StoreError> {
        let (id, scope) = (run_id.to_owned(), scope.clone());
        let query = move |connection: &rusqlite::Transaction<'_>| {
            series::read_part(connection, &id, &scope, step_s, from, count)
        };
        self.inner.readers.run(query).await
    }

    /// The second after the last one of a run that has anything.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub(crate) async fn end_second(&self, run_id: &RunId) -> Result<u32, StoreError> {
        let id = run_id.to_owned();
        let query =
            move |connection: &rusqlite::Transaction<'_>| series::end_second(connection, &id);
        self.inner.readers.run(query).await
    }

    /// Endpoints that a run has results of, in the order in which they came.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub async fn endpoints(&self, run_id: &RunId) -> Result<Vec<Endpoint>, StoreError> {
        let id = run_id.to_owned();
        let query = move |connection: &rusqlite::Transaction<'_>| {
            live::endpoints(connection, run_rows::key_of(connection, &id)?)
        };
        self.inner.readers.run(query).await
    }

    /// Whether the histograms of a run's single agents are kept in coarse steps.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub(crate) async fn has_coarse_agents(&self, run_id: &RunId) -> Result<bool, StoreError> {
        let id = run_id.to_owned();
        let query = move |connection: &rusqlite::Transaction<'_>| {
            let run = run_rows::key_of(connection, &id)?;
            Ok(run_rows::grain(connection, run)? == Some(Grain::Coarse))
        };
        self.inner.readers.run(query).await
    }

    /// Requests that are not in a scope because it is of one outcome, and how they ended is not known.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub(crate) async fn mixed_requests(
        &self,
        run_id: &RunId,
        scope: &Scope,
    ) -> Result<u64, StoreError> {
        let (id, scope) = (run_id.to_owned(), scope.clone());
        let query = move |connection: &rusqlite::Transaction<'_>| {
            let scope = RowScope::find(connection, &id, &scope)?;
            scope_rows::mixed_requests(connection, &scope)
        };
        self.inner.readers.run(query).await
    }

    /// What was saved of a run without whose it is, and so is in no agent's scope.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub(crate) async fn unattributed(&self, run_id: &RunId) -> Result<Unattributed, StoreError> {
        let id = run_id.to_owned();
        let query = move |connection: &rusqlite::Transaction<'_>| {
            let run = run_rows::key_of(connection, &id)?;
            Ok(Unattributed {
                users: run_rows::has_unknown_users(connection, run)?,
                log_lines: log_rows::unattributed(connection, run)?,
            })
        };
        self.inner.readers.run(query).await
    }
}

/// What earlier versions saved without whose it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Unattributed {
    /// Users that came and went, and iterations.
    pub(crate) users: bool,
    /// Lines of the console log.
    pub(crate) log_lines: u64,
}

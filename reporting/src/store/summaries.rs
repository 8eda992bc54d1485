//! A run in one document, put together from what is stored.

use greylag_infra::RunRecord;

use super::Store;
use super::error::StoreError;
use super::series::{self, Series, SeriesPart};
use crate::results::summary::Summary;

/// Most points of a summary's series, unless its step is asked for.
pub const MAX_SUMMARY_POINTS: usize = 2_000;

impl Store {
    /// The summary of a run as it stands at `now_us`, with at most [`MAX_SUMMARY_POINTS`] points of its series.
    ///
    /// # Errors
    /// There is no such run, or the database failed.
    pub async fn summary(&self, run_id: &str, now_us: u64) -> Result<Summary, StoreError> {
        let record = self.run(run_id).await?;
        let record = record.ok_or_else(|| StoreError::UnknownRun(run_id.to_owned()))?;
        let series = self.series(run_id, 0, MAX_SUMMARY_POINTS).await?;
        self.summary_with(&record, &series, now_us).await
    }

    /// The summary of a run with this series, for a record that the caller has (and that may be newer than the stored
    /// one).
    ///
    /// # Errors
    /// There is no such run, or the database failed.
    pub(crate) async fn summary_with(
        &self,
        record: &RunRecord,
        series: &Series,
        now_us: u64,
    ) -> Result<Summary, StoreError> {
        let totals = self.totals(&record.id, None).await?;
        let current = self.current_rps(record, now_us).await?;
        let notices = self.notices(&record.id).await?;
        let errors = self.errors(&record.id).await?;
        let mut summary = Summary::of(record, &totals, series, &current, &notices, now_us);
        summary.add_error_times(&errors, record.started_at_us);
        Ok(summary)
    }

    /// The step of a series of the whole run that has at most `max_points` points, in seconds.
    ///
    /// # Errors
    /// There is no such run, or the database failed.
    pub(crate) async fn series_step(
        &self,
        run_id: &str,
        max_points: usize,
    ) -> Result<u32, StoreError> {
        let id = run_id.to_owned();
        let query =
            move |connection: &rusqlite::Transaction<'_>| series::step(connection, &id, max_points);
        self.inner.readers.run(query).await
    }

    /// At most `count` points of a series in steps of `step_s` seconds, from the one that begins at `from`.
    ///
    /// # Errors
    /// There is no such run, or the database failed.
    pub(crate) async fn series_part(
        &self,
        run_id: &str,
        step_s: u32,
        from: u32,
        count: u32,
    ) -> Result<SeriesPart, StoreError> {
        let id = run_id.to_owned();
        let query = move |connection: &rusqlite::Transaction<'_>| {
            series::read_part(connection, &id, step_s, from, count)
        };
        self.inner.readers.run(query).await
    }

    /// The second after the last one of a run that has anything.
    ///
    /// # Errors
    /// There is no such run, or the database failed.
    pub(crate) async fn end_second(&self, run_id: &str) -> Result<u32, StoreError> {
        let id = run_id.to_owned();
        let query =
            move |connection: &rusqlite::Transaction<'_>| series::end_second(connection, &id);
        self.inner.readers.run(query).await
    }
}

//! Which runs are to be announced when they are over. A row is there from the run's first moment until that is done, so that whatever
//! ends the coordinator no run goes unannounced.

use std::sync::atomic::Ordering;

use greylag_infra::{RunId, RunRecord, WallTime};
use rusqlite::{Connection, params};

use super::Store;
use super::error::{StoreError, StoreResult};
use super::integers::time_to_sql;
use super::live::WriterState;
use super::run_rows;

/// Most runs that are announced in one go.
const MOST_AT_A_TIME: u32 = 16;

/// A run that is over and not announced yet.
#[derive(Debug, Clone)]
pub(crate) struct DueAnnouncement {
    pub(crate) run: RunRecord,
    /// How often it was tried.
    pub(crate) attempts: u32,
}

impl Store {
    /// From here on each run that is created is to be announced.
    pub(crate) fn announce_runs(&self) {
        self.inner.announces.store(true, Ordering::Relaxed);
    }

    /// Some runs that are over and due to be announced at this time, those that ended first before others.
    ///
    /// # Errors
    /// The database failed.
    pub(crate) async fn due_announcements(
        &self,
        now: WallTime,
    ) -> Result<Vec<DueAnnouncement>, StoreError> {
        let query = move |connection: &rusqlite::Transaction<'_>| {
            let mut statement = connection.prepare_cached(
                "SELECT run_id, attempts FROM announcements JOIN runs ON id = run_id
                 WHERE is_over AND next_at_us <= ?1 ORDER BY ended_at_us, run_id LIMIT ?2",
            )?;
            let rows = statement.query_map(params![time_to_sql(now), MOST_AT_A_TIME], |row| {
                Ok((row.get::<_, String>(0)?, row.get(1)?))
            })?;
            let mut due = Vec::new();
            for row in rows {
                let (id, attempts) = row?;
                if let Some(run) = run_rows::by_id(connection, &RunId::from(id))? {
                    due.push(DueAnnouncement { run, attempts });
                }
            }
            Ok(due)
        };
        self.inner.readers.run(query).await
    }

    /// A run was announced, or will not be.
    ///
    /// # Errors
    /// The database failed.
    pub(crate) async fn end_announcement(&self, id: &RunId) -> Result<(), StoreError> {
        let id = id.to_owned();
        let ended = move |state: &mut WriterState| {
            state.transaction(|connection| remove(connection, &id).map(drop))
        };
        self.inner.writer.run(ended).await
    }

    /// Announcing a run was tried so often, and is tried again at this time.
    ///
    /// # Errors
    /// The database failed.
    pub(crate) async fn announce_again(
        &self,
        id: &RunId,
        attempts: u32,
        at: WallTime,
    ) -> Result<(), StoreError> {
        let id = id.to_owned();
        let later = move |state: &mut WriterState| {
            state.transaction(|connection| {
                connection.execute(
                    "UPDATE announcements SET attempts = ?2, next_at_us = ?3 WHERE run_id = ?1",
                    params![id.as_str(), attempts, time_to_sql(at)],
                )?;
                Ok(())
            })
        };
        self.inner.writer.run(later).await
    }
}

/// A run is to be announced.
pub(super) fn add(connection: &Connection, id: &RunId) -> StoreResult<()> {
    connection.execute(
        "INSERT OR IGNORE INTO announcements (run_id) VALUES (?1)",
        [id.as_str()],
    )?;
    Ok(())
}

/// It is not any more. Says whether it was.
pub(super) fn remove(connection: &Connection, id: &RunId) -> StoreResult<bool> {
    let removed =
        connection.execute("DELETE FROM announcements WHERE run_id = ?1", [id.as_str()])?;
    Ok(removed > 0)
}

//! What the writer does while nothing is asked of it, in small steps.

use std::time::Duration;

use rusqlite::Connection;

use super::delete_run::{Progress, clear_some};
use super::error::StoreResult;
use super::schema::BUSY_TIMEOUT;

/// How long a step may wait for readers, and what is asked of the writer with it.
const WAIT_FOR_READERS: Duration = Duration::from_millis(50);

/// What there is to do.
#[derive(Debug)]
pub(super) struct Upkeep {
    delete_rows: bool,
    empty_log_file: bool,
}

impl Upkeep {
    /// What may be left of an earlier process.
    pub(super) fn at_start() -> Self {
        Self {
            delete_rows: true,
            empty_log_file: false,
        }
    }

    /// There are rows of deleted runs.
    pub(super) fn delete_rows(&mut self) {
        self.delete_rows = true;
    }

    /// Something was overwritten that must not be read again: it still stands in the file beside the database that
    /// SQLite writes first.
    pub(super) fn empty_log_file(&mut self) {
        self.empty_log_file = true;
    }

    /// Whether there is anything to do.
    pub(super) fn is_due(&self) -> bool {
        self.delete_rows || self.empty_log_file
    }

    /// Does some of it. What fails is left alone until there is more to do.
    pub(super) fn step(&mut self, connection: &mut Connection) {
        if self.empty_log_file {
            match empty_log_file(connection) {
                Ok(emptied) => self.empty_log_file = !emptied,
                Err(error) => {
                    tracing::warn!(%error, "cannot empty the database's write-ahead log");
                    self.empty_log_file = false;
                }
            }
        } else if self.delete_rows {
            match clear_some(connection) {
                Ok(Progress::More) => {}
                Ok(Progress::Done) => {
                    self.delete_rows = false;
                    // What was deleted is not to be found there either, and its space is given back.
                    self.empty_log_file = true;
                }
                Err(error) => {
                    tracing::warn!(%error, "the rows of a deleted run remain until the next start");
                    self.delete_rows = false;
                }
            }
        }
    }
}

/// Whether it could be done: not while a reader uses what only that file has.
fn empty_log_file(connection: &Connection) -> StoreResult<bool> {
    connection.busy_timeout(WAIT_FOR_READERS)?;
    let busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(!busy?)
}

//! What the writer does while nothing is asked of it, in small steps.

use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::delete_run::{Progress, clear_some};
use super::error::StoreResult;
use super::schema::BUSY_TIMEOUT;

/// How long a step may wait for readers, and what is asked of the writer with it.
const WAIT_FOR_READERS: Duration = Duration::from_millis(50);

/// How long a step should take at most: so long what is asked of the writer waits for it.
const LONGEST_STEP: Duration = Duration::from_millis(40);
/// How long a step deletes before it writes that down, at least and at most.
const LEAST_WORK: Duration = Duration::from_micros(500);
const MOST_WORK: Duration = Duration::from_millis(20);

/// How much is deleted in a step. What writing it down takes depends on disk and rows, so it follows what the last steps took.
#[derive(Debug)]
struct StepSize {
    work: Duration,
}

impl StepSize {
    /// Until when a step that begins now works.
    fn until(&self) -> Instant {
        Instant::now() + self.work
    }

    /// A step took so long.
    fn took(&mut self, time: Duration) {
        if time > LONGEST_STEP {
            self.work = (self.work / 2).max(LEAST_WORK);
        } else if time < LONGEST_STEP / 2 {
            self.work = (self.work * 2).min(MOST_WORK);
        }
    }
}

/// What there is to do.
#[derive(Debug)]
pub(super) struct Upkeep {
    delete_rows: bool,
    empty_log_file: bool,
    step_size: StepSize,
}

impl Upkeep {
    /// What may be left of an earlier process.
    pub(super) fn at_start() -> Self {
        Self {
            delete_rows: true,
            empty_log_file: false,
            step_size: StepSize { work: LEAST_WORK },
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
            let begin = Instant::now();
            let cleared = clear_some(connection, self.step_size.until());
            self.step_size.took(begin.elapsed());
            match cleared {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_shrink_while_they_take_too_long_and_grow_again() {
        let mut size = StepSize { work: LEAST_WORK };
        let after = |size: &mut StepSize, time| {
            for _ in 0..20 {
                size.took(time);
            }
            size.work
        };
        assert_eq!(after(&mut size, Duration::ZERO), MOST_WORK);
        size.took(2 * LONGEST_STEP);
        assert_eq!(size.work, MOST_WORK / 2);
        size.took(LONGEST_STEP);
        assert_eq!(size.work, MOST_WORK / 2);
        assert_eq!(after(&mut size, 2 * LONGEST_STEP), LEAST_WORK);
    }
}

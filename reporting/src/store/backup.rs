//! A copy of the database as of one moment, also while a coordinator writes to it.

use std::path::Path;

use rusqlite::Connection;

use super::Store;
use super::disk_space;
use super::error::{StoreError, StoreResult};
use super::run_rows::unfinished;
use super::schema::{DATABASE_FILE, open_reader};
use super::secret_rows::forget_secrets;

impl Store {
    /// Copies the database in a data directory to an empty file, which must exist: everything that was saved when
    /// this began, without what a run that goes on needs of secrets. Blocks as long as it takes; a coordinator on the
    /// directory goes on meanwhile.
    ///
    /// # Errors
    /// There is no database in the directory, it cannot be read, or the file cannot be written.
    pub fn back_up(dir: &Path, to: &Path) -> Result<(), StoreError> {
        let database = dir.join(DATABASE_FILE);
        if !database.is_file() {
            return Err(StoreError::NothingThere { path: dir.into() });
        }
        let full_or = |error: StoreError| match to.parent() {
            Some(parent) if disk_space::is_full(parent) => StoreError::DiskFull {
                path: parent.into(),
            },
            _ => error,
        };
        copy(dir, to).map_err(full_or)
    }
}

fn copy(dir: &Path, to: &Path) -> StoreResult<()> {
    // One transaction of a reader: unlike a copy page by page it does not begin again whenever something is saved.
    open_reader(dir)?.execute("VACUUM INTO ?1", [to.to_string_lossy()])?;
    let mut copied = Connection::open(to)?;
    copied.pragma_update(None, "secure_delete", true)?;
    let transaction = copied.transaction()?;
    for run in unfinished(&transaction)? {
        forget_secrets(&transaction, &run)?;
    }
    transaction.commit()?;
    copied.close().map_err(|(_, error)| error)?;
    Ok(())
}

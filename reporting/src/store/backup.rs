//! A copy of the database as of one moment, also while a coordinator writes to it.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::Store;
use super::disk_space;
use super::error::{StoreError, StoreResult};
use super::lock::LOCK_FILE;
use super::run_rows::unfinished;
use super::schema::{DATABASE_FILE, check_origin, migrate, open_reader};
use super::secret_rows::forget_secrets;
use super::token_rows::forget_session_key;

impl Store {
    /// Copies the database in a data directory to an empty file, which must exist: everything that was saved when
    /// this began, in the schema of this version, without the secrets that an active run needs. Blocks as long as it
    /// takes; a coordinator on the directory keeps running meanwhile.
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

    /// Whether a file, which need not be there, is one that the store keeps in this data directory, so that a copy
    /// must not take its place.
    pub fn owns(dir: &Path, file: &Path) -> bool {
        let meant = places(file);
        ["", "-wal", "-shm", "-journal"]
            .map(|ending| format!("{DATABASE_FILE}{ending}"))
            .iter()
            .map(String::as_str)
            .chain([LOCK_FILE])
            .flat_map(|name| places(&dir.join(name)))
            .any(|own| meant.contains(&own))
    }
}

/// Where a file is: its name in its directory, and, if it is a link, what that leads to.
fn places(file: &Path) -> Vec<PathBuf> {
    let directory = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let beside = directory.canonicalize().ok();
    let named = beside
        .zip(file.file_name())
        .map(|(dir, name)| dir.join(name));
    named.into_iter().chain(file.canonicalize().ok()).collect()
}

fn copy(dir: &Path, to: &Path) -> StoreResult<()> {
    // One transaction of a reader: unlike a copy page by page it does not begin again whenever something is saved.
    let reader = open_reader(dir)?;
    check_origin(&reader, &dir.join(DATABASE_FILE))?;
    reader.execute("VACUUM INTO ?1", [to.to_string_lossy()])?;
    let mut copied = Connection::open(to)?;
    // What is to be forgotten is found in tables of this version only.
    migrate(&mut copied)?;
    copied.pragma_update(None, "secure_delete", true)?;
    let transaction = copied.transaction()?;
    for run in unfinished(&transaction)? {
        forget_secrets(&transaction, &run)?;
    }
    forget_session_key(&transaction)?;
    transaction.commit()?;
    copied.close().map_err(|(_, error)| error)?;
    Ok(())
}

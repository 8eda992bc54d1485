//! One coordinator per data directory.

use std::fs::{File, TryLockError};
use std::path::Path;

use super::error::{StoreError, StoreResult};
use super::private_files;
use super::schema::cannot_write;

pub(super) const LOCK_FILE: &str = "lock";

/// Holds the directory until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub(super) struct DirectoryLock(#[expect(dead_code, reason = "the open file is the lock")] File);

impl DirectoryLock {
    /// Creates the directory if it is missing, checks that it can be written, and takes it.
    pub(super) fn take(dir: &Path) -> StoreResult<Self> {
        if dir.exists() && !dir.is_dir() {
            return Err(StoreError::NotADirectory { path: dir.into() });
        }
        let not_writable = |source| cannot_write(dir, source);
        private_files::create_directory(dir).map_err(not_writable)?;
        let file = private_files::open(&dir.join(LOCK_FILE)).map_err(not_writable)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: dir.into() }),
            Err(TryLockError::Error(source)) => Err(not_writable(source)),
        }
    }
}

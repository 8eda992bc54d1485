//! Builds that were uploaded: a user's programs, kept in the data directory under their SHA-256.
//!
//! ```text
//! builds/<sha256>.json   what was said of it before it was uploaded
//! builds/<sha256>.part   as much of it as has come; survives whatever ends the coordinator
//! builds/<sha256>        the whole, checked
//! ```
//!
//! A file gets its last name only when its size and hash are right and it is on the disk. Uploads come in pieces, each of which is
//! a request, so that none takes much memory or time and an upload continues where it broke off.

mod error;
mod files;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use greylag_infra::{BuildManifest, FileHash, MAX_BUILD_BYTES, WallTime};
use tokio::task::spawn_blocking;

pub use error::BuildError;
use files::Files;

/// Most bytes of all builds together. Those that no run refers to make room.
const MAX_STORED_BYTES: u64 = 10 << 30;
/// Most builds that are kept, the announced ones included.
const MAX_BUILDS: usize = 1_000;
/// What must be left on the disk beside a build, so that results can still be saved.
const SPARE_BYTES: u64 = 256 << 20;

/// A build that is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredBuild {
    /// What is known of it.
    pub manifest: BuildManifest,
    /// When all of it had come.
    pub uploaded_at: WallTime,
}

/// How much of a build is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// All of it.
    Whole,
    /// So many bytes; the rest is to be uploaded.
    Part(u64),
}

/// The builds of a coordinator. Clones are the same.
#[derive(Debug, Clone)]
pub struct BuildStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    files: Files,
    /// Those of which a piece is being written.
    busy: Mutex<HashSet<FileHash>>,
}

/// One build is written by one request at a time.
struct Turn {
    inner: Arc<Inner>,
    hash: FileHash,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.inner.busy().remove(&self.hash);
    }
}

impl Inner {
    fn busy(&self) -> std::sync::MutexGuard<'_, HashSet<FileHash>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BuildStore {
    /// The builds in a coordinator's data directory. Nothing is read or made until it is needed.
    pub(crate) fn of(data_dir: &Path) -> Self {
        Self {
            inner: Arc::new(Inner {
                files: Files::in_dir(data_dir.join("builds")),
                busy: Mutex::default(),
            }),
        }
    }

    /// Announces a build that is to be uploaded and says how much of it is there. Builds that are not `needed` make room.
    ///
    /// # Errors
    /// It is too large, there is no room for it, or the disk failed.
    pub async fn announce(
        &self,
        manifest: BuildManifest,
        needed: HashSet<FileHash>,
    ) -> Result<Stored, BuildError> {
        let inner = self.turn(&manifest.sha256)?;
        blocking(move || {
            let files = &inner.inner.files;
            if manifest.size > MAX_BUILD_BYTES {
                return Err(BuildError::TooLarge {
                    size: manifest.size,
                });
            }
            if files.whole(&manifest.sha256)?.is_some() {
                if files.manifest(&manifest.sha256)?.is_none() {
                    files.announce(&manifest)?;
                }
                return Ok(Stored::Whole);
            }
            make_room(files, &manifest, &needed)?;
            let received = files.received(&manifest.sha256)?;
            let missing = manifest.size.saturating_sub(received);
            if files.free_bytes()? < missing.saturating_add(SPARE_BYTES) {
                return Err(BuildError::DiskFull);
            }
            files.announce(&manifest)?;
            Ok(Stored::Part(received))
        })
        .await
    }

    /// Adds a piece of an announced build, which begins at this byte of it. With the last one the whole is checked.
    ///
    /// # Errors
    /// The build was not announced, another piece is expected, the whole is not what was announced, or the disk failed.
    pub async fn add_piece(
        &self,
        hash: &FileHash,
        offset: u64,
        piece: Vec<u8>,
    ) -> Result<Stored, BuildError> {
        let turn = self.turn(hash)?;
        blocking(move || {
            let (files, hash) = (&turn.inner.files, &turn.hash);
            if files.whole(hash)?.is_some() {
                return Ok(Stored::Whole);
            }
            let manifest = files.manifest(hash)?;
            let manifest = manifest.ok_or_else(|| BuildError::unknown(hash))?;
            let received = files.received(hash)?;
            if offset != received {
                return Err(BuildError::OtherOffset { received });
            }
            let end = offset + piece.len() as u64;
            if end > manifest.size {
                files.forget_part(hash)?;
                return Err(BuildError::OtherSize {
                    announced: manifest.size,
                });
            }
            // Others may have come since it was announced.
            if files.free_bytes()? < SPARE_BYTES.saturating_add(piece.len() as u64) {
                return Err(BuildError::DiskFull);
            }
            files.append(hash, offset, &piece)?;
            if end < manifest.size {
                return Ok(Stored::Part(end));
            }
            files.complete(hash)?;
            tracing::info!(build = %hash.short(), bytes = manifest.size, by = %manifest.uploaded_by, "build uploaded");
            Ok(Stored::Whole)
        })
        .await
    }

    /// A whole build, with its size, to be read.
    ///
    /// # Errors
    /// It is not here, or the disk failed.
    pub(crate) async fn open(&self, hash: &FileHash) -> Result<(File, u64), BuildError> {
        let (inner, hash) = (Arc::clone(&self.inner), hash.clone());
        blocking(move || {
            let opened = inner.files.open(&hash)?;
            opened.ok_or_else(|| BuildError::unknown(&hash))
        })
        .await
    }

    /// What is known of a whole build.
    ///
    /// # Errors
    /// It is not here, or the disk failed.
    pub async fn get(&self, hash: &FileHash) -> Result<StoredBuild, BuildError> {
        let (inner, hash) = (Arc::clone(&self.inner), hash.clone());
        blocking(move || {
            let stored = inner.files.stored(&hash)?;
            stored.ok_or_else(|| BuildError::unknown(&hash))
        })
        .await
    }

    /// All whole builds, the newest first.
    ///
    /// # Errors
    /// The disk failed.
    pub async fn list(&self) -> Result<Vec<StoredBuild>, BuildError> {
        let inner = Arc::clone(&self.inner);
        blocking(move || Ok(inner.files.list()?)).await
    }

    /// Deletes a build, or what has come of it. Runs keep their results, and that they were of it.
    ///
    /// # Errors
    /// It is not here, or the disk failed.
    pub async fn delete(&self, hash: &FileHash) -> Result<(), BuildError> {
        let turn = self.turn(hash)?;
        blocking(move || match turn.inner.files.delete(&turn.hash)? {
            true => Ok(()),
            false => Err(BuildError::unknown(&turn.hash)),
        })
        .await
    }

    fn turn(&self, hash: &FileHash) -> Result<Turn, BuildError> {
        if !self.inner.busy().insert(hash.clone()) {
            return Err(BuildError::Busy);
        }
        Ok(Turn {
            inner: Arc::clone(&self.inner),
            hash: hash.clone(),
        })
    }
}

/// Deletes builds until there is room for another one, the oldest first.
fn make_room(
    files: &Files,
    manifest: &BuildManifest,
    needed: &HashSet<FileHash>,
) -> Result<(), BuildError> {
    files.forget_abandoned(MAX_BUILDS)?;
    let mut stored = files.list()?;
    let mut bytes: u64 = stored.iter().map(|build| build.manifest.size).sum();
    while bytes + manifest.size > MAX_STORED_BYTES || stored.len() >= MAX_BUILDS {
        let unneeded = |build: &StoredBuild| !needed.contains(&build.manifest.sha256);
        let oldest = stored.iter().rposition(unneeded);
        let oldest = stored.remove(oldest.ok_or(BuildError::NoRoom)?);
        files.delete(&oldest.manifest.sha256)?;
        bytes -= oldest.manifest.size;
        tracing::info!(build = %oldest.manifest.sha256.short(), "deleted to make room for another build");
    }
    Ok(())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BuildError> + Send + 'static,
) -> Result<T, BuildError> {
    spawn_blocking(work)
        .await
        .unwrap_or_else(|panic| Err(BuildError::Io(io::Error::other(panic))))
}

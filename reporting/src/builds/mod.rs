//! Builds that were uploaded: a user's programs and their data files, kept in the data directory under their SHA-256.
//!
//! ```text
//! builds/<sha256>.json   what was said of a program before it was uploaded
//! builds/<sha256>.data   the same of a data file: its size
//! builds/<sha256>.part   as much of either as has come; survives whatever ends the coordinator
//! builds/<sha256>        the whole, checked
//! ```
//!
//! A file gets its last name only when its size and hash are right and it is on the disk. Uploads come in pieces, each of which is
//! a request, so that none takes much memory or time and an upload continues where it broke off.

mod data;
mod error;
mod files;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use greylag_infra::{
    BuildManifest, DataFile, FileHash, MAX_BUILD_BYTES, WallTime, check_data_files,
};
use tokio::task::spawn_blocking;

pub use error::BuildError;
use files::Files;

/// Most bytes of all builds together, with their data files. Those that no run refers to make room.
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

/// How much there is of a build and its data files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    /// Of its program.
    pub program: Stored,
    /// Of those data files that are not whole: so many bytes.
    pub missing_data: Vec<(FileHash, u64)>,
}

/// The builds that runs are of, each with the data files of those runs.
pub(crate) type OfRuns = HashMap<FileHash, HashSet<FileHash>>;

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

    /// Announces a build that is to be uploaded with its data files, and says how much of it is there. Builds that are not of runs
    /// make room.
    ///
    /// # Errors
    /// It is too large, there is no room for it, or the disk failed.
    pub(crate) async fn announce(
        &self,
        manifest: BuildManifest,
        of_runs: OfRuns,
    ) -> Result<Announced, BuildError> {
        let inner = self.turn(&manifest.sha256)?;
        blocking(move || {
            let files = &inner.inner.files;
            if manifest.size > MAX_BUILD_BYTES {
                return Err(BuildError::TooLarge {
                    size: manifest.size,
                });
            }
            check_data_files(&manifest.data)?;
            // First, so that nothing goes that is said to be here.
            let is_program_here = files.whole(&manifest.sha256)?.is_some();
            if !is_program_here || !data::missing(files, &manifest.data)?.is_empty() {
                make_room(files, &manifest, &of_runs)?;
            }
            let (mut missing_data, mut missing) = (Vec::new(), 0);
            for file in data::missing(files, &manifest.data)? {
                let received = files.received(&file.sha256)?;
                missing += file.size.saturating_sub(received);
                missing_data.push((file.sha256.clone(), received));
            }
            let program = match files.whole(&manifest.sha256)? {
                Some(_) => Stored::Whole,
                None => Stored::Part(files.received(&manifest.sha256)?),
            };
            if let Stored::Part(received) = program {
                missing += manifest.size.saturating_sub(received);
            }
            if missing > 0 && files.free_bytes()? < missing.saturating_add(SPARE_BYTES) {
                return Err(BuildError::DiskFull);
            }
            // What was said of a program that is here stays, but for its data files.
            let said = match program {
                Stored::Whole => files.manifest(&manifest.sha256)?,
                Stored::Part(_) => None,
            };
            if said.as_ref().is_none_or(|said| said.data != manifest.data) {
                files.announce(&BuildManifest {
                    data: manifest.data.clone(),
                    ..said.unwrap_or_else(|| manifest.clone())
                })?;
            }
            for file in &manifest.data {
                if files.announced_size(&file.sha256)?.is_none() {
                    files.announce_data(file)?;
                }
            }
            Ok(Announced {
                program,
                missing_data,
            })
        })
        .await
    }

    /// Adds a piece of an announced build or data file, which begins at this byte of it. With the last one the whole is checked.
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
            let size = files.announced_size(hash)?;
            let size = size.ok_or_else(|| BuildError::unknown(hash))?;
            let received = files.received(hash)?;
            if offset != received {
                return Err(BuildError::OtherOffset { received });
            }
            let end = offset + piece.len() as u64;
            if end > size {
                files.forget_part(hash)?;
                return Err(BuildError::OtherSize { announced: size });
            }
            // Others may have come since it was announced.
            if files.free_bytes()? < SPARE_BYTES.saturating_add(piece.len() as u64) {
                return Err(BuildError::DiskFull);
            }
            files.append(hash, offset, &piece)?;
            if end < size {
                return Ok(Stored::Part(end));
            }
            files.complete(hash)?;
            match files.manifest(hash)? {
                Some(manifest) => {
                    tracing::info!(build = %hash.short(), bytes = size, by = %manifest.uploaded_by, "build uploaded");
                }
                None => tracing::info!(file = %hash.short(), bytes = size, "data file uploaded"),
            }
            Ok(Stored::Whole)
        })
        .await
    }

    /// Checks that data files are here.
    ///
    /// # Errors
    /// One is not, or the disk failed.
    pub(crate) async fn check_data(&self, data: Vec<DataFile>) -> Result<(), BuildError> {
        let inner = Arc::clone(&self.inner);
        blocking(move || match data::missing(&inner.files, &data)?.first() {
            Some(file) => Err(BuildError::UnknownData(file.path.clone())),
            None => Ok(()),
        })
        .await
    }

    /// A whole build or data file, with its size, to be read.
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

    /// Deletes a build, or what has come of it, with the data files that only it has. Runs keep their results, and that they were
    /// of it.
    ///
    /// # Errors
    /// It is not here, or the disk failed.
    pub(crate) async fn delete(&self, hash: &FileHash, of_runs: OfRuns) -> Result<(), BuildError> {
        let turn = self.turn(hash)?;
        blocking(move || {
            let (files, hash) = (&turn.inner.files, &turn.hash);
            // A data file is deleted with its builds.
            let is_build = files.manifest(hash)?.is_some();
            match is_build && data::delete_build(files, hash, &of_runs, &[])? {
                true => Ok(()),
                false => Err(BuildError::unknown(hash)),
            }
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
fn make_room(files: &Files, manifest: &BuildManifest, of_runs: &OfRuns) -> Result<(), BuildError> {
    files.forget_abandoned(MAX_BUILDS)?;
    data::forget_unreferred(files, of_runs, &manifest.data)?;
    let mut others = files.list()?;
    others.retain(|build| build.manifest.sha256 != manifest.sha256);
    loop {
        let data = files.data()?;
        // Those of this build have their room below.
        let of_others = data.iter().filter(|(hash, ..)| {
            let mut own = manifest.data.iter();
            own.all(|file| file.sha256 != *hash)
        });
        let of_others = of_others.map(|(_, bytes, _)| bytes);
        let programs = others.iter().map(|build| &build.manifest.size);
        let own = manifest.data.iter().map(|file| &file.size);
        let own = own.chain([&manifest.size]);
        let bytes: u64 = programs.chain(of_others).chain(own).sum();
        if bytes <= MAX_STORED_BYTES && others.len() < MAX_BUILDS {
            return Ok(());
        }
        let unneeded = |build: &StoredBuild| !of_runs.contains_key(&build.manifest.sha256);
        let oldest = others.iter().rposition(unneeded);
        let oldest = others.remove(oldest.ok_or(BuildError::NoRoom)?);
        data::delete_build(files, &oldest.manifest.sha256, of_runs, &manifest.data)?;
        tracing::info!(build = %oldest.manifest.sha256.short(), "deleted to make room for another build");
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BuildError> + Send + 'static,
) -> Result<T, BuildError> {
    spawn_blocking(work)
        .await
        .unwrap_or_else(|panic| Err(BuildError::Io(io::Error::other(panic))))
}

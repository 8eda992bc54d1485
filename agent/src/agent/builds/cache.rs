//! The cache of programs and data files: a directory that several agents of one machine may share.
//!
//! ```text
//! <sha256>        a whole file, checked; whoever uses it holds a shared lock on it
//! <sha256>.part   what has come of one; whoever fetches it holds an exclusive lock on it
//! run-…           the data files of a run in progress
//! ```
//!
//! Locks end with their process, however that ends. A file gets its name only when it is whole, right and on the disk. What was
//! not used for longest makes room, unless it is locked.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use greylag_infra::FileHash;

/// A directory of programs and data files.
#[derive(Debug)]
pub(crate) struct BuildCache {
    dir: PathBuf,
    max_bytes: u64,
    /// The group of the workers' user, if that is not ours.
    group: Option<u32>,
}

/// A file that is kept as long as this is.
#[derive(Debug)]
pub(super) struct CachedFile {
    pub(super) path: PathBuf,
    _in_use: File,
}

/// What has come of a file. Only this process writes it.
#[derive(Debug)]
pub(super) struct Part {
    path: PathBuf,
    pub(super) file: File,
    pub(super) received: u64,
}

/// Why a file cannot be kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CacheError {
    #[error(
        "{size} bytes do not fit into the cache of {max_bytes} bytes, of which runs use the rest; make it larger with --cache-size"
    )]
    TooSmall { size: u64, max_bytes: u64 },
    #[error("the disk of the cache {} is full; free some space or choose another with --cache", dir.display())]
    DiskFull { dir: PathBuf },
    #[error("the cache {} cannot be used: {source}", dir.display())]
    Io { dir: PathBuf, source: io::Error },
    #[error(transparent)]
    OfOthers(#[from] CacheOfOthers),
}

/// Others than this user and root can change what is in a cache, from which programs are started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "other users could put programs into the cache {}; let --cache name a directory that does not exist yet, or one that only this user owns and may write",
    .0.display()
)]
pub struct CacheOfOthers(pub PathBuf);

impl BuildCache {
    pub(super) fn new(dir: PathBuf, max_bytes: u64, group: Option<u32>) -> Self {
        Self {
            dir,
            max_bytes,
            group,
        }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Describes what went wrong with a file.
    pub(super) fn failed(&self, source: io::Error) -> CacheError {
        let dir = self.dir.clone();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                CacheError::DiskFull { dir }
            }
            _ => CacheError::Io { dir, source },
        }
    }

    /// A file of this size, if it is here.
    pub(super) fn get(&self, hash: &FileHash, size: u64) -> io::Result<Option<CachedFile>> {
        let path = self.dir.join(hash.as_str());
        let Some(file) = found(File::open(&path))? else {
            return Ok(None);
        };
        // One that is being deleted is locked by who deletes it.
        match file.try_lock_shared() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        if !is_at(&file, &path)? || file.metadata()?.len() != size {
            return Ok(None);
        }
        if self.group.is_some() {
            // It may have been kept for workers of another user.
            self.let_workers_run(&file)?;
        }
        // So that it counts as used just now; which one makes room is not worth an error.
        let _ = file.set_modified(SystemTime::now());
        Ok(Some(CachedFile {
            path,
            _in_use: file,
        }))
    }

    /// Makes the directory unless it exists.
    ///
    /// # Errors
    /// It cannot be made, or is not ours alone.
    pub(super) fn prepare(&self) -> Result<(), CacheError> {
        let mut builder = DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(&self.dir);
        made.map_err(|error| self.failed(error))?;
        check_owner(&self.dir)?;
        Ok(())
    }

    /// Begins or continues to fetch a file of this size; none while another process does, or when one just has.
    pub(super) fn begin(&self, hash: &FileHash, size: u64) -> io::Result<Option<Part>> {
        let path = self.dir.join(hash.as_str()).with_extension("part");
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o600);
        let file = options.open(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        if !is_at(&file, &path)? {
            return Ok(None);
        }
        // Whoever fetches it gives it its name while it holds the lock.
        let whole = found(fs::metadata(self.dir.join(hash.as_str())))?;
        if whole.is_some_and(|whole| whole.len() == size) {
            fs::remove_file(&path)?;
            return Ok(None);
        }
        let received = file.metadata()?.len();
        Ok(Some(Part {
            path,
            file,
            received,
        }))
    }

    /// How much there is of what another process fetches.
    pub(super) fn received(&self, hash: &FileHash) -> u64 {
        let path = self.dir.join(hash.as_str()).with_extension("part");
        fs::metadata(path).map_or(0, |metadata| metadata.len())
    }

    /// Makes room for a file: what was not used for longest is deleted, but nothing if all of that is not enough.
    pub(super) fn make_room(&self, hash: &FileHash, size: u64) -> Result<(), CacheError> {
        let failed = |error| self.failed(error);
        let mut kept = self.others(hash).map_err(failed)?;
        kept.sort_unstable_by_key(|(used_at, ..)| *used_at);
        let mut bytes = kept
            .iter()
            .fold(size, |sum, (_, bytes, _)| sum.saturating_add(*bytes));
        if bytes <= self.max_bytes {
            return Ok(());
        }
        let too_small = CacheError::TooSmall {
            size,
            max_bytes: self.max_bytes,
        };
        let mut unused = Vec::new();
        let mut least = bytes;
        for (_, bytes, path) in kept {
            if unused_file(&path).map_err(failed)?.is_some() {
                least -= bytes;
                unused.push((bytes, path));
            }
        }
        if least > self.max_bytes {
            return Err(too_small);
        }
        for (size_of_it, path) in unused {
            if bytes <= self.max_bytes {
                break;
            }
            // It may have come into use meanwhile.
            if let Some(file) = unused_file(&path).map_err(failed)? {
                file.delete().map_err(failed)?;
                bytes -= size_of_it;
            }
        }
        match bytes <= self.max_bytes {
            true => Ok(()),
            false => Err(too_small),
        }
    }

    /// All other files: when they were used, their size, and where they are.
    fn others(&self, hash: &FileHash) -> io::Result<Vec<(SystemTime, u64, PathBuf)>> {
        let mut others = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            // What is not ours is left alone.
            let of = stem.and_then(|stem| stem.parse::<FileHash>().ok());
            if of.is_none_or(|of| of == *hash) {
                continue;
            }
            if let Some(metadata) = found(fs::metadata(&path))? {
                others.push((metadata.modified()?, metadata.len(), path));
            }
        }
        Ok(others)
    }

    /// Whether a part is the file of this hash.
    pub(super) fn is_right(part: &Path, hash: &FileHash) -> io::Result<bool> {
        Ok(FileHash::of(File::open(part)?)? == *hash)
    }

    /// Gives a part that is right its name: executable, and nothing that anyone may change.
    pub(super) fn complete(&self, part: Part, hash: &FileHash) -> io::Result<()> {
        self.let_workers_run(&part.file)?;
        part.file.sync_all()?;
        fs::rename(&part.path, self.dir.join(hash.as_str()))?;
        File::open(&self.dir)?.sync_all()
    }
}

impl BuildCache {
    /// Makes a program executable for its workers, and nothing that anyone may change.
    fn let_workers_run(&self, file: &File) -> io::Result<()> {
        let Some(group) = self.group else {
            return file.set_permissions(Permissions::from_mode(0o500));
        };
        fchown(file, None, Some(group))?;
        // Another user's worker must get through to the file it starts.
        fs::set_permissions(&self.dir, Permissions::from_mode(0o711))?;
        file.set_permissions(Permissions::from_mode(0o550))
    }
}

impl Part {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Begins anew.
    pub(super) fn empty(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.received = 0;
        Ok(())
    }
}

/// Checks a cache that may not exist yet. What cannot be looked at cannot be used either, which says so then.
pub(in crate::agent) fn check_owner(dir: &Path) -> Result<(), CacheOfOthers> {
    const OTHERS_MAY_WRITE: u32 = 0o022;
    let us_or_root = [rustix::process::geteuid().as_raw(), 0];
    match fs::metadata(dir) {
        Ok(there) if !us_or_root.contains(&there.uid()) || there.mode() & OTHERS_MAY_WRITE != 0 => {
            Err(CacheOfOthers(dir.to_owned()))
        }
        _ => Ok(()),
    }
}

/// A file that no process uses, and none can use as long as this is kept.
struct UnusedFile<'a> {
    path: &'a Path,
    /// None if it is gone.
    locked: Option<File>,
}

impl UnusedFile<'_> {
    fn delete(self) -> io::Result<()> {
        match &self.locked {
            Some(file) if is_at(file, self.path)? => found(fs::remove_file(self.path)).map(drop),
            _ => Ok(()),
        }
    }
}

/// None if a process has it locked.
fn unused_file(path: &Path) -> io::Result<Option<UnusedFile<'_>>> {
    let locked = found(File::open(path))?;
    match locked.as_ref().map(File::try_lock).transpose() {
        Ok(_) => Ok(Some(UnusedFile { path, locked })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether a file still has this name: it may have been renamed or deleted before it was locked.
pub(super) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let (ours, there) = (file.metadata()?, found(fs::metadata(path))?);
    Ok(there.is_some_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())))
}

/// What is there; none if nothing is.
pub(super) fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

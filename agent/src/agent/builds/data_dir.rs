//! The directory that the workers of a run are started in, because the build has data files: they find them there under the names
//! that they read them by. The files are copies, so that whatever a worker writes into one changes no other run.
//!
//! Whoever uses such a directory holds a lock on it. What an agent left behind that was killed is deleted when the next one is made.

use std::fs::{self, DirBuilder, File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use greylag_infra::DataPath;
use tokio::runtime::Handle;

use super::cache::{found, is_at};

/// How the names of such directories begin; files of the cache are named by digits.
const PREFIX: &str = "run-";
/// How often one is made again that another agent took for left behind before it was locked.
const TRIES: u32 = 10;

/// A run's data files; deleted when it is dropped.
#[derive(Debug)]
pub(super) struct DataDir {
    path: PathBuf,
    /// The group of the workers' user, if that is not ours.
    group: Option<u32>,
    /// Locked; none once it is deleted.
    in_use: Option<File>,
}

impl DataDir {
    /// Makes an empty one.
    pub(super) fn make(parent: &Path, group: Option<u32>) -> io::Result<Self> {
        delete_left_behind(parent)?;
        for _ in 0..TRIES {
            let made = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
            let path = made.keep();
            if let Some(in_use) = locked(&path)? {
                let made = Self {
                    path,
                    group,
                    in_use: Some(in_use),
                };
                made.let_workers(&made.path, 0o700, 0o750)?;
                return Ok(made);
            }
        }
        Err(io::Error::other(
            "directories for data files do not stay where they are made",
        ))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts a copy of a file there. The directory is only this process's, and the name leads to nowhere else.
    pub(super) fn put(&self, name: &DataPath, content: &Path) -> io::Result<()> {
        let target = self.path.join(name);
        let mut directory = self.path.clone();
        for part in Path::new(name.as_str()).parent().into_iter().flatten() {
            directory.push(part);
            match DirBuilder::new().mode(0o700).create(&directory) {
                Ok(()) => self.let_workers(&directory, 0o700, 0o750)?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        fs::copy(content, &target)?;
        self.let_workers(&target, 0o600, 0o640)
    }

    /// Lets the workers have something: with this mode as our own user, or with the other one as their group.
    fn let_workers(&self, path: &Path, ours: u32, theirs: u32) -> io::Result<()> {
        let Some(group) = self.group else {
            return fs::set_permissions(path, Permissions::from_mode(ours));
        };
        chown(path, None, Some(group))?;
        fs::set_permissions(path, Permissions::from_mode(theirs))
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        let (path, in_use) = (std::mem::take(&mut self.path), self.in_use.take());
        let delete = move || {
            if let Err(error) = fs::remove_dir_all(&path) {
                tracing::debug!("{} cannot be deleted: {error}", path.display());
            }
            drop(in_use);
        };
        // Large files take their time.
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(delete)),
            Err(_) => delete(),
        }
    }
}

/// Deletes the directories that no process uses.
fn delete_left_behind(parent: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_one = name.to_str().is_some_and(|name| name.starts_with(PREFIX));
        // Others may be deleting it, too.
        if is_one && entry.file_type()?.is_dir() && locked(&entry.path())?.is_some() {
            found(fs::remove_dir_all(entry.path()))?;
        }
    }
    Ok(())
}

/// A directory that no other process has locked, and that is still there.
fn locked(path: &Path) -> io::Result<Option<File>> {
    let Some(directory) = found(File::open(path))? else {
        return Ok(None);
    };
    match directory.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    Ok(is_at(&directory, path)?.then_some(directory))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directories(parent: &Path) -> usize {
        fs::read_dir(parent).unwrap().count()
    }

    #[test]
    fn files_are_copies_that_go_with_the_directory() {
        let parent = tempfile::tempdir().unwrap();
        let content = parent.path().join("content");
        fs::write(&content, "rows").unwrap();
        fs::set_permissions(&content, Permissions::from_mode(0o500)).unwrap();
        let data = DataDir::make(parent.path(), None).unwrap();
        for name in ["a.csv", "b/c/d.csv", "b/e.csv"] {
            data.put(&name.parse().unwrap(), &content).unwrap();
            let there = data.path().join(name);
            assert_eq!(fs::read(&there).unwrap(), b"rows");
            let mode = fs::metadata(&there).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            fs::write(&there, "changed").unwrap();
        }
        assert_eq!(fs::read(&content).unwrap(), b"rows");
        let path = data.path().to_owned();
        drop(data);
        assert!(!path.exists() && content.exists());
    }

    #[test]
    fn only_what_was_left_behind_is_deleted() {
        let parent = tempfile::tempdir().unwrap();
        let in_use = DataDir::make(parent.path(), None).unwrap();
        let left = parent.path().join("run-killed");
        fs::create_dir_all(left.join("data")).unwrap();
        fs::write(left.join("data").join("a.csv"), "rows").unwrap();
        fs::create_dir(parent.path().join("others")).unwrap();
        let next = DataDir::make(parent.path(), None).unwrap();
        assert!(!left.exists() && in_use.path().exists() && next.path().exists());
        assert_eq!(directories(parent.path()), 3);
    }
}

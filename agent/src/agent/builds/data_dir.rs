//! The directory that the workers of a run are started in, because the build has data files: they find them there under the names
//! that they read them by. The files are copies, so that whatever a worker writes into one changes no other run.
//!
//! Whoever uses such a directory, or deletes it, holds a lock on it. What an agent left behind that was killed is deleted when the next
//! agent starts, and when the next directory is made.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use greylag_infra::DataPath;
use rustix::fs::OFlags;
use tokio::runtime::Handle;
use tokio_util::task::task_tracker::TaskTrackerToken;

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
    /// Kept until it is deleted, which an agent that ends waits for.
    tracked: Option<TaskTrackerToken>,
}

impl DataDir {
    /// Makes an empty one.
    pub(super) fn make(
        parent: &Path,
        group: Option<u32>,
        tracked: TaskTrackerToken,
    ) -> io::Result<Self> {
        delete_left_behind(parent);
        for _ in 0..TRIES {
            let made = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
            let path = made.keep();
            if let Some(in_use) = locked(&path)? {
                let made = Self {
                    path,
                    group,
                    in_use: Some(in_use),
                    tracked: Some(tracked),
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
        let path = std::mem::take(&mut self.path);
        let held = (self.in_use.take(), self.tracked.take());
        let delete = move || {
            if let Err(error) = fs::remove_dir_all(&path) {
                cannot_delete(&path, &error);
            }
            drop(held);
        };
        // Large files take their time.
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(delete)),
            Err(_) => delete(),
        }
    }
}

/// Deletes the directories that no process uses. Those that cannot be deleted are left: they are no reason not to run anything.
pub(super) fn delete_left_behind(parent: &Path) {
    // What keeps directories from being listed keeps them from being made, which says so.
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_one = name.to_str().is_some_and(|name| name.starts_with(PREFIX));
        let path = entry.path();
        if is_one && let Err(error) = delete_unused(&path) {
            cannot_delete(&path, &error);
        }
    }
}

/// Deletes a directory unless a process uses it. It stays locked meanwhile, so that whoever has just made it leaves it alone.
fn delete_unused(path: &Path) -> io::Result<()> {
    let Some(_lock) = locked(path)? else {
        return Ok(());
    };
    found(fs::remove_dir_all(path)).map(drop)
}

fn cannot_delete(path: &Path, error: &io::Error) {
    tracing::warn!("{} cannot be deleted: {error}", path.display());
}

/// A directory that no other process has locked, and that is still there.
fn locked(path: &Path) -> io::Result<Option<File>> {
    // Nothing else, such as a pipe, on which opening would wait.
    let only_directories = (OFlags::DIRECTORY | OFlags::NOFOLLOW).bits().cast_signed();
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(only_directories);
    let Some(directory) = found(options.open(path))? else {
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
    use std::thread;

    use tokio_util::task::TaskTracker;

    use super::*;

    fn make(parent: &Path) -> io::Result<DataDir> {
        DataDir::make(parent, None, TaskTracker::new().token())
    }

    fn directories(parent: &Path) -> usize {
        fs::read_dir(parent).unwrap().count()
    }

    #[test]
    fn files_are_copies_that_go_with_the_directory() {
        let parent = tempfile::tempdir().unwrap();
        let content = parent.path().join("content");
        fs::write(&content, "rows").unwrap();
        fs::set_permissions(&content, Permissions::from_mode(0o500)).unwrap();
        let data = make(parent.path()).unwrap();
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
        let in_use = make(parent.path()).unwrap();
        let left = parent.path().join("run-killed");
        fs::create_dir_all(left.join("data")).unwrap();
        fs::write(left.join("data").join("a.csv"), "rows").unwrap();
        fs::create_dir(parent.path().join("others")).unwrap();
        let next = make(parent.path()).unwrap();
        assert!(!left.exists() && in_use.path().exists() && next.path().exists());
        assert_eq!(directories(parent.path()), 3);
    }

    /// Each deletes what it takes for left behind whenever it makes one.
    #[test]
    fn agents_with_one_cache_leave_each_other_their_directories() {
        const TIMES: usize = 500;
        let parent = tempfile::tempdir().unwrap();
        let content = parent.path().join("content");
        fs::write(&content, "rows").unwrap();
        let use_some = || {
            for _ in 0..TIMES {
                let data = make(parent.path()).unwrap();
                for name in ["a.csv", "b/c.csv"] {
                    data.put(&name.parse().unwrap(), &content).unwrap();
                }
                assert!(data.path().join("a.csv").exists());
            }
        };
        thread::scope(|scope| {
            scope.spawn(use_some);
            scope.spawn(use_some);
        });
        assert_eq!(directories(parent.path()), 1);
    }

    #[test]
    fn what_cannot_be_deleted_keeps_nothing_from_being_made() {
        let parent = tempfile::tempdir().unwrap();
        let file = parent.path().join("run-not-a-directory");
        fs::write(&file, "").unwrap();
        let made = make(parent.path()).unwrap();
        assert!(file.exists() && made.path().exists());
    }

    /// Who waits for the tracker knows that the files are gone, however busy the threads are that delete them.
    #[test]
    fn an_agent_that_ends_can_wait_for_the_deletion() {
        let parent = tempfile::tempdir().unwrap();
        let tracker = TaskTracker::new();
        let data = DataDir::make(parent.path(), None, tracker.token()).unwrap();
        let path = data.path().to_owned();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .max_blocking_threads(1)
            .build()
            .unwrap();
        runtime.block_on(async {
            let (release, released) = std::sync::mpsc::channel::<()>();
            let busy = tokio::task::spawn_blocking(move || released.recv());
            drop(data);
            tracker.close();
            assert!(!tracker.is_empty() && path.exists());
            drop(release);
            tracker.wait().await;
            assert!(!path.exists());
            assert!(busy.await.unwrap().is_err());
        });
    }
}

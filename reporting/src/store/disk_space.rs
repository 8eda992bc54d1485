//! How much room is left where results are kept.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Less than this is nearly full: a run of a hundred endpoints fills it in some hours.
const NEARLY_FULL_BYTES: u64 = 512 << 20;
/// With less than this not even a new database can be made.
const FULL_BYTES: u64 = 1 << 20;

/// What the disk of the results has left, as it was seen last.
#[derive(Debug)]
pub(super) struct DiskSpace {
    dir: PathBuf,
    free_bytes: AtomicU64,
}

impl DiskSpace {
    pub(super) fn of(dir: &Path) -> Arc<Self> {
        let space = Self {
            dir: dir.into(),
            free_bytes: AtomicU64::new(u64::MAX),
        };
        space.look();
        Arc::new(space)
    }

    /// Looks again, and says so in the log when the disk has become nearly full. May block.
    pub(super) fn look(&self) {
        let Ok(free) = free_bytes(&self.dir) else {
            return;
        };
        let before = self.free_bytes.swap(free, Ordering::Relaxed);
        if free < NEARLY_FULL_BYTES && before >= NEARLY_FULL_BYTES {
            let megabytes = free >> 20;
            tracing::warn!(directory = %self.dir.display(), megabytes, "the results disk is nearly full; free some space or delete runs");
        }
    }

    /// Bytes that are left, if they are few.
    pub(super) fn nearly_full(&self) -> Option<u64> {
        Some(self.free_bytes.load(Ordering::Relaxed)).filter(|free| *free < NEARLY_FULL_BYTES)
    }
}

/// Whether nothing can be written to the disk of a directory because it is full.
pub(super) fn is_full(dir: &Path) -> bool {
    free_bytes(dir).is_ok_and(|free| free < FULL_BYTES)
}

fn free_bytes(dir: &Path) -> io::Result<u64> {
    let known = rustix::fs::statvfs(dir)?;
    Ok(known.f_bavail.saturating_mul(known.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_nearly_full_below_the_limit() {
        let space = DiskSpace {
            dir: "/".into(),
            free_bytes: AtomicU64::new(NEARLY_FULL_BYTES),
        };
        assert_eq!(space.nearly_full(), None);
        space
            .free_bytes
            .store(NEARLY_FULL_BYTES - 1, Ordering::Relaxed);
        assert_eq!(space.nearly_full(), Some(NEARLY_FULL_BYTES - 1));
        space.look();
        assert_ne!(
            space.free_bytes.load(Ordering::Relaxed),
            NEARLY_FULL_BYTES - 1
        );
    }
}

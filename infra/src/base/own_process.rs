//! What this process uses, as Linux counts it; elsewhere most of it is not known.

use std::fs;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// What this process has used and has open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnProcess {
    /// Processor time of all threads since the start of the process.
    pub processor_time: Duration,
    /// Resident memory in bytes.
    pub memory_bytes: Option<u64>,
    /// Open files, sockets included.
    pub open_files: Option<u32>,
}

impl OwnProcess {
    /// As it is now.
    #[must_use]
    pub fn measure() -> Self {
        Self {
            processor_time: processor_time(),
            memory_bytes: fs::read_to_string("/proc/self/statm")
                .ok()
                .and_then(|statm| resident_bytes(&statm)),
            open_files: open_files(),
        }
    }
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The second number of `/proc/…/statm` is in pages.
fn resident_bytes(statm: &str) -> Option<u64> {
    let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages.saturating_mul(rustix::param::page_size() as u64))
}

/// Since Linux 6.2 the directory's size is their number; before, its entries are counted.
fn open_files() -> Option<u32> {
    const FILES: &str = "/proc/self/fd";
    let known = fs::metadata(FILES).ok()?.len();
    let files = match known {
        // The directory itself is open while it is read.
        0 => (fs::read_dir(FILES).ok()?.count() as u64).saturating_sub(1),
        known => known,
    };
    u32::try_from(files).ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_measured() {
        let begun = processor_time();
        while processor_time() - begun < Duration::from_millis(20) {}
        let own = OwnProcess::measure();
        assert!(own.processor_time >= begun + Duration::from_millis(20));
        assert!(own.memory_bytes.unwrap() > 1 << 20, "{own:?}");
        assert!(own.open_files.unwrap() >= 3, "{own:?}");
        assert_eq!(
            resident_bytes("100 3 1 0"),
            Some(3 * rustix::param::page_size() as u64)
        );
        assert_eq!(resident_bytes(""), None);
    }

    #[test]
    fn files_that_are_opened_are_counted() {
        let few = open_files().unwrap();
        let opened: Vec<_> = (0..200)
            .map(|_| fs::File::open("/dev/null").unwrap())
            .collect();
        // Other tests of this process open and close some, too.
        assert!(open_files().unwrap() > few.saturating_add(100).saturating_sub(50));
        drop(opened);
    }
}

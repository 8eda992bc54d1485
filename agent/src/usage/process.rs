//! What this process uses.

use std::fs;
use std::time::{Duration, Instant};

use greylag_infra::ProcessHealth;
use rustix::time::{ClockId, clock_gettime};

use super::{permille, read};

/// Measures this process from one look to the next.
#[derive(Debug)]
pub(super) struct ProcessMeter {
    at: Instant,
    ran: Duration,
}

impl ProcessMeter {
    pub(super) fn start() -> Self {
        Self {
            at: Instant::now(),
            ran: processor_time(),
        }
    }

    pub(super) fn look(&mut self) -> ProcessHealth {
        let before = std::mem::replace(self, Self::start());
        ProcessHealth {
            process_pm: permille(self.ran.saturating_sub(before.ran), before.at, self.at),
            memory_bytes: read("/proc/self/statm").and_then(|statm| resident_bytes(&statm)),
            open_files: open_files(),
            ..ProcessHealth::default()
        }
    }
}

/// Of all threads since the start of the process.
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
        let mut meter = ProcessMeter::start();
        let begun = Instant::now();
        while meter.at.elapsed() < Duration::from_millis(150) {
            std::hint::black_box(processor_time());
        }
        let health = meter.look();
        assert!(begun.elapsed() >= Duration::from_millis(150));
        assert!(health.process_pm.unwrap() > 0, "{health:?}");
        assert!(health.memory_bytes.unwrap() > 1 << 20, "{health:?}");
        assert!(health.open_files.unwrap() >= 3, "{health:?}");
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

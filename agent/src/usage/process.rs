//! What this process uses.

use std::time::Instant;

use greylag_infra::{OwnProcess, ProcessHealth};

use super::permille;

/// Measures this process from one look to the next.
#[derive(Debug)]
pub(super) struct ProcessMeter {
    at: Instant,
    used: OwnProcess,
}

impl ProcessMeter {
    pub(super) fn start() -> Self {
        Self {
            at: Instant::now(),
            used: OwnProcess::measure(),
        }
    }

    pub(super) fn look(&mut self) -> ProcessHealth {
        let before = std::mem::replace(self, Self::start());
        let ran = self
            .used
            .processor_time
            .saturating_sub(before.used.processor_time);
        ProcessHealth {
            process_pm: permille(ran, before.at, self.at),
            memory_bytes: self.used.memory_bytes,
            open_files: self.used.open_files,
            ..ProcessHealth::default()
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn this_process_is_measured() {
        let mut meter = ProcessMeter::start();
        let enough = meter.used.processor_time + Duration::from_millis(50);
        // Time that passes is none that this process has on a busy machine.
        while OwnProcess::measure().processor_time < enough
            || meter.at.elapsed() < Duration::from_millis(150)
        {
            let waited = meter.at.elapsed();
            assert!(waited < Duration::from_secs(60), "no processor time");
        }
        let health = meter.look();
        assert!(health.process_pm.unwrap() > 0, "{health:?}");
        assert!(health.memory_bytes.unwrap() > 1 << 20, "{health:?}");
        assert!(health.open_files.unwrap() >= 3, "{health:?}");
    }
}

//! What this process and this machine use of processor, memory and files, as Linux counts it; elsewhere most of it is not known.

mod machine;
mod process;

use std::fs;
use std::time::{Duration, Instant};

use greylag_infra::ProcessHealth;
use machine::MachineMeter;
use process::ProcessMeter;

/// Processor time is not judged by less than this: it is counted in steps.
const LEAST_TIME: Duration = Duration::from_millis(100);

/// Measures this process from one look to the next.
#[derive(Debug)]
pub(crate) struct Meter {
    process: ProcessMeter,
    machine: Option<MachineMeter>,
}

impl Meter {
    /// Measures this process from now on.
    pub(crate) fn of_process() -> Self {
        Self {
            process: ProcessMeter::start(),
            machine: None,
        }
    }

    /// Measures this process and the machine that it is on.
    pub(crate) fn of_process_and_machine() -> Self {
        Self {
            process: ProcessMeter::start(),
            machine: Some(MachineMeter::start()),
        }
    }

    /// What was used since the last look, without whose process it is and in which second.
    pub(crate) fn look(&mut self) -> ProcessHealth {
        ProcessHealth {
            machine: self.machine.as_mut().map(MachineMeter::look),
            ..self.process.look()
        }
    }
}

/// Processor time in permille of a core, from one instant to another; none where there is too little between them.
pub(crate) fn permille(used: Duration, from: Instant, to: Instant) -> Option<u32> {
    let wall = to.saturating_duration_since(from);
    (wall >= LEAST_TIME).then(|| (used.as_secs_f64() * 1_000.0 / wall.as_secs_f64()).round() as u32)
}

/// The text of a small file of the system; none where the file is missing.
fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_the_time_between_two_looks() {
        let from = Instant::now();
        let after = |ms| from + Duration::from_millis(ms);
        assert_eq!(
            permille(Duration::from_millis(450), from, after(500)),
            Some(900)
        );
        assert_eq!(
            permille(Duration::from_millis(1_500), from, after(1_000)),
            Some(1_500)
        );
        assert_eq!(permille(Duration::from_millis(50), from, after(50)), None);
    }
}

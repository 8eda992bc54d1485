//! Keeps a task that fails each time from flooding the log; the recorder still gets every error.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Errors of tasks logged per second and process; the rest is counted and said.
const ERRORS_PER_SECOND: u64 = 20;

/// Counts log lines of the current second.
pub(crate) struct LogLimit(Mutex<Second>);

struct Second {
    began: Instant,
    lines: u64,
}

impl LogLimit {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Second {
            began: Instant::now(),
            lines: 0,
        }))
    }

    /// Logs the error of a task, unless the second has had its lines.
    pub(crate) fn error(&self, task: &str, text: &str) {
        let (logged, left_out) = self.count(Instant::now());
        if left_out > 0 {
            tracing::error!("{left_out} more errors of tasks were not logged");
        }
        if logged {
            tracing::error!(task, "{text}");
        }
    }

    /// Whether a line may be logged now, and how many an ended second left out.
    fn count(&self, now: Instant) -> (bool, u64) {
        // A panic while it is held leaves two numbers that are still good.
        let mut second = self
            .0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut left_out = 0;
        if now.duration_since(second.began) >= Duration::from_secs(1) {
            left_out = second.lines.saturating_sub(ERRORS_PER_SECOND);
            *second = Second {
                began: now,
                lines: 0,
            };
        }
        second.lines += 1;
        (second.lines <= ERRORS_PER_SECOND, left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_its_lines_and_the_next_says_how_many_were_left_out() {
        let limit = LogLimit::new();
        let start = Instant::now();
        let logged = (0..100).filter(|_| limit.count(start).0).count() as u64;
        assert_eq!(logged, ERRORS_PER_SECOND);
        let later = start + Duration::from_millis(1_100);
        assert_eq!(limit.count(later), (true, 100 - ERRORS_PER_SECOND));
        assert_eq!(limit.count(later), (true, 0));
    }
}

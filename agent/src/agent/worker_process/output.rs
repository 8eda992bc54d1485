//! What the two output streams of a worker share: the limit of lines, and the last line of its errors.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::lines::LineLimit;

/// What both streams of a worker's output share.
#[derive(Debug, Clone, Default)]
pub(super) struct Output(Arc<Mutex<OutputState>>);

#[derive(Debug)]
struct OutputState {
    began: Instant,
    limit: LineLimit,
    last_error_line: String,
}

impl Default for OutputState {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            limit: LineLimit::default(),
            last_error_line: String::new(),
        }
    }
}

impl Output {
    fn lock(&self) -> MutexGuard<'_, OutputState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lines dropped since this was last asked.
    pub(super) fn take_dropped(&self) -> u64 {
        self.lock().limit.take_dropped()
    }

    /// The last line that was printed to standard error; empty if there is none.
    pub(super) fn last_error_line(&self) -> String {
        self.lock().last_error_line.clone()
    }

    /// Whether a line is kept, and how many were dropped before it in a second that is over.
    pub(super) fn admit(&self, line: &str, is_error: bool) -> (bool, u64) {
        let mut output = self.lock();
        if is_error && !line.trim().is_empty() {
            output.last_error_line = line.trim().to_owned();
        }
        let second = output.began.elapsed().as_secs();
        let admitted = output.limit.admit(second);
        let dropped = if admitted {
            output.limit.take_dropped()
        } else {
            0
        };
        (admitted, dropped)
    }
}

//! The clock of the store and its coordinator: wall time anchored once to monotonic time, so that it never jumps
//! within a run.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    anchor: Instant,
    anchor_us: u64,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            anchor: Instant::now(),
            anchor_us: u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX),
        }
    }

    /// A clock that says this time now.
    #[cfg(test)]
    pub(crate) fn at(anchor_us: u64) -> Self {
        Self {
            anchor: Instant::now(),
            anchor_us,
        }
    }

    pub(crate) fn started_us(&self) -> u64 {
        self.anchor_us
    }

    pub(crate) fn now_us(&self) -> u64 {
        let elapsed = u64::try_from(self.anchor.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.anchor_us.saturating_add(elapsed)
    }
}

//! The clocks of this crate. That of the store and its coordinator is wall time anchored once to monotonic time, so
//! that it never jumps within a run.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    anchor: Instant,
    anchor_us: u64,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self {
            anchor: Instant::now(),
            anchor_us: wall_us(),
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

/// Wall time now, in µs since 1970. It may be set at any time, in both directions.
pub(crate) fn wall_us() -> u64 {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX)
}

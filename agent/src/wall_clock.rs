//! The agent's clock: the wall clock as it was when the agent started, carried on by the monotonic one, so
//! that a step of the wall clock moves no measurement.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A clock that counts µs since 1970 and never steps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WallClock {
    started: Instant,
    started_at_us: u64,
}

impl WallClock {
    /// Anchors the clock now.
    pub(crate) fn start() -> Self {
        Self {
            started: Instant::now(),
            started_at_us: system_time_us(),
        }
    }

    /// µs since 1970.
    pub(crate) fn now_us(&self) -> u64 {
        self.started_at_us + micros(self.started.elapsed())
    }

    /// The instant at which this clock shows `at_us`.
    pub(crate) fn instant_of(&self, at_us: u64) -> Instant {
        let now = Instant::now();
        let now_us = self.started_at_us + micros(now.saturating_duration_since(self.started));
        let from_now = Duration::from_micros(at_us.abs_diff(now_us));
        let instant = if at_us >= now_us {
            now.checked_add(from_now)
        } else {
            now.checked_sub(from_now)
        };
        instant.unwrap_or(now)
    }
}

/// The system's wall clock in µs since 1970.
pub(crate) fn system_time_us() -> u64 {
    micros(
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default(),
    )
}

/// A duration in whole µs; half a million years fit.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

//! The wall clock, in µs since 1970: the system's, which may be set at any time, and one that never steps.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The wall clock as it was when this one was started, carried on by the monotonic clock, so that a step of the system's
/// clock moves no measurement.
#[derive(Debug, Clone, Copy)]
pub struct WallClock {
    started: Instant,
    started_at_us: u64,
}

impl WallClock {
    /// A clock that shows the system's time now.
    pub fn start() -> Self {
        Self::showing(system_time_us())
    }

    /// A clock that shows this time now.
    pub fn showing(now_us: u64) -> Self {
        Self {
            started: Instant::now(),
            started_at_us: now_us,
        }
    }

    /// What it showed when it was started.
    pub fn started_us(&self) -> u64 {
        self.started_at_us
    }

    /// µs since 1970.
    pub fn now_us(&self) -> u64 {
        self.shows_at(Instant::now())
    }

    /// What this clock shows at an instant.
    pub fn shows_at(&self, instant: Instant) -> u64 {
        let since_start = instant.saturating_duration_since(self.started);
        let before_start = self.started.saturating_duration_since(instant);
        self.started_at_us
            .saturating_add(micros(since_start))
            .saturating_sub(micros(before_start))
    }

    /// The instant at which this clock shows `at_us`; now, if the system has no such instant.
    pub fn instant_of(&self, at_us: u64) -> Instant {
        let from_start = Duration::from_micros(at_us.abs_diff(self.started_at_us));
        let instant = if at_us >= self.started_at_us {
            self.started.checked_add(from_start)
        } else {
            self.started.checked_sub(from_start)
        };
        instant.unwrap_or_else(Instant::now)
    }
}

/// The system's wall clock in µs since 1970.
pub fn system_time_us() -> u64 {
    micros(
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default(),
    )
}

/// A duration in whole µs; half a million years fit.
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_and_times_of_a_clock_belong_together() {
        let clock = WallClock::showing(5_000_000);
        assert_eq!(clock.started_us(), 5_000_000);
        assert!(clock.now_us() >= 5_000_000);
        for at_us in [4_000_000, 5_000_000, 9_000_001] {
            assert_eq!(clock.shows_at(clock.instant_of(at_us)), at_us);
        }
    }

    #[test]
    fn times_that_no_clock_shows_are_now() {
        let clock = WallClock::showing(5);
        let before = Instant::now();
        assert!(clock.instant_of(u64::MAX) >= before);
    }
}

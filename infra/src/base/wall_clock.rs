//! The wall clock as one that never steps, whatever the system's is set to meanwhile.

use std::time::Instant;

use super::WallTime;

/// The wall clock as it was when this one was started, carried on by the monotonic clock, so that a step of the system's
/// clock moves no measurement.
#[derive(Debug, Clone, Copy)]
pub struct WallClock {
    started: Instant,
    started_at: WallTime,
}

impl WallClock {
    /// A clock that shows the system's time now.
    pub fn start() -> Self {
        Self::showing(WallTime::of_system())
    }

    /// A clock that shows this time now.
    pub fn showing(now: WallTime) -> Self {
        Self {
            started: Instant::now(),
            started_at: now,
        }
    }

    /// What it showed when it was started.
    pub fn started_at(&self) -> WallTime {
        self.started_at
    }

    /// What it shows now.
    pub fn now(&self) -> WallTime {
        self.shows_at(Instant::now())
    }

    /// What this clock shows at an instant.
    pub fn shows_at(&self, instant: Instant) -> WallTime {
        let since_start = instant.saturating_duration_since(self.started);
        let before_start = self.started.saturating_duration_since(instant);
        self.started_at + since_start - before_start
    }

    /// The instant at which this clock shows this time; now, if the system has no such instant.
    pub fn instant_of(&self, at: WallTime) -> Instant {
        let from_start = at.abs_diff(self.started_at);
        let instant = if at >= self.started_at {
            self.started.checked_add(from_start)
        } else {
            self.started.checked_sub(from_start)
        };
        instant.unwrap_or_else(Instant::now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STARTED_AT: WallTime = WallTime::from_micros(5_000_000);

    #[test]
    fn instants_and_times_of_a_clock_belong_together() {
        let clock = WallClock::showing(STARTED_AT);
        assert_eq!(clock.started_at(), STARTED_AT);
        assert!(clock.now() >= STARTED_AT);
        for at in [4_000_000, 5_000_000, 9_000_001].map(WallTime::from_micros) {
            assert_eq!(clock.shows_at(clock.instant_of(at)), at);
        }
    }

    #[test]
    fn times_that_no_clock_shows_are_now() {
        let clock = WallClock::showing(WallTime::from_micros(5));
        let before = Instant::now();
        assert!(clock.instant_of(WallTime::from_micros(u64::MAX)) >= before);
    }
}

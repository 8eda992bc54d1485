//! Wall time and run time: two times in whole µs that must not be mixed up. Both are written as that number.

use std::ops::{Add, Sub};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Makes a type of a time in whole µs since some zero. Sums and differences stop at the ends of what it can say.
macro_rules! time {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            /// The latest that can be said.
            pub const MAX: Self = Self(u64::MAX);

            /// The time so many µs after zero.
            pub const fn from_micros(micros: u64) -> Self {
                Self(micros)
            }

            /// µs since zero.
            pub const fn as_micros(self) -> u64 {
                self.0
            }

            /// How far apart the two are.
            pub const fn abs_diff(self, other: Self) -> Duration {
                Duration::from_micros(self.0.abs_diff(other.0))
            }
        }

        impl Add<Duration> for $name {
            type Output = Self;

            fn add(self, more: Duration) -> Self {
                Self(self.0.saturating_add(micros(more)))
            }
        }

        impl Sub<Duration> for $name {
            type Output = Self;

            fn sub(self, less: Duration) -> Self {
                Self(self.0.saturating_sub(micros(less)))
            }
        }

        /// How long after the other one; zero if it is before it.
        impl Sub for $name {
            type Output = Duration;

            fn sub(self, earlier: Self) -> Duration {
                Duration::from_micros(self.0.saturating_sub(earlier.0))
            }
        }
    };
}

time! {
    /// A time on some machine's wall clock, in µs since 1970.
    WallTime
}

time! {
    /// A time within a run, in µs since the run's time zero, which is the same moment for all its agents.
    RunTime
}

impl WallTime {
    /// What the system's clock shows now. It may be set at any time: [`WallClock`](super::WallClock) never steps.
    pub fn of_system() -> Self {
        Self::from(SystemTime::now())
    }

    /// What it is within a run whose time zero is at `zero`; zero before that.
    pub const fn run_time(self, zero: Self) -> RunTime {
        RunTime(self.0.saturating_sub(zero.0))
    }

    /// What it is within a run whose time zero is at `zero`; none before that.
    pub fn checked_run_time(self, zero: Self) -> Option<RunTime> {
        self.0.checked_sub(zero.0).map(RunTime)
    }
}

impl From<SystemTime> for WallTime {
    fn from(time: SystemTime) -> Self {
        Self(micros(time.duration_since(UNIX_EPOCH).unwrap_or_default()))
    }
}

/// When it is that time in a run whose time zero this is.
impl Add<RunTime> for WallTime {
    type Output = Self;

    fn add(self, run_time: RunTime) -> Self {
        self + run_time.since_zero()
    }
}

/// Where time zero of a run is in which it is that time now.
impl Sub<RunTime> for WallTime {
    type Output = Self;

    fn sub(self, run_time: RunTime) -> Self {
        self - run_time.since_zero()
    }
}

impl RunTime {
    /// Run time zero.
    pub const ZERO: Self = Self(0);

    /// The beginning of a second.
    pub const fn of_second(second: u32) -> Self {
        // 2^32 seconds are 4.3 * 10^15 µs.
        Self(second as u64 * 1_000_000)
    }

    /// The second in which it is.
    pub fn second(self) -> u32 {
        u32::try_from(self.0 / 1_000_000).unwrap_or(u32::MAX)
    }

    /// The last time before it.
    pub const fn just_before(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// How long after run time zero.
    pub const fn since_zero(self) -> Duration {
        Duration::from_micros(self.0)
    }
}

/// How long after run time zero it is.
impl From<Duration> for RunTime {
    fn from(since_zero: Duration) -> Self {
        Self(micros(since_zero))
    }
}

/// A duration in whole µs; half a million years fit.
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZERO: WallTime = WallTime::from_micros(1_795_435_440_000_000);

    #[test]
    fn a_run_has_its_own_time() {
        let run_time = RunTime::of_second(7) + Duration::from_millis(250);
        let now = ZERO + run_time;
        assert_eq!(now.run_time(ZERO), run_time);
        assert_eq!(now - run_time, ZERO);
        assert_eq!((run_time.second(), run_time.as_micros()), (7, 7_250_000));
        assert_eq!(RunTime::from(run_time.since_zero()), run_time);
        assert_eq!(
            (ZERO - Duration::from_secs(1)).run_time(ZERO),
            RunTime::ZERO
        );
    }

    #[test]
    fn nothing_overflows() {
        let last = WallTime::from_micros(u64::MAX);
        assert_eq!(last + Duration::MAX, last);
        assert_eq!(ZERO - Duration::MAX, WallTime::default());
        assert_eq!(ZERO - last, Duration::ZERO);
        assert_eq!(ZERO.abs_diff(last), last - ZERO);
        assert_eq!(RunTime::from(Duration::MAX).second(), u32::MAX);
        assert_eq!(RunTime::of_second(u32::MAX).second(), u32::MAX);
    }

    #[test]
    fn they_are_written_as_numbers() {
        assert_eq!(serde_json::to_string(&ZERO).unwrap(), "1795435440000000");
        assert_eq!(
            serde_json::from_str::<RunTime>("5").unwrap(),
            RunTime::from_micros(5)
        );
    }
}

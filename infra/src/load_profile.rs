//! How many users are there when: the load profile as a pure function of time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How many users there are when, and how many iterations begin. Times are µs of run time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LoadProfile {
    /// Changes of the number of users, ascending by `at_us`. A later step takes over from an earlier one
    /// whose ramp is not over, from where it is. Before the first there are no users.
    pub steps: Vec<ProfileStep>,
    /// Changes of the arrival rate, likewise; empty when users pace themselves.
    pub rates: Vec<RateStep>,
    /// When the run ends.
    pub ends_at_us: u64,
}

/// From `at_us` on the number of users goes linearly to `users`, within `over_us`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProfileStep {
    /// When it begins.
    pub at_us: u64,
    /// Users in the end.
    pub users: u64,
    /// How long it takes.
    pub over_us: u64,
}

/// From `at_us` on the arrival rate goes linearly to `per_second`, within `over_us`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RateStep {
    /// When it begins.
    pub at_us: u64,
    /// New iterations per second in the end, over the whole run.
    pub per_second: f64,
    /// How long it takes.
    pub over_us: u64,
}

/// A linear ramp from zero to `users` over `ramp_up`: user k (from 0) starts at `k * ramp_up / users`,
/// whatever the number of workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinearRamp {
    /// Users at the end of the ramp.
    pub users: u64,
    /// How long the ramp takes; zero starts everyone at once.
    pub ramp_up: Duration,
}

impl LinearRamp {
    /// When user `index` (from 0, over the whole run) starts, counted from run time zero.
    pub fn start_of(&self, index: u64) -> Duration {
        if self.users == 0 {
            return Duration::ZERO;
        }
        let nanos = self.ramp_up.as_nanos() * u128::from(index) / u128::from(self.users);
        // A ramp is at most `MAX_DURATION`, so its nanoseconds fit; saturating keeps a wrong index harmless.
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// The ideal line: active users at `elapsed` since run time zero, as a fraction.
    pub fn ideal_at(&self, elapsed: Duration) -> f64 {
        if elapsed >= self.ramp_up {
            return self.users as f64;
        }
        self.users as f64 * elapsed.as_secs_f64() / self.ramp_up.as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_ramp_of_zero_starts_everyone_at_once() {
        let ramp = LinearRamp {
            users: 5,
            ramp_up: Duration::ZERO,
        };
        assert!((0..5).all(|k| ramp.start_of(k) == Duration::ZERO));
        assert_eq!(ramp.ideal_at(Duration::ZERO), 5.0);
    }

    proptest! {
        #[test]
        fn started_users_follow_the_line(users in 1u64..2000, ramp_ms in 1u64..100_000, at in 0.0f64..1.2) {
            let ramp = LinearRamp { users, ramp_up: Duration::from_millis(ramp_ms) };
            let elapsed = Duration::from_millis(ramp_ms).mul_f64(at);
            let started = (0..users).filter(|k| ramp.start_of(*k) < elapsed).count() as f64;
            prop_assert!((started - ramp.ideal_at(elapsed)).abs() <= 1.0 + 1e-6);
        }
    }
}

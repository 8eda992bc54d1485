//! How long a user waits between two tasks.

use std::time::Duration;

use rand::Rng;

/// Longest wait that can be drawn; longer ones are cut to it (about 31 years, far beyond any run,
/// and small enough for every clock).
const LONGEST_WAIT: f64 = 1e9;

/// How long a user waits after each task. Made by [`between`] and [`constant`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WaitTime(Kind);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Between(f64, f64),
    Constant(f64),
}

/// Waits a random time between `min` and `max` seconds, drawn anew and uniformly each time.
///
/// Bounds below zero or not a number count as zero; if `min` is above `max` they change places.
pub fn between(min: f64, max: f64) -> WaitTime {
    let (min, max) = (sane(min), sane(max));
    WaitTime(Kind::Between(min.min(max), min.max(max)))
}

/// Waits the same time of `seconds` after each task; `constant(0.0)` is no wait at all.
pub fn constant(seconds: f64) -> WaitTime {
    WaitTime(Kind::Constant(sane(seconds)))
}

impl Default for WaitTime {
    /// Locust's default: no wait.
    fn default() -> Self {
        constant(0.0)
    }
}

impl WaitTime {
    /// Draws the next wait.
    pub(crate) fn draw(&self, random: &mut impl Rng) -> Duration {
        let seconds = match self.0 {
            Kind::Between(min, max) => min + random.random::<f64>() * (max - min),
            Kind::Constant(seconds) => seconds,
        };
        Duration::from_secs_f64(seconds)
    }
}

fn sane(seconds: f64) -> f64 {
    if seconds.is_nan() {
        0.0
    } else {
        seconds.clamp(0.0, LONGEST_WAIT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::{SeedableRng, rngs::SmallRng};

    proptest! {
        #[test]
        fn every_draw_is_within_the_bounds(min in 0.0..1e4f64, span in 0.0..1e4f64, seed: u64) {
            let mut random = SmallRng::seed_from_u64(seed);
            let drawn = between(min, min + span).draw(&mut random).as_secs_f64();
            prop_assert!(drawn >= min - 1e-6 && drawn <= min + span + 1e-6);
        }

        #[test]
        fn no_input_panics(min in any::<f64>(), max in any::<f64>(), seed: u64) {
            let mut random = SmallRng::seed_from_u64(seed);
            between(min, max).draw(&mut random);
            constant(min).draw(&mut random);
        }
    }

    #[test]
    fn the_mean_is_in_the_middle() {
        // 10,000 uniform draws over 2 s: standard error 2/sqrt(12)/100 = 5.8 ms; 6 of them.
        let mut random = SmallRng::seed_from_u64(1);
        let total: f64 = (0..10_000)
            .map(|_| between(1.0, 3.0).draw(&mut random).as_secs_f64())
            .sum();
        assert!((total / 10_000.0 - 2.0).abs() < 0.035);
    }
}

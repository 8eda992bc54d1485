//! How long a user waits between two tasks.

use std::time::Duration;

use rand::Rng;

/// Longest wait that can be drawn; longer ones are cut to it (about 31 years, far beyond any run,
/// and small enough for every clock).
const LONGEST_WAIT: f64 = 1e9;

/// How long a user waits after each task. Made by [`between`], [`constant`], [`constant_pacing`],
/// [`constant_throughput`] and [`poisson`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WaitTime(Kind);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Between(f64, f64),
    Constant(f64),
    /// Seconds from the start of a task to the start of the next; above 0.
    Pacing(f64),
    /// Tasks per second; above 0 and finite.
    Poisson(f64),
    /// A rate that is none; the function it was given to, and the rate.
    NoRate(&'static str, f64),
}

/// Waits a random time between `min` and `max` seconds, drawn anew and uniformly each time.
///
/// Bounds below zero or not a number count as zero; if `min` is above `max` they change places.
pub fn between(min: f64, max: f64) -> WaitTime {
    let (min, max) = (sane(min), sane(max));
    WaitTime(Kind::Between(min.min(max), min.max(max)))
}

/// Waits the same time of `seconds` after each task; `constant(0.0)` does not wait.
pub fn constant(seconds: f64) -> WaitTime {
    WaitTime(Kind::Constant(sane(seconds)))
}

/// Starts a task each `seconds`, however long the tasks take: the wait is what a task left of them.
///
/// The starts are a schedule, `seconds` apart. A user whose task took longer does not wait until it has
/// caught up with its schedule (in Locust the schedule slips instead), and each of its samples says
/// how long its request took from the intended start. 0 or less does not wait.
pub fn constant_pacing(seconds: f64) -> WaitTime {
    match sane(seconds) {
        0.0 => constant(0.0),
        seconds => WaitTime(Kind::Pacing(seconds)),
    }
}

/// Starts `tasks_per_second` tasks a second and user: [`constant_pacing`] with its inverse. Mind
/// that a task may send more than one request.
///
/// A rate that is not above 0 is refused before load starts.
pub fn constant_throughput(tasks_per_second: f64) -> WaitTime {
    match rate("constant_throughput", tasks_per_second) {
        Ok(rate) => constant_pacing(1.0 / rate),
        Err(refused) => refused,
    }
}

/// Waits a random time with the exponential distribution, of `1 / tasks_per_second` seconds on
/// average: the waits of a Poisson process, with bursts and quiet times.
///
/// A rate that is not above 0 is refused before load starts.
pub fn poisson(tasks_per_second: f64) -> WaitTime {
    match rate("poisson", tasks_per_second) {
        Ok(rate) => WaitTime(Kind::Poisson(rate)),
        Err(refused) => refused,
    }
}

impl Default for WaitTime {
    /// Locust's default: no wait.
    fn default() -> Self {
        constant(0.0)
    }
}

impl WaitTime {
    /// Draws the next wait; zero for what has a pace instead.
    pub(crate) fn draw(&self, random: &mut impl Rng) -> Duration {
        let seconds = match self.0 {
            Kind::Between(min, max) => min + random.random::<f64>() * (max - min),
            Kind::Constant(seconds) => seconds,
            // 1 - u is in (0, 1], where the logarithm is finite.
            Kind::Poisson(rate) => sane(-(1.0 - random.random::<f64>()).ln() / rate),
            Kind::Pacing(_) | Kind::NoRate(..) => 0.0,
        };
        Duration::from_secs_f64(seconds)
    }

    /// From one intended start of a task to the next, if there is a pace; above zero.
    pub(crate) fn pace(&self) -> Option<Duration> {
        match self.0 {
            Kind::Pacing(seconds) => {
                Some(Duration::from_secs_f64(seconds).max(Duration::from_nanos(1)))
            }
            _ => None,
        }
    }

    /// Why it cannot be used.
    pub(crate) fn problem(&self) -> Option<WaitTimeError> {
        match self.0 {
            Kind::NoRate(function, rate) => Some(WaitTimeError {
                function,
                rate: rate.to_string(),
            }),
            _ => None,
        }
    }
}

/// Why a wait time cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{function}() requires a positive rate, got: {rate}")]
pub(crate) struct WaitTimeError {
    function: &'static str,
    rate: String,
}

fn rate(function: &'static str, rate: f64) -> Result<f64, WaitTime> {
    if rate.is_finite() && rate > 0.0 {
        Ok(rate)
    } else {
        Err(WaitTime(Kind::NoRate(function, rate)))
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
            for make in [constant, constant_pacing, constant_throughput, poisson] {
                let wait = make(min);
                wait.draw(&mut random);
                prop_assert!(wait.pace().is_none_or(|pace| !pace.is_zero()));
            }
        }

        #[test]
        fn throughput_is_the_inverse_of_pacing(rate in 1e-3..1e3f64) {
            prop_assert_eq!(constant_throughput(rate).pace(), constant_pacing(1.0 / rate).pace());
        }
    }

    #[test]
    fn a_rate_has_to_be_one() {
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let message = constant_throughput(bad).problem().unwrap().to_string();
            assert_eq!(
                message,
                format!("constant_throughput() requires a positive rate, got: {bad}")
            );
            assert!(poisson(bad).problem().is_some());
        }
        assert_eq!(constant_throughput(0.5).problem(), None);
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

    #[test]
    fn poisson_waits_are_exponential() {
        // Mean and standard deviation are 0.5 s: six standard errors of 10,000 draws are 30 ms. Of an
        // exponential 1 - 1/e are below the mean: six standard errors are 0.029.
        let mut random = SmallRng::seed_from_u64(1);
        let draws: Vec<f64> = (0..10_000)
            .map(|_| poisson(2.0).draw(&mut random).as_secs_f64())
            .collect();
        let mean = draws.iter().sum::<f64>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.03, "{mean}");
        let below = draws.iter().filter(|draw| **draw < 0.5).count() as f64 / 10_000.0;
        assert!((below - 0.632).abs() < 0.029, "{below}");
    }
}

//! What the server injects before it answers.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Of a tail of 1 %, p99 would stand at the edge between fast and slow answers, and one request more or less would decide.
const SLOW_SHARE: f64 = 0.012;
const SLOW: Duration = Duration::from_millis(200);

/// How long answers take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delay {
    /// Immediately: to find out what a generator can do.
    Zero,
    Fixed1,
    Fixed5,
    Exponential5,
    Tail,
}

impl Delay {
    pub(super) const ALL: [Self; 4] = [Self::Fixed1, Self::Fixed5, Self::Exponential5, Self::Tail];

    /// How it is named on the command line.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Zero => "zero",
            Self::Fixed1 => "1ms",
            Self::Fixed5 => "5ms",
            Self::Exponential5 => "exponential",
            Self::Tail => "tail",
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Zero => "none",
            Self::Fixed1 => "1 ms",
            Self::Fixed5 => "5 ms",
            Self::Exponential5 => "exponential, mean 5 ms",
            Self::Tail => "2 ms, 1.2 % 200 ms",
        }
    }

    /// Seconds.
    pub(super) fn mean_s(self) -> f64 {
        match self {
            Self::Zero => 0.0,
            Self::Fixed1 => 1e-3,
            Self::Fixed5 | Self::Exponential5 => 5e-3,
            Self::Tail => (1.0 - SLOW_SHARE) * 2e-3 + SLOW_SHARE * SLOW.as_secs_f64(),
        }
    }
}

/// Delays of one kind, the same in every run.
pub(super) struct Delays {
    kind: Delay,
    random: StdRng,
}

impl Delays {
    pub(super) fn of(kind: Delay) -> Self {
        let random = StdRng::seed_from_u64(1);
        Self { kind, random }
    }

    pub(super) fn next(&mut self) -> Duration {
        match self.kind {
            Delay::Zero => Duration::ZERO,
            Delay::Fixed1 => Duration::from_millis(1),
            Delay::Fixed5 => Duration::from_millis(5),
            Delay::Exponential5 => {
                // Below 1, so that the logarithm is that of more than 0.
                let uniform: f64 = self.random.random();
                Duration::from_secs_f64(-5e-3 * (1.0 - uniform).ln())
            }
            Delay::Tail if self.random.random_bool(SLOW_SHARE) => SLOW,
            Delay::Tail => Duration::from_millis(2),
        }
    }
}

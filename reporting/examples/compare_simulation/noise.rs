//! Runs of made-up systems with noise of many kinds, for finding out how often a comparison is right.

use std::f64::consts::TAU;

use greylag_infra::protocol::Endpoint;
use greylag_reporting::{MeasuredRun, SparseInterval};

/// Length of a run, in seconds.
pub(crate) const SECONDS: u32 = 300;
/// Requests per second, on average.
const RATE: f64 = 200.0;
/// Share of the requests and median in µs of each endpoint.
const ENDPOINTS: [(&str, f64, f64); 4] = [
    ("/", 0.4, 12_000.0),
    ("/search", 0.3, 45_000.0),
    ("/basket", 0.2, 30_000.0),
    ("/pay", 0.1, 90_000.0),
];
/// Standard deviation of the logarithm of a request's time.
const REQUEST: f64 = 0.4;
/// The standard normal quantile of 90 %.
const Z90: f64 = 1.281_6;

/// How a system's response times go up and down together, and what its slowest requests are like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Noise {
    pub(crate) name: &'static str,
    /// Correlation of each second's level with the next one's, and the level's standard deviation.
    pub(crate) ar1: Option<(f64, f64)>,
    /// Whether shocks of the level have heavy tails (t with 3 degrees of freedom).
    pub(crate) heavy_shocks: bool,
    /// A wave with a random phase: period in runs, amplitude.
    pub(crate) wave: Option<(f64, f64)>,
    /// A trend over the run with a random slope of this standard deviation.
    pub(crate) trend: f64,
    /// A random walk with this standard deviation at the run's end.
    pub(crate) walk: f64,
    /// The share of the seconds in which everything takes three times as long.
    pub(crate) stalls: f64,
    /// The share of the requests that take a Pareto-distributed time, and its exponent.
    pub(crate) tail: Option<(f64, f64)>,
    /// Standard deviation of a level that a run has from beginning to end.
    pub(crate) apart: f64,
    /// Whether each endpoint has levels of its own instead of one for all.
    pub(crate) each: bool,
    /// A random walk of the slowest tenth only, with this standard deviation at the run's end.
    pub(crate) tail_walk: f64,
    /// The share of the requests that fail.
    pub(crate) failures: f64,
}

/// How much longer response times are than those of the system as it was.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change {
    /// All of them: a factor.
    pub(crate) all: f64,
    /// Those of the slowest tenth of each endpoint: a factor.
    pub(crate) tail: f64,
}

impl Change {
    /// The system as it was.
    pub(crate) const NONE: Self = Self {
        all: 1.0,
        tail: 1.0,
    };
}

const QUIET: Noise = Noise {
    name: "independent requests",
    ar1: None,
    heavy_shocks: false,
    wave: None,
    trend: 0.0,
    walk: 0.0,
    stalls: 0.0,
    tail: None,
    apart: 0.0,
    each: false,
    tail_walk: 0.0,
    failures: 0.002,
};

/// The kinds that the method was made with.
pub(crate) const KINDS: [Noise; 14] = [
    QUIET,
    Noise {
        name: "AR(1) 0.5, level ±3 %",
        ar1: Some((0.5, 0.03)),
        ..QUIET
    },
    Noise {
        name: "AR(1) 0.8, level ±3 %",
        ar1: Some((0.8, 0.03)),
        ..QUIET
    },
    Noise {
        name: "AR(1) 0.9, level ±3 %",
        ar1: Some((0.9, 0.03)),
        ..QUIET
    },
    Noise {
        name: "AR(1) 0.9, level ±10 %",
        ar1: Some((0.9, 0.10)),
        ..QUIET
    },
    Noise {
        name: "AR(1) 0.98, level ±3 %",
        ar1: Some((0.98, 0.03)),
        ..QUIET
    },
    Noise {
        name: "slow wave ±3 %, as long as the run",
        wave: Some((1.0, 0.03)),
        ..QUIET
    },
    Noise {
        name: "slow wave ±5 %, twice as long",
        wave: Some((2.0, 0.05)),
        ..QUIET
    },
    Noise {
        name: "trend ±3 % over the run",
        trend: 0.03,
        ..QUIET
    },
    Noise {
        name: "trend ±10 % over the run",
        trend: 0.10,
        ..QUIET
    },
    Noise {
        name: "random walk, ±5 % at the end",
        walk: 0.05,
        ..QUIET
    },
    Noise {
        name: "heavy tails: 2 % Pareto 1.5, t3 shocks",
        ar1: Some((0.5, 0.03)),
        heavy_shocks: true,
        tail: Some((0.02, 1.5)),
        ..QUIET
    },
    Noise {
        name: "stalls in 3 % of the seconds",
        stalls: 0.03,
        ..QUIET
    },
    Noise {
        name: "AR(1) 0.8, trend, heavy tails, stalls",
        ar1: Some((0.8, 0.03)),
        heavy_shocks: true,
        trend: 0.02,
        stalls: 0.005,
        tail: Some((0.02, 1.5)),
        ..QUIET
    },
];

/// Kinds and strengths that it was not made with.
pub(crate) const OTHER_KINDS: [Noise; 12] = [
    Noise {
        name: "runs ±0.5 % apart",
        apart: 0.005,
        ..QUIET
    },
    Noise {
        name: "AR(1) 0.7, level ±4 %",
        ar1: Some((0.7, 0.04)),
        ..QUIET
    },
    Noise {
        name: "AR(1) 0.95, level ±6 %",
        ar1: Some((0.95, 0.06)),
        ..QUIET
    },
    Noise {
        name: "slow wave ±8 %, 1.5 times as long",
        wave: Some((1.5, 0.08)),
        ..QUIET
    },
    Noise {
        name: "trend ±6 % over the run",
        trend: 0.06,
        ..QUIET
    },
    Noise {
        name: "random walk, ±1.5 % at the end",
        walk: 0.015,
        ..QUIET
    },
    Noise {
        name: "random walk, ±7 % at the end",
        walk: 0.07,
        ..QUIET
    },
    Noise {
        name: "heavy tails: 4 % Pareto 1.3, t3 shocks",
        ar1: Some((0.6, 0.04)),
        heavy_shocks: true,
        tail: Some((0.04, 1.3)),
        ..QUIET
    },
    Noise {
        name: "stalls in 1 % of the seconds",
        stalls: 0.01,
        ..QUIET
    },
    Noise {
        name: "each endpoint: AR(1) 0.85, level ±4 %",
        ar1: Some((0.85, 0.04)),
        each: true,
        ..QUIET
    },
    Noise {
        name: "each endpoint: random walk, ±4 %",
        walk: 0.04,
        each: true,
        ..QUIET
    },
    Noise {
        name: "slowest tenth only: random walk, ±4 %",
        tail_walk: 0.04,
        ..QUIET
    },
];

/// Random numbers that are the same everywhere: SplitMix64.
#[derive(Debug, Clone)]
pub(crate) struct Random {
    state: u64,
    /// Normal numbers come in pairs.
    other: Option<f64>,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            state: seed.wrapping_mul(0x2545_F491_4F6C_DD1D) ^ 0x9E37_79B9_7F4A_7C15,
            other: None,
        }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// In (0, 1).
    fn uniform(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        if let Some(other) = self.other.take() {
            return other;
        }
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        let (sin, cos) = (TAU * self.uniform()).sin_cos();
        self.other = Some(radius * sin);
        radius * cos
    }

    fn poisson(&mut self, mean: f64) -> u32 {
        let (limit, mut product, mut count) = ((-mean).exp(), self.uniform(), 0);
        while product > limit {
            product *= self.uniform();
            count += 1;
        }
        count
    }
}

impl Noise {
    /// The logarithm of the level of each second.
    fn levels(&self, random: &mut Random) -> Vec<f64> {
        let phase = TAU * random.uniform();
        let slope = self.trend * random.normal();
        let (mut ar1, mut walk) = (random.normal(), 0.0);
        (0..SECONDS)
            .map(|second| {
                let at = f64::from(second) / f64::from(SECONDS);
                let mut level = slope * at + walk;
                if let Some((period, amplitude)) = self.wave {
                    level += amplitude * (phase + TAU * at / period).sin();
                }
                if let Some((correlation, deviation)) = self.ar1 {
                    level += deviation * ar1;
                    let mut shock = random.normal();
                    if self.heavy_shocks {
                        let squares: f64 = (0..3).map(|_| random.normal().powi(2)).sum();
                        shock /= squares.sqrt();
                    }
                    ar1 = correlation * ar1 + (1.0_f64 - correlation * correlation).sqrt() * shock;
                }
                walk += self.walk * random.normal() / f64::from(SECONDS).sqrt();
                if random.uniform() < self.stalls {
                    level += 3_f64.ln();
                }
                level
            })
            .collect()
    }

    /// The logarithm of how much longer the slowest tenth takes in each second.
    fn tail_levels(&self, random: &mut Random) -> Vec<f64> {
        let mut walk = 0.0;
        let step = self.tail_walk / f64::from(SECONDS).sqrt();
        (0..SECONDS)
            .map(|_| {
                if step > 0.0 {
                    walk += step * random.normal();
                }
                walk
            })
            .collect()
    }

    /// A run of a system that is as it was but for a change.
    pub(crate) fn run(&self, random: &mut Random, change: Change) -> MeasuredRun {
        let apart = self.apart * random.normal();
        let mut levels = self.levels(random);
        let tails = self.tail_levels(random);
        let parts: Vec<Vec<(Vec<u64>, u64)>> = ENDPOINTS
            .iter()
            .enumerate()
            .map(|(number, (_, share, median))| {
                if self.each && number > 0 {
                    levels = self.levels(random);
                }
                let seconds = levels.iter().zip(&tails);
                seconds
                    .map(|(level, tail)| {
                        let typical_us = median * change.all * (level + apart).exp();
                        self.second(random, RATE * share, typical_us, change.tail * tail.exp())
                    })
                    .collect()
            })
            .collect();
        let names = ENDPOINTS.map(|(name, ..)| Endpoint {
            method: "GET".into(),
            name: name.into(),
        });
        let totals = names.iter().cloned().zip(parts.iter().map(|seconds| {
            let times = seconds.iter().flat_map(|(times, _)| times).copied();
            let failures = seconds.iter().map(|(_, failures)| failures).sum();
            SparseInterval::of_times_us(times.collect(), failures)
        }));
        let mut run = MeasuredRun::new(SECONDS as usize, 1, totals.collect());
        for (endpoint, seconds) in names.iter().zip(parts) {
            for (block, (times, failures)) in seconds.into_iter().enumerate() {
                run.add(
                    block,
                    endpoint,
                    &SparseInterval::of_times_us(times, failures),
                );
            }
        }
        run
    }

    /// The times in µs of a second's requests, and how many failed.
    fn second(
        &self,
        random: &mut Random,
        requests: f64,
        typical_us: f64,
        tail: f64,
    ) -> (Vec<u64>, u64) {
        let mut failures = 0;
        let times = (0..random.poisson(requests)).map(|_| {
            failures += u64::from(random.uniform() < self.failures);
            let factor = match self.tail {
                Some((share, exponent)) if random.uniform() < share => {
                    2.0 * random.uniform().powf(-1.0 / exponent)
                }
                _ => (REQUEST * random.normal()).exp(),
            };
            let is_slow = factor > (REQUEST * Z90).exp();
            (typical_us * factor * if is_slow { tail } else { 1.0 }) as u64
        });
        (times.collect(), failures)
    }
}

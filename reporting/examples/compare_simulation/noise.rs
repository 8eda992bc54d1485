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
    /// The share of the requests that fail.
    pub(crate) failures: f64,
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
    failures: 0.002,
};

/// All kinds.
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

/// Random numbers that are the same everywhere: SplitMix64.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_F491_4F6C_DD1D) ^ 0x9E37_79B9_7F4A_7C15)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// In (0, 1).
    fn uniform(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (TAU * self.uniform()).cos()
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

    /// A run of a system whose response times are `slowdown` times as long as those of 1.
    pub(crate) fn run(&self, random: &mut Random, slowdown: f64) -> MeasuredRun {
        let levels = self.levels(random);
        let parts: Vec<Vec<SparseInterval>> = ENDPOINTS
            .iter()
            .map(|(_, share, median)| {
                levels
                    .iter()
                    .map(|level| self.second(random, RATE * share, median * slowdown * level.exp()))
                    .collect()
            })
            .collect();
        let names = ENDPOINTS.map(|(name, ..)| Endpoint {
            method: "GET".into(),
            name: name.into(),
        });
        let totals = names.iter().cloned().zip(parts.iter().map(|seconds| {
            let mut sum = SparseInterval::default();
            for second in seconds {
                sum.merge(second);
            }
            sum
        }));
        let mut run = MeasuredRun::new(levels.len(), 1, totals.collect());
        for (endpoint, seconds) in names.iter().zip(&parts) {
            for (block, second) in seconds.iter().enumerate() {
                run.add(block, endpoint, second);
            }
        }
        run
    }

    fn second(&self, random: &mut Random, requests: f64, median_us: f64) -> SparseInterval {
        let mut failures = 0;
        let times = (0..random.poisson(requests)).map(|_| {
            failures += u64::from(random.uniform() < self.failures);
            let factor = match self.tail {
                Some((share, exponent)) if random.uniform() < share => {
                    2.0 * random.uniform().powf(-1.0 / exponent)
                }
                _ => (REQUEST * random.normal()).exp(),
            };
            (median_us * factor) as u64
        });
        let times = times.collect();
        SparseInterval::of_times_us(times, failures)
    }
}

//! The statistics that are compared.

use serde::{Deserialize, Serialize};

use super::measured::Measured;
use super::pace::{Pace, posterior};
use super::spread::{Powers, Spread, Waves, log_priors};
use crate::measure::interval::ms;

/// The fractions whose percentiles are compared.
pub(super) const FRACTIONS: [f64; 3] = [0.5, 0.95, 0.99];

/// What is compared of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
pub enum Statistic {
    /// Requests per second.
    #[serde(rename = "rps")]
    Rate,
    /// Failures / requests.
    #[serde(rename = "error_rate")]
    ErrorRate,
    /// Mean response time.
    #[serde(rename = "avg_ms")]
    Average,
    /// Median response time.
    #[serde(rename = "p50_ms")]
    P50,
    /// 95th percentile.
    #[serde(rename = "p95_ms")]
    P95,
    /// 99th percentile.
    #[serde(rename = "p99_ms")]
    P99,
}

/// Why a statistic has no verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum NotTested {
    /// One of the runs has too few requests for it.
    TooFewRequests,
    /// Nothing failed in either run.
    NoFailures,
    /// So many other endpoints have more requests that this one is only shown.
    TooManyEndpoints,
    /// One of the runs has no such endpoint.
    OnlyInOneRun,
}

/// A statistic of a stretch of a run, and how far it may be from what the system would show in the long run.
#[derive(Debug, Clone)]
pub(super) struct Estimate {
    /// On the scale on which runs are compared: its logarithm, or, of the error rate, itself.
    pub(super) level: f64,
    /// What its variance may be: first for each kind of noise that is that of the pace, then for each that is its own.
    pub(super) parts: Vec<Part>,
    /// How likely each kind of noise makes the pace: logarithms, up to a constant.
    pub(super) pace: Vec<f64>,
    /// Degrees of freedom of each part.
    pub(super) df: f64,
}

/// What the variance of an estimate may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    /// How likely that is: a logarithm, up to a constant.
    pub(super) log_likelihood: f64,
    /// Upwards.
    pub(super) up: f64,
    /// Downwards.
    pub(super) down: f64,
}

/// Fewest requests with which a mean, a rate or an error rate is compared, and fewest on either side of a percentile.
const MIN_REQUESTS: f64 = 40.0;
const MIN_BEYOND: f64 = 20.0;

impl Statistic {
    /// All of them, as tables show them.
    pub(super) const ALL: [Self; 6] = [
        Self::Rate,
        Self::ErrorRate,
        Self::Average,
        Self::P50,
        Self::P95,
        Self::P99,
    ];

    /// The share of an endpoint's part of the error that is allowed. The 95th percentile is what most ask for; the others are
    /// there so that nothing large is missed.
    pub(super) fn share(self) -> f64 {
        match self {
            Self::P95 => 0.5,
            Self::P50 => 0.25,
            Self::ErrorRate => 0.15,
            Self::Average => 0.05,
            Self::P99 => 0.03,
            Self::Rate => 0.02,
        }
    }

    /// The fraction of a percentile.
    fn fraction(self) -> Option<(usize, f64)> {
        let at = match self {
            Self::P50 => 0,
            Self::P95 => 1,
            Self::P99 => 2,
            Self::Rate | Self::ErrorRate | Self::Average => return None,
        };
        Some((at, FRACTIONS[at]))
    }

    /// Its value as it is shown everywhere, of requests over so many seconds.
    pub(super) fn value(self, of: &Measured, seconds: u32) -> f64 {
        let sums = &of.total.sums;
        match self {
            Self::Rate => sums.requests() as f64 / f64::from(seconds.max(1)),
            Self::ErrorRate => sums.error_rate(),
            Self::Average => sums.response.avg_ms(),
            Self::P50 | Self::P95 | Self::P99 => {
                let [p50, p95, p99] = of.total.percentiles_us(FRACTIONS).unwrap_or_default();
                ms(match self {
                    Self::P50 => p50,
                    Self::P95 => p95,
                    _ => p99,
                })
            }
        }
    }

    /// Whether there are requests enough for it.
    pub(super) fn is_testable(self, of: &Measured) -> bool {
        let requests = of.requests() as f64;
        match self.fraction() {
            Some((_, fraction)) => requests * fraction.min(1.0 - fraction) >= MIN_BEYOND,
            None => requests >= MIN_REQUESTS,
        }
    }

    /// Its estimate. Of the error rate `failures` says how many requests of how many failed in both runs together.
    pub(super) fn estimate(
        self,
        of: &Measured,
        seconds: u32,
        waves: &Waves,
        pace: Option<&Pace>,
        failures: (u64, u64),
    ) -> Estimate {
        let requests = of.requests() as f64;
        let per_block = of.per_block();
        let blocks = of.blocks.iter();
        if let Some((at, fraction)) = self.fraction() {
            let series = blocks
                .map(|block| (block.below[at] - fraction * block.requests as f64) / per_block);
            let sides = |variance: f64| {
                let (up, down) = of.distribution.log_errors(fraction, variance.sqrt());
                (up * up, down * down)
            };
            return Estimate::new(
                of.distribution.value(fraction).ln(),
                waves,
                &waves.powers(series),
                fraction * (1.0 - fraction) / requests,
                pace,
                sides,
            );
        }
        let same = |variance: f64| (variance, variance);
        match self {
            Self::Average => {
                let mean = of.total.sums.response.avg_us().unwrap_or(0.0).max(1.0);
                let series = blocks
                    .map(|block| (block.sum_us as f64 / mean - block.requests as f64) / per_block);
                let powers = waves.powers(series);
                let independent = of.distribution.relative_variance() / requests;
                Estimate::new(mean.ln(), waves, &powers, independent, pace, same)
            }
            Self::ErrorRate => {
                let rate = of.total.sums.error_rate();
                let series = blocks.map(|block| {
                    (block.failures as f64 - rate * block.requests as f64) / per_block
                });
                let powers = waves.powers(series);
                // One run may have no failures by chance (Agresti & Caffo 2000).
                let both = (failures.0 as f64 + 1.0) / (failures.1 as f64 + 2.0);
                let independent = both * (1.0 - both) / requests;
                Estimate::new(rate, waves, &powers, independent, None, same)
            }
            _ => {
                let series = blocks.map(|block| block.requests as f64 / per_block - 1.0);
                let powers = waves.powers(series);
                // A request more or less at either end is nothing.
                let level = (requests.max(1.0) / f64::from(seconds.max(1))).ln();
                Estimate::new(level, waves, &powers, requests.powi(-2), None, same)
            }
        }
    }
}

impl Estimate {
    /// Of a statistic whose series has these powers and, if requests were independent, this variance of its mean. `sides` says
    /// how much a variance is upwards and downwards on the scale of the level.
    fn new(
        level: f64,
        waves: &Waves,
        powers: &Powers,
        independent: f64,
        pace: Option<&Pace>,
        sides: impl Fn(f64) -> (f64, f64),
    ) -> Self {
        let own = waves.spread(powers, independent);
        let of_pace = match pace {
            Some(pace) => {
                let (up, down) = sides(independent);
                let scale = (up + down) / 2.0 / independent.max(f64::MIN_POSITIVE);
                let times = pace.strength_in(powers.of_fast_waves() * scale);
                waves.spread_of_strength(powers, independent, times)
            }
            None => own.clone(),
        };
        let part = |spread: Spread| {
            let (up, down) = sides(spread.variance);
            Part {
                log_likelihood: spread.log_likelihood,
                up,
                down,
            }
        };
        Self {
            level,
            parts: of_pace.into_iter().chain(own).map(part).collect(),
            pace: pace.map_or_else(
                || vec![0.0; log_priors().len()],
                |pace| pace.log_likelihoods().to_vec(),
            ),
            df: waves.df(),
        }
    }

    /// The mean variance.
    pub(super) fn variance(&self) -> f64 {
        let weights = posterior(&[self]);
        let parts = self.parts.iter().zip(weights);
        parts
            .map(|(part, weight)| weight * (part.up + part.down) / 2.0)
            .sum()
    }
}

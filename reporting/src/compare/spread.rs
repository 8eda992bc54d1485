//! How far the mean of a run's blocks may be from what the system would show in the long run.
//!
//! Neighbouring seconds resemble each other, so the variance of a mean is not that of the blocks divided by their number. What
//! counts is how strong the slow waves are. A series of N blocks is projected on the q slowest cosine waves; each projection is an
//! estimate of the noise at its frequency, about independent of the others (Müller & Watson 2008; Lazarus, Lewis, Stock & Watson
//! 2018). Averaging them would assume that the noise is the same at all of these frequencies. Here it may grow towards slow waves:
//!
//! `S(j) = σ² (1 + g h(j))`, `h(j) = (1 + c²) / (j² + c²)`
//!
//! which is white noise and, g times as strong at the slowest wave, noise that forgets with corner frequency c: AR(1) for large c,
//! a random walk for c = 0; or, with h(j) = 1 / j⁴, a trend. σ, g and h are unknown, and few slow waves say little of them. So they are not
//! estimated and then believed: each of a grid of (g, h) is weighted by how likely it makes the projections, with σ integrated out
//! (Müller & Watson 2016, "Measuring uncertainty about long-run predictions"). What results is a mixture of t distributions.

use std::f64::consts::PI;
use std::rc::Rc;

/// Most waves. The fastest of them has a period of five seconds or more where there is a block for each of 160 seconds.
const MAX_WAVES: usize = 64;
/// Fewest waves.
const MIN_WAVES: usize = 5;
/// Corners of the slow noise, in half periods within the run.
const CORNERS: [f64; 5] = [0.0, 1.0, 3.0, 10.0, 30.0];
/// Strengths of the slow noise at the slowest wave, in those of white noise.
const STRENGTHS: [f64; 10] = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 256.0, 1024.0];
/// Weight of white noise alone before anything is known, in weights of one (g, h). Less makes intervals wider, because few waves
/// cannot rule out a slow drift; more lets drifts pass for differences. The simulation in `docs/compare.md` decided.
const WHITE: f64 = 30.0;
/// The variance of a mean: what it is for each (g, h), in the same order for all series.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spread {
    parts: Vec<SpreadPart>,
    /// Degrees of freedom of each.
    df: f64,
}

/// The variance of a mean if the noise is of one (g, h).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct SpreadPart {
    /// How likely that makes the series: a logarithm, up to a constant.
    pub(super) log_likelihood: f64,
    pub(super) variance: f64,
}

/// One (g, h), prepared for many series of the same length.
#[derive(Debug)]
struct Shape {
    /// 1 / (1 + g h(j)), from j = 1 on.
    inverse: Vec<f64>,
    /// Half the logarithm of the product of 1 + g h(j).
    half_log: f64,
    /// The variance of the mean, in σ² / N.
    of_mean: f64,
}

/// The waves and noise shapes for series of one length.
#[derive(Debug, Clone)]
pub(super) struct Waves {
    blocks: usize,
    /// One row per wave.
    cosines: Rc<Vec<Vec<f64>>>,
    shapes: Rc<Vec<Shape>>,
}

impl Waves {
    /// Those of so many blocks.
    pub(super) fn new(blocks: usize) -> Self {
        let waves = (blocks / 3)
            .clamp(MIN_WAVES, MAX_WAVES)
            .min(blocks.saturating_sub(1));
        let scale = (2.0 / blocks as f64).sqrt();
        let cosines = (1..=waves).map(|wave| {
            let step = PI * wave as f64 / blocks as f64;
            (0..blocks)
                .map(|block| scale * (step * (block as f64 + 0.5)).cos())
                .collect()
        });
        let mut shapes = vec![Shape::new(waves, 0.0, Slow::DRIFT)];
        for slow in Slow::ALL {
            for strength in STRENGTHS {
                shapes.push(Shape::new(waves, strength, slow));
            }
        }
        Self {
            blocks,
            cosines: Rc::new(cosines.collect()),
            shapes: Rc::new(shapes),
        }
    }

    /// The spread of the mean of a series, which is not less than `least`: what independent requests would have.
    pub(super) fn spread(&self, series: &[f64], least: f64) -> Spread {
        debug_assert_eq!(series.len(), self.blocks);
        let powers: Vec<f64> = self
            .cosines
            .iter()
            .map(|wave| {
                let projection: f64 = wave.iter().zip(series).map(|(cos, x)| cos * x).sum();
                projection * projection
            })
            .collect();
        let waves = powers.len() as f64;
        let is_constant = powers.iter().sum::<f64>() <= 0.0;
        let parts = self.shapes.iter().map(|shape| {
            if is_constant {
                return SpreadPart {
                    log_likelihood: 0.0,
                    variance: least,
                };
            }
            let weighted = powers.iter().zip(&shape.inverse);
            let sum: f64 = weighted.map(|(power, inverse)| power * inverse).sum();
            let variance = sum / waves * shape.of_mean / self.blocks as f64;
            SpreadPart {
                log_likelihood: -shape.half_log - waves / 2.0 * (sum / waves).ln(),
                variance: variance.max(least),
            }
        });
        Spread {
            parts: parts.collect(),
            df: waves,
        }
    }
}

impl Spread {
    /// One for each (g, h).
    pub(super) fn parts(&self) -> impl Iterator<Item = SpreadPart> + '_ {
        self.parts.iter().copied()
    }

    /// Degrees of freedom of each part.
    pub(super) fn df(&self) -> f64 {
        self.df
    }
}

/// How much each (g, h) counts after several series have been seen whose noise has the same one, each with a level of its own:
/// the sums of their logarithms of likelihoods, part by part. The weights add up to 1.
pub(super) fn weights(log_likelihoods: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut weights: Vec<f64> = log_likelihoods
        .enumerate()
        .map(|(part, log_likelihood)| log_likelihood + if part == 0 { WHITE.ln() } else { 0.0 })
        .collect();
    let most = weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut total = 0.0;
    for weight in &mut weights {
        *weight = (*weight - most).exp();
        total += *weight;
    }
    for weight in &mut weights {
        *weight /= total;
    }
    weights
}

/// Noise that is stronger at slow waves: its power at wave j is (1 + c²) / (j² + c²), to the power of `exponent`.
#[derive(Debug, Clone, Copy)]
struct Slow {
    corner: f64,
    exponent: i32,
}

impl Slow {
    /// A trend, or what else moves smoothly.
    const DRIFT: Self = Self {
        corner: 0.0,
        exponent: 2,
    };
    const ALL: [Self; CORNERS.len() + 1] = {
        let mut all = [Self::DRIFT; CORNERS.len() + 1];
        let mut at = 0;
        while at < CORNERS.len() {
            all[at] = Self {
                corner: CORNERS[at],
                exponent: 1,
            };
            at += 1;
        }
        all
    };

    fn power(self, wave: usize) -> f64 {
        let (wave, square) = (wave as f64, self.corner * self.corner);
        ((1.0 + square) / (wave * wave + square)).powi(self.exponent)
    }

    /// The variance of the mean, relative to the power at the slowest wave, over a run at whose beginning the system is what
    /// it is.
    fn of_mean(self) -> f64 {
        if self.exponent > 1 {
            // A straight line from 0 to 1 has the mean 1/2 and the projection 2 √2 / π² on the slowest wave.
            return PI.powi(4) / 32.0;
        }
        if self.corner == 0.0 {
            // A random walk: 1/3 and 1/π².
            return PI * PI / 3.0;
        }
        // The covariance is exp(-a |u|) with a = πc, over a run of length 1.
        let a = PI * self.corner;
        (1.0 + self.corner * self.corner) * PI / self.corner * (a - 1.0 + (-a).exp()) / (a * a)
    }
}

impl Shape {
    fn new(waves: usize, strength: f64, slow: Slow) -> Self {
        let power = |wave| 1.0 + strength * slow.power(wave);
        Self {
            inverse: (1..=waves).map(|wave| 1.0 / power(wave)).collect(),
            half_log: (1..=waves).map(|wave| power(wave).ln()).sum::<f64>() / 2.0,
            of_mean: 1.0 + strength * slow.of_mean(),
        }
    }
}

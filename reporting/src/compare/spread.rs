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
//! estimated and then believed: each kind of noise, a (g, h) of a grid, is weighted by how likely it makes the projections, with σ
//! integrated out (Müller & Watson 2016, "Measuring uncertainty about long-run predictions"). What results is a mixture of t
//! distributions. `pace.rs` says what else than a statistic's own series tells the kinds apart.

use std::f64::consts::PI;
use std::rc::Rc;

/// Most waves. The fastest of them has a period of five seconds or more where there is a block for each of 160 seconds.
const MAX_WAVES: usize = 64;
/// Fewest waves.
const MIN_WAVES: usize = 5;
/// Strengths of the slow noise at the slowest wave, in those of white noise.
const STRENGTHS: [f64; 12] = [
    0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 256.0, 1024.0, 4096.0, 16_384.0,
];
/// The weight of white noise alone before anything is known, in those of [`SLOW`]. Less makes intervals wider, because few waves
/// cannot rule out a slow drift; more lets drifts pass for differences. The simulation in `docs/compare.md` decided.
const WHITE: f64 = 60.0;
/// Slow noise, and the weight of each strength of it before anything is known. What forgets within seconds is common, and its
/// mean is well known; without the greater weight of random walks, those whose slow waves happen to be small would pass for it.
const SLOW: [(Slow, f64); 6] = [
    (Slow::DRIFT, 1.0),
    (Slow::with_corner(0.0), 3.0),
    (Slow::with_corner(1.0), 1.0),
    (Slow::with_corner(3.0), 1.0),
    (Slow::with_corner(10.0), 4.0),
    (Slow::with_corner(30.0), 8.0),
];

/// The variance of a mean if the noise is of one kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    /// How likely that makes the series: a logarithm, up to a constant.
    pub(super) log_likelihood: f64,
    pub(super) variance: f64,
}

/// A kind of noise, prepared for many series of the same length.
#[derive(Debug)]
struct Shape {
    /// 1 / (1 + g h(j)), from j = 1 on.
    inverse: Vec<f64>,
    /// Half the logarithm of the product of 1 + g h(j).
    half_log: f64,
    /// The variance of the mean, in σ² / N.
    of_mean: f64,
}

/// The waves and kinds of noise for series of one length.
#[derive(Debug, Clone)]
pub(super) struct Waves {
    blocks: usize,
    /// One row per wave.
    cosines: Rc<Vec<Vec<f64>>>,
    shapes: Rc<Vec<Shape>>,
}

/// How strong each wave is in a series, from the slowest on: its squared projections.
#[derive(Debug, Clone)]
pub(super) struct Powers(Vec<f64>);

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
        let shapes = kinds().map(|kind| Shape::new(waves, kind.strength, kind.slow));
        Self {
            blocks,
            cosines: Rc::new(cosines.collect()),
            shapes: Rc::new(shapes.collect()),
        }
    }

    /// Degrees of freedom of what is estimated of all waves.
    pub(super) fn df(&self) -> f64 {
        self.cosines.len() as f64
    }

    /// A series, one number per block, by waves.
    pub(super) fn powers(&self, series: impl Iterator<Item = f64>) -> Powers {
        let series: Vec<f64> = series.collect();
        debug_assert_eq!(series.len(), self.blocks);
        let waves = self.cosines.iter().map(|wave| {
            let projection: f64 = wave.iter().zip(&series).map(|(cos, x)| cos * x).sum();
            projection * projection
        });
        Powers(waves.collect())
    }

    /// For each kind of noise the spread of the mean of a series with these powers, which is not less than `least`: what
    /// independent requests would have.
    pub(super) fn spread(&self, powers: &Powers, least: f64) -> Vec<Spread> {
        let shapes = self.shapes.iter();
        shapes
            .map(|shape| self.spread_of(powers, least, shape))
            .collect()
    }

    /// The same if slow noise is so many times as strong as the kinds say.
    pub(super) fn spread_of_strength(
        &self,
        powers: &Powers,
        least: f64,
        times: f64,
    ) -> Vec<Spread> {
        kinds()
            .map(|kind| Shape::new(powers.0.len(), times * kind.strength, kind.slow))
            .map(|shape| self.spread_of(powers, least, &shape))
            .collect()
    }

    fn spread_of(&self, Powers(powers): &Powers, least: f64, shape: &Shape) -> Spread {
        let waves = powers.len() as f64;
        let weighted = powers.iter().zip(&shape.inverse);
        let sum: f64 = weighted.map(|(power, inverse)| power * inverse).sum();
        if sum <= 0.0 {
            // A constant, which no kind of noise explains better than another.
            return Spread {
                log_likelihood: 0.0,
                variance: least,
            };
        }
        let variance = sum / waves * shape.of_mean / self.blocks as f64;
        Spread {
            log_likelihood: -shape.half_log - waves / 2.0 * (sum / waves).ln(),
            variance: variance.max(least),
        }
    }
}

impl Powers {
    /// The mean power of the faster half of the waves, where slow noise is weakest.
    pub(super) fn of_fast_waves(&self) -> f64 {
        let half = &self.0[self.0.len() / 2..];
        half.iter().sum::<f64>() / half.len().max(1) as f64
    }
}

/// A kind of noise: white, with slow noise of some strength.
#[derive(Debug, Clone, Copy)]
struct Kind {
    strength: f64,
    slow: Slow,
    /// How much it counts before anything is known.
    weight: f64,
}

/// All kinds, in the order of everything that has one value for each.
fn kinds() -> impl Iterator<Item = Kind> {
    let white = Kind {
        strength: 0.0,
        slow: Slow::DRIFT,
        weight: WHITE,
    };
    let slow = SLOW.iter().flat_map(|(slow, weight)| {
        STRENGTHS.map(|strength| Kind {
            strength,
            slow: *slow,
            weight: *weight,
        })
    });
    std::iter::once(white).chain(slow)
}

/// The logarithms of how probable the kinds are before anything is known.
pub(super) fn log_priors() -> Vec<f64> {
    let total: f64 = kinds().map(|kind| kind.weight).sum();
    kinds().map(|kind| (kind.weight / total).ln()).collect()
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

    /// What forgets, with a corner in half periods within the run; never, where that is 0.
    const fn with_corner(corner: f64) -> Self {
        Self {
            corner,
            exponent: 1,
        }
    }

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
        /// Factors of which a logarithm is taken together, which is faster and does not overflow.
        const CHUNK: usize = 8;
        let powers: Vec<f64> = (1..=waves)
            .map(|wave| 1.0 + strength * slow.power(wave))
            .collect();
        let product_ln = |powers: &[f64]| powers.iter().product::<f64>().ln();
        Self {
            inverse: powers.iter().map(|power| 1.0 / power).collect(),
            half_log: powers.chunks(CHUNK).map(product_ln).sum::<f64>() / 2.0,
            of_mean: 1.0 + strength * slow.of_mean(),
        }
    }
}

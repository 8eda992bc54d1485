//! The difference between two runs in one statistic.

use serde::{Deserialize, Serialize};

use super::pace::posterior;
use super::statistic::{Estimate, Part, Statistic};
use super::student::two_sided;

/// How much two runs of the same thing differ without showing it in either, as a standard deviation: of response times and rates
/// relative to them. Processes get other memory, cores and clock rates.
const BETWEEN: f64 = 0.005;
/// The same of response times in µs, where it is more: what the generator and the network stack add differs that much.
const BETWEEN_US: f64 = 50.0;
/// How much the assumption counts beside what several runs of the reference say, in degrees of freedom.
const ASSUMED_DF: f64 = 2.0;
/// Weights of kinds of noise that need not be looked at.
const NEGLIGIBLE: f64 = 1e-7;
/// The standard normal quantile of 80 %.
const POWER: f64 = 0.8416;

/// What may be said of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "coordinator", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Longer response times.
    Slower,
    /// Shorter response times.
    Faster,
    /// A larger share of the requests failed.
    MoreFailures,
    /// A smaller share of the requests failed.
    FewerFailures,
    /// More requests per second.
    MoreRequests,
    /// Fewer requests per second.
    FewerRequests,
    /// The difference may be noise.
    NoEvidence,
}

impl Verdict {
    /// Whether it is a change for the worse.
    pub(super) fn is_worse(self) -> bool {
        matches!(
            self,
            Self::Slower | Self::MoreFailures | Self::FewerRequests
        )
    }

    /// Of an interval without zero.
    fn of(statistic: Statistic, is_greater: bool) -> Self {
        match (statistic, is_greater) {
            (Statistic::ErrorRate, true) => Self::MoreFailures,
            (Statistic::ErrorRate, false) => Self::FewerFailures,
            (Statistic::Rate, true) => Self::MoreRequests,
            (Statistic::Rate, false) => Self::FewerRequests,
            (_, true) => Self::Slower,
            (_, false) => Self::Faster,
        }
    }
}

/// A difference with its interval of confidence, relative to the reference; of error rates absolute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Interval {
    pub(super) low: f64,
    pub(super) high: f64,
    /// The least slowdown (increase) that would have been found in four of five such comparisons.
    pub(super) detectable: f64,
    pub(super) verdict: Verdict,
}

/// The reference's estimates, one for each of its runs.
#[derive(Debug, Clone)]
pub(super) struct Reference {
    runs: Vec<Estimate>,
    /// Their mean.
    level: f64,
    /// The variance between runs of a single difference to it, and its degrees of freedom.
    between: f64,
    between_df: f64,
}

impl Reference {
    /// The mean of runs of the same thing, at least one.
    pub(super) fn of(statistic: Statistic, runs: Vec<Estimate>) -> Self {
        let count = runs.len() as f64;
        let level = runs.iter().map(|run| run.level).sum::<f64>() / count;
        let assumed = assumed_between(statistic, level);
        let (mut between, mut between_df) = (assumed, f64::INFINITY);
        if runs.len() > 1 {
            let squares: f64 = runs.iter().map(|run| (run.level - level).powi(2)).sum();
            let within = runs.iter().map(Estimate::variance).sum::<f64>() / count;
            let observed = (squares / (count - 1.0) - within).max(0.0);
            between_df = ASSUMED_DF + count - 1.0;
            between = (ASSUMED_DF * assumed + (count - 1.0) * observed) / between_df;
        }
        Self {
            runs,
            level,
            between: between * (1.0 + 1.0 / count),
            between_df,
        }
    }

    /// The variance of its mean, without what differs between runs.
    fn variance(&self) -> f64 {
        let count = self.runs.len() as f64;
        self.runs.iter().map(Estimate::variance).sum::<f64>() / (count * count)
    }

    /// The difference of a run to it, with an interval that misses the true one with this probability.
    pub(super) fn difference(&self, statistic: Statistic, run: &Estimate, error: f64) -> Interval {
        let difference = run.level - self.level;
        let low = difference - self.half_width(run, Side::Down, error);
        let up = self.half_width(run, Side::Up, error);
        let high = difference + up;
        let total = run.variance() + self.variance() + self.between;
        let shown = |level: f64| match statistic {
            Statistic::ErrorRate => level,
            _ => level.exp_m1(),
        };
        Interval {
            low: shown(low),
            high: shown(high),
            detectable: shown(up + POWER * total.sqrt()),
            verdict: if low > 0.0 {
                Verdict::of(statistic, true)
            } else if high < 0.0 {
                Verdict::of(statistic, false)
            } else {
                Verdict::NoEvidence
            },
        }
    }

    /// How far the true difference may be on one side of the one that was seen.
    fn half_width(&self, run: &Estimate, side: Side, error: f64) -> f64 {
        let count = self.runs.len() as f64;
        let all: Vec<&Estimate> = self.runs.iter().chain([run]).collect();
        let weights = posterior(&all);
        let parts = run.parts.iter().zip(weights).enumerate();
        // Weight, standard deviation, degrees of freedom.
        let pairs: Vec<(f64, f64, f64)> = parts
            .filter(|(_, (_, weight))| *weight > NEGLIGIBLE)
            .map(|(at, (own, weight))| {
                let of_side = |part: &Part, is_up: bool| if is_up { part.up } else { part.down };
                let is_up = matches!(side, Side::Up);
                let own_variance = of_side(own, is_up);
                let mut variance = own_variance + self.between;
                // Welch and Satterthwaite.
                let mut uncertainty = own_variance * own_variance / run.df
                    + self.between * self.between / self.between_df;
                for other in &self.runs {
                    let other_variance = of_side(&other.parts[at], !is_up) / (count * count);
                    variance += other_variance;
                    uncertainty += other_variance * other_variance / other.df;
                }
                let df = (variance * variance / uncertainty).min(1e9);
                (weight, variance.sqrt(), if df.is_nan() { 1e9 } else { df })
            })
            .collect();
        let missed = |width: f64| -> f64 {
            pairs
                .iter()
                .map(|(weight, deviation, df)| {
                    if *deviation <= 0.0 {
                        return 0.0;
                    }
                    weight * two_sided(width / deviation, *df)
                })
                .sum()
        };
        let widest = pairs.iter().map(|pair| pair.1).fold(1e-12, f64::max);
        width_missed_with(error, widest, missed)
    }
}

/// The width that is exceeded with this probability, to a thousandth; looked for from `first` on.
fn width_missed_with(error: f64, first: f64, missed: impl Fn(f64) -> f64) -> f64 {
    const MOST: f64 = 1e6;
    // Positive where the width is too small. Its logarithm is nearly straight, so that few steps are needed.
    let excess = |width: f64| (missed(width).max(f64::MIN_POSITIVE) / error).ln();
    let (mut below, mut above) = ((0.0, excess(0.0)), (first, excess(first)));
    if below.1 <= 0.0 {
        return 0.0;
    }
    while above.1 > 0.0 && above.0 < MOST {
        below = above;
        above = (above.0 * 2.0, excess(above.0 * 2.0));
    }
    // Regula falsi; where an end stays twice, its weight is halved (the Illinois algorithm).
    let mut was_small = None;
    while above.0 - below.0 > above.0 * 1e-3 {
        let share = below.1 / (below.1 - above.1);
        // Not so near to an end that the other one never comes near.
        let width = below.0 + (above.0 - below.0) * share.clamp(5e-4, 1.0 - 5e-4);
        let here = excess(width);
        let is_small = here > 0.0;
        let stays = was_small == Some(is_small);
        if is_small {
            below = (width, here);
            above.1 /= if stays { 2.0 } else { 1.0 };
        } else {
            above = (width, here);
            below.1 /= if stays { 2.0 } else { 1.0 };
        }
        was_small = Some(is_small);
    }
    above.0
}

#[derive(Debug, Clone, Copy)]
enum Side {
    Up,
    Down,
}

/// The variance between runs of one of them where the runs that are compared say nothing of it.
fn assumed_between(statistic: Statistic, level: f64) -> f64 {
    match statistic {
        Statistic::ErrorRate => 0.0,
        Statistic::Rate => BETWEEN * BETWEEN,
        _ => BETWEEN.max(BETWEEN_US / level.exp()).powi(2),
    }
}

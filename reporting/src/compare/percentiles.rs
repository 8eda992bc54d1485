//! A histogram as a continuous distribution, and how uncertain its percentiles are.

use crate::measure::histogram_codec::value_at;
use crate::measure::interval::{Measure, SparseInterval};

/// A histogram whose counts are spread evenly over their ranges.
#[derive(Debug)]
pub(super) struct Distribution {
    /// By ascending value.
    steps: Vec<Step>,
    total: f64,
    /// Variance over the square of the mean, of single requests.
    relative_variance: f64,
}

#[derive(Debug, Clone, Copy)]
struct Step {
    position: u32,
    from: f64,
    to: f64,
    /// Requests before it.
    before: f64,
    count: f64,
}

/// Where a histogram is cut so that exactly a fraction of its requests is below.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    position: u32,
    share: f64,
}

impl Cut {
    /// The share of the requests at a position that counts as below.
    pub(super) fn share_below(self, position: u32) -> f64 {
        match position.cmp(&self.position) {
            std::cmp::Ordering::Less => 1.0,
            std::cmp::Ordering::Equal => self.share,
            std::cmp::Ordering::Greater => 0.0,
        }
    }
}

impl Distribution {
    pub(super) fn of(interval: &SparseInterval) -> Self {
        let times = interval.sums.response;
        let (least, greatest) = (times.min_us as f64, times.max_us as f64);
        let mut before = 0.0;
        let mut squares = 0.0;
        let mean = times.avg_us().unwrap_or(0.0);
        let steps = interval.counts[Measure::Response]
            .iter()
            .map(|(position, count)| {
                let count = count as f64;
                let from = (value_at(position) as f64).clamp(least, greatest);
                let to = (value_at(position + 1) as f64).clamp(from, greatest.max(from));
                squares += count * ((from + to) / 2.0 - mean).powi(2);
                let step = Step {
                    position,
                    from,
                    to,
                    before,
                    count,
                };
                before += count;
                step
            })
            .collect();
        let relative_variance = if mean > 0.0 && before > 0.0 {
            squares / before / (mean * mean)
        } else {
            0.0
        };
        Self {
            steps,
            total: before,
            relative_variance,
        }
    }

    /// Variance over the square of the mean, of single requests.
    pub(super) fn relative_variance(&self) -> f64 {
        self.relative_variance
    }

    /// The cut below which this fraction of the requests is.
    pub(super) fn cut(&self, fraction: f64) -> Cut {
        self.step(fraction).map_or(
            Cut {
                position: 0,
                share: 0.0,
            },
            |(step, share)| Cut {
                position: step.position,
                share,
            },
        )
    }

    /// The time in µs below which this fraction of the requests is; never below 1 µs, so that ratios exist.
    pub(super) fn value(&self, fraction: f64) -> f64 {
        self.step(fraction)
            .map_or(1.0, |(step, share)| {
                step.from + (step.to - step.from) * share
            })
            .max(1.0)
    }

    fn step(&self, fraction: f64) -> Option<(&Step, f64)> {
        let rank = self.total * fraction.clamp(0.0, 1.0);
        let at = self
            .steps
            .partition_point(|step| step.before <= rank)
            .checked_sub(1)?;
        let step = &self.steps[at];
        Some((step, ((rank - step.before) / step.count).clamp(0.0, 1.0)))
    }

    /// The rank of a time at this position among all requests, from -1/2 to 1/2; of equal ones the mean.
    pub(super) fn rank(&self, position: u32) -> f64 {
        let at = self
            .steps
            .binary_search_by_key(&position, |step| step.position);
        at.map_or(0.0, |at| {
            let step = &self.steps[at];
            (step.before + step.count / 2.0) / self.total - 0.5
        })
    }

    /// How much the mean rank of requests rises when the logarithms of their times do: the integral of the squared density,
    /// which is how often two requests are alike.
    pub(super) fn rank_slope(&self) -> f64 {
        /// Requests are alike within this ratio of their times, as a logarithm.
        const ALIKE: f64 = 0.02;
        let mut pairs = 0.0;
        let mut group = (i64::MIN, 0.0_f64);
        for step in &self.steps {
            let number = (((step.from + step.to) / 2.0).max(1.0).ln() / ALIKE).floor() as i64;
            if number != group.0 {
                pairs += group.1 * (group.1 - 1.0);
                group = (number, 0.0);
            }
            group.1 += step.count;
        }
        pairs += group.1 * (group.1 - 1.0);
        pairs.max(0.0) / (self.total * (self.total - 1.0)).max(1.0) / ALIKE
    }

    /// How much the logarithm of a percentile may be off upwards and downwards, if the fraction of requests below it has this
    /// standard error. Read off the distribution itself on each side (Woodruff 1952), so that no density has to be
    /// estimated, and gaps and lumps count.
    pub(super) fn log_errors(&self, fraction: f64, error: f64) -> (f64, f64) {
        /// How far is looked, in standard errors, so that what is near does not decide for what is far.
        const REACH: f64 = 2.0;
        let at = self.value(fraction).ln();
        let side = |room: f64, sign: f64| {
            let reach = (REACH * error).min(room);
            if reach <= 0.0 {
                return 0.0;
            }
            let there = self.value(fraction + sign * reach).ln();
            (there - at).abs() * error / reach
        };
        // Not up to the very end, whose value is one request's.
        (
            side((1.0 - fraction) * 0.8, 1.0),
            side(fraction * 0.8, -1.0),
        )
    }
}

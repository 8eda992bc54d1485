//! Of what kind the noise of a statistic is: what its own series says, and what all response times together do.
//!
//! A percentile is a poor witness of slow noise: its own uncertainty hides drifts that are large enough to matter. But what makes a
//! system slower for a while makes mostly all requests slower, and of that there is a better one: the *pace*, by how much the times
//! of all requests of a block are above what is usual at their endpoint. Each request counts by its rank among those of its endpoint
//! (Wilcoxon's scores), so that endpoints of different speed do not blur it and single slow requests do not rule it; endpoints
//! count by how much their ranks say.
//!
//! A statistic's slow noise is that of the pace, or, less probably, its own. Both are weighted by how likely they make what was seen.

use super::measured::Measured;
use super::spread::{Waves, log_priors};
use super::statistic::Estimate;

/// How probable it is before anything is known that a statistic has slow noise of its own.
const OWN: f64 = 0.2;

/// How the response times of a run go up and down together.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    /// How likely each kind of noise makes it: logarithms, up to a constant.
    log_likelihoods: Vec<f64>,
    /// The power of its fast waves, in logarithms of response times.
    fast: f64,
}

impl Pace {
    /// That of requests. None of requests that are too few or too alike.
    pub(super) fn of(measured: &Measured, waves: &Waves) -> Option<Self> {
        let per_block = measured.ranks_per_log() / measured.blocks.len().max(1) as f64;
        if per_block <= 0.0 || measured.blocks.is_empty() {
            return None;
        }
        let series = measured.blocks.iter().map(|block| block.ranks / per_block);
        let powers = waves.powers(series);
        let fast = powers.of_fast_waves();
        (fast > 0.0).then(|| Self {
            log_likelihoods: waves
                .spread(&powers, 0.0)
                .iter()
                .map(|spread| spread.log_likelihood)
                .collect(),
            fast,
        })
    }

    /// How much stronger its slow noise is in a statistic with this power of the fast waves, relative to each one's fast waves.
    pub(super) fn strength_in(&self, fast: f64) -> f64 {
        /// Beyond it slow noise is all there is, or none.
        const MOST: f64 = 1e6;
        (self.fast / fast).clamp(1.0 / MOST, MOST)
    }

    /// How likely each kind of noise makes it.
    pub(super) fn log_likelihoods(&self) -> &[f64] {
        &self.log_likelihoods
    }
}

/// How probable each part of some estimates is, whose noise is of one kind while its strength is each one's own: first the kinds of
/// noise that is that of the pace, then those of its own. They add up to 1.
pub(super) fn posterior(estimates: &[&Estimate]) -> Vec<f64> {
    let priors = log_priors();
    let kinds = priors.len();
    let of_parts = |at: usize| -> f64 {
        let logs = estimates.iter().map(|one| one.parts[at].log_likelihood);
        logs.sum()
    };
    let paces: Vec<f64> = priors
        .iter()
        .enumerate()
        .map(|(kind, prior)| {
            let logs = estimates.iter().map(|one| one.pace[kind]);
            prior + logs.sum::<f64>()
        })
        .collect();
    let any_pace = log_sum_exp(&paces);
    let common = paces
        .iter()
        .enumerate()
        .map(|(kind, pace)| (1.0 - OWN).ln() + pace + of_parts(kind));
    let own = priors
        .iter()
        .enumerate()
        .map(|(kind, prior)| OWN.ln() + any_pace + prior + of_parts(kinds + kind));
    let logs: Vec<f64> = common.chain(own).collect();
    let total = log_sum_exp(&logs);
    logs.iter().map(|log| (log - total).exp()).collect()
}

/// The logarithm of the sum of the numbers with these logarithms.
fn log_sum_exp(logs: &[f64]) -> f64 {
    let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    most + logs.iter().map(|log| (log - most).exp()).sum::<f64>().ln()
}

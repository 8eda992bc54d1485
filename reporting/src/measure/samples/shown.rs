//! Which of the stored samples are shown.

use greylag_infra::protocol::SampleKind;

use super::{Choice, MAX_DRAWN, MAX_FAILED, Sample, keep, rank};

/// Failed requests are shown in addition to those drawn until there are so many of them.
const WANTED_FAILED: usize = 50;
/// Most slowest requests that are shown in addition to those drawn.
const MAX_SLOWEST_SHOWN: usize = 20;

/// Up to which ranks samples hold every request that there was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Complete {
    /// Of all requests.
    pub(super) drawn: u64,
    /// Of the failed ones; never less.
    pub(super) failed: u64,
}

impl Complete {
    /// Nothing is missing.
    pub(crate) const ALL: Self = Self {
        drawn: u64::MAX,
        failed: u64::MAX,
    };

    /// Of one thinned set: everything up to its greatest rank if it is full, else everything.
    fn of(samples: &[impl Sample]) -> Self {
        let greatest = |kind: SampleKind, full: usize| {
            let ranks: Vec<u64> = samples
                .iter()
                .filter(|sample| sample.data().kind == kind)
                .map(rank)
                .collect();
            match ranks.iter().max() {
                Some(greatest) if ranks.len() >= full => *greatest,
                _ => u64::MAX,
            }
        };
        let drawn = greatest(SampleKind::Drawn, MAX_DRAWN);
        Self {
            drawn,
            failed: greatest(SampleKind::Failed, MAX_FAILED).max(drawn),
        }
    }

    /// Of both together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            drawn: self.drawn.min(other.drawn),
            failed: self.failed.min(other.failed),
        }
    }

    /// Of these sets and of one more.
    pub(crate) fn and_of(self, samples: &[impl Sample]) -> Self {
        self.and(Self::of(samples))
    }

    /// The share of all requests that is drawn, 0–1.
    pub(crate) fn drawn_share(self) -> f64 {
        self.drawn as f64 / u64::MAX as f64
    }

    /// The share of the failed requests that is shown, 0–1.
    pub(crate) fn failed_share(self) -> f64 {
        self.failed as f64 / u64::MAX as f64
    }
}

/// Keeps what is to be shown of samples that hold every request up to `complete`: at most `limit` drawn
/// ones, and a few failed and slowest ones where hardly any were drawn. Lowers `complete` to what is kept.
pub(crate) fn choose_shown<T: Sample>(samples: &mut Vec<T>, complete: &mut Complete, limit: usize) {
    let mut choice = Choice::new(samples);
    let all = *complete;
    complete.drawn = choice
        .draw(
            limit,
            |sample| sample.data().kind != SampleKind::Slow && rank(sample) <= all.drawn,
            SampleKind::Drawn,
        )
        .unwrap_or(all.drawn);
    let failed_drawn = choice
        .samples
        .iter()
        .zip(&choice.kept)
        .filter(|(sample, kept)| kept.is_some() && sample.data().failed)
        .count();
    complete.failed = choice
        .draw(
            WANTED_FAILED.saturating_sub(failed_drawn),
            |sample| {
                sample.data().failed
                    && sample.data().kind != SampleKind::Slow
                    && rank(sample) <= all.failed
            },
            SampleKind::Failed,
        )
        .unwrap_or(all.failed)
        .max(complete.drawn);
    choice.keep_slowest(MAX_SLOWEST_SHOWN);
    let kept = choice.kept;
    keep(samples, kept);
    samples.sort_by_key(|sample| sample.data().at_us);
}

/// How many samples of a stored row were drawn if it is full.
pub(crate) const fn drawn_per_row() -> usize {
    MAX_DRAWN
}

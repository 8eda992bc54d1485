//! How long to wait before the next attempt to reach the coordinator.

use std::time::Duration;

use rand::Rng;

/// Wait after the first failure.
const FIRST: Duration = Duration::from_millis(100);
/// Longest wait: a coordinator that comes back is found within this time.
const LONGEST: Duration = Duration::from_secs(3);

/// Exponential back-off with jitter: many agents that lost the same coordinator do not come back in step.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait after one more failure: drawn from the upper half of the doubled time.
    pub(crate) fn next(&mut self, random: &mut impl Rng) -> Duration {
        let doubled = FIRST.saturating_mul(2_u32.saturating_pow(self.failures));
        self.failures = self.failures.saturating_add(1);
        let most = doubled.min(LONGEST);
        most.mul_f64(random.random_range(0.5..=1.0))
    }

    /// An attempt succeeded.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{SeedableRng, rngs::SmallRng};

    #[test]
    fn waits_double_up_to_the_longest() {
        let mut random = SmallRng::seed_from_u64(1);
        let mut backoff = Backoff::default();
        let mut expected = FIRST;
        for _ in 0..100 {
            let wait = backoff.next(&mut random);
            assert!(
                wait >= expected / 2 && wait <= expected,
                "{wait:?} for {expected:?}"
            );
            expected = (expected * 2).min(LONGEST);
        }
        backoff.reset();
        assert!(backoff.next(&mut random) <= FIRST);
    }
}

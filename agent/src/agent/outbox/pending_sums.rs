//! Sums by second and number that are not in a snapshot yet, in bounded memory: requests of counted tags, values of custom metrics.

use std::collections::BTreeMap;

use greylag_reporting::MetricSums;

use super::MAX_PENDING_SECONDS;
use super::pending::merge_neighbours;

/// Most bytes that the sums of a kind take while they are pending; beyond that, each two neighbouring seconds are merged, down to
/// a single one.
pub(super) const MAX_PENDING_SUM_BYTES: usize = 32 << 20;

/// What is added up.
pub(super) trait Sum: Default {
    /// About how many bytes it takes in memory.
    fn memory(&self) -> usize;
    /// Adds others.
    fn merge(&mut self, others: &Self);
}

/// Of a custom metric.
impl Sum for MetricSums {
    fn memory(&self) -> usize {
        self.count_bytes()
    }

    fn merge(&mut self, others: &Self) {
        MetricSums::merge(self, others);
    }
}

/// Sums that are pending.
#[derive(Debug, Default)]
pub(super) struct PendingSums<S> {
    /// By second, and number of the metric or position of the tag.
    seconds: BTreeMap<u32, BTreeMap<u32, S>>,
    /// What all of them take.
    bytes: usize,
}

impl<S: Sum> PendingSums<S> {
    /// Adds to the sum of a number in a second.
    pub(super) fn add(&mut self, second: u32, number: u32, add: impl FnOnce(&mut S)) {
        let of_second = self.seconds.entry(second).or_default();
        let is_new = !of_second.contains_key(&number);
        let sum = of_second.entry(number).or_default();
        let before = if is_new { 0 } else { sum.memory() };
        add(sum);
        self.bytes = self.bytes + sum.memory() - before;
        while self.seconds.len() > MAX_PENDING_SECONDS
            || (self.bytes > MAX_PENDING_SUM_BYTES && self.seconds.len() > 1)
        {
            merge_neighbours(&mut self.seconds, |kept, merged| {
                for (number, sum) in merged {
                    kept.entry(number).or_default().merge(&sum);
                }
            });
            let all = self.seconds.values().flat_map(BTreeMap::values);
            self.bytes = all.map(S::memory).sum();
        }
    }

    /// Takes the sum of the next number in a second.
    pub(super) fn take(&mut self, second: u32) -> Option<(u32, S)> {
        let of_second = self.seconds.get_mut(&second)?;
        let taken = of_second.pop_first();
        if of_second.is_empty() {
            self.seconds.remove(&second);
        }
        if let Some((_, sum)) = &taken {
            self.bytes -= sum.memory();
        }
        taken
    }

    /// The first second that there are sums of.
    pub(super) fn first_second(&self) -> Option<u32> {
        self.seconds.keys().next().copied()
    }

    /// How many seconds there are sums of.
    #[cfg(test)]
    pub(super) fn seconds(&self) -> usize {
        self.seconds.len()
    }

    /// Bytes that all of them take.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

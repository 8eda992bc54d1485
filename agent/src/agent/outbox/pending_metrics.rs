//! Values of custom metrics that are not in a snapshot yet, in bounded memory.

use std::collections::BTreeMap;

use greylag_reporting::{MetricSums, PackedMetric};

use super::MAX_PENDING_SECONDS;
use super::pending::merge_neighbours;

/// Most bytes of counts of histograms that are pending; beyond that, each two neighbouring seconds are merged, down to a single one.
pub(super) const MAX_PENDING_METRIC_BYTES: usize = 32 << 20;

/// The values that are pending.
#[derive(Debug, Default)]
pub(super) struct PendingMetrics {
    /// By second and number of the custom metric.
    seconds: BTreeMap<u32, BTreeMap<u32, MetricSums>>,
    /// What the counts of all take.
    bytes: usize,
}

impl PendingMetrics {
    /// Adds values of a metric in a second.
    pub(super) fn add(&mut self, second: u32, number: u32, values: &PackedMetric) {
        let of_second = self.seconds.entry(second).or_default();
        let sums = of_second.entry(number).or_default();
        let before = sums.count_bytes();
        sums.add(values);
        self.bytes += sums.count_bytes() - before;
        while self.seconds.len() > MAX_PENDING_SECONDS
            || (self.bytes > MAX_PENDING_METRIC_BYTES && self.seconds.len() > 1)
        {
            merge_neighbours(&mut self.seconds, |kept, merged| {
                for (number, sums) in merged {
                    kept.entry(number).or_default().merge(&sums);
                }
            });
            let all = self.seconds.values().flat_map(BTreeMap::values);
            self.bytes = all.map(MetricSums::count_bytes).sum();
        }
    }

    /// Takes the values of the next metric in a second.
    pub(super) fn take(&mut self, second: u32) -> Option<(u32, MetricSums)> {
        let metrics = self.seconds.get_mut(&second)?;
        let taken = metrics.pop_first();
        if metrics.is_empty() {
            self.seconds.remove(&second);
        }
        if let Some((_, sums)) = &taken {
            self.bytes -= sums.count_bytes();
        }
        taken
    }

    /// The first second that there are values of.
    pub(super) fn first_second(&self) -> Option<u32> {
        self.seconds.keys().next().copied()
    }

    /// Bytes of all counts.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

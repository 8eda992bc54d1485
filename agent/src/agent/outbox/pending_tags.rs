//! Requests of counted tags that are not in a snapshot yet.

use std::collections::BTreeMap;

use greylag_infra::protocol::TagInterval;
use greylag_reporting::{Interval, SparseInterval};

use super::MAX_PENDING_SECONDS;
use super::pending::merge_neighbours;

/// The requests that are pending.
#[derive(Debug, Default)]
pub(super) struct PendingTags {
    /// By second and position of the tag.
    seconds: BTreeMap<u32, BTreeMap<u32, Interval>>,
}

impl PendingTags {
    /// Adds requests of a tag in a second.
    pub(super) fn add(&mut self, second: u32, tag: u32, requests: &SparseInterval) {
        let of_second = self.seconds.entry(second).or_default();
        of_second.entry(tag).or_default().add(requests);
        if self.seconds.len() > MAX_PENDING_SECONDS {
            merge_neighbours(&mut self.seconds, |kept, merged| {
                for (tag, requests) in merged {
                    kept.entry(tag).or_default().merge(&requests);
                }
            });
        }
    }

    /// Takes the requests of the next tag in a second.
    pub(super) fn take(&mut self, second: u32) -> Option<TagInterval> {
        let tags = self.seconds.get_mut(&second)?;
        let taken = tags.pop_first();
        if tags.is_empty() {
            self.seconds.remove(&second);
        }
        taken.map(|(tag, requests)| TagInterval {
            tag,
            interval: requests.to_wire(second, 0),
        })
    }

    /// The first second that there are requests of.
    pub(super) fn first_second(&self) -> Option<u32> {
        self.seconds.keys().next().copied()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn request(ms: u64) -> SparseInterval {
        let mut interval = Interval::default();
        interval.record(Duration::from_millis(ms), None, 1, None);
        SparseInterval::from(&interval)
    }

    #[test]
    fn workers_add_up_by_second_and_tag() {
        let mut tags = PendingTags::default();
        for (second, tag, ms) in [(5, 1, 10), (4, 0, 20), (5, 1, 30), (5, 0, 40)] {
            tags.add(second, tag, &request(ms));
        }
        assert_eq!(tags.first_second(), Some(4));
        assert!(tags.take(3).is_none());
        let mut taken = Vec::new();
        for second in [4, 5] {
            while let Some(TagInterval { tag, interval }) = tags.take(second) {
                taken.push((interval.second, tag, interval.requests, interval.sum_us));
            }
        }
        assert_eq!(
            taken,
            [(4, 0, 1, 20_000), (5, 0, 1, 40_000), (5, 1, 2, 40_000)]
        );
        assert_eq!(tags.first_second(), None);
    }

    #[test]
    fn seconds_beyond_the_bound_are_merged_and_nothing_is_lost() {
        let mut tags = PendingTags::default();
        let seconds = 3 * MAX_PENDING_SECONDS as u32;
        for second in 0..seconds {
            tags.add(second, second % 2, &request(1));
        }
        assert!(tags.seconds.len() <= MAX_PENDING_SECONDS);
        let mut requests = [0, 0];
        while let Some(second) = tags.first_second() {
            while let Some(TagInterval { tag, interval }) = tags.take(second) {
                requests[tag as usize] += interval.requests;
            }
        }
        assert_eq!(requests, [u64::from(seconds) / 2; 2]);
    }
}

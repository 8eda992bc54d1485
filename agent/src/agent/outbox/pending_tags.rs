//! Requests of counted tags that are not in a snapshot yet.

use greylag_reporting::SparseInterval;

use super::pending_sums::{PendingSums, Sum};

/// The requests that are pending, by second and position of the tag.
pub(super) type PendingTags = PendingSums<SparseInterval>;

/// Its counts are lists: arrays for many tags would fill the memory within seconds.
impl Sum for SparseInterval {
    fn memory(&self) -> usize {
        SparseInterval::memory(self)
    }

    fn merge(&mut self, others: &Self) {
        SparseInterval::merge(self, others);
    }
}

#[cfg(test)]
mod tests {
    use super::super::MAX_PENDING_SECONDS;
    use super::super::pending_sums::MAX_PENDING_SUM_BYTES;
    use super::*;

    fn add(tags: &mut PendingTags, second: u32, tag: u32, times_us: Vec<u64>) {
        let requests = SparseInterval::of_times_us(times_us, 0);
        tags.add(second, tag, |sum| sum.merge(&requests));
    }

    /// All there is: second, tag, requests and the sum of their times in µs.
    fn drain(tags: &mut PendingTags) -> Vec<(u32, u32, u64, u64)> {
        let mut taken = Vec::new();
        while let Some(second) = tags.first_second() {
            while let Some((tag, requests)) = tags.take(second) {
                let response = requests.sums().response;
                taken.push((second, tag, response.count, response.sum_us));
            }
        }
        assert_eq!(tags.bytes(), 0);
        taken
    }

    #[test]
    fn workers_add_up_by_second_and_tag() {
        let mut tags = PendingTags::default();
        for (second, tag, us) in [(5, 1, 10), (4, 0, 20), (5, 1, 30), (5, 0, 40)] {
            add(&mut tags, second, tag, vec![us]);
        }
        assert!(tags.take(3).is_none());
        let expected = [(4, 0, 1, 20), (5, 0, 1, 40), (5, 1, 2, 40)];
        assert_eq!(drain(&mut tags), expected);
    }

    #[test]
    fn seconds_beyond_the_bound_are_merged_and_nothing_is_lost() {
        let mut tags = PendingTags::default();
        let seconds = 3 * MAX_PENDING_SECONDS as u32;
        for second in 0..seconds {
            add(&mut tags, second, second % 2, vec![1]);
        }
        assert!(tags.seconds() <= MAX_PENDING_SECONDS);
        let mut requests = [0, 0];
        for (_, tag, count, _) in drain(&mut tags) {
            requests[tag as usize] += count;
        }
        assert_eq!(requests, [u64::from(seconds) / 2; 2]);
    }

    #[test]
    fn wide_histograms_of_many_tags_are_bounded_by_their_bytes_and_nothing_is_lost() {
        /// Enough to pass the bound several times.
        const SECONDS: u32 = 60;
        const TAGS: u32 = 20;
        let wide: Vec<u64> = (0..20)
            .flat_map(|power| (0..300).map(move |step| (1_024 + step) << power))
            .collect();
        let in_all = wide.len() as u64 * u64::from(SECONDS);
        let sparse = SparseInterval::of_times_us(wide, 0);
        let unbounded = sparse.memory() * (SECONDS * TAGS) as usize;
        assert!(unbounded > 2 * MAX_PENDING_SUM_BYTES);
        let mut tags = PendingTags::default();
        for second in 0..SECONDS {
            for tag in 0..TAGS {
                tags.add(second, tag, |sum| sum.merge(&sparse));
                assert!(tags.bytes() <= MAX_PENDING_SUM_BYTES);
            }
        }
        let mut requests = [0; TAGS as usize];
        for (_, tag, count, _) in drain(&mut tags) {
            requests[tag as usize] += count;
        }
        assert_eq!(requests, [in_all; TAGS as usize]);
    }
}

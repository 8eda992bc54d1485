//! Single requests for the scatter plot: few of many, fairly chosen.
//!
//! Every sample has a pseudo-random rank that follows from the sample alone. Keeping those of the least
//! rank is drawing uniformly without replacement (bottom-k sampling), and it does not matter in which order or
//! in how many steps: a worker, its agent, the store and the page all choose by the same ranks, so that
//! choosing again from what was chosen is as fair as choosing once from everything.

use std::collections::{BinaryHeap, HashMap, HashSet};

use greylag_infra::protocol::SampleData;

/// Most samples of one second of one worker, agent or stored row.
pub const MAX_SAMPLES_PER_SECOND: usize = 100;
/// Most samples a worker keeps of one endpoint and outcome in a second before it chooses among all.
const MAX_PER_GROUP: usize = 50;
/// Most endpoints and outcomes a worker keeps samples of within a second.
const MAX_GROUPS: usize = 2_000;
/// The share of a limit that the slowest of each endpoint may take up.
const SLOWEST_SHARE: usize = 4;
/// The share of a limit that failed requests take up when there are too many.
const FAILED_SHARE: usize = 2;

/// What [`thin_samples`] must know of a sample.
pub trait Sample {
    /// Endpoint, by any numbering.
    fn endpoint(&self) -> u32;
    /// When it ended, µs of run time.
    fn at_us(&self) -> u64;
    /// Response time in µs.
    fn response_us(&self) -> u64;
    /// Whether it failed.
    fn failed(&self) -> bool;
}

impl Sample for SampleData {
    fn endpoint(&self) -> u32 {
        self.endpoint
    }
    fn at_us(&self) -> u64 {
        self.at_us
    }
    fn response_us(&self) -> u64 {
        self.response_us
    }
    fn failed(&self) -> bool {
        self.failed
    }
}

/// The pseudo-random rank of a sample: the finalizer of SplitMix64 over when it ended and how long it took.
/// The endpoint is left out because every process numbers endpoints its own way.
fn rank(sample: &impl Sample) -> u64 {
    let mixed = |value: u64| {
        let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    };
    mixed(mixed(sample.at_us()) ^ sample.response_us())
}

/// Keeps at most `limit` samples: the slowest of each endpoint first (up to a quarter of the limit, the
/// slowest of all before the others), then failed ones (up to half of it while there are others), then
/// whatever is left, each uniformly. What is kept stays in order of time.
pub fn thin_samples<T: Sample>(samples: &mut Vec<T>, limit: usize) {
    if samples.len() > limit {
        let kept = chosen(samples, limit);
        let mut at = 0..;
        samples.retain(|_| kept.contains(&at.next().unwrap_or(usize::MAX)));
    }
    samples.sort_by_key(Sample::at_us);
}

fn chosen<T: Sample>(samples: &[T], limit: usize) -> HashSet<usize> {
    let mut by_rank: Vec<usize> = (0..samples.len()).collect();
    by_rank.sort_by_cached_key(|at| rank(&samples[*at]));

    let mut slowest: HashMap<u32, usize> = HashMap::new();
    for (at, sample) in samples.iter().enumerate() {
        let known = slowest.entry(sample.endpoint()).or_insert(at);
        if sample.response_us() > samples[*known].response_us() {
            *known = at;
        }
    }
    let mut slowest: Vec<usize> = slowest.into_values().collect();
    slowest.sort_by_key(|at| (std::cmp::Reverse(samples[*at].response_us()), *at));
    slowest.truncate((limit / SLOWEST_SHARE).max(1));

    let mut kept: HashSet<usize> = slowest.into_iter().take(limit).collect();
    let failed = by_rank.iter().copied().filter(|at| samples[*at].failed());
    let mut room = (limit / FAILED_SHARE).min(limit - kept.len());
    for at in failed {
        if room == 0 {
            break;
        }
        room -= usize::from(kept.insert(at));
    }
    // Successes fill the rest, and failed ones what successes leave.
    for outcome in [false, true] {
        for at in &by_rank {
            if kept.len() >= limit {
                return kept;
            }
            if samples[*at].failed() == outcome {
                kept.insert(*at);
            }
        }
    }
    kept
}

/// One second's samples in a worker: a uniform reservoir and the slowest request per endpoint and outcome.
/// Recording costs a hash and a comparison once a reservoir is full.
#[derive(Debug, Default)]
pub struct SampleReservoir {
    groups: HashMap<(u32, bool), Group>,
}

#[derive(Debug, Default)]
struct Group {
    least_ranks: BinaryHeap<Ranked>,
    slowest: Option<SampleData>,
}

#[derive(Debug)]
struct Ranked(u64, SampleData);

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl Eq for Ranked {}
impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

impl SampleReservoir {
    /// Offers a request.
    pub fn record(&mut self, sample: SampleData) {
        let key = (sample.endpoint, sample.failed);
        if self.groups.len() >= MAX_GROUPS && !self.groups.contains_key(&key) {
            return;
        }
        let group = self.groups.entry(key).or_default();
        if group
            .slowest
            .is_none_or(|slowest| slowest.response_us < sample.response_us)
        {
            group.slowest = Some(sample);
        }
        let rank = rank(&sample);
        if group.least_ranks.len() < MAX_PER_GROUP {
            group.least_ranks.push(Ranked(rank, sample));
        } else if let Some(mut greatest) = group.least_ranks.peek_mut()
            && rank < greatest.0
        {
            *greatest = Ranked(rank, sample);
        }
    }

    /// Whether nothing was offered since the last [`Self::drain`].
    pub fn is_empty(&self) -> bool {
        self.groups.values().all(|group| group.slowest.is_none())
    }

    /// Takes out at most [`MAX_SAMPLES_PER_SECOND`] samples by time and begins anew, keeping the memory.
    pub fn drain(&mut self) -> Vec<SampleData> {
        let mut samples = Vec::new();
        for group in self.groups.values_mut() {
            let slowest = group.slowest.take();
            let others = group.least_ranks.drain().map(|ranked| ranked.1);
            samples.extend(others.filter(|sample| Some(*sample) != slowest));
            samples.extend(slowest);
        }
        // The map's order is random; ties must not be.
        samples.sort_by_key(|s| (s.at_us, s.endpoint, s.response_us, s.failed));
        thin_samples(&mut samples, MAX_SAMPLES_PER_SECOND);
        samples
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample(endpoint: u32, at_us: u64, response_us: u64, failed: bool) -> SampleData {
        SampleData {
            endpoint,
            at_us,
            response_us,
            failed,
        }
    }

    fn samples() -> impl Strategy<Value = Vec<SampleData>> {
        let one = (
            0..5_u32,
            0..1_000_000_u64,
            0..10_000_000_u64,
            prop::bool::weighted(0.2),
        );
        prop::collection::vec(one.prop_map(|(e, at, r, f)| sample(e, at, r, f)), 0..600)
    }

    /// Those without a tie: of two alike either may be kept.
    fn distinct(mut samples: Vec<SampleData>) -> Vec<SampleData> {
        let mut seen = HashSet::new();
        samples.retain(|s| seen.insert((s.at_us, s.response_us)));
        samples
    }

    proptest! {
        #[test]
        fn what_must_be_kept_is_kept(samples in samples(), limit in 40..300_usize) {
            let mut kept = samples.clone();
            thin_samples(&mut kept, limit);
            prop_assert_eq!(kept.len(), samples.len().min(limit));
            prop_assert!(kept.is_sorted_by_key(|s| s.at_us));
            for endpoint in 0..5 {
                let slowest = |of: &[SampleData]| {
                    of.iter().filter(|s| s.endpoint == endpoint).map(|s| s.response_us).max()
                };
                prop_assert_eq!(slowest(&kept), slowest(&samples));
            }
            let failed = |of: &[SampleData]| of.iter().filter(|s| s.failed).count();
            prop_assert!(failed(&kept) >= failed(&samples).min(limit / FAILED_SHARE));
        }

        #[test]
        fn choosing_in_parts_is_choosing_from_all(samples in samples(), limit in 40..200_usize, parts in 1..6_usize) {
            // Exact where all are successes of one endpoint, so that every place but one goes by rank.
            let samples: Vec<SampleData> = distinct(samples)
                .into_iter()
                .map(|s| sample(0, s.at_us, s.response_us, false))
                .collect();
            let mut at_once = samples.clone();
            thin_samples(&mut at_once, limit);
            let mut in_parts = Vec::new();
            for part in 0..parts {
                let mut some: Vec<_> = samples.iter().copied().skip(part).step_by(parts).collect();
                thin_samples(&mut some, limit);
                in_parts.extend(some);
            }
            thin_samples(&mut in_parts, limit);
            let missing = at_once.iter().filter(|s| !in_parts.contains(s)).count();
            prop_assert!(missing <= 1, "{} differ", missing);
        }

        #[test]
        fn a_reservoir_is_bounded_and_keeps_slow_and_failed(samples in samples()) {
            let mut reservoir = SampleReservoir::default();
            for sample in &samples {
                reservoir.record(*sample);
            }
            prop_assert_eq!(reservoir.is_empty(), samples.is_empty());
            let kept = reservoir.drain();
            prop_assert!(kept.len() <= MAX_SAMPLES_PER_SECOND);
            prop_assert!(reservoir.is_empty());
            prop_assert_eq!(reservoir.drain(), Vec::new());
            prop_assert!(kept.iter().all(|s| samples.contains(s)));
            let slowest = |of: &[SampleData]| of.iter().map(|s| s.response_us).max();
            prop_assert_eq!(slowest(&kept), slowest(&samples));
            let failed = |of: &[SampleData]| of.iter().filter(|s| s.failed).count();
            prop_assert!(failed(&kept) >= failed(&samples).min(MAX_SAMPLES_PER_SECOND / FAILED_SHARE));
        }
    }

    #[test]
    fn a_reservoir_draws_uniformly_over_time_and_response_time() {
        // 1,000 seconds of 2,000 requests: how often each tenth of the second, and each tenth of the
        // response times, is drawn follows a binomial distribution with a deviation of about 0.95 %.
        const SECONDS: u64 = 1_000;
        const REQUESTS: u64 = 2_000;
        let mut reservoir = SampleReservoir::default();
        let mut by_time = [0_u64; 10];
        let mut by_response = [0_u64; 10];
        for second in 0..SECONDS {
            for request in 0..REQUESTS {
                // 7,919 is prime to 2,000: response times have nothing to do with the order.
                let response_us = 1_000 + (request * 7_919 + second * 13) % REQUESTS;
                let at_us = second * 1_000_000 + request * 500;
                reservoir.record(sample(0, at_us, response_us, false));
            }
            let mut kept = reservoir.drain();
            let slowest = kept.iter().position(|s| s.response_us == 2_999).unwrap();
            kept.remove(slowest);
            assert!(kept.len() >= MAX_PER_GROUP - 1);
            for sample in kept {
                by_time[(sample.at_us % 1_000_000 / 100_000) as usize] += 1;
                by_response[((sample.response_us - 1_000) / 200) as usize] += 1;
            }
        }
        let expected = (SECONDS * MAX_PER_GROUP as u64) as f64 / 10.0;
        for drawn in by_time.into_iter().chain(by_response) {
            let off = (drawn as f64 - expected).abs() / expected;
            assert!(off < 0.06, "{drawn} drawn where {expected} are fair");
        }
    }
}

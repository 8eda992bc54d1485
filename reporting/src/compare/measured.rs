//! What of a run is compared: the histogram of each endpoint, and what of it is in each block of seconds.

use std::cmp::Reverse;

use greylag_infra::protocol::Endpoint;

use super::percentiles::{Cut, Distribution};
use super::statistic::FRACTIONS;
use crate::measure::interval::{Measure, SparseInterval};

/// Most endpoints that have a verdict: those with the most requests. Each takes its share of the error that is allowed, and its
/// blocks take memory.
const MAX_TESTED_ENDPOINTS: usize = 100;

/// Fewest blocks of a run whose noise can be judged at all.
#[cfg(feature = "coordinator")]
pub(crate) const MIN_BLOCKS: usize = 10;

/// A stretch of a run: each endpoint's sum, and how it came about over time.
#[derive(Debug)]
pub struct MeasuredRun {
    blocks: usize,
    block_s: u32,
    /// All endpoints together.
    aggregated: Measured,
    /// The endpoints by name, then method.
    endpoints: Vec<(Endpoint, Measured)>,
}

/// Requests to one endpoint, or to all of them.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) total: SparseInterval,
    pub(super) distribution: Distribution,
    cuts: [Cut; FRACTIONS.len()],
    /// None of endpoints beyond [`MAX_TESTED_ENDPOINTS`].
    pub(super) blocks: Vec<Block>,
    slope: f64,
    ranks_per_log: f64,
}

/// What is in one block.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Block {
    pub(super) requests: u64,
    pub(super) failures: u64,
    pub(super) sum_us: u64,
    /// Requests that were faster than the percentile of the whole stretch, for each of [`FRACTIONS`].
    pub(super) below: [f64; FRACTIONS.len()],
    /// Sum of the requests' ranks among those of their endpoint, times its [slope](Distribution::rank_slope): how slow it was.
    pub(super) ranks: f64,
}

impl MeasuredRun {
    /// A stretch of `blocks` blocks of `block_s` seconds, with the sum of each endpoint over all of it. Its blocks are to be
    /// [added](Self::add).
    pub fn new(blocks: usize, block_s: u32, totals: Vec<(Endpoint, SparseInterval)>) -> Self {
        let mut sum = SparseInterval::default();
        for (_, total) in &totals {
            sum.merge(total);
        }
        let mut totals: Vec<_> = totals
            .into_iter()
            .filter(|(_, total)| total.sums.requests() > 0)
            .collect();
        totals.sort_by_key(|(_, total)| Reverse(total.sums.requests()));
        let mut endpoints: Vec<_> = totals
            .into_iter()
            .enumerate()
            .map(|(number, (endpoint, total))| {
                let blocks = if number < MAX_TESTED_ENDPOINTS {
                    blocks
                } else {
                    0
                };
                (endpoint, Measured::new(total, blocks))
            })
            .collect();
        endpoints.sort_by(|(a, _), (b, _)| (&a.name, &a.method).cmp(&(&b.name, &b.method)));
        let mut aggregated = Measured::new(sum, blocks);
        let of_endpoints = endpoints.iter().map(|(_, one)| one.ranks_per_log);
        aggregated.ranks_per_log = of_endpoints.sum();
        Self {
            blocks,
            block_s,
            aggregated,
            endpoints,
        }
    }

    /// Adds requests of a block to an endpoint. All of them together are the totals.
    pub fn add(&mut self, block: usize, endpoint: &Endpoint, requests: &SparseInterval) {
        let at = self.endpoints.binary_search_by(|(known, _)| {
            (&known.name, &known.method).cmp(&(&endpoint.name, &endpoint.method))
        });
        let ranks = at.map_or(0.0, |at| {
            let measured = &mut self.endpoints[at].1;
            let ranks = measured.ranks(requests);
            measured.add(block, requests, ranks);
            ranks
        });
        self.aggregated.add(block, requests, ranks);
    }

    /// How many blocks there are.
    pub fn blocks(&self) -> usize {
        self.blocks
    }

    /// How long it is, in seconds.
    pub fn seconds(&self) -> u32 {
        u32::try_from(self.blocks)
            .unwrap_or(u32::MAX)
            .saturating_mul(self.block_s)
    }

    /// How many requests there are.
    pub fn requests(&self) -> u64 {
        self.aggregated.requests()
    }

    /// All endpoints together.
    pub(super) fn aggregated(&self) -> &Measured {
        &self.aggregated
    }

    /// The endpoints that have requests, by name, then method.
    pub(super) fn endpoints(&self) -> &[(Endpoint, Measured)] {
        &self.endpoints
    }

    /// One of them.
    pub(super) fn endpoint(&self, endpoint: &Endpoint) -> Option<&Measured> {
        let known = self.endpoints.iter().find(|(known, _)| known == endpoint);
        known.map(|(_, measured)| measured)
    }
}

impl Measured {
    fn new(total: SparseInterval, blocks: usize) -> Self {
        let distribution = Distribution::of(&total);
        let cuts = FRACTIONS.map(|fraction| distribution.cut(fraction));
        let slope = distribution.rank_slope();
        Self {
            slope,
            ranks_per_log: total.sums.requests() as f64 * slope * slope,
            total,
            distribution,
            cuts,
            blocks: vec![Block::default(); blocks],
        }
    }

    /// The requests' ranks among all of these, with the endpoint's weight.
    fn ranks(&self, requests: &SparseInterval) -> f64 {
        let counts = requests.counts[Measure::Response].iter();
        let ranks = counts.map(|(position, count)| self.distribution.rank(position) * count as f64);
        self.slope * ranks.sum::<f64>()
    }

    fn add(&mut self, block: usize, requests: &SparseInterval, ranks: f64) {
        let Some(block) = self.blocks.get_mut(block) else {
            return;
        };
        block.requests += requests.sums.requests();
        block.failures += requests.sums.failures;
        block.ranks += ranks;
        block.sum_us = block.sum_us.saturating_add(requests.sums.response.sum_us);
        for (position, count) in requests.counts[Measure::Response].iter() {
            for (below, cut) in block.below.iter_mut().zip(&self.cuts) {
                *below += cut.share_below(position) * count as f64;
            }
        }
    }

    /// How much the sum of [ranks](Block::ranks) rises per logarithm of a factor by which all times rise.
    pub(super) fn ranks_per_log(&self) -> f64 {
        self.ranks_per_log
    }

    pub(super) fn requests(&self) -> u64 {
        self.total.sums.requests()
    }

    /// Requests of a block, on average.
    pub(super) fn per_block(&self) -> f64 {
        self.requests() as f64 / self.blocks.len().max(1) as f64
    }
}

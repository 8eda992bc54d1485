//! Single requests for the scatter plot: few of many, each as likely as any other.
//!
//! Every request has a pseudo-random rank that follows from the request alone. Keeping those of the least
//! ranks is drawing uniformly without replacement (bottom-k sampling), and it does not matter in which order or
//! in how many steps: a worker, its agent, the store and the page all choose by the same ranks, so that
//! choosing again from what was chosen is as fair as choosing once from everything.
//!
//! A full set holds every request up to its greatest rank. What is shown of several sets is every request
//! up to the least of these ranks ([`Complete`]), so that busy and quiet seconds, old and new ones,
//! failures and successes are drawn with the same probability. Failed requests and the slowest ones would be
//! missed if they are rare: some are kept in addition and marked by their [`SampleKind`].

mod shown;
#[cfg(test)]
mod tests;

use std::collections::{BinaryHeap, HashMap};

use greylag_infra::protocol::{SampleData, SampleKind};

pub use shown::Complete;
pub(crate) use shown::{choose_shown, drawn_per_row};

/// Most samples of one second of one worker, agent or stored row.
pub const MAX_SAMPLES_PER_SECOND: usize = 100;
/// Of these, how many failed requests and slowest ones may be kept in addition to those drawn.
const MAX_FAILED: usize = 20;
const MAX_SLOWEST: usize = 10;
/// How many are drawn.
const MAX_DRAWN: usize = MAX_SAMPLES_PER_SECOND - MAX_FAILED - MAX_SLOWEST;
/// How many failed requests a worker knows within a second: as many more as may be among those drawn.
const MAX_FAILED_CANDIDATES: usize = MAX_DRAWN + MAX_FAILED;
/// Most endpoints of which a worker knows the slowest request within a second.
const MAX_SLOWEST_CANDIDATES: usize = 1_000;

/// Whatever holds a sample.
pub trait Sample {
    /// The sample, its endpoint by any numbering.
    fn data(&self) -> SampleData;
    /// Keeps it for another reason.
    fn set_kind(&mut self, kind: SampleKind);
}

impl Sample for SampleData {
    fn data(&self) -> SampleData {
        *self
    }
    fn set_kind(&mut self, kind: SampleKind) {
        self.kind = kind;
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
    let sample = sample.data();
    mixed(mixed(sample.at_us) ^ sample.response_us)
}

/// Keeps at most [`MAX_SAMPLES_PER_SECOND`] samples: drawn ones, of the failed ones some more, and the
/// slowest of each endpoint, the slowest of all before the others. What is kept stays in order of time.
pub fn thin_samples<T: Sample>(samples: &mut Vec<T>) {
    let drawn = samples.iter().filter(|s| s.data().kind.is_drawn()).count();
    // Also if all would have room: of a set that was thinned before, nothing beyond its greatest rank is known.
    if drawn > MAX_DRAWN || samples.len() > MAX_SAMPLES_PER_SECOND {
        let mut choice = Choice::new(samples);
        choice.draw(
            MAX_DRAWN,
            |sample| sample.data().kind.is_drawn(),
            SampleKind::Drawn,
        );
        choice.draw(
            MAX_FAILED,
            |sample| sample.data().failed && sample.data().kind != SampleKind::Slow,
            SampleKind::Failed,
        );
        choice.keep_slowest(MAX_SLOWEST);
        let kept = choice.kept;
        keep(samples, kept);
    }
    samples.sort_by_key(|sample| sample.data().at_us);
}

fn keep<T: Sample>(samples: &mut Vec<T>, kept: Vec<Option<SampleKind>>) {
    let mut kept = kept.into_iter();
    samples.retain_mut(|sample| match kept.next().flatten() {
        Some(kind) => {
            sample.set_kind(kind);
            true
        }
        None => false,
    });
}

/// Which of some samples are kept, and why.
struct Choice<'a, T> {
    samples: &'a [T],
    /// Positions, the least rank first.
    by_rank: Vec<usize>,
    kept: Vec<Option<SampleKind>>,
}

impl<'a, T: Sample> Choice<'a, T> {
    fn new(samples: &'a [T]) -> Self {
        let mut by_rank: Vec<usize> = (0..samples.len()).collect();
        by_rank.sort_by_cached_key(|at| rank(&samples[*at]));
        Self {
            samples,
            by_rank,
            kept: vec![None; samples.len()],
        }
    }

    /// Keeps at most `limit` more of the wanted samples, those of the least ranks. Gives the greatest rank kept
    /// if some had to be left out.
    fn draw(&mut self, limit: usize, wanted: impl Fn(&T) -> bool, kind: SampleKind) -> Option<u64> {
        let mut room = limit;
        let mut greatest = 0;
        for at in &self.by_rank {
            let sample = &self.samples[*at];
            if self.kept[*at].is_some() || !wanted(sample) {
                continue;
            }
            if room == 0 {
                return Some(greatest);
            }
            room -= 1;
            greatest = rank(sample);
            self.kept[*at] = Some(kind);
        }
        None
    }

    /// Keeps the slowest sample of each endpoint, at most `limit` more.
    fn keep_slowest(&mut self, limit: usize) {
        let mut slowest: HashMap<u32, usize> = HashMap::new();
        for (at, sample) in self.samples.iter().enumerate() {
            let known = slowest.entry(sample.data().endpoint).or_insert(at);
            if sample.data().response_us > self.samples[*known].data().response_us {
                *known = at;
            }
        }
        let mut slowest: Vec<usize> = slowest
            .into_values()
            .filter(|at| self.kept[*at].is_none())
            .collect();
        slowest.sort_by_key(|at| (std::cmp::Reverse(self.samples[*at].data().response_us), *at));
        for at in slowest.into_iter().take(limit) {
            self.kept[at] = Some(SampleKind::Slow);
        }
    }
}

/// One second's samples in a worker: those of the least ranks, of all and of the failed ones, and the
/// slowest request per endpoint. Recording costs two comparisons and a look-up once it is full.
#[derive(Debug, Default)]
pub struct SampleReservoir {
    drawn: LeastRanks,
    failed: LeastRanks,
    slowest: HashMap<u32, SampleData>,
}

/// The samples of the least ranks.
#[derive(Debug, Default)]
struct LeastRanks(BinaryHeap<Ranked>);

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

impl LeastRanks {
    fn offer(&mut self, rank: u64, sample: SampleData, limit: usize) {
        if self.0.len() < limit {
            self.0.push(Ranked(rank, sample));
        } else if let Some(mut greatest) = self.0.peek_mut()
            && rank < greatest.0
        {
            *greatest = Ranked(rank, sample);
        }
    }
}

impl SampleReservoir {
    /// Offers a request, or a sample of another reservoir.
    pub fn record(&mut self, sample: SampleData) {
        let rank = rank(&sample);
        if sample.kind.is_drawn() {
            self.drawn.offer(rank, sample, MAX_DRAWN);
        }
        if sample.failed && sample.kind != SampleKind::Slow {
            self.failed.offer(rank, sample, MAX_FAILED_CANDIDATES);
        }
        if let Some(slowest) = self.slowest.get_mut(&sample.endpoint) {
            if slowest.response_us < sample.response_us {
                *slowest = sample;
            }
        } else if self.slowest.len() < MAX_SLOWEST_CANDIDATES {
            self.slowest.insert(sample.endpoint, sample);
        }
    }

    /// Whether nothing was offered since the last [`Self::drain`].
    pub fn is_empty(&self) -> bool {
        self.slowest.is_empty()
    }

    /// Takes out at most [`MAX_SAMPLES_PER_SECOND`] samples by time and begins anew, keeping the memory.
    pub fn drain(&mut self) -> Vec<SampleData> {
        let drawn_to = match self.drawn.0.peek() {
            Some(greatest) if self.drawn.0.len() >= MAX_DRAWN => greatest.0,
            _ => u64::MAX,
        };
        // Failed requests of greater ranks were let go if there are as many as are known.
        let known_to = match self.failed.0.peek() {
            Some(greatest) if self.failed.0.len() >= MAX_FAILED_CANDIDATES => greatest.0,
            _ => u64::MAX,
        };
        let mut samples: Vec<SampleData> = self.drawn.0.drain().map(|ranked| ranked.1).collect();
        let mut failed: Vec<Ranked> = self
            .failed
            .0
            .drain()
            .filter(|ranked| ranked.0 > drawn_to)
            .collect();
        failed.sort();
        let failed_to = failed.get(MAX_FAILED).map_or(known_to, |next| next.0 - 1);
        samples.extend(
            failed
                .into_iter()
                .take(MAX_FAILED)
                .map(|ranked| SampleData {
                    kind: SampleKind::Failed,
                    ..ranked.1
                }),
        );
        let mut slowest: Vec<SampleData> = self
            .slowest
            .drain()
            .map(|(_, sample)| sample)
            .filter(|sample| {
                let to = if sample.failed { failed_to } else { drawn_to };
                rank(sample) > to.max(drawn_to)
            })
            .collect();
        slowest.sort_by_key(|s| (std::cmp::Reverse(s.response_us), s.at_us, s.endpoint));
        samples.extend(
            slowest
                .into_iter()
                .take(MAX_SLOWEST)
                .map(|sample| SampleData {
                    kind: SampleKind::Slow,
                    ..sample
                }),
        );
        // The heap's order is not that of time, and the map's is random.
        samples.sort_by_key(|s| (s.at_us, s.endpoint, s.response_us, s.failed));
        samples
    }
}

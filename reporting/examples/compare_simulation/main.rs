//! How often comparisons are wrong, and how often they find what there is, by simulation.
//!
//! `cargo run --release -p greylag-reporting --no-default-features --example compare_simulation -- [--seed 1] [--pairs 1000]
//! [--changed 400] [--kind TEXT]` compares, for each kind of noise with TEXT in its name, pairs of runs of the same system, and
//! pairs of which one system is slower: all response times are 5 % longer, or only those of the slowest tenth of each endpoint. It
//! prints a line of the table in `docs/compare.md` for each. The method was made with other seeds than those from 1 on.

mod noise;

use greylag_reporting::{MeasuredRun, RunVerdict, Statistic, Verdict, compare};

use self::noise::{Change, KINDS, Noise, OTHER_KINDS, Random};

/// All response times are longer.
const SLOWER: Change = Change {
    all: 1.05,
    tail: 1.0,
};
/// Those of the slowest tenth are.
const SLOWER_TAIL: Change = Change {
    all: 1.0,
    tail: 1.05,
};
/// Seeds of one `--seed`.
const SEEDS: u64 = 1_000_000;

struct Options {
    seed: u64,
    pairs: u64,
    changed: u64,
    kind: String,
}

impl Options {
    fn read() -> Result<Self, Box<dyn std::error::Error>> {
        let mut options = Self {
            seed: 1,
            pairs: 1_000,
            changed: 400,
            kind: String::new(),
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = arguments
                .next()
                .ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--seed" => options.seed = value.parse()?,
                "--pairs" => options.pairs = value.parse()?,
                "--changed" => options.changed = value.parse()?,
                "--kind" => options.kind = value,
                _ => return Err(format!("unknown option {name}; see the example's source").into()),
            }
        }
        Ok(options)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::read()?;
    println!(
        "Runs of {} s; {} pairs of the same system, {} with a slower one\n\n\
         | Noise | same: any verdict | 5 % slower: found | by p95 | by median | interval of p95 | slowest tenth 5 % slower: found |\n\
         |---|---|---|---|---|---|---|",
        noise::SECONDS,
        options.pairs,
        options.changed,
    );
    let kinds = KINDS.iter().chain(&OTHER_KINDS);
    for kind in kinds.filter(|kind| kind.name.contains(&options.kind)) {
        let first = options.seed * SEEDS;
        let wrong = (first..first + options.pairs).filter(|seed| {
            let [one, other] = pair(kind, *seed, Change::NONE);
            !compare(&[&one], &other, 1).found.is_empty()
        });
        let wrong = percent(wrong.count() as u64, options.pairs);
        let first = first + SEEDS / 2;
        let mut found = Found::default();
        for seed in first..first + options.changed {
            found.add(kind, seed);
        }
        let percent = |count| percent(count, options.changed);
        println!(
            "| {} | {wrong} | {} | {} | {} | ± {:.1} % | {} |",
            kind.name,
            percent(found.slower),
            percent(found.by_p95),
            percent(found.by_median),
            100.0 * found.half_widths / options.changed.max(1) as f64,
            percent(found.slower_tail),
        );
    }
    Ok(())
}

fn percent(count: u64, of: u64) -> String {
    format!("{:.1} %", 100.0 * count as f64 / of.max(1) as f64)
}

/// A run of a system as it was, and one of the changed system.
fn pair(kind: &Noise, seed: u64, change: Change) -> [MeasuredRun; 2] {
    let random = &mut Random::new(seed);
    [Change::NONE, change].map(|change| kind.run(random, change))
}

/// How many slower systems were found to be.
#[derive(Debug, Default)]
struct Found {
    slower: u64,
    /// By this percentile of all endpoints together.
    by_p95: u64,
    by_median: u64,
    slower_tail: u64,
    /// Sum of half the intervals of that 95th percentile.
    half_widths: f64,
}

impl Found {
    fn add(&mut self, kind: &Noise, seed: u64) {
        let [one, other] = pair(kind, seed, SLOWER);
        let differences = compare(&[&one], &other, 1);
        self.slower += u64::from(differences.verdict == RunVerdict::Slower);
        for difference in &differences.aggregated {
            let is_found = u64::from(difference.verdict == Some(Verdict::Slower));
            match difference.statistic {
                Statistic::P50 => self.by_median += is_found,
                Statistic::P95 => {
                    self.by_p95 += is_found;
                    let ends = difference.low.zip(difference.high);
                    self.half_widths += ends.map_or(0.0, |(low, high)| (high - low) / 2.0);
                }
                _ => {}
            }
        }
        let [one, other] = pair(kind, seed, SLOWER_TAIL);
        let differences = compare(&[&one], &other, 1);
        self.slower_tail += u64::from(differences.verdict == RunVerdict::Slower);
    }
}

//! How often comparisons are wrong, and how often they find what there is, by simulation.
//!
//! `cargo run --release -p greylag-reporting --example compare_simulation -- [COMPARISONS] [KIND]` compares, for each kind of
//! noise with KIND in its name, COMPARISONS (1,000) pairs of runs of the same system, and as many of which one system is 5 % slower. It prints how many pairs had
//! any verdict at all, and how many slower ones were found to be, with the 95th percentile of all endpoints among what was found.

mod noise;

use greylag_reporting::{RunVerdict, Statistic, Verdict, compare};

use self::noise::{KINDS, Noise, Random};

/// How much slower the slower system is.
const SLOWDOWN: f64 = 1.05;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let comparisons = match arguments.next() {
        Some(argument) => argument.parse()?,
        None => 1_000,
    };
    let wanted = arguments.next().unwrap_or_default();
    println!(
        "{} s, {comparisons} comparisons each\n{:42} {:>9} {:>9} {:>9} {:>12}",
        noise::SECONDS,
        "noise",
        "same: any",
        "5 %: slower",
        "of p95",
        "p95 interval"
    );
    for kind in KINDS.iter().filter(|kind| kind.name.contains(&wanted)) {
        let wrong = (0..comparisons).filter(|seed| differs(kind, *seed)).count();
        let mut found = [0; 2];
        let mut width = 0.0;
        for seed in 0..comparisons {
            let (slower, p95, half) = finds(kind, seed);
            found[0] += usize::from(slower);
            found[1] += usize::from(p95);
            width += half / comparisons as f64;
        }
        let percent = |count: usize| 100.0 * count as f64 / comparisons as f64;
        println!(
            "{:42} {:8.1}% {:8.1}% {:8.1}%      ±{:.1}%",
            kind.name,
            percent(wrong),
            percent(found[0]),
            percent(found[1]),
            100.0 * width,
        );
    }
    Ok(())
}

/// Whether two runs of one system are called different in anything.
fn differs(kind: &Noise, seed: u64) -> bool {
    let random = &mut Random::new(2 * seed);
    let (one, other) = (kind.run(random, 1.0), kind.run(random, 1.0));
    !compare(&[&one], &other, 1).found.is_empty()
}

/// Whether a slower system's run is called slower, and because of the 95th percentile of all endpoints; and half of that one's interval.
fn finds(kind: &Noise, seed: u64) -> (bool, bool, f64) {
    let random = &mut Random::new(2 * seed + 1);
    let (one, other) = (kind.run(random, 1.0), kind.run(random, SLOWDOWN));
    let differences = compare(&[&one], &other, 1);
    let p95 = differences
        .aggregated
        .iter()
        .find(|difference| difference.statistic == Statistic::P95);
    let half = p95
        .and_then(|p95| Some((p95.high? - p95.low?) / 2.0))
        .unwrap_or(0.0);
    (
        differences.verdict == RunVerdict::Slower,
        p95.is_some_and(|p95| p95.verdict == Some(Verdict::Slower)),
        half,
    )
}

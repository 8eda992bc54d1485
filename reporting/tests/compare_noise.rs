//! Comparisons of made-up runs: seldom wrong where nothing differs, mostly right where something does.
//!
//! A quick version of `examples/compare_simulation`, whose full figures are in `docs/compare.md`. Seeds are fixed and each run is compared with
//! several others, so that few runs are enough: bounds are near what these runs give, and a method that is worse exceeds them.

#[path = "../examples/compare_simulation/noise.rs"]
mod noise;

use greylag_reporting::{MeasuredRun, RunVerdict, Statistic, Verdict, compare};

use self::noise::{Change, KINDS, Noise, OTHER_KINDS, Random};

/// All response times are longer.
const SLOWER: Change = Change {
    all: 1.05,
    tail: 1.0,
};

fn kind(name: &str) -> &'static Noise {
    KINDS
        .iter()
        .chain(&OTHER_KINDS)
        .find(|kind| kind.name.starts_with(name))
        .expect("a kind of noise with this name")
}

fn runs(kind: &Noise, seed: u64, count: usize, change: Change) -> Vec<MeasuredRun> {
    let random = &mut Random::new(seed);
    (0..count).map(|_| kind.run(random, change)).collect()
}

/// Pairs of one of each, each with three.
fn pairs<'a>(
    ones: &'a [MeasuredRun],
    others: &'a [MeasuredRun],
) -> impl Iterator<Item = (&'a MeasuredRun, &'a MeasuredRun)> {
    (0..ones.len()).flat_map(move |at| {
        (0..3).map(move |next| (&ones[at], &others[(at + next) % others.len()]))
    })
}

/// How many of 24 pairs of runs of one system have any verdict.
fn wrong_of_24(kind: &Noise) -> usize {
    let ones = runs(kind, 40_000, 8, Change::NONE);
    let others = runs(kind, 45_000, 8, Change::NONE);
    pairs(&ones, &others)
        .filter(|(one, other)| !compare(&[*one], other, 1).found.is_empty())
        .count()
}

/// Noise that slow waves show: without looking at them most pairs would be called different.
#[test]
fn runs_of_the_same_system_are_seldom_called_different() {
    for name in ["random walk, ±5 %", "AR(1) 0.9, level ±10 %", "trend ±10 %"] {
        let wrong = wrong_of_24(kind(name));
        assert!(wrong <= 2, "{name}: {wrong}");
    }
}

/// What the pace of all requests does not show is seen in the statistic itself, if it is large.
#[test]
fn slow_noise_of_the_slowest_requests_counts() {
    let noise = Noise {
        tail_walk: 0.3,
        ..*kind("slowest tenth only")
    };
    let wrong = wrong_of_24(&noise);
    assert!(wrong <= 2, "{wrong}");
}

/// In both directions, by the 95th percentile.
#[test]
fn a_slowdown_is_found_and_points_the_right_way() {
    for (name, least) in [
        ("independent", 21),
        ("AR(1) 0.5", 20),
        ("heavy tails: 2 %", 18),
    ] {
        let before = runs(kind(name), 70_000, 8, Change::NONE);
        let after = runs(kind(name), 80_000, 8, SLOWER);
        let mut found = 0;
        for (one, other) in pairs(&before, &after) {
            let differences = compare(&[one], other, 1);
            assert!(!differences.found.contains(&Verdict::Faster), "{name}");
            let mut of_all = differences.aggregated.iter();
            let p95 = of_all.find(|one| one.statistic == Statistic::P95);
            found += usize::from(p95.is_some_and(|p95| p95.verdict == Some(Verdict::Slower)));
        }
        assert!(found >= least, "{name}: {found} of 24");
        let back = compare(&[&after[0]], &before[0], 1);
        assert_eq!(back.verdict, RunVerdict::Faster, "{name}");
    }
}

/// Three runs of the reference say how much runs differ; where they differ much, more is needed.
#[test]
fn the_noise_between_runs_of_the_reference_counts() {
    let quiet = kind("independent");
    let random = &mut Random::new(30_000);
    let mut run = |all| quiet.run(random, Change { all, tail: 1.0 });
    let steady: Vec<_> = [1.0, 1.0, 1.0].map(&mut run).into();
    let unsteady: Vec<_> = [0.9, 1.0, 1.1].map(&mut run).into();
    let slower = run(1.15);
    let against = |runs: &[MeasuredRun]| {
        let runs: Vec<_> = runs.iter().collect();
        compare(&runs, &slower, 1).verdict
    };
    assert_eq!(against(&steady), RunVerdict::Slower);
    assert_eq!(against(&unsteady), RunVerdict::NoEvidence);
}

//! Comparisons of made-up runs: seldom wrong where nothing differs, mostly right where something does.
//!
//! A quick version of `examples/compare_simulation`, whose full figures are in `docs/compare.md`.

#[path = "../examples/compare_simulation/noise.rs"]
mod noise;

use greylag_reporting::{RunVerdict, Verdict, compare};

use self::noise::{KINDS, Noise, Random};

/// Pairs of runs of each kind of noise.
const PAIRS: u64 = 15;

fn kind(name: &str) -> &'static Noise {
    KINDS
        .iter()
        .find(|kind| kind.name.starts_with(name))
        .expect("a kind of noise with this name")
}

/// 210 comparisons. If 5 % of them were wrong, more than 20 would be with a probability below 0.2 %.
#[test]
fn runs_of_the_same_system_are_seldom_called_different() {
    let mut wrong = 0;
    for kind in &KINDS {
        for seed in 0..PAIRS {
            let random = &mut Random::new(10_000 + seed);
            let (one, other) = (kind.run(random, 1.0), kind.run(random, 1.0));
            let differences = compare(&[&one], &other, 1);
            wrong += usize::from(!differences.found.is_empty());
        }
    }
    assert!(wrong <= 20, "{wrong} of {}", KINDS.len() as u64 * PAIRS);
}

/// If 80 % were found, fewer than 16 of 30 would be with a probability below 0.1 %.
#[test]
fn a_slowdown_is_found_and_points_the_right_way() {
    for name in ["independent", "AR(1) 0.5"] {
        let mut found = [0, 0];
        for seed in 0..30 {
            let random = &mut Random::new(20_000 + seed);
            let (one, other) = (kind(name).run(random, 1.0), kind(name).run(random, 1.05));
            let differences = compare(&[&one], &other, 1);
            assert!(!differences.found.contains(&Verdict::Faster));
            found[0] += usize::from(differences.verdict == RunVerdict::Slower);
            let back = compare(&[&other], &one, 1);
            found[1] += usize::from(back.verdict == RunVerdict::Faster);
        }
        assert!(found.iter().all(|found| *found >= 16), "{name}: {found:?}");
    }
}

/// Three runs of the reference say how much runs differ; where they differ much, more is needed.
#[test]
fn the_noise_between_runs_of_the_reference_counts() {
    let quiet = kind("independent");
    let random = &mut Random::new(30_000);
    let steady: Vec<_> = [1.0, 1.0, 1.0].map(|level| quiet.run(random, level)).into();
    let unsteady: Vec<_> = [0.9, 1.0, 1.1].map(|level| quiet.run(random, level)).into();
    let slower = quiet.run(random, 1.15);
    let against = |runs: &[greylag_reporting::MeasuredRun]| {
        let runs: Vec<_> = runs.iter().collect();
        compare(&runs, &slower, 1).verdict
    };
    assert_eq!(against(&steady), RunVerdict::Slower);
    assert_eq!(against(&unsteady), RunVerdict::NoEvidence);
}

//! Percentiles of what was merged are those of all samples, however they were spread over workers.
#![allow(
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test, helpers included"
)]

use std::time::Duration;

use greylag_reporting::Interval;
use proptest::prelude::*;

const QUANTILES: [f64; 9] = [0.0, 0.5, 0.66, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0];

/// Locust's definition: of the sorted samples the one at index `min(int(N * q), N - 1)`.
fn percentile(sorted: &[u64], q: f64) -> u64 {
    sorted[((sorted.len() as f64 * q) as usize).min(sorted.len() - 1)]
}

fn interval_of(samples: &[u64]) -> Interval {
    let mut interval = Interval::default();
    for sample in samples {
        interval.record(Duration::from_micros(*sample), None, 0, None);
    }
    interval
}

/// As it arrives after the worker encoded it and the agent decoded it.
fn over_the_wire(interval: &Interval) -> Interval {
    Interval::from_wire(&interval.to_wire(0, 0)).expect("what we write is valid")
}

fn assert_within_a_thousandth(merged: u64, exact: u64, what: &str) {
    let off = merged.abs_diff(exact) as f64;
    assert!(
        off <= exact as f64 * 0.001,
        "{what}: {merged} instead of {exact} µs"
    );
}

proptest! {
    #[test]
    fn merged_percentiles_are_those_of_all_samples(
        samples in prop::collection::vec(
            prop_oneof![1..2_000_u64, 1..100_000_u64, 1..30_000_000_u64, 1..3_600_000_000_u64],
            1..3_000,
        ),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(samples.len())).collect();
        cuts.extend([0, samples.len()]);
        cuts.sort_unstable();
        let mut merged = Interval::default();
        for worker in cuts.windows(2) {
            merged.merge(&over_the_wire(&interval_of(&samples[worker[0]..worker[1]])));
        }
        let merged = over_the_wire(&merged);
        let mut sorted = samples.clone();
        sorted.sort_unstable();
        prop_assert_eq!(merged.requests(), samples.len() as u64);
        prop_assert_eq!(merged.sums().response.min_us, sorted[0]);
        prop_assert_eq!(merged.sums().response.max_us, sorted[sorted.len() - 1]);
        prop_assert_eq!(merged.sums().response.sum_us, samples.iter().sum::<u64>());
        for q in QUANTILES {
            let value = merged.percentile_us(q).unwrap();
            assert_within_a_thousandth(value, percentile(&sorted, q), &format!("{q}"));
        }
    }
}

proptest! {
    #[test]
    fn times_from_the_intended_start_travel_and_merge(
        parts in prop::collection::vec(
            prop::collection::vec((1..4_000_000_000_u64, prop::option::of(0..4_000_000_000_u64), any::<bool>()), 0..40),
            1..6,
        ),
    ) {
        let mut merged = Interval::default();
        for part in &parts {
            let mut interval = Interval::default();
            for (response_us, delay_us, first_byte) in part {
                interval.record(Duration::from_micros(*response_us), None, 0, None);
                if let Some(delay_us) = delay_us {
                    interval.record_intended(Duration::from_micros(response_us + delay_us));
                }
                if *first_byte {
                    interval.count_first_byte_only();
                }
            }
            merged.merge(&over_the_wire(&interval));
        }
        let merged = over_the_wire(&merged);
        let all = parts.concat();
        let mut intended: Vec<u64> = all.iter().filter_map(|(us, delay, _)| Some(us + (*delay)?)).collect();
        intended.sort_unstable();
        prop_assert_eq!(merged.sums().first_byte_only, all.iter().filter(|(.., first)| *first).count() as u64);
        prop_assert_eq!(merged.sums().intended.count, intended.len() as u64);
        prop_assert_eq!(merged.sums().intended.sum_us, intended.iter().sum::<u64>());
        prop_assert_eq!(merged.sums().intended.min_us, intended.first().copied().unwrap_or(0));
        prop_assert_eq!(merged.sums().intended.max_us, intended.last().copied().unwrap_or(0));
        for q in QUANTILES {
            match merged.intended_percentile_us(q) {
                None => prop_assert!(intended.is_empty()),
                // What is longer than an hour counts as that, but for the last one.
                Some(value) => assert_within_a_thousandth(
                    value.min(3_600_000_000),
                    percentile(&intended, q).min(3_600_000_000),
                    &format!("{q}"),
                ),
            }
        }
        // Memory that is used again tells nothing of before.
        let mut again = merged.clone();
        again.reset();
        prop_assert!(again.intended_percentile_us(0.5).is_none() && again.to_wire(0, 0).intended_histogram.is_empty());
    }
}

/// Response time number `i` of 10,000 on a healthy agent, in µs: the first 90 % rise evenly from 3 to 30 ms,
/// the last 10 % from 30 to 47.11 ms.
fn base_us(i: u64) -> u64 {
    if i < 9_000 {
        3_000 + 3 * i
    } else {
        30_000 + (i - 9_000) * 17_110 / 1_000
    }
}

#[test]
fn ten_agents_one_slow_have_a_p99_of_823_ms_and_not_125_ms() {
    // Ten agents make 10,000 requests each. On one of them 30 %, spread evenly over its response times, are
    // 800 ms slower: 3,000 requests, 3 % of all 100,000, so more than the slowest 1 %.
    //
    // All together: index int(100,000 * 0.99) = 99,000 leaves 1,000 slower or equal, which is two thirds of
    // the way up the 3,000 slow ones: 800 ms + base at 2/3 = 800 + 3 + 27 * (2/3) / 0.9 = 823 ms.
    //
    // Averaged: nine agents have base at 0.99 = 30 + 17.11 * 0.9 = 45.4 ms. On the slow one index 9,900 leaves
    // 100 of its 3,000 slow ones: 800 + base at 29/30 = 800 + 30 + 17.11 * 2/3 = 841.4 ms.
    // (9 * 45.4 + 841.4) / 10 = 125 ms: an average that no request of the run had anything to do with.
    let agents: Vec<Vec<u64>> = (0..10)
        .map(|agent| {
            (0..10_000)
                .map(|i| {
                    let slow = agent == 9 && [0, 3, 6].contains(&(i % 10));
                    base_us(i) + if slow { 800_000 } else { 0 }
                })
                .collect()
        })
        .collect();

    let mut merged = Interval::default();
    let mut sum_of_p99s = 0;
    for agent in &agents {
        let interval = over_the_wire(&interval_of(agent));
        sum_of_p99s += interval.percentile_us(0.99).unwrap();
        merged.merge(&interval);
    }
    let p99 = merged.percentile_us(0.99).unwrap();

    let mut all: Vec<u64> = agents.concat();
    all.sort_unstable();
    assert_within_a_thousandth(p99, percentile(&all, 0.99), "p99 of all samples");
    assert_within_a_thousandth(p99, 823_000, "p99");
    assert_eq!((p99 + 500) / 1_000, 823);
    assert_within_a_thousandth(sum_of_p99s / 10, 125_000, "average of the agents' p99s");
    assert_eq!((sum_of_p99s / 10 + 500) / 1_000, 125);
}

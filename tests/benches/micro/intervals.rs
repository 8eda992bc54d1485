//! Adding intervals up, and their way over the wire.

use std::hint::black_box;
use std::time::Duration;

use criterion::Criterion;
use greylag_reporting::{Interval, check_wire};

const REQUESTS: u64 = 100;

/// A second of one endpoint.
fn interval(seed: u64) -> Interval {
    let mut interval = Interval::default();
    for nth in 0..REQUESTS {
        let us = 8_000 + (nth + seed).wrapping_mul(2_654_435_761) % 40_000;
        let response = Duration::from_micros(us);
        interval.record(response, Some(response / 2), 1_800, None);
    }
    interval
}

/// Sums of an agent (of whole histograms) and of a coordinator (of those that were read).
pub(crate) fn merge(criterion: &mut Criterion) {
    let (mut sum, added) = (interval(1), interval(2));
    criterion.bench_function("merge two intervals", |bencher| {
        bencher.iter(|| sum.merge(black_box(&added)));
    });
    let read = check_wire(&added.to_wire(0, 0)).expect("what was written can be read");
    let mut sum = interval(1);
    criterion.bench_function("add an interval that was read", |bencher| {
        bencher.iter(|| sum.add(black_box(&read)));
    });
}

/// For the coordinator, and for the agent on the same machine.
pub(crate) fn encode(criterion: &mut Criterion) {
    let interval = interval(1);
    criterion.bench_function("encode an interval", |bencher| {
        bencher.iter(|| black_box(&interval).to_wire(0, 0));
    });
    criterion.bench_function("encode an interval for short ways", |bencher| {
        bencher.iter(|| black_box(&interval).to_plain_wire(0, 0));
    });
}

/// Reading and checking.
pub(crate) fn decode(criterion: &mut Criterion) {
    let data = interval(1).to_wire(0, 0);
    criterion.bench_function("decode an interval", |bencher| {
        bencher.iter(|| check_wire(black_box(&data)));
    });
}

//! In a worker: counting one request, and handing over a second.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::Criterion;
use greylag::bench_support::WorkerRecorder;
use greylag_infra::protocol::MAX_CUSTOM_METRICS;
use greylag_scenarios::{MetricKind, MetricValue, RequestSample};

const ENDPOINTS: usize = 20;
const REQUESTS_PER_ENDPOINT: usize = 100;

fn names() -> Vec<String> {
    let name = |number| format!("/api/v1/shop/items/[id]/part-{number}");
    (0..ENDPOINTS).map(name).collect()
}

fn sample(name: &str, response_us: u64) -> RequestSample<'_> {
    let response_time = Duration::from_micros(response_us);
    RequestSample {
        time_to_first_byte: Some(response_time / 2),
        status: Some(200),
        response_length: 1_800,
        user: Some(7),
        ..RequestSample::new("GET", name, Instant::now(), response_time)
    }
}

/// One request of a user.
pub(crate) fn record(criterion: &mut Criterion) {
    let worker = WorkerRecorder::begin();
    let names = names();
    let mut nth = 0_usize;
    criterion.bench_function("record one request", |bencher| {
        bencher.iter(|| {
            nth += 1;
            let us = 15_000 + (nth as u64).wrapping_mul(7_919) % 30_000;
            worker.request(black_box(&sample(&names[nth % ENDPOINTS], us)));
        });
    });
}

/// The same of a task with a tag that a threshold is about.
pub(crate) fn record_tagged(criterion: &mut Criterion) {
    let worker = WorkerRecorder::begin();
    let names = names();
    let tags = [3].into_iter().collect();
    let mut nth = 0_usize;
    criterion.bench_function("record one request of a counted tag", |bencher| {
        bencher.iter(|| {
            nth += 1;
            let us = 15_000 + (nth as u64).wrapping_mul(7_919) % 30_000;
            let sample = RequestSample {
                tags,
                ..sample(&names[nth % ENDPOINTS], us)
            };
            worker.request(black_box(&sample));
        });
    });
}

/// One value of a custom metric, of a run that has as many metrics as it may.
pub(crate) fn add(criterion: &mut Criterion) {
    let worker = WorkerRecorder::begin();
    let names: Vec<String> = (0..MAX_CUSTOM_METRICS)
        .map(|number| format!("what is measured {number}"))
        .collect();
    for (kind, what) in [
        (MetricKind::Counter, "counter"),
        (MetricKind::Histogram, "histogram"),
    ] {
        let mut nth = 0_usize;
        criterion.bench_function(&format!("add a value to a {what}"), |bencher| {
            bencher.iter(|| {
                nth += 1;
                let millionths = 15_000 + (nth as i64).wrapping_mul(7_919) % 30_000_000;
                let half = MAX_CUSTOM_METRICS / 2;
                let first = if kind == MetricKind::Counter { 0 } else { half };
                worker.metric(black_box(&MetricValue {
                    name: &names[first + nth % half],
                    kind,
                    unit: "tokens/s",
                    millionths: Some(millionths.abs()),
                }));
            });
        });
    }
}

/// The seconds of a worker with 20 endpoints, from its memory to encoded reports.
pub(crate) fn close_second(criterion: &mut Criterion) {
    let mut worker = WorkerRecorder::begin();
    let names = names();
    let mut fill_and_close = || {
        for nth in 0..ENDPOINTS * REQUESTS_PER_ENDPOINT {
            let us = 15_000 + (nth as u64).wrapping_mul(7_919) % 30_000;
            worker.request(&sample(&names[nth % ENDPOINTS], us));
        }
        let began = Instant::now();
        black_box(worker.close());
        began.elapsed()
    };
    criterion.bench_function(
        "close a second of 20 endpoints and 2,000 requests",
        |bencher| {
            bencher.iter_custom(|times| (0..times).map(|_| fill_and_close()).sum());
        },
    );
}

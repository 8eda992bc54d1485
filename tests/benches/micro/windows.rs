//! What a page asks when a part of a run is chosen.

use std::hint::black_box;
use std::time::Duration;

use criterion::Criterion;
use greylag_infra::protocol::{Endpoint, IntervalData, Snapshot};
use greylag_infra::{
    BuildInfo, Completeness, LoadProfile, LoadTest, RunAgent, RunPhase, RunRecord, WallTime,
};
use greylag_reporting::{Interval, SaveOutcome, Scope, Store, Window};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

const ENDPOINTS: u32 = 20;
const SECONDS: u32 = 3_600;
/// Seconds of one snapshot.
const STEP: u32 = 60;

/// Windows of an hour with 20 endpoints: sums of every endpoint, their percentiles included.
pub(crate) fn query(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let data = TempDir::new().expect("a temporary directory");
    let store = runtime.block_on(hour(data.path()));
    for (from, to) in [(0, SECONDS), (1_207, 1_242), (17, 3_251)] {
        let window = Window::new(from, to).expect("it is not empty");
        let scope = Scope::of_window(window);
        let name = format!("query the window {from} s to {to} s of an hour with 20 endpoints");
        criterion.bench_function(&name, |bencher| {
            bencher.iter(|| sums(&runtime, &store, black_box(&scope)));
        });
    }
    runtime.block_on(store.close());
}

fn sums(runtime: &Runtime, store: &Store, scope: &Scope) -> Option<u64> {
    let totals = runtime.block_on(store.totals(&"r".into(), scope));
    let totals = totals.expect("the store answers");
    totals.aggregated().percentile_us(0.99)
}

/// A store with a run of an hour.
async fn hour(directory: &std::path::Path) -> Store {
    let store = Store::open(directory).expect("an empty directory can be used");
    store.create_run(run()).await.expect("a run can be saved");
    let mut interval = Interval::default();
    for nth in 0..100_u64 {
        let us = 8_000 + nth.wrapping_mul(2_654_435_761) % 40_000;
        interval.record(Duration::from_micros(us), None, 1_800, None);
    }
    let data = interval.to_wire(0, 0);
    let endpoints: Vec<Endpoint> = (0..ENDPOINTS)
        .map(|number| Endpoint {
            method: "GET".into(),
            name: format!("/endpoint/{number}"),
        })
        .collect();
    for (from, seq) in (0..SECONDS).step_by(STEP as usize).zip(1..) {
        let seconds = from..from + STEP;
        let intervals = seconds.flat_map(|second| {
            let data = data.clone();
            (0..ENDPOINTS).map(move |endpoint| IntervalData {
                second,
                endpoint,
                ..data.clone()
            })
        });
        let snapshot = Snapshot {
            run_id: "r".into(),
            seq,
            endpoints: endpoints.clone(),
            intervals: intervals.collect(),
            ..Snapshot::default()
        };
        let outcome = store
            .save_snapshot(&"r".into(), &"a".into(), snapshot)
            .await
            .expect("a snapshot can be saved");
        assert_eq!(outcome, SaveOutcome::Saved);
    }
    store
}

fn run() -> RunRecord {
    RunRecord {
        id: "r".into(),
        number: 0,
        test: LoadTest {
            name: "hour".into(),
            host: "http://127.0.0.1".into(),
            users: 1,
            duration_s: u64::from(SECONDS),
            workers: 1,
            infrastructure: "local".into(),
            scenario: "none".into(),
            ..LoadTest::default()
        },
        phase: RunPhase::Running,
        created_at: WallTime::from_micros(0),
        started_at: Some(WallTime::from_micros(0)),
        ended_at: None,
        agents: vec![RunAgent {
            build: BuildInfo::default(),
            id: "a".into(),
            name: "a".into(),
            workers: vec![0],
            last_seq: 0,
            saved_until: 0,
            end: None,
        }],
        profile: LoadProfile::default(),
        completeness: Completeness::default(),
    }
}

//! Any window is the sum of its seconds, whatever came when.
#![allow(
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test, helpers included"
)]

mod support;

use std::collections::BTreeMap;

use greylag_infra::protocol::{Endpoint, UserChange};
use greylag_infra::{RunPhase, RunRecord};
use greylag_reporting::{RunTotals, SaveOutcome, Store};
use proptest::prelude::*;
use support::{endpoint, run, snapshot};

const AGENTS: [&str; 2] = ["a", "b"];
const ERRORS: [Option<&str>; 4] = [None, None, Some("500 Server Error"), Some("timed out")];

#[derive(Debug, Clone)]
struct Event {
    second: u32,
    endpoint: usize,
    response_us: u64,
    error: usize,
}

/// One agent's snapshots: mostly in order of time, some seconds late.
fn agent_events() -> impl Strategy<Value = Vec<Vec<Event>>> {
    let event = (
        0..60_u32,
        0..3_usize,
        1..5_000_000_u64,
        0..4_usize,
        prop::bool::weighted(0.1),
    );
    prop::collection::vec(prop::collection::vec(event, 0..12), 1..25).prop_map(|snapshots| {
        (0..)
            .zip(snapshots)
            .map(|(at, events)| {
                events
                    .into_iter()
                    .map(|(offset, endpoint, response_us, error, late)| Event {
                        // Snapshot by snapshot 40 s on, so that up to 1,000 s get rolled up behind it.
                        second: if late {
                            at * 7 % 50 + offset
                        } else {
                            at * 40 + offset
                        },
                        endpoint,
                        response_us,
                        error,
                    })
                    .collect()
            })
            .collect()
    })
}

fn endpoints() -> [Endpoint; 3] {
    [
        endpoint("GET", "/b"),
        endpoint("POST", "/b"),
        endpoint("GET", "/a"),
    ]
}

/// What a window must hold of one endpoint.
#[derive(Debug, Default, PartialEq)]
struct Sum {
    responses: Vec<u64>,
    failures: u64,
    errors: BTreeMap<String, u64>,
}

fn check_window(totals: &RunTotals, events: &[Event], from: u32, to: u32) {
    let endpoints = endpoints();
    let mut sums: BTreeMap<(String, String), Sum> = BTreeMap::new();
    for event in events
        .iter()
        .filter(|event| (from..to).contains(&event.second))
    {
        let endpoint = &endpoints[event.endpoint];
        let sum = sums
            .entry((endpoint.name.clone(), endpoint.method.clone()))
            .or_default();
        sum.responses.push(event.response_us);
        if let Some(error) = ERRORS[event.error] {
            sum.failures += 1;
            *sum.errors.entry(error.to_owned()).or_default() += 1;
        }
    }
    let names: Vec<_> = totals
        .endpoints
        .iter()
        .map(|(endpoint, _)| (endpoint.name.clone(), endpoint.method.clone()))
        .collect();
    assert_eq!(
        names,
        sums.keys().cloned().collect::<Vec<_>>(),
        "[{from}, {to})"
    );
    for ((endpoint, interval), (_, mut sum)) in totals.endpoints.iter().zip(sums) {
        sum.responses.sort_unstable();
        let requests = sum.responses.len() as u64;
        let what = format!("{endpoint:?} in [{from}, {to})");
        assert_eq!(interval.requests, requests, "{what}");
        assert_eq!(interval.failures, sum.failures, "{what}");
        assert_eq!(interval.bytes, requests * 100, "{what}");
        assert_eq!(interval.ttfb_count, requests, "{what}");
        assert_eq!(interval.sum_us, sum.responses.iter().sum::<u64>(), "{what}");
        assert_eq!(interval.min_us, sum.responses[0], "{what}");
        assert_eq!(interval.max_us, *sum.responses.last().unwrap(), "{what}");
        assert_eq!(interval.errors, sum.errors, "{what}");
        for q in [0.5, 0.9, 0.99] {
            let index = ((requests as f64 * q) as usize).min(sum.responses.len() - 1);
            let (exact, value) = (sum.responses[index], interval.percentile_us(q).unwrap());
            assert!(
                value.abs_diff(exact) as f64 <= exact as f64 * 0.001,
                "{what}: {value} {exact}"
            );
        }
    }
}

async fn check_windows(store: &Store, run_id: &str, events: &[Event], windows: &[(u32, u32)]) {
    for (from, length) in windows {
        let window = *from..from + length;
        let totals = store.totals(run_id, Some(window.clone())).await.unwrap();
        check_window(&totals, events, window.start, window.end);
    }
    let totals = store.totals(run_id, None).await.unwrap();
    check_window(&totals, events, 0, u32::MAX);
}

async fn check_series(store: &Store, run_id: &str, events: &[Event], max_points: usize) {
    let Some(last) = events.iter().map(|event| event.second).max() else {
        return;
    };
    let series = store.series(run_id, 0, max_points).await.unwrap();
    assert!(series.points.len() <= max_points);
    let seconds: Vec<u32> = series.points.iter().map(|point| point.second).collect();
    let expected: Vec<u32> = (0..=last).step_by(series.step_s as usize).collect();
    assert_eq!(seconds, expected);
    for point in &series.points {
        let within = |second: u32| (point.second..point.second + series.step_s).contains(&second);
        let here = events.iter().filter(|event| within(event.second));
        let failed = here.clone().filter(|event| ERRORS[event.error].is_some());
        assert_eq!(point.requests, here.clone().count() as u64);
        assert_eq!(point.failures, failed.count() as u64);
        // one user started with each event and none stopped
        let before = events
            .iter()
            .filter(|event| event.second < point.second)
            .count();
        assert_eq!(point.users, before as u64);
    }
    let middle = store.series(run_id, last / 2, max_points).await.unwrap();
    let skipped = series.points.len() - middle.points.len();
    assert_eq!(middle.points[..], series.points[skipped..]);
}

async fn save_all(store: &Store, record: &RunRecord, agents: &[Vec<Vec<Event>>]) -> Vec<Event> {
    let endpoints = endpoints();
    let mut saved = Vec::new();
    let most = agents.iter().map(Vec::len).max().unwrap_or(0);
    for at in 0..most {
        for (agent, snapshots) in AGENTS.iter().zip(agents) {
            let Some(events) = snapshots.get(at) else {
                continue;
            };
            let requests: Vec<_> = events
                .iter()
                .map(|event| {
                    let endpoint = &endpoints[event.endpoint];
                    (
                        event.second,
                        endpoint,
                        event.response_us,
                        ERRORS[event.error],
                    )
                })
                .collect();
            let mut snapshot = snapshot(&record.id, at as u64 + 1, &requests);
            snapshot.user_changes = events
                .iter()
                .map(|event| UserChange {
                    second: event.second,
                    started: 1,
                    stopped: 0,
                    ..UserChange::default()
                })
                .collect();
            let outcome = store
                .save_snapshot(&record.id, agent, snapshot.clone())
                .await
                .unwrap();
            assert_eq!(outcome, SaveOutcome::Saved);
            let again = store
                .save_snapshot(&record.id, agent, snapshot.clone())
                .await
                .unwrap();
            assert_eq!(again, SaveOutcome::Duplicate);
            snapshot.seq += 2;
            let early = store
                .save_snapshot(&record.id, agent, snapshot)
                .await
                .unwrap();
            assert_eq!(
                early,
                SaveOutcome::Gap {
                    expected: at as u64 + 2
                }
            );
            saved.extend(events.iter().cloned());
            if at == most / 2 {
                // From here on the totals are kept in memory.
                let totals = store.totals(&record.id, None).await.unwrap();
                check_window(&totals, &saved, 0, u32::MAX);
            }
        }
    }
    saved
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_window_is_the_sum_of_its_seconds(
        a in agent_events(),
        b in agent_events(),
        windows in prop::collection::vec((0..1_100_u32, 0..1_100_u32), 20),
        max_points in 1..500_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let store = Store::open(dir.path()).unwrap();
            let mut record = store.create_run(run("r", "test", &AGENTS)).await.unwrap();
            let events = save_all(&store, &record, &[a, b]).await;
            check_windows(&store, "r", &events, &windows).await;
            check_series(&store, "r", &events, max_points).await;

            record.phase = RunPhase::Finished;
            store.update_run(&record).await.unwrap();
            store.close().await;
            let store = Store::open(dir.path()).unwrap();
            check_windows(&store, "r", &events, &windows).await;
            assert_eq!(store.samples("r", 0, 10).await.unwrap().of, events.len() as u64);
        });
    }
}

//! Any window is the sum of its seconds, whatever came when.
#![allow(
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test, helpers included"
)]

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use greylag_infra::protocol::{Endpoint, UserChange};
use greylag_infra::{RunPhase, RunRecord};
use greylag_reporting::{Arrivals, Interval, RunTotals, SaveOutcome, Store, Sums};
use proptest::prelude::*;
use support::{Request, endpoint, run, snapshot_with};

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

/// Of a request that has one, its response time from the intended start: those of one endpoint, of another
/// endpoint some.
fn intended_us(endpoint: &Endpoint, response_us: u64) -> Option<u64> {
    let has = endpoint.name == "/a" || (endpoint.method == "POST" && response_us % 2 == 1);
    has.then_some(response_us * 3 + 1)
}

fn is_first_byte_only(response_us: u64) -> bool {
    response_us.is_multiple_of(3)
}

fn more(interval: &mut Interval, (_, endpoint, response_us, _): &Request<'_>) {
    if let Some(us) = intended_us(endpoint, *response_us) {
        interval.record_intended(Duration::from_micros(us));
    }
    if is_first_byte_only(*response_us) {
        interval.count_first_byte_only();
    }
}

/// What each event adds to the arrivals.
fn arrivals_of(event: &Event) -> Arrivals {
    Arrivals {
        started: event.response_us % 5,
        late: event.response_us % 5 / 2,
        skipped: event.endpoint as u64,
    }
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
    intended: Vec<u64>,
    first_byte_only: u64,
    failures: u64,
    errors: BTreeMap<String, u64>,
}

fn check_window(totals: &RunTotals, events: &[Event], from: u32, to: u32) {
    let endpoints = endpoints();
    let mut sums: BTreeMap<(String, String), Sum> = BTreeMap::new();
    let mut arrivals = Arrivals::default();
    for event in events
        .iter()
        .filter(|event| (from..to).contains(&event.second))
    {
        let endpoint = &endpoints[event.endpoint];
        let sum = sums
            .entry((endpoint.name.clone(), endpoint.method.clone()))
            .or_default();
        sum.responses.push(event.response_us);
        sum.intended
            .extend(intended_us(endpoint, event.response_us));
        sum.first_byte_only += u64::from(is_first_byte_only(event.response_us));
        let more = arrivals_of(event);
        arrivals.started += more.started;
        arrivals.late += more.late;
        arrivals.skipped += more.skipped;
        if let Some(error) = ERRORS[event.error] {
            sum.failures += 1;
            *sum.errors.entry(error.to_owned()).or_default() += 1;
        }
    }
    assert_eq!(totals.arrivals, arrivals, "[{from}, {to})");
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
        let Sums {
            response,
            failures,
            bytes,
            first_byte,
            intended,
            first_byte_only,
        } = *interval.sums();
        assert_eq!(response.count, requests, "{what}");
        assert_eq!(failures, sum.failures, "{what}");
        assert_eq!(bytes, requests * 100, "{what}");
        assert_eq!(first_byte.count, requests, "{what}");
        assert_eq!(response.sum_us, sum.responses.iter().sum::<u64>(), "{what}");
        assert_eq!(response.min_us, sum.responses[0], "{what}");
        assert_eq!(response.max_us, *sum.responses.last().unwrap(), "{what}");
        assert_eq!(interval.errors, sum.errors, "{what}");
        assert_eq!(first_byte_only, sum.first_byte_only, "{what}");
        check_percentiles(&sum.responses, |q| interval.percentile_us(q), &what);
        sum.intended.sort_unstable();
        assert_eq!(intended.count, sum.intended.len() as u64, "{what}");
        assert_eq!(intended.sum_us, sum.intended.iter().sum::<u64>(), "{what}");
        let ends = (sum.intended.first(), sum.intended.last());
        assert_eq!(intended.min_us, *ends.0.unwrap_or(&0), "{what}");
        assert_eq!(intended.max_us, *ends.1.unwrap_or(&0), "{what}");
        check_percentiles(
            &sum.intended,
            |q| interval.intended_percentile_us(q),
            &format!("from the intended start, {what}"),
        );
    }
}

fn check_percentiles(sorted: &[u64], percentile: impl Fn(f64) -> Option<u64>, what: &str) {
    for q in [0.5, 0.9, 0.99] {
        let value = percentile(q);
        let Some(last) = sorted.len().checked_sub(1) else {
            assert_eq!(value, None, "{what}");
            continue;
        };
        let exact = sorted[((sorted.len() as f64 * q) as usize).min(last)];
        let value = value.unwrap();
        assert!(
            value.abs_diff(exact) as f64 <= exact as f64 * 0.001,
            "{what}: {value} {exact}"
        );
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
            let mut snapshot = snapshot_with(&record.id, at as u64 + 1, &requests, more);
            snapshot.user_changes = events
                .iter()
                .map(|event| {
                    let arrivals = arrivals_of(event);
                    UserChange {
                        second: event.second,
                        started: 1,
                        stopped: 0,
                        arrivals: arrivals.started,
                        late_arrivals: arrivals.late,
                        skipped_arrivals: arrivals.skipped,
                    }
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

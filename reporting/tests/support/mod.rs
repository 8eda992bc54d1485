//! Runs and snapshots for the tests of the store.
#![allow(dead_code, reason = "each test uses some of it")]

use std::time::Duration;

use greylag_infra::protocol::{AgentEnd, CustomMetric, Endpoint, MetricKind, Snapshot};
use greylag_infra::{LoadTest, RunAgent, RunPhase, RunRecord, RunTime, WallTime};
use greylag_reporting::{Interval, MetricSums, Scope, Store, Window};

/// Run time zero of every run here, µs since 1970.
pub(crate) const START: WallTime = WallTime::from_micros(1_800_000_000_000_000);

/// An active run, with these agents; worker k belongs to agent k.
pub(crate) fn run(id: &str, test: &str, agents: &[&str]) -> RunRecord {
    RunRecord {
        id: id.into(),
        number: 0,
        test: LoadTest {
            name: test.into(),
            host: "http://127.0.0.1:8080".into(),
            users: 100,
            ramp_up_s: 10,
            duration_s: 86_400,
            workers: agents.len() as u32,
            infrastructure: "local".into(),
            scenario: "shop".into(),
            stop_timeout_s: 10,
            declared: None,
            ..LoadTest::default()
        },
        phase: RunPhase::Running,
        created_at: START - Duration::from_secs(1),
        started_at: Some(START),
        ended_at: None,
        agents: (0..)
            .zip(agents)
            .map(|(worker, agent)| RunAgent {
                build: greylag_infra::BuildInfo::default(),
                id: (*agent).into(),
                name: format!("name of {agent}"),
                workers: vec![worker],
                last_seq: 0,
                saved_until: 0,
                end: None,
            })
            .collect(),
        profile: greylag_infra::LoadProfile::default(),
        completeness: greylag_infra::Completeness::default(),
    }
}

pub(crate) fn endpoint(method: &str, name: &str) -> Endpoint {
    Endpoint {
        method: method.into(),
        name: name.into(),
    }
}

/// A request: second, endpoint, response time and error.
pub(crate) type Request<'a> = (u32, &'a Endpoint, u64, Option<&'a str>);

/// A snapshot that holds these requests.
pub(crate) fn snapshot(run_id: &str, seq: u64, requests: &[Request<'_>]) -> Snapshot {
    snapshot_with(run_id, seq, requests, |_, _| {})
}

/// A snapshot that holds these requests, with what `more` says about each beyond its response time.
pub(crate) fn snapshot_with(
    run_id: &str,
    seq: u64,
    requests: &[Request<'_>],
    more: impl Fn(&mut Interval, &Request<'_>),
) -> Snapshot {
    let mut snapshot = Snapshot {
        run_id: run_id.into(),
        seq,
        ..Snapshot::default()
    };
    let mut intervals: std::collections::BTreeMap<(u32, usize, bool), Interval> =
        Default::default();
    for request in requests {
        let (second, endpoint, response_us, error) = request;
        let at = snapshot
            .endpoints
            .iter()
            .position(|known| known == *endpoint)
            .unwrap_or_else(|| {
                snapshot.endpoints.push((*endpoint).clone());
                snapshot.endpoints.len() - 1
            });
        let response = Duration::from_micros(*response_us);
        let interval = intervals.entry((*second, at, error.is_some())).or_default();
        interval.record(response, Some(response / 2), 100, *error);
        more(interval, request);
    }
    snapshot.intervals = intervals
        .iter()
        .map(|((second, at, _), interval)| interval.to_wire(*second, *at as u32))
        .collect();
    snapshot
}

/// A value of a custom metric: name, kind, unit, second and millionths.
pub(crate) type Counted<'a> = (&'a str, MetricKind, &'a str, u32, i64);

/// Adds these values to a snapshot; those of a second come in their order.
pub(crate) fn count(snapshot: &mut Snapshot, values: &[Counted<'_>]) {
    let mut sums: std::collections::BTreeMap<(u32, u32), MetricSums> = Default::default();
    for (at, (name, kind, unit, second, value)) in values.iter().enumerate() {
        let metric = CustomMetric::new(name, *kind, unit);
        let known = snapshot.metrics.iter().position(|known| *known == metric);
        let number = known.unwrap_or_else(|| {
            snapshot.metrics.push(metric);
            snapshot.metrics.len() - 1
        });
        let at_us = u64::from(*second) * 1_000_000 + at as u64 % 1_000;
        let sum = sums.entry((*second, number as u32)).or_default();
        sum.record(*value, at_us, *kind == MetricKind::Histogram);
    }
    snapshot.metric_values = sums
        .iter()
        .map(|((second, metric), sums)| sums.to_wire(*second, *metric))
        .collect();
}

/// How an agent ends that reported so many requests.
pub(crate) fn end(requests: u64, failures: u64) -> AgentEnd {
    AgentEnd {
        requests,
        failures,
        ended_at: RunTime::ZERO,
        ..AgentEnd::default()
    }
}

/// The first `seconds` of a run.
pub(crate) fn first_seconds(seconds: u32) -> Scope {
    Scope::of_window(Window::new(0, seconds).expect("there are some"))
}

/// A store in a directory of its own.
pub(crate) async fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().expect("a directory can be made");
    let store = Store::open(dir.path()).expect("a new store can be opened");
    (dir, store)
}

/// Keeps a run of the test `checkout`.
pub(crate) async fn create(store: &Store, id: &str, agents: &[&str]) -> RunRecord {
    store
        .create_run(run(id, "checkout", agents))
        .await
        .expect("a run can be kept")
}

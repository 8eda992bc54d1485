//! Custom metrics from the recorders of workers over their agents to the coordinator's store, against a naive model.

use std::collections::BTreeMap;

use greylag_infra::protocol::{Endpoint, MAX_METRIC_VALUE, MetricKind as Kind, decode};
use greylag_infra::{
    BuildInfo, Completeness, LoadProfile, LoadTest, RunAgent, RunPhase, RunRecord, WallClock,
};
use greylag_reporting::{
    Interval, MetricSums, SaveOutcome, Scope, Store, Summary, SummaryMetric, Window,
};
use greylag_scenarios::{MetricKind, MetricValue, Recorder as _};
use proptest::prelude::*;

use super::pending_sums::MAX_PENDING_SUM_BYTES;
use super::*;
use crate::bounded_names::KnownNames;
use crate::recorder::{Reports, RunRecorder};

const AGENTS: usize = 3;
const WORKERS_OF_AGENT: usize = 2;
/// The metrics of the scenario, by name.
const METRICS: [(&str, MetricKind, &str); 4] = [
    ("sent", MetricKind::Counter, "bytes"),
    ("queue", MetricKind::Gauge, ""),
    ("hits", MetricKind::Rate, ""),
    ("speed", MetricKind::Histogram, "tokens/s"),
];

/// One value: by whom, of which metric, when, in millionths.
#[derive(Debug, Clone, Copy)]
struct Added {
    worker: usize,
    metric: usize,
    second: u32,
    millionths: i64,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Add(Added),
    /// A worker hands over what it has counted so far.
    HandOver(usize),
    /// An agent sends what is there of the seconds before this one, twice if the coordinator's answer is lost.
    Send(usize, u32, bool),
}

fn step() -> impl Strategy<Value = Step> {
    let workers = AGENTS * WORKERS_OF_AGENT;
    let millionths = prop_oneof![0..5_000_000_i64, 0..MAX_METRIC_VALUE];
    let added = (
        0..workers,
        0..METRICS.len(),
        0..120_u32,
        millionths,
        any::<bool>(),
    );
    prop_oneof![
        8 => added.prop_map(|(worker, metric, second, millionths, is_odd)| Step::Add(Added {
            worker,
            metric,
            second,
            millionths: match METRICS[metric].1 {
                MetricKind::Rate => i64::from(is_odd) * 1_000_000,
                MetricKind::Counter => millionths,
                _ if is_odd => -millionths,
                _ => millionths,
            },
        })),
        2 => (0..workers).prop_map(Step::HandOver),
        2 => (0..AGENTS, 0..130_u32, any::<bool>()).prop_map(|(agent, second, twice)| Step::Send(agent, second, twice)),
    ]
}

/// Adds a value as a user does, at a moment of run time.
fn add(recorder: &RunRecorder, added: Added) {
    let (name, kind, unit) = METRICS[added.metric];
    let at = Duration::from_secs(added.second.into());
    recorder.metric_at(
        &MetricValue {
            name,
            kind,
            unit,
            millionths: Some(added.millionths),
        },
        at,
    );
}

fn reports(recorder: &RunRecorder, names: &mut KnownNames) -> Vec<Report> {
    let mut taken = recorder.take(None, names);
    let mut reports = Reports::default();
    for second in &mut taken.seconds {
        second.empty_into(&mut reports, names);
    }
    recorder.give_back(taken.seconds);
    reports.finish()
}

fn record(id: &RunId) -> RunRecord {
    let agent = |number: usize| RunAgent {
        id: number.to_string().as_str().into(),
        name: format!("agent {number}"),
        workers: vec![number as u32],
        last_seq: 0,
        saved_until: 0,
        end: None,
        build: BuildInfo::default(),
    };
    RunRecord {
        id: id.to_owned(),
        number: 0,
        test: LoadTest::default(),
        phase: RunPhase::Running,
        created_at: WallClock::start().now(),
        // Long ago, so that rows of longer stretches are made.
        started_at: Some(WallClock::start().now() - Duration::from_secs(200)),
        ended_at: None,
        agents: (0..AGENTS).map(agent).collect(),
        profile: LoadProfile::default(),
        completeness: Completeness::default(),
    }
}

/// Sends what is due; the coordinator saves it.
async fn send(store: &Store, id: &RunId, agent: usize, outbox: &mut Outbox, twice: bool) {
    while let Some(frame) = outbox.next_to_send() {
        let ToCoordinator::Snapshot(snapshot) = decode(&frame).unwrap() else {
            panic!("outboxes send snapshots");
        };
        let seq = snapshot.seq;
        let agent = agent.to_string().as_str().into();
        let saved = store.save_snapshot(id, &agent, (*snapshot).clone()).await;
        assert_eq!(saved.unwrap(), SaveOutcome::Saved);
        if twice {
            let again = store.save_snapshot(id, &agent, *snapshot).await;
            assert_eq!(again.unwrap(), SaveOutcome::Duplicate);
        }
        outbox.acknowledged(seq, Duration::ZERO);
    }
}

/// Millionths in units: the nearest number, as it is read from decimal digits.
fn units(millionths: i128) -> f64 {
    let (sign, size) = (millionths.signum(), millionths.unsigned_abs());
    let digits = format!("{}.{:06}", size / 1_000_000, size % 1_000_000);
    let size: f64 = digits.parse().unwrap();
    if sign < 0 { -size } else { size }
}

/// The statistics of values of one metric, computed in the plainest way.
fn check(stated: &SummaryMetric, values: &[Added], seconds: f64) {
    let sum: i128 = values
        .iter()
        .map(|added| i128::from(added.millionths))
        .sum();
    let mut sorted: Vec<i64> = values.iter().map(|added| added.millionths).collect();
    sorted.sort_unstable();
    let ends = sorted.first().zip(sorted.last());
    let [least, greatest] = [ends.map(|ends| *ends.0), ends.map(|ends| *ends.1)]
        .map(|end| end.map(|end| units(end.into())));
    let last = values
        .iter()
        .map(|added| (added.second, added.millionths))
        .max();
    assert_eq!(stated.count, values.len() as u64);
    match stated.kind {
        Kind::Counter => {
            assert_eq!(stated.total, Some(units(sum)));
            assert_eq!(stated.per_second, Some(units(sum) / seconds));
        }
        Kind::Rate => {
            let share = units(sum) / values.len() as f64;
            assert_eq!(stated.total, Some(units(sum)));
            assert_eq!(stated.rate, (!values.is_empty()).then_some(share));
        }
        Kind::Gauge => {
            assert_eq!((stated.min, stated.max), (least, greatest));
            assert_eq!(stated.last, last.map(|(_, value)| units(value.into())));
        }
        Kind::Histogram => {
            assert_eq!((stated.min, stated.max), (least, greatest));
            assert_eq!(stated.total, Some(units(sum)));
            for (q, stated) in [(0.5, stated.p50), (0.95, stated.p95), (0.99, stated.p99)] {
                let at = ((sorted.len() as f64 * q) as usize).min(sorted.len().saturating_sub(1));
                let exact = sorted.get(at).map(|value| units((*value).into()));
                assert_eq!(stated.is_some(), exact.is_some());
                if let Some((stated, exact)) = stated.zip(exact) {
                    assert!(
                        (stated - exact).abs() <= exact.abs() / 1e3 + 1e-9,
                        "{stated} for {exact}"
                    );
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is handed over when, and sent how often: the numbers are those of all values, in any window.
    #[test]
    fn metrics_of_three_agents_are_those_of_all_values(
        steps in prop::collection::vec(step(), 0..200), from in 0..70_u32, length in 1..130_u32,
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let store = Store::open(dir.path()).unwrap();
            let id = RunId::from("r");
            store.create_run(record(&id)).await.unwrap();
            let workers = || (0..AGENTS * WORKERS_OF_AGENT).map(|_| {
                let recorder = RunRecorder::new(None);
                recorder.begin(Instant::now());
                (recorder, KnownNames::default())
            });
            let mut workers: Vec<_> = workers().collect();
            let mut outboxes: Vec<_> = (0..AGENTS).map(|_| Outbox::new(id.clone())).collect();
            let mut values: Vec<Added> = Vec::new();
            let ending = (0..workers.len()).map(Step::HandOver);
            for step in steps.into_iter().chain(ending) {
                match step {
                    Step::Add(added) => {
                        values.push(added);
                        add(&workers[added.worker].0, added);
                    }
                    Step::HandOver(worker) => {
                        let (recorder, names) = &mut workers[worker];
                        for report in reports(recorder, names) {
                            outboxes[worker / WORKERS_OF_AGENT].add_report(worker as u32, &report).unwrap();
                        }
                    }
                    Step::Send(agent, before, twice) => {
                        outboxes[agent].cut(Some(before), 0);
                        send(&store, &id, agent, &mut outboxes[agent], twice).await;
                    }
                }
            }
            for (agent, outbox) in outboxes.iter_mut().enumerate() {
                outbox.end(None, RunTime::ZERO, Vec::new());
                while !outbox.is_done() {
                    outbox.cut(None, 0);
                    send(&store, &id, agent, outbox, false).await;
                }
            }
            let window = Window::new(from, from + length).unwrap();
            for scope in [Scope::default(), Scope::of_window(window)] {
                let now = WallClock::start().now() + Duration::from_secs(100);
                let summary = Summary::read(&store, &id, &scope, now).await.unwrap();
                let seconds = match scope.window {
                    Some(window) => f64::from(window.to() - window.from()),
                    None => summary.run.elapsed_s,
                };
                let mut by_name: BTreeMap<&str, Vec<Added>> = BTreeMap::new();
                for added in &values {
                    by_name.entry(METRICS[added.metric].0).or_default().push(*added);
                }
                prop_assert_eq!(summary.custom_metrics.len(), by_name.len());
                for metric in &summary.custom_metrics {
                    let values = by_name[&*metric.name].iter().copied();
                    let inside = |added: &Added| scope.window.is_none_or(|window| {
                        (window.from()..window.to()).contains(&added.second)
                    });
                    let values: Vec<Added> = values.filter(inside).collect();
                    check(metric, &values, seconds);
                }
            }
            Ok(())
        })?;
    }
}

#[test]
fn of_two_workers_that_declare_a_name_otherwise_the_first_counts() {
    let mut outbox = Outbox::new("r".into());
    for (worker, kind) in [(0, MetricKind::Counter), (1, MetricKind::Gauge)] {
        let recorder = RunRecorder::new(None);
        for _ in 0..3 {
            recorder.metric(&MetricValue {
                name: "depth",
                kind,
                unit: "",
                millionths: Some(5),
            });
        }
        let news = reports(&recorder, &mut KnownNames::default());
        let news = news
            .iter()
            .flat_map(|report| outbox.add_report(worker, report).unwrap());
        assert_eq!(news.count(), worker as usize, "to be logged");
    }
    outbox.cut(None, 0);
    let frame = outbox.next_to_send().unwrap();
    let ToCoordinator::Snapshot(snapshot) = decode(&frame).unwrap() else {
        panic!("outboxes send snapshots");
    };
    let [values] = &snapshot.metric_values[..] else {
        panic!("{:?}", snapshot.metric_values);
    };
    assert_eq!((values.count, values.sum()), (3, 15));
    let [notice] = &snapshot.notices[..] else {
        panic!("{:?}", snapshot.notices);
    };
    let subject = "depth: the run has a counter of this name without a unit";
    assert_eq!((notice.subject.as_str(), notice.count), (subject, 3));
}

/// A report with requests of a tag and values of a histogram in these seconds.
fn report_of(seconds: std::ops::Range<u32>, values: &MetricSums) -> Report {
    let mut interval = Interval::default();
    interval.record(Duration::from_millis(1), None, 1, None);
    Report {
        endpoints: vec![Endpoint {
            method: "GET".into(),
            name: "/".into(),
        }],
        intervals: seconds
            .clone()
            .map(|second| interval.to_wire(second, 0))
            .collect(),
        tag_intervals: seconds
            .clone()
            .map(|second| TagInterval {
                tag: 0,
                interval: interval.to_wire(second, 0),
            })
            .collect(),
        metrics: vec![CustomMetric::new("speed", Kind::Histogram, "")],
        metric_values: seconds.map(|second| values.to_wire(second, 0)).collect(),
        ..Report::default()
    }
}

#[test]
fn each_second_is_sent_whole_before_the_next_however_little_there_is_room_for() {
    let mut outbox = Outbox {
        budget: SendBudget::new(1),
        ..Outbox::new("r".into())
    };
    let mut one = MetricSums::default();
    one.record(1, 1, true);
    outbox.add_report(0, &report_of(0..3, &one)).unwrap();
    let mut sent = Vec::new();
    while !outbox.pending.is_empty(None) {
        assert!(outbox.oldest_pending_second().is_some());
        outbox.cut(None, 9);
        while let Some(frame) = outbox.next_to_send() {
            let ToCoordinator::Snapshot(snapshot) = decode(&frame).unwrap() else {
                panic!("outboxes send snapshots");
            };
            let metrics: Vec<u32> = snapshot
                .metric_values
                .iter()
                .map(|data| data.second)
                .collect();
            let intervals: Vec<u32> = snapshot.intervals.iter().map(|data| data.second).collect();
            let tags = snapshot.tag_intervals.iter();
            let tags: Vec<u32> = tags.map(|of| of.interval.second).collect();
            sent.push((intervals, tags, metrics, snapshot.complete_until));
            outbox.acknowledged(snapshot.seq, Duration::ZERO);
        }
    }
    let expected: Vec<_> = (0..3)
        .flat_map(|second| {
            let next = if second < 2 { second + 1 } else { 9 };
            [
                (vec![second], vec![], vec![], second),
                (vec![], vec![second], vec![], second),
                (vec![], vec![], vec![second], next),
            ]
        })
        .collect();
    assert_eq!(sent, expected);
}

#[test]
fn what_waits_of_wide_histograms_is_bounded_and_nothing_of_it_is_lost() {
    let mut wide = MetricSums::default();
    for power in 0..20 {
        for step in 0..300 {
            wide.record((1_024 + step) << power, 1, true);
        }
    }
    let mut outbox = Outbox::new("r".into());
    let seconds = 3 * MAX_PENDING_SUM_BYTES / (2 * wide.count_bytes());
    for second in 0..seconds as u32 {
        outbox
            .add_report(0, &report_of(second..second + 1, &wide))
            .unwrap();
        assert!(outbox.pending.metrics.bytes() <= MAX_PENDING_SUM_BYTES);
    }
    let mut count = 0;
    while !outbox.pending.is_empty(None) {
        outbox.cut(None, 0);
        while let Some(frame) = outbox.next_to_send() {
            let ToCoordinator::Snapshot(snapshot) = decode(&frame).unwrap() else {
                panic!("outboxes send snapshots");
            };
            count += snapshot
                .metric_values
                .iter()
                .map(|data| data.count)
                .sum::<u64>();
            outbox.acknowledged(snapshot.seq, Duration::ZERO);
        }
    }
    assert_eq!(count, wide.numbers.count * seconds as u64);
    assert_eq!(outbox.pending.metrics.bytes(), 0);
}

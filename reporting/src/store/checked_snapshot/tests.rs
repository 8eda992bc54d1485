use greylag_infra::protocol::{FailureReason, IntervalData, LostWorker, MetricKind, NoticeKind};
use greylag_infra::{MachineHealth, RunTime, TimerLateness};

use super::*;
use crate::measure::custom::MetricSums;

const MANY: u32 = 1_000;

fn many<T>(one: impl Fn(u32) -> T) -> Vec<T> {
    (0..MANY).map(one).collect()
}

fn text(number: u32) -> String {
    format!("{number:0>200}")
}

fn endpoint(number: u32) -> Endpoint {
    Endpoint {
        method: text(number),
        name: text(number),
    }
}

/// Snapshots with one long list each.
fn snapshots() -> Vec<(&'static str, Snapshot)> {
    let none = Snapshot::default;
    let one = || Snapshot {
        endpoints: vec![endpoint(0)],
        ..none()
    };
    let change = |second| UserChange {
        second,
        started: 1,
        stopped: 2,
        arrivals: 3,
        late_arrivals: 2,
        skipped_arrivals: 1,
    };
    let sample = |second| SampleData {
        endpoint: 0,
        at_us: u64::from(second) * 1_000_000,
        response_us: 1_000,
        failed: true,
        kind: greylag_infra::protocol::SampleKind::Slow,
        ..SampleData::default()
    };
    let line = |number| LogLine {
        at: WallTime::from_micros(1 << 50),
        source: text(number),
        text: text(number),
    };
    let worker = |index| WorkerState {
        index,
        pid: index,
        users: 1 << 20,
        running: true,
    };
    let notice = |number| GeneratorNotice {
        kind: NoticeKind::BlockedLoop,
        worker: Some(number),
        subject: text(number),
        first_second: 0,
        last_second: number,
        count: 1 << 20,
        worst: 1 << 20,
    };
    let errors = IntervalData {
        errors: many(|number| ErrorCount {
            error: text(number),
            occurrences: 1,
        }),
        ..IntervalData::default()
    };
    let interval = |second| IntervalData {
        second,
        ..IntervalData::default()
    };
    let lost = |worker| LostWorker {
        handed_over: false,
        worker,
        since_second: worker,
        how: text(worker),
    };
    let end = |failure, reason, lost_workers| Snapshot {
        end: Some(AgentEnd {
            failure,
            reason,
            ended_at: RunTime::default(),
            lost_workers,
            ..AgentEnd::default()
        }),
        ..none()
    };
    let long = || "x".repeat(100_000);
    let reason = FailureReason::StoppedByScenario { text: long() };
    vec![
        (
            "endpoints",
            Snapshot {
                endpoints: many(endpoint),
                ..none()
            },
        ),
        (
            "intervals",
            Snapshot {
                intervals: many(interval),
                ..one()
            },
        ),
        (
            "errors",
            Snapshot {
                intervals: vec![errors],
                ..one()
            },
        ),
        (
            "user changes",
            Snapshot {
                user_changes: many(change),
                ..none()
            },
        ),
        (
            "samples",
            Snapshot {
                samples: many(sample),
                ..one()
            },
        ),
        (
            "error samples",
            Snapshot {
                sample_errors: vec![text(0)],
                error_samples: many(|number| ErrorSampleData {
                    url: Some(text(number)),
                    headers: vec![(text(1), text(2)), (text(3), text(4))],
                    body: Some(text(number)),
                    ..ErrorSampleData::default()
                }),
                ..one()
            },
        ),
        (
            "log",
            Snapshot {
                log: many(line),
                ..none()
            },
        ),
        (
            "workers",
            Snapshot {
                workers: many(worker),
                ..none()
            },
        ),
        (
            "notices",
            Snapshot {
                notices: many(notice),
                ..none()
            },
        ),
        (
            "health",
            Snapshot {
                health: many(|second| ProcessHealth {
                    second,
                    worker: Some(second),
                    requests: 1 << 20,
                    memory_bytes: Some(1 << 40),
                    late: Some(TimerLateness {
                        p50_us: 1 << 20,
                        p99_us: 1 << 30,
                        max_us: 1 << 31,
                    }),
                    machine: Some(MachineHealth {
                        cpu_pm: Some(1_000),
                        memory_used_bytes: Some(1 << 40),
                        memory_bytes: Some(1 << 41),
                        file_limit: Some(1 << 30),
                    }),
                    ..ProcessHealth::default()
                }),
                ..none()
            },
        ),
        (
            "custom metrics",
            Snapshot {
                metrics: (0..100)
                    .map(|number| CustomMetric::new(&text(number), MetricKind::Histogram, "s"))
                    .collect(),
                metric_values: many(|second| {
                    let mut sums = MetricSums::default();
                    (0..50).for_each(|value| sums.record(value << 30, 1 << 40, true));
                    sums.to_wire(second, second % 100)
                }),
                ..none()
            },
        ),
        ("lost workers", end(None, None, many(lost))),
        ("failure", end(Some(long()), None, Vec::new())),
        ("reason", end(None, Some(reason), Vec::new())),
    ]
}

#[test]
fn each_list_counts_with_at_least_its_bytes() {
    for (what, snapshot) in snapshots() {
        // Without the names of fields, which take nothing in memory.
        let packed = rmp_serde::to_vec(&snapshot).unwrap().len();
        let memory = CheckedSnapshot::new(snapshot).unwrap().memory();
        assert!(memory >= packed, "{what}: {memory} < {packed}");
    }
}

#[test]
fn counts_of_custom_metrics_are_bounded_together() {
    let mut sums = MetricSums::default();
    sums.record(1, 0, true);
    let mut data = sums.to_wire(0, 0);
    // Zeros behind the last count, which say nothing.
    data.counts.resize(1 << 20, 0);
    let snapshot = |values: usize| Snapshot {
        metrics: vec![CustomMetric::new("speed", MetricKind::Histogram, "")],
        metric_values: vec![data.clone(); values],
        ..Snapshot::default()
    };
    let most = MAX_HISTOGRAM_BYTES >> 20;
    assert!(CheckedSnapshot::new(snapshot(most)).is_ok());
    let refused = CheckedSnapshot::new(snapshot(most + 1)).unwrap_err();
    assert!(refused.to_string().contains("histograms"), "{refused}");
}

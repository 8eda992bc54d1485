//! What is read of a run: users, samples, the current rate, the summary.

use std::time::Duration;

use crate::support::{START, create, end, endpoint, run, snapshot, store};
use greylag_infra::protocol::{METRIC_ONE, SampleData, SampleDetails, SampleKind, UserChange};
use greylag_infra::{
    CustomMetric, FailureReason, Gap, GapCause, MetricKind, ProcessHealth, RunPhase, RunRecord,
    RunTime, WallTime,
};
use greylag_reporting::{Chart, ChartSteps, CurrentRate, MetricSums, Scope, Summary, Window};

#[tokio::test]
async fn users_are_those_active_when_a_second_begins() {
    let (_dir, store) = store().await;
    create(&store, "r", &["a", "b"]).await;
    let changes = |changes: &[(u32, u64, u64)]| {
        let mut snapshot = snapshot("r", 1, &[]);
        snapshot.user_changes = changes
            .iter()
            .map(|(second, started, stopped)| UserChange {
                second: *second,
                started: *started,
                stopped: *stopped,
                ..UserChange::default()
            })
            .collect();
        snapshot
    };
    store
        .save_snapshot(
            &"r".into(),
            &"a".into(),
            changes(&[(0, 2, 0), (1, 2, 0), (4, 0, 4)]),
        )
        .await
        .unwrap();
    store
        .save_snapshot(&"r".into(), &"b".into(), changes(&[(1, 1, 0), (3, 1, 1)]))
        .await
        .unwrap();
    let series = store
        .series(&"r".into(), &Scope::default(), 100)
        .await
        .unwrap();
    let users: Vec<u64> = series.points.iter().map(|point| point.users).collect();
    assert_eq!(users, [0, 2, 5, 5, 5]);
    let coarse = store
        .series(&"r".into(), &Scope::default(), 4)
        .await
        .unwrap();
    let users: Vec<_> = coarse
        .points
        .iter()
        .map(|point| (point.second, point.users))
        .collect();
    assert_eq!((coarse.step_s, users), (2, vec![(0, 0), (2, 5), (4, 5)]));
}

#[tokio::test]
async fn samples_of_long_runs_are_thinned_and_keep_the_slow_and_the_failed() {
    let user_of = |second: u64, at: u64| (second * 30 + at) as u32;
    let (_dir, store) = store().await;
    create(&store, "r", &["a"]).await;
    let get = endpoint("GET", "/");
    for seq in 1..=400_u64 {
        let mut one = snapshot("r", seq, &[(seq as u32, &get, 1_000, None)]);
        one.samples = (0..30)
            .map(|at| SampleData {
                endpoint: 0,
                at_us: seq * 1_000_000 + at * 30_000,
                response_us: if (seq, at) == (123, 4) {
                    9_999_999
                } else {
                    1_000 + at
                },
                failed: (seq, at) == (321, 7),
                details: SampleDetails {
                    user: Some(user_of(seq, at)),
                    error: ((seq, at) == (321, 7)).then_some(0),
                    ..SampleDetails::default()
                },
                kind: SampleKind::Drawn,
            })
            .collect();
        one.sample_errors = vec!["timed out".to_owned()];
        store
            .save_snapshot(&"r".into(), &"a".into(), one)
            .await
            .unwrap();
    }
    for (from, most) in [(0, 500), (0, 50), (100, 500), (300, 10_000)] {
        let samples = store
            .samples(&"r".into(), &Scope::default(), from, most)
            .await
            .unwrap();
        assert_eq!(samples.of, 400);
        let available = (401 - from.max(1) as usize) * 30;
        let drawn = samples.points.iter().filter(|p| p.kind.is_drawn()).count();
        assert!(drawn <= most);
        assert!(drawn >= most.min(available) / 2, "{drawn}");
        assert!(
            samples.points.len() <= drawn + 2,
            "the failed and the slowest one"
        );
        assert!(
            samples
                .points
                .iter()
                .all(|point| point.at_s >= f64::from(from))
        );
        assert!(samples.points.is_sorted_by(|a, b| a.at_s <= b.at_s));
        assert_eq!(
            samples.points.iter().filter(|point| point.failed).count(),
            1
        );
        let slowest = samples
            .points
            .iter()
            .any(|point| point.response_ms == 9_999.999);
        assert_eq!(slowest, from <= 123);
    }
    // Whatever rows they are read from, all have their own details, and what is in coarse rows is in fine ones.
    let whole = Scope::default();
    let of_seconds = |from| Scope::of_window(Window::new(from, from + 1).unwrap());
    let mut read = 0;
    for most in [50, 500, 10_000] {
        let (rows, complete) = store
            .sample_details(&"r".into(), &whole, most)
            .await
            .unwrap();
        let shown = store.samples(&"r".into(), &whole, 0, most).await.unwrap();
        assert_eq!((rows.len(), complete), (shown.points.len(), shown.complete));
        for row in &rows {
            let (second, at) = (row.at_us / 1_000_000, row.at_us % 1_000_000 / 30_000);
            assert_eq!(row.user, Some(user_of(second, at)));
            let error = row.failed.then_some("timed out");
            assert_eq!(row.error.as_deref(), error);
            assert_eq!(row.agent.as_deref(), Some("name of a"));
        }
        for row in rows.iter().step_by(40) {
            let second = of_seconds((row.at_us / 1_000_000) as u32);
            let (fine, _) = store
                .sample_details(&"r".into(), &second, 10_000)
                .await
                .unwrap();
            assert!(fine.iter().any(|fine| fine.user == row.user), "{row:?}");
            read += 1;
        }
    }
    assert!(read > 100);
}

#[tokio::test]
async fn the_current_rate_is_that_of_the_last_ten_full_seconds() {
    let (_dir, store) = store().await;
    let mut record = create(&store, "r", &["a"]).await;
    let (get, post) = (endpoint("GET", "/"), endpoint("POST", "/"));
    let mut requests = vec![(3, &post, 1_000, None)];
    for second in 0..30 {
        requests.extend(vec![(second, &get, 1_000, None); 1 + second as usize % 2]);
    }
    store
        .save_snapshot(&"r".into(), &"a".into(), snapshot("r", 1, &requests))
        .await
        .unwrap();
    let at = |second: u32| START + RunTime::of_second(second) + Duration::from_millis(500);
    let rates = async |record: &RunRecord, now| {
        let current = store
            .current_rps(record, &Scope::default(), now)
            .await
            .unwrap();
        let requests = |rate: CurrentRate| rate.requests;
        (
            requests(current.of(&get)),
            requests(current.of(&post)),
            requests(current.total()),
        )
    };
    assert_eq!(rates(&record, at(1)).await, (0.0, 0.0, 0.0));
    // seconds 0 to 3
    assert_eq!(rates(&record, at(6)).await, (1.5, 0.25, 1.75));
    // seconds 18 to 27
    assert_eq!(rates(&record, at(30)).await, (1.5, 0.0, 1.5));
    record.phase = RunPhase::Finished;
    record.ended_at = Some(at(100));
    // seconds 19 to 28: the last one that has results may not be full
    assert_eq!(rates(&record, at(500)).await, (1.5, 0.0, 1.5));
    // seconds 2 to 11, whatever came of later ones
    record.ended_at = Some(at(12));
    assert_eq!(rates(&record, at(500)).await, (1.5, 0.1, 1.6));
}

#[tokio::test]
async fn the_current_rate_of_a_window_is_that_of_its_last_seconds_without_those_left_out() {
    let (_dir, store) = store().await;
    let record = create(&store, "r", &["a"]).await;
    let get = endpoint("GET", "/");
    // As many in each second as its number.
    let requests: Vec<_> = (0..30_u32)
        .flat_map(|second| vec![(second, &get, 1_000, None); second as usize])
        .collect();
    let mut results = snapshot("r", 1, &requests);
    let saturated = [12, 15].map(|second| ProcessHealth {
        second,
        worker: Some(0),
        core_pm: Some(950),
        ..ProcessHealth::default()
    });
    results.health = saturated.to_vec();
    let saved = store.save_snapshot(&"r".into(), &"a".into(), results).await;
    saved.unwrap();
    let now = START + RunTime::of_second(30);
    for (from, to, all, rest) in [
        (5, 20, 14.5, 14.75),
        (25, u32::MAX, 26.0, 26.0),
        (10, 17, 13.0, 12.8),
    ] {
        for (without_saturated, expected) in [(false, all), (true, rest)] {
            let scope = Scope {
                window: Some(Window::new(from, to).unwrap()),
                without_saturated,
                ..Scope::default()
            };
            let rate = store.current_rps(&record, &scope, now).await.unwrap();
            assert_eq!(rate.total().requests, expected, "{scope:?}");
        }
    }
}

#[tokio::test]
async fn what_is_counted_per_second_of_an_agent_is_of_the_seconds_in_which_no_agent_was_saturated()
{
    let (_dir, store) = store().await;
    create(&store, "r", &["a", "b"]).await;
    let get = endpoint("GET", "/");
    for (agent, worker) in [("a", 0), ("b", 1)] {
        let requests: Vec<_> = (0..10).map(|second| (second, &get, 1_000, None)).collect();
        let mut results = snapshot("r", 1, &requests);
        results.metrics = vec![CustomMetric::new("sent", MetricKind::Counter, "")];
        let sums = |second| {
            let mut sums = MetricSums::default();
            sums.record(3 * METRIC_ONE, u64::from(second) * 1_000_000, false);
            sums.to_wire(second, 0)
        };
        results.metric_values = (0..10).map(sums).collect();
        // Of b twice as many seconds.
        results.health = (worker..=2 * worker)
            .map(|second| ProcessHealth {
                second,
                worker: Some(worker),
                core_pm: Some(950),
                ..ProcessHealth::default()
            })
            .collect();
        let saved = store
            .save_snapshot(&"r".into(), &agent.into(), results)
            .await;
        saved.unwrap();
    }
    let now = START + RunTime::of_second(10);
    for (agent, without_saturated, total) in [
        (None, false, 60.0),
        (None, true, 42.0),
        (Some("name of a"), true, 42.0),
        (Some("name of b"), true, 42.0),
    ] {
        let scope = Scope {
            agent: agent.map(str::to_owned),
            without_saturated,
            ..Scope::default()
        };
        let summary = Summary::read(&store, &"r".into(), &scope, now).await;
        let [metric] = &summary.unwrap().custom_metrics[..] else {
            panic!("one metric");
        };
        assert_eq!(
            (metric.total, metric.per_second),
            (Some(total), Some(6.0)),
            "{scope:?}"
        );
    }
    let scope = Scope {
        without_saturated: true,
        ..Scope::default()
    };
    let steps = ChartSteps {
        step_s: Some(2),
        since: 0,
    };
    let run = store.run(&"r".into()).await.unwrap().unwrap();
    let read = async |chart| store.chart(&run, &scope, chart, steps).await.unwrap();
    for (chart, counted) in [
        // 6 in each second of both agents, 1 request in each second of each.
        (
            Chart::Custom("sent".to_owned()),
            [0.0, 6.0, 12.0, 12.0, 12.0],
        ),
        (Chart::Statuses, [0.0, 2.0, 4.0, 4.0, 4.0]),
        (Chart::AgentRequests, [0.0, 1.0, 2.0, 2.0, 2.0]),
    ] {
        let data = read(chart.clone()).await;
        assert_eq!(data.left_out, [2, 1, 0, 0, 0], "{chart:?}");
        for line in data.lines {
            assert_eq!(line.values, counted.map(Some), "{chart:?} {}", line.name);
        }
    }
}

#[tokio::test]
async fn users_of_an_agent_that_was_given_up_stop_where_its_results_end_and_no_others_do() {
    let (_dir, store) = store().await;
    let mut record = create(&store, "r", &["a", "b"]).await;
    let get = endpoint("GET", "/");
    for (agent, started, seconds) in [("a", 2, 3), ("b", 3, 6)] {
        let requests: Vec<_> = (0..seconds)
            .map(|second| (second, &get, 1_000, None))
            .collect();
        let mut results = snapshot("r", 1, &requests);
        results.user_changes.push(UserChange {
            second: 0,
            started,
            ..UserChange::default()
        });
        let saved = store
            .save_snapshot(&"r".into(), &agent.into(), results)
            .await;
        saved.unwrap();
    }
    record.completeness.add(Gap {
        agent: Some("name of a".to_owned()),
        worker: None,
        since_second: 3,
        cause: GapCause::AgentLost,
    });
    store.update_run(&record).await.unwrap();
    let users = async |agent: Option<&str>| {
        let scope = Scope {
            agent: agent.map(str::to_owned),
            ..Scope::default()
        };
        let series = store.series(&"r".into(), &scope, 100).await.unwrap();
        series
            .points
            .iter()
            .map(|point| point.users)
            .collect::<Vec<_>>()
    };
    assert_eq!(users(None).await, [0, 5, 5, 5, 3, 3]);
    assert_eq!(users(Some("name of b")).await, [0, 3, 3, 3, 3, 3]);
}

#[tokio::test]
async fn the_summary_has_the_published_form_and_the_exact_numbers() {
    let (_dir, store) = store().await;
    let mut record = run("run000000001", "checkout", &["a"]);
    record.started_at = Some(WallTime::from_micros(1_795_326_540_250_000));
    store.create_run(record.clone()).await.unwrap();
    let (get, order) = (endpoint("GET", "/"), endpoint("POST", "/order"));
    let task = endpoint("TASK", "Shopper.browse");
    let refused = "405 Client Error: Method Not Allowed for url: /order";
    let mut first = snapshot(
        record.id.as_str(),
        1,
        &[
            (0, &order, 2_500, Some(refused)),
            (0, &get, 1_000, None),
            (2, &get, 2_001, None),
            (2, &get, 3_000, None),
        ],
    );
    let mut panicked = greylag_reporting::Interval::default();
    panicked.record_error("panicked at 'oh'", 3);
    first.endpoints.push(task);
    first.intervals.push(panicked.to_wire(1, 2));
    first.user_changes = vec![UserChange {
        second: 0,
        started: 2,
        stopped: 0,
        ..UserChange::default()
    }];
    first.end = Some(end(4, 1));
    store
        .save_snapshot(&record.id, &"a".into(), first)
        .await
        .unwrap();
    let before = Summary::read(
        &store,
        &record.id,
        &Scope::default(),
        record.started_at.unwrap() + RunTime::of_second(4),
    )
    .await
    .unwrap();
    record.phase = RunPhase::Failed(FailureReason::other("agent a was lost"));
    record.ended_at = Some(record.started_at.unwrap() + RunTime::of_second(4));
    store.update_run(&record).await.unwrap();
    let summary = Summary::read(&store, &record.id, &Scope::default(), WallTime::default())
        .await
        .unwrap();
    assert_eq!(before.totals, summary.totals);
    assert_eq!(before.run.status, "Running");

    let expected = serde_json::json!({
        "run": {
            "id": "run000000001", "number": 1, "test": "checkout", "type": "Locust",
            "infrastructure": "local", "status": "Failed", "failure_reason": "agent a was lost", "failure_code": "other", "finished_early": null,
            "users": 100, "duration_s": 86_400, "ramp_up_s": 10, "workers": 1, "builds": [],
            "started_at": "2026-11-22T05:49:00.250000Z", "elapsed_s": 4.0,
        },
        "complete": true, "remark": null, "gaps": [],
        "coverage": {"full": true, "remark": null, "users": 0, "missing_users": 0, "losses": []},
        "totals": {
            "requests": 4, "failures": 1, "rps": 1.0, "error_rate": 0.25, "bytes": 400, "avg_ms": 2.125,
            "min_ms": 1.0, "max_ms": 3.0,
            // the histogram counts 2.500 and 2.501 ms together
            "p50_ms": 2.501, "p75_ms": 3.0, "p90_ms": 3.0, "p95_ms": 3.0, "p98_ms": 3.0, "p99_ms": 3.0, "p999_ms": 3.0, "p9999_ms": 3.0,
            "intended": null, "first_byte": {"requests": 4, "avg_ms": 1.063}, "first_byte_only": 0, "arrivals": null,
        },
        "endpoints": [
            {
                "method": "GET", "name": "/", "requests": 3, "failures": 0, "error_rate": 0.0, "bytes": 300, "avg_ms": 2.0,
                "min_ms": 1.0, "max_ms": 3.0, "p50_ms": 2.001, "p75_ms": 3.0, "p90_ms": 3.0,
                "p95_ms": 3.0, "p98_ms": 3.0, "p99_ms": 3.0, "p999_ms": 3.0, "p9999_ms": 3.0,
                "current_rps": 0.5, "current_failures_per_s": 0.0, "intended": null,
                "first_byte": {"requests": 3, "avg_ms": 1.0}, "first_byte_only": 0,
            },
            {
                "method": "POST", "name": "/order", "requests": 1, "failures": 1, "error_rate": 1.0, "bytes": 100, "avg_ms": 2.5,
                "min_ms": 2.5, "max_ms": 2.5, "p50_ms": 2.5, "p75_ms": 2.5, "p90_ms": 2.5,
                "p95_ms": 2.5, "p98_ms": 2.5, "p99_ms": 2.5, "p999_ms": 2.5, "p9999_ms": 2.5,
                "current_rps": 0.5, "current_failures_per_s": 0.5, "intended": null,
                "first_byte": {"requests": 1, "avg_ms": 1.25}, "first_byte_only": 0,
            },
        ],
        "errors": [
            { "method": "TASK", "name": "Shopper.browse", "error": "panicked at 'oh'", "occurrences": 3,
              "request_share": null, "error_share": 0.75, "agent_count": 1, "agents": ["name of a"], "samples": 0,
              "first_second": 1, "last_second": 1, "first_seen": "2026-11-22T05:49:01.250000Z", "last_seen": "2026-11-22T05:49:01.250000Z" },
            { "method": "POST", "name": "/order", "error": refused, "occurrences": 1,
              "request_share": 1.0, "error_share": 0.25, "agent_count": 1, "agents": ["name of a"], "samples": 0,
              "first_second": 0, "last_second": 0, "first_seen": "2026-11-22T05:49:00.250000Z", "last_seen": "2026-11-22T05:49:00.250000Z" },
        ],
        "custom_metrics": [],
        "thresholds": [], "verdict": null, "warnings": [],
        "generator": { "measured": false, "saturated_seconds": 0, "left_out": false, "saturated": [], "worst": null },
            "series_step_s": 1,
        "series": [
            { "second": 0, "users": 0, "requests": 2, "failures": 1 },
            { "second": 1, "users": 2, "requests": 0, "failures": 0 },
            { "second": 2, "users": 2, "requests": 2, "failures": 0 },
            {"second": 3, "users": 0, "requests": 0, "failures": 0},
        ],
        "warnings": [],
    });
    assert_eq!(serde_json::to_value(&summary).unwrap(), expected);
    assert_eq!(
        serde_json::from_value::<Summary>(expected).unwrap(),
        summary
    );
}

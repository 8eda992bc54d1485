//! What comes over the wire is not trusted: names, texts, numbers, histograms, times.

use crate::support::{endpoint, first_seconds, run, snapshot};
use greylag_infra::protocol::{
    AgentEnd, ErrorCount, IntervalData, LogLine, MAX_ENDPOINTS, MAX_ERROR_BYTES, MAX_ERRORS,
    MAX_NAME_BYTES, OTHER, SampleData, SampleKind, Snapshot, TagInterval, UserChange, WorkerState,
};
use greylag_infra::{RunTime, WallTime};
use greylag_reporting::{Interval, Scope, Store, StoreError, other_endpoint};
use serde_bytes::ByteBuf;

async fn store_with_run() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let mut run = run("r", "test", &["a"]);
    run.test.thresholds = vec!["rps > 1 for tag api".parse().unwrap()];
    store.create_run(run).await.unwrap();
    (dir, store)
}

#[tokio::test]
async fn long_and_strange_names_are_cut_and_kept() {
    let (_dir, store) = store_with_run().await;
    let names = [
        "x".repeat(10_000),
        "é".repeat(10_000),
        "<script>alert(1)</script>".to_owned(),
        "'; DROP TABLE runs; --".to_owned(),
        "\u{1b}]0;title\u{7}\0".to_owned(),
        String::new(),
    ];
    let endpoints: Vec<_> = names.iter().map(|name| endpoint(name, name)).collect();
    let error = "e".repeat(10_000);
    let requests: Vec<_> = endpoints
        .iter()
        .map(|e| (0, e, 1_000, Some(error.as_str())))
        .collect();
    let mut hostile = snapshot("r", 1, &requests);
    hostile.samples = vec![SampleData {
        endpoint: 4,
        at_us: 0,
        response_us: 1,
        failed: false,
        kind: SampleKind::Drawn,
        ..SampleData::default()
    }];
    // the worker's own cut is not relied upon
    for interval in &mut hostile.intervals {
        interval.errors = vec![ErrorCount {
            error: error.clone(),
            occurrences: 1,
        }];
    }
    store
        .save_snapshot(&"r".into(), &"a".into(), hostile)
        .await
        .unwrap();
    let totals = store.totals(&"r".into(), &Scope::default()).await.unwrap();
    assert_eq!(totals.endpoints.len(), names.len());
    for (endpoint, interval) in &totals.endpoints {
        assert!(endpoint.name.len() <= MAX_NAME_BYTES && endpoint.method.len() <= MAX_NAME_BYTES);
        assert!(
            interval
                .errors
                .keys()
                .all(|text| text.len() <= MAX_ERROR_BYTES)
        );
    }
    let samples = store
        .samples(&"r".into(), &Scope::default(), 0, 10)
        .await
        .unwrap();
    assert_eq!(samples.points[0].name, "");
}

#[tokio::test]
async fn endpoints_and_errors_beyond_the_cap_are_counted_under_other() {
    let (dir, store) = store_with_run().await;
    let endpoints: Vec<_> = (0..MAX_ENDPOINTS + 50)
        .map(|n| endpoint("GET", &format!("/{n:04}")))
        .collect();
    let mut seq = 0;
    for chunk in endpoints.chunks(300) {
        seq += 1;
        let requests: Vec<_> = chunk
            .iter()
            .map(|endpoint| (0, endpoint, 1_000, None))
            .collect();
        store
            .save_snapshot(&"r".into(), &"a".into(), snapshot("r", seq, &requests))
            .await
            .unwrap();
    }
    let texts: Vec<_> = (0..MAX_ERRORS + 70)
        .map(|n| format!("error {n:04}"))
        .collect();
    for chunk in texts.chunks(300) {
        seq += 1;
        let requests: Vec<_> = chunk
            .iter()
            .map(|text| (1, &endpoints[0], 1_000, Some(text.as_str())))
            .collect();
        store
            .save_snapshot(&"r".into(), &"a".into(), snapshot("r", seq, &requests))
            .await
            .unwrap();
        if seq == 6 {
            store.totals(&"r".into(), &Scope::default()).await.unwrap(); // the rest of the errors meets totals in memory
        }
    }
    let check = async |store: &Store, scope: Scope| {
        let totals = store.totals(&"r".into(), &scope).await.unwrap();
        assert_eq!(totals.endpoints.len(), MAX_ENDPOINTS + 1);
        assert_eq!(
            totals.aggregated().requests(),
            (endpoints.len() + texts.len()) as u64
        );
        let of = |wanted| {
            totals
                .endpoints
                .iter()
                .find(|(known, _)| *known == wanted)
                .unwrap()
        };
        assert_eq!(of(other_endpoint()).1.requests(), 50);
        let errors = &of(endpoints[0].clone()).1.errors;
        assert_eq!(errors.len(), MAX_ERRORS + 1);
        assert_eq!(errors[OTHER], 70);
        assert_eq!(errors.values().sum::<u64>(), texts.len() as u64);
    };
    check(&store, Scope::default()).await;
    check(&store, first_seconds(10)).await;
    let log = store
        .log(&"r".into(), &Scope::default(), 0, 10)
        .await
        .unwrap();
    assert_eq!(log.len(), 2, "one warning of each: {log:?}");
    assert!(log[0].text.contains("more than 1000 endpoints"));
    assert!(log[1].text.contains("more than 1000 different errors"));
    store.close().await;
    check(&Store::open(dir.path()).unwrap(), Scope::default()).await;
}

/// An interval of three requests.
fn valid() -> IntervalData {
    let mut interval = Interval::default();
    for ms in [1, 20, 300] {
        let response = std::time::Duration::from_millis(ms);
        interval.record(response, Some(response), 10, None);
    }
    for ms in [5, 400] {
        interval.record_intended(std::time::Duration::from_millis(ms));
    }
    interval.count_first_byte_only();
    for status in [Some(200), Some(404), None] {
        interval.count_status(status);
    }
    interval.to_wire(0, 0)
}

type Change = fn(&mut IntervalData);

const BROKEN_INTERVALS: [(Change, &str); 32] = [
    (
        |i| i.requests = 4,
        "the histogram of response times counts 3 requests, the interval says 4",
    ),
    (|i| i.requests = u64::MAX, "numbers that no second can have"),
    (|i| i.failures = 4, "4 failures in 3 requests"),
    (|i| i.ttfb_count = 4, "more times to first byte"),
    (
        |i| i.ttfb_count = 2,
        "the histogram of times to the first byte counts 3 requests, the interval says 2",
    ),
    (|i| i.ttfb_min_us = 2, "times to the first byte do not fit"),
    (|i| i.ttfb_max_us = 2, "times to the first byte do not fit"),
    (|i| i.ttfb_sum_us = 2, "times to the first byte do not fit"),
    (
        |i| i.ttfb_histogram = ByteBuf::from(vec![7; 100]),
        "not an HdrHistogram V2 encoding",
    ),
    // A count of 4 at position 0.
    (
        |i| i.statuses = ByteBuf::from(vec![8]),
        "status codes of 4 requests, but 3 requests",
    ),
    // 1,000 zeros, then a count of 1.
    (
        |i| i.statuses = ByteBuf::from(vec![0xcf, 0x0f, 2]),
        "the status code 1000",
    ),
    (
        |i| i.statuses = ByteBuf::from(vec![0xff]),
        "the histogram's counts are not valid",
    ),
    (|i| i.max_us = 999, "do not fit each other"),
    (|i| i.min_us = i.max_us + 1, "do not fit each other"),
    (|i| i.max_us = 3_600_000_000, "do not fit each other"),
    (|i| i.sum_us = 1, "do not fit each other"),
    (|i| i.sum_us = u64::MAX, "numbers that no second can have"),
    (|i| i.bytes = u64::MAX, "numbers that no second can have"),
    (
        |i| i.histogram = ByteBuf::new(),
        "the histogram of response times counts 0 requests",
    ),
    (
        |i| i.histogram = ByteBuf::from(vec![7; 100]),
        "not an HdrHistogram V2 encoding",
    ),
    (|i| i.histogram.truncate(20), "cut short"),
    (
        |i| i.intended_count = 3,
        "intended start counts 2 requests, the interval says 3",
    ),
    (|i| i.intended_count = 4, "more intended starts (4)"),
    (|i| i.intended_count = u64::MAX, "more intended starts"),
    (
        |i| i.intended_count = 0,
        "intended start counts 2 requests, the interval says 0",
    ),
    (
        |i| i.intended_histogram = ByteBuf::new(),
        "intended start counts 0 requests",
    ),
    (
        |i| i.intended_histogram = ByteBuf::from(vec![7; 100]),
        "not an HdrHistogram V2 encoding",
    ),
    (
        |i| i.intended_min_us = 4_000,
        "from the intended start do not fit each other",
    ),
    (
        |i| i.intended_sum_us = 1,
        "from the intended start do not fit each other",
    ),
    (
        |i| i.intended_max_us = u64::MAX,
        "numbers that no second can have",
    ),
    (
        |i| i.intended_sum_us = u64::MAX,
        "numbers that no second can have",
    ),
    (
        |i| i.first_byte_only = 4,
        "timed to the first byte only (4)",
    ),
];

#[tokio::test]
async fn broken_intervals_are_refused_and_change_nothing() {
    let (_dir, store) = store_with_run().await;
    let with = |interval| Snapshot {
        run_id: "r".into(),
        seq: 1,
        endpoints: vec![endpoint("GET", "/")],
        intervals: vec![valid(), interval],
        ..Snapshot::default()
    };
    for (change, words) in BROKEN_INTERVALS {
        let mut broken = valid();
        change(&mut broken);
        let error = Interval::from_wire(&broken).unwrap_err().to_string();
        assert!(error.contains(words), "{error:?} should contain {words:?}");
        let error = store
            .save_snapshot(&"r".into(), &"a".into(), with(broken))
            .await
            .unwrap_err();
        assert!(error.is_invalid_input());
        assert!(
            error.to_string().contains(words),
            "{error:?} should contain {words:?}"
        );
    }
    assert!(
        store
            .totals(&"r".into(), &Scope::default())
            .await
            .unwrap()
            .endpoints
            .is_empty()
    );
    store
        .save_snapshot(&"r".into(), &"a".into(), with(valid()))
        .await
        .unwrap();
    assert_eq!(
        store
            .totals(&"r".into(), &Scope::default())
            .await
            .unwrap()
            .aggregated()
            .requests(),
        6
    );
}

#[tokio::test]
async fn a_line_from_a_far_future_is_kept_where_browsers_can_show_it() {
    let (_dir, store) = store_with_run().await;
    let mut late = snapshot("r", 1, &[]);
    late.log = vec![LogLine {
        at: WallTime::MAX,
        source: "agent".into(),
        text: "late".into(),
    }];
    store
        .save_snapshot(&"r".into(), &"a".into(), late)
        .await
        .unwrap();
    let log = store
        .log(&"r".into(), &Scope::default(), 0, 10)
        .await
        .unwrap();
    // the greatest Date of ECMAScript is 8.64e15 ms
    assert!(
        log[0].at.as_micros() / 1_000 < 8_640_000_000_000_000,
        "{log:?}"
    );
}

#[tokio::test]
async fn impossible_snapshots_are_refused() {
    let (_dir, store) = store_with_run().await;
    type Change = fn(&mut Snapshot);
    let cases: [(Change, &str); 22] = [
        (
            |s| s.intervals[0].endpoint = 1,
            "refers to endpoint 1 but lists 1",
        ),
        (|s| s.intervals[0].second = u32::MAX, "cannot last longer"),
        (
            |s| s.tag_intervals[0].tag = 1,
            "refers to tag 1, but the run's thresholds are about 1",
        ),
        (
            |s| s.tag_intervals[0].interval.second = u32::MAX,
            "cannot last longer",
        ),
        (|s| s.tag_intervals[0].interval.failures = 9, "failures"),
        (|s| s.samples[0].endpoint = 9, "refers to endpoint 9"),
        (|s| s.samples[0].at_us = u64::MAX, "cannot last longer"),
        (
            |s| s.user_changes[0].started = u64::MAX,
            "more users start or stop",
        ),
        (|s| s.user_changes[0].second = 100_000, "cannot last longer"),
        (|s| s.complete_until = u32::MAX, "cannot last longer"),
        (
            |s| s.user_changes[0].arrivals = u64::MAX,
            "more iterations begin or are skipped in second 0",
        ),
        (
            |s| s.user_changes[0].skipped_arrivals = u64::MAX,
            "more iterations begin or are skipped in second 0",
        ),
        (
            |s| s.user_changes[0].late_arrivals = 1,
            "more iterations begin late in second 0",
        ),
        (
            |s| s.workers[0].index = 5,
            "worker 5, which is not one of this agent's",
        ),
        (
            |s| s.workers[0].users = u64::MAX,
            "worker 0 has more users than there can be",
        ),
        (
            |s| s.samples[0].response_us = u64::MAX,
            "a response time of a sample is",
        ),
        (
            |s| s.samples[0].details.error = Some(0),
            "a sample refers to error 0 but there are 0",
        ),
        (
            |s| s.log_lines_dropped = u64::MAX,
            "the number of dropped log lines is",
        ),
        (
            |s| s.end = Some(end(1 << 63, 0, 5)),
            "count of requests is 9223372036854775808",
        ),
        (
            |s| s.end = Some(end(1 << 50, 0, 5)),
            "more than there can be in",
        ),
        (
            |s| s.end = Some(end(1, 2, 5)),
            "the agent counted 2 failures in 1 requests",
        ),
        (
            |s| s.end = Some(end(1, 0, 1 << 40)),
            "the agent ended at 1099511627776 µs",
        ),
    ];
    let mut fine = snapshot("r", 1, &[(0, &endpoint("GET", "/"), 1_000, None)]);
    fine.samples = vec![SampleData {
        endpoint: 0,
        at_us: 5,
        response_us: 1_000,
        failed: false,
        kind: SampleKind::Drawn,
        ..SampleData::default()
    }];
    fine.user_changes = vec![UserChange {
        second: 0,
        started: 1,
        stopped: 0,
        ..UserChange::default()
    }];
    fine.workers = vec![WorkerState {
        index: 0,
        pid: 1,
        users: 1,
        running: true,
    }];
    fine.tag_intervals = vec![TagInterval {
        tag: 0,
        interval: fine.intervals[0].clone(),
    }];
    for (change, words) in cases {
        let mut broken = fine.clone();
        change(&mut broken);
        let error = store
            .save_snapshot(&"r".into(), &"a".into(), broken)
            .await
            .unwrap_err();
        assert!(matches!(error, StoreError::InvalidSnapshot(_)), "{error}");
        assert!(
            error.to_string().contains(words),
            "{error:?} should contain {words:?}"
        );
    }
    store
        .save_snapshot(&"r".into(), &"a".into(), fine)
        .await
        .unwrap();
}

fn end(requests: u64, failures: u64, ended_at_us: u64) -> AgentEnd {
    AgentEnd {
        requests,
        failures,
        ended_at: RunTime::from_micros(ended_at_us),
        ..AgentEnd::default()
    }
}

#[test]
fn response_times_beyond_an_hour_are_kept_exactly_and_travel() {
    let mut interval = Interval::default();
    for seconds in [1, 7_200, 2] {
        interval.record(std::time::Duration::from_secs(seconds), None, 0, None);
    }
    let back = Interval::from_wire(&interval.to_wire(0, 0)).unwrap();
    assert_eq!(back.sums().response.max_us, 7_200_000_000);
    assert_eq!(back.percentile_us(1.0), Some(7_200_000_000));
    assert_eq!(back.sums().response.avg_us(), Some(7_203e6 / 3.0));
    interval.reset();
    assert!(interval.is_empty());
    assert_eq!(interval.percentile_us(0.5), None);
    assert_eq!(
        Interval::from_wire(&interval.to_wire(0, 0))
            .unwrap()
            .requests(),
        0
    );
}

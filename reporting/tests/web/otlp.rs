//! What is pushed to a collector of OpenTelemetry, read by the official types.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use greylag_infra::WallTime;
use greylag_infra::protocol::IntervalData;
use greylag_reporting::coordinator::{
    Collector, Coordinator, CoordinatorConfig, Provisioning, PushError,
};
use greylag_reporting::{Interval, plain_text};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Histogram, HistogramDataPoint, NumberDataPoint, metric,
    number_data_point,
};
use prost::Message as _;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::custom_metrics::counting_run;
use crate::site::{AGENT, Site, load_test, snapshot};

const RUN: &str = "abcdefabcdef";
const WITHIN: Duration = Duration::from_secs(20);

/// The messages that a coordinator pushes.
struct Pushed(mpsc::Receiver<Vec<u8>>);

impl Pushed {
    fn by(coordinator: &Coordinator) -> Self {
        let (sender, received) = mpsc::channel(10);
        coordinator.push_to(Collector {
            send: Arc::new(move |message| {
                let sent = sender.try_send(message);
                let not = |error: mpsc::error::TrySendError<_>| PushError {
                    reason: error.to_string(),
                    may_pass: true,
                    pause: None,
                };
                Box::pin(async move { sent.map_err(not).map(|()| Vec::new()) })
            }),
        });
        Self(received)
    }

    async fn next(&mut self) -> ExportMetricsServiceRequest {
        let message = tokio::time::timeout(WITHIN, self.0.recv()).await;
        let message = message.expect("a push").expect("the coordinator is there");
        ExportMetricsServiceRequest::decode(&*message).expect("the official types read it")
    }
}

/// The first push of a coordinator that has so many runs, a message for each.
async fn pushed(coordinator: &Coordinator, runs: usize) -> Vec<ExportMetricsServiceRequest> {
    let mut pushed = Pushed::by(coordinator);
    let mut messages = Vec::new();
    for _ in 0..runs {
        messages.push(pushed.next().await);
    }
    messages
}

fn attributes(given: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |one: &KeyValue| match one.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => text.clone(),
        other => panic!("{other:?}"),
    };
    given
        .iter()
        .map(|one| (one.key.clone(), text(one)))
        .collect()
}

fn durations(message: &ExportMetricsServiceRequest) -> &Histogram {
    let metrics = &message.resource_metrics[0].scope_metrics[0].metrics;
    let duration = metrics
        .iter()
        .find(|one| one.name == "http.client.request.duration");
    match duration.and_then(|one| one.data.as_ref()) {
        Some(metric::Data::Histogram(histogram)) => histogram,
        other => panic!("{other:?}"),
    }
}

/// Which agent each point has, and its users.
fn users(message: &ExportMetricsServiceRequest) -> Vec<(Option<String>, i64)> {
    let metrics = &message.resource_metrics[0].scope_metrics[0].metrics;
    let users = metrics.iter().find(|one| one.name == "greylag.users");
    let Some(metric::Data::Gauge(users)) = users.and_then(|one| one.data.as_ref()) else {
        panic!("{metrics:?}");
    };
    let of_point = |point: &NumberDataPoint| match point.value {
        Some(number_data_point::Value::AsInt(users)) => {
            (attributes(&point.attributes).remove("greylag.agent"), users)
        }
        other => panic!("{other:?}"),
    };
    users.data_points.iter().map(of_point).collect()
}

/// Attributes and value of a point.
type Point = (BTreeMap<String, String>, f64);

/// The value of each point of a metric, by its attributes but for those of the run, and whether it is a sum that only grows.
fn values(message: &ExportMetricsServiceRequest, name: &str) -> (bool, Vec<Point>) {
    let metrics = &message.resource_metrics[0].scope_metrics[0].metrics;
    let found = metrics.iter().find(|one| one.name == name);
    let cumulative = i32::from(AggregationTemporality::Cumulative);
    let (is_sum, points) = match found.and_then(|one| one.data.as_ref()) {
        Some(metric::Data::Sum(sum)) => {
            assert!(sum.is_monotonic && sum.aggregation_temporality == cumulative);
            let is_dated = |point: &NumberDataPoint| point.start_time_unix_nano > 0;
            assert!(sum.data_points.iter().all(is_dated));
            (true, &sum.data_points)
        }
        Some(metric::Data::Gauge(gauge)) => (false, &gauge.data_points),
        other => panic!("{name}: {other:?}"),
    };
    let of_point = |point: &NumberDataPoint| match point.value {
        Some(number_data_point::Value::AsDouble(value)) => {
            let mut attributes = attributes(&point.attributes);
            assert_eq!(attributes.remove("greylag.run").as_deref(), Some(RUN));
            attributes.remove("greylag.test");
            (attributes, value)
        }
        other => panic!("{other:?}"),
    };
    (is_sum, points.iter().map(of_point).collect())
}

#[tokio::test]
async fn custom_metrics_are_pushed_as_prometheus_reads_them() {
    let site = Site::start(None).await;
    counting_run(&site).await;
    let path = format!("/api/v1/runs/{RUN}/summary");
    let summary = site.get(&path).await.json();
    let message = &pushed(&site.coordinator, 1).await[0];
    let known = summary["custom_metrics"].as_array().expect("a list");
    for (family, is_sum, key, kinds) in [
        ("values", true, "count", None),
        ("added", true, "total", Some("counter")),
        ("true", true, "total", Some("rate")),
        ("last", false, "last", None),
        ("mean", false, "avg", None),
    ] {
        let of_kind = |metric: &&Value| kinds.is_none_or(|kind| metric["kind"] == kind);
        let mut expected: Vec<Point> = known
            .iter()
            .filter(of_kind)
            .filter_map(|metric| {
                let text = |key: &str| plain_text(metric[key].as_str().expect("a text"));
                let attributes = [
                    ("greylag.metric", text("name")),
                    ("greylag.unit", text("unit")),
                ];
                let attributes = attributes.map(|(key, value)| (key.to_owned(), value));
                Some((BTreeMap::from(attributes), metric[key].as_f64()?))
            })
            .collect();
        expected.sort_by(|one, other| one.0.cmp(&other.0));
        let pushed = values(message, &format!("greylag.custom.{family}"));
        assert_eq!(pushed, (is_sum, expected), "{family}");
    }
    let (is_sum, percentiles) = values(message, "greylag.custom.percentile");
    let shown: Vec<_> = percentiles
        .iter()
        .map(|(attributes, value)| (attributes["greylag.percentile"].as_str(), *value))
        .collect();
    let of = |percent: &'static str| {
        let value = known[3][format!("p{percent}")].as_f64();
        (percent, value.expect("histograms have it"))
    };
    assert_eq!(
        (is_sum, shown),
        (false, ["50", "90", "95", "99"].map(of).to_vec())
    );
}

/// The limits between which this share of all requests is reached.
fn percentile(points: &[HistogramDataPoint], share: f64) -> (f64, f64) {
    let all: u64 = points.iter().map(|point| point.count).sum();
    let bounds = &points[0].explicit_bounds;
    let mut counted = 0;
    for bucket in 0..=bounds.len() {
        counted += points
            .iter()
            .map(|point| point.bucket_counts[bucket])
            .sum::<u64>();
        if counted as f64 >= share * all as f64 {
            let from = bucket.checked_sub(1).map_or(0.0, |before| bounds[before]);
            return (from, bounds.get(bucket).copied().unwrap_or(f64::INFINITY));
        }
    }
    panic!("no requests");
}

/// Ten seconds with four requests and a failed one, by itself, as agents report them.
fn fifty_requests() -> Vec<IntervalData> {
    let of_second = |second| {
        let (mut ok, mut failed) = (Interval::default(), Interval::default());
        for _ in 0..4 {
            ok.record(Duration::from_millis(10), None, 100, None);
        }
        failed.record(Duration::from_millis(30), None, 0, Some("500"));
        [ok.to_wire(second, 0), failed.to_wire(second, 0)]
    };
    (0..10).flat_map(of_second).collect()
}

#[tokio::test]
async fn what_is_pushed_is_what_the_run_has_counted_also_after_a_restart() {
    let site = Site::start(None).await;
    let mut results = snapshot(RUN, "/cart", "500");
    results.intervals = fifty_requests();
    // Seven that are still active.
    results.user_changes.truncate(1);
    results.user_changes[0].started = 7;
    // So that the next coordinator finds one that is not over long ago.
    let started_at = WallTime::from_micros(WallTime::of_system().as_micros() - 20_000_000);
    site.running_run_since(RUN, load_test("shop"), results, started_at)
        .await;
    let summary = site
        .get(&format!("/api/v1/runs/{RUN}/summary"))
        .await
        .json();
    let first = &pushed(&site.coordinator, 1).await[0];
    let histogram = durations(first);
    let cumulative = i32::from(AggregationTemporality::Cumulative);
    assert_eq!(histogram.aggregation_temporality, cumulative);
    let points = &histogram.data_points;
    let said: Vec<_> = points
        .iter()
        .map(|point| (attributes(&point.attributes), point.count))
        .collect();
    let common = [
        ("greylag.run", RUN),
        ("greylag.test", "shop"),
        ("greylag.agent", AGENT),
        ("http.request.method", "GET"),
        ("greylag.endpoint", "/cart"),
    ];
    let common = common.map(|(key, text)| (key.to_owned(), text.to_owned()));
    let mut failed = BTreeMap::from(common.clone());
    failed.insert("error.type".to_owned(), "_OTHER".to_owned());
    let expected = [(BTreeMap::from(common), 40), (failed, 10)];
    assert_eq!(said, expected);
    let totals = &summary["totals"];
    assert_eq!(
        (&totals["requests"], &totals["failures"]),
        (&50.into(), &10.into()),
        "{totals}"
    );
    for point in points {
        assert_eq!(point.bucket_counts.iter().sum::<u64>(), point.count);
        assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
        assert!(point.start_time_unix_nano < point.time_unix_nano);
    }
    let sum: f64 = points.iter().filter_map(|point| point.sum).sum();
    assert!((sum - 0.7).abs() < 1e-9, "{sum}");
    let p95_s = totals["p95_ms"].as_f64().expect("a time") / 1e3;
    let (from, to) = percentile(points, 0.95);
    assert!(
        from < p95_s && p95_s <= to,
        "{p95_s} is not in ({from}, {to}]"
    );
    assert_eq!(users(first), [(Some(AGENT.to_owned()), 7)]);

    // By the next coordinator on the same results, which begins where the run began.
    site.coordinator.shutdown().await;
    let next = Coordinator::start(CoordinatorConfig {
        data_dir: site.data_dir(),
        lease: Duration::from_secs(30),
        provisioning: Provisioning::default(),
    })
    .await
    .expect("the coordinator starts");
    let second = &pushed(&next, 1).await[0];
    let after = &durations(second).data_points;
    assert_eq!(after.len(), points.len());
    for (before, after) in points.iter().zip(after) {
        assert_eq!(after.attributes, before.attributes);
        assert_eq!(after.start_time_unix_nano, before.start_time_unix_nano);
        assert_eq!(after.bucket_counts, before.bucket_counts);
    }
}

/// A run with so many agents, of which each has one user more than the one before, and as many requests.
async fn run_of(site: &Site, id: &str, agents: u64) {
    let of_agent = |number: u64| {
        let mut results = snapshot(id, "/cart", "500");
        let mut interval = Interval::default();
        for _ in 0..number {
            interval.record(Duration::from_millis(10), None, 100, None);
        }
        results.intervals = vec![interval.to_wire(1, 0)];
        results.user_changes.truncate(1);
        results.user_changes[0].started = number;
        (format!("agent-{number:02}"), results)
    };
    let started_at = WallTime::from_micros(WallTime::of_system().as_micros() - 20_000_000);
    let agents = (1..=agents).map(of_agent).collect();
    site.running_run_of(id, load_test(id), agents, started_at)
        .await;
}

#[tokio::test]
async fn each_of_a_few_agents_has_its_own_series_and_many_share_one() {
    let site = Site::start(None).await;
    run_of(&site, "aaaaaaaaaaaa", 10).await;
    run_of(&site, "bbbbbbbbbbbb", 11).await;
    let messages = pushed(&site.coordinator, 2).await;
    let of_message = |message: &ExportMetricsServiceRequest| {
        let points = &durations(message).data_points;
        let requests = points.iter().map(|point| {
            (
                attributes(&point.attributes).remove("greylag.agent"),
                point.count as i64,
            )
        });
        (requests.collect::<Vec<_>>(), users(message))
    };
    let mut said: Vec<_> = messages.iter().map(of_message).collect();
    said.sort_by_key(|(requests, _)| std::cmp::Reverse(requests.len()));
    let few: Vec<_> = (1..=10)
        .map(|number| (Some(format!("agent-{number:02}")), number))
        .collect();
    let many = vec![(None, 66)];
    assert_eq!(said, [(few.clone(), few), (many.clone(), many)]);
}

/// A run with a user that is active, of a moment ago.
async fn active_run(site: &Site) {
    let mut results = snapshot(RUN, "/cart", "500");
    results.intervals = fifty_requests();
    results.user_changes.truncate(1);
    results.end = None;
    let started_at = WallTime::from_micros(WallTime::of_system().as_micros() - 20_000_000);
    site.running_run_since(RUN, load_test("shop"), results, started_at)
        .await;
}

fn requests(message: &ExportMetricsServiceRequest) -> u64 {
    let points = durations(message).data_points.iter();
    points.map(|point| point.count).sum()
}

/// What a coordinator pushes at its end, if that is done in the two seconds that it has for it.
async fn pushed_at_the_end() -> Option<ExportMetricsServiceRequest> {
    let site = Site::start(None).await;
    active_run(&site).await;
    let mut pushed = Pushed::by(&site.coordinator);
    assert_eq!(requests(&pushed.next().await), 50);
    let mut more = snapshot(RUN, "/cart", "500");
    more.seq = 2;
    more.intervals = fifty_requests();
    more.user_changes.clear();
    let store = site.coordinator.store();
    let saved = store.save_snapshot(&RUN.into(), &AGENT.into(), more).await;
    saved.expect("the results are saved");
    let begun = Instant::now();
    site.coordinator.shutdown().await;
    let Some(message) = pushed.0.recv().await else {
        let took = begun.elapsed();
        assert!(took >= Duration::from_secs(2), "only {took:?} were used");
        return None;
    };
    assert_eq!(pushed.0.recv().await, None, "that was the last one");
    let message = ExportMetricsServiceRequest::decode(&*message);
    Some(message.expect("the official types read it"))
}

#[tokio::test]
async fn a_coordinator_that_ends_pushes_what_has_come_since() {
    // A busy machine may take the time away.
    for _ in 0..5 {
        if let Some(last) = pushed_at_the_end().await {
            assert_eq!(requests(&last), 100);
            return;
        }
    }
    panic!("nothing is pushed at the end");
}

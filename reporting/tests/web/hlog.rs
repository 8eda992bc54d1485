//! A run as a log of HdrHistogram, read by its Rust port; `tests/conformance/hlog.rs` reads one with the Python one.

use std::collections::BTreeMap;

use axum::http::{StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use greylag_reporting::Interval;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

use crate::site::{Site, load_test, snapshot};

const RUN: &str = "abcdefabcdef";

async fn log(site: &Site, query: &str) -> String {
    let answer = site.get(&format!("/api/v1/runs/{RUN}/hlog{query}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(
        answer.header(header::CONTENT_DISPOSITION),
        format!("attachment; filename=\"greylag-run-1-{RUN}.hlog\"")
    );
    answer.body
}

/// By tag: the sum of its histograms, the seconds that have one, and the greatest Interval_Max.
fn read(log: &str) -> BTreeMap<Option<String>, (Histogram<u64>, Vec<f64>, f64)> {
    let mut sums = BTreeMap::new();
    for entry in IntervalLogIterator::new(log.as_bytes()) {
        let LogEntry::Interval(line) = entry.expect("a line that can be read") else {
            continue;
        };
        let (sum, seconds, max) = sums
            .entry(line.tag().map(|tag| tag.as_str().to_owned()))
            .or_insert_with(|| {
                let sum = Histogram::new_with_bounds(1, 3_600_000_000, 3).expect("valid bounds");
                (sum, Vec::new(), 0.0_f64)
            });
        let bytes = STANDARD.decode(line.encoded_histogram()).expect("base64");
        let histogram: Histogram<u64> = Deserializer::new()
            .deserialize(&mut &bytes[..])
            .expect("a histogram");
        sum.add(histogram).expect("the same bounds");
        seconds.push(line.start_timestamp().as_secs_f64());
        *max = max.max(line.max());
    }
    sums
}

#[tokio::test]
async fn each_second_and_endpoint_has_its_histogram() {
    let site = Site::start(None).await;
    let mut results = snapshot(RUN, "/a, b/ü 100%\n", "500");
    // Of another endpoint one in the second 70, which is in another piece of the log.
    results.endpoints.push(greylag_infra::protocol::Endpoint {
        method: String::new(),
        name: "login".into(),
    });
    let mut interval = Interval::default();
    interval.record(std::time::Duration::from_micros(1_234_567), None, 1, None);
    results.intervals.push(interval.to_wire(70, 1));
    site.running_run(RUN, load_test("checkout"), results).await;

    let text = log(&site, "").await;
    let head: Vec<&str> = text.lines().take(6).collect();
    assert_eq!(head[0], "#[Histogram log format version 1.3]");
    assert_eq!(
        head[3],
        "#[StartTime: 1795413905.000 (seconds since epoch), 2026-11-23T06:05:05Z]"
    );
    assert!(head[5].starts_with("\"StartTimestamp\",\"Interval_Length\","));
    let read_back = read(&text);
    let tags: Vec<Option<&str>> = read_back.keys().map(Option::as_deref).collect();
    let strange = "GET%20/a%2C%20b/%C3%BC%20100%25";
    assert_eq!(tags, [None, Some(strange), Some("login")]);

    let (all, seconds, max) = &read_back[&None];
    let expected: Vec<f64> = (0..10).chain([70]).map(f64::from).collect();
    assert_eq!(seconds, &expected);
    assert_eq!((all.len(), *max), (51, 1_234.567));
    let (sum, seconds, max) = &read_back[&Some(strange.to_owned())];
    assert_eq!((sum.len(), seconds.len(), *max), (50, 10, 30.0));
    assert_eq!(sum.count_at(10_000), 40);
    assert_eq!(sum.count_at(30_000), 10);
    let (login, seconds, _) = &read_back[&Some("login".to_owned())];
    assert_eq!((login.len(), &seconds[..]), (1, &[70.0][..]));
    assert!(login.equivalent(login.max(), 1_234_567));

    let part = read(&log(&site, "?from=3&to=5").await);
    assert_eq!(part[&None].0.len(), 10);
}

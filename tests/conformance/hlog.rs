//! A run's log of HdrHistogram, read by HdrHistogram's Python port: it has the numbers of the summary.

use std::time::Duration;

use greylag_tests::{Cluster, Greylag, Process, clean_command};
use serde_json::{Value, json};

use super::locust::{here, python_with};

const WITHIN: Duration = Duration::from_secs(60);
/// Of the summary, in ms, and what the port says of the bucket that it is in, in µs.
const PERCENTILES: [&str; 3] = ["p50_ms", "p95_ms", "p99_ms"];

#[tokio::test]
async fn hdrhistogram_reads_the_numbers_of_the_summary() {
    let greylag = Greylag::at(env!("CARGO_BIN_EXE_greylag_conformance"));
    let cluster = Cluster::start(&greylag)
        .await
        .with_agents("local", &["one", "two"])
        .await;
    // Nothing listens there: how long that takes varies as much as is needed.
    let id = cluster
        .api()
        .start(&json!({
            "host": "http://127.0.0.1:9",
            "users": 4,
            "workers": 2,
            "duration": 3,
            "ramp_up": 0,
            "declared": { "requests": [{ "path": "/" }, { "path": "/b", "name": "b, c 100%" }], "wait_time": "5ms" },
        }))
        .await;
    cluster.api().wait_for_status(&id, "Finished", WITHIN).await;
    let directory = tempfile::TempDir::new().expect("a temporary directory");
    let file = directory.path().join("run.hlog");
    let file = file.to_str().expect("a path of ours");
    let export = [
        "export",
        &id,
        "--format",
        "hlog",
        "--output",
        file,
        "--coordinator",
        cluster.api().url(),
    ];
    let exported = greylag.run(&export, WITHIN).await;
    assert_eq!(exported.code, Some(0), "{}", exported.stderr);

    let python = python_with("hdrhistogram", "hlog_requirements.txt").await;
    let mut command = clean_command(python);
    command.arg(here().join("read_hlog.py")).arg(file);
    let ended = Process::start("hdrhistogram", &mut command)
        .wait(WITHIN)
        .await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let tags: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    let (_, summary) = cluster.api().summary_and_json(&id).await;
    let endpoint = |name: &str| {
        let endpoints = summary["endpoints"].as_array().expect("a list");
        let found = endpoints.iter().find(|endpoint| endpoint["name"] == name);
        found.expect("the endpoint").clone()
    };
    let expected = [
        ("", summary["totals"].clone()),
        ("GET%20/", endpoint("/")),
        ("GET%20b%2C%20c%20100%25", endpoint("b, c 100%")),
    ];
    assert_eq!(tags.as_object().expect("tags").len(), 3, "{tags}");
    for (tag, stats) in expected {
        let read = &tags[tag];
        assert_eq!(read["count"], stats["requests"], "{tag}: {read} {stats}");
        assert!(read["count"].as_u64() >= Some(10), "{tag}: {read}");
        let is_in = |bucket: &Value, ms: &Value| {
            let us = (ms.as_f64().expect("a time") * 1e3).round() as u64;
            let end = |at: usize| bucket[at].as_u64().expect("an end");
            assert!(end(0) <= us && us <= end(1), "{tag}: {us} in {bucket}");
        };
        for key in PERCENTILES {
            is_in(&read[key], &stats[key]);
        }
        is_in(&read["max_us"], &stats["max_ms"]);
    }
    // The log says when the run began, and its intervals are read from there.
    let log = std::fs::read_to_string(file).expect("it was just written");
    let mut heads = log.lines();
    let start = heads.find_map(|line| line.strip_prefix("#[StartTime: "));
    let start = start.expect("a start");
    let started_at = summary["run"]["started_at"].as_str().expect("a time");
    assert!(start.ends_with(&format!(", {started_at}]")), "{start}");
    let (seconds, _) = start.split_once(' ').expect("seconds");
    let seconds: f64 = seconds.parse().expect("seconds");
    let first_ms = tags[""]["first_ms"].as_f64().expect("a time");
    let behind = first_ms / 1e3 - seconds;
    assert!((-0.001..60.0).contains(&behind), "{behind} s: {tags}");
}

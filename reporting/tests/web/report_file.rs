//! A run's page as one file.
#![allow(
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test, helpers included"
)]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use axum::http::{StatusCode, header};
use greylag_infra::protocol::MetricKind::{Counter, Gauge, Histogram, Rate};
use greylag_infra::protocol::{LogLine, MAX_METRIC_VALUE, METRIC_ONE, UserChange};
use greylag_infra::{RunPhase, RunTime};
use serde_json::json;

use crate::site::{Site, load_test};
use crate::support::{self, Counted};

const RUN: &str = "abcdefabcdef";

#[tokio::test]
async fn a_file_has_all_of_the_page_and_asks_for_nothing() {
    let site = Site::start(None).await;
    site.finished_run(RUN, load_test("check out"), "/basket", "500")
        .await;
    let answer = site.get("/api/v1/runs/abcdefabcdef/report.html").await;
    assert_eq!(answer.status, StatusCode::OK);
    let disposition = answer.header(header::CONTENT_DISPOSITION);
    assert_eq!(
        disposition,
        "attachment; filename=\"check-out-1.html\"; filename*=UTF-8''check%2Dout%2D1%2Ehtml"
    );
    let file = &answer.body;
    // The policy comes before anything that it is about.
    let policy = file.find("Content-Security-Policy").unwrap();
    let first = ["<script", "<style", "<link"].map(|tag| file.find(tag).unwrap());
    assert!(first.iter().all(|at| policy < *at));
    let policy = &file[policy..policy + 600];
    assert!(
        policy.contains("default-src 'none'; script-src 'sha256-"),
        "{policy}"
    );
    assert!(
        !policy.contains("unsafe") && !policy.contains("connect-src"),
        "{policy}"
    );
    for section in [
        "About This Test",
        "Total Requests",
        "Response Time Distribution",
        "Endpoint Statistics",
        "Load Test Logs",
        "/basket",
    ] {
        assert!(file.contains(section), "{section}");
    }
    // Whatever leads out of the file, and whatever changes something, is not there.
    let page: String = file
        .split("<script")
        .map(|part| part.split_once("</script>").map_or(part, |(_, rest)| rest))
        .collect();
    for absent in [
        "href=\"/",
        "src=",
        "action=\"/",
        "method=\"post\"",
        "@import",
        "Run again",
        "Summary JSON",
    ] {
        assert!(!page.contains(absent), "{absent}");
    }
    let missing = site.get("/api/v1/runs/nothing/report.html").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_page_offers_its_file() {
    let site = Site::start(None).await;
    site.finished_run(RUN, load_test("checkout"), "/", "500")
        .await;
    let page = site.get("/runs/abcdefabcdef").await.body;
    let link = "href=\"/api/v1/runs/abcdefabcdef/report.html\" download=\"checkout-1.html\"";
    assert!(page.contains(link));
}

/// Compares what the scripts of a file answer with what the API answers, and returns what is said about it.
pub(crate) async fn compare_with_the_api(site: &Site, run: &str, paths: Vec<String>) -> String {
    let directory = tempfile::tempdir().unwrap();
    let scripts = directory.path().join("js");
    std::fs::create_dir(&scripts).unwrap();
    // Node.js takes them for modules where a package says so.
    std::fs::write(scripts.join("package.json"), r#"{"type": "module"}"#).unwrap();
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/js");
    for script in std::fs::read_dir(assets).unwrap() {
        let script = script.unwrap();
        std::fs::copy(script.path(), scripts.join(script.file_name())).unwrap();
    }
    let file = directory.path().join("report.html");
    let report = site.get(&format!("/api/v1/runs/{run}/report.html")).await;
    std::fs::write(&file, &report.body).unwrap();
    let mut answers = Vec::new();
    for path in paths {
        let answer = site.get(&format!("/api/v1/runs/{run}{path}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
        answers.push(json!({"path": path, "body": answer.json()}));
    }
    let expected = directory.path().join("answers.json");
    std::fs::write(&expected, serde_json::to_vec(&answers).unwrap()).unwrap();
    let said = Command::new("node")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/web/file_answers.mjs"))
        .args([scripts, file, expected])
        .output()
        .expect("Node.js is installed: see tests/install");
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(
        said.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&said.stderr)
    );
    text
}

/// Numbers that look random.
pub(crate) struct Draws(pub(crate) u64);

impl Draws {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    /// Between 0.1 ms and some seconds, each magnitude as likely as the next one.
    fn response_us(&mut self) -> u64 {
        let magnitude = self.below(16);
        100 + self.below(100 << magnitude)
    }
}

const RUN_S: u32 = 100;

/// A run with phases, of two agents, over.
async fn eventful_run(site: &Site) {
    let store = site.coordinator.store();
    let mut record = support::run("eventful", "checkout", &["a", "b"]);
    (record.test.duration_s, record.test.ramp_up_s) = (u64::from(RUN_S), 13);
    record.profile = record.test.profile();
    record.test.thresholds = [
        "p95 < 500ms",
        "p99 < 2s for GET /z",
        "rps > 1000 for GET /z",
        "metric speed p95 < 7",
    ]
    .map(|threshold| threshold.parse().unwrap())
    .to_vec();
    let mut record = store.create_run(record).await.unwrap();
    // More of them before some windows than a chart marks.
    for second in (0..RUN_S).step_by(3) {
        let text = format!("at {second}");
        store
            .add_run_mark(&"eventful".into(), second, text)
            .await
            .unwrap();
    }
    let mut draws = Draws(7);
    let endpoints = ["/", "/a b", "/search?q=", "/z"].map(|name| support::endpoint("GET", name));
    let errors = [
        "500 Internal Server Error",
        "no stock (src/main.rs:42)",
        "timed out",
    ];
    for agent in ["a", "b"] {
        let mut requests = Vec::new();
        for second in 0..RUN_S {
            for _ in 0..draws.below(30) {
                let error = (draws.below(7) == 0).then(|| errors[draws.below(3) as usize]);
                let endpoint = &endpoints[draws.below(4) as usize];
                requests.push((second, endpoint, draws.response_us(), error));
            }
        }
        let mut snapshot = support::snapshot_with("eventful", 1, &requests, |interval, request| {
            let (_, _, response_us, error) = request;
            interval.count_status(error.map_or(Some(200), |error| error[..3].parse().ok()));
            if response_us % 3 == 0 {
                interval.record_intended(Duration::from_micros(response_us + 5_000));
            }
        });
        snapshot.user_changes = (0..RUN_S)
            .step_by(7)
            .map(|second| UserChange {
                second,
                started: draws.below(5),
                stopped: draws.below(2),
                arrivals: draws.below(9),
                ..UserChange::default()
            })
            .collect();
        support::count(&mut snapshot, &counted(&mut draws));
        snapshot.log = (0..RUN_S)
            .map(|second| LogLine {
                at: support::START + RunTime::of_second(second),
                source: format!("name of {agent}/worker-0"),
                text: format!(
                    "line {second}{}",
                    if second % 9 == 0 { " ERROR" } else { "" }
                ),
            })
            .collect();
        store
            .save_snapshot(&"eventful".into(), &agent.into(), snapshot)
            .await
            .unwrap();
    }
    record.phase = RunPhase::Finished;
    record.ended_at = Some(support::START + RunTime::of_second(RUN_S));
    store.update_run(&record).await.unwrap();
}

/// Values of custom metrics of each kind: of any size and sign, and in some seconds none.
fn counted(draws: &mut Draws) -> Vec<Counted<'static>> {
    let mut values = Vec::new();
    for second in (0..RUN_S).filter(|second| second % 11 < 8) {
        let mut any = || {
            let size = draws.below(1 << 30) << draws.below(30);
            let value = size.cast_signed().min(MAX_METRIC_VALUE);
            if size.is_multiple_of(2) {
                value
            } else {
                -value
            }
        };
        values.push(("sent", Counter, "bytes", second, any().abs()));
        values.push(("sent", Counter, "bytes", second, 125_000));
        values.push(("queue & depth", Gauge, "", second, any()));
        values
            .extend([any(), any(), any()].map(|value| ("speed", Histogram, "m/s", second, value)));
        for value in [any(), any()] {
            let is_true = i64::from(value % 3 == 0) * METRIC_ONE;
            values.push(("hit", Rate, "", second, is_true));
        }
    }
    values.push(("seen once", Gauge, "", 13, -1));
    values
}

/// The end of the address of a path with a query and a scope.
pub(crate) fn with_scope(path: &str, scope: &str) -> String {
    let separator = if path.contains('?') { '&' } else { '?' };
    format!("{path}{separator}{scope}")
}

/// The charts of custom metrics.
const OF_METRICS: [&str; 5] = [
    "/charts/custom-metric?metric=sent",
    "/charts/custom-metric?metric=queue%20%26%20depth",
    "/charts/custom-metric?metric=speed",
    "/charts/custom-metric?metric=hit",
    "/charts/custom-metric?metric=seen%20once",
];

const OF_REQUESTS: [&str; 9] = [
    "/view",
    "/distribution?of=response",
    "/distribution?of=intended",
    "/distribution?of=first_byte",
    "/charts/percentiles?of=response",
    "/charts/percentiles?of=intended",
    "/charts/percentiles?of=first_byte",
    "/charts/statuses",
    "/charts/errors",
];

#[tokio::test]
async fn any_part_of_a_run_has_the_numbers_of_the_api() {
    let site = Site::start(None).await;
    eventful_run(&site).await;
    let mut paths = Vec::new();
    let windows = [
        "from=0&to=13",
        "from=13&to=100",
        "from=5&to=6",
        "from=37",
        "to=61",
        "from=99&to=100",
    ];
    for window in windows {
        for more in [
            "",
            "&endpoint=GET%20/a%20b",
            "&outcome=failed",
            "&outcome=ok&endpoint=GET%20/",
        ] {
            let scope = format!("{window}{more}");
            paths.extend(OF_REQUESTS.map(|path| with_scope(path, &scope)));
        }
        paths.extend(OF_METRICS.map(|path| with_scope(path, window)));
        for path in [
            "/charts/agent-users",
            "/charts/agent-requests",
            "/charts/arrivals",
            "/log/lines",
        ] {
            paths.push(with_scope(path, window));
        }
    }
    for scope in [
        "endpoint=GET%20/z",
        "outcome=failed",
        "endpoint=GET%20/search?q%3D&outcome=ok",
    ] {
        paths.extend(OF_REQUESTS.map(|path| with_scope(path, scope)));
        paths.extend(OF_METRICS.map(|path| with_scope(path, scope)));
    }
    paths.extend(OF_METRICS.map(str::to_owned));
    paths.push("/view".to_owned());
    for search in [
        "q=ERROR",
        "level=error&limit=3",
        "q=LINE%201&from=20",
        "source=name%20of%20b",
        "q=e.9&regex=true",
        "at=44&order=first&limit=5",
    ] {
        paths.push(format!("/log/lines?{search}"));
    }
    let said = compare_with_the_api(&site, "eventful", paths).await;
    assert!(said.contains(" 0 differences; parts of 1 s"), "{said}");
}

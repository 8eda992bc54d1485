//! Failed requests with what came back: which are kept, and what is answered of them.

use axum::http::StatusCode;
use greylag_infra::protocol::{
    Endpoint, ErrorSampleData, MAX_ERROR_SAMPLES_OF_RUN, Snapshot, TraceId,
};
use greylag_infra::{ProcessHealth, RunRecord};
use serde_json::{Value, json};

use crate::site::{AGENT, Site, load_test, snapshot};

const RUN: &str = "abcdefabcdef";
const PATH: &str = "/api/v1/runs/abcdefabcdef/errors/samples";

fn sample(endpoint: u32, error: u32, at_us: u64) -> ErrorSampleData {
    ErrorSampleData {
        endpoint,
        error,
        at_us,
        worker: Some(0),
        url: Some("http://shop.example/cart?x=\u{1b}[2J1".to_owned()),
        status: Some(500),
        headers: vec![
            ("retry-after".into(), "7".into()),
            (
                "x\u{1b}[2J".into(),
                "\u{1b}[2J".to_owned() + &"y".repeat(1_000),
            ),
        ],
        headers_left_out: 3,
        body: Some(format!("<b>no</b>\r\n\u{1b}[31mred{}", "z".repeat(5_000))),
        body_bytes: 14_230,
        trace_id: TraceId::new(0xabc),
    }
}

/// A run with many samples of one error and one of another.
async fn site() -> Site {
    let site = Site::start(None).await;
    let mut results = snapshot(RUN, "/cart", "500");
    let mut other = results.endpoints[0].clone();
    other.name = "/other".to_owned();
    results.endpoints.push(other);
    results.sample_errors = vec!["500".to_owned(), "lost <i>\u{1b}[2J".to_owned()];
    results.error_samples = (0..8)
        .map(|second| sample(0, 0, second * 1_000_000))
        .collect();
    results.error_samples.push(ErrorSampleData {
        endpoint: 1,
        error: 1,
        at_us: 4_500_000,
        ..ErrorSampleData::default()
    });
    site.running_run(RUN, load_test("checkout"), results).await;
    site
}

async fn ask(site: &Site, query: &str) -> Value {
    let answer = site.get(&format!("{PATH}{query}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{query}: {answer:?}");
    answer.json()
}

fn times(answer: &Value) -> Vec<f64> {
    let samples = answer["samples"].as_array().expect("a list");
    let times = samples.iter().map(|sample| sample["at_s"].as_f64());
    times.map(|at_s| at_s.expect("a time")).collect()
}

#[tokio::test]
async fn a_few_samples_of_each_error_are_kept_within_their_limits() {
    let site = site().await;
    let all = ask(&site, "").await;
    assert_eq!(times(&all), [0.0, 1.0, 2.0, 4.5], "three of one agent");
    assert_eq!(all["of"], 4);
    let mut first = all["samples"][0].clone();
    let body = first["body"].take();
    let body = body.as_str().expect("a text");
    assert!(
        body.starts_with("<b>no</b>\nredzzz") && body.len() <= 2_048,
        "{body}"
    );
    let long = first["headers"][1]["value"].take();
    assert!(
        long.as_str().is_some_and(|value| value.len() <= 512),
        "{long}"
    );
    assert_eq!(
        first,
        json!({
            "at_s": 0.0, "at": "2026-11-23T06:05:05Z", "method": "GET", "name": "/cart", "error": "500",
            "agent": AGENT, "worker": 0, "url": "http://shop.example/cart?x=1", "status": 500,
            "headers": [{ "name": "retry-after", "value": "7" }, { "name": "x", "value": null }],
            "headers_left_out": 3, "body": null, "body_bytes": 14_230, "body_is_cut": true, "trace_id": "00000000000000000000000000000abc",
        })
    );
    let without = &all["samples"][3];
    assert_eq!(without["status"], Value::Null);
    assert_eq!(
        (&without["body"], &without["body_is_cut"]),
        (&Value::Null, &json!(false))
    );
    // The run's errors say how many there are.
    let summary = site
        .get(&format!("/api/v1/runs/{RUN}/summary"))
        .await
        .json();
    assert_eq!(summary["errors"][0]["samples"], 3, "{}", summary["errors"]);
    let page = site.get(&format!("/runs/{RUN}")).await;
    assert_eq!(page.status, StatusCode::OK);
}

#[tokio::test]
async fn samples_are_those_of_a_scope_and_an_error() {
    let site = site().await;
    let agent = format!("?agent={AGENT}&error=500");
    for (query, expected) in [
        ("?error=500", &[0.0, 1.0, 2.0][..]),
        ("?error=lost%20%3Ci%3E", &[4.5]),
        ("?error=unknown", &[]),
        ("?endpoint=GET%20/other", &[4.5]),
        ("?from=1&to=3", &[1.0, 2.0]),
        ("?outcome=ok", &[]),
        ("?limit=2", &[0.0, 1.0]),
        (&*agent, &[0.0, 1.0, 2.0]),
    ] {
        assert_eq!(times(&ask(&site, query).await), expected, "{query}");
    }
    assert_eq!(ask(&site, "?limit=2").await["of"], 4);
    for (query, status) in [
        ("?limit=x", StatusCode::BAD_REQUEST),
        ("?agent=nobody", StatusCode::NOT_FOUND),
    ] {
        assert_eq!(
            site.get(&format!("{PATH}{query}")).await.status,
            status,
            "{query}"
        );
    }
}

/// A run of two agents, each with the results of its worker.
async fn two_agents(site: &Site, results: impl Fn(u32) -> Vec<Snapshot>) {
    let none = Snapshot {
        run_id: "none".into(),
        seq: 1,
        ..Snapshot::default()
    };
    let run = site.running_run("none", load_test("checkout"), none).await;
    let mut other = run.agents[0].clone();
    other.id = "other".into();
    other.name = "other".to_owned();
    other.workers = vec![1];
    let run = RunRecord {
        id: RUN.into(),
        agents: vec![run.agents[0].clone(), other],
        ..run
    };
    let store = site.coordinator.store();
    store.create_run(run).await.expect("it is kept");
    for (worker, agent) in (0..).zip([AGENT, "other"]) {
        for snapshot in results(worker) {
            let saved = store
                .save_snapshot(&RUN.into(), &agent.into(), snapshot)
                .await;
            saved.expect("it is saved");
        }
    }
}

#[tokio::test]
async fn samples_of_several_agents_are_limited_together_and_kept_apart() {
    let site = Site::start(None).await;
    let results = |worker| {
        let mut results = snapshot(RUN, "/cart", "500");
        results.sample_errors = vec!["500".to_owned()];
        let samples = (0..8).map(|at| ErrorSampleData {
            worker: Some(worker),
            ..sample(0, 0, at * 1_000_000)
        });
        results.error_samples = samples.collect();
        results.health = vec![ProcessHealth {
            second: 1,
            worker: Some(worker),
            core_pm: Some(950),
            ..ProcessHealth::default()
        }];
        vec![results]
    };
    two_agents(&site, results).await;
    assert_eq!(ask(&site, "").await["of"], 5, "of an error");
    let summary = site.get(&format!("/api/v1/runs/{RUN}/summary")).await;
    let error = &summary.json()["errors"][0];
    assert_eq!(error["agents"], json!([AGENT, "other"]), "{error}");
    let of_other = ask(&site, "?agent=other").await;
    assert_eq!(times(&of_other), [0.0, 1.0]);
    let rest = ask(&site, "?saturated=leave-out").await;
    assert_eq!(times(&rest), [0.0, 0.0, 2.0]);
}

#[tokio::test]
async fn a_run_has_no_more_samples_than_its_limit_and_an_answer_no_more_than_a_page() {
    // Together with the repeated ones of the first part they are more than are kept.
    const ERRORS: [u32; 2] = [200, 800];
    let site = Site::start(None).await;
    let results = |_| {
        let parts = ERRORS.into_iter().zip(1..);
        let part = |(errors, part): (u32, u32)| Snapshot {
            run_id: RUN.into(),
            seq: part.into(),
            endpoints: vec![Endpoint {
                method: "GET".into(),
                name: "/cart".into(),
            }],
            sample_errors: (0..errors).map(|at| format!("error {part}-{at}")).collect(),
            error_samples: (0..errors.max(2 * ERRORS[0]))
                .map(|at| ErrorSampleData {
                    error: at % errors,
                    ..ErrorSampleData::default()
                })
                .collect(),
            ..Snapshot::default()
        };
        parts.map(part).collect()
    };
    two_agents(&site, results).await;
    let answer = ask(&site, "?limit=5000").await;
    assert_eq!(answer["of"], MAX_ERROR_SAMPLES_OF_RUN);
    assert_eq!(times(&answer).len(), 100);
}

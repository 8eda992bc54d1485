//! Runs compared with a reference.

use std::time::Duration;

use axum::http::StatusCode;
use greylag_infra::protocol::{AgentEnd, Endpoint, Snapshot};
use greylag_infra::{RunPhase, RunTime, WallTime};
use greylag_reporting::Interval;
use serde_json::{Value, json};

use crate::site::{Site, load_test};

const SECONDS: u32 = 60;
/// Requests per second.
const REQUESTS: u64 = 50;

/// A finished run whose requests take `factor` times 20 to 60 ms, with other times in each run.
pub(crate) async fn finished(site: &Site, id: &str, test: &str, factor: f64) {
    let mut random = id
        .bytes()
        .fold(7_u64, |sum, byte| sum * 31 + u64::from(byte));
    let intervals = (0..SECONDS).map(|second| {
        let mut interval = Interval::default();
        for _ in 0..REQUESTS {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let ms = 20.0 + 40.0 * (random >> 40) as f64 / (1_u64 << 24) as f64;
            interval.record(Duration::from_secs_f64(factor * ms / 1e3), None, 1, None);
        }
        interval.to_wire(second, 0)
    });
    let results = Snapshot {
        run_id: id.into(),
        seq: 1,
        endpoints: vec![Endpoint {
            method: "GET".into(),
            name: "/cart".into(),
        }],
        intervals: intervals.collect(),
        end: Some(AgentEnd {
            requests: u64::from(SECONDS) * REQUESTS,
            ended_at: RunTime::of_second(SECONDS),
            ..AgentEnd::default()
        }),
        ..Snapshot::default()
    };
    let mut test = load_test(test);
    test.duration_s = u64::from(SECONDS);
    test.ramp_up_s = 4;
    let profile = test.profile();
    let mut run = site.running_run(id, test, results).await;
    run.profile = profile;
    run.phase = RunPhase::Finished;
    run.ended_at = Some(WallTime::from_micros(1_795_413_965_000_000));
    let store = site.coordinator.store();
    store.update_run(&run).await.expect("the run is updated");
}

pub(crate) async fn site() -> Site {
    let site = Site::start(None).await;
    finished(&site, "aaaaaaaaaaaa", "checkout", 1.0).await;
    finished(&site, "bbbbbbbbbbbb", "checkout", 1.0).await;
    finished(&site, "cccccccccccc", "checkout", 1.2).await;
    finished(&site, "dddddddddddd", "other", 1.0).await;
    site
}

async fn compare(site: &Site, query: &str) -> Value {
    let answer = site.get(&format!("/api/v1/compare?{query}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{query}: {answer:?}");
    answer.json()
}

#[tokio::test]
async fn runs_are_compared_over_their_steady_state() {
    let site = site().await;
    let comparison = compare(&site, "runs=checkout%231,bbbbbbbbbbbb,checkout").await;
    let reference = &comparison["reference"];
    assert_eq!(reference["id"], "aaaaaaaaaaaa");
    assert_eq!([&reference["from"], &reference["to"]], [4, 60]);
    assert_eq!(reference["requests"], 56 * REQUESTS);
    let [same, slower] = [&comparison["runs"][0], &comparison["runs"][1]];
    assert_eq!(
        (&same["run"]["number"], &slower["run"]["number"]),
        (&json!(2), &json!(3))
    );
    assert_eq!(
        (&same["verdict"], &same["found"]),
        (&json!("no_evidence"), &json!([]))
    );
    assert_eq!(
        (&slower["verdict"], &slower["found"]),
        (&json!("slower"), &json!(["slower"]))
    );
    assert_eq!(slower["remarks"], json!([]));
    // The values are those of the summary of the same part.
    let summary = site
        .get("/api/v1/runs/cccccccccccc/summary?from=4&to=60")
        .await
        .json();
    for difference in slower["aggregated"].as_array().unwrap() {
        let statistic = difference["statistic"].as_str().unwrap();
        assert_eq!(
            difference["value"], summary["totals"][statistic],
            "{statistic}"
        );
    }
    let p95 = slower["endpoints"][0]["differences"][4].clone();
    assert_eq!(p95["statistic"], "p95_ms");
    let number = |key: &str| p95[key].as_f64().unwrap();
    assert!(
        number("low") < 0.2 && 0.2 < number("high") && number("low") > 0.1,
        "{p95}"
    );
}

#[tokio::test]
async fn a_window_and_an_endpoint_can_be_chosen_and_what_differs_is_said() {
    let site = site().await;
    let query = "runs=checkout,other&reference=other&from=10&to=40&endpoint=GET+/cart";
    let comparison = compare(&site, query).await;
    assert_eq!(comparison["reference"]["test"], "other");
    let run = &comparison["runs"][0];
    assert_eq!([&run["run"]["from"], &run["run"]["to"]], [10, 40]);
    assert_eq!(
        run["remarks"],
        json!(["test: `checkout` instead of `other`"])
    );
    let whole = compare(&site, "runs=checkout,other&from=0").await;
    assert_eq!(
        whole["runs"][0]["run"]["requests"],
        u64::from(SECONDS) * REQUESTS
    );
    assert_eq!(whole["runs"][0]["verdict"], "faster");
    let further = compare(
        &site,
        "runs=aaaaaaaaaaaa,cccccccccccc&baseline=bbbbbbbbbbbb,dddddddddddd",
    )
    .await;
    assert_eq!(further["baseline"][1]["id"], "dddddddddddd");
    assert_eq!(further["runs"][0]["verdict"], "slower");
}

#[tokio::test]
async fn what_cannot_be_compared_has_one_clear_message() {
    let site = site().await;
    for (query, status, message) in [
        ("", 422, "a comparison needs 2 to 5 runs"),
        ("runs=checkout", 422, "included; got 1"),
        ("runs=a,b,c,d,e,f", 422, "included; got 6"),
        ("runs=checkout,nothing", 404, "run `nothing` was not found"),
        (
            "runs=checkout,checkout%239",
            404,
            "run `checkout#9` was not found",
        ),
        (
            "runs=checkout,cccccccccccc",
            422,
            "checkout #3 is named twice",
        ),
        (
            "runs=checkout,other&endpoint=GET+/none",
            404,
            "has no endpoint `GET /none`",
        ),
        (
            "runs=checkout,other&from=5&to=5",
            422,
            "from must be less than to",
        ),
        (
            "runs=checkout,other&from=x",
            422,
            "from must be a whole number of seconds",
        ),
        ("runs=checkout,other&from=55", 422, "has 5 s of results"),
        (
            "runs=checkout,other&baseline=aaaaaaaaaaaa",
            422,
            "name at least two, or none",
        ),
    ] {
        let answer = site.get(&format!("/api/v1/compare?{query}")).await;
        assert_eq!(answer.status, status, "{query}: {answer:?}");
        assert!(
            answer.error_message().contains(message),
            "{query}: {answer:?}"
        );
    }
}

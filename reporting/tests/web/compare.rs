//! Runs compared with a reference.

use std::time::Duration;

use axum::http::StatusCode;
use greylag_infra::protocol::{AgentEnd, Endpoint, Snapshot, TagInterval};
use greylag_infra::{LoadTest, RunPhase, RunRecord, RunTime, WallTime};
use greylag_reporting::{AnnotationChange, Interval};
use serde_json::{Value, json};

use crate::site::{Site, load_test};

pub(crate) const SECONDS: u32 = 60;
/// Requests per second.
const REQUESTS: u64 = 50;

/// A finished run whose requests take `factor` times 20 to 60 ms, with other times in each run.
pub(crate) async fn finished(site: &Site, id: &str, test: &str, factor: f64) {
    with_requests(site, id, load_test(test), factor, "/cart", 0..SECONDS).await;
}

/// The same of another test, whose requests have this name and are in these seconds only.
pub(crate) async fn with_requests(
    site: &Site,
    id: &str,
    mut test: LoadTest,
    factor: f64,
    name: &str,
    seconds: impl IntoIterator<Item = u32>,
) {
    let mut random = id
        .bytes()
        .fold(7_u64, |sum, byte| sum * 31 + u64::from(byte));
    let intervals = seconds.into_iter().map(|second| {
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
    let intervals: Vec<_> = intervals.collect();
    let results = Snapshot {
        run_id: id.into(),
        seq: 1,
        endpoints: vec![Endpoint {
            method: "GET".into(),
            name: name.into(),
        }],
        tag_intervals: test
            .counted_tags()
            .iter()
            .zip(0..)
            .flat_map(|(_, tag)| {
                intervals
                    .iter()
                    .cloned()
                    .map(move |interval| TagInterval { tag, interval })
            })
            .collect(),
        intervals,
        end: Some(AgentEnd {
            requests: u64::from(SECONDS) * REQUESTS,
            ended_at: RunTime::of_second(SECONDS),
            ..AgentEnd::default()
        }),
        ..Snapshot::default()
    };
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

#[tokio::test]
async fn further_runs_and_how_many_are_compared_decide_how_sure_one_can_be() {
    let site = site().await;
    let p95 = |comparison: &Value, run: usize| {
        let p95 = comparison["runs"][run]["aggregated"][4].clone();
        assert_eq!(p95["statistic"], "p95_ms");
        let number = |key: &str| p95[key].as_f64().expect("it is a number");
        (number("reference"), number("high") - number("low"))
    };
    let alone = compare(&site, "runs=aaaaaaaaaaaa,cccccccccccc").await;
    let beside = compare(&site, "runs=aaaaaaaaaaaa,cccccccccccc,bbbbbbbbbbbb").await;
    let ((of_one, width), (of_same, wider)) = (p95(&alone, 0), p95(&beside, 0));
    assert_eq!(of_one, of_same);
    assert!(wider > width, "they share the error: {wider}, {width}");
    let query = "runs=aaaaaaaaaaaa,cccccccccccc&baseline=bbbbbbbbbbbb,dddddddddddd";
    let (of_three, _) = p95(&compare(&site, query).await, 0);
    assert_ne!(of_one, of_three, "the mean of three runs");
}

#[tokio::test]
async fn a_run_is_found_by_its_own_number_and_an_endpoint_by_what_is_shown_of_it() {
    let site = site().await;
    let noted = AnnotationChange {
        note: Some("slower than #1".to_owned()),
        ..AnnotationChange::default()
    };
    let store = site.coordinator.store();
    let annotated = store.annotate(&"cccccccccccc".into(), noted).await;
    annotated.expect("it is noted");
    let comparison = compare(&site, "runs=checkout%231,other").await;
    assert_eq!(comparison["reference"]["id"], "aaaaaaaaaaaa");

    let odd = "/c\u{202e}art";
    for id in ["odd-a", "odd-b"] {
        with_requests(&site, id, load_test("odd"), 1.0, odd, 0..SECONDS).await;
    }
    let page = site.get("/compare?runs=odd-a,odd-b").await.body;
    let (_, shown) = page
        .split_once("<option value=\"GET ")
        .expect("the endpoint can be chosen");
    let shown = shown.split('"').next().expect("it ends");
    assert_ne!(shown, odd);
    let query: String =
        url::form_urlencoded::byte_serialize(format!("GET {shown}").as_bytes()).collect();
    let comparison = compare(&site, &format!("runs=odd-a,odd-b&endpoint={query}")).await;
    assert_eq!(comparison["reference"]["requests"], 56 * REQUESTS);
}

#[tokio::test]
async fn what_has_not_begun_and_what_has_no_requests_there_is_not_compared() {
    let site = site().await;
    let gap = (0..10).chain(50..SECONDS);
    with_requests(&site, "gap", load_test("gap"), 1.0, "/cart", gap).await;
    let run = site.coordinator.store().run(&"gap".into()).await;
    let waits = RunRecord {
        id: "waits".into(),
        phase: RunPhase::Preparing,
        started_at: None,
        ended_at: None,
        ..run.expect("it is read").expect("it is kept")
    };
    let created = site.coordinator.store().create_run(waits).await;
    created.expect("it is kept");
    for (query, message) in [
        (
            "runs=checkout,gap%231&from=20&to=40",
            "gap #1 has no requests in the part that is compared",
        ),
        ("runs=checkout,waits", "gap #2 has not begun"),
    ] {
        let answer = site.get(&format!("/api/v1/compare?{query}")).await;
        assert_eq!(answer.status, 422, "{query}: {answer:?}");
        assert_eq!(answer.error_message(), message);
    }
    let form = site.get("/compare?runs=checkout").await.body;
    assert!(
        form.contains("gap #1") && !form.contains("gap #2"),
        "what has not begun is not offered: {form}"
    );
    let part = site.get("/api/v1/runs/waits/summary?from=5").await;
    assert_eq!(part.status, 422, "it has no such part: {part:?}");
    let page = site.get("/runs/waits").await.body;
    assert!(!page.contains("data-role=\"compare-with\""), "{page}");
}

//! What the thresholds say of a run: the same on its page, in the API, in the summary and in the list.

use greylag_infra::protocol::Snapshot;
use greylag_infra::{Gap, GapCause, GeneratorNotice, LoadTest, NoticeKind, RunPhase};
use greylag_reporting::AnnotationChange;
use serde_json::{Value, json};

use crate::compare::{SECONDS, finished, with_requests};
use crate::site::{AGENT, Site, load_test, snapshot};

const RUN: &str = "abcdefabcdef";

#[tokio::test]
async fn page_api_summary_and_list_agree() {
    let site = Site::start(None).await;
    let thresholds = [
        "error_rate < 10% during whole",
        "p95 < 1h during whole",
        "requests >= 1 for GET /<never> during whole",
    ];
    let test = LoadTest {
        thresholds: thresholds.map(|text| text.parse().unwrap()).to_vec(),
        ..load_test("checkout")
    };
    site.finished_run(RUN, test, "/", "500").await;
    site.finished_run("fedcbafedcba", load_test("search"), "/", "500")
        .await;

    let at = |end: &str| format!("/api/v1/runs/{RUN}{end}");
    let summary = site.get(&at("/summary")).await.json();
    let totals = &summary["totals"];
    let expected = json!([
        {"condition": thresholds[0], "metric": "error_rate", "unit": "share", "actual": totals["error_rate"], "limit": 0.1,
         "state": "breached"},
        {"condition": thresholds[1], "metric": "p95", "unit": "ms", "actual": totals["p95_ms"], "limit": 3_600_000.0,
         "state": "passed"},
        {"condition": thresholds[2], "metric": "requests", "unit": "count", "actual": null, "limit": 1.0, "state": "no_data"},
    ]);
    let essence = |results: &Value| -> Value {
        let results = results.as_array().unwrap().iter();
        let rows = results.map(|result| {
            let keys = ["condition", "metric", "unit", "actual", "limit", "state"];
            let pairs = keys.map(|key| (key.to_owned(), result[key].clone()));
            Value::Object(pairs.into_iter().collect())
        });
        Value::Array(rows.collect())
    };
    assert_eq!(essence(&summary["thresholds"]), expected);
    assert_eq!(summary["verdict"], "failed");
    let progress = site.get(&at("/progress")).await.json();
    assert_eq!(progress["thresholds"], summary["thresholds"]);
    assert_eq!(progress["verdict"], "failed");
    let view = site.get(&at("")).await.json();
    assert_eq!(essence(&view["thresholds"]["rows"]), expected);
    assert_eq!(view["thresholds"]["verdict"], "failed");
    // Of a part of the run, they are still about the run.
    let part = site.get(&at("/summary?from=0&to=1")).await.json();
    assert_eq!(part["thresholds"], summary["thresholds"]);

    let page = site.get(&format!("/runs/{RUN}")).await.body;
    for shown in [
        "data-verdict=\"failed\">Verdict: failed</span>",
        "<tr data-state=\"breached\"><th scope=\"row\"><span class=\"condition\">error_rate",
        "GET /&#60;never&#62;",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
    let front = site.get("/").await.body;
    assert!(
        front.contains("data-verdict=\"failed\" title=\"What the thresholds say\">Verdict: failed")
    );
    for (words, found) in [
        ("verdict%3Afailed", vec!["checkout"]),
        ("verdict%3Anone", vec!["search"]),
        ("verdict%3Apassed", vec![]),
    ] {
        let list = site.get(&format!("/api/v1/runs?q={words}")).await.json();
        let runs = list["runs"].as_array().unwrap().iter();
        let names: Vec<_> = runs.map(|run| run["test"].as_str().unwrap()).collect();
        assert_eq!(names, found, "{words}");
    }
}

/// How the thresholds of a run stand whose requests take `factor` times as long as those of its baseline.
async fn against(site: &Site, id: &str, baseline: &str, factor: f64, condition: &str) -> Value {
    let test = LoadTest {
        thresholds: vec![condition.parse().expect("a threshold")],
        baseline: baseline.to_owned(),
        ..load_test("checkout")
    };
    with_requests(site, id, test, factor, "/cart", 0..SECONDS).await;
    let summary = site.get(&format!("/api/v1/runs/{id}/summary")).await.json();
    summary["thresholds"][0].clone()
}

fn explanation(result: &Value) -> &str {
    result["explanation"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_baseline_is_compared_with_its_noise() {
    let site = Site::start(None).await;
    finished(&site, "aaaaaaaaaaaa", "checkout", 1.0).await;
    finished(&site, "bbbbbbbbbbbb", "checkout", 2.0).await;
    let condition = "p95 < baseline + 10%";
    let unknown = against(&site, "cccccccccccc", "", 1.0, condition).await;
    assert_eq!(unknown["state"], "no_data", "nothing is pinned: {unknown}");
    let said = "nothing to compare with: pin a run of this test, or name one as the baseline";
    assert_eq!(explanation(&unknown), said);
    let pin = AnnotationChange {
        pinned: Some(true),
        ..AnnotationChange::default()
    };
    let store = site.coordinator.store();
    let pinned = store.annotate(&"aaaaaaaaaaaa".into(), pin).await;
    pinned.expect("it is pinned");

    let slower = against(&site, "dddddddddddd", "pinned", 1.2, condition).await;
    assert_eq!(slower["state"], "breached", "{slower}");
    let said = explanation(&slower);
    assert!(said.starts_with("+2") || said.starts_with("+19"), "{said}");
    assert!(
        said.contains("% against checkout#1, 95 % interval +"),
        "{said}"
    );
    let allowed = against(
        &site,
        "eeeeeeeeeeee",
        "checkout#1",
        1.2,
        "p95 < baseline + 30%",
    )
    .await;
    assert_eq!(allowed["state"], "passed", "{allowed}");

    // It takes a little longer, by less than two runs of the same thing differ.
    let noisy = against(
        &site,
        "ffffffffffff",
        "aaaaaaaaaaaa",
        1.003,
        "mean < baseline",
    )
    .await;
    let number = |name: &str| noisy[name].as_f64().expect("a number");
    assert!(number("actual") > number("limit"), "{noisy}");
    assert_eq!(noisy["state"], "passed", "{noisy}");
    assert_eq!(noisy["breached_since_s"], Value::Null);
    assert!(
        explanation(&noisy).starts_with("within the noise: +"),
        "{noisy}"
    );
    // A limit that is far beyond the noise is exceeded.
    let fewer = against(
        &site,
        "abababababab",
        "checkout#2",
        1.0,
        "rps > baseline + 10%",
    )
    .await;
    assert_eq!(fewer["state"], "breached", "{fewer}");
    // What a comparison does not know is compared as a number, and so are windows.
    for condition in ["max < baseline - 90%", "p95 < baseline - 1% within 5s"] {
        let id = if condition.starts_with("max") {
            "acacacacacac"
        } else {
            "adadadadadad"
        };
        let strict = against(&site, id, "checkout#1", 1.0, condition).await;
        assert_eq!(strict["state"], "breached", "{strict}");
        assert_eq!(strict["explanation"], Value::Null);
    }
    // Of a tag that no threshold of the other run was about, nothing was counted there.
    let tagged = "p95 < baseline + 10% for tag api";
    let uncounted = against(&site, "babababababa", "checkout#1", 1.0, tagged).await;
    assert_eq!(uncounted["state"], "no_data", "{uncounted}");
    assert_eq!(
        explanation(&uncounted),
        "the run that it is compared with has no such value"
    );
    let fewer = "requests >= baseline for tag api";
    let uncounted = against(&site, "bcbcbcbcbcbc", "checkout#1", 1.0, fewer).await;
    assert_eq!(uncounted["state"], "no_data", "{uncounted}");
    let slower = against(&site, "bdbdbdbdbdbd", "babababababa", 1.2, tagged).await;
    assert_eq!(slower["state"], "breached", "{slower}");
    assert!(explanation(&slower).contains("95 % interval +"), "{slower}");
    let missing = against(&site, "afafafafafaf", "checkout#99", 1.0, condition).await;
    assert_eq!(missing["state"], "no_data", "{missing}");
    let said = "nothing to compare with: checkout#99 was not found among the runs that were over when this one began";
    assert_eq!(explanation(&missing), said);
}

/// What is pinned while a run waits counts, what is pinned later does not, for the reports neither.
#[tokio::test]
async fn the_baseline_of_a_run_is_that_of_its_beginning() {
    let site = Site::start(None).await;
    let store = site.coordinator.store();
    let pin = async |id: &str, pinned| {
        let change = AnnotationChange {
            pinned: Some(pinned),
            ..AnnotationChange::default()
        };
        let changed = store.annotate(&id.into(), change).await;
        changed.expect("it is pinned or not");
    };
    finished(&site, "aaaaaaaaaaaa", "checkout", 1.0).await;
    let test = LoadTest {
        thresholds: vec!["p95 < baseline + 10%".parse().unwrap()],
        ramp_up_s: 0,
        ..load_test("checkout")
    };
    let mut run = site.running_run(RUN, test, snapshot(RUN, "/", "500")).await;
    let started_at = run.started_at.take();
    run.profile = run.test.profile();
    run.phase = RunPhase::Preparing;
    store.update_run(&run).await.expect("the run waits");
    let stands = async || {
        let answer = site
            .get(&format!("/api/v1/runs/{RUN}/progress"))
            .await
            .json();
        answer["thresholds"][0].clone()
    };
    let waits = stands().await;
    let said = "nothing to compare with: pin a run of this test, or name one as the baseline";
    assert_eq!((explanation(&waits), &waits["limit"]), (said, &Value::Null));
    pin("aaaaaaaaaaaa", true).await;
    (run.phase, run.started_at) = (RunPhase::Running, started_at);
    store.update_run(&run).await.expect("the run begins");
    let limit = stands().await["limit"].clone();
    assert!(limit.is_number(), "{limit}");

    finished(&site, "bbbbbbbbbbbb", "checkout", 2.0).await;
    pin("aaaaaaaaaaaa", false).await;
    pin("bbbbbbbbbbbb", true).await;
    run.phase = RunPhase::Finished;
    run.ended_at = run
        .started_at
        .map(|zero| zero + std::time::Duration::from_secs(10));
    store.update_run(&run).await.expect("the run is over");
    assert_eq!(stands().await["limit"], limit);
    let reported = site.get(&format!("/api/v1/runs/{RUN}/summary.md")).await;
    let reported = reported.body;
    assert!(
        reported.contains("ompared with `checkout #1`"),
        "{reported}"
    );
}

/// An agent that was away hands over its results after the run has ended, and been judged.
#[tokio::test]
async fn results_that_come_late_change_the_verdict() {
    let site = Site::start(None).await;
    let test = LoadTest {
        thresholds: vec!["requests >= 60 during whole".parse().unwrap()],
        ..load_test("checkout")
    };
    let results = |seq: u64, notices: Vec<GeneratorNotice>| Snapshot {
        seq,
        notices,
        end: None,
        ..snapshot(RUN, "/", "500")
    };
    let store = site.coordinator.store();
    let mut run = site.running_run(RUN, test, results(1, Vec::new())).await;
    run.phase = RunPhase::Finished;
    let missing = Gap::of_agent(AGENT, 9, GapCause::AgentLost);
    run.completeness.add(missing);
    run.completeness
        .wait_for_late_results(site.coordinator.now());
    store.update_run(&run).await.expect("the run is updated");
    let stands = async || {
        let summary = site
            .get(&format!("/api/v1/runs/{RUN}/summary"))
            .await
            .json();
        let passed = site.get("/api/v1/runs?q=verdict%3Apassed").await.json();
        let listed = passed["runs"].as_array().expect("a list").len();
        let first = &summary["thresholds"][0];
        let verdict = summary["verdict"].as_str().unwrap_or_default().to_owned();
        (first["actual"].as_f64(), verdict, listed)
    };
    assert_eq!(stands().await, (Some(50.0), "failed".to_owned(), 0));

    let late = async |seq: u64, notices: Vec<GeneratorNotice>| {
        store
            .save_snapshot(&RUN.into(), &AGENT.into(), results(seq, notices))
            .await
            .expect("it is saved");
    };
    let judge_again = async || {
        let judgement = store.judge(&run).await.expect("it is judged");
        assert!(judgement.is_kept);
    };
    late(2, Vec::new()).await;
    assert_eq!(stands().await, (Some(50.0), "failed".to_owned(), 0));
    judge_again().await;
    assert_eq!(stands().await, (Some(100.0), "passed".to_owned(), 1));
    let said = GeneratorNotice {
        kind: NoticeKind::TestFailed,
        subject: "sold more".to_owned(),
        count: 1,
        ..GeneratorNotice::default()
    };
    late(3, vec![said]).await;
    // Nothing that is judged can change this.
    assert_eq!(stands().await, (Some(100.0), "failed".to_owned(), 0));
    judge_again().await;
    assert_eq!(stands().await, (Some(150.0), "failed".to_owned(), 0));

    // Where runs are looked at together their verdicts are shown, too.
    site.finished_run("fedcbafedcba", load_test("checkout"), "/", "500")
        .await;
    let trends = site.get("/?test=checkout").await.body;
    assert!(
        trends.contains("class=\"failed\"><title>#1: 30.0 ms, verdict failed</title>"),
        "{trends}"
    );
    let compared = site
        .get(&format!("/compare?runs={RUN},fedcbafedcba&from=0&to=10"))
        .await
        .body;
    let pills = compared.matches("Verdict: failed</span>").count();
    assert_eq!(pills, 1, "{compared}");
}

/// What the scenario's code says, of which `run.fail` is the sample, needs no threshold.
#[tokio::test]
async fn what_the_scenario_says_fails_the_run() {
    let site = Site::start(None).await;
    let said = |reason: &str, second: u32| GeneratorNotice {
        kind: NoticeKind::TestFailed,
        worker: Some(0),
        subject: reason.to_owned(),
        first_second: second,
        last_second: second + 1,
        count: 2,
        worst: 0,
    };
    let mut results = snapshot(RUN, "/", "500");
    results.notices = vec![
        said("sold <b>more</b>", 7),
        said("sold <b>more</b>", 4),
        said("no stock", 3),
    ];
    let mut run = site.running_run(RUN, load_test("checkout"), results).await;
    let summary = async || {
        site.get(&format!("/api/v1/runs/{RUN}/summary"))
            .await
            .json()
    };
    let live = summary().await;
    assert_eq!(live["verdict"], Value::Null, "the run is in progress");
    assert_eq!(live["thresholds"].as_array().expect("a list").len(), 2);
    run.phase = RunPhase::Finished;
    let store = site.coordinator.store();
    store.update_run(&run).await.expect("the run is updated");
    let summary = summary().await;
    assert_eq!(summary["verdict"], "failed");
    let [stock, sold] = summary["thresholds"].as_array().expect("a list").as_slice() else {
        panic!("two reasons: {summary}");
    };
    assert_eq!(stock["condition"], "scenario: no stock");
    assert_eq!(sold["condition"], "scenario: sold <b>more</b>");
    assert_eq!(
        (&sold["actual"], &sold["breached_since_s"]),
        (&json!(4.0), &json!(4))
    );
    let found = site.get("/api/v1/runs?q=verdict%3Afailed").await.json();
    assert_eq!(
        found["runs"].as_array().expect("a list").len(),
        1,
        "{found}"
    );
    let page = site.get(&format!("/runs/{RUN}")).await.body;
    assert!(page.contains("data-verdict=\"failed\">Verdict: failed</span>"));
    assert!(
        page.contains("scenario: sold &#60;b&#62;more"),
        "it is escaped"
    );
}

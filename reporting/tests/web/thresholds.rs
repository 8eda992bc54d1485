//! What the thresholds say of a run: the same on its page, in the API, in the summary and in the list.

use greylag_infra::LoadTest;
use serde_json::{Value, json};

use crate::site::{Site, load_test};

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
        {"condition": thresholds[2], "metric": "requests", "unit": "count", "actual": 0.0, "limit": 1.0, "state": "breached"},
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

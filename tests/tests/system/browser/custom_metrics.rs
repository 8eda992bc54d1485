//! What a scenario counts beside its requests: the same sums on the page and in the summary, over workers of two agents, and over run time
//! in a chart for each metric.

use greylag_tests::{Api, Browser, Cluster, Nginx, Theme, heavy};
use serde_json::{Value, json};
use url::Url;

use super::looking::{LIVE, assert_quiet, look_from_all_sides};
use super::more_charts::{assert_same, table_of};
use crate::support::{RUN_TIMEOUT, greylag, test};

#[tokio::test]
async fn what_a_scenario_counts_is_summed_up_over_all_workers() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east", "west"])
        .await;
    let api = cluster.api();
    let changes = json!({
        "scenario": "metering", "users": 6, "workers": 3, "ramp_up": 0, "duration": 4,
        "thresholds": ["metric sent total >= 0.5", "metric \"tokens per second\" max < 100"],
    });
    let id = api.start(&test(&nginx.url(), "lab", changes)).await;
    let browser = Browser::start().await;
    browser.view(1440, 900, Theme::Light).await;
    browser.open(&format!("{}/runs/{id}", api.url())).await;
    let rows = "return [...document.querySelectorAll('.metrics-table tbody tr')];";
    browser
        .wait_for(
            "the metrics, live",
            LIVE,
            &rows.replace("];", "].length === 4;"),
        )
        .await;
    api.wait_for_status(&id, "Finished", RUN_TIMEOUT).await;

    let summary = api.summary(&id).await;
    let requests = nginx.finish().await.requests.len() as u64;
    assert_eq!(summary.totals.requests, requests);
    let [sent, turn, even, speed] = &summary.custom_metrics[..] else {
        panic!("{:?}", summary.custom_metrics);
    };
    let counts = [sent, turn, even, speed].map(|metric| metric.count);
    assert_eq!(counts, [requests; 4]);
    // Not 0.1 + 0.1 + …, which is not that in floating point.
    assert_eq!(sent.total, Some(requests as f64 / 10.0));
    assert_eq!((turn.min, speed.min), (Some(1.0), Some(1.0)));
    assert_eq!(turn.max, speed.max);
    let left_out = summary.warnings.iter();
    let left_out = left_out.filter(|warning| warning.kind == "custom_metric");
    assert_eq!(left_out.map(|warning| warning.count).sum::<u64>(), requests);

    assert_eq!(summary.verdict.as_deref(), Some("passed"));
    let judged = summary.thresholds.iter().map(|result| result.actual);
    assert_eq!(judged.collect::<Vec<_>>(), [sent.total, speed.max]);

    browser
        .wait_for("Finished", LIVE, "return document.querySelector('[data-field=\"status\"]').dataset.value === 'Finished';")
        .await;
    let shown = "return [...document.querySelectorAll('.metrics-table tbody tr')].map((row) => [row.querySelector('.name').textContent, row.cells[1].textContent]);";
    let count = |metric: &str| json!([metric, requests.to_string()]);
    let expected: Value = ["sent", "turn", "even turns", "tokens per second"]
        .map(count)
        .into();
    browser
        .wait_for(
            "the sums",
            LIVE,
            &shown
                .replace(
                    "return [",
                    &format!("return JSON.stringify({expected}) === JSON.stringify(["),
                )
                .replace("]);", "]));"),
        )
        .await;
    assert_charts(&browser, api, &id, "").await;
    let limit = "return document.querySelector('[data-chart=\"custom-metric-3\"] .chart-canvas').getAttribute('aria-label');";
    let limit = browser.eval(limit).await;
    let limit = limit.as_str().expect("a description");
    assert!(
        limit.contains("Limits: metric \"tokens per second\" max < 100."),
        "{limit}"
    );
    look_from_all_sides(&browser, "custom-metrics").await;
    let window = "?from=1&to=3";
    browser
        .open(&format!("{}/runs/{id}{window}", api.url()))
        .await;
    assert_charts(&browser, api, &id, window).await;
    assert_quiet(&browser, api.url(), None).await;
    assert_saved_page(&browser, api, &id).await;
    browser.close().await;
}

/// The page as a file has a window's metrics, too, and their charts.
async fn assert_saved_page(browser: &Browser, api: &Api, id: &str) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("saved.html");
    let saved = api.get(&format!("/api/v1/runs/{id}/report.html")).await;
    std::fs::write(&file, &saved.body).expect("the directory is ours");
    let url = Url::from_file_path(&file).expect("an absolute path");
    let window = "?from=1&to=3";
    browser.open(&format!("{url}#{window}")).await;
    assert_charts(browser, api, id, window).await;
    let answer = api.get(&format!("/api/v1/runs/{id}{window}")).await;
    let view: Value = serde_json::from_str(&answer.body).expect("JSON");
    let rows = view["custom_metrics"]["rows"].as_array().expect("a list");
    let expected: Vec<&Value> = rows.iter().map(|row| &row["cells"]).collect();
    let shown = "return [...document.querySelectorAll('.metrics-table tbody tr')].map((row) => [...row.querySelectorAll('td')].map((cell) => cell.textContent));";
    assert_eq!(browser.eval(shown).await, json!(expected));
}

/// The chart of each metric has the numbers that the API has of it. What people read of a counter is its rate.
async fn assert_charts(browser: &Browser, api: &Api, id: &str, query: &str) {
    for (place, (metric, lines)) in [
        ("sent", &["per second"][..]),
        ("turn", &["last", "min", "max"]),
        ("even turns", &["share"]),
        ("tokens per second", &["average", "p50", "p95"]),
    ]
    .into_iter()
    .enumerate()
    {
        let more = query.replace('?', "&");
        let path = format!("/api/v1/runs/{id}/charts/custom-metric?metric={metric}{more}");
        let answer = api.get(&path.replace(' ', "%20")).await;
        let mut data: Value = serde_json::from_str(&answer.body).expect("JSON");
        for (line, name) in lines.iter().enumerate() {
            data["lines"][line]["name"] = json!(name);
        }
        let steps = data["seconds"].as_array().expect("a list").len();
        let mut shown = table_of(browser, &format!("custom-metric-{place}"), steps).await;
        for row in &mut shown[1..] {
            for cell in row.iter_mut() {
                if let Some(percent) = cell.strip_suffix('%') {
                    let percent: f64 = percent.parse().expect("a number");
                    *cell = (percent / 100.0).to_string();
                }
            }
        }
        assert_same(&shown, &data, lines, metric == "sent");
    }
}

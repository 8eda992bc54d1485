//! What a scenario counts beside its requests: the same sums on the page and in the summary, over workers of two agents.

use greylag_tests::{Browser, Cluster, Nginx, Theme, heavy};
use serde_json::{Value, json};

use super::looking::{LIVE, assert_quiet};
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
    let rows = "return [...document.querySelectorAll('[data-role=\"custom-metrics\"] tbody tr')];";
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
    let shown = "return [...document.querySelectorAll('[data-role=\"custom-metrics\"] tbody tr')].map((row) => [row.querySelector('.name').textContent, row.cells[1].textContent]);";
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
    assert_quiet(&browser, api.url(), None).await;
    browser.close().await;
}

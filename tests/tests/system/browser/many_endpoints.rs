//! A run with more endpoints than a table can show at once.

use greylag_tests::{Browser, Cluster, Nginx, heavy};
use serde_json::{Value, json};

use super::looking::{LIVE, assert_quiet};
use crate::support::{RUN_TIMEOUT, declared, greylag, request, test};

const ENDPOINTS: u64 = 130;

#[tokio::test]
async fn a_hundred_rows_are_shown_until_the_reader_asks_for_all() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["a1"])
        .await;
    let requests: Vec<Value> = (0..ENDPOINTS)
        .map(|number| request("GET", &format!("/item/{number}"), 1))
        .collect();
    let changes = json!({ "duration": 8, "declared": declared(&requests, (0.005, 0.01)) });
    let id = cluster
        .api()
        .start(&test(&nginx.url(), "lab", changes))
        .await;
    let browser = Browser::start().await;
    browser
        .open(&format!("{}/runs/{id}", cluster.api().url()))
        .await;
    cluster
        .api()
        .wait_for_status(&id, "Finished", RUN_TIMEOUT)
        .await;
    let total = cluster.api().summary(&id).await.totals.requests;
    browser
        .wait_for(
            "the end",
            LIVE,
            "return document.querySelector('[data-field=\"status\"]').dataset.value === 'Finished';",
        )
        .await;
    let rows = "return [...document.querySelectorAll('[data-role=\"endpoint-rows\"] tr')]
        .map((row) => Number(row.querySelector('[data-field=\"requests\"]').dataset.value));";
    let shown: Vec<u64> = serde_json::from_value(browser.eval(rows).await).expect("numbers");
    assert_eq!(shown.len(), 100);
    let more = "return document.querySelector('[data-role=\"endpoints-more\"]').textContent;";
    let words = browser.eval(more).await;
    assert!(
        words
            .as_str()
            .is_some_and(|words| words.starts_with("100 of 130 endpoints")),
        "{words}"
    );
    browser
        .eval("document.querySelector('[data-role=\"endpoints-more\"] button').click();")
        .await;
    let shown: Vec<u64> = serde_json::from_value(browser.eval(rows).await).expect("numbers");
    assert_eq!(shown.len() as u64, ENDPOINTS);
    assert_eq!(
        shown.iter().sum::<u64>(),
        total,
        "each row has its last numbers"
    );
    assert_quiet(&browser, cluster.api().url(), None).await;
    browser.close().await;
}

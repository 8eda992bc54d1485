//! A run with more endpoints than are in sight: those in sight are in the page, in any order, with any columns.

use std::collections::BTreeMap;

use fantoccini::Locator;
use fantoccini::key::Key;
use greylag_tests::{Browser, Cluster, Nginx, heavy};
use serde_json::{Value, json};

use super::looking::{LIVE, assert_quiet, look_from_all_sides};
use crate::support::{RUN_TIMEOUT, declared, greylag, request, test};

const ENDPOINTS: usize = 130;
const ROWS: &str = "return [...document.querySelectorAll('[data-role=\"endpoint-rows\"] tr')]
    .map((row) => [row.dataset.endpointName, Number(row.querySelector('[data-field=\"requests\"]').dataset.value)]);";

async fn rows(browser: &Browser) -> Vec<(String, u64)> {
    serde_json::from_value(browser.eval(ROWS).await).expect("rows")
}

/// Scrolls through the table, and gives the requests of all rows that came into sight.
async fn scrolled_through(browser: &Browser) -> BTreeMap<String, u64> {
    let mut seen = BTreeMap::new();
    for screen in 0..40 {
        let script = format!(
            "const box = document.querySelector('.endpoints .table-scroll');
            box.scrollTop = {screen} * box.clientHeight;
            const done = arguments[arguments.length - 1];
            requestAnimationFrame(() => requestAnimationFrame(() => done(box.scrollTop + box.clientHeight >= box.scrollHeight - 2)));"
        );
        let at_end = browser.client().execute_async(&script, vec![]).await;
        seen.extend(rows(browser).await);
        if at_end.expect("frames are drawn") == json!(true) {
            break;
        }
    }
    seen
}

#[tokio::test]
async fn many_endpoints_are_sorted_and_shown_with_any_columns() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["a1"])
        .await;
    let api = cluster.api();
    let requests: Vec<Value> = (0..ENDPOINTS)
        .map(|number| request("GET", &format!("/item/{number:03}"), 1))
        .collect();
    let changes = json!({ "duration": 6, "declared": declared(&requests, (0.005, 0.01)) });
    let id = api.start(&test(&nginx.url(), "lab", changes)).await;
    let browser = Browser::start().await;
    browser.open(&format!("{}/runs/{id}", api.url())).await;
    api.wait_for_status(&id, "Finished", RUN_TIMEOUT).await;
    let finished =
        "return document.querySelector('[data-field=\"status\"]').dataset.value === 'Finished';";
    browser.wait_for("the end", LIVE, finished).await;
    let summary = api.summary(&id).await;
    let names: BTreeMap<String, u64> = summary
        .endpoints
        .iter()
        .map(|row| (row.name.clone(), row.requests))
        .collect();
    assert_eq!(names.len(), ENDPOINTS);

    let in_page = rows(&browser).await;
    assert!(in_page.len() < ENDPOINTS, "{} rows", in_page.len());
    let counted = "return Number(document.querySelector('[data-role=\"endpoints\"]').getAttribute('aria-rowcount'));";
    assert_eq!(browser.eval(counted).await, json!(ENDPOINTS + 2));
    assert_eq!(
        scrolled_through(&browser).await,
        names,
        "each row has its last numbers"
    );

    // By keyboard: the busiest first, and another column.
    let head = browser
        .client()
        .find(Locator::Css("[data-sort='requests']"))
        .await;
    let head = head.expect("the head of a column");
    head.send_keys(&Key::Enter.to_string())
        .await
        .expect("a key");
    browser
        .eval("document.querySelector('.endpoints .table-scroll').scrollTop = 0;")
        .await;
    let most = names.values().max().copied();
    let first = "const row = document.querySelector('[data-role=\"endpoint-rows\"] tr');
        return row.getAttribute('aria-rowindex') === '2' && Number(row.querySelector('[data-field=\"requests\"]').dataset.value);";
    let shown = browser.wait_for("the first row", LIVE, first).await;
    assert_eq!(shown.as_u64(), most);
    let sorted =
        "return document.querySelector('th[data-column=\"requests\"]').getAttribute('aria-sort');";
    assert_eq!(browser.eval(sorted).await, json!("descending"));
    let open = browser
        .client()
        .find(Locator::Css(".columns > summary"))
        .await;
    open.expect("Columns").click().await.expect("it opens");
    for column in ["p999_ms", "avg_bytes"] {
        let css = format!("[data-role='endpoint-columns'] [value='{column}']");
        let found = browser.client().find(Locator::Css(&css)).await;
        let column = found.expect("a column");
        column.send_keys(" ").await.expect("a key");
    }
    look_from_all_sides(&browser, "run-columns").await;
    let busiest = summary
        .endpoints
        .iter()
        .find(|row| Some(row.requests) == most);
    let busiest = busiest.expect("it is one of them");
    let cells = "const row = document.querySelector(`[data-endpoint-name=\"${arguments[0]}\"]`);
        return ['p999_ms', 'avg_bytes'].map((key) => Number(row.querySelector(`[data-field=\"column-${key}\"]`).dataset.value));";
    let expected = json!([
        busiest.p999_ms,
        busiest.bytes as f64 / busiest.requests as f64
    ]);
    let shown = browser.eval_with(cells, vec![json!(busiest.name)]).await;
    let floats = |value: &Value| [0, 1].map(|index| value[index].as_f64());
    assert_eq!(floats(&shown), floats(&expected));

    // What was chosen is there again; on paper all rows are.
    browser.open(&format!("{}/runs/{id}", api.url())).await;
    browser.wait_for("the first row", LIVE, first).await;
    let shown = browser.eval_with(cells, vec![json!(busiest.name)]).await;
    assert_eq!(floats(&shown), floats(&expected));
    browser
        .eval("dispatchEvent(new Event('beforeprint'));")
        .await;
    assert_eq!(rows(&browser).await.len(), ENDPOINTS);
    browser
        .eval("dispatchEvent(new Event('afterprint'));")
        .await;
    assert_quiet(&browser, api.url(), None).await;
    browser.close().await;
}

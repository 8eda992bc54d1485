//! `greylag compare`: what it prints is what the API answers, a target that is slower is found to be, and the page whose address it
//! prints last shows the same.

use std::time::Duration;

use greylag_tests::{Browser, ChaosProxy, Cluster, Nginx, START_TIMEOUT, Theme, heavy};
use serde_json::{Value, json};

use crate::browser::{LIVE, assert_quiet, look_from_all_sides};
use crate::support::{RUN_TIMEOUT, greylag};

/// A comparison needs ten steady seconds.
const DURATION: &str = "14s";

#[tokio::test]
async fn a_slower_target_is_found_and_command_line_and_api_agree() {
    let _turn = heavy().await;
    let nginx = Nginx::start_unlogged().await;
    let target = nginx.url().trim_start_matches("http://").to_owned();
    let cluster = Cluster::start(&greylag()).await;
    let cluster = cluster.with_agents("local", &["a1"]).await;
    let api = cluster.api();
    api.wait_for_agents("local", 1, START_TIMEOUT).await;
    let mut proxies = Vec::new();
    let mut ids = Vec::new();
    for (name, delay_ms) in [("before", 60), ("after", 150)] {
        let proxy = ChaosProxy::start(&target).await;
        proxy.delay(Duration::from_millis(delay_ms));
        let test = json!({
            "name": name, "host": proxy.url(), "users": 60, "arrival_rate": 40, "duration": DURATION, "ramp_up": 0,
            "workers": 1, "share": true, "declared": {"requests": [{"path": "/"}, {"path": "/list"}]},
        });
        ids.push(api.start(&test).await);
        proxies.push(proxy);
    }
    for id in &ids {
        api.wait_for_status(id, "Finished", RUN_TIMEOUT).await;
    }
    let compare = |arguments: &'static [&'static str]| {
        let coordinator = api.url().to_owned();
        async move {
            let arguments = [&["compare"], arguments, &["--coordinator", &coordinator]].concat();
            greylag().run(&arguments, RUN_TIMEOUT).await
        }
    };
    let ended = compare(&["before#1", "after", "--json"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let printed: Value = serde_json::from_str(&ended.stdout).expect("it is JSON");
    let query = format!("/api/v1/compare?runs={},{}", ids[0], ids[1]);
    let answered = api.get(&query).await.json();
    assert_eq!(printed, answered);
    let run = &answered["runs"][0];
    assert_eq!(run["verdict"], "slower", "{run}");
    let p50 = &run["aggregated"][3];
    assert_eq!(p50["statistic"], "p50_ms");
    let change = |key: &str| p50[key].as_f64().expect("it is a number");
    // Two and a half times the way there and back, to which a slow machine adds its own on both sides.
    assert!(change("low") > 0.5 && change("low") < 10.0, "{p50}");
    let summary = api.summary(&ids[1]).await;
    assert_eq!(run["run"]["number"], summary.run.number);

    let table = compare(&["before", "after", "--fail-on-slower"]).await;
    assert_eq!(table.code, Some(1), "{table:?}");
    for text in [
        "Verdict: slower",
        "Aggregated",
        "GET /list",
        "host: `",
        "FINDS",
    ] {
        assert!(table.stdout.contains(text), "{text} in\n{}", table.stdout);
    }
    let page = table.stdout.trim_end().lines().last().unwrap_or_default();
    let expected = format!("{}/compare?runs={}%2C{}", api.url(), ids[0], ids[1]);
    assert_eq!(page, expected);
    look_at(page, api.url()).await;
    let back = compare(&["after", "before", "--fail-on-slower"]).await;
    assert!(
        back.code == Some(0) && back.stdout.contains("Verdict: faster"),
        "{back:?}"
    );
    let unknown = compare(&["before", "nothing"]).await;
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    assert!(
        unknown.stderr.contains("run `nothing` was not found"),
        "{unknown:?}"
    );
}

/// Scrolls from chart to chart until each has data, and gives the head of the first one's table and how many rows it has.
const CHARTS: &str = "const charts = [...document.querySelectorAll('[data-chart^=\"compare-\"]')];
    const empty = charts.filter(({ dataset }) => dataset.chart !== 'compare-errors').find(({ dataset }) => Number(dataset.points) === 0);
    if (charts.length !== 5) return null;
    if (empty) { empty.scrollIntoView(); return null; }
    const table = charts[0].querySelector('.data-table');
    table.open = true;
    const rows = [...table.querySelectorAll('tr')];
    return rows.length < 2 ? null : [[...rows[0].cells].map((cell) => cell.textContent), rows.length];";
const VERDICT: &str = "return document.querySelector('.verdict')?.dataset.verdict ?? null;";

/// The page: charts, the other way round, an error, and from ticks in the list back to it.
async fn look_at(page: &str, url: &str) {
    let browser = Browser::start().await;
    browser.view(1440, 900, Theme::Light).await;
    browser.open(page).await;
    let charts = browser.wait_for("the charts", LIVE, CHARTS).await;
    assert_eq!(charts[0], json!(["Second", "before #1", "after #1"]));
    assert!(charts[1].as_u64() > Some(10), "{charts}");
    assert_eq!(browser.eval(VERDICT).await, "slower");
    let sort = "const head = document.querySelector('[data-sort=\"p95_ms\"]');
        head.click();
        return head.parentElement.ariaSort;";
    assert_eq!(browser.eval(sort).await, "descending");
    look_from_all_sides(&browser, "compare").await;
    let swap = "document.querySelector('[data-role=\"swap\"]').click();";
    browser.eval(swap).await;
    let is_swapped = VERDICT.replace("?? null", "=== 'faster'");
    browser
        .wait_for("the other way round", LIVE, &is_swapped)
        .await;

    browser.open(&format!("{url}/compare?runs=before")).await;
    look_from_all_sides(&browser, "compare-choose").await;
    browser.open(&format!("{url}/")).await;
    let tick = "const boxes = [...document.querySelectorAll('.run-tick input')];
        const button = document.querySelector('[data-role=\"compare-form\"] button:not([type])');
        if (boxes.length !== 2 || button.disabled === boxes[0].checked) return null;
        boxes[0].click();
        const alone = button.disabled;
        boxes[1].click();
        return [alone, button.disabled];";
    let disabled = browser.wait_for("the list", LIVE, tick).await;
    assert_eq!(disabled, json!([true, false]), "two runs are needed");
    look_from_all_sides(&browser, "front-ticked").await;
    let compare =
        "document.querySelector('[data-role=\"compare-form\"] button:not([type])').click();";
    browser.eval(compare).await;
    let is_compared = VERDICT.replace("?? null", "=== 'slower'");
    browser.wait_for("the comparison", LIVE, &is_compared).await;
    assert_quiet(&browser, url, Some("422")).await;
    browser.close().await;
}

//! What a browser keeps after an hour of a live run: the events of an hour are sent within a minute or a few, by a script in the page.

use std::time::Duration;

use greylag_tests::{Browser, Cluster, Greylag, Nginx, Theme};
use serde_json::{Value, json};

const ENDPOINTS: usize = 100;
/// On a busy machine the page takes longer than a minute for an hour.
const HOUR: Duration = Duration::from_secs(600);
/// What makes the events, put into the page before its own scripts.
const EVENTS: &str = include_str!("page_hour.js");
/// Scrolls through the table of endpoints for six seconds; gives frames per second.
const SCROLLING: &str = "const done = arguments[arguments.length - 1];
    const box = document.querySelector('.endpoints .table-scroll');
    box.scrollIntoView({ block: 'center' });
    const begin = performance.now();
    let [frames, step] = [0, 60];
    const frame = (now) => {
        frames += 1;
        box.scrollTop += step;
        if (box.scrollTop <= 0 || box.scrollTop + box.clientHeight >= box.scrollHeight - 1) step = -step;
        if (now < begin + 6_000) requestAnimationFrame(frame);
        else done((frames * 1_000) / (now - begin));
    };
    requestAnimationFrame(frame);";

/// Prints the heap at the beginning and at the end of an hour, then how smoothly 1,000 endpoints scroll.
pub(crate) async fn measure() {
    let nginx = Nginx::start_unlogged().await;
    let greylag = Greylag::at(env!("CARGO_BIN_EXE_greylag_under_test"));
    let cluster = Cluster::start(&greylag)
        .await
        .with_agents("bench", &["bench"])
        .await;
    let browser = Browser::start().await;
    browser.view(1440, 900, Theme::Light).await;
    let id = start(&cluster, &nginx, ENDPOINTS).await;
    let script = browser
        .cdp(
            "Page.addScriptToEvaluateOnNewDocument",
            json!({ "source": EVENTS }),
        )
        .await;
    browser
        .open(&format!("{}/runs/{id}", cluster.api().url()))
        .await;
    let first = heap_mb(&browser).await;
    let over = "return window.hourIsOver === true;";
    browser.wait_for("the end of the hour", HOUR, over).await;
    let last = heap_mb(&browser).await;
    println!(
        "\nA live page of {ENDPOINTS} endpoints: heap {first:.1} MB at first, {last:.1} MB after an hour"
    );
    cluster.api().stop(&id).await;

    browser
        .cdp("Page.removeScriptToEvaluateOnNewDocument", script)
        .await;
    let id = start(&cluster, &nginx, 1_000).await;
    browser
        .open(&format!("{}/runs/{id}", cluster.api().url()))
        .await;
    let rows = "return document.querySelectorAll('[data-role=\"endpoint-rows\"] tr').length > 20;";
    browser.wait_for("rows", HOUR, rows).await;
    let frames = browser.client().execute_async(SCROLLING, vec![]).await;
    let frames = frames.ok().and_then(|frames| frames.as_f64());
    println!(
        "Scrolling through 1,000 endpoints of a live run: {:.0} frames a second",
        frames.unwrap_or_default()
    );
    browser.close().await;
}

async fn start(cluster: &Cluster, nginx: &Nginx, endpoints: usize) -> String {
    let requests: Vec<Value> = (0..endpoints)
        .map(|number| json!({ "method": "GET", "path": format!("/item/{number}"), "weight": 1 }))
        .collect();
    let test = json!({
        "name": "page", "host": nginx.url(), "infrastructure": "bench", "users": 20, "workers": 1, "ramp_up": 0, "duration": 900,
        "declared": { "requests": requests, "wait_time": { "Between": [0.05, 0.15] } },
    });
    cluster.api().start(&test).await
}

/// What is left after collecting garbage.
async fn heap_mb(browser: &Browser) -> f64 {
    browser.cdp("HeapProfiler.collectGarbage", json!({})).await;
    let usage = browser.cdp("Runtime.getHeapUsage", json!({})).await;
    usage["usedSize"].as_f64().unwrap_or_default() / 1e6
}

//! What people say of a run, written on its page and on the command line.

use fantoccini::Locator;
use greylag_tests::{Browser, Cluster, Nginx, START_TIMEOUT, Theme, heavy};
use serde_json::json;

use super::looking::{LIVE, assert_quiet, look_from_all_sides};
use crate::support::{RUN_TIMEOUT, SOON, greylag, test};

async fn click(browser: &Browser, css: &str) {
    let found = browser.client().find(Locator::Css(css)).await;
    let element = found.unwrap_or_else(|error| panic!("{css}: {error}"));
    element.click().await.expect("a click");
}

async fn enter(browser: &Browser, css: &str, text: &str) {
    let found = browser.client().find(Locator::Css(css)).await;
    let field = found.unwrap_or_else(|error| panic!("{css}: {error}"));
    field.send_keys(text).await.expect("it takes text");
}

#[tokio::test]
async fn a_run_is_annotated_pinned_and_found_again() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let mut cluster = Cluster::start(&greylag()).await;
    cluster.start_agent("east", "lab");
    let api = cluster.api();
    api.wait_for_agents("lab", 1, START_TIMEOUT).await;
    let mut ids = Vec::new();
    for commit in ["commit=abc", "commit=def"] {
        let thresholds = [
            "error_rate < 50% during whole",
            "p95 < 30s within 1s",
            "requests > 0 during whole",
        ];
        let changes = json!({ "name": "checkout", "duration": 2, "labels": [commit], "thresholds": thresholds });
        let id = api.start(&test(&nginx.url(), "lab", changes)).await;
        api.wait_for_status(&id, "Finished", RUN_TIMEOUT).await;
        ids.push(id);
    }
    let url = api.url().to_owned();
    let noted = [
        "note",
        &ids[0],
        "deployed",
        "--at",
        "1s",
        "--coordinator",
        &url,
    ];
    let ended = greylag().run(&noted, SOON).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("Labels: commit=abc"), "{ended:?}");

    let browser = Browser::start().await;
    browser.view(1440, 900, Theme::Light).await;
    browser.open(&format!("{url}/runs/{}", ids[0])).await;
    let judged = "const of = (css) => document.querySelector(css)?.textContent;
        return document.querySelectorAll('[data-role=\"thresholds\"] tbody tr[data-state=\"passed\"]').length === 3
            && of('[data-role=\"verdict-pill\"]') === 'Verdict: passed';";
    browser.wait_for("the thresholds", LIVE, judged).await;
    let marked = "return [...document.querySelectorAll('[data-role=\"run-marks\"] li')].some((mark) => mark.textContent.includes('deployed'));";
    browser.wait_for("the moment", LIVE, marked).await;
    click(&browser, "[data-role='edit-note'] summary").await;
    enter(
        &browser,
        "#note-field",
        "Slower **because** of <b>the cache</b>",
    )
    .await;
    enter(&browser, "#labels-field", ", release").await;
    click(&browser, "[data-role='edit-note'] button").await;
    let noted = "const note = document.querySelector('[data-role=\"note-text\"]');
        return note?.querySelector('strong')?.textContent === 'because' && note.textContent.includes('<b>the cache</b>');";
    browser.wait_for("the note", LIVE, noted).await;
    click(&browser, "[data-role='pin']").await;
    let pinned = "return document.querySelector('[data-role=\"pinned-pill\"]') !== null
        && document.querySelector('[data-role=\"delete\"]') === null;";
    browser.wait_for("that it is pinned", LIVE, pinned).await;
    look_from_all_sides(&browser, "run-noted").await;

    // By its label to it, and to how the test's numbers go.
    click(&browser, "[data-role='labels'] a:last-child").await;
    let found = format!(
        "const runs = [...document.querySelectorAll('.run')].map((run) => run.dataset.run);
        return location.search.includes('release') && runs.length === 1 && runs[0] === '{}';",
        ids[0]
    );
    browser
        .wait_for("the run with the label", LIVE, &found)
        .await;
    browser.open(&format!("{url}/?test=checkout")).await;
    let trends =
        "return document.querySelectorAll('[data-role=\"trends\"] svg circle').length === 6;";
    browser
        .wait_for("three trends of two runs", LIVE, trends)
        .await;
    look_from_all_sides(&browser, "front-trends").await;
    assert_quiet(&browser, &url, None).await;
    browser.close().await;

    let listed = [
        "runs",
        "--label",
        "commit=abc,release",
        "--coordinator",
        &url,
    ];
    let ended = greylag().run(&listed, SOON).await;
    let has = |id: &str| ended.stdout.contains(id);
    assert!(has(&ids[0]) && !has(&ids[1]), "{ended:?}");
    assert!(has("commit=abc,release"), "{ended:?}");
    let deleted = [
        "delete",
        "--test",
        "checkout",
        "--yes",
        "--coordinator",
        &url,
    ];
    let ended = greylag().run(&deleted, SOON).await;
    assert!(
        ended.stdout.contains("Deleted 1 run."),
        "pinned runs stay: {ended:?}"
    );
}

//! Names, errors and log lines that try to be more than text are shown as text, whole or cut, everywhere.

use fantoccini::Locator;
use greylag_tests::{Browser, Cluster, Nginx, Theme, heavy, wait};
use serde_json::{Value, json};

use crate::browser::{assert_quiet, look_from_all_sides};
use crate::support::{RUN_TIMEOUT, SOON, greylag, test};

/// Control characters but line ends.
fn has_controls(text: &str) -> bool {
    text.chars().any(|c| c.is_control() && c != '\n')
}

#[tokio::test]
async fn hostile_texts_are_harmless() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east"])
        .await;
    let api = cluster.api();
    let changes = json!({
        "name": "<script>alert('test')</script>", "scenario": "hostile", "users": 4, "workers": 1,
        "ramp_up": 0, "duration": 8,
    });
    let id = api.start(&test(&nginx.url(), "lab", changes)).await;
    let browser = Browser::start().await;
    browser.view(1440, 900, Theme::Light).await;
    let page = format!("{}/runs/{id}", api.url());
    browser.open(&page).await;
    api.wait_for_status(&id, "Finished", RUN_TIMEOUT).await;
    browser.wait_for("Finished", SOON, "return document.querySelector('[data-field=\"status\"]').dataset.value === 'Finished';").await;

    // Counted to the last one, whatever they are called: panics and prints are no requests.
    let summary = api.summary(&id).await;
    assert_eq!(
        summary.totals.requests,
        nginx.finish().await.totals().requests
    );
    let names: Vec<&str> = summary
        .endpoints
        .iter()
        .map(|endpoint| endpoint.name.as_str())
        .collect();
    for name in [
        "<script>alert('name')</script>",
        "\"><img src=x onerror=alert('attribute')>",
        "error",
    ] {
        assert!(names.contains(&name), "{name} is missing: {names:?}");
    }
    let long = names
        .iter()
        .find(|name| name.starts_with("long-"))
        .expect("the long name");
    assert!(
        long.len() <= 512 && long.ends_with('…'),
        "{} bytes",
        long.len()
    );
    assert_eq!(summary.endpoints.len(), 6);
    let panic = summary
        .errors
        .iter()
        .find(|error| error.method == "TASK")
        .expect("the panics are errors");
    assert!(
        panic.name.contains("panics") && panic.error.contains("<script>alert('panic')</script>"),
        "{panic:?}"
    );
    assert!(panic.occurrences > 0);

    // In texts for terminals nothing can control one.
    let log = api.log(&id).await;
    let tables = api.get(&format!("/api/v1/runs/{id}/tables")).await.body;
    for (what, text) in [("the log", &log), ("the tables", &tables)] {
        let bad = text.lines().find(|line| has_controls(line));
        assert!(bad.is_none(), "{what} holds control characters: {bad:?}");
    }
    assert!(
        log.contains("<script>alert('log')</script>") && log.contains("cleared"),
        "{log}"
    );
    assert!(
        log.contains("broken \u{fffd}") && log.contains("utf-8"),
        "invalid UTF-8 is shown as such: {log}"
    );
    assert!(log.lines().all(|line| line.len() < 5_000), "lines are cut");

    for fresh in [false, true] {
        if fresh {
            browser.open(&page).await;
            browser.wait_for("charts", SOON, "return document.querySelectorAll('figure canvas, figure .chart-canvas svg').length >= 3;").await;
        }
        assert_harmless(&browser).await;
    }
    let panel = browser
        .client()
        .find(Locator::Css("[data-role='console'] > summary"))
        .await
        .expect("Console Logs");
    panel.click().await.expect("the panel opens");
    wait::until("the hostile log line", SOON, async || {
        let shown = "return [...document.querySelectorAll('[data-role=\"log-lines\"] .text')]
            .some((line) => line.checkVisibility() && line.textContent === \"<script>alert('log')</script>\");";
        let shown = browser.eval(shown).await;
        if shown == json!(true) { Ok(()) } else { Err(shown.to_string()) }
    })
    .await;
    assert_harmless(&browser).await;
    look_from_all_sides(&browser, "hostile").await;
    browser.open(api.url()).await;
    assert_harmless(&browser).await;
    look_from_all_sides(&browser, "hostile-front").await;

    assert_quiet(&browser, api.url(), None).await;
    browser.close().await;
}

/// No dialog is open, no element was made of a name, and the names are readable as text.
async fn assert_harmless(browser: &Browser) {
    assert!(
        browser.client().get_alert_text().await.is_err(),
        "a dialog is open"
    );
    let script = "const strange = [...document.querySelectorAll('script')]
            .filter((script) => script.type !== 'application/json' && (!script.src || new URL(script.src).origin !== location.origin));
        const made = [...document.querySelectorAll('img, iframe, object, embed, [onerror], [onload]')];
        return [...strange, ...made].map((element) => element.outerHTML.slice(0, 200));";
    assert_eq!(
        browser.eval(script).await,
        json!([]),
        "elements made of names"
    );
    let text: Value = browser.eval("return document.body.textContent;").await;
    let text = text.as_str().expect("text");
    assert!(text.contains("<script>alert('"), "the names are not shown");
}

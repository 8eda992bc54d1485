//! Popovers: one at a time, closed by Esc and by a click outside, and a run is deleted through one.

use fantoccini::Locator;
use fantoccini::key::Key;
use greylag_tests::{Browser, Cluster, Nginx, Theme, heavy, wait};
use serde_json::{Value, json};

use super::looking::{LIVE, assert_quiet};
use crate::support::{RUN_TIMEOUT, greylag, test};

const OPEN: &str = "return document.querySelectorAll('details.confirm[open]').length;";

/// Clicks; a region that is written anew in between is looked for again.
async fn click(browser: &Browser, selector: &str) {
    wait::until(selector, LIVE, async || {
        let found = browser.client().find(Locator::Css(selector)).await;
        let element = found.map_err(|error| error.to_string())?;
        element.click().await.map_err(|error| error.to_string())
    })
    .await;
}

async fn focused(browser: &Browser) -> Value {
    browser
        .eval("return document.activeElement.textContent.trim();")
        .await
}

#[tokio::test]
async fn popovers_close_and_a_run_is_deleted() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east"])
        .await;
    let api = cluster.api();
    for duration in [1, 2] {
        let changes = json!({ "name": "brief", "ramp_up": 0, "duration": duration });
        let id = api.start(&test(&nginx.url(), "lab", changes)).await;
        api.wait_for_status(&id, "Finished", RUN_TIMEOUT).await;
    }
    let runs = api.get("/api/v1/runs").await.json();
    let id = runs["runs"][0]["id"].as_str().expect("an id").to_owned();
    let browser = Browser::start().await;
    browser.view(1440, 900, Theme::Light).await;
    browser.open(&format!("{}/runs/{id}", api.url())).await;

    click(&browser, ".run-actions .menu summary").await;
    assert_eq!(browser.eval(OPEN).await, json!(1));
    click(&browser, "[data-role='delete'] summary").await;
    assert_eq!(browser.eval(OPEN).await, json!(1), "the first one closes");
    let field = browser
        .client()
        .find(Locator::Css("[data-role='delete'] button"))
        .await;
    let keys = String::from(char::from(Key::Escape));
    field
        .expect("the button")
        .send_keys(&keys)
        .await
        .expect("a key");
    assert_eq!(browser.eval(OPEN).await, json!(0), "Esc closes it");
    assert_eq!(
        focused(&browser).await,
        json!("Delete"),
        "the focus is back"
    );
    click(&browser, "[data-role='delete'] summary").await;
    click(&browser, ".run-title h1").await;
    assert_eq!(
        browser.eval(OPEN).await,
        json!(0),
        "a click outside closes it"
    );
    assert_eq!(focused(&browser).await, json!("Delete"));

    click(&browser, "[data-role='delete'] summary").await;
    click(&browser, "[data-role='delete'] button").await;
    let left = "return document.querySelector('.run-list') && [...document.querySelectorAll('.run')].map((run) => run.dataset.run);";
    let left = browser.wait_for("the list", LIVE, left).await;
    assert_eq!(left.as_array().map(Vec::len), Some(1), "{left}");
    assert_ne!(left[0], json!(id));
    // The other one from the list.
    click(&browser, ".run summary[aria-label^='Delete']").await;
    click(&browser, ".run .popover button").await;
    browser
        .wait_for(
            "no runs",
            LIVE,
            "return document.querySelector('.empty h2')?.textContent === 'No runs yet';",
        )
        .await;
    assert_eq!(api.get("/api/v1/runs").await.json()["total"], json!(0));
    assert_quiet(&browser, api.url(), None).await;
    browser.close().await;
}

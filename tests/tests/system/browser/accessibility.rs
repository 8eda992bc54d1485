//! Every page and state that the other tests do not look at: nothing overflows, and axe finds nothing.

use greylag_tests::{Browser, Cluster, Nginx, Theme, heavy};
use serde_json::json;

use super::looking::{LIVE, assert_quiet, look_from_all_sides};
use crate::support::{RUN_TIMEOUT, greylag, test};

const OPEN_EVERYTHING: &str =
    "for (const details of document.querySelectorAll('main details')) details.open = true;";

#[tokio::test]
async fn every_state_of_every_page_can_be_read() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let mut cluster = Cluster::start(&greylag()).await;
    let browser = Browser::start().await;
    browser.view(1440, 900, Theme::Light).await;
    let url = cluster.api().url().to_owned();
    browser.open(&url).await;
    look_from_all_sides(&browser, "front-empty").await;
    browser.open(&format!("{url}/nothing-here")).await;
    look_from_all_sides(&browser, "error").await;

    cluster.start_agent("east", "lab");
    cluster.api().wait_for_agents("lab", 1, LIVE).await;
    let changes = json!({ "name": "a name that is long enough to be cut somewhere on a narrow screen", "duration": 600 });
    let api = cluster.api();
    let id = api.start(&test(&nginx.url(), "lab", changes)).await;
    api.wait_for_requests(&id, 50, RUN_TIMEOUT).await;
    browser.open(&format!("{url}/runs/{id}")).await;
    look_from_all_sides(&browser, "run-live").await;
    browser.eval(OPEN_EVERYTHING).await;
    look_from_all_sides(&browser, "run-live-open").await;
    browser.open(&url).await;
    browser
        .eval("document.querySelector('.run details.confirm').open = true;")
        .await;
    look_from_all_sides(&browser, "front-running").await;

    // All requests fail.
    drop(nginx);
    api.stop(&id).await;
    api.wait_for_status(&id, "Failed", RUN_TIMEOUT).await;
    browser.open(&format!("{url}/runs/{id}")).await;
    browser.eval(OPEN_EVERYTHING).await;
    look_from_all_sides(&browser, "run-failed-open").await;
    let changes = json!({ "name": "no answer", "host": "http://127.0.0.1:9", "duration": 3 });
    let refused = api.start(&test("http://127.0.0.1:9", "lab", changes)).await;
    api.wait_for_status(&refused, "Finished", RUN_TIMEOUT).await;
    browser.open(&format!("{url}/runs/{refused}")).await;
    look_from_all_sides(&browser, "run-all-failed").await;

    browser.open(&url).await;
    look_from_all_sides(&browser, "front-runs").await;
    browser
        .eval("document.querySelector('.run details.confirm').open = true;")
        .await;
    look_from_all_sides(&browser, "front-delete").await;
    browser.open(&format!("{url}/?q=nothing+like+this")).await;
    look_from_all_sides(&browser, "front-nothing-found").await;
    assert_quiet(&browser, &url, Some("404")).await;
    browser.close().await;
}

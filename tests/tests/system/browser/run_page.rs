//! The run page: live, after a reload, after a restart of the coordinator.

use greylag_tests::{Browser, Cluster, Nginx, Theme, heavy, wait};
use rustix::process::Signal;
use serde_json::json;

use super::console_logs::assert_console_logs;
use super::looking::{LIVE, assert_quiet, eval, look_from_all_sides, number};
use super::shown::assert_shows;
use crate::support::{RUN_TIMEOUT, SOON, declared, greylag, mixed_requests, test};

/// Whether the page shows this status.
fn has_status(status: &str) -> String {
    format!(
        "return document.querySelector('[data-field=\"status\"]').dataset.value === '{status}';"
    )
}

/// Marks the page that is open.
async fn mark(browser: &Browser) {
    browser.eval("window.stillTheSamePage = true;").await;
}

/// The page is the one that was marked.
async fn assert_not_loaded_again(browser: &Browser) {
    let is_marked = "return window.stillTheSamePage ?? false;";
    assert_eq!(
        browser.eval(is_marked).await,
        json!(true),
        "the page was loaded again"
    );
}

#[tokio::test]
async fn the_run_page_shows_the_summary_live_and_after_a_restart() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let mut cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east", "west"])
        .await;
    let browser = Browser::start().await;
    browser.view(1440, 900, Theme::Light).await;
    let load = |name: &str, duration: u32| {
        let changes = json!({
            "name": name, "users": 20, "workers": 4, "ramp_up": 2, "duration": duration,
            "declared": declared(&mixed_requests(), (0.05, 0.2)),
        });
        test(&nginx.url(), "lab", changes)
    };

    // It changes while the run goes, without being loaded again. The run goes on until all of that has been seen.
    let live = cluster.api().start(&load("live", 600)).await;
    browser
        .open(&format!("{}/runs/{live}", cluster.api().url()))
        .await;
    mark(&browser).await;
    browser
        .wait_for("Running", LIVE, &has_status("Running"))
        .await;
    let mut last = 0.0;
    for _ in 0..3 {
        last = wait::until("the card to grow", LIVE, async || {
            let now = number(&browser, "total-requests").await;
            if now > last {
                Ok(now)
            } else {
                Err(now.to_string())
            }
        })
        .await;
    }
    let growing = "return Number(document.querySelector('figure[data-chart=\"active-users\"]').dataset.points) > 2;";
    browser.wait_for("points in the chart", LIVE, growing).await;
    assert!(
        number(&browser, "active-users").await > 0.0,
        "users are active"
    );
    let stop = "return named('Stop') !== null;";
    assert_eq!(
        eval(&browser, stop, vec![]).await,
        json!(true),
        "a running run can be stopped"
    );
    assert_not_loaded_again(&browser).await;
    cluster.api().stop(&live).await;
    cluster
        .api()
        .wait_for_status(&live, "Failed", RUN_TIMEOUT)
        .await;

    // The same when it ends.
    let id = cluster.api().start(&load("checkout & <pay>", 8)).await;
    let page = format!("{}/runs/{id}", cluster.api().url());
    browser.open(&page).await;
    mark(&browser).await;
    cluster
        .api()
        .wait_for_status(&id, "Finished", RUN_TIMEOUT)
        .await;
    browser
        .wait_for("Finished", LIVE, &has_status("Finished"))
        .await;
    assert_not_loaded_again(&browser).await;
    assert_eq!(
        eval(&browser, stop, vec![]).await,
        json!(false),
        "a run that is over cannot be stopped"
    );
    drop(nginx);

    let summary = cluster.api().summary(&id).await;
    assert_shows(&browser, &summary).await;
    assert_console_logs(&browser).await;
    look_from_all_sides(&browser, "run").await;
    assert_quiet(&browser, cluster.api().url(), None).await;

    // Loaded again, and after a restart: the same.
    browser.open(&page).await;
    browser.wait_for("charts", LIVE, "return document.querySelectorAll('figure canvas, figure .chart-canvas svg').length >= 2;").await;
    assert_shows(&browser, &summary).await;
    browser.open("about:blank").await;
    cluster.coordinator().signal(Signal::TERM);
    cluster.coordinator().wait(SOON).await;
    cluster.restart_coordinator().await;
    cluster.api().wait_for_agents("lab", 2, SOON).await;
    assert_eq!(
        cluster.api().summary(&id).await,
        summary,
        "the summary after a restart"
    );
    browser.open(&page).await;
    browser.wait_for("charts", LIVE, "return document.querySelectorAll('figure canvas, figure .chart-canvas svg').length >= 2;").await;
    assert_shows(&browser, &summary).await;
    assert_quiet(&browser, cluster.api().url(), None).await;
    browser.close().await;
}

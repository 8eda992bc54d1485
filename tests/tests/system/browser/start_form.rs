//! Starting, stopping and running again by clicking.

use fantoccini::Locator;
use greylag_tests::{Browser, Cluster, Nginx, Theme, heavy, wait};
use serde_json::json;

use super::looking::{LIVE, assert_quiet, eval, field, look_from_all_sides};
use crate::support::{RUN_TIMEOUT, greylag, test};

/// The fields that are marked as wrong: name, message, and whether the cursor is there.
pub(super) const MARKED: &str = "return [...document.querySelectorAll('[data-role=\"start-form\"] [aria-invalid=\"true\"]')]
    .filter(isVisible).map((field) => [field.name,
        clean(document.getElementById(field.getAttribute('aria-describedby').split(' ')[0]).textContent),
        field === document.activeElement]);";

#[tokio::test]
async fn start_stop_and_run_again_by_clicking() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east"])
        .await;
    let browser = Browser::start().await;
    browser.view(1440, 900, Theme::Light).await;
    let client = browser.client();
    browser.open(cluster.api().url()).await;
    // Where there is room the form is open.
    if browser
        .eval("return document.querySelector('[data-role=\"start\"]').open;")
        .await
        == json!(false)
    {
        client
            .find(Locator::Css("[data-role='start'] > summary"))
            .await
            .expect("Start a load test")
            .click()
            .await
            .expect("it opens");
    }

    let fill = async |name: &str, text: &str| {
        let field = client
            .find(Locator::Css(&format!(
                "[data-role='start-form'] [name='{name}']"
            )))
            .await;
        let field = field.unwrap_or_else(|error| panic!("no field {name}: {error}"));
        field.clear().await.expect("fields can be cleared");
        field.send_keys(text).await.expect("fields take text");
    };
    for (name, text) in [
        ("name", "by hand"),
        ("host", &nginx.url()),
        ("users", "6"),
        ("workers", "2"),
        ("duration", "10m"),
        ("ramp_up", "2m"),
    ] {
        fill(name, text).await;
    }
    for (name, label) in [("infrastructure", "lab"), ("scenario", "per-process")] {
        let select = client
            .find(Locator::Css(&format!(
                "[data-role='start-form'] select[name='{name}']"
            )))
            .await;
        select
            .expect("a list")
            .select_by_value(label)
            .await
            .unwrap_or_else(|error| panic!("{name} {label}: {error}"));
    }
    let drawing = "return document.querySelector('[data-role=\"profile\"] .profile-line').getAttribute('d').length > 0;";
    browser
        .wait_for("the drawing of the load profile", LIVE, drawing)
        .await;
    look_from_all_sides(&browser, "front-form").await;

    // An error stands beside its field before the form is sent; the cursor is there.
    fill("users", "1").await;
    let submit = async || {
        let button = client
            .find(Locator::Css("[data-role='start-form'] button.primary"))
            .await
            .expect("Start");
        button.click().await.expect("a click");
    };
    submit().await;
    let marked = eval(&browser, MARKED, vec![]).await;
    assert_eq!(
        marked,
        json!([["workers", "Use no more workers than users.", true]])
    );
    look_from_all_sides(&browser, "front-form-errors").await;
    assert_eq!(
        cluster.api().get("/api/v1/runs").await.json()["runs"],
        json!([]),
        "nothing was started"
    );
    let host = browser
        .eval("return document.querySelector('[data-role=\"start-form\"] [name=\"host\"]').value;")
        .await;
    assert_eq!(host, json!(nginx.url()), "what was typed is still there");
    fill("users", "6").await;
    fill("ramp_up", "0").await;
    // A threshold that cannot be read says which part of it, and what is expected; the fold that it is in is open then.
    let fold = "document.querySelector('[data-role=\"start-form\"] [name=\"thresholds\"]').closest('details').open";
    browser.eval(&format!("{fold} = true;")).await;
    fill("thresholds", "p95 < 500").await;
    submit().await;
    let marked = wait::until("the error of the threshold", LIVE, async || {
        let marked = eval(&browser, MARKED, vec![]).await;
        match marked.as_array().is_none_or(Vec::is_empty) {
            true => Err("nothing is marked".to_owned()),
            false => Ok(marked),
        }
    })
    .await;
    let expected = "Threshold p95 < 500: 500 is not a valid limit of p95; did you mean 500ms?";
    assert_eq!(marked, json!([["thresholds", expected, true]]));
    fill("thresholds", "p95 < 30s").await;
    submit().await;
    let id = wait_for_run_page(&browser, None).await;
    let rows = "const rows = [...document.querySelectorAll('.thresholds-table tbody tr')];
        return rows.map((row) => [clean(row.querySelector('.condition').textContent), clean(row.cells[2].textContent)]);";
    let rows = eval(&browser, rows, vec![]).await;
    assert_eq!(rows, json!([["p95 < 30s", "30 s"]]));
    browser.wait_for("requests", LIVE, "return Number(document.querySelector('[data-field=\"total-requests\"]').dataset.value) > 20;").await;
    assert_eq!(field(&browser, "users").await.0, "6");

    client
        .find(Locator::Css("[data-role='stop'] > summary"))
        .await
        .expect("Stop")
        .click()
        .await
        .expect("a click");
    client
        .find(Locator::Css("[data-role='stop'] form button"))
        .await
        .expect("Stop the run")
        .click()
        .await
        .expect("a click");
    browser
        .wait_for(
            "Failed",
            LIVE,
            "return document.querySelector('[data-field=\"status\"]')?.dataset.value === 'Failed';",
        )
        .await;
    let (reason, _) = field(&browser, "failure-reason").await;
    assert!(reason.contains("stopped"), "{reason}");

    client
        .find(Locator::Css("[data-role='again']"))
        .await
        .expect("Run again")
        .click()
        .await
        .expect("a click");
    // The form is filled in from the run, to be changed.
    let values = "const form = document.querySelector('[data-role=\"start-form\"]');
        return form?.elements.source?.value && ['name', 'users', 'workers', 'duration', 'ramp_up', 'infrastructure', 'scenario']
            .map((name) => form.elements[name].value);";
    assert_eq!(
        browser.wait_for("the form", LIVE, values).await,
        json!(["by hand", "6", "2", "10m", "0s", "lab", "per-process"])
    );
    look_from_all_sides(&browser, "front-again").await;
    fill("users", "4").await;
    submit().await;
    let again = wait_for_run_page(&browser, Some(&id)).await;
    browser.wait_for("requests", LIVE, "return Number(document.querySelector('[data-field=\"total-requests\"]').dataset.value) > 20;").await;
    cluster.api().stop(&again).await;
    cluster
        .api()
        .wait_for_status(&again, "Failed", RUN_TIMEOUT)
        .await;
    let (one, two) = (
        cluster.api().summary(&id).await.run,
        cluster.api().summary(&again).await.run,
    );
    assert_eq!((one.number, two.number), (1, 2));
    assert_eq!((one.test, one.workers), (two.test, two.workers));
    assert_eq!((one.users, two.users), (6, 4));

    // The front page follows by itself what is started elsewhere: by events, not by its timer.
    let no_timer = json!({ "source": "window.setInterval = () => 0;" });
    browser
        .cdp("Page.addScriptToEvaluateOnNewDocument", no_timer)
        .await;
    browser.open(cluster.api().url()).await;
    browser.eval("window.stillTheSamePage = true;").await;
    let changes =
        json!({ "name": "elsewhere", "scenario": "per-process", "duration": 600, "ramp_up": 0 });
    let third = cluster
        .api()
        .start(&test(&nginx.url(), "lab", changes))
        .await;
    let script = format!(
        "return document.querySelector('[data-run=\"{third}\"][data-status=\"Running\"]') !== null;"
    );
    browser
        .wait_for("the new run on the front page", LIVE, &script)
        .await;
    cluster.api().stop(&third).await;
    let script = format!(
        "return document.querySelector('[data-run=\"{third}\"][data-status=\"Failed\"]') !== null;"
    );
    browser
        .wait_for("its end on the front page", LIVE, &script)
        .await;
    assert_eq!(
        browser
            .eval("return window.stillTheSamePage ?? false;")
            .await,
        json!(true),
        "the page was loaded again"
    );
    let script = "return [...document.querySelectorAll('[data-run]')].filter(isVisible).map((run) => run.dataset.run);";
    assert_eq!(
        eval(&browser, script, vec![]).await,
        json!([third, again, id]),
        "the newest run first"
    );
    look_from_all_sides(&browser, "front").await;
    // Of the threshold that could not be read.
    assert_quiet(&browser, cluster.api().url(), Some("status of 422")).await;
    browser.close().await;
}

/// Waits until the browser is on the page of a run, another than `not`.
async fn wait_for_run_page(browser: &Browser, not: Option<&str>) -> String {
    wait::until("the run's page", LIVE, async || {
        let url = browser
            .client()
            .current_url()
            .await
            .expect("a page is open");
        match url.path().strip_prefix("/runs/") {
            Some(id) if !id.is_empty() && !id.contains('/') && Some(id) != not => Ok(id.to_owned()),
            _ => Err(url.to_string()),
        }
    })
    .await
}

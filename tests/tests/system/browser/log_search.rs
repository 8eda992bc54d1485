//! A log is searched, filtered and followed in the page, also one of more lines than the page keeps.

use fantoccini::Locator;
use greylag_tests::{Browser, Cluster, Theme, heavy};
use serde_json::json;

use super::looking::{LIVE, assert_quiet, eval, look_from_all_sides};
use crate::support::{RUN_TIMEOUT, greylag, test};

/// What is in the panel.
const SHOWN: &str = "const part = (role) => document.querySelector(`[data-role=\"${role}\"]`);
    const lines = [...document.querySelectorAll('[data-role=\"log-lines\"] .line')];
    const at = part('console-scroll');
    return {
        lines: lines.length, marks: document.querySelectorAll('.line mark').length,
        sources: [...new Set(lines.map((line) => line.querySelector('.source').textContent))],
        levels: [...new Set(lines.map((line) => line.dataset.level ?? ''))],
        error: part('log-error').hidden ? '' : part('log-error').textContent,
        matches: part('log-matches').textContent,
        follows: part('log-follow').checked,
        fresh: part('log-new').hidden ? '' : part('log-new').textContent,
        is_at_end: at.scrollHeight - at.clientHeight - at.scrollTop < 24,
        download: part('log-download').getAttribute('href'),
    };";

async fn wait_for(browser: &Browser, what: &str, condition: &str) {
    let script = format!("const shown = (() => {{ {SHOWN} }})(); return ({condition}) && shown;");
    browser.wait_for(what, LIVE, &script).await;
}

async fn type_into(browser: &Browser, role: &str, text: &str) {
    let script = "const field = document.querySelector(`[data-role=\"${arguments[0]}\"]`);
        field.value = arguments[1]; field.dispatchEvent(new Event(field.tagName === 'SELECT' ? 'change' : 'input'));";
    eval(browser, script, vec![json!(role), json!(text)]).await;
}

async fn click(browser: &Browser, css: &str) {
    let element = browser.client().find(Locator::Css(css)).await;
    let element = element.unwrap_or_else(|error| panic!("no {css}: {error}"));
    element
        .click()
        .await
        .unwrap_or_else(|error| panic!("{css}: {error}"));
}

#[tokio::test]
async fn a_log_is_searched_filtered_and_followed() {
    let _turn = heavy().await;
    let cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east"])
        .await;
    let api = cluster.api();
    let changes = json!({ "name": "talk", "scenario": "talkative", "users": 2, "workers": 2, "ramp_up": 0, "duration": 600 });
    let id = api.start(&test("http://127.0.0.1:9", "lab", changes)).await;
    let browser = Browser::start().await;
    browser.view(1440, 900, Theme::Light).await;
    browser.open(&format!("{}/runs/{id}", api.url())).await;
    click(&browser, "[data-role='console'] > summary").await;
    wait_for(
        &browser,
        "lines that come",
        "shown.lines > 5 && shown.follows && shown.is_at_end",
    )
    .await;

    // Whoever scrolls up stays there, and sees how many lines are new.
    let up = "const at = document.querySelector('[data-role=\"console-scroll\"]');
        at.style.height = '60px'; at.scrollTop = 0; at.dispatchEvent(new Event('scroll'));";
    eval(&browser, up, vec![]).await;
    wait_for(
        &browser,
        "new lines",
        "!shown.follows && / new lines?$/.test(shown.fresh) && !shown.is_at_end",
    )
    .await;
    click(&browser, "[data-role='log-new']").await;
    wait_for(
        &browser,
        "the end",
        "shown.follows && shown.is_at_end && shown.fresh === ''",
    )
    .await;

    // Found lines are followed, too, and each is marked.
    type_into(&browser, "log-search", "BASKET=").await;
    wait_for(
        &browser,
        "marked lines",
        "shown.lines > 0 && shown.marks >= shown.lines && shown.matches.includes('line')",
    )
    .await;
    click(&browser, "[data-role='log-regex']").await;
    type_into(&browser, "log-search", "basket=(").await;
    wait_for(
        &browser,
        "what is wrong",
        "shown.error.includes('is not a valid regular expression: unclosed group, at character 8')",
    )
    .await;
    look_from_all_sides(&browser, "log-search-error").await;
    type_into(&browser, "log-search", "nothing says this").await;
    wait_for(
        &browser,
        "that nothing was found",
        "shown.error === '' && shown.lines === 0",
    )
    .await;
    look_from_all_sides(&browser, "log-search-nothing").await;
    type_into(&browser, "log-search", "basket=\\d").await;
    wait_for(&browser, "a regular expression", "shown.error === '' && shown.lines > 0 && shown.marks >= shown.lines && shown.download.includes('regex=true')").await;
    look_from_all_sides(&browser, "log-search").await;
    type_into(&browser, "log-search", "").await;

    // By whom, by a click on the name; and by level.
    let click_worker = "const name = [...document.querySelectorAll('.line .source')].find((name) => name.textContent === 'east/worker-1');
        name?.click();
        return Boolean(name);";
    browser.wait_for("a worker", LIVE, click_worker).await;
    let of_worker = "shown.sources.length === 1 && shown.sources[0] === 'east/worker-1'";
    wait_for(&browser, "lines of one worker", of_worker).await;
    type_into(&browser, "log-source", "").await;
    type_into(&browser, "log-level", "error").await;
    wait_for(
        &browser,
        "errors only",
        "shown.levels.every((level) => level === 'error')",
    )
    .await;
    type_into(&browser, "log-level", "").await;
    wait_for(
        &browser,
        "everything",
        "shown.sources.length > 1 && shown.matches === ''",
    )
    .await;

    api.stop(&id).await;
    api.wait_for_status(&id, "Failed", RUN_TIMEOUT).await;
    // A moment of the run.
    eval(&browser, "location.hash = '#t=1';", vec![]).await;
    wait_for(
        &browser,
        "the lines of a moment",
        "!shown.follows && shown.lines > 0",
    )
    .await;
    // The expression that was not valid.
    assert_quiet(&browser, api.url(), Some("422")).await;
    browser.close().await;
}

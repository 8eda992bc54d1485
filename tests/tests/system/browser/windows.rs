//! Parts of a run on its page: dragged windows, phases, endpoints, agents, by mouse, finger, keyboard and address.

use fantoccini::Locator;
use fantoccini::key::Key;
use greylag_tests::{Api, Browser, Cluster, Nginx, Theme, heavy, wait};
use serde_json::{Value, json};

use super::looking::{LIVE, assert_quiet, eval, look_from_all_sides};
use super::saved_page::assert_saved_page;
use crate::support::{RUN_TIMEOUT, declared, greylag, mixed_requests, test};

/// The part that the address names, and what the page shows of it.
const SHOWN: &str = "const value = (name) => Number(document.querySelector(`[data-field=\"${name}\"]`).dataset.value);
    const rows = [...document.querySelectorAll('[data-role=\"endpoint-rows\"] tr')].map((row) =>
        [row.dataset.endpointMethod, row.dataset.endpointName, ...['requests', 'fails', 'avg'].map((field) =>
            Number(row.querySelector(`[data-field=\"${field}\"]`).dataset.value))]);
    const errors = [...document.querySelectorAll('[data-role=\"errors\"] tbody tr')].map((row) => Number(row.cells[3].dataset.value));
    return { query: location.protocol === 'file:' ? location.hash.slice(1) : location.search,
        cards: ['total-requests', 'requests-per-second', 'total-failures', 'avg-response-time', 'p50', 'p90', 'p95', 'p99'].map(value),
        rows, errors };";

/// What the API answers for a query, in the same form.
async fn answered(api: &Api, id: &str, query: &str) -> Value {
    let view = api.get(&format!("/api/v1/runs/{id}{query}")).await.json();
    let cards = &view["cards"];
    let keys = [
        "requests", "rps", "failures", "avg_ms", "p50_ms", "p90_ms", "p95_ms", "p99_ms",
    ];
    let number = |value: &Value| json!(value.as_f64());
    let list = |name: &str| view[name].as_array().cloned().unwrap_or_default();
    let row = |row: &Value| {
        let numbers = ["requests", "failures", "avg_ms"].map(|key| number(&row[key]));
        let [requests, failures, average] = numbers;
        json!([row["method"], row["name"], requests, failures, average])
    };
    let errors: Vec<Value> = list("errors")
        .iter()
        .map(|e| number(&e["occurrences"]))
        .collect();
    json!({
        "query": query,
        "cards": keys.map(|key| number(&cards[key])),
        "rows": list("endpoints").iter().map(row).collect::<Vec<_>>(),
        "errors": errors,
    })
}

/// Numbers of the page may be whole where JSON has a fraction.
fn as_floats(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(list) => list.iter().map(as_floats).collect(),
        Value::Object(members) => {
            let members = members.iter();
            Value::Object(
                members
                    .map(|(key, one)| (key.clone(), as_floats(one)))
                    .collect(),
            )
        }
        other => other.clone(),
    }
}

/// The page shows the numbers of the part that its address names, which is `part` unless that is empty; gives its query.
pub(super) async fn assert_part(browser: &Browser, api: &Api, id: &str, part: &str) -> String {
    wait::until("the numbers of the part", LIVE, async || {
        let shown = as_floats(&eval(browser, SHOWN, vec![]).await);
        let query = shown["query"].as_str().unwrap_or_default().to_owned();
        let expected = as_floats(&answered(api, id, &query).await);
        if shown == expected && (part.is_empty() || query == part) {
            Ok(query)
        } else {
            Err(format!(
                "{part}: the page shows {shown}, the API answers {expected}"
            ))
        }
    })
    .await
}

pub(super) async fn click(browser: &Browser, css: &str) {
    let found = browser.client().find(Locator::Css(css)).await;
    let element = found.unwrap_or_else(|error| panic!("no {css}: {error}"));
    element
        .click()
        .await
        .unwrap_or_else(|error| panic!("{css}: {error}"));
}

pub(super) async fn press(browser: &Browser, css: &str, keys: &str) {
    let found = browser.client().find(Locator::Css(css)).await;
    let element = found.unwrap_or_else(|error| panic!("no {css}: {error}"));
    element
        .send_keys(keys)
        .await
        .unwrap_or_else(|error| panic!("{css}: {error}"));
}

async fn enter(browser: &Browser, from: &str, to: &str) {
    for (name, text) in [("from", from), ("to", to)] {
        let css = format!("[data-role='scope-form'] [name='{name}']");
        let field = browser
            .client()
            .find(Locator::Css(&css))
            .await
            .expect("a field");
        field.clear().await.expect("fields can be cleared");
        field.send_keys(text).await.expect("fields take text");
    }
    click(browser, "[data-role='scope-form'] button").await;
}

pub(super) const THROUGHPUT: &str = "[data-chart='total-requests-per-second'] .chart-canvas";
pub(super) const DRAWN: &str = "return document.querySelectorAll('figure canvas').length >= 2;";

#[tokio::test]
async fn any_part_of_a_run_can_be_selected_on_its_page() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east", "west"])
        .await;
    let api = cluster.api();
    let browser = Browser::start().await;
    browser.view(1440, 900, Theme::Light).await;
    let load = |name: &str, users: u32, duration: u32| {
        let changes = json!({
            "name": name, "users": users, "workers": users / 3, "ramp_up": 2, "duration": duration,
            "declared": declared(&mixed_requests(), (0.02, 0.1)),
        });
        test(&nginx.url(), "lab", changes)
    };
    let id = api.start(&load("windows", 12, 8)).await;
    let page = format!("{}/runs/{id}", api.url());
    // However long the browser takes, this one goes on meanwhile.
    let live = api.start(&load("live", 3, 600)).await;
    wait::until("results of the part", RUN_TIMEOUT, async || {
        let answer = api.get(&format!("/api/v1/runs/{live}/view?from=1")).await;
        if answer.status.is_success() {
            Ok(())
        } else {
            Err(answer.body)
        }
    })
    .await;

    // A part that goes on with the run is live.
    browser
        .open(&format!("{}/runs/{live}?from=1", api.url()))
        .await;
    browser.wait_for("charts", LIVE, DRAWN).await;
    let requests =
        "return Number(document.querySelector('[data-field=\"total-requests\"]').dataset.value);";
    let mut last = 0.0;
    for _ in 0..2 {
        last = wait::until("the part to grow", LIVE, async || {
            let now = browser.eval(requests).await.as_f64().unwrap_or(0.0);
            if now > last {
                Ok(now)
            } else {
                Err(now.to_string())
            }
        })
        .await;
    }
    api.stop(&live).await;
    api.wait_for_status(&live, "Failed", RUN_TIMEOUT).await;
    assert_part(&browser, api, &live, "?from=1").await;

    api.wait_for_status(&id, "Finished", RUN_TIMEOUT).await;
    browser.open(&format!("{page}?from=1")).await;
    browser.wait_for("charts", LIVE, DRAWN).await;
    assert_part(&browser, api, &id, "?from=1").await;

    // Dragged over on a chart, twice: within the first window a smaller one. Then back, and forward again.
    browser.drag(THROUGHPUT, 0.2, 0.8).await;
    let one = "return location.search.includes('to=');";
    browser.wait_for("a window", LIVE, one).await;
    let wide = assert_part(&browser, api, &id, "").await;
    browser.drag(THROUGHPUT, 0.4, 0.6).await;
    browser
        .wait_for(
            "another",
            LIVE,
            &format!("return location.search !== '{wide}';"),
        )
        .await;
    let narrow = assert_part(&browser, api, &id, "").await;
    browser.eval("history.back();").await;
    assert_part(&browser, api, &id, &wide).await;
    browser.eval("history.forward();").await;
    assert_part(&browser, api, &id, &narrow).await;

    // The address alone is enough; the tables and the log follow, too.
    browser.open(&format!("{page}{narrow}")).await;
    browser.wait_for("charts", LIVE, DRAWN).await;
    assert_part(&browser, api, &id, &narrow).await;
    click(&browser, "[data-role='console'] > summary").await;
    let tables = api
        .get(&format!("/api/v1/runs/{id}/tables{narrow}"))
        .await
        .body;
    let same = format!(
        "return document.querySelector('[data-field=\"console-tables\"]').textContent === {};",
        json!(tables)
    );
    browser
        .wait_for("the tables of the part", LIVE, &same)
        .await;
    click(&browser, "[data-role='console'] > summary").await;

    // By keyboard: a phase, times that are typed, a handle of the strip.
    press(
        &browser,
        "[data-role='scope-phases'] a:nth-child(3)",
        &Key::Enter.to_string(),
    )
    .await;
    assert_part(&browser, api, &id, "?from=2&to=8").await;
    enter(&browser, "0:02", "6s").await;
    assert_part(&browser, api, &id, "?from=2&to=6").await;
    press(&browser, "[data-role='strip-to']", &Key::Right.to_string()).await;
    assert_part(&browser, api, &id, "?from=2&to=7").await;
    press(
        &browser,
        "[data-role='strip-window']",
        &Key::Left.to_string(),
    )
    .await;
    assert_part(&browser, api, &id, "?from=1&to=6").await;

    // What there is not is one message, and nothing changes.
    let error = "return document.querySelector('[data-role=\"scope-error\"]').textContent;";
    for (from, to, message) in [
        ("7", "5", "The start must be before the end."),
        (
            "soon",
            "",
            "The start must be a time in the run, such as 65, 1:05 or 1m5s.",
        ),
    ] {
        enter(&browser, from, to).await;
        assert_eq!(browser.eval(error).await, json!(message));
        assert_part(&browser, api, &id, "?from=1&to=6").await;
    }
    look_from_all_sides(&browser, "run-part-error").await;

    // Endpoint and agent narrow it further, and are taken away again.
    click(
        &browser,
        "[data-endpoint-name='/not-allowed'] a.endpoint-name",
    )
    .await;
    let narrowed = "return location.search.includes('endpoint=');";
    browser.wait_for("the endpoint", LIVE, narrowed).await;
    let endpoint = assert_part(&browser, api, &id, "").await;
    assert!(endpoint.starts_with("?from=1&to=6&endpoint="), "{endpoint}");
    assert_eq!(browser.eval(error).await, json!(""));
    click(&browser, "[data-role='workers'] tbody tr:first-child a").await;
    let both = format!("{endpoint}&agent=east");
    assert_part(&browser, api, &id, &both).await;
    look_from_all_sides(&browser, "run-part").await;
    press(
        &browser,
        ".scope-chip:first-child a",
        &Key::Enter.to_string(),
    )
    .await;
    assert_part(&browser, api, &id, "?from=1&to=6&agent=east").await;
    press(
        &browser,
        ".scope-chip:first-child a",
        &Key::Enter.to_string(),
    )
    .await;
    assert_part(&browser, api, &id, "?from=1&to=6").await;

    // Escape shows the whole run.
    press(
        &browser,
        "[data-role='strip-from']",
        &Key::Escape.to_string(),
    )
    .await;
    let query = "return location.search === '' && document.querySelector('[data-role=\"scope\"]').dataset.on === 'false';";
    browser.wait_for("the whole run", LIVE, query).await;
    assert_part(&browser, api, &id, "").await;

    // With a finger that rests first.
    browser.view(390, 844, Theme::Light).await;
    let (start, y) = browser.place(THROUGHPUT, 0.4).await;
    let (end, _) = browser.place(THROUGHPUT, 0.8).await;
    let touch = async |kind: &str, points: Value| {
        let event = json!({ "type": kind, "touchPoints": points });
        browser.cdp("Input.dispatchTouchEvent", event).await;
    };
    touch("touchStart", json!([{ "x": start, "y": y }])).await;
    let selecting = "return document.querySelector(\"[data-chart='total-requests-per-second'] .chart-selection:not([hidden])\") !== null;";
    browser
        .wait_for("the finger to select", LIVE, selecting)
        .await;
    touch("touchMove", json!([{ "x": end, "y": y }])).await;
    touch("touchEnd", json!([])).await;
    browser.wait_for("a window", LIVE, one).await;
    assert_part(&browser, api, &id, "").await;
    assert_quiet(&browser, api.url(), None).await;

    browser.view(1440, 900, Theme::Light).await;
    assert_saved_page(&browser, api, &id).await;
    browser.close().await;
}

//! What the dots of the scatter plot and the errors say, by mouse and keyboard.

use fantoccini::Locator;
use fantoccini::key::Key;
use greylag_tests::{Browser, Cluster, Nginx, Theme, heavy};
use serde_json::{Value, json};

use super::looking::{LIVE, assert_quiet, eval, look_from_all_sides};
use crate::support::{RUN_TIMEOUT, declared, greylag, mixed_requests, test};

const SCATTER: &str = "[data-chart='response-time-distribution'] .chart-canvas";
const DRAWN: &str = "return document.querySelectorAll('figure canvas').length >= 2
    && document.querySelector(\"[data-chart='response-time-distribution']\").dataset.points > 10;";
/// Names and texts of the panel that is shown; null while none is.
const PANEL: &str = "const panel = document.querySelector('[data-role=\"dot-panel\"]');
    return panel.hidden ? null : Object.fromEntries([...panel.querySelectorAll('dl div')].map((row) => [...row.children].map((cell) => cell.textContent)));";
/// Where traces are shown, and where the panel's link leads.
const TRACE_URL: &str = "https://tracing.test/trace/{trace_id}?from=greylag&id={trace_id}";
const TRACE_LINK: &str =
    "const link = document.querySelector('[data-role=\"dot-panel\"]:not([hidden]) dd a');
    return link && [link.href, link.target, link.rel, link.textContent];";
/// Where the chosen dot is, once it is marked and in view.
const RING: &str = "document.querySelector(arguments[0]).scrollIntoView({ block: 'center' });
    const { left, top, width, height } = document.querySelector('.dot-ring').getBoundingClientRect();
    return [left + width / 2, top + height / 2];";

async fn keys(browser: &Browser, css: &str, keys: &str) {
    let element = browser.client().find(Locator::Css(css)).await;
    let element = element.unwrap_or_else(|error| panic!("no {css}: {error}"));
    let sent = element.send_keys(keys).await;
    sent.unwrap_or_else(|error| panic!("{css}: {error}"));
}

async fn click(browser: &Browser, css: &str) {
    let element = browser.client().find(Locator::Css(css)).await;
    let element = element.unwrap_or_else(|error| panic!("no {css}: {error}"));
    let clicked = element.click().await;
    clicked.unwrap_or_else(|error| panic!("{css}: {error}"));
}

#[tokio::test]
async fn a_dot_shows_all_of_its_request_and_leads_on() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let cluster = Cluster::start_with(&greylag(), &["--trace-url", TRACE_URL])
        .await
        .with_agents("lab", &["east", "west"])
        .await;
    let api = cluster.api();
    let changes = json!({
        "name": "dots", "users": 6, "workers": 2, "ramp_up": 1, "duration": 4, "trace_share": "100%",
        "declared": declared(&mixed_requests(), (0.05, 0.1)),
    });
    let id = api.start(&test(&nginx.url(), "lab", changes)).await;
    api.wait_for_status(&id, "Finished", RUN_TIMEOUT).await;
    let browser = Browser::start().await;
    browser.view(1440, 900, Theme::Light).await;
    browser.open(&format!("{}/runs/{id}", api.url())).await;
    browser.wait_for("dots", LIVE, DRAWN).await;

    // By keyboard: the last dot, then the one before it; what is said is what is opened.
    keys(&browser, SCATTER, &Key::End.to_string()).await;
    keys(&browser, SCATTER, &Key::Left.to_string()).await;
    let said = "return document.querySelector('[data-role=\"dot-said\"]').textContent;";
    let said = browser.eval(said).await;
    let said = said.as_str().expect("a text");
    assert!(said.contains(" ms at ") && said.contains(" of "), "{said}");
    keys(&browser, SCATTER, &Key::Enter.to_string()).await;
    let by_key = browser.wait_for("the request", LIVE, PANEL).await;
    let text = |panel: &Value, name: &str| panel[name].as_str().expect("a text").to_owned();
    assert!(
        said.starts_with(&text(&by_key, "Request")),
        "{said}: {by_key}"
    );
    let is_focused =
        format!("return document.activeElement === document.querySelector(\"{SCATTER}\");");
    keys(
        &browser,
        "[data-role='dot-panel']",
        &Key::Escape.to_string(),
    )
    .await;
    assert_eq!(browser.eval(PANEL).await, Value::Null);
    assert_eq!(
        browser.eval(&is_focused).await,
        json!(true),
        "the focus returns"
    );

    // By mouse: the dot that is marked. All that its request is known by is that of one of the API's.
    let at = eval(&browser, RING, vec![json!(SCATTER)]).await;
    for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
        let event =
            json!({ "type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1 });
        browser.cdp("Input.dispatchMouseEvent", event).await;
    }
    let by_mouse = browser.wait_for("the request", LIVE, PANEL).await;
    let samples = api
        .get(&format!("/api/v1/runs/{id}/samples?limit=1000"))
        .await
        .json();
    let samples = samples["samples"].as_array().expect("samples");
    let mut traces = Vec::new();
    for panel in [&by_key, &by_mouse] {
        let ended = text(panel, "Ended");
        let found = samples.iter().find(|sample| {
            let at = sample["at"].as_str().expect("a time").replace('T', " ");
            ended.contains(at.trim_end_matches('Z'))
        });
        let found = found.unwrap_or_else(|| panic!("{panel} is not among the samples"));
        for (name, key) in [
            ("Status", "status"),
            ("Agent", "agent"),
            ("Worker", "worker"),
            ("User", "user"),
        ] {
            let known = found[key]
                .as_str()
                .map_or_else(|| found[key].to_string(), str::to_owned);
            assert_eq!(text(panel, name), known, "{name} of {panel}");
        }
        assert!(
            text(panel, "Time to first byte").ends_with(" ms"),
            "{panel}"
        );
        traces.push((text(panel, "Trace"), found.clone()));
        assert_eq!(text(panel, "Outcome") == "Failure", found["failed"] == true);
    }

    // The target got the request in this trace, and the link leads to it.
    let link = browser.eval(TRACE_LINK).await;
    let trace = &traces[1].0;
    let expected = TRACE_URL.replace("{trace_id}", trace);
    assert_eq!(
        link,
        json!([expected, "_blank", "noopener noreferrer", trace])
    );
    let served = nginx.log_so_far();
    for (trace, sample) in &traces {
        let got = served.requests.iter().find(|request| {
            request.traceparent.starts_with(&format!("00-{trace}-"))
                && request.traceparent.ends_with("-01")
        });
        let got = got.unwrap_or_else(|| panic!("the target got no request of trace {trace}"));
        assert_eq!(sample["name"], *got.path);
        assert_eq!(sample["status"], got.status);
    }

    // The log of these seconds; then only its agent.
    click(&browser, ".dot-ways button").await;
    let log = "return document.querySelectorAll('.dot-log .line, .dot-log p').length > 0;";
    browser.wait_for("the log", LIVE, log).await;
    look_from_all_sides(&browser, "dot").await;
    let agent = text(&by_mouse, "Agent");
    click(&browser, ".dot-ways a[data-scope^='agent']").await;
    let only = format!("return location.search === '?agent={agent}';");
    browser.wait_for("only the agent", LIVE, &only).await;

    // Errors say where they occurred and how much they are, and lead to their endpoint.
    browser.open(&format!("{}/runs/{id}", api.url())).await;
    browser.wait_for("dots", LIVE, DRAWN).await;
    let errors =
        "return [...document.querySelectorAll('[data-role=\"errors\"] tbody tr')].map((row) =>
        [row.cells[1].textContent, row.cells[6].textContent, row.cells[7].textContent]);";
    let errors = browser.eval(errors).await;
    let rows = errors.as_array().expect("rows");
    assert!(
        rows.iter()
            .any(|row| row[0] == "/missing" && row[1] == "100%"),
        "{errors}"
    );
    let both = rows.iter().filter(|row| {
        let agents = row[2].as_str().unwrap_or_default();
        agents.contains("east") || agents.contains("west")
    });
    assert_eq!(both.count(), rows.len(), "{errors}");
    // An error's samples, by keyboard: what came back, and the focus where it was.
    let focus = "const row = [...document.querySelectorAll('[data-role=\"errors\"] tbody tr')].find((row) => row.cells[1].textContent === '/missing');
        row.querySelector('button.error-open').focus(); return true;";
    browser.eval(focus).await;
    keys(&browser, "button.error-open:focus", &Key::Enter.to_string()).await;
    let samples = "const panel = document.querySelector('[data-role=\"error-samples\"]');
        return !panel.hidden && document.activeElement === panel
            && document.querySelectorAll('.error-open[aria-expanded=\"true\"]').length === 1 && panel.innerText;";
    let samples = browser.wait_for("samples", LIVE, samples).await;
    let samples = samples.as_str().expect("a text");
    for text in [
        "404",
        "GET http://",
        "server: nginx",
        "nothing here",
        "13 bytes",
        "Trace",
    ] {
        assert!(samples.contains(text), "{text}: {samples}");
    }
    look_from_all_sides(&browser, "error-samples").await;
    keys(
        &browser,
        "[data-role='error-samples']",
        &Key::Escape.to_string(),
    )
    .await;
    let closed = "return document.querySelector('[data-role=\"error-samples\"]').hidden
        && document.activeElement.matches('.error-open[aria-expanded=\"false\"]');";
    assert_eq!(browser.eval(closed).await, json!(true));
    click(&browser, "[data-role='errors'] a.endpoint-name").await;
    let only = "return location.search.startsWith('?endpoint=');";
    browser.wait_for("only the endpoint", LIVE, only).await;

    assert_quiet(&browser, api.url(), None).await;

    // A saved page has the links, too.
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("saved.html");
    let saved = api.get(&format!("/api/v1/runs/{id}/report.html")).await;
    std::fs::write(&file, &saved.body).expect("the directory is ours");
    let url = url::Url::from_file_path(&file).expect("an absolute path");
    // Keys count before the chart has come into view and was drawn, too.
    browser.view(1440, 300, Theme::Light).await;
    browser.open(url.as_str()).await;
    // The number of dots stands in the file, so it does not say that the script has begun.
    let key = format!(
        "document.querySelector(\"{SCATTER}\").dispatchEvent(new KeyboardEvent('keydown', {{ key: 'End' }}));
        return document.querySelector('[data-role=\"dot-said\"]').textContent.includes(' ms at ') || null;"
    );
    browser.wait_for("what is said of a dot", LIVE, &key).await;
    let console = browser.console().await;
    assert!(
        console.iter().all(|(level, _)| level != "SEVERE"),
        "{console:?}"
    );
    browser.view(1440, 900, Theme::Light).await;
    browser.wait_for("dots", LIVE, DRAWN).await;
    keys(&browser, SCATTER, &format!("{}{}", Key::End, Key::Enter)).await;
    let link = browser.wait_for("the link", LIVE, TRACE_LINK).await;
    let [href, _, _, trace] = link.as_array().map(Vec::as_slice).expect("a link") else {
        panic!("{link}");
    };
    let trace = trace.as_str().expect("a trace id");
    assert_eq!(*href, TRACE_URL.replace("{trace_id}", trace));
    assert!(
        served
            .requests
            .iter()
            .any(|request| request.traceparent.contains(trace))
    );
    browser.close().await;
}

//! The pages in a real Chromium: what the seed names is there by its name and shows the summary's numbers.

use std::fs;
use std::path::Path;
use std::time::Duration;

use fantoccini::Locator;
use greylag_tests::summary::Summary;
use greylag_tests::{Browser, Cluster, Nginx, Theme, heavy, wait};
use rustix::process::Signal;
use serde_json::{Value, json};
use url::Url;

use crate::support::{RUN_TIMEOUT, SOON, declared, greylag, mixed_requests, test};

/// What the page shows within the live update's limit, on a busy machine.
const LIVE: Duration = Duration::from_secs(15);

/// Script functions of these tests.
const HELPERS: &str = r#"
    const clean = (text) => text.replace(/\s+/g, " ").trim();
    const isVisible = (element) => element.checkVisibility() && element.getClientRects().length > 0;
    const named = (text, root = document) => [...root.querySelectorAll("*")]
        .filter((element) => clean(element.textContent) === text && isVisible(element)).at(-1) ?? null;
"#;

/// Runs a function body that may use [`HELPERS`].
async fn eval(browser: &Browser, script: &str, arguments: Vec<Value>) -> Value {
    browser
        .eval_with(&format!("{HELPERS}\n{script}"), arguments)
        .await
}

/// `data-value` of a field, and the text that is shown.
async fn field(browser: &Browser, name: &str) -> (String, String) {
    let script = "const element = document.querySelector(`[data-field=\"${arguments[0]}\"]`);
        return element && isVisible(element) ? [element.dataset.value ?? '', clean(element.textContent)] : null;";
    let found = eval(browser, script, vec![json!(name)]).await;
    let text = |index: usize| found[index].as_str().map(str::to_owned);
    text(0)
        .zip(text(1))
        .unwrap_or_else(|| panic!("the page shows no field {name}: {found}"))
}

/// The value of a field that is shown beside this label, in one group (a term and its description, or a card).
async fn labelled(browser: &Browser, label: &str, name: &str) -> (String, String) {
    let script = "const value = `[data-field=\"${arguments[1]}\"]`;
        const labels = [...document.querySelectorAll('dt, h2, h3, label')]
            .filter((label) => clean(label.textContent) === arguments[0] && isVisible(label));
        if (labels.length === 0) return 'missing';
        return labels.some((label) => label.parentElement.querySelector(value)) || 'without its value';";
    let found = eval(browser, script, vec![json!(label), json!(name)]).await;
    assert_eq!(found, json!(true), "the label {label:?} of {name}");
    field(browser, name).await
}

async fn number(browser: &Browser, name: &str) -> f64 {
    let (value, _) = field(browser, name).await;
    value
        .parse()
        .unwrap_or_else(|_| panic!("{name} is {value:?}"))
}

/// Everything in the page that must be as the summary says.
async fn assert_shows(browser: &Browser, summary: &Summary) {
    let run = &summary.run;
    let about: [(&str, &str, Option<String>, &str); 10] = [
        ("Test Name", "test-name", Some(run.test.clone()), &run.test),
        (
            "Load Test Infrastructure",
            "infrastructure",
            Some(run.infrastructure.clone()),
            &run.infrastructure,
        ),
        ("Type", "type", Some("Locust".to_owned()), "Locust"),
        (
            "Users",
            "users",
            Some(run.users.to_string()),
            &run.users.to_string(),
        ),
        (
            "Duration",
            "duration",
            Some(run.duration_s.to_string()),
            &format!("{}s", run.duration_s),
        ),
        (
            "Ramp Up Duration",
            "ramp-up-duration",
            Some(run.ramp_up_s.to_string()),
            &format!("{}s", run.ramp_up_s),
        ),
        (
            "Worker Count",
            "worker-count",
            Some(run.workers.to_string()),
            &run.workers.to_string(),
        ),
        ("Run Started", "run-started", None, ":"),
        (
            "Time Elapsed",
            "time-elapsed",
            Some(run.elapsed_s.to_string()),
            &format!("{}s", run.elapsed_s.trunc()),
        ),
        ("Status", "status", Some("Finished".to_owned()), "Finished"),
    ];
    assert!(
        !eval(browser, "return named('About This Test');", vec![])
            .await
            .is_null(),
        "About This Test"
    );
    for (label, name, value, text) in about {
        let (shown_value, shown_text) = labelled(browser, label, name).await;
        if let Some(value) = value {
            assert_eq!(shown_value, value, "{label}");
        }
        assert!(
            shown_text.contains(text),
            "{label} reads {shown_text:?}, not {text:?}"
        );
    }
    let (status, _) = field(browser, "infrastructure-status").await;
    assert_eq!(
        status, "Connected",
        "the infrastructure's connection status"
    );

    let totals = &summary.totals;
    for (label, name, value) in [
        ("Total Requests", "total-requests", totals.requests as f64),
        ("Request Per Second", "requests-per-second", totals.rps),
        ("Error Rate", "error-rate", totals.error_rate),
        ("Avg Response Time", "avg-response-time", totals.avg_ms),
    ] {
        let (shown, text) = labelled(browser, label, name).await;
        assert_eq!(shown.parse::<f64>().ok(), Some(value), "{label}");
        assert!(
            text.chars().any(|c| c.is_ascii_digit()),
            "{label} reads {text:?}"
        );
    }
    let (_, text) = field(browser, "total-requests").await;
    assert_eq!(
        text.replace([',', '\u{202f}', ' '], ""),
        totals.requests.to_string()
    );
    let (_, text) = field(browser, "error-rate").await;
    assert!(text.ends_with('%'), "{text}");

    assert_charts(browser, summary).await;
    assert_endpoints(browser, summary).await;
}

async fn assert_charts(browser: &Browser, summary: &Summary) {
    for (label, name) in [
        ("Active Users", "active-users"),
        ("Total Requests Per Second", "total-requests-per-second"),
        ("Response Time Distribution", "response-time-distribution"),
    ] {
        let script = "const figure = document.querySelector(`figure[data-chart=\"${arguments[0]}\"]`);
            const picture = figure.querySelector('canvas, svg');
            return [named(arguments[1], figure) !== null, Number(figure.dataset.points), picture?.getBoundingClientRect().width ?? 0];";
        let chart = eval(browser, script, vec![json!(name), json!(label)]).await;
        assert_eq!(chart[0], true, "the chart {label} has its name");
        assert!(
            chart[1].as_f64() > Some(1.0),
            "the chart {label} has points: {chart}"
        );
        assert!(
            chart[2].as_f64() > Some(100.0),
            "the chart {label} is drawn: {chart}"
        );
    }
    // The data tables hold what the charts draw.
    let rows = async |name: &str| -> Vec<Vec<String>> {
        let script = "const details = document.querySelector(`figure[data-chart=\"${arguments[0]}\"] details`);
            details.open = true;
            details.dispatchEvent(new Event('toggle'));
            return [...details.querySelectorAll('tbody tr')].map((row) => [...row.cells].map((cell) => cell.textContent));";
        serde_json::from_value(eval(browser, script, vec![json!(name)]).await)
            .expect("rows of cells")
    };
    let of = |text: &str| {
        text.replace(',', "")
            .parse::<f64>()
            .unwrap_or_else(|_| panic!("{text:?} is no number"))
    };
    let users = rows("active-users").await;
    let peak = users.iter().map(|row| of(&row[1])).fold(0.0, f64::max);
    assert_eq!(peak, summary.run.users as f64, "the peak of Active Users");
    let throughput = rows("total-requests-per-second").await;
    let sum = |column: usize| throughput.iter().map(|row| of(&row[column])).sum::<f64>();
    assert_eq!(
        sum(1),
        summary.totals.requests as f64,
        "the sum of Request Per Second over the seconds"
    );
    assert_eq!(
        sum(2),
        summary.totals.failures as f64,
        "the sum of Errors/sec over the seconds"
    );
    let responses = rows("response-time-distribution").await;
    for outcome in ["Success", "Failure"] {
        assert!(
            responses
                .iter()
                .any(|row| row.iter().any(|cell| cell == outcome)),
            "no {outcome} in the scatter plot"
        );
    }
    let script =
        "for (const details of document.querySelectorAll('figure details')) details.open = false;";
    browser.eval(script).await;
}

async fn assert_endpoints(browser: &Browser, summary: &Summary) {
    let section = eval(browser, "return named('Endpoint Statistics');", vec![]).await;
    assert!(!section.is_null(), "Endpoint Statistics");
    let script = "const table = document.querySelector('[data-role=\"endpoints\"]');
        return arguments[0].filter((name) => !named(name, table.tHead));";
    let columns = json!([
        "Endpoint",
        "Requests",
        "Fails",
        "Latency (ms)",
        "Avg (ms)",
        "Current RPS"
    ]);
    assert_eq!(
        eval(browser, script, vec![columns]).await,
        json!([]),
        "columns that are missing"
    );
    let script = "return [...document.querySelectorAll('tr[data-endpoint-name]')].filter(isVisible).map((row) => {
            const value = (name) => row.querySelector(`[data-field=\"${name}\"]`).dataset.value;
            const mark = (name) => clean(row.querySelector(`.latency-numbers .${name}`).textContent);
            return [row.dataset.endpointMethod, row.dataset.endpointName, value('requests'), value('fails'), value('latency'),
                value('avg'), value('current-rps'), mark('p50')[0] + mark('p95').slice(0, 2) + mark('p99').slice(0, 2)];
        });";
    let rows: Vec<Vec<String>> =
        serde_json::from_value(eval(browser, script, vec![]).await).expect("rows of texts");
    let totals = &summary.totals;
    let mut expected: Vec<_> = summary
        .endpoints
        .iter()
        .map(|row| {
            (
                row.method.as_str(),
                row.name.as_str(),
                row.requests,
                row.failures,
                [row.p50_ms, row.p95_ms, row.p99_ms],
                row.avg_ms,
            )
        })
        .collect();
    expected.push((
        "",
        "Aggregated",
        totals.requests,
        totals.failures,
        [totals.p50_ms, totals.p95_ms, totals.p99_ms],
        totals.avg_ms,
    ));
    assert_eq!(rows.len(), expected.len(), "{rows:?}");
    for (method, name, requests, failures, latency, average) in expected {
        let row = rows
            .iter()
            .find(|row| row[0] == method && row[1] == name)
            .unwrap_or_else(|| panic!("no row {method} {name}: {rows:?}"));
        assert_eq!(
            row[2..4],
            [requests.to_string(), failures.to_string()],
            "{method} {name}"
        );
        let shown: Vec<f64> = row[4]
            .split(' ')
            .map(|number| number.parse().expect("a number"))
            .collect();
        assert_eq!(shown, latency, "latency of {method} {name}");
        assert_eq!(
            row[5].parse::<f64>().ok(),
            Some(average),
            "average of {method} {name}"
        );
        assert_eq!(row[7], "M9599", "the latency bar marks M, 95 and 99");
    }
    assert_eq!(
        rows.last().expect("rows")[1],
        "Aggregated",
        "the Aggregated row is the last"
    );
}

/// No request left the machine, and the console has no error but those that hold `expected`.
pub(crate) async fn assert_quiet(browser: &Browser, origin: &str, expected: Option<&str>) {
    let origin = Url::parse(origin).expect("an origin");
    for url in browser.requested_urls().await {
        let parsed = Url::parse(&url).unwrap_or_else(|error| panic!("{url}: {error}"));
        // Chromium's own pages are part of it.
        let inside = matches!(parsed.scheme(), "data" | "blob" | "about" | "chrome");
        assert!(
            inside || parsed.origin() == origin.origin(),
            "a request left the coordinator: {url}"
        );
    }
    let errors: Vec<_> = browser
        .console()
        .await
        .into_iter()
        .filter(|(level, message)| level == "SEVERE" || message.contains("Content Security Policy"))
        .filter(|(_, message)| !expected.is_some_and(|expected| message.contains(expected)))
        .collect();
    assert!(errors.is_empty(), "errors in the console: {errors:?}");
}

async fn assert_no_overflow(browser: &Browser, what: &str) {
    let script = "const root = document.documentElement;
        const wide = [...document.body.querySelectorAll('*')]
            .filter((element) => element.getBoundingClientRect().right > root.clientWidth + 1)
            .slice(0, 5).map((element) => element.outerHTML.slice(0, 120));
        return root.scrollWidth > root.clientWidth ? [root.scrollWidth, root.clientWidth, wide] : null;";
    let overflow = browser.eval(script).await;
    assert!(
        overflow.is_null(),
        "{what} is wider than the window: {overflow}"
    );
}

async fn screenshot(browser: &Browser, name: &str) {
    browser.eval("scrollTo(0, 0);").await;
    let picture = browser.client().screenshot().await.expect("a screenshot");
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
    fs::create_dir_all(&directory).expect("the target directory is ours");
    fs::write(directory.join(format!("{name}.png")), picture)
        .expect("the target directory is ours");
}

/// Looks at a page in every size and theme.
pub(crate) async fn look_from_all_sides(browser: &Browser, what: &str) {
    for (width, height) in [(1440, 900), (390, 844)] {
        for theme in [Theme::Light, Theme::Dark] {
            browser.view(width, height, theme).await;
            // One frame, so that charts have been laid out anew.
            browser
                .client()
                .execute_async("const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(done));", vec![])
                .await
                .expect("frames are drawn");
            let name = format!("{what}-{width}-{theme:?}").to_lowercase();
            assert_no_overflow(browser, &name).await;
            screenshot(browser, &name).await;
            let dark = browser
                .eval("return matchMedia('(prefers-color-scheme: dark)').matches;")
                .await;
            assert_eq!(dark, json!(theme == Theme::Dark));
        }
    }
    let script = "return getComputedStyle(document.body).backgroundColor;";
    browser.view(1440, 900, Theme::Dark).await;
    let dark = browser.eval(script).await;
    browser.view(1440, 900, Theme::Light).await;
    assert_ne!(
        browser.eval(script).await,
        dark,
        "{what} looks the same in light and dark"
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
    let changes = json!({
        "name": "checkout & <pay>", "users": 20, "workers": 4, "ramp_up": 3, "duration": 14,
        "declared": declared(&mixed_requests(), (0.05, 0.2)),
    });
    let id = cluster
        .api()
        .start(&test(&nginx.url(), "lab", changes))
        .await;
    let page = format!("{}/runs/{id}", cluster.api().url());

    // It changes while the run goes, without being loaded again.
    browser.open(&page).await;
    browser.eval("window.stillTheSamePage = true;").await;
    browser
        .wait_for(
            "Running",
            LIVE,
            "return document.querySelector('[data-field=\"status\"]').dataset.value === 'Running';",
        )
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
    cluster
        .api()
        .wait_for_status(&id, "Finished", RUN_TIMEOUT)
        .await;
    browser.wait_for("Finished", LIVE, "return document.querySelector('[data-field=\"status\"]').dataset.value === 'Finished';").await;
    assert_eq!(
        browser
            .eval("return window.stillTheSamePage ?? false;")
            .await,
        json!(true),
        "the page was loaded again"
    );
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
    browser.wait_for("charts", LIVE, "return document.querySelectorAll('figure canvas, figure .chart-canvas svg').length >= 3;").await;
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
    browser.wait_for("charts", LIVE, "return document.querySelectorAll('figure canvas, figure .chart-canvas svg').length >= 3;").await;
    assert_shows(&browser, &summary).await;
    assert_quiet(&browser, cluster.api().url(), None).await;
    browser.close().await;
}

/// Load Test Logs: the panel opens, holds streamed lines, the tables and the error report, and can be searched.
async fn assert_console_logs(browser: &Browser) {
    assert!(
        !eval(browser, "return named('Load Test Logs');", vec![])
            .await
            .is_null(),
        "Load Test Logs"
    );
    let client = browser.client();
    let panel = client
        .find(Locator::Css("[data-role='console'] > summary"))
        .await
        .expect("Console Logs");
    assert!(panel.text().await.expect("text").contains("Console Logs"));
    panel.click().await.expect("the panel opens");
    let tables =
        "return clean(document.querySelector('[data-field=\"console-tables\"]').innerText);";
    let tables = eval(browser, tables, vec![]).await;
    let tables = tables.as_str().expect("text");
    for text in [
        "# reqs",
        "# fails",
        "percentiles (approximated)",
        "Error report",
        "405 Client Error: Not Allowed",
        "404 Client Error: Not Found",
        "/not-allowed",
    ] {
        assert!(
            tables.contains(text),
            "{text:?} is missing in the panel: {tables}"
        );
    }
    let lines = "return [...document.querySelectorAll('[data-role=\"log-lines\"] .line')].filter(isVisible).length;";
    let all = eval(browser, lines, vec![])
        .await
        .as_u64()
        .expect("a number");
    assert!(all > 0, "no line was streamed");
    let search = client
        .find(Locator::Css("[data-role='log-search']"))
        .await
        .expect("the search field");
    search
        .send_keys("no line holds this text")
        .await
        .expect("it takes text");
    wait::until("the search to hide lines", LIVE, async || {
        let left = eval(browser, lines, vec![]).await;
        if left == json!(0) {
            Ok(())
        } else {
            Err(left.to_string())
        }
    })
    .await;
    search.clear().await.expect("it can be cleared");
    // Clearing does not fire the event that typing does.
    browser.eval("document.querySelector('[data-role=\"log-search\"]').dispatchEvent(new Event('input'));").await;
    wait::until("all lines again", LIVE, async || {
        let left = eval(browser, lines, vec![]).await;
        if left == json!(all) {
            Ok(())
        } else {
            Err(left.to_string())
        }
    })
    .await;
    for name in ["Download", "Full screen"] {
        assert!(
            !eval(browser, "return named(arguments[0]);", vec![json!(name)])
                .await
                .is_null(),
            "{name}"
        );
    }
    let full = client
        .find(Locator::Css("[data-role='log-fullscreen']"))
        .await
        .expect("Full screen");
    full.click().await.expect("a click");
    browser.wait_for("full screen", LIVE, "return document.querySelector('[data-role=\"log-fullscreen\"]').getAttribute('aria-pressed') === 'true';").await;
    full.click().await.expect("a click");
    browser.wait_for("the page again", LIVE, "return document.querySelector('[data-role=\"log-fullscreen\"]').getAttribute('aria-pressed') === 'false';").await;
    panel.click().await.expect("the panel closes");
}

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

    // A mistake is said beside the form, which keeps what was typed.
    fill("users", "1").await;
    let submit = async || {
        let button = client
            .find(Locator::Css("[data-role='start-form'] button.primary"))
            .await
            .expect("Start");
        button.click().await.expect("a click");
    };
    submit().await;
    wait::until("the mistake", LIVE, async || {
        let text = browser.eval("return document.body.innerText;").await;
        let text = text.as_str().unwrap_or_default().to_owned();
        if text.contains("at most one worker per user")
            || text.contains("worker") && text.contains("user") && text.contains("most")
        {
            Ok(())
        } else {
            Err(text)
        }
    })
    .await;
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
    submit().await;
    let id = wait_for_run_page(&browser, None).await;
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
        .find(Locator::Css("[data-role='again'] button"))
        .await
        .expect("Run again")
        .click()
        .await
        .expect("a click");
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
    assert_eq!(
        (one.test, one.users, one.workers),
        (two.test, two.users, two.workers)
    );

    // The front page follows by itself what is started elsewhere.
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
        .wait_for("the new run on the front page", SOON / 2, &script)
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
    // Chromium notes the answer to the refused form as an error.
    assert_quiet(&browser, cluster.api().url(), Some("422")).await;
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
            Some(id) if !id.is_empty() && Some(id) != not => Ok(id.to_owned()),
            _ => Err(url.to_string()),
        }
    })
    .await
}

#[tokio::test]
async fn signing_in_with_the_token() {
    let _turn = heavy().await;
    let cluster = Cluster::start_with(&greylag(), &["--token", "open-sesame"]).await;
    let browser = Browser::start().await;
    browser.view(1440, 900, Theme::Light).await;
    browser.open(cluster.api().url()).await;
    let field = browser
        .client()
        .find(Locator::Css("input[name='token']"))
        .await
        .expect("the page asks for the token");
    look_from_all_sides(&browser, "login").await;
    field.send_keys("open-sesame").await.expect("it takes text");
    browser
        .client()
        .find(Locator::Css("form.login button"))
        .await
        .expect("Sign in")
        .click()
        .await
        .expect("a click");
    browser
        .wait_for(
            "the front page",
            LIVE,
            "return document.querySelector('[data-region=\"infrastructures\"]') !== null;",
        )
        .await;
    browser.open(cluster.api().url()).await;
    let asked = browser
        .eval("return document.querySelector('input[name=\"token\"]') !== null;")
        .await;
    assert_eq!(asked, json!(false), "it asks once");
    assert_quiet(&browser, cluster.api().url(), None).await;
    browser.close().await;
}

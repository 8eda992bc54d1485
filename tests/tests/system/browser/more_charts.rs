//! The charts beyond the first three: each has the numbers of the API, can be saved, and its lines can be chosen.

use greylag_tests::{Browser, Cluster, Nginx, Theme, heavy, wait};
use serde_json::{Value, json};

use super::looking::{LIVE, assert_quiet, look_from_all_sides};
use crate::support::{RUN_TIMEOUT, greylag, test};

/// Opens a chart's data table and gives its cells, the head first, once the chart has something.
const TABLE: &str = "const figure = document.querySelector(`[data-chart=\"${arguments[0]}\"]`);
    figure?.scrollIntoView();
    if (!figure || Number(figure.dataset.points) === 0) return null;
    const details = figure.querySelector('.data-table');
    details.open = true;
    const rows = [...details.querySelectorAll('tr')];
    return rows.length < 2 ? null : rows.map((row) => [...row.cells].map((cell) => cell.textContent));";

/// The table of a chart.
async fn table(browser: &Browser, chart: &str) -> Vec<Vec<String>> {
    let what = format!("the table of {chart}");
    let script = TABLE.replace("arguments[0]", &format!("'{chart}'"));
    let cells = browser.wait_for(&what, LIVE, &script).await;
    serde_json::from_value(cells).expect("texts")
}

/// A number as the page writes it.
fn number(text: &str) -> Result<f64, String> {
    let (digits, unit) = match text.strip_suffix('%') {
        Some(percent) => (percent, 0.01),
        None => (text, 1.0),
    };
    let number = digits.replace(',', "").parse::<f64>();
    number
        .map(|number| number * unit)
        .map_err(|error| format!("{text:?}: {error}"))
}

/// The page shows three digits or two places.
fn is_shown_as(shown: f64, exact: f64) -> bool {
    (shown - exact).abs() <= (exact.abs() * 0.006).max(0.006)
}

/// The chart's table gets the numbers of an answer whose counts are shown per second: the page asks for the last of them some time
/// after the end of the run. Gives how many rows there are with the head.
pub(super) async fn assert_same(
    browser: &Browser,
    chart: &str,
    data: &Value,
    lines: &[&str],
    are_rates: bool,
) -> usize {
    wait::until(&format!("the numbers of {chart}"), LIVE, async || {
        let table = table(browser, chart).await;
        compare(&table, data, lines, are_rates)?;
        Ok(table.len())
    })
    .await
}

/// What is not in a chart's table as in the answer.
fn compare(
    table: &[Vec<String>],
    data: &Value,
    lines: &[&str],
    are_rates: bool,
) -> Result<(), String> {
    let seconds: Vec<u64> = serde_json::from_value(data["seconds"].clone()).expect("numbers");
    let end = data["end_s"].as_u64().expect("a number");
    if table.len() - 1 != seconds.len() {
        let rows = table.len() - 1;
        return Err(format!("{rows} rows instead of {}", seconds.len()));
    }
    for name in lines {
        let column = table[0].iter().position(|head| head == name);
        let column = column.ok_or_else(|| format!("no column {name} in {:?}", table[0]))?;
        let known = data["lines"].as_array().expect("a list");
        let line = known.iter().find(|line| line["name"] == **name);
        let values = line.expect("the answer has the line")["values"].clone();
        for (at, row) in table[1..].iter().enumerate() {
            let cell = &row[column];
            let Some(value) = values[at].as_f64() else {
                if !cell.is_empty() {
                    return Err(format!("{name}: {cell} instead of nothing"));
                }
                continue;
            };
            let next = seconds.get(at + 1).copied().unwrap_or(end);
            let expected = if are_rates {
                value / (next - seconds[at]) as f64
            } else {
                value
            };
            if !is_shown_as(number(cell)?, expected) {
                return Err(format!("{name}: {cell} instead of {expected}"));
            }
        }
    }
    Ok(())
}

/// A click in the legend of a chart is about this chart only, also where another one in view has a line of the same name.
async fn assert_own_legend(browser: &Browser) {
    let shown = "return ['agent-users', 'agent-requests'].map((name) =>
        [...document.querySelectorAll(`[data-chart=\"${name}\"] .chart-line input`)].map((box) => box.checked));";
    assert_eq!(
        browser.eval(shown).await,
        json!([[true, true], [true, true]])
    );
    let place = "const [canvas, other] = ['agent-users', 'agent-requests'].map((name) => document.querySelector(`[data-chart=\"${name}\"] .chart-canvas`));
        other.scrollIntoView({ block: 'center' });
        const boxes = [canvas, other].map((one) => one.getBoundingClientRect());
        if (boxes.some(({ top, bottom }) => top < 0 || bottom > innerHeight)) return null;
        return [boxes[0].left + 14, boxes[0].top + 16];";
    let at = browser.wait_for("both charts in view", LIVE, place).await;
    for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
        let event =
            json!({ "type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1 });
        browser.cdp("Input.dispatchMouseEvent", event).await;
    }
    assert_eq!(
        browser.eval(shown).await,
        json!([[false, true], [true, true]])
    );
}

#[tokio::test]
async fn every_chart_has_the_numbers_of_the_api() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east", "west"])
        .await;
    let api = cluster.api();
    let changes = json!({ "duration": 5, "arrival_rate": 60 });
    let id = api.start(&test(&nginx.url(), "lab", changes)).await;
    let browser = Browser::start().await;
    browser.view(1440, 900, Theme::Light).await;
    browser.open(&format!("{}/runs/{id}", api.url())).await;
    // Opened while the run goes, so that what follows is added to what was there.
    let open = "const more = document.querySelector('[data-role=\"more-charts\"]');
        if (!document.querySelector('[data-chart=\"active-users\"] canvas')) return null;
        more.open = true;
        return true;";
    browser.wait_for("the charts", LIVE, open).await;
    let before = table(&browser, "percentiles").await.len();
    api.wait_for_status(&id, "Finished", RUN_TIMEOUT).await;
    let over =
        "return document.querySelector('[data-field=\"status\"]').dataset.value === 'Finished';";
    browser.wait_for("the end", LIVE, over).await;
    let read = async |path: &str| -> Value {
        let answer = api.get(&format!("/api/v1/runs/{id}{path}")).await;
        serde_json::from_str(&answer.body).expect("JSON")
    };

    let percentiles = read("/charts/percentiles").await;
    let lines = ["50%", "95%", "99%", "99.99%"];
    let rows = assert_same(&browser, "percentiles", &percentiles, &lines, false).await;
    assert!(rows >= before);
    for (chart, lines) in [
        ("statuses", &["200", "404", "405"][..]),
        ("agent-requests", &["east", "west"]),
        ("arrivals", &["planned", "started", "late", "skipped"]),
    ] {
        let data = read(&format!("/charts/{chart}")).await;
        assert_same(&browser, chart, &data, lines, true).await;
    }
    let users = read("/charts/agent-users").await;
    assert_same(&browser, "agent-users", &users, &["east", "west"], false).await;
    let errors = read("/charts/errors").await;
    let kinds: Vec<&str> = errors["lines"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|line| line["name"].as_str())
        .collect();
    assert!(
        kinds
            .iter()
            .any(|kind| kind.starts_with("404 Client Error")),
        "{kinds:?}"
    );
    assert_same(&browser, "errors", &errors, &kinds, true).await;
    let all = api.summary(&id).await.totals.requests as f64;
    wait::until("all requests in the distribution", LIVE, async || {
        let buckets = table(&browser, "distribution").await;
        let rows = buckets[1..].iter().map(|row| number(&row[2]));
        let requests = rows.sum::<Result<f64, String>>()?;
        (requests == all).then_some(()).ok_or(requests.to_string())
    })
    .await;

    // Other times, from the intended start and to the first byte.
    for of in ["intended", "first_byte"] {
        let choose = format!(
            "document.querySelector('[data-chart=\"percentiles\"] [data-of=\"{of}\"]').click();"
        );
        browser.eval(&choose).await;
        let data = read(&format!("/charts/percentiles?of={of}")).await;
        let first = data["lines"][0]["values"]
            .as_array()
            .expect("a list")
            .iter()
            .find_map(Value::as_f64);
        let expected = first.expect("all requests have it");
        let script = format!(
            "{TABLE_OF_PERCENTILES}\nreturn cells.some((text) => Math.abs(Number(text) - {expected}) <= {expected} * 0.006 + 0.006);"
        );
        browser.wait_for("other times", LIVE, &script).await;
    }

    // One line alone, and all of them again.
    let solo = "const menu = document.querySelector('[data-chart=\"statuses\"] .chart-menu');
        menu.querySelector('.chart-only').click();
        return [...menu.querySelectorAll('input')].map((box) => box.checked);";
    let shown: Vec<bool> = serde_json::from_value(browser.eval(solo).await).expect("flags");
    assert_eq!(
        shown.iter().filter(|is_shown| **is_shown).count(),
        1,
        "{shown:?}"
    );
    let again: Vec<bool> = serde_json::from_value(browser.eval(solo).await).expect("flags");
    assert!(again.iter().all(|is_shown| *is_shown), "{again:?}");

    assert_own_legend(&browser).await;

    // The axis by the clock, remembered; the table as a file, with times.
    browser
        .eval("document.querySelector('[data-axis=\"wall\"]').click();")
        .await;
    assert_eq!(
        browser
            .eval("return localStorage.getItem('greylag-time-axis');")
            .await,
        json!("wall")
    );
    let save = "const done = arguments[0];
        const make = URL.createObjectURL;
        URL.createObjectURL = (blob) => { blob.text().then(done); URL.createObjectURL = make; return make.call(URL, blob); };
        const menu = document.querySelector('[data-chart=\"agent-requests\"] .chart-menu');
        [...menu.querySelectorAll('.popover > button')].find((button) => button.textContent === 'Save as CSV').click();";
    let file = browser
        .client()
        .execute_async(save, vec![])
        .await
        .expect("a file");
    let file = file.as_str().expect("a text");
    let mut lines = file.split("\r\n");
    let head = lines.next().unwrap_or_default();
    assert!(
        head.starts_with("Run time (s),Time (UTC),")
            && head.contains("east")
            && head.contains("west"),
        "{file}"
    );
    assert!(
        lines
            .next()
            .is_some_and(|row| row.starts_with("0,20") && row.contains('T')),
        "{file}"
    );

    look_from_all_sides(&browser, "more-charts").await;
    assert_quiet(&browser, api.url(), None).await;
    browser.close().await;
}

/// The cells of the medians.
const TABLE_OF_PERCENTILES: &str = "const rows = [...document.querySelectorAll('[data-chart=\"percentiles\"] .data-table tbody tr')];
    const cells = rows.map((row) => row.cells[1].textContent);";

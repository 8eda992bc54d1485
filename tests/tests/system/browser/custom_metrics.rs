//! What a scenario counts beside its requests: the same sums on the page and in the summary, over workers of two agents, and over run time
//! in a chart for each metric.

use greylag_tests::{Api, Browser, Cluster, Nginx, Theme, heavy};
use serde_json::{Value, json};
use url::Url;

use super::looking::{LIVE, assert_quiet, look_from_all_sides};
use super::more_charts::assert_same;
use super::thresholds::assert_limit_is_drawn;
use crate::support::{RUN_TIMEOUT, greylag, test};

#[tokio::test]
async fn what_a_scenario_counts_is_summed_up_over_all_workers() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east", "west"])
        .await;
    let api = cluster.api();
    let changes = json!({
        "scenario": "metering", "users": 6, "workers": 3, "ramp_up": 0, "duration": 4,
        "thresholds": ["metric sent total >= 0.5", "metric \"tokens per second\" max < 100"],
    });
    let id = api.start(&test(&nginx.url(), "lab", changes)).await;
    let browser = Browser::start().await;
    browser.view(1440, 900, Theme::Light).await;
    browser.open(&format!("{}/runs/{id}", api.url())).await;
    let rows = "return [...document.querySelectorAll('.metrics-table tbody tr')];";
    browser
        .wait_for(
            "the metrics, live",
            LIVE,
            &rows.replace("];", "].length === 4;"),
        )
        .await;
    api.wait_for_status(&id, "Finished", RUN_TIMEOUT).await;

    let summary = api.summary(&id).await;
    let requests = nginx.finish().await.requests.len() as u64;
    assert_eq!(summary.totals.requests, requests);
    let [sent, turn, even, speed] = &summary.custom_metrics[..] else {
        panic!("{:?}", summary.custom_metrics);
    };
    let counts = [sent, turn, even, speed].map(|metric| metric.count);
    assert_eq!(counts, [requests; 4]);
    // Not 0.1 + 0.1 + …, which is not that in floating point.
    assert_eq!(sent.total, Some(requests as f64 / 10.0));
    assert_eq!((turn.min, speed.min), (Some(1.0), Some(1.0)));
    assert_eq!(turn.max, speed.max);
    let left_out = summary.warnings.iter();
    let left_out = left_out.filter(|warning| warning.kind == "custom_metric");
    assert_eq!(left_out.map(|warning| warning.count).sum::<u64>(), requests);

    assert_eq!(summary.verdict.as_deref(), Some("passed"));
    let judged = summary.thresholds.iter().map(|result| result.actual);
    assert_eq!(judged.collect::<Vec<_>>(), [sent.total, speed.max]);

    browser
        .wait_for("Finished", LIVE, "return document.querySelector('[data-field=\"status\"]').dataset.value === 'Finished';")
        .await;
    let shown = "return [...document.querySelectorAll('.metrics-table tbody tr')].map((row) => [row.querySelector('.name').textContent, row.cells[1].textContent]);";
    let count = |metric: &str| json!([metric, requests.to_string()]);
    let expected: Value = ["sent", "turn", "even turns", "tokens per second"]
        .map(count)
        .into();
    browser
        .wait_for(
            "the sums",
            LIVE,
            &shown
                .replace(
                    "return [",
                    &format!("return JSON.stringify({expected}) === JSON.stringify(["),
                )
                .replace("]);", "]));"),
        )
        .await;
    assert_charts(&browser, api, &id, "").await;
    let limit = "return document.querySelector('[data-chart=\"custom-metric-3\"] .chart-canvas').getAttribute('aria-label');";
    let limit = browser.eval(limit).await;
    let limit = limit.as_str().expect("a description");
    assert!(
        limit.contains("Limits: metric \"tokens per second\" max < 100."),
        "{limit}"
    );
    assert_limit_is_drawn(&browser, "custom-metric-3", 100).await;
    look_from_all_sides(&browser, "custom-metrics").await;
    assert_found_by_name(&browser).await;
    assert_nothing_stays_of_the_pointer(&browser).await;
    assert_printed(&browser).await;
    let window = "?from=1&to=3";
    browser
        .open(&format!("{}/runs/{id}{window}", api.url()))
        .await;
    assert_charts(&browser, api, &id, window).await;
    assert_quiet(&browser, api.url(), None).await;
    assert_saved_page(&browser, api, &id).await;
    browser.close().await;
}

/// Of many metrics those with a name are found: their rows and their charts.
async fn assert_found_by_name(browser: &Browser) {
    let filter = "const [text] = arguments;
        const filter = document.querySelector('[data-role=\"metric-filter\"]');
        filter.value = text;
        filter.dispatchEvent(new Event('input'));
        const shown = (css) => [...document.querySelectorAll(css)].map((one) => !one.hidden);
        return [document.querySelector('[data-role=\"metrics-found\"]').textContent,
            shown('.custom-metrics .metrics-table tbody tr'), shown('[data-role=\"metric-charts\"] figure')];";
    let some = [false, true, true, false];
    let found = browser.eval_with(filter, vec![json!(" Turn")]).await;
    assert_eq!(found, json!(["2 of 4 metrics", some, some]));
    let none = [false; 4];
    let found = browser.eval_with(filter, vec![json!("nothing")]).await;
    assert_eq!(found, json!(["No metric has this name", none, none]));
    let all = [true; 4];
    let found = browser.eval_with(filter, vec![json!("")]).await;
    assert_eq!(found, json!(["", all, all]));
}

/// Charts that are hidden while the pointer is in another one show nothing of it when they are there again: they hear of no further move.
async fn assert_nothing_stays_of_the_pointer(browser: &Browser) {
    let place =
        "const canvas = document.querySelector('[data-chart=\"custom-metric-0\"] .chart-canvas');
        canvas.scrollIntoView({ block: 'center' });
        const { left, top, width, height } = canvas.getBoundingClientRect();
        return [left + width / 2, top + height / 2];";
    let at = browser.eval(place).await;
    let shown = "const shown = [...document.querySelectorAll('[data-role=\"metric-charts\"] .tip')]
            .filter((tip) => tip.checkVisibility({ visibilityProperty: true, opacityProperty: true })).length;
        return shown COUNT ? [shown] : null;";
    let wait = async |what: &str, count: &str| {
        let script = shown.replace("COUNT", count);
        browser.wait_for(what, LIVE, &script).await
    };
    for moved in 0..2 {
        let x = at[0].as_f64().expect("a place") + f64::from(moved);
        let event = json!({ "type": "mouseMoved", "x": x, "y": at[1] });
        browser.cdp("Input.dispatchMouseEvent", event).await;
    }
    wait("the crosshair of charts in view", ">= 2").await;
    let hide = "for (const figure of [...document.querySelectorAll('[data-role=\"metric-charts\"] figure')].slice(1)) figure.hidden = HIDDEN;
        const done = arguments[arguments.length - 1];
        requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done)));";
    let set = async |hidden: &str| {
        let script = hide.replace("HIDDEN", hidden);
        let set = browser.client().execute_async(&script, vec![]).await;
        set.expect("frames are drawn");
    };
    set("true").await;
    wait("the tip of the chart that is left", "=== 1").await;
    let away = json!({ "type": "mouseMoved", "x": 2, "y": 2 });
    browser.cdp("Input.dispatchMouseEvent", away).await;
    wait("nothing of it", "=== 0").await;
    set("false").await;
    let drawn = "const figure = document.querySelector('[data-chart=\"custom-metric-3\"]');
        return figure.querySelector('canvas').clientHeight > 0;";
    browser.wait_for("the charts again", LIVE, drawn).await;
    wait("nothing of the pointer", "=== 0").await;
}

/// On paper each chart that has been in view is a picture. One that is folded is not there.
async fn assert_printed(browser: &Browser) {
    let pictures = "const details = document.querySelector('[data-role=\"metric-charts\"]');
        const count = () => details.querySelectorAll('.chart-print').length;
        dispatchEvent(new Event('beforeprint'));
        const open = count();
        dispatchEvent(new Event('afterprint'));
        const after = count();
        details.open = false;
        dispatchEvent(new Event('beforeprint'));
        const folded = count();
        dispatchEvent(new Event('afterprint'));
        details.open = true;
        return [open, after, folded];";
    assert_eq!(browser.eval(pictures).await, json!([4, 0, 0]));
}

/// The page as a file has a window's metrics, too, and their charts.
async fn assert_saved_page(browser: &Browser, api: &Api, id: &str) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("saved.html");
    let saved = api.get(&format!("/api/v1/runs/{id}/report.html")).await;
    std::fs::write(&file, &saved.body).expect("the directory is ours");
    let url = Url::from_file_path(&file).expect("an absolute path");
    let window = "?from=1&to=3";
    browser.open(&format!("{url}#{window}")).await;
    assert_charts(browser, api, id, window).await;
    let answer = api.get(&format!("/api/v1/runs/{id}{window}")).await;
    let view: Value = serde_json::from_str(&answer.body).expect("JSON");
    let rows = view["custom_metrics"]["rows"].as_array().expect("a list");
    let expected: Vec<&Value> = rows.iter().map(|row| &row["cells"]).collect();
    let shown = "return [...document.querySelectorAll('.metrics-table tbody tr')].map((row) => [...row.querySelectorAll('td')].map((cell) => cell.textContent));";
    assert_eq!(browser.eval(shown).await, json!(expected));
}

/// The chart of each metric has the numbers that the API has of it. What people read of a counter is its rate.
async fn assert_charts(browser: &Browser, api: &Api, id: &str, query: &str) {
    for (place, (metric, lines)) in [
        ("sent", &["per second"][..]),
        ("turn", &["last", "min", "max"]),
        ("even turns", &["share"]),
        ("tokens per second", &["average", "p50", "p95"]),
    ]
    .into_iter()
    .enumerate()
    {
        let more = query.replace('?', "&");
        let path = format!("/api/v1/runs/{id}/charts/custom-metric?metric={metric}{more}");
        let answer = api.get(&path.replace(' ', "%20")).await;
        let mut data: Value = serde_json::from_str(&answer.body).expect("JSON");
        for (line, name) in lines.iter().enumerate() {
            data["lines"][line]["name"] = json!(name);
        }
        let chart = format!("custom-metric-{place}");
        assert_same(browser, &chart, &data, lines, metric == "sent").await;
    }
}

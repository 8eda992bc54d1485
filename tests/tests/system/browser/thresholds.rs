//! Thresholds on a page that is open while they are breached, and how soon the run stops then.

use greylag_tests::{Api, Browser, Cluster, Nginx, Theme, alone};
use serde_json::json;

use super::looking::{LIVE, assert_quiet};
use crate::support::{RUN_TIMEOUT, greylag, test};

/// For how long the threshold lets itself be breached, in seconds.
const ABORT_AFTER_S: f64 = 3.0;
/// How much later the run may stop.
const STOPS_WITHIN_S: f64 = 2.0;
/// The machine may be busy: one of so many runs has to stop in time.
const TRIES: usize = 3;

/// How much later the load of a run stopped than its first threshold says, in seconds. It never stops earlier: in which second it has to
/// is known from what is stored.
async fn stopped_late_by(api: &Api, id: &str) -> f64 {
    let ended = api.wait_for_status(id, "Failed", RUN_TIMEOUT).await;
    assert_eq!(ended["failure_code"], "threshold_breached", "{ended}");
    let summary = api.summary(id).await;
    let breached_since_s = summary.thresholds[0].breached_since_s.expect("a second");
    let elapsed_s = ended["elapsed_s"].as_f64().expect("a number");
    // From the second after as many breached ones on.
    let late_by = elapsed_s - (f64::from(breached_since_s) + ABORT_AFTER_S);
    assert!(late_by >= 0.0, "stopped {late_by} s late: {summary:?}");
    late_by
}

/// What ECharts draws across a chart is this limit, in the chart's own unit, and no other.
pub(super) async fn assert_limit_is_drawn(browser: &Browser, chart: &str, at: u32) {
    let script = format!(
        "const canvas = document.querySelector('[data-chart=\"{chart}\"] .chart-canvas');
        const fold = canvas.closest('details');
        if (fold) fold.open = true;
        canvas.scrollIntoView();
        const loaded = performance.getEntriesByType('resource').map(({{ name }}) => name);
        const library = loaded.find((name) => name.endsWith('echarts.esm.min.js'));
        return import(library).then((echarts) => {{
            const series = echarts.getInstanceByDom(canvas)?.getOption().series ?? [];
            const marks = series.find(({{ id }}) => id === 'marks');
            const across = marks?.markLine.data.filter(({{ yAxis }}) => yAxis !== undefined) ?? [];
            return across.length > 0 ? across.map(({{ yAxis }}) => yAxis) : null;
        }});"
    );
    let drawn = browser
        .wait_for(&format!("a limit across {chart}"), LIVE, &script)
        .await;
    assert_eq!(drawn, json!([at]), "{chart}");
}

#[tokio::test]
async fn a_page_that_is_open_shows_a_breach_and_the_run_stops_soon_after() {
    let _turn = alone().await;
    let nginx = Nginx::start().await;
    let cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east", "west"])
        .await;
    let api = cluster.api();
    let definition = test(
        &nginx.url(),
        "lab",
        json!({
            "duration": 600,
            "ramp_up": 0,
            "declared": { "requests": [{ "path": "/" }], "wait_time": "20ms" },
            "thresholds": [
                "error_rate < 1% abort after 3s",
                "p95 < 30s",
                "requests >= 1000000",
                "rps < 54321",
            ],
        }),
    );
    let id = api.start(&definition).await;
    api.wait_for_requests(&id, 10, RUN_TIMEOUT).await;

    let browser = Browser::start().await;
    browser.view(1280, 900, Theme::Light).await;
    browser.open(&format!("{}/runs/{id}", api.url())).await;
    let held = "const rows = [...document.querySelectorAll('.thresholds-table tbody tr')];
        if (rows.some((row) => row.cells[1].textContent === '–')) return null;
        window.isTheFirstPage = true;
        return [rows.map((row) => row.dataset.state).join(), document.querySelector('[data-role=\"verdict-pill\"]').hidden];";
    let shown = browser.wait_for("open thresholds", LIVE, held).await;
    assert_eq!(shown, json!(["passed,passed,pending,passed", true]));
    for (chart, at) in [
        ("response-time-distribution", 30_000),
        ("percentiles", 30_000),
        ("total-requests-per-second", 54_321),
    ] {
        assert_limit_is_drawn(&browser, chart, at).await;
    }

    // From here on every request fails.
    drop(nginx);
    let breached = "const row = document.querySelector('.thresholds-table tbody tr');
        const pill = document.querySelector('[data-role=\"verdict-pill\"]');
        if (row.dataset.state !== 'breached' || pill.hidden) return null;
        return [row.querySelector('.state').textContent, row.cells[4].textContent !== ''];";
    let shown = browser.wait_for("the breach", LIVE, breached).await;
    assert_eq!(shown, json!(["breached", true]));
    let late_by = stopped_late_by(api, &id).await;
    let over = "const pill = document.querySelector('[data-role=\"verdict-pill\"]');
        if (pill.textContent !== 'Verdict: failed') return null;
        const rows = [...document.querySelectorAll('.thresholds-table tbody tr')];
        return [window.isTheFirstPage, pill.dataset.verdict, rows.map((row) => row.dataset.state).join()];";
    let shown = browser.wait_for("the verdict", LIVE, over).await;
    assert_eq!(
        shown,
        json!([true, "failed", "breached,passed,breached,passed"]),
        "without a new page"
    );
    assert_quiet(&browser, api.url(), None).await;
    browser.close().await;

    let mut all_late_by = vec![late_by];
    while all_late_by.iter().all(|late_by| *late_by > STOPS_WITHIN_S) {
        assert!(
            all_late_by.len() < TRIES,
            "it stopped {all_late_by:?} s late"
        );
        let id = api.start(&definition).await;
        all_late_by.push(stopped_late_by(api, &id).await);
    }
}

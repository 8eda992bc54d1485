//! A table of many endpoints: filtered, with its head and its totals in sight; and charts on paper.

use fantoccini::Locator;
use greylag_tests::{Browser, Cluster, Nginx, Theme, heavy};
use serde_json::{Value, json};

use super::looking::{LIVE, assert_quiet, eval, look_from_all_sides};
use crate::support::{RUN_TIMEOUT, declared, greylag, request, test};

const SHOWN: &str = "return [...document.querySelectorAll('[data-role=\"endpoint-rows\"] tr')].map((row) => row.dataset.endpointName);";

#[tokio::test]
async fn many_endpoints_stay_usable() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east"])
        .await;
    let api = cluster.api();
    let requests: Vec<Value> = (0..130)
        .map(|number| request("GET", &format!("/item/{number:03}"), 1))
        .collect();
    let changes = json!({ "name": "many", "users": 30, "duration": 8, "ramp_up": 0, "declared": declared(&requests, (0.0, 0.05)) });
    let id = api.start(&test(&nginx.url(), "lab", changes)).await;
    api.wait_for_status(&id, "Finished", RUN_TIMEOUT).await;
    let browser = Browser::start().await;
    browser.view(1440, 900, Theme::Light).await;
    browser.open(&format!("{}/runs/{id}", api.url())).await;
    let charts = "return document.querySelectorAll('figure canvas').length >= 2;";
    browser.wait_for("charts", LIVE, charts).await;

    let sticky = "const box = document.querySelector('.endpoints .table-scroll');
        box.scrollTop = 400;
        box.scrollIntoView({ block: 'end' });
        const inside = (element) => {
            const [part, whole] = [element.getBoundingClientRect(), box.getBoundingClientRect()];
            return part.top >= whole.top - 1 && part.bottom <= whole.bottom + 1;
        };
        return [box.scrollTop, inside(box.querySelector('thead th')), inside(box.querySelector('.aggregated th'))];";
    for (width, height) in [(1440, 900), (390, 844)] {
        browser.view(width, height, Theme::Light).await;
        let seen = eval(&browser, sticky, vec![]).await;
        assert_eq!(seen, json!([400, true, true]), "head and totals at {width}");
    }
    browser.view(1440, 900, Theme::Light).await;

    let client = browser.client();
    let filter = client
        .find(Locator::Css("[data-role='endpoint-filter']"))
        .await
        .expect("the filter");
    filter
        .send_keys("GET /item/12")
        .await
        .expect("it takes text");
    let expected: Vec<String> = (120..130).map(|number| format!("/item/{number}")).collect();
    assert_eq!(browser.eval(SHOWN).await, json!(expected));
    let found = "return document.querySelector('[data-role=\"endpoints-found\"]').textContent;";
    assert_eq!(browser.eval(found).await, json!("10 of 130"));
    look_from_all_sides(&browser, "run-filtered").await;

    // On paper a chart is a picture, wide and sharp; on the screen it is as before.
    let printed = "dispatchEvent(new Event('beforeprint'));
        const pictures = [...document.querySelectorAll('.chart-print')];
        await Promise.all(pictures.map((picture) => picture.decode()));
        const sizes = pictures.map((picture) => picture.naturalWidth);
        dispatchEvent(new Event('afterprint'));
        return [sizes, document.querySelectorAll('.chart-print').length];";
    let script = format!(
        "const done = arguments[arguments.length - 1]; (async () => {{ {printed} }})().then(done, (error) => done(String(error)));"
    );
    let sizes = client
        .execute_async(&script, vec![])
        .await
        .expect("a script");
    assert_eq!(sizes, json!([vec![3_000; 5], 0]));
    assert_quiet(&browser, api.url(), None).await;
    browser.close().await;
}

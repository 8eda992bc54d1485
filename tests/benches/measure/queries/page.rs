//! How soon a browser that opens the run's page shows it, and a window that is dragged on it.

use std::time::Duration;

use greylag_tests::{Api, Browser, Theme};
use serde_json::json;

use super::{ENDPOINTS, RUN, millis_of};
use crate::median;

/// How often the page is opened.
const OPENED: usize = 5;
const WITHIN: Duration = Duration::from_secs(30);
const THROUGHPUT: &str = "[data-chart='total-requests-per-second'] .chart-canvas";
/// Notes when the table has rows and the chart is drawn: the frame after the one that drew it begins. Then, when the numbers of a dragged window
/// are there: from the mouse's release until the card of total requests changes.
const WATCH: &str = "
    const field = () => document.querySelector('[data-field=\"total-requests\"]')?.dataset.value;
    const drawn = () => {
        const canvas = document.querySelector(\"[data-chart='total-requests-per-second'] canvas\");
        const rows = document.querySelectorAll('[data-role=\"endpoint-rows\"] tr');
        if (!canvas || rows.length === 0 || document.readyState === 'loading') return false;
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        return data.some((value, at) => at % 4 === 3 && value > 0);
    };
    const look = () => {
        if (drawn()) requestAnimationFrame(() => { window.usable = performance.now(); });
        else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
    let [released, before] = [0, ''];
    addEventListener('mouseup', () => { [released, before] = [performance.now(), field()]; requestAnimationFrame(change); }, true);
    const change = () => {
        if (field() === before) requestAnimationFrame(change);
        else window.changed = performance.now() - released;
    };";

/// Prints when the page's HTML is there, when it is usable, and how soon it shows a window.
pub(super) async fn measure(api: &Api) {
    let browser = Browser::start().await;
    browser.view(1440, 900, Theme::Light).await;
    let watch = json!({ "source": WATCH });
    browser
        .cdp("Page.addScriptToEvaluateOnNewDocument", watch)
        .await;
    let (mut answered, mut usable, mut changed) = (Vec::new(), Vec::new(), Vec::new());
    for nth in 0..OPENED {
        browser.open(&format!("{}/runs/{RUN}", api.url())).await;
        let shown = browser
            .wait_for("the page", WITHIN, "return window.usable;")
            .await;
        usable.push(millis_of(&shown));
        let html = "return performance.getEntriesByType('navigation')[0].responseEnd;";
        answered.push(millis_of(&browser.eval(html).await));
        // Another window each time, so that none is answered from memory.
        let from = 0.2 + 0.05 * nth as f64;
        browser.drag(THROUGHPUT, from, from + 0.31).await;
        let shown = browser
            .wait_for("the window", WITHIN, "return window.changed;")
            .await;
        changed.push(millis_of(&shown));
    }
    println!(
        "The page of the whole run in Chromium, median of {OPENED}: HTML with {ENDPOINTS} endpoints after {:.0} ms, its first chart drawn after {:.0} ms; \
         the numbers of a dragged window {:.0} ms after the mouse is released",
        median(answered),
        median(usable),
        median(changed)
    );
    browser.close().await;
}

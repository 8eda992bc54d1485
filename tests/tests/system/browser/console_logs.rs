//! The Console Logs panel.

use fantoccini::Locator;
use greylag_tests::{Browser, wait};
use serde_json::json;

use super::looking::{LIVE, eval};

/// Load Test Logs: the panel opens, holds streamed lines, the tables and the error report, and can be searched.
pub(super) async fn assert_console_logs(browser: &Browser) {
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
    browser
        .wait_for(
            "the tables",
            LIVE,
            "return document.querySelector('[data-field=\"console-tables\"]').textContent.includes('# reqs');",
        )
        .await;
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

//! Repeated log lines are one, errors say where they come from and when they were seen, and a search covers all of it.

use fantoccini::Locator;
use greylag_tests::{Browser, Cluster, Theme, heavy, wait};
use serde_json::{Value, json};

use super::looking::{LIVE, assert_quiet, eval};
use crate::support::{RUN_TIMEOUT, greylag, test};

/// How often the line is said that is folded.
fn times_said(log: &str) -> usize {
    log.matches(": traced basket=7")
        .count()
        .max(log.matches("traced").count())
}

#[tokio::test]
async fn what_is_said_again_is_folded_and_can_be_searched() {
    let _turn = heavy().await;
    let cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east"])
        .await;
    let api = cluster.api();
    let changes = json!({ "name": "talk", "scenario": "talkative", "users": 2, "workers": 1, "ramp_up": 0, "duration": 600 });
    let id = api.start(&test("http://127.0.0.1:9", "lab", changes)).await;
    // Each task is one of three at random. What is said until then is less than the page takes at a time.
    wait::until("both errors and repeated lines", RUN_TIMEOUT, async || {
        let errors = api.summary(&id).await.errors.len();
        let said = times_said(&api.log(&id).await);
        if errors == 2 && said >= 15 {
            Ok(())
        } else {
            Err(format!("{errors} errors, said {said} times"))
        }
    })
    .await;
    api.stop(&id).await;
    api.wait_for_status(&id, "Failed", RUN_TIMEOUT).await;
    let browser = Browser::start().await;
    browser.view(1440, 900, Theme::Light).await;
    browser.open(&format!("{}/runs/{id}", api.url())).await;
    let client = browser.client();
    let panel = client
        .find(Locator::Css("[data-role='console'] > summary"))
        .await;
    panel
        .expect("Console Logs")
        .click()
        .await
        .expect("it opens");

    let filled = "return document.querySelectorAll('.line').length > 0 && document.querySelectorAll('.errors tbody tr').length === 2;";
    browser.wait_for("lines and errors", LIVE, filled).await;
    // What is folded adds up to what was said.
    let log = api.log(&id).await;
    let said = times_said(&log);
    let folded = "const lines = [...document.querySelectorAll('.line')].filter((line) => line.querySelector('.text').textContent.includes('traced'));
        return [lines.length, lines.reduce((sum, line) => sum + Number((line.querySelector('.times')?.textContent ?? '×1').slice(1)), 0)];";
    let folded = eval(&browser, folded, vec![]).await;
    assert_eq!(folded[1], json!(said), "{log}");
    assert!(
        folded[0].as_u64().expect("a number") < said as u64,
        "nothing was folded: {folded}"
    );

    // Task errors name their place, and every error when it was seen.
    let rows = "return [...document.querySelectorAll('.errors tbody tr')].filter(isVisible)
        .map((row) => [row.cells[0].textContent, row.querySelector('.place')?.textContent ?? null, row.cells[4].dataset.value, row.cells[5].dataset.value, row.cells[3].dataset.value]);";
    let errors: Vec<Vec<Value>> =
        serde_json::from_value(eval(&browser, rows, vec![]).await).expect("rows");
    let mut shown: Vec<[u64; 3]> = Vec::new();
    for error in &errors {
        let number = |at: usize| {
            error[at]
                .as_str()
                .and_then(|text| text.parse::<u64>().ok())
                .expect("a number")
        };
        assert!(
            error[1]
                .as_str()
                .is_some_and(|place| place.contains("talking.rs:")),
            "{error:?}"
        );
        assert!(number(2) <= number(3) && number(4) > 0, "{error:?}");
        shown.push([number(2), number(3), number(4)]);
    }
    let known = api.summary(&id).await.errors;
    let mut known: Vec<[u64; 3]> = known
        .iter()
        .map(|error| {
            let seen = [error.first_second, error.last_second];
            let [first, last] = seen.map(|second| u64::from(second.expect("it was seen")));
            [first, last, error.occurrences]
        })
        .collect();
    shown.sort_unstable();
    known.sort_unstable();
    assert_eq!(shown, known);
    assert_eq!(shown.len(), 2, "{errors:?}");

    let search = client
        .find(Locator::Css("[data-role='log-search']"))
        .await
        .expect("the search");
    search.send_keys("tenants ON").await.expect("it takes text");
    let one = "const rows = [...document.querySelectorAll('.errors tbody tr')].filter((row) => !row.hidden);
        const marks = document.querySelectorAll('.console-tables mark').length;
        return rows.length === 1 && marks > 0 && document.querySelector('[data-role=\"log-matches\"]').textContent;";
    let matches = browser.wait_for("the search", LIVE, one).await;
    let matches = matches.as_str().expect("a text");
    assert!(
        matches.contains("1 of 2 errors") && matches.contains("in tables"),
        "{matches}"
    );
    assert_quiet(&browser, api.url(), None).await;
    browser.close().await;
}

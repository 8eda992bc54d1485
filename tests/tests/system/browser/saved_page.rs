//! A run's page as one file: opened without a server it shows the numbers of the API, and asks for nothing.

use std::path::{Path, PathBuf};

use fantoccini::key::Key;
use greylag_tests::{Api, Browser, Process, clean_command, python_with};
use serde_json::json;
use url::Url;

use super::looking::{LIVE, assert_accessible, look_from_all_sides};
use super::windows::{DRAWN, THROUGHPUT, assert_part, click, press};
use crate::support::RUN_TIMEOUT;

/// Messages of the console about what the page may not do count, too.
const POLICY: &str = "Content Security Policy";

/// The page of a run that is over, as a file: the whole run, a window that is dragged, an endpoint of it, and these again by their address.
pub(super) async fn assert_saved_page(browser: &Browser, api: &Api, id: &str) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("saved page.html");
    let saved = api.get(&format!("/api/v1/runs/{id}/report.html")).await;
    std::fs::write(&file, &saved.body).expect("the directory is ours");
    let url = Url::from_file_path(&file).expect("an absolute path");
    browser.open("about:blank").await;
    browser.console().await;
    browser.requested_urls().await;

    browser.open(url.as_str()).await;
    browser.wait_for("charts", LIVE, DRAWN).await;
    assert_part(browser, api, id, "").await;
    look_from_all_sides(browser, "saved-page").await;

    browser.drag(THROUGHPUT, 0.2, 0.7).await;
    let narrowed = "return location.hash.startsWith('#?');";
    browser.wait_for("a window", LIVE, narrowed).await;
    let window = assert_part(browser, api, id, "").await;
    assert!(window.contains("to="), "{window}");
    click(
        browser,
        "[data-endpoint-name='/not-allowed'] a.endpoint-name",
    )
    .await;
    let endpoint = "return location.hash.includes('endpoint=');";
    browser.wait_for("the endpoint", LIVE, endpoint).await;
    let both = assert_part(browser, api, id, "").await;
    assert!(both.starts_with(&window), "{both}");
    browser.eval("history.back();").await;
    assert_part(browser, api, id, &window).await;

    // The address alone is enough; the other charts and the log are of the file, too.
    browser.open("about:blank").await;
    browser.open(&format!("{url}#{both}")).await;
    browser.wait_for("charts", LIVE, DRAWN).await;
    assert_part(browser, api, id, &both).await;
    press(
        browser,
        "[data-role='more-charts'] > summary",
        &Key::Enter.to_string(),
    )
    .await;
    let percentiles = "const figure = document.querySelector('[data-chart=\"percentiles\"]');
        figure.scrollIntoView();
        return Number(figure.dataset.points) > 0;";
    browser.wait_for("percentiles", LIVE, percentiles).await;
    press(
        browser,
        "[data-role='scope-leave']",
        &Key::Enter.to_string(),
    )
    .await;
    assert_part(browser, api, id, "").await;
    press(browser, "body", "/").await;
    press(browser, "[data-role='log-search']", "RUN FINISHED").await;
    let found = "const lines = [...document.querySelectorAll('[data-role=\"log-lines\"] .line')];
        return lines.length === 1 && lines[0].querySelector('mark')?.textContent.toLowerCase() === 'run finished';";
    browser
        .wait_for("the line that is searched for", LIVE, found)
        .await;
    assert_accessible(browser, "a saved page that is searched").await;

    for asked in browser.requested_urls().await {
        let asked = Url::parse(&asked).unwrap_or_else(|error| panic!("{asked}: {error}"));
        let is_file = asked.scheme() == "file" && asked.path() == url.path();
        let is_inside = matches!(asked.scheme(), "data" | "blob" | "about" | "chrome");
        assert!(is_file || is_inside, "the file asks for {asked}");
    }
    let console = browser.console().await.into_iter();
    let errors: Vec<_> = console
        .filter(|(level, message)| level == "SEVERE" || message.contains(POLICY))
        .collect();
    assert!(errors.is_empty(), "errors in the console: {errors:?}");
    assert_valid(&file).await;
}

/// html5lib, which parses as the standard says, finds no error.
async fn assert_valid(file: &Path) {
    let environment = Path::new(env!("CARGO_TARGET_TMPDIR")).join("saved-page");
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/system/browser");
    let requirements: PathBuf = here.join("saved_page_requirements.txt");
    let needed = "the file cannot be checked";
    let python = python_with(&environment, &requirements, needed).await;
    let script = "import sys, html5lib\n\
        parser = html5lib.HTMLParser()\n\
        parser.parse(open(sys.argv[1], encoding='utf-8').read())\n\
        print(parser.errors[:10])";
    let mut command = clean_command(python);
    command.args(["-c", script]).arg(file);
    let ended = Process::start("html5lib", &mut command)
        .wait(RUN_TIMEOUT)
        .await;
    assert_eq!(json!(ended.stdout.trim()), json!("[]"), "{}", ended.stderr);
}

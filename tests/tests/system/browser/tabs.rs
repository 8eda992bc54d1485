//! Many pages of one coordinator in one browser, and what they say when nothing comes any more.

use fantoccini::Locator;
use greylag_tests::{Api, Browser, Cluster, Nginx, Theme, heavy, wait};
use reqwest::{Method, Response};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::looking::{LIVE, assert_no_overflow, assert_quiet, number};
use crate::support::{RUN_TIMEOUT, greylag, test};

/// The indicator's state and words.
const INDICATOR: &str = "const live = document.querySelector('[data-live]');
    return [live.dataset.live ?? '', live.textContent.trim()];";

async fn indicator(browser: &Browser) -> (String, String) {
    serde_json::from_value(browser.eval(INDICATOR).await).expect("two texts")
}

async fn wait_for_indicator(browser: &Browser, state: &str, words: &str) {
    wait::until(&format!("the page to be {state}"), LIVE, async || {
        let seen = indicator(browser).await;
        if seen.0 == state && seen.1.starts_with(words) {
            Ok(())
        } else {
            Err(format!("{seen:?}"))
        }
    })
    .await;
}

/// Waits until the card of all requests grows.
async fn wait_for_growth(browser: &Browser) {
    let before = number(browser, "total-requests").await;
    wait::until("the card to grow", LIVE, async || {
        let now = number(browser, "total-requests").await;
        if now > before {
            Ok(())
        } else {
            Err(now.to_string())
        }
    })
    .await;
}

/// A page of its own in the same browser; windows are all seen at the same time.
async fn open_window(browser: &Browser, url: &str) -> fantoccini::wd::WindowHandle {
    let window = browser
        .client()
        .new_window(false)
        .await
        .expect("a window")
        .handle;
    browser
        .client()
        .switch_to_window(window.clone())
        .await
        .expect("the window is there");
    browser.open(url).await;
    window
}

/// A run that lasts until it is stopped.
async fn long_run(cluster: &Cluster, host: &str, name: &str) -> String {
    let changes = json!({ "name": name, "users": 4, "workers": 1, "duration": 600 });
    cluster.api().start(&test(host, "lab", changes)).await
}

#[tokio::test]
async fn eight_pages_of_one_browser_are_live_and_a_run_is_stopped_from_the_last() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["a1"])
        .await;
    let runs = [
        long_run(&cluster, &nginx.url(), "one").await,
        long_run(&cluster, &nginx.url(), "two").await,
    ];
    let front = cluster.api().url().to_owned();
    let browser = Browser::start().await;
    let mut windows = vec![(open_window(&browser, &front).await, None)];
    for page in 0..7 {
        let run = &runs[page % 2];
        let window = open_window(&browser, &format!("{front}/runs/{run}")).await;
        windows.push((window, Some(run)));
    }
    for (window, run) in windows.iter().rev() {
        browser
            .client()
            .switch_to_window(window.clone())
            .await
            .expect("the window is there");
        wait_for_indicator(&browser, "live", "Live").await;
        if run.is_some() {
            wait_for_growth(&browser).await;
        }
    }

    // The last window of run two; all others stay open.
    let (window, stopped) = &windows[6];
    let stopped = stopped.expect("a run's page");
    browser
        .client()
        .switch_to_window(window.clone())
        .await
        .expect("the window is there");
    browser
        .client()
        .find(Locator::Css("[data-role='stop'] summary"))
        .await
        .expect("Stop")
        .click()
        .await
        .expect("a click");
    browser
        .client()
        .find(Locator::Css("[data-role='stop'] form button"))
        .await
        .expect("Stop the run")
        .click()
        .await
        .expect("a click");
    cluster
        .api()
        .wait_for_status(stopped, "Failed", RUN_TIMEOUT)
        .await;
    let over =
        "return document.querySelector('[data-field=\"status\"]').dataset.value === 'Failed';";
    for (window, run) in &windows {
        if *run != Some(stopped) {
            continue;
        }
        browser
            .client()
            .switch_to_window(window.clone())
            .await
            .expect("the window is there");
        browser.wait_for("the end on each page", LIVE, over).await;
    }
    assert_quiet(&browser, &front, None).await;
    browser.close().await;
}

#[tokio::test]
async fn a_page_says_that_its_coordinator_hangs_and_recovers_with_it() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let mut cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["a1"])
        .await;
    let id = long_run(&cluster, &nginx.url(), "hanging").await;
    let browser = Browser::start().await;
    browser
        .open(&format!("{}/runs/{id}", cluster.api().url()))
        .await;
    wait_for_indicator(&browser, "live", "Live").await;
    wait_for_growth(&browser).await;

    cluster.coordinator().signal(Signal::STOP);
    wait_for_indicator(&browser, "silent", "No data for").await;
    let clock = number(&browser, "time-elapsed").await;
    let seconds = |words: &str| -> u64 {
        let digits: String = words.chars().filter(char::is_ascii_digit).collect();
        digits.parse().expect("so many seconds")
    };
    let silent = seconds(&indicator(&browser).await.1);
    wait::until("the silence to be counted", LIVE, async || {
        let (_, words) = indicator(&browser).await;
        if seconds(&words) >= silent + 2 {
            Ok(())
        } else {
            Err(words)
        }
    })
    .await;
    assert_eq!(
        number(&browser, "time-elapsed").await,
        clock,
        "the clock stands"
    );

    cluster.coordinator().signal(Signal::CONT);
    wait_for_indicator(&browser, "live", "Live").await;
    wait_for_growth(&browser).await;
    assert!(
        number(&browser, "time-elapsed").await > clock,
        "the clock keeps running"
    );
    browser.close().await;
}

/// As many streams as there can be.
async fn take_all_streams(api: &Api) -> Vec<Response> {
    let mut open = Vec::new();
    loop {
        let answer = api
            .request(Method::GET, "/api/v1/events")
            .send()
            .await
            .expect("an answer");
        if !answer.status().is_success() {
            return open;
        }
        open.push(answer);
    }
}

/// No shared workers, as on phones; and one that never answers.
const WITHOUT_WORKERS: [&str; 2] = [
    "delete window.SharedWorker;",
    "window.SharedWorker = class { port = new MessageChannel().port1; addEventListener() {} };",
];

#[tokio::test]
async fn a_page_without_shared_workers_is_live_and_says_when_there_are_too_many() {
    let _turn = heavy().await;
    let cluster = Cluster::start(&greylag()).await;
    for script in WITHOUT_WORKERS {
        let browser = Browser::start().await;
        browser.view(390, 844, Theme::Light).await;
        browser
            .cdp(
                "Page.addScriptToEvaluateOnNewDocument",
                json!({ "source": script }),
            )
            .await;
        browser.open(cluster.api().url()).await;
        let native = browser
            .eval("return String(window.SharedWorker).includes('native code');")
            .await;
        assert_eq!(native, Value::from(false), "{script}");
        wait_for_indicator(&browser, "live", "Live").await;
        browser.open("about:blank").await;

        let all = take_all_streams(cluster.api()).await;
        browser.open(cluster.api().url()).await;
        wait_for_indicator(
            &browser,
            "refused",
            "200 browsers have live pages open, the maximum",
        )
        .await;
        assert_no_overflow(&browser, "a page that is refused").await;
        drop(all);
        wait_for_indicator(&browser, "live", "Live").await;
        browser.close().await;
    }
}

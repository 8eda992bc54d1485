//! What a run's page costs the machine that shows it: processor time of all of Chromium's processes, software rendering.

use std::time::Duration;

use greylag_tests::{Browser, Cluster, Greylag, Nginx, ProcessId, Theme};
use serde_json::{Value, json};
use tokio::time::sleep;

const SECONDS: u64 = 20;
/// Until the page has drawn what it was opened with.
const SETTLE: Duration = Duration::from_secs(30);

/// Prints the share of a core for 5 and for 1,000 endpoints.
pub(crate) async fn measure() {
    let nginx = Nginx::start_unlogged().await;
    println!(
        "\nChromium with one run page open, {SECONDS} s after {} s, 1440 x 900",
        SETTLE.as_secs()
    );
    println!("| endpoints | requests per second | of a core |\n|---|---|---|");
    for endpoints in [5, 1_000] {
        let greylag = Greylag::at(env!("CARGO_BIN_EXE_greylag_under_test"));
        let cluster = Cluster::start(&greylag)
            .await
            .with_agents("bench", &["bench"])
            .await;
        let requests: Vec<Value> = (0..endpoints)
            .map(
                |number| json!({ "method": "GET", "path": format!("/item/{number}"), "weight": 1 }),
            )
            .collect();
        let test = json!({
            "name": "page", "host": nginx.url(), "infrastructure": "bench", "users": 50, "workers": 1, "ramp_up": 0,
            "duration": SETTLE.as_secs() + SECONDS + 60,
            "declared": { "requests": requests, "wait_time": { "Between": [0.05, 0.15] } },
        });
        let id = cluster.api().start(&test).await;
        let browser = Browser::start().await;
        browser.view(1440, 900, Theme::Light).await;
        browser
            .open(&format!("{}/runs/{id}", cluster.api().url()))
            .await;
        sleep(SETTLE).await;
        let before = total(&browser);
        let requests = requests_of(&cluster, &id).await;
        sleep(Duration::from_secs(SECONDS)).await;
        let share = (total(&browser) - before) / SECONDS as f64;
        let rate = (requests_of(&cluster, &id).await - requests) / SECONDS as f64;
        println!("| {endpoints} | {rate:.0} | {:.1} % |", share * 100.0);
        for process in browser.processes() {
            let kind = process
                .command_line()
                .split(' ')
                .find(|word| word.starts_with("--type="))
                .map(str::to_owned);
            println!(
                "  {:.2} s {}",
                process.cpu_seconds(),
                kind.unwrap_or_default()
            );
        }
        // A page that broke draws nothing.
        let errors: Vec<_> = browser
            .console()
            .await
            .into_iter()
            .filter(|(level, _)| level == "SEVERE")
            .collect();
        assert!(errors.is_empty(), "{errors:?}");
        browser.close().await;
    }
}

fn total(browser: &Browser) -> f64 {
    browser
        .processes()
        .into_iter()
        .map(ProcessId::cpu_seconds)
        .sum()
}

async fn requests_of(cluster: &Cluster, id: &str) -> f64 {
    let progress = cluster.api().try_progress(id).await.expect("an answer");
    progress["requests"].as_f64().unwrap_or(0.0)
}

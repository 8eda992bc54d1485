//! `greylag compare`: what it prints is what the API answers, and a target that is slower is found to be.

use std::time::Duration;

use greylag_tests::{ChaosProxy, Cluster, Nginx, START_TIMEOUT, heavy};
use serde_json::{Value, json};

use crate::support::{RUN_TIMEOUT, greylag};

/// A comparison needs ten steady seconds.
const DURATION: &str = "14s";

#[tokio::test]
async fn a_slower_target_is_found_and_command_line_and_api_agree() {
    let _turn = heavy().await;
    let nginx = Nginx::start_unlogged().await;
    let target = nginx.url().trim_start_matches("http://").to_owned();
    let cluster = Cluster::start(&greylag()).await;
    let cluster = cluster.with_agents("local", &["a1"]).await;
    let api = cluster.api();
    api.wait_for_agents("local", 1, START_TIMEOUT).await;
    let mut proxies = Vec::new();
    let mut ids = Vec::new();
    for (name, delay_ms) in [("before", 10), ("after", 30)] {
        let proxy = ChaosProxy::start(&target).await;
        proxy.delay(Duration::from_millis(delay_ms));
        let test = json!({
            "name": name, "host": proxy.url(), "users": 20, "arrival_rate": 40, "duration": DURATION, "ramp_up": 0,
            "workers": 1, "share": true, "declared": {"requests": [{"path": "/"}, {"path": "/list"}]},
        });
        ids.push(api.start(&test).await);
        proxies.push(proxy);
    }
    for id in &ids {
        api.wait_for_status(id, "Finished", RUN_TIMEOUT).await;
    }
    let compare = |arguments: &'static [&'static str]| {
        let coordinator = api.url().to_owned();
        async move {
            let arguments = [&["compare"], arguments, &["--coordinator", &coordinator]].concat();
            greylag().run(&arguments, RUN_TIMEOUT).await
        }
    };
    let ended = compare(&["before#1", "after", "--json"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let printed: Value = serde_json::from_str(&ended.stdout).expect("it is JSON");
    let query = format!("/api/v1/compare?runs={},{}", ids[0], ids[1]);
    let answered = api.get(&query).await.json();
    assert_eq!(printed, answered);
    let run = &answered["runs"][0];
    assert_eq!(run["verdict"], "slower", "{run}");
    let p50 = &run["aggregated"][3];
    assert_eq!(p50["statistic"], "p50_ms");
    let change = |key: &str| p50[key].as_f64().expect("it is a number");
    // Three times the way there and back.
    assert!(change("low") > 0.5 && change("low") < 2.0, "{p50}");
    let summary = api.summary(&ids[1]).await;
    assert_eq!(run["run"]["number"], summary.run.number);

    let table = compare(&["before", "after", "--fail-on-slower"]).await;
    assert_eq!(table.code, Some(1), "{table:?}");
    for text in [
        "Verdict: slower",
        "Aggregated",
        "GET /list",
        "host: `",
        "FINDS",
    ] {
        assert!(table.stdout.contains(text), "{text} in\n{}", table.stdout);
    }
    let back = compare(&["after", "before", "--fail-on-slower"]).await;
    assert!(
        back.code == Some(0) && back.stdout.contains("Verdict: faster"),
        "{back:?}"
    );
    let unknown = compare(&["before", "nothing"]).await;
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    assert!(
        unknown.stderr.contains("run `nothing` was not found"),
        "{unknown:?}"
    );
}

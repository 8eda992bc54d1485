//! Whether runs of the same test against the same target are called different.

use std::time::Duration;

use greylag::DemoTarget;
use greylag_tests::Cluster;
use serde_json::{Value, json};

use crate::greylag;

/// Pairs of runs, one after the other.
const PAIRS: usize = 5;
/// Length of a run in seconds, unless another is given.
const SECONDS: u64 = 60;
/// Requests per second.
const RATE: u64 = 200;
/// Users that may be busy: the slowest endpoint takes a quarter of a second.
const USERS: u64 = 100;
/// How long a run may take to start and to end.
const AROUND: Duration = Duration::from_secs(60);

/// Prints what is said of five pairs of runs, of so many seconds each.
///
/// # Panics
/// Any pair has a verdict.
pub(crate) async fn measure(seconds: Option<&str>) {
    let seconds = seconds.map_or(SECONDS, |seconds| {
        seconds.parse().expect("the seconds of a run are a number")
    });
    let target = DemoTarget::start().expect("a target on a free port");
    let cluster = Cluster::start(&greylag())
        .await
        .with_agents("bench", &["bench"])
        .await;
    cluster.api().wait_for_agents("bench", 1, AROUND).await;
    println!(
        "\nRuns of the same test, {RATE} requests/s for {seconds} s each\n\
         | pair | verdict | p95 | interval of its change |\n|---|---|---|---|"
    );
    let mut with_verdict = 0;
    for pair in 1..=PAIRS {
        let one = run(&cluster, &target, seconds).await;
        let other = run(&cluster, &target, seconds).await;
        let path = format!("/api/v1/compare?runs={one},{other}");
        let comparison = cluster.api().get(&path).await.json();
        let differences = &comparison["runs"][0];
        let found = differences["found"].as_array().expect("a list of verdicts");
        with_verdict += usize::from(!found.is_empty());
        println!("| {pair} | {} | {} |", verdict(found), p95(differences));
    }
    assert_eq!(
        with_verdict, 0,
        "pairs of {PAIRS} that were called different"
    );
}

/// Runs the test and gives its run's id.
async fn run(cluster: &Cluster, target: &DemoTarget, seconds: u64) -> String {
    let request = |path: &str, weight: u64| json!({ "path": path, "weight": weight });
    let test = json!({
        "name": "same", "host": target.url(), "infrastructure": "bench", "users": USERS, "workers": 1,
        "arrival_rate": RATE, "ramp_up": 0, "duration": seconds,
        "declared": { "requests": [
            request("/", 4), request("/api/products", 3), request("/api/products/7", 2), request("/api/search", 1),
        ] },
    });
    let id = cluster.api().start(&test).await;
    let within = Duration::from_secs(seconds) + AROUND;
    cluster.api().wait_for_status(&id, "Finished", within).await;
    id
}

fn verdict(found: &[Value]) -> String {
    if found.is_empty() {
        return "no evidence".to_owned();
    }
    let found: Vec<&str> = found.iter().filter_map(Value::as_str).collect();
    found.join(", ")
}

/// The 95th percentiles of both runs and the interval of their difference.
fn p95(differences: &Value) -> String {
    let all = differences["aggregated"].as_array();
    let p95 = all
        .into_iter()
        .flatten()
        .find(|difference| difference["statistic"] == "p95_ms")
        .expect("the 95th percentile of all endpoints");
    let number = |key: &str| p95[key].as_f64().unwrap_or(f64::NAN);
    format!(
        "{:.1} and {:.1} ms | {:+.1} to {:+.1} %",
        number("reference"),
        number("value"),
        100.0 * number("low"),
        100.0 * number("high")
    )
}

//! Results over a link that is slower than they are made.

use std::time::{Duration, Instant};

use greylag_tests::{ChaosProxy, Cluster, Nginx, stored_counts};
use serde_json::{Value, json};

use crate::support::{SOON, declared, endpoint_counts, greylag, request, test};

/// How long a run's results may take after its end before it fails, if none arrive: its stop timeout and half a minute.
const PATIENCE_S: u64 = 31;
/// How long the load lasts.
const DURATION_S: u64 = 5;
/// How long all results may take here.
const ALL: Duration = Duration::from_secs(600);
/// Fewer requests than users send that nothing holds up: their results may be on time.
const LITTLE_LOAD: u64 = 1_600;

/// 200 endpoints, so that a second's results take several seconds.
fn endpoints() -> Vec<Value> {
    (0..200)
        .map(|number| {
            request(
                "GET",
                &format!("/catalogue/of-many-things/item-{number:04}"),
                1,
            )
        })
        .collect()
}

#[tokio::test]
async fn a_run_over_a_slow_link_is_finished_when_all_results_have_arrived() {
    // No turn: it is the link that takes long, and hardly any processor is needed.
    let nginx = Nginx::start().await;
    let mut cluster = Cluster::start(&greylag()).await;
    let proxy = ChaosProxy::start(cluster.api().url().trim_start_matches("http://")).await;
    cluster.start_agent_at(&proxy.url(), "east", "lab", &[]);
    cluster.api().wait_for_agents("lab", 1, SOON).await;
    proxy.drip();
    let changes = json!({
        "users": 40, "ramp_up": 0, "duration": DURATION_S, "stop_timeout": 1,
        "declared": declared(&endpoints(), (0.05, 0.1)),
    });
    let begun = Instant::now();
    let id = cluster
        .api()
        .start(&test(&nginx.url(), "lab", changes))
        .await;
    cluster.api().wait_for_status(&id, "Finished", ALL).await;
    let took = begun.elapsed();
    assert_eq!(proxy.connections(), 1, "pings came through all the time");
    let log = nginx.finish().await;
    if log.totals().requests < LITTLE_LOAD {
        eprintln!("not tested: the machine was too busy to send much: results after {took:?}");
    } else {
        assert!(
            took > Duration::from_secs(DURATION_S + PATIENCE_S),
            "the results came so soon that no request had to wait for them: {took:?}"
        );
    }
    // The page has its first hundred rows only, so it is not compared.
    let summary = cluster.api().summary(&id).await;
    assert_eq!(endpoint_counts(&summary), log.by_endpoint());
    assert_eq!(stored_counts(cluster.data(), &id), log.by_endpoint());
}

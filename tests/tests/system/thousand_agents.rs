//! A thousand agents in one run: nothing they sent is lost or counted twice, though the coordinator is killed in between.

use std::collections::BTreeMap;
use std::time::Duration;

use greylag_tests::{
    Cluster, Counts, Sending, SimulatedAgents, Traffic, alone, stored_counts, wait,
};
use serde_json::json;

use crate::support::{RUN_TIMEOUT, endpoint_counts, greylag};

const AGENTS: usize = 1_000;
/// Acknowledged snapshots before each `kill -9`: all agents send together, so that some are being saved, and others are
/// saved and not acknowledged.
const KILLED_AFTER: [usize; 2] = [AGENTS * 3 / 2, AGENTS * 5 / 2];
/// Of each agent; these tests run unoptimised code on two cores.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(4);

#[tokio::test]
async fn a_coordinator_that_is_killed_twice_loses_and_doubles_nothing_of_a_thousand_agents() {
    let _turn = alone().await;
    // However long all of them take to come back: none is lost.
    let mut cluster = Cluster::start_with(&greylag(), &["--lease", "600s"]).await;
    let traffic = Traffic::new(SNAPSHOT_EVERY, Sending::Together, 3, 10, 2);
    let endpoints = traffic.endpoints().to_vec();
    let agents = SimulatedAgents::start(cluster.api().url(), "fleet", AGENTS, traffic);
    agents.wait_until_connected(RUN_TIMEOUT).await;
    let test = json!({
        "name": "a thousand agents", "host": "http://127.0.0.1:9", "infrastructure": "fleet",
        "users": AGENTS, "workers": AGENTS, "ramp_up": 0, "duration": 600,
        "declared": { "requests": [{ "method": "GET", "path": "/", "weight": 1 }] },
    });
    let id = cluster.api().start(&test).await;
    for acknowledged in KILLED_AFTER {
        wait::until("acknowledgements", RUN_TIMEOUT, async || {
            let tally = agents.tally();
            if tally.acknowledged.len() >= acknowledged {
                Ok(())
            } else {
                Err(tally.to_string())
            }
        })
        .await;
        cluster.kill_coordinator().await;
        cluster.restart_coordinator().await;
    }
    agents.wait_until_connected(RUN_TIMEOUT).await;
    cluster.api().stop(&id).await;
    agents.wait_until_done(RUN_TIMEOUT).await;
    let stopped = cluster
        .api()
        .wait_for_status(&id, "Failed", RUN_TIMEOUT)
        .await;
    assert_eq!(stopped["failure_code"], "stopped_by_user", "{stopped}");

    let (sent, requests) = {
        let tally = agents.tally();
        assert!(tally.disconnections >= AGENTS, "killed in mid-run: {tally}");
        let sent: BTreeMap<(String, String), Counts> = endpoints
            .into_iter()
            .zip(&tally.by_endpoint)
            .map(|(endpoint, &(requests, failures))| {
                let counts = Counts { requests, failures };
                ((endpoint.method, endpoint.name), counts)
            })
            .collect();
        (sent, tally.requests)
    };
    let summary = cluster.api().summary(&id).await;
    assert_eq!(
        endpoint_counts(&summary),
        sent,
        "the summary, and what was sent"
    );
    assert_eq!(
        stored_counts(cluster.data(), &id),
        sent,
        "the store, and what was sent"
    );
    assert_eq!(summary.totals.requests, requests);
    assert!(summary.complete, "{:?}", summary.gaps);
}

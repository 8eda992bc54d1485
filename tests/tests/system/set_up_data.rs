//! What a scenario's set-up makes reaches every user of every worker, whatever happens to the coordinator.

use std::collections::BTreeSet;

use greylag_tests::{Api, Cluster, Nginx, heavy, wait};
use serde_json::json;

use crate::support::{RUN_TIMEOUT, assert_equal_to_log, greylag, test};

/// What the set-up prints when it begins.
const BEGINS: &str = "making the token of this test";

async fn wait_until_set_up_begins(api: &Api, id: &str) {
    wait::until("the set-up to begin", RUN_TIMEOUT, async || {
        let log = api.log(id).await;
        if log.contains(BEGINS) {
            Ok(())
        } else {
            Err(log)
        }
    })
    .await;
}

#[tokio::test]
async fn every_user_has_it_though_the_coordinator_is_killed_twice() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let mut cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east", "west"])
        .await;
    let changes = json!({
        "scenario": "set-up", "users": 12, "workers": 3, "ramp_up": 0, "duration": 8, "options": { "seconds": 3 },
    });
    let id = cluster
        .api()
        .start(&test(&nginx.url(), "lab", changes))
        .await;
    // While it is made: no agent has been sent it, and worker 0's agent says it again.
    wait_until_set_up_begins(cluster.api(), &id).await;
    cluster.kill_coordinator().await;
    cluster.restart_coordinator().await;
    cluster.api().wait_for_requests(&id, 50, RUN_TIMEOUT).await;
    cluster.kill_coordinator().await;
    cluster.restart_coordinator().await;
    cluster
        .api()
        .wait_for_status(&id, "Finished", RUN_TIMEOUT)
        .await;

    let log = nginx.finish().await;
    let summary = assert_equal_to_log(cluster.api(), cluster.data(), &id, &log).await;
    assert!(summary.errors.is_empty(), "{:?}", summary.errors);
    let (mut tokens, mut workers) = (BTreeSet::new(), BTreeSet::new());
    for ((_, path), _) in log.by_endpoint() {
        let parts: Vec<&str> = path.split('/').collect();
        let ["", "of", token, worker] = parts[..] else {
            panic!("{path} is not a path of this scenario");
        };
        tokens.insert(token.to_owned());
        workers.insert(worker.to_owned());
    }
    assert_eq!(tokens.len(), 1, "one token for all: {tokens:?}");
    assert_eq!(
        workers.len(),
        3,
        "every worker's users have it: {workers:?}"
    );
    let printed = cluster.api().log(&id).await;
    assert_eq!(printed.matches(BEGINS).count(), 1, "{printed}");
}

#[tokio::test]
async fn a_set_up_that_fails_fails_the_run_before_any_load() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east", "west"])
        .await;
    let changes = json!({
        "scenario": "set-up", "users": 4, "workers": 2, "duration": 3, "options": { "fail": true },
    });
    let id = cluster
        .api()
        .start(&test(&nginx.url(), "lab", changes))
        .await;
    let ended = cluster
        .api()
        .wait_for_status(&id, "Failed", RUN_TIMEOUT)
        .await;
    let reason = ended["failure_reason"].as_str().expect("a reason");
    assert!(
        reason.contains("worker 0") && reason.contains("set_up failed: no tenants to be had"),
        "{reason}"
    );
    assert_eq!(nginx.finish().await.totals().requests, 0);
}

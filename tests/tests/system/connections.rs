//! The connection between agent and coordinator breaks, loses what was said, or never comes back.

use greylag_tests::{ChaosProxy, Cluster, Nginx, START_TIMEOUT, heavy, wait};
use serde_json::json;

use crate::faults::{SHORT_LEASE, SHORT_LEASE_OVER, wait_until_gone};
use crate::support::{RUN_TIMEOUT, SOON, assert_equal_to_log, greylag, test};

/// A cluster whose one agent speaks through a proxy.
async fn behind_proxy(options: &[&str]) -> (Cluster, ChaosProxy) {
    let mut cluster = Cluster::start_with(&greylag(), options).await;
    let target = cluster.api().url().trim_start_matches("http://").to_owned();
    let proxy = ChaosProxy::start(&target).await;
    cluster.start_agent_at(&proxy.url(), "remote", "lab", &[]);
    cluster.api().wait_for_agents("lab", 1, START_TIMEOUT).await;
    (cluster, proxy)
}

#[tokio::test]
async fn connection_cut_and_restored() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let (cluster, proxy) = behind_proxy(&[]).await;
    let api = cluster.api();
    let id = api
        .start(&test(&nginx.url(), "lab", json!({ "duration": 600 })))
        .await;
    let mut seen = requests_of(&api.wait_for_requests(&id, 50, RUN_TIMEOUT).await);
    let reconnect = async || {
        proxy.cut();
        api.wait_for_agents("lab", 0, SOON).await;
        proxy.restore();
        api.wait_for_agents("lab", 1, SOON).await;
    };
    reconnect().await;
    // Saved, but the agent does not know: it sends them again, and they must not be counted again.
    seen = requests_of(&api.wait_for_requests(&id, seen + 100, RUN_TIMEOUT).await);
    proxy.mute_coordinator();
    seen = requests_of(&api.wait_for_requests(&id, seen + 300, RUN_TIMEOUT).await);
    reconnect().await;
    // Sent, but never arrived: the agent has to send them again.
    api.wait_for_requests(&id, seen + 100, RUN_TIMEOUT).await;
    proxy.lose_from_agent();
    wait::until("snapshots to be lost", SOON, async || {
        let lost = proxy.lost_bytes();
        if lost > 4_000 {
            Ok(())
        } else {
            Err(format!("{lost} bytes"))
        }
    })
    .await;
    reconnect().await;
    // An agent that hears nothing for long connects again by itself.
    assert!(proxy.connections() >= 4, "{}", proxy.connections());
    api.stop(&id).await;
    let progress = api.wait_for_status(&id, "Failed", RUN_TIMEOUT).await;
    let reason = progress["failure_reason"]
        .as_str()
        .expect("a failed run says why");
    assert!(
        reason.contains("stopped"),
        "nothing else went wrong: {reason}"
    );
    let log = nginx.finish().await;
    assert_equal_to_log(api, cluster.data(), &id, &log).await;
}

fn requests_of(progress: &serde_json::Value) -> u64 {
    progress["requests"].as_u64().expect("a number of requests")
}

#[tokio::test]
async fn agent_cut_off_stops_its_load_within_the_lease() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let (cluster, proxy) = behind_proxy(&["--lease", SHORT_LEASE]).await;
    let id = cluster
        .api()
        .start(&test(
            &nginx.url(),
            "lab",
            json!({ "duration": 600, "ramp_up": 0 }),
        ))
        .await;
    let seen = cluster.api().wait_for_requests(&id, 50, RUN_TIMEOUT).await;
    let workers = cluster.workers_of(0);
    assert_eq!(workers.len(), 2);
    proxy.cut();
    wait_until_gone(&workers, SHORT_LEASE_OVER).await;
    let progress = cluster
        .api()
        .wait_for_status(&id, "Failed", RUN_TIMEOUT)
        .await;
    let reason = progress["failure_reason"]
        .as_str()
        .expect("a failed run says why");
    assert!(
        reason.contains("remote"),
        "the reason names the agent: {reason}"
    );
    assert!(
        progress["requests"].as_u64() >= seen["requests"].as_u64(),
        "{progress} after {seen}"
    );
}

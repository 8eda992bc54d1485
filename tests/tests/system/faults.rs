//! Whoever dies: what was acknowledged is kept, what was sent is counted once, and the run says why it
//! failed.

use std::collections::BTreeMap;
use std::time::Duration;

use greylag_tests::summary::Summary;
use greylag_tests::{AccessLog, Cluster, Nginx, ProcessId, heavy, wait};
use rustix::process::Signal;
use serde_json::json;

use crate::support::{
    RUN_TIMEOUT, SOON, assert_equal_to_log, assert_finishes_as_logged, declared, greylag, request,
    test,
};

/// A lease short enough to wait for, as it is given on the command line, and longer than a busy machine delays healthy agents.
pub(crate) const SHORT_LEASE: &str = "7s";
/// Time for [`SHORT_LEASE`] to end, and to be acted on by a busy machine: shorter than the default lease of 30 s.
pub(crate) const SHORT_LEASE_OVER: Duration = Duration::from_secs(7 + 18);

/// A run of `per-process`: every worker requests `/by/<its process id>`, so that the log tells workers apart. It lasts longer
/// than any of these tests.
fn per_process(host: &str) -> serde_json::Value {
    let changes = json!({
        "scenario": "per-process", "users": 12, "workers": 4, "ramp_up": 0, "duration": 600,
    });
    test(host, "lab", changes)
}

/// Requests by process id, as the summary and as the witness have them.
pub(crate) fn requests_by_process(summary: &Summary, log: &AccessLog) -> BTreeMap<u32, (u64, u64)> {
    let pid = |path: &str| {
        path.strip_prefix("/by/")
            .and_then(|pid| pid.parse().ok())
            .expect("a path by process")
    };
    let mut requests: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    for endpoint in &summary.endpoints {
        requests.entry(pid(&endpoint.name)).or_default().0 += endpoint.requests;
    }
    for ((_, path), counts) in log.by_endpoint() {
        requests.entry(pid(&path)).or_default().1 += counts.requests;
    }
    requests
}

/// Waits until each of the four workers of a `per-process` run has been counted.
async fn wait_for_all_workers(cluster: &Cluster, id: &str) {
    wait::until("requests of all four workers", RUN_TIMEOUT, async || {
        let summary = cluster.api().summary(id).await;
        match summary.endpoints.len() {
            4 => Ok(()),
            _ => Err(format!("{:?}", summary.endpoints)),
        }
    })
    .await;
}

pub(crate) async fn wait_until_gone(workers: &[ProcessId], within: Duration) {
    wait::until("the workers to be gone", within, async || {
        let alive: Vec<_> = workers.iter().filter(|worker| worker.is_alive()).collect();
        if alive.is_empty() {
            Ok(())
        } else {
            Err(format!("alive: {alive:?}"))
        }
    })
    .await;
}

#[tokio::test]
async fn coordinator_killed_and_restarted() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let mut cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east", "west"])
        .await;
    // The second one is breached before the kill, the third one only if seconds are lost.
    let thresholds = [
        "requests >= 200 during whole",
        "requests < 20 during whole",
        "rps > 0 within 5s",
    ];
    let changes = json!({ "users": 40, "workers": 4, "duration": 18, "thresholds": thresholds });
    let id = cluster
        .api()
        .start(&test(&nginx.url(), "lab", changes))
        .await;
    let seen = cluster.api().wait_for_requests(&id, 100, RUN_TIMEOUT).await;
    let breached = async || {
        let thresholds = cluster.api().summary(&id).await.thresholds;
        thresholds[1]
            .breached_since_s
            .ok_or_else(|| format!("{thresholds:?}"))
    };
    let since = wait::until("the breach", RUN_TIMEOUT, breached).await;
    cluster.kill_coordinator().await;
    let at_kill = nginx.log_so_far().totals().requests;
    // The issue's own figure; load must continue meanwhile.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let before_restart = nginx.log_so_far().totals().requests;
    assert!(
        before_restart > at_kill,
        "the load continues while the coordinator is down"
    );
    cluster.restart_coordinator().await;
    let kept = cluster.api().summary(&id).await.totals.requests;
    assert!(
        Some(kept) >= seen["requests"].as_u64(),
        "{kept} requests are kept of {seen}"
    );
    assert_finishes_as_logged(&cluster, nginx, &id).await;
    let summary = cluster.api().summary(&id).await;
    let states: Vec<_> = summary
        .thresholds
        .iter()
        .map(|one| one.state.as_str())
        .collect();
    assert_eq!(states, ["passed", "breached", "passed"]);
    assert_eq!(summary.thresholds[1].breached_since_s, Some(since));
    assert_eq!(summary.verdict.as_deref(), Some("failed"));
}

#[tokio::test]
async fn agent_killed() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let mut cluster = Cluster::start_with(&greylag(), &["--lease", SHORT_LEASE])
        .await
        .with_agents("lab", &["east", "west"])
        .await;
    let id = cluster.api().start(&per_process(&nginx.url())).await;
    wait_for_all_workers(&cluster, &id).await;
    let (east, west) = (cluster.workers_of(0), cluster.workers_of(1));
    assert_eq!(
        (east.len(), west.len()),
        (2, 2),
        "two workers on each agent"
    );
    let before = cluster.api().summary(&id).await;
    cluster.agent(0).kill_9().await;
    wait_until_gone(&east, SHORT_LEASE_OVER).await;

    let progress = cluster
        .api()
        .wait_for_status(&id, "Failed", RUN_TIMEOUT)
        .await;
    let reason = progress["failure_reason"]
        .as_str()
        .expect("a failed run says why");
    assert!(
        reason.contains("east"),
        "the reason names the agent: {reason}"
    );
    wait_until_gone(&west, SOON).await;

    let log = nginx.finish().await;
    let after = cluster.api().summary(&id).await;
    for was in &before.endpoints {
        let is = after
            .endpoints
            .iter()
            .find(|endpoint| endpoint.name == was.name);
        let is = is.map_or(0, |endpoint| endpoint.requests);
        assert!(
            is >= was.requests,
            "{}: {is} of {} acknowledged requests are kept",
            was.name,
            was.requests
        );
    }
    let requests = requests_by_process(&after, &log);
    for worker in west {
        let (counted, logged) = requests[&worker.pid];
        assert_eq!(
            counted, logged,
            "the other agent's workers are counted to the end"
        );
    }
    for worker in east {
        let (counted, logged) = requests[&worker.pid];
        assert!(
            counted <= logged,
            "{counted} counted and only {logged} sent"
        );
    }
}

/// A new process under the agent's name proves that the old one is gone: the lease is not waited for.
#[tokio::test]
async fn agent_killed_and_started_again() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    // No run of this test lasts for so long.
    let mut cluster = Cluster::start_with(&greylag(), &["--lease", "600s"])
        .await
        .with_agents("lab", &["east", "west"])
        .await;
    let id = cluster.api().start(&per_process(&nginx.url())).await;
    wait_for_all_workers(&cluster, &id).await;
    let east = cluster.workers_of(0);
    cluster.agent(0).kill_9().await;
    cluster.start_agent("east", "lab");
    let progress = cluster
        .api()
        .wait_for_status(&id, "Failed", RUN_TIMEOUT)
        .await;
    let reason = progress["failure_reason"].as_str().unwrap_or_default();
    assert!(
        reason.contains("east") && reason.contains("restarted"),
        "{reason}"
    );
    wait_until_gone(&east, SOON).await;
}

/// A frozen agent keeps its sockets open, so nothing but silence tells its workers that no agent controls them.
#[tokio::test]
async fn agent_frozen() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let mut cluster = Cluster::start_with(&greylag(), &["--lease", SHORT_LEASE])
        .await
        .with_agents("lab", &["east"])
        .await;
    let id = cluster.api().start(&per_process(&nginx.url())).await;
    wait_for_all_workers(&cluster, &id).await;
    let workers = cluster.workers_of(0);
    cluster.agent(0).signal(Signal::STOP);
    wait_until_gone(&workers, SHORT_LEASE_OVER).await;
    let progress = cluster
        .api()
        .wait_for_status(&id, "Failed", RUN_TIMEOUT)
        .await;
    let reason = progress["failure_reason"].as_str().unwrap_or_default();
    assert!(reason.contains("east"), "{reason}");
}

#[tokio::test]
async fn worker_killed() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east", "west"])
        .await;
    let id = cluster.api().start(&per_process(&nginx.url())).await;
    wait_for_all_workers(&cluster, &id).await;
    let workers = [cluster.workers_of(0), cluster.workers_of(1)].concat();
    let victim = workers[1];
    let index = worker_index(&cluster, &id, victim.pid).await;
    victim.signal(Signal::KILL);

    let progress = cluster
        .api()
        .wait_for_status(&id, "Failed", RUN_TIMEOUT)
        .await;
    let reason = progress["failure_reason"]
        .as_str()
        .expect("a failed run says why")
        .to_lowercase();
    assert!(
        reason.contains(&format!("worker {index}")) || reason.contains(&format!("worker-{index}")),
        "the reason names worker {index}: {reason}"
    );
    assert!(
        reason.contains("signal 9") || reason.contains("sigkill"),
        "the reason names the signal: {reason}"
    );
    wait_until_gone(&workers, SOON).await;

    let log = nginx.finish().await;
    let requests = requests_by_process(&cluster.api().summary(&id).await, &log);
    assert_eq!(requests.len(), 4);
    for (pid, (counted, logged)) in requests {
        if pid == victim.pid {
            assert!(
                0 < counted && counted <= logged,
                "{counted} counted, {logged} sent"
            );
        } else {
            assert_eq!(counted, logged, "the other workers are counted to the end");
        }
    }
}

/// The number of a worker, as the page lists it.
async fn worker_index(cluster: &Cluster, id: &str, pid: u32) -> u64 {
    let view = cluster
        .api()
        .get(&format!("/api/v1/runs/{id}"))
        .await
        .json();
    let workers = view["workers"].as_array().expect("a list of workers");
    let worker = workers.iter().find(|worker| worker["pid"] == pid);
    worker.unwrap_or_else(|| panic!("no worker with process id {pid}: {workers:?}"))["index"]
        .as_u64()
        .expect("workers are numbered")
}

#[tokio::test]
async fn run_stopped_by_the_user() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east", "west"])
        .await;
    // Some requests take a second: they are in flight when the run is stopped, and must be counted.
    let requests = [request("GET", "/", 5), request("GET", "/slow", 3)];
    let changes =
        json!({ "duration": 600, "ramp_up": 0, "declared": declared(&requests, (0.02, 0.1)) });
    let id = cluster
        .api()
        .start(&test(&nginx.url(), "lab", changes))
        .await;
    cluster.api().wait_for_requests(&id, 100, RUN_TIMEOUT).await;
    cluster.api().stop(&id).await;
    let progress = cluster
        .api()
        .wait_for_status(&id, "Failed", RUN_TIMEOUT)
        .await;
    let reason = progress["failure_reason"]
        .as_str()
        .expect("a failed run says why");
    assert!(reason.contains("stopped"), "{reason}");
    let workers = [cluster.workers_of(0), cluster.workers_of(1)].concat();
    wait_until_gone(&workers, SOON).await;
    let log = nginx.finish().await;
    assert!(log.count(|request| request.path == "/slow").requests > 0);
    assert_eq!(log.totals().failures, 0, "requests in flight were let end");
    assert_equal_to_log(cluster.api(), cluster.data(), &id, &log).await;
    let again = cluster
        .api()
        .post(&format!("/api/v1/runs/{id}/stop"), &json!({}))
        .await;
    assert!(again.status.is_client_error(), "{again:?}");
    assert!(again.error().contains("over"), "{again:?}");
}

#[tokio::test]
async fn sigterm_ends_agent_and_coordinator_cleanly() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let mut cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east", "west"])
        .await;
    let id = cluster
        .api()
        .start(&test(
            &nginx.url(),
            "lab",
            json!({ "duration": 600, "ramp_up": 0 }),
        ))
        .await;
    cluster.api().wait_for_requests(&id, 50, RUN_TIMEOUT).await;
    let workers = [cluster.workers_of(0), cluster.workers_of(1)].concat();
    assert_eq!(workers.len(), 2);

    cluster.agent(0).signal(Signal::TERM);
    let ended = cluster.agent(0).wait(SOON).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let progress = cluster
        .api()
        .wait_for_status(&id, "Failed", RUN_TIMEOUT)
        .await;
    let reason = progress["failure_reason"]
        .as_str()
        .expect("a failed run says why");
    assert!(
        reason.contains("east"),
        "the reason names the agent: {reason}"
    );
    wait_until_gone(&workers, SOON).await;
    let log = nginx.finish().await;
    assert_equal_to_log(cluster.api(), cluster.data(), &id, &log).await;

    cluster.coordinator().signal(Signal::TERM);
    let ended = cluster.coordinator().wait(SOON).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    cluster.agent(1).signal(Signal::TERM);
    let ended = cluster.agent(1).wait(SOON).await;
    assert_eq!(
        ended.code,
        Some(0),
        "an agent without coordinator ends cleanly too: {ended:?}"
    );
}

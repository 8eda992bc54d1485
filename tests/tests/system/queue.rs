//! Runs that wait for their turn, over `kill -9` of the coordinator.

use greylag_tests::{Cluster, Nginx, heavy};
use serde_json::json;

use crate::support::{RUN_TIMEOUT, greylag, test};

#[tokio::test]
async fn runs_that_are_asked_for_at_once_run_one_after_the_other() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let mut cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east", "west"])
        .await;
    let load = |name: &str, duration: u64| {
        let changes = json!({
            "name": name, "users": 4, "ramp_up": 0, "duration": duration, "share": false, "agents": 2
        });
        test(&nginx.url(), "lab", changes)
    };
    let api = cluster.api();
    // It goes on for as long as others are to be seen waiting for it.
    let first = api.start(&load("first", 600)).await;
    let second = api.start(&load("second", 3)).await;
    let stopped = api.start(&load("stopped", 3)).await;
    let third = api.start(&load("third", 3)).await;
    for id in [&second, &stopped, &third] {
        let waits = |progress: &serde_json::Value| progress["phase"] == json!("Queued");
        api.wait_for(id, "its place in the queue", RUN_TIMEOUT, waits)
            .await;
    }
    api.stop(&stopped).await;
    cluster.kill_coordinator().await;
    cluster.restart_coordinator().await;

    let api = cluster.api();
    let progress = api.wait_for_requests(&first, 1, RUN_TIMEOUT).await;
    let counted = progress["requests"].as_u64().expect("a number");
    api.wait_for_requests(&first, counted + 1, RUN_TIMEOUT)
        .await;
    api.stop(&first).await;
    let mut spans = Vec::new();
    for (id, status) in [
        (&first, "Failed"),
        (&second, "Finished"),
        (&third, "Finished"),
    ] {
        api.wait_for_status(id, status, RUN_TIMEOUT).await;
        let run = api.get(&format!("/api/v1/runs/{id}")).await.json();
        let started_us = run["about"]["run_started_us"].as_u64().expect("it started");
        let elapsed_s = run["about"]["time_elapsed_s"].as_f64().expect("a number");
        spans.push((started_us as f64 / 1e6, elapsed_s));
    }
    for pair in spans.windows(2) {
        let [(before, lasted), (after, _)] = pair else {
            unreachable!("windows of two");
        };
        assert!(before + lasted <= *after, "one after the other: {spans:?}");
    }
    let run = api.get(&format!("/api/v1/runs/{stopped}")).await.json();
    assert_eq!(run["about"]["failure_code"], json!("stopped_by_user"));
    assert_eq!(run["about"]["run_started_us"], json!(null));
    assert_eq!(run["cards"]["requests"], json!(0));
}

/// An agent of one run ends with it, and the next run waits for another agent.
#[tokio::test]
async fn an_agent_of_one_run_ends_with_the_code_of_its_run() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let cluster = Cluster::start(&greylag()).await;
    let url = cluster.api().url().to_owned();
    let agent = async |name: &str| {
        let arguments = [
            "agent",
            "--coordinator",
            url.as_str(),
            "--infrastructure",
            "lab",
            "--name",
            name,
            "--once",
        ];
        greylag().run(&arguments, RUN_TIMEOUT).await
    };
    let load = |duration: u64| {
        let changes =
            json!({ "users": 2, "ramp_up": 0, "duration": duration, "share": false, "agents": 1 });
        test(&nginx.url(), "lab", changes)
    };
    // Before the agent comes, and the infrastructure with it.
    let first = cluster.api().start(&load(2)).await;
    let second = cluster.api().start(&load(600)).await;
    let finished = cluster
        .api()
        .wait_for_status(&first, "Finished", RUN_TIMEOUT);
    let (ended, _) = tokio::join!(agent("one"), finished);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let waits =
        |progress: &serde_json::Value| progress["waiting"] == json!("waiting for 1 of 1 agent");
    cluster
        .api()
        .wait_for(&second, "waiting", RUN_TIMEOUT, waits)
        .await;
    let stopped = async {
        let api = cluster.api();
        api.wait_for_requests(&second, 1, RUN_TIMEOUT).await;
        api.stop(&second).await;
    };
    let (ended, ()) = tokio::join!(agent("two"), stopped);
    assert_eq!(ended.code, Some(1), "{ended:?}");
}

//! Every request is counted, and once: nginx's access log is the witness.

use greylag_tests::{Cluster, Nginx, heavy};
use serde_json::json;

use crate::support::{RUN_TIMEOUT, assert_equal_to_log, declared, greylag, mixed_requests, test};

#[tokio::test]
async fn two_agents_four_workers_hundred_users() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east", "west"])
        .await;
    let changes = json!({
        "users": 100, "workers": 4, "ramp_up": 3, "duration": 10,
        "declared": declared(&mixed_requests(), (0.05, 0.2)),
    });
    let id = cluster
        .api()
        .start(&test(&nginx.url(), "lab", changes))
        .await;
    cluster
        .api()
        .wait_for_status(&id, "Finished", RUN_TIMEOUT)
        .await;
    let log = nginx.finish().await;
    let summary = assert_equal_to_log(cluster.api(), cluster.data(), &id, &log).await;
    assert_eq!(summary.run.status, "Finished");
    assert_eq!(summary.run.failure_reason, None);
    assert_eq!(summary.run.workers, 4);
    assert_eq!(summary.endpoints.len(), mixed_requests().len());
    assert_eq!(
        summary.series.iter().map(|point| point.users).max(),
        Some(100)
    );
}

#[tokio::test]
async fn two_runs_at_once_do_not_mix() {
    let _turn = heavy().await;
    let (first_target, second_target) = (Nginx::start().await, Nginx::start().await);
    let cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east", "west"])
        .await;
    let api = cluster.api();
    // The same test name, the same agents and the same endpoints: only the target differs.
    let first = api
        .start(&test(
            &first_target.url(),
            "lab",
            json!({ "workers": 2, "users": 10 }),
        ))
        .await;
    let second = api
        .start(&test(
            &second_target.url(),
            "lab",
            json!({ "workers": 3, "users": 30 }),
        ))
        .await;
    api.wait_for_requests(&first, 1, RUN_TIMEOUT).await;
    api.wait_for_requests(&second, 1, RUN_TIMEOUT).await;
    let listed = api.get("/api/v1/runs").await.body;
    assert!(
        listed.contains(&first) && listed.contains(&second),
        "{listed}"
    );
    for id in [&first, &second] {
        api.wait_for_status(id, "Finished", RUN_TIMEOUT).await;
    }
    let logs = (first_target.finish().await, second_target.finish().await);
    let one = assert_equal_to_log(api, cluster.data(), &first, &logs.0).await;
    let other = assert_equal_to_log(api, cluster.data(), &second, &logs.1).await;
    assert_eq!(
        (one.run.number, other.run.number),
        (1, 2),
        "runs of one test are numbered"
    );
    let peak = |summary: &greylag_tests::summary::Summary| {
        summary.series.iter().map(|point| point.users).max()
    };
    assert_eq!((peak(&one), peak(&other)), (Some(10), Some(30)));
}

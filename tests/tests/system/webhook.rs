//! The webhook gets the end of a run, with the verdict that everything else has.

use greylag_tests::wait::until_true;
use greylag_tests::{Cluster, WebhookReceiver};
use serde_json::json;

use crate::support::{RUN_TIMEOUT, SOON, greylag};

#[tokio::test]
async fn a_run_is_announced_over_a_receiver_that_fails_and_a_restart() {
    let receiver = WebhookReceiver::start(2).await;
    let attempts = || receiver.requests().len();

    let options = ["--webhook", receiver.url(), "--webhook-secret", "geheim"];
    let mut cluster = Cluster::start_with(&greylag(), &options)
        .await
        .with_agents("local", &["only"])
        .await;
    // Nothing listens there: all requests fail.
    let id = cluster
        .api()
        .start(&json!({
            "host": "http://127.0.0.1:9",
            "users": 1,
            "duration": 1,
            "ramp_up": 0,
            "thresholds": ["error_rate < 1%"],
            "declared": { "requests": [{ "path": "/" }], "wait_time": "10ms" },
        }))
        .await;
    cluster
        .api()
        .wait_for_status(&id, "Finished", RUN_TIMEOUT)
        .await;
    until_true("the first attempt", SOON, || attempts() >= 1).await;
    cluster.kill_coordinator().await;
    cluster.restart_coordinator().await;
    until_true("the third attempt", RUN_TIMEOUT, || attempts() >= 3).await;

    let (_, summary) = cluster.api().summary_and_json(&id).await;
    assert_eq!(summary["verdict"], "failed", "{summary}");
    for (headers, body) in receiver.requests() {
        for field in ["run", "verdict", "thresholds", "totals", "complete"] {
            assert!(!body[field].is_null(), "{field}: {body}");
            assert_eq!(body[field], summary[field], "{field}");
        }
        assert_eq!(body["event"], "run.ended");
        assert_eq!(headers["x-greylag-delivery"], id.as_str());
        assert_eq!(headers["content-type"], "application/json");
        let signature = headers["x-greylag-signature"].to_str().expect("a text");
        assert!(signature.starts_with("sha256="), "{signature}");
    }
}

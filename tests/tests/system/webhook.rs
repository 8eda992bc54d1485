//! The webhook gets the end of a run, with the verdict that everything else has.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use greylag_tests::Cluster;
use greylag_tests::wait::until_true;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{RUN_TIMEOUT, SOON, greylag};

/// What a receiver got, and how many of the next requests it refuses.
#[derive(Default)]
struct Received {
    bodies: Vec<(HeaderMap, Value)>,
    refuse: usize,
}

type Receiver = Arc<Mutex<Received>>;

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let body = serde_json::from_slice(&body).expect("JSON");
    let mut received = receiver.lock().expect("nothing panics with it");
    received.bodies.push((headers, body));
    if received.refuse > 0 {
        received.refuse -= 1;
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    StatusCode::NO_CONTENT
}

#[tokio::test]
async fn a_run_is_announced_over_a_receiver_that_fails_and_a_restart() {
    let receiver: Receiver = Arc::new(Mutex::new(Received {
        refuse: 2,
        ..Received::default()
    }));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let routes = Router::new()
        .route("/hook", post(receive))
        .with_state(Arc::clone(&receiver));
    let server = tokio::spawn(async { axum::serve(listener, routes).await });
    let count = || {
        receiver
            .lock()
            .expect("nothing panics with it")
            .bodies
            .len()
    };

    let options = ["--webhook", &url, "--webhook-secret", "geheim"];
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
    until_true("the first attempt", SOON, || count() >= 1).await;
    cluster.kill_coordinator().await;
    cluster.restart_coordinator().await;
    until_true("the third attempt", SOON, || count() >= 3).await;

    let (_, summary) = cluster.api().summary_and_json(&id).await;
    assert_eq!(summary["verdict"], "failed", "{summary}");
    let received = std::mem::take(&mut receiver.lock().expect("nothing panics with it").bodies);
    for (headers, body) in received {
        for field in ["run", "verdict", "thresholds", "totals", "complete"] {
            assert_eq!(body[field], summary[field], "{field}");
        }
        assert_eq!(body["event"], "run.ended");
        assert_eq!(headers["x-greylag-delivery"], id.as_str());
        assert_eq!(headers["content-type"], "application/json");
        let signature = headers["x-greylag-signature"].to_str().expect("a text");
        assert!(signature.starts_with("sha256="), "{signature}");
    }
    server.abort();
}

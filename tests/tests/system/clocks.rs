//! A coordinator that is killed and started again on a machine whose clock was set meanwhile.

use std::time::Instant;

use greylag_tests::{Cluster, Nginx, heavy};
use serde_json::json;

use crate::support::{RUN_TIMEOUT, SOON, assert_equal_to_log, greylag, test};

/// How long each run takes, in seconds.
const DURATION_S: f64 = 12.0;
/// How much longer a busy machine may make a run, in seconds: less than any of these clocks is moved.
const HELD_UP_S: f64 = 15.0;

/// A run whose coordinator is killed in the middle and comes back with its clock so many seconds ahead.
async fn restarted_under_another_clock(seconds: i64) {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let mut cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east", "west"])
        .await;
    let changes = json!({ "duration": DURATION_S });
    let id = cluster
        .api()
        .start(&test(&nginx.url(), "lab", changes))
        .await;
    let elapsed = |progress: &serde_json::Value| progress["elapsed_s"].as_f64().unwrap_or(0.0);
    let before = cluster
        .api()
        .wait_for(&id, "half of the time", RUN_TIMEOUT, |progress| {
            elapsed(progress) >= DURATION_S / 2.0
        })
        .await;
    let seen = Instant::now();
    cluster.kill_coordinator().await;
    cluster.restart_coordinator_with_clock(seconds).await;
    cluster.api().wait_for_agents("lab", 2, SOON).await;
    let after = cluster
        .api()
        .wait_for(&id, "the agents' word on the time", SOON, |progress| {
            let off = elapsed(progress) - elapsed(&before) - seen.elapsed().as_secs_f64();
            off.abs() < 1.5 || progress["status"] != "Running"
        })
        .await;
    assert!(elapsed(&after) < DURATION_S + HELD_UP_S, "{after}");

    cluster
        .api()
        .wait_for_status(&id, "Finished", RUN_TIMEOUT)
        .await;
    let log = nginx.finish().await;
    let summary = assert_equal_to_log(cluster.api(), cluster.data(), &id, &log).await;
    let elapsed_s = summary.run.elapsed_s;
    assert!(
        (DURATION_S - 1.0..DURATION_S + HELD_UP_S).contains(&elapsed_s),
        "{elapsed_s} s of {DURATION_S}"
    );
    // The load was as long as is said.
    let ends = log.requests.iter().map(|request| request.ended_at_ms);
    let (first, last) = (ends.clone().min(), ends.max());
    let load_ms = last.zip(first).map(|(last, first)| last - first);
    let load_s = load_ms.expect("there were requests") as f64 / 1_000.0;
    assert!(
        (elapsed_s - load_s).abs() < HELD_UP_S,
        "{elapsed_s} s by the run, {load_s} s by the target"
    );
    let rps = summary.totals.requests as f64 / elapsed_s;
    assert!((summary.totals.rps / rps - 1.0).abs() < 0.01, "{rps}");

    // The agents know the new clock: the next run starts when it should.
    let target = Nginx::start_unlogged().await;
    let changes = json!({ "duration": 2, "name": "next" });
    let next = test(&target.url(), "lab", changes);
    let next = cluster.api().start(&next).await;
    cluster
        .api()
        .wait_for_status(&next, "Finished", RUN_TIMEOUT)
        .await;
}

#[tokio::test]
async fn half_a_minute_back() {
    restarted_under_another_clock(-30).await;
}

#[tokio::test]
async fn an_hour_back() {
    restarted_under_another_clock(-3_600).await;
}

#[tokio::test]
async fn an_hour_forward() {
    restarted_under_another_clock(3_600).await;
}

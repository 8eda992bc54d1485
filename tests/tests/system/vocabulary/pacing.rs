//! Response times from the intended start: what a stall of the target does to all users that should have been
//! served meanwhile.

use std::time::Duration;

use greylag_tests::{Nginx, alone, descendants};
use rustix::process::Signal;
use serde_json::json;

use super::cluster;
use crate::support::{RUN_TIMEOUT, SOON, page_field, test};

/// How long the target does not answer.
const STALL: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_stall_shows_in_p99_and_not_only_once() {
    let _turn = alone().await;
    let nginx = Nginx::start().await;
    let cluster = cluster().await;
    let api = cluster.api();
    let changes = json!({
        "scenario": "paced", "users": 4, "workers": 2, "ramp_up": 0, "duration": 30, "stop_timeout": 5,
    });
    let id = api.start(&test(&nginx.url(), "lab", changes)).await;
    api.wait_for_requests(&id, 40, SOON).await;

    // A real stall: the processes of the target get no time, its connections stay.
    let processes = descendants(nginx.pid());
    assert!(!processes.is_empty(), "nginx has worker processes");
    processes.iter().for_each(|one| one.signal(Signal::STOP));
    tokio::time::sleep(STALL).await;
    processes.iter().for_each(|one| one.signal(Signal::CONT));

    api.wait_for_status(&id, "Finished", RUN_TIMEOUT).await;
    let totals = api.summary(&id).await.totals;
    let intended = totals
        .intended
        .clone()
        .expect("paced users have intended starts");
    assert_eq!(intended.requests, totals.requests);
    // 4 users were caught, each in one request; a request in a hundred is more than that.
    assert!(totals.requests > 800, "{totals:?}");
    assert!(totals.max_ms > 9_000.0, "{totals:?}");
    assert!(
        totals.p99_ms < 2_000.0,
        "measured naively the stall is hidden: {totals:?}"
    );
    // From the intended start, those that were to be made during the stall waited, too: a third of all.
    assert!(intended.p99_ms > 9_000.0, "{totals:?}");
    assert!(intended.p95_ms > 5_000.0, "{totals:?}");
    assert!(intended.p50_ms < 2_000.0, "{totals:?}");
    let page = api.page(&id).await;
    let shown: f64 = page_field(&page, "intended-p99").parse().expect("a number");
    assert!(
        (shown - intended.p99_ms).abs() < 0.01,
        "the page shows {shown}"
    );
}

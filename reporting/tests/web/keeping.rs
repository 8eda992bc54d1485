//! Runs that are not kept for ever.

use std::time::Duration;

use greylag_infra::RunId;
use greylag_reporting::RunFilter;
use greylag_reporting::coordinator::Keep;

use crate::site::{Site, load_test};

/// How long deleting may take on a busy machine.
const DEADLINE: Duration = Duration::from_secs(20);

async fn ids(site: &Site) -> Vec<RunId> {
    let runs = site.coordinator.store().runs(RunFilter::default()).await;
    let runs = runs.expect("the runs").into_iter();
    runs.map(|run| run.id).collect()
}

/// Waits until just these runs are there.
async fn until_left(site: &Site, expected: &[&str]) {
    let left = async {
        while ids(site).await != expected {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let in_time = tokio::time::timeout(DEADLINE, left).await;
    assert!(in_time.is_ok(), "{:?} are left", ids(site).await);
}

#[tokio::test]
async fn the_newest_of_each_test_are_kept_beside_other_limits() {
    let site = Site::start(None).await;
    for (id, test) in [
        ("run000000001", "checkout"),
        ("run000000002", "search"),
        ("run000000003", "checkout"),
        ("run000000004", "checkout"),
        ("run000000005", "search"),
        ("run000000006", "login"),
    ] {
        site.finished_run(id, load_test(test), "/", "500").await;
    }
    site.coordinator.keep_only(Keep::RunsOfEachTest(2));
    let of_each = [6, 5, 4, 3, 2].map(|number| format!("run00000000{number}"));
    until_left(&site, &of_each.each_ref().map(String::as_str)).await;
    site.coordinator.keep_only(Keep::RunsOfEachTest(1));
    site.coordinator.keep_only(Keep::Runs(2));
    until_left(&site, &["run000000006", "run000000005"]).await;
}

#[tokio::test]
async fn what_is_not_to_be_kept_is_deleted_and_what_goes_on_is_not() {
    let site = Site::start(None).await;
    for id in ["run000000001", "run000000002", "run000000003"] {
        site.finished_run(id, load_test("checkout"), "/", "500")
            .await;
    }
    site.coordinator.keep_only(Keep::Runs(2));
    until_left(&site, &["run000000003", "run000000002"]).await;

    let store = site.coordinator.store();
    let mut going_on = store
        .run(&"run000000003".into())
        .await
        .expect("the store")
        .expect("the run");
    going_on.id = "run000000004".into();
    going_on.phase = greylag_infra::RunPhase::Running;
    going_on.ended_at = None;
    store.create_run(going_on).await.expect("kept");
    let now = site.coordinator.now();
    let mut recent = store
        .run(&"run000000003".into())
        .await
        .expect("the store")
        .expect("the run");
    recent.ended_at = Some(now);
    store.update_run(&recent).await.expect("kept");
    site.coordinator.keep_only(Keep::Days(1));
    tokio::time::pause();
    let half_an_hour = Duration::from_secs(1_800);
    tokio::time::advance(half_an_hour).await;
    let all = ["run000000004", "run000000003", "run000000002"];
    // Deleting takes fewer turns of the store.
    for _ in 0..50 {
        assert_eq!(ids(&site).await, all, "the clock may still be set");
    }
    tokio::time::advance(half_an_hour).await;
    tokio::time::resume();
    until_left(&site, &["run000000004", "run000000003"]).await;
}

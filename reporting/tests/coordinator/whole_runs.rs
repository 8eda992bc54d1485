//! Runs from their start to their end: results sent again, restarts, counts that differ.

use greylag_reporting::Scope;
use std::time::Duration;

use greylag_infra::protocol::{HeldRun, ToAgent, ToCoordinator};
use greylag_infra::{ConnectionStatus, RunPhase, WallTime};

use crate::site::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_run_from_start_to_end_with_resent_snapshots() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::open(dir.path(), PATIENCE).await;
    let mut agent = FakeAgent::join(&site.url, hello("a", &[])).await;
    let run_id = begin(&site, &mut agent).await;

    assert_eq!(
        agent.snapshot(snapshot(&run_id, 1, 7)).await,
        ack(&run_id, 1)
    );
    assert_eq!(
        agent.snapshot(snapshot(&run_id, 1, 7)).await,
        ack(&run_id, 1)
    );
    assert_eq!(
        requests(&site, &run_id).await,
        7,
        "sent twice, counted once"
    );
    let mut altered = last(&run_id, 1, 1 << 53);
    altered.failing = Some("because".into());
    assert_eq!(
        agent.snapshot(altered).await,
        ack(&run_id, 1),
        "of what is sent again nothing counts"
    );

    drop(agent);
    let mut agent = FakeAgent::join(&site.url, hello("a", &[&run_id])).await;
    assert!(
        matches!(agent.receive().await, Some(ToAgent::Start { .. })),
        "asked again"
    );
    assert_eq!(
        agent.snapshot(snapshot(&run_id, 2, 5)).await,
        ack(&run_id, 2)
    );
    assert_eq!(agent.snapshot(last(&run_id, 3, 12)).await, ack(&run_id, 3));
    assert_eq!(site.until_over(&run_id).await, RunPhase::Finished);
    assert_eq!(requests(&site, &run_id).await, 12);
    let before = texts(&site, &run_id).await;
    assert_eq!(agent.snapshot(last(&run_id, 3, 12)).await, ack(&run_id, 3));
    // Answered after what the snapshot made the coordinator do.
    let stopped = site.coordinator.stop_run(&run_id).await;
    stopped.expect_err("it is over");
    assert_eq!(texts(&site, &run_id).await, before, "no news");

    let log = site
        .coordinator
        .store()
        .log(&run_id, &Scope::default(), 0, 1_000)
        .await
        .unwrap();
    let text: Vec<_> = log.iter().map(|line| line.text.as_str()).collect();
    assert!(text.contains(&"run finished"), "{text:#?}");
    assert!(
        !text
            .iter()
            .any(|line| line.contains("report this as a bug")),
        "{text:#?}"
    );
    assert_eq!(
        agent.snapshot(snapshot(&"nosuchrun".into(), 1, 1)).await,
        Some(ToAgent::Abandon {
            run_id: "nosuchrun".into()
        })
    );
    site.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn results_do_not_wait_for_longer_than_their_run_has_been_there() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::open(dir.path(), PATIENCE).await;
    let mut agent = FakeAgent::join(&site.url, hello("a", &[])).await;
    let run_id = begin(&site, &mut agent).await;
    let waiting = HeldRun {
        run_id,
        run_time: None,
        unacknowledged_us: u64::MAX,
        fetched_bytes: None,
        finish_asked: None,
    };
    let ping = ToCoordinator::Ping {
        sent_at: WallTime::from_micros(1),
        runs: vec![waiting],
    };
    agent.send(&ping).await;
    let unsaved_us = || site.coordinator.infrastructures()[0].agents[0].unsaved_us;
    let shown = async {
        while unsaved_us() == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, shown)
        .await
        .expect("the age should be shown");
    let most_us = u64::try_from((2 * PATIENCE).as_micros()).unwrap();
    assert!(unsaved_us() < most_us, "{}", unsaved_us());
    site.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_that_differ_from_the_agents_are_reported() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::open(dir.path(), PATIENCE).await;
    let mut agent = FakeAgent::join(&site.url, hello("a", &[])).await;
    let run_id = begin(&site, &mut agent).await;
    assert_eq!(
        agent.snapshot(snapshot(&run_id, 1, 7)).await,
        ack(&run_id, 1)
    );
    assert_eq!(agent.snapshot(last(&run_id, 2, 8)).await, ack(&run_id, 2));
    let RunPhase::Failed(reason) = site.until_over(&run_id).await else {
        panic!("the run should fail");
    };
    let words = "counted 8 requests with 0 failures, but 7 with 0 are saved";
    assert!(reason.to_string().contains(words), "{reason}");
    assert!(!site.run(&run_id).await.completeness.is_complete());
    let log = site
        .coordinator
        .store()
        .log(&run_id, &Scope::default(), 0, 100)
        .await
        .unwrap();
    assert!(log.iter().any(|line| line.text.contains(words)), "{log:#?}");
    site.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_coordinator_goes_on_with_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::open(dir.path(), PATIENCE).await;
    let mut agent = FakeAgent::join(&site.url, hello("a", &[])).await;
    let run_id = begin(&site, &mut agent).await;
    assert_eq!(
        agent.snapshot(snapshot(&run_id, 1, 7)).await,
        ack(&run_id, 1)
    );
    site.close().await;

    let site = Site::open(dir.path(), PATIENCE).await;
    assert_eq!(
        site.coordinator.infrastructures()[0].status,
        ConnectionStatus::Pending
    );
    let mut agent = FakeAgent::join(&site.url, hello("a", &[&run_id, &"unknown".into()])).await;
    assert!(matches!(agent.receive().await, Some(ToAgent::Start { .. })));
    assert_eq!(
        agent.receive().await,
        Some(ToAgent::Abandon {
            run_id: "unknown".into()
        }),
        "a run this coordinator does not know"
    );
    assert_eq!(
        agent.snapshot(snapshot(&run_id, 1, 7)).await,
        ack(&run_id, 1)
    );
    assert_eq!(agent.snapshot(last(&run_id, 2, 7)).await, ack(&run_id, 2));
    assert_eq!(site.until_over(&run_id).await, RunPhase::Finished);
    assert_eq!(requests(&site, &run_id).await, 7);
    site.close().await;
}

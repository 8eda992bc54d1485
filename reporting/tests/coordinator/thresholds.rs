//! A run whose thresholds are judged while it goes on, by one coordinator after the other.

use std::time::Duration;

use greylag_infra::protocol::{Snapshot, ToAgent};
use greylag_infra::{FailureReason, LoadTest, RunId, RunPhase, TestVerdict, ThresholdState};
use greylag_reporting::{RunFilter, Scope, Summary};

use crate::site::*;

/// Requests of 5 ms in the second of this number, and nothing missing before the end of it.
fn second(run_id: &RunId, seq: u64) -> Snapshot {
    Snapshot {
        complete_until: seq as u32 + 1,
        ..snapshot(run_id, seq, 2)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breach_stops_the_run_whichever_coordinator_saw_it_begin() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::open(dir.path(), PATIENCE).await;
    let mut agent = FakeAgent::join(&site.url, hello("a", &[])).await;
    let texts_of_thresholds = [
        "p95 < 2ms abort after 3s",
        "requests >= 6 during whole",
        "requests >= 1000",
        "p95 < 1s for GET /misspelled",
        "failures <= 0 for GET /misspelled",
    ];
    let thresholds = texts_of_thresholds.map(|text| text.parse().unwrap());
    let test = LoadTest {
        duration_s: 60,
        thresholds: thresholds.to_vec(),
        ..load_test()
    };
    let run_id = begin_test(&site, &mut agent, test).await;
    for seq in 1..3 {
        let acknowledged = agent.snapshot(second(&run_id, seq)).await;
        assert_eq!(acknowledged, ack(&run_id, seq));
    }
    // Breached since second 1, seen by this coordinator.
    let states = until_judged(&site, &run_id, ThresholdState::Breached).await;
    use ThresholdState::{Breached, NoData, Passed, Pending};
    assert_eq!(states, [Breached, Pending, Pending, Pending, Pending]);
    drop(agent);
    site.close().await;

    let site = Site::open(dir.path(), PATIENCE).await;
    let mut agent = FakeAgent::join(&site.url, hello("a", &[&run_id])).await;
    assert!(matches!(agent.receive().await, Some(ToAgent::Start { .. })));
    let acknowledged = agent.snapshot(second(&run_id, 3)).await;
    assert_eq!(acknowledged, ack(&run_id, 3));
    let stop = ToAgent::Stop {
        run_id: run_id.clone(),
    };
    assert_eq!(agent.receive().await, Some(stop));
    // What comes while the load ends brings the value back.
    let recovered = Snapshot {
        end: last(&run_id, 4, 6 + 400).end,
        ..snapshot_of(&run_id, 4, 400, Duration::from_millis(1))
    };
    assert_eq!(agent.snapshot(recovered).await, ack(&run_id, 4));
    let reason = FailureReason::ThresholdBreached {
        threshold: texts_of_thresholds[0].to_owned(),
        since_s: 1,
    };
    assert_eq!(site.until_over(&run_id).await, RunPhase::Failed(reason));

    let store = site.coordinator.store();
    let now = site.coordinator.now();
    let summary = Summary::read(store, &run_id, &Scope::default(), now)
        .await
        .unwrap();
    assert_eq!(summary.verdict, Some(TestVerdict::Failed));
    let states: Vec<_> = summary.thresholds.iter().map(|one| one.state).collect();
    assert_eq!(states, [Breached, Passed, Breached, NoData, NoData]);
    let stopped = &summary.thresholds[0];
    assert_eq!(stopped.breached_since_s, Some(1));
    assert!(stopped.actual < stopped.limit, "{stopped:?}");
    let explanation = |at: usize| summary.thresholds[at].explanation.as_deref();
    assert_eq!(explanation(0), Some("the run was stopped for it"));
    assert_eq!(
        explanation(3),
        Some("no requests to GET /misspelled ended in this part of the run")
    );
    assert_eq!(
        explanation(4),
        Some("no requests to GET /misspelled ended in the run")
    );
    let log = texts(&site, &run_id).await;
    let said = |text: &str| log.iter().filter(|line| line.contains(text)).count();
    assert_eq!(said("Threshold breached: p95 < 2ms"), 1, "{log:#?}");
    assert_eq!(said("holds again"), 0, "{log:#?}");
    for (words, count) in [
        ("verdict:failed", 1),
        ("verdict:passed", 0),
        ("verdict:none", 0),
    ] {
        assert_eq!(found(&site, words).await, count, "{words}");
    }
    site.close().await;
}

/// How many runs are found by these words.
async fn found(site: &Site, words: &str) -> usize {
    let filter = RunFilter {
        search: words.into(),
        ..RunFilter::default()
    };
    site.coordinator.store().runs(filter).await.unwrap().len()
}

async fn until_said(site: &Site, run_id: &RunId, words: &str) {
    let said = async {
        while !texts(site, run_id)
            .await
            .iter()
            .any(|line| line.contains(words))
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let said = tokio::time::timeout(PATIENCE, said).await;
    said.unwrap_or_else(|_| panic!("{words:?} should be in the log"));
}

#[tokio::test(flavor = "multi_thread")]
async fn late_results_are_judged_even_if_their_agent_dies_and_only_what_changes_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::open(dir.path(), QUIET_LEASE).await;
    let mut agent = FakeAgent::join(&site.url, hello("a", &[])).await;
    let thresholds = ["p95 < 2ms during whole", "max < 3ms during whole"];
    let test = LoadTest {
        thresholds: thresholds.map(|text| text.parse().unwrap()).to_vec(),
        ..load_test()
    };
    let run_id = begin_test(&site, &mut agent, test).await;
    assert_eq!(agent.snapshot(second(&run_id, 1)).await, ack(&run_id, 1));
    drop(agent);
    assert!(matches!(
        site.until_over(&run_id).await,
        RunPhase::Failed(_)
    ));
    let judged = async {
        while found(&site, "verdict:failed").await == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, judged)
        .await
        .expect("the run should be judged");
    until_said(&site, &run_id, "Threshold breached: max").await;
    site.close().await;

    let site = Site::open(dir.path(), PATIENCE).await;
    assert_eq!(found(&site, "verdict:failed").await, 1);
    let mut agent = FakeAgent::join(&site.url, hello("a", &[&run_id])).await;
    assert!(matches!(agent.receive().await, Some(ToAgent::Stop { .. })));
    let fast = snapshot_of(&run_id, 2, 400, Duration::from_millis(1));
    assert_eq!(agent.snapshot(fast).await, ack(&run_id, 2));
    assert_eq!(found(&site, "verdict:failed").await, 1, "as it was judged");
    // Whoever looks before it is judged again sees what was, and what changes is said nevertheless.
    let (store, now) = (site.coordinator.store(), site.coordinator.now());
    let summary = Summary::read(store, &run_id, &Scope::default(), now)
        .await
        .unwrap();
    assert_eq!(summary.verdict, Some(TestVerdict::Failed));
    // It has not said that this was all.
    drop(agent);
    until_said(&site, &run_id, "Threshold holds again: p95").await;
    assert_eq!(found(&site, "verdict:failed").await, 1);
    let log = texts(&site, &run_id).await;
    for condition in thresholds {
        let words = format!("Threshold breached: {condition}");
        let said = log.iter().filter(|line| line.contains(&words)).count();
        assert_eq!(said, 1, "{condition}: {log:#?}");
    }
    site.close().await;
}

async fn until_judged(site: &Site, run_id: &RunId, first: ThresholdState) -> Vec<ThresholdState> {
    let judged = async {
        loop {
            let run = site.run(run_id).await;
            let results = site.coordinator.store().threshold_results(&run).await;
            let results = results.unwrap();
            if results[0].state == first {
                return results.iter().map(|result| result.state).collect();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, judged)
        .await
        .expect("the thresholds should be judged")
}

//! Agents that are gone, silent or faulty.

use greylag_reporting::Scope;
use std::path::Path;
use std::time::Duration;

use futures_util::SinkExt;
use greylag_infra::protocol::{self, Hello, PROTOCOL_VERSION, ToAgent, ToCoordinator};
use greylag_infra::{RunPhase, WallTime};
use greylag_reporting::coordinator::ConnectionFault;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::site::*;

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_gone_for_longer_than_the_lease_fails_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::open(dir.path(), Duration::from_millis(500)).await;
    let mut agent = FakeAgent::join(&site.url, hello("a", &[])).await;
    let run_id = begin(&site, &mut agent).await;
    assert_eq!(
        agent.snapshot(snapshot(&run_id, 1, 7)).await,
        ack(&run_id, 1)
    );
    drop(agent);
    let RunPhase::Failed(reason) = site.until_over(&run_id).await else {
        panic!("the run should fail");
    };
    assert_eq!(reason.code(), "agent_lost");
    assert!(reason.to_string().contains("agent-a"), "{reason}");
    assert_eq!(
        requests(&site, &run_id).await,
        7,
        "what was acknowledged is kept"
    );
    let missing = site.run(&run_id).await.completeness;
    assert_eq!(missing.gaps().len(), 1, "{missing:?}");
    site.close().await;

    // Also a coordinator that was started again takes what the agent still holds, even if the clock was set forward by
    // an hour meanwhile, or the run has long been over.
    an_hour_passes(dir.path());
    let site = Site::open(dir.path(), PATIENCE).await;
    let mut agent = FakeAgent::join(&site.url, hello("a", &[&run_id])).await;
    let stop = ToAgent::Stop {
        run_id: run_id.clone(),
    };
    assert_eq!(agent.receive().await, Some(stop));
    assert_eq!(
        agent.snapshot(snapshot(&run_id, 2, 3)).await,
        ack(&run_id, 2)
    );
    let still_missing = site.run(&run_id).await.completeness;
    assert_eq!(still_missing.gaps(), missing.gaps(), "the end has not come");
    assert_eq!(agent.snapshot(last(&run_id, 3, 10)).await, ack(&run_id, 3));
    assert_eq!(requests(&site, &run_id).await, 10);
    let run = site.run(&run_id).await;
    assert!(run.completeness.is_complete(), "{run:?}");
    assert_eq!(run.phase, RunPhase::Failed(reason), "the status stays");
    let mut again = FakeAgent::join(&site.url, hello("a", &[&run_id])).await;
    assert_eq!(again.receive().await, Some(ToAgent::Abandon { run_id }));
    site.close().await;
}

/// Makes everything that is kept of runs an hour older.
fn an_hour_passes(dir: &Path) {
    let connection = rusqlite::Connection::open(dir.join("greylag.sqlite")).unwrap();
    let changed = connection.execute(
        "UPDATE runs SET created_at_us = created_at_us - ?1, started_at_us = started_at_us - ?1, ended_at_us = ended_at_us - ?1,
         completeness = json_set(completeness, '$.late_until_us', completeness ->> '$.late_until_us' - ?1)",
        [3_600_000_000_i64],
    );
    assert_eq!(changed.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_falls_silent_has_one_lease_and_not_two() {
    const LEASE: Duration = Duration::from_secs(3);
    let dir = tempfile::tempdir().unwrap();
    let site = Site::open(dir.path(), LEASE).await;
    let mut agent = FakeAgent::join(&site.url, hello("a", &[])).await;
    let run_id = begin(&site, &mut agent).await;
    assert!(matches!(
        site.until_over(&run_id).await,
        RunPhase::Failed(_)
    ));
    site.until_fault(ConnectionFault::Silent, 1).await;
    let store = site.coordinator.store();
    let log = store
        .log(&run_id, &Scope::default(), 0, 1_000)
        .await
        .unwrap();
    let at = |words: &str| {
        let line = log.iter().find(|line| line.text.contains(words));
        line.unwrap_or_else(|| panic!("{words}: {log:#?}")).at
    };
    let given_up_after = at("stopping: agent agent-a") - at("agent-a disconnected");
    assert!(
        given_up_after < LEASE,
        "{given_up_after:?} after a whole lease of silence"
    );
    site.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_alone_wakes_no_page() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::open(dir.path(), PATIENCE).await;
    let mut agent = FakeAgent::join(&site.url, hello("a", &[])).await;
    let mut changes = site.coordinator.changes();
    let heard = || {
        let infrastructures = site.coordinator.infrastructures();
        let agents = infrastructures.iter().flat_map(|known| &known.agents);
        agents
            .map(|agent| agent.last_heard)
            .max()
            .unwrap_or_default()
    };
    for _ in 0..2 {
        changes.mark_unchanged();
        let before = heard();
        while heard() == before {
            agent
                .send(&ToCoordinator::Ping {
                    sent_at: WallTime::default(),
                    runs: vec![],
                })
                .await;
            assert!(matches!(agent.receive().await, Some(ToAgent::Pong { .. })));
        }
    }
    assert!(!changes.has_changed().unwrap());
    site.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_close_one_connection_and_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::open(dir.path(), PATIENCE).await;
    let mut good = FakeAgent::join(&site.url, hello("good", &[])).await;
    let run_id = begin(&site, &mut good).await;

    let mut garbage = FakeAgent::dial(&site.url).await;
    garbage.send_frame(b"\xc1garbage".to_vec()).await;
    assert_eq!(garbage.receive().await, None);
    site.until_fault(ConnectionFault::Malformed, 1).await;

    let mut rude = FakeAgent::dial(&site.url).await;
    rude.send(&ToCoordinator::Ping {
        sent_at: WallTime::default(),
        runs: vec![],
    })
    .await;
    assert_eq!(rude.receive().await, None);
    site.until_fault(ConnectionFault::NoHello, 1).await;

    let mut old = FakeAgent::dial(&site.url).await;
    let old_hello = Hello {
        protocol: PROTOCOL_VERSION + 1,
        ..hello("old", &[])
    };
    old.send(&ToCoordinator::Hello(old_hello)).await;
    let Some(ToAgent::Refused { reason }) = old.receive().await else {
        panic!("another protocol version should be refused");
    };
    assert!(reason.to_string().contains("protocol version"), "{reason}");
    site.until_fault(ConnectionFault::Refused, 1).await;

    let mut skipping = FakeAgent::join(&site.url, hello("skipping", &[])).await;
    let answer = skipping.snapshot(snapshot(&run_id, 9, 1)).await;
    assert_eq!(answer, None, "not a member of the run");
    site.until_fault(ConnectionFault::InvalidSnapshot, 1).await;

    let mut large = FakeAgent::join(&site.url, hello("large", &[])).await;
    let frame = vec![0; protocol::MAX_FRAME_BYTES + 1];
    // The coordinator may close before all of it is written.
    let _ = large.socket.send(Message::Binary(frame.into())).await;
    site.until_fault(ConnectionFault::Oversized, 1).await;

    assert_eq!(
        good.snapshot(snapshot(&run_id, 1, 3)).await,
        ack(&run_id, 1)
    );
    assert_eq!(good.snapshot(last(&run_id, 2, 3)).await, ack(&run_id, 2));
    assert_eq!(site.until_over(&run_id).await, RunPhase::Finished);
    site.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_whose_message_comes_slowly_is_heard_and_hears() {
    const LEASE: Duration = Duration::from_secs(3);
    let dir = tempfile::tempdir().unwrap();
    let site = Site::open(dir.path(), LEASE).await;
    let mut agent = FakeAgent::join(&site.url, hello("a", &[])).await;
    let run_id = begin(&site, &mut agent).await;
    let whole = ToCoordinator::Snapshot(Box::new(snapshot(&run_id, 1, 7)));
    let mut message = protocol::encode(&whole);
    let mut kind = Data::Binary;
    let begun = Instant::now();
    // Each part as soon as the last one has been noticed, until that has taken longer than a lease.
    while begun.elapsed() < LEASE + Duration::from_secs(1) {
        let part: Vec<u8> = message.drain(..10).collect();
        let frame = Frame::message(part, OpCode::Data(kind), false);
        agent.socket.send(Message::Frame(frame)).await.unwrap();
        let heard = agent.receive().await;
        assert!(
            matches!(heard, Some(ToAgent::Ack { seq: 0, .. })),
            "{heard:?}"
        );
        kind = Data::Continue;
    }
    let rest = Frame::message(message, OpCode::Data(kind), true);
    agent.socket.send(Message::Frame(rest)).await.unwrap();
    while !matches!(agent.receive().await, Some(ToAgent::Ack { seq: 1, .. })) {}
    assert_eq!(requests(&site, &run_id).await, 7);
    site.close().await;
}

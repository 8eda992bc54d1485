//! Agents that are gone, silent or faulty.

use std::path::Path;
use std::time::Duration;

use futures_util::SinkExt;
use greylag_infra::protocol::{
    self, Hello, PROTOCOL_VERSION, Snapshot, ToAgent, ToCoordinator, UserChange,
};
use greylag_infra::{
    FailureReason, Fleet, LoadTest, OnLostAgent, RunId, RunPhase, RunRecord, RunTime, WallTime,
};
use greylag_reporting::coordinator::ConnectionFault;
use greylag_reporting::{Scope, Summary};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::site::*;

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_gone_for_longer_than_the_lease_fails_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::open(dir.path(), QUIET_LEASE).await;
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

/// A snapshot whose results go on at this second, and users who come and go.
fn at_second(run_id: &RunId, seq: u64, second: u32, users: &[(u32, u64, u64)]) -> Snapshot {
    let mut part = snapshot(run_id, seq, 1);
    part.intervals[0].second = second;
    part.complete_until = second + 1;
    part.user_changes = users
        .iter()
        .map(|(second, started, stopped)| UserChange {
            second: *second,
            started: *started,
            stopped: *stopped,
            ..UserChange::default()
        })
        .collect();
    part
}

async fn users_by_second(site: &Site, run_id: &RunId) -> Vec<u64> {
    let now = site.coordinator.now();
    let whole = Scope::default();
    let summary = Summary::read(site.coordinator.store(), run_id, &whole, now).await;
    let series = summary.unwrap().series;
    series.iter().map(|point| point.users).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_may_lose_agents_goes_on_and_its_users_are_those_that_are_there() {
    const LEASE: Duration = QUIET_LEASE;
    let dir = tempfile::tempdir().unwrap();
    let site = Site::open(dir.path(), LEASE).await;
    let mut a = FakeAgent::join(&site.url, hello("a", &[])).await;
    let mut b = FakeAgent::join(&site.url, hello("b", &[])).await;
    let test = LoadTest {
        workers: 2,
        fleet: Fleet {
            on_lost_agent: OnLostAgent::Continue,
            ..Fleet::default()
        },
        ..load_test()
    };
    let run_id = site.coordinator.start_run(test).await.unwrap().id;
    for agent in [&mut a, &mut b] {
        assert!(matches!(agent.receive().await, Some(ToAgent::Prepare(_))));
        let ready = ToCoordinator::Ready {
            run_id: run_id.clone(),
            shape: None,
            set_up_data: None,
        };
        agent.send(&ready).await;
    }
    for agent in [&mut a, &mut b] {
        assert!(matches!(agent.receive().await, Some(ToAgent::Start { .. })));
    }
    let part = at_second(&run_id, 1, 1, &[(0, 5, 0)]);
    assert_eq!(b.snapshot(part).await, ack(&run_id, 1));
    drop(b);
    let part = at_second(&run_id, 1, 1, &[(0, 5, 0)]);
    assert_eq!(a.snapshot(part).await, ack(&run_id, 1));
    // Heard all the time, until the other one is given up.
    while site.run(&run_id).await.coverage().is_full() {
        let ping = ToCoordinator::Ping {
            sent_at: WallTime::default(),
            runs: vec![],
        };
        a.send(&ping).await;
        assert!(matches!(a.receive().await, Some(ToAgent::Pong { .. })));
    }
    for (seq, second) in [(2, 4), (3, 6)] {
        let part = at_second(&run_id, seq, second, &[]);
        assert_eq!(a.snapshot(part).await, ack(&run_id, seq));
    }
    let since = |run: &RunRecord| run.coverage().losses()[0].since_second;
    assert_eq!(since(&site.run(&run_id).await), 2);
    assert_eq!(
        users_by_second(&site, &run_id).await,
        [0, 10, 10, 5, 5, 5, 5],
        "the others are active"
    );
    site.close().await;

    // The next coordinator knows it, and does not wait for the agent.
    let site = Site::open(dir.path(), PATIENCE).await;
    let mut a = FakeAgent::join(&site.url, hello("a", &[&run_id])).await;
    assert!(matches!(a.receive().await, Some(ToAgent::Start { .. })));
    assert_eq!(since(&site.run(&run_id).await), 2);
    assert!(!site.run(&run_id).await.completeness.is_complete());

    // What it still holds is taken all the same.
    let mut b = FakeAgent::join(&site.url, hello("b", &[&run_id])).await;
    let stop = ToAgent::Stop {
        run_id: run_id.clone(),
    };
    assert_eq!(b.receive().await, Some(stop));
    let part = at_second(&run_id, 2, 4, &[(5, 0, 5)]);
    assert_eq!(b.snapshot(part).await, ack(&run_id, 2));
    let silent = FailureReason::CoordinatorSilent {
        agent: "agent-b".to_owned(),
        silent_ms: 1_000,
    };
    let mut end = last(&run_id, 3, 2);
    if let Some(end) = &mut end.end {
        end.ended_at = RunTime::from_micros(5_200_000);
        end.set_failure(silent);
    }
    assert_eq!(b.snapshot(end).await, ack(&run_id, 3));
    assert_eq!(a.snapshot(last(&run_id, 4, 3)).await, ack(&run_id, 4));
    assert_eq!(site.until_over(&run_id).await, RunPhase::Finished);
    let run = site.run(&run_id).await;
    assert!(run.completeness.is_complete(), "{run:?}");
    assert_eq!(since(&run), 5, "as it says itself");
    assert_eq!(requests(&site, &run_id).await, 5);
    let users = users_by_second(&site, &run_id).await;
    assert_eq!(users[..7], [0, 10, 10, 10, 10, 10, 5]);
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
    // The run is given up within a second, or after another lease.
    const LEASE: Duration = Duration::from_secs(5);
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

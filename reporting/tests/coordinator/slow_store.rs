//! A store that is slow: agents are answered meanwhile, and none of them is late or lost because of it.

use std::path::Path;
use std::time::Duration;

use greylag_infra::protocol::{ToAgent, ToCoordinator};
use greylag_infra::{LoadTest, RunId, RunPhase, WallTime};
use tokio::time::Instant;

use crate::site::*;

const LEASE: Duration = Duration::from_secs(3);

/// Keeps the store from writing until what is returned is dropped, as another program may.
fn lock(dir: &Path) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(dir.join("greylag.sqlite")).unwrap();
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    connection
}

/// The next message that says something; signs of life do not.
async fn hear(agent: &mut FakeAgent) -> ToAgent {
    let says_something = async {
        loop {
            match agent.receive().await.expect("the connection stays") {
                ToAgent::Ack { seq: 0, .. } => {}
                message => return message,
            }
        }
    };
    let message = tokio::time::timeout(PATIENCE, says_something).await;
    message.expect("the coordinator should say something")
}

async fn until_acknowledged(agent: &mut FakeAgent, number: u64) {
    let message = hear(agent).await;
    assert!(
        matches!(message, ToAgent::Ack { seq, .. } if seq == number),
        "{message:?}"
    );
}

async fn begin_with_two(site: &Site, agents: [&mut FakeAgent; 2]) -> RunId {
    let test = LoadTest {
        workers: 2,
        ..load_test()
    };
    let run_id = site.coordinator.start_run(test).await.unwrap().id;
    let [first, second] = agents;
    for agent in [&mut *first, &mut *second] {
        assert!(matches!(hear(agent).await, ToAgent::Prepare(_)));
        agent
            .send(&ToCoordinator::Ready {
                run_id: run_id.clone(),
                shape: None,
                set_up_data: None,
            })
            .await;
    }
    for agent in [first, second] {
        assert!(matches!(hear(agent).await, ToAgent::Start { .. }));
    }
    run_id
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_are_answered_and_not_lost_while_their_results_wait() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::open(dir.path(), LEASE).await;
    let mut stays = FakeAgent::join(&site.url, hello("a", &[])).await;
    let mut leaves = FakeAgent::join(&site.url, hello("b", &[])).await;
    let run_id = begin_with_two(&site, [&mut stays, &mut leaves]).await;

    let lock = lock(dir.path());
    for seq in [1, 2] {
        let snapshot = snapshot(&run_id, seq, 7);
        stays.send(&ToCoordinator::Snapshot(snapshot.into())).await;
    }
    for snapshot in [snapshot(&run_id, 1, 5), last(&run_id, 2, 5)] {
        leaves.send(&ToCoordinator::Snapshot(snapshot.into())).await;
    }
    // Whatever is sent before a ping has come when the ping is answered.
    ping(&mut leaves).await;
    drop(leaves);
    let locked = Instant::now();
    // Long enough to be lost; the store itself waits for its lock for 10 s.
    while locked.elapsed() < LEASE + Duration::from_secs(1) {
        ping(&mut stays).await;
        tokio::time::sleep(LEASE / 10).await;
    }
    assert_eq!(site.run(&run_id).await.phase, RunPhase::Running);
    drop(lock);

    for seq in [1, 2] {
        until_acknowledged(&mut stays, seq).await;
    }
    let last = last(&run_id, 3, 14);
    stays.send(&ToCoordinator::Snapshot(last.into())).await;
    until_acknowledged(&mut stays, 3).await;
    assert_eq!(site.until_over(&run_id).await, RunPhase::Finished);
    assert_eq!(requests(&site, &run_id).await, 19);
    site.close().await;
}

async fn ping(agent: &mut FakeAgent) {
    agent
        .send(&ToCoordinator::Ping {
            sent_at: WallTime::default(),
            runs: vec![],
        })
        .await;
    let answer = hear(agent).await;
    assert!(matches!(answer, ToAgent::Pong { .. }), "{answer:?}");
}

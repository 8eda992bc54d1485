//! A real agent with real worker processes against a coordinator that loses connections, forgets to
//! acknowledge and goes away.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use greylag::AgentError;
use greylag_infra::protocol::ToAgent;
use support::{FakeCoordinator, RUN, Saved, Target, test_of};

/// Connections break in the middle, acknowledgements are lost, snapshots come twice: the sum is that of the
/// target.
#[tokio::test(flavor = "multi_thread")]
async fn every_request_is_counted_once_over_broken_connections() {
    let (target, coordinator) = (Target::start().await, FakeCoordinator::start().await);
    let agent = coordinator.agent();
    let mut saved = Saved::default();
    let (mut connection, hello) = coordinator.accept().await;
    assert!(hello.runs.is_empty());
    connection.start_run(&test_of(&target, 5)).await;
    // What came before the start was acknowledged but not looked at.
    let mut first = true;
    for round in 0..3 {
        for _ in 0..2 {
            let snapshot = connection.next_snapshot().await.unwrap();
            if std::mem::take(&mut first) {
                saved.last_seq = snapshot.seq - 1;
            }
            saved.save(&snapshot);
            // Saved, but in the first round the agent never hears of it.
            if round > 0 {
                connection.acknowledge(&snapshot).await;
            }
        }
        drop(connection);
        let hello;
        (connection, hello) = coordinator.accept().await;
        assert_eq!(hello.runs, [RUN]);
    }
    connection.receive_to_end(&mut saved).await;
    let end = saved.end.clone().unwrap();
    assert_eq!(end.failure, None);
    assert!(target.hits() > 0);
    assert_eq!(
        (saved.requests, end.requests),
        (target.hits(), target.hits())
    );
    assert_eq!((saved.started, saved.stopped), (4, 4));
    assert_eq!(saved.endpoints.len(), 2);

    // Everything is acknowledged, so the run is forgotten.
    drop(connection);
    let (_connection, hello) = coordinator.accept().await;
    assert!(hello.runs.is_empty());
    agent.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_worker_fails_the_part_with_its_name_and_signal() {
    let (target, coordinator) = (Target::start().await, FakeCoordinator::start().await);
    let agent = coordinator.agent();
    let (mut connection, _) = coordinator.accept().await;
    connection.start_run(&test_of(&target, 600)).await;
    let mut saved = Saved::default();
    while saved.pids.is_empty() || saved.requests == 0 {
        let snapshot = connection.next_snapshot().await.unwrap();
        saved.last_seq = snapshot.seq - 1;
        saved.save(&snapshot);
        connection.acknowledge(&snapshot).await;
    }
    let pid = rustix::process::Pid::from_raw(saved.pids[1].cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    connection.receive_to_end(&mut saved).await;
    assert_eq!(
        saved.end.unwrap().failure.unwrap(),
        "worker 1 on agent load-a was killed by signal 9 (SIGKILL)"
    );
    assert_eq!((saved.started, saved.stopped), (4, 4));
    agent.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_hears_nothing_stops_its_load() {
    let (target, mut coordinator) = (Target::start().await, FakeCoordinator::start().await);
    coordinator.lease_ms = 2_000;
    let agent = coordinator.agent();
    let (mut connection, _) = coordinator.accept().await;
    connection.start_run(&test_of(&target, 600)).await;
    let snapshot = connection.next_snapshot().await.unwrap();
    let mut saved = Saved {
        last_seq: snapshot.seq - 1,
        ..Saved::default()
    };
    saved.save(&snapshot);
    connection.acknowledge(&snapshot).await;
    drop(connection);
    // Nobody answers until the load has ended: the target hears nothing for a second.
    let mut hits = u64::MAX;
    while hits != target.hits() {
        hits = target.hits();
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    let (mut connection, hello) = coordinator.accept().await;
    assert_eq!(hello.runs, [RUN]);
    connection.receive_to_end(&mut saved).await;
    let end = saved.end.unwrap();
    assert_eq!(
        end.failure.unwrap(),
        "agent load-a heard nothing from the coordinator for 2 s"
    );
    assert_eq!(end.requests, target.hits());
    agent.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_the_load_and_a_shutdown_is_a_failure_with_its_reason() {
    let (target, coordinator) = (Target::start().await, FakeCoordinator::start().await);
    for stop in [true, false] {
        let agent = coordinator.agent();
        let (mut connection, _) = coordinator.accept().await;
        let hits = target.hits();
        connection.start_run(&test_of(&target, 600)).await;
        let snapshot = connection.next_snapshot().await.unwrap();
        let mut saved = Saved {
            last_seq: snapshot.seq - 1,
            ..Saved::default()
        };
        saved.save(&snapshot);
        connection.acknowledge(&snapshot).await;
        let expected = if stop {
            connection.say(&ToAgent::Stop { run_id: RUN.into() }).await;
            None
        } else {
            agent.begin_shutdown();
            Some("agent load-a was shut down".to_owned())
        };
        connection.receive_to_end(&mut saved).await;
        let end = saved.end.unwrap();
        assert_eq!(end.failure, expected);
        assert_eq!(end.requests, target.hits() - hits);
        agent.shutdown().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abandoned_run_is_killed_and_forgotten() {
    let (target, coordinator) = (Target::start().await, FakeCoordinator::start().await);
    let agent = coordinator.agent();
    let (mut connection, _) = coordinator.accept().await;
    connection.start_run(&test_of(&target, 600)).await;
    while target.hits() == 0 {
        connection.next_snapshot().await.unwrap();
    }
    connection
        .say(&ToAgent::Abandon { run_id: RUN.into() })
        .await;
    drop(connection);
    let (_connection, hello) = coordinator.accept().await;
    assert!(hello.runs.is_empty());
    let mut hits = u64::MAX;
    while hits != target.hits() {
        hits = target.hits();
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    agent.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn users_come_and_go_while_the_run_goes_on() {
    let (target, coordinator) = (Target::start().await, FakeCoordinator::start().await);
    let agent = coordinator.agent();
    let (mut connection, _) = coordinator.accept().await;
    let test = test_of(&target, 600);
    connection.start_run(&test).await;
    let mut saved = Saved::default();
    let mut profile = test.profile();
    // Changes are told some time after they are due: they count at once.
    for (at_us, users, started, stopped) in [(10_000, 10, 10, 0), (20_000, 3, 10, 7)] {
        profile = profile.with_change(at_us, users, 0).unwrap();
        let message = ToAgent::Profile {
            run_id: RUN.into(),
            profile: profile.clone(),
        };
        connection.say(&message).await;
        while (saved.started, saved.stopped) != (started, stopped) {
            let snapshot = connection.next_snapshot().await.unwrap();
            if saved.last_seq == 0 {
                saved.last_seq = snapshot.seq - 1;
            }
            saved.save(&snapshot);
            connection.acknowledge(&snapshot).await;
            assert_eq!(saved.end, None);
        }
    }
    connection.say(&ToAgent::Stop { run_id: RUN.into() }).await;
    connection.receive_to_end(&mut saved).await;
    assert_eq!((saved.started, saved.stopped), (10, 10));
    let end = saved.end.unwrap();
    assert_eq!((end.failure, end.requests), (None, target.hits()));
    agent.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selection_that_leaves_nobody_starts_no_worker() {
    let (target, coordinator) = (Target::start().await, FakeCoordinator::start().await);
    let agent = coordinator.agent();
    let (mut connection, _) = coordinator.accept().await;
    let mut test = test_of(&target, 5);
    test.selection.user_types = vec!["Nobody".into()];
    let prepare = greylag_infra::protocol::Prepare {
        run_id: RUN.into(),
        test,
        workers: vec![0, 1],
    };
    connection.say(&ToAgent::Prepare(Box::new(prepare))).await;
    let mut saved = Saved::default();
    connection.receive_to_end(&mut saved).await;
    let failure = saved.end.unwrap().failure.unwrap();
    assert!(
        failure.starts_with("agent load-a cannot run the test: ") && failure.contains("Nobody"),
        "{failure}"
    );
    assert!(saved.pids.is_empty());
    agent.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scenario_that_is_unknown_fails_the_part() {
    let (target, coordinator) = (Target::start().await, FakeCoordinator::start().await);
    let agent = coordinator.agent();
    let (mut connection, _) = coordinator.accept().await;
    let mut test = test_of(&target, 5);
    test.declared = None;
    test.scenario = "nobody".into();
    let prepare = greylag_infra::protocol::Prepare {
        run_id: RUN.into(),
        test,
        workers: vec![0, 1],
    };
    connection.say(&ToAgent::Prepare(Box::new(prepare))).await;
    let mut saved = Saved::default();
    connection.receive_to_end(&mut saved).await;
    let failure = saved.end.unwrap().failure.unwrap();
    assert!(
        failure.contains("scenario `nobody` is unknown"),
        "{failure}"
    );
    agent.shutdown().await.unwrap();
}

/// A coordinator that accepts and drops is no better than one that is not there.
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_do_not_last_are_dialled_less_and_less_often() {
    let coordinator = FakeCoordinator::start().await;
    let agent = coordinator.agent();
    for _ in 0..4 {
        drop(coordinator.accept().await);
    }
    let dropped = std::time::Instant::now();
    let (_connection, _) = coordinator.accept().await;
    // The fourth wait is at least half of 800 ms; the first would be at most 100 ms.
    assert!(dropped.elapsed() >= std::time::Duration::from_millis(400));
    agent.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_final() {
    let coordinator = FakeCoordinator::start().await;
    let mut agent = coordinator.agent();
    let (mut connection, _) = coordinator.accept_only().await;
    let reason = "the coordinator speaks protocol version 99".to_owned();
    connection
        .say(&ToAgent::Refused {
            reason: reason.clone(),
        })
        .await;
    let ended = agent.ended().await;
    assert!(matches!(&ended, Err(AgentError::Refused(_))), "{ended:?}");
    assert_eq!(ended.unwrap_err().to_string(), reason);
}

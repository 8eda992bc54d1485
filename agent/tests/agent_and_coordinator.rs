//! A real agent with real worker processes against a coordinator that loses connections, forgets to
//! acknowledge and goes away.

#![allow(clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod support;

use std::time::Duration;

use greylag::{AgentError, Stay};
use greylag_infra::RunTime;
use greylag_infra::protocol::ToAgent;
use support::{FakeCoordinator, PATIENCE, RUN, Saved, Scene, test_of};

/// Connections break in the middle, acknowledgements are lost, snapshots come twice: the sum is that of the
/// target.
#[tokio::test(flavor = "multi_thread")]
async fn every_request_is_counted_once_over_broken_connections() {
    let mut scene = Scene::running(600).await;
    let mut saved = Saved::default();
    for round in 0..3 {
        for _ in 0..2 {
            let snapshot = scene.connection.next_snapshot().await.unwrap();
            saved.save(&snapshot);
            // Saved, but in the first round the agent does not learn of it.
            if round > 0 {
                scene.connection.acknowledge(&snapshot).await;
            }
        }
        assert_eq!(scene.reconnect().await, [RUN]);
    }
    let is_all_seen = |saved: &Saved| saved.started == 4 && saved.endpoints.len() == 2;
    scene.connection.save_until(&mut saved, is_all_seen).await;
    let stop = ToAgent::Stop { run_id: RUN.into() };
    scene.connection.say(&stop).await;
    scene.connection.receive_to_end(&mut saved).await;
    let end = saved.end.clone().unwrap();
    assert_eq!(end.failure, None);
    let hits = scene.target.hits();
    assert!(hits > 0);
    assert_eq!((saved.requests, end.requests), (hits, hits));
    assert_eq!((saved.started, saved.stopped), (4, 4));
    assert_eq!(saved.endpoints.len(), 2);

    // Everything is acknowledged, so the run is forgotten.
    assert!(scene.reconnect().await.is_empty());
    scene.agent.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_worker_fails_the_part_with_its_name_and_signal() {
    let Scene {
        mut connection,
        agent,
        target: _target,
        ..
    } = Scene::running(600).await;
    let mut saved = Saved::default();
    let has_begun = |saved: &Saved| !saved.pids.is_empty() && saved.started == 4;
    connection.save_until(&mut saved, has_begun).await;
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
    let mut coordinator = FakeCoordinator::start().await;
    coordinator.lease_ms = 4_000;
    let mut scene = Scene::with(coordinator).await;
    scene.start_run(600).await;
    let mut saved = Saved::default();
    let has_begun = |saved: &Saved| !saved.pids.is_empty() && saved.requests > 0;
    scene.connection.save_until(&mut saved, has_begun).await;
    let Scene {
        target,
        coordinator,
        agent,
        connection,
    } = scene;
    drop(connection);
    // The next connection is not accepted until the load has ended.
    saved.until_workers_have_ended().await;
    let (mut connection, hello) = coordinator.accept().await;
    assert_eq!(hello.runs, [RUN]);
    connection.receive_to_end(&mut saved).await;
    let end = saved.end.unwrap();
    assert_eq!(
        end.failure.unwrap(),
        "agent load-a heard nothing from the coordinator for 4 s"
    );
    assert_eq!(end.requests, target.hits());
    agent.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_the_load_and_a_shutdown_is_a_failure_with_its_reason() {
    for stop in [true, false] {
        let Scene {
            target,
            agent,
            mut connection,
            ..
        } = Scene::running(600).await;
        let mut saved = Saved::default();
        connection.save_next(&mut saved).await;
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
        assert_eq!(end.requests, target.hits());
        agent.shutdown().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abandoned_run_is_killed_and_forgotten() {
    let mut scene = Scene::running(600).await;
    let mut saved = Saved::default();
    let has_begun = |saved: &Saved| !saved.pids.is_empty() && saved.requests > 0;
    scene.connection.save_until(&mut saved, has_begun).await;
    let abandon = ToAgent::Abandon { run_id: RUN.into() };
    scene.connection.say(&abandon).await;
    assert!(scene.reconnect().await.is_empty());
    saved.until_workers_have_ended().await;
    scene.agent.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn users_come_and_go_while_the_run_goes_on() {
    let Scene {
        target,
        agent,
        mut connection,
        ..
    } = Scene::running(600).await;
    let mut saved = Saved::default();
    let mut profile = test_of(&target, 600).profile();
    // Changes arrive some time after they are due: they count immediately.
    for (at_us, users, started, stopped) in [(10_000, 10, 10, 0), (20_000, 3, 10, 7)] {
        profile = profile
            .with_change(RunTime::from_micros(at_us), users, 0)
            .unwrap();
        let message = ToAgent::Profile {
            run_id: RUN.into(),
            profile: profile.clone().into(),
        };
        connection.say(&message).await;
        let has_changed = |saved: &Saved| (saved.started, saved.stopped) == (started, stopped);
        connection.save_until(&mut saved, has_changed).await;
    }
    connection.say(&ToAgent::Stop { run_id: RUN.into() }).await;
    connection.receive_to_end(&mut saved).await;
    assert_eq!((saved.started, saved.stopped), (10, 10));
    let end = saved.end.unwrap();
    assert_eq!((end.failure, end.requests), (None, target.hits()));
    agent.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selection_without_users_starts_no_worker() {
    let scene = Scene::idle().await;
    let mut test = test_of(&scene.target, 5);
    test.selection.user_types = vec!["Unknown".into()];
    let (failure, saved) = scene.refusal_of(test).await;
    assert!(
        failure.starts_with("agent load-a cannot run the test: ")
            && failure.contains("no user types to choose from"),
        "{failure}"
    );
    assert!(saved.pids.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scenario_that_is_unknown_fails_the_part() {
    let scene = Scene::idle().await;
    let mut test = test_of(&scene.target, 5);
    test.declared = None;
    test.scenario = "other".into();
    let (failure, _) = scene.refusal_of(test).await;
    assert!(failure.contains("scenario `other` is unknown"), "{failure}");
}

/// A coordinator that accepts and drops is no better than one that does not listen.
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_do_not_last_are_dialled_less_and_less_often() {
    let coordinator = FakeCoordinator::start().await;
    let agent = coordinator.agent();
    for _ in 0..3 {
        drop(coordinator.accept().await);
    }
    let fourth = coordinator.accept().await;
    // Before the drop, because the agent may notice it before this thread continues.
    let dropped = std::time::Instant::now();
    drop(fourth);
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

/// The agent ends with its run, and not before the last of it is acknowledged, however often the connection breaks.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_of_one_run_ends_when_all_of_it_is_acknowledged() {
    let once = Stay {
        once: true,
        idle_timeout: None,
    };
    let mut scene = Scene::with_agent_that(FakeCoordinator::start().await, once).await;
    scene.start_run(2).await;
    let mut saved = Saved::default();
    while saved.end.is_none() {
        let snapshot = scene.connection.next_snapshot().await.unwrap();
        saved.save(&snapshot);
        // Of the last snapshot the agent does not learn that it was saved.
        if saved.end.is_none() {
            scene.connection.acknowledge(&snapshot).await;
        }
    }
    assert_eq!(
        scene.reconnect().await,
        [RUN],
        "it holds what is not acknowledged"
    );
    let last = scene.connection.next_snapshot().await.unwrap();
    assert!(last.end.is_some());
    scene.connection.acknowledge(&last).await;
    let ended = scene.agent.ended().await;
    assert!(ended.is_ok(), "{ended:?}");
    assert_eq!(saved.requests, scene.target.hits());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_of_one_run_says_that_the_run_was_stopped() {
    let once = Stay {
        once: true,
        idle_timeout: None,
    };
    let mut scene = Scene::with_agent_that(FakeCoordinator::start().await, once).await;
    scene.start_run(600).await;
    let stop = ToAgent::Stop { run_id: RUN.into() };
    scene.connection.say(&stop).await;
    scene.connection.receive_to_end(&mut Saved::default()).await;
    let ended = scene.agent.ended().await.unwrap_err();
    assert!(matches!(ended, AgentError::RunFailed(_)), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_without_runs_ends_after_its_idle_timeout() {
    let patient = Stay {
        once: false,
        idle_timeout: Some(Duration::from_secs(1)),
    };
    let coordinator = FakeCoordinator::start().await;
    let mut agent = coordinator.agent_that(patient);
    // On a busy machine it ends before it is connected.
    let staying = async {
        let _connected = coordinator.accept().await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        ended = tokio::time::timeout(PATIENCE, agent.ended()) => {
            let ended = ended.expect("it ends when it has been idle");
            assert!(ended.is_ok(), "{ended:?}");
        }
        () = staying => {}
    }
}

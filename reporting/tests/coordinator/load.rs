//! The load of a run: users changed, load shapes, stages, agents that stop it.

use std::time::Duration;

use greylag_infra::protocol::{Snapshot, ToAgent, ToCoordinator};
use greylag_infra::{
    FailureReason, LoadProfile, LoadTest, ProfileStep, RunId, RunPhase, RunTime, Stage,
};

use crate::site::*;

#[tokio::test(flavor = "multi_thread")]
async fn users_change_while_running_and_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::open(dir.path(), PATIENCE).await;
    let mut agent = FakeAgent::join(&site.url, hello("a", &[])).await;
    let unknown = site
        .coordinator
        .change_users(&"nosuchrun".into(), 5, Duration::ZERO)
        .await;
    let refusal = unknown.unwrap_err().to_string();
    assert!(
        refusal.contains("run `nosuchrun` was not found"),
        "{refusal}"
    );
    let run_id = begin(&site, &mut agent).await;
    let too_many = site
        .coordinator
        .change_users(&run_id, 2_000_000, Duration::ZERO);
    let refusal = too_many.await.unwrap_err().to_string();
    assert!(refusal.contains("between 0 and 1000000"), "{refusal}");

    let over = Duration::from_secs(2);
    let changed = site.coordinator.change_users(&run_id, 25, over).await;
    changed.unwrap();
    let Some(ToAgent::Profile { profile, .. }) = agent.receive().await else {
        panic!("the agent should hear of the change");
    };
    let last = *profile.steps.last().unwrap();
    assert_eq!((last.users, last.over_us), (25, 2_000_000));
    assert_eq!(site.run(&run_id).await.profile, *profile, "saved");
    assert!(
        texts(&site, &run_id)
            .await
            .contains(&"changing to 25 users over 2s, as requested".to_owned())
    );
    drop(agent);
    site.close().await;

    let site = Site::open(dir.path(), PATIENCE).await;
    let mut agent = FakeAgent::join(&site.url, hello("a", &[&run_id])).await;
    let Some(ToAgent::Start { profile: sent, .. }) = agent.receive().await else {
        panic!("the agent should be asked to continue");
    };
    assert_eq!(sent, profile, "with the change");
    assert_eq!(agent.snapshot(last_one(&run_id)).await, ack(&run_id, 1));
    assert_eq!(site.until_over(&run_id).await, RunPhase::Finished);
    let over = site.coordinator.change_users(&run_id, 1, Duration::ZERO);
    let refusal = over.await.unwrap_err().to_string();
    assert!(refusal.contains("over (Finished)"), "{refusal}");
    site.close().await;
}

fn last_one(run_id: &RunId) -> Snapshot {
    last(run_id, 1, 0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_shape_of_the_scenario_rules() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::open(dir.path(), PATIENCE).await;
    let mut hello = hello("a", &[]);
    hello.scenarios[0].has_shape = true;
    let mut agent = FakeAgent::join(&site.url, hello).await;
    let test = LoadTest {
        users: 0,
        duration_s: 0,
        ..load_test()
    };
    let run = site.coordinator.start_run(test).await.unwrap();
    assert!(matches!(agent.receive().await, Some(ToAgent::Prepare(_))));
    let shape = LoadProfile {
        steps: vec![ProfileStep {
            at: RunTime::ZERO,
            users: 40,
            over_us: 0,
        }],
        rates: Vec::new(),
        ends_at: RunTime::of_second(90),
        ..LoadProfile::default()
    };
    agent
        .send(&ToCoordinator::Ready {
            run_id: run.id.clone(),
            shape: Some(shape.clone()),
            set_up_data: None,
        })
        .await;
    let Some(ToAgent::Start { profile, .. }) = agent.receive().await else {
        panic!("the agent should be asked to start");
    };
    assert_eq!(*profile, shape);
    let saved = site.run(&run.id).await;
    assert_eq!(
        (saved.test.users, saved.test.duration_s, saved.profile),
        (40, 90, shape)
    );
    site.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_stops_its_load_stops_it_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::open(dir.path(), PATIENCE).await;
    let mut first = FakeAgent::join(&site.url, hello("a", &[])).await;
    let mut second = FakeAgent::join(&site.url, hello("b", &[])).await;
    let test = LoadTest {
        workers: 2,
        ..load_test()
    };
    let run_id = site.coordinator.start_run(test).await.unwrap().id;
    for agent in [&mut first, &mut second] {
        assert!(matches!(agent.receive().await, Some(ToAgent::Prepare(_))));
        agent
            .send(&ToCoordinator::Ready {
                run_id: run_id.clone(),
                shape: None,
                set_up_data: None,
            })
            .await;
    }
    for agent in [&mut first, &mut second] {
        assert!(matches!(agent.receive().await, Some(ToAgent::Start { .. })));
    }
    let failing = Snapshot {
        failing: Some("the test data ran out".into()),
        ..snapshot(&run_id, 1, 3)
    };
    first
        .send(&ToCoordinator::Snapshot(Box::new(failing)))
        .await;
    let stop = ToAgent::Stop {
        run_id: run_id.clone(),
    };
    assert_eq!(second.receive().await, Some(stop));
    assert_eq!(requests(&site, &run_id).await, 3, "saved before");
    // Its own stop and the acknowledgement come in either order.
    assert!(first.receive().await.is_some() && first.receive().await.is_some());
    assert_eq!(first.snapshot(last(&run_id, 2, 3)).await, ack(&run_id, 2));
    assert_eq!(second.snapshot(last(&run_id, 1, 0)).await, ack(&run_id, 1));
    assert_eq!(
        site.until_over(&run_id).await,
        RunPhase::Failed(FailureReason::other("the test data ran out"))
    );
    site.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stages_are_kept_as_what_they_come_to_and_misfits_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::open(dir.path(), PATIENCE).await;
    let _agent = FakeAgent::join(&site.url, hello("a", &[])).await;
    let mut test = load_test();
    test.options.insert("colour".into(), "blue".into());
    let refusal = site.coordinator.start_run(test).await.unwrap_err();
    assert!(
        refusal.to_string().contains("no option `colour`"),
        "{refusal}"
    );
    let stage = |users, duration_s| Stage {
        users: Some(users),
        duration_s,
        ..Stage::default()
    };
    let test = LoadTest {
        stages: vec![stage(5, 20), stage(30, 40)],
        ..load_test()
    };
    let run = site.coordinator.start_run(test).await.unwrap();
    let saved = site.run(&run.id).await;
    assert_eq!((saved.test.users, saved.test.duration_s), (30, 60));
    assert_eq!(
        saved.profile.users_at(RunTime::of_second(20).just_before()),
        5
    );
    assert_eq!(saved.profile.users_at(RunTime::of_second(20)), 30);
    site.close().await;
}

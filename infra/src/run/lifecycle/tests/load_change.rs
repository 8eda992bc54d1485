use super::*;
use crate::profile::FinishedEarly;

#[test]
fn users_change_while_running_and_who_returns_hears_of_it() {
    let mut run = running();
    let started = run.record().started_at.unwrap();
    let now = started + Duration::from_secs(10);
    let _ = run.handle(lost("b", now), now);
    let effects = run.handle(change(25, 5_000_000), now);
    assert_eq!(
        effects[..2],
        [
            RunEffect::Log("changing to 25 users over 5s, as requested".into()),
            RunEffect::Save
        ]
    );
    assert_eq!(
        sent(&effects),
        [("a".into(), "profile"), ("b".into(), "profile")]
    );
    let profile = &run.record().profile;
    let at = RunTime::of_second(10) + CHANGE_DELAY;
    assert_eq!(profile.users_at(at.just_before()), 10);
    assert_eq!(profile.users_at(at + Duration::from_secs(5)), 25);
    let profile = profile.clone();
    let effects = run.handle(returned("b"), now + Duration::from_secs(1));
    assert!(
        effects.iter().any(|effect| matches!(effect, RunEffect::Send { message: ToAgent::Start { profile: sent, .. }, .. } if **sent == profile)),
        "{effects:?}"
    );
}

#[test]
fn a_change_before_run_time_zero_is_the_whole_profile() {
    let mut run = running();
    let _ = run.handle(change(3, 0), at(3));
    assert_eq!(run.record().profile.steps.len(), 1);
    assert_eq!(run.record().profile.users_at(RunTime::ZERO), 3);
}

#[test]
fn each_change_that_is_refused_says_why() {
    let refused = |run: &RunLifecycle, users, over_us, now| {
        run.may_change_users(users, over_us, now)
            .unwrap_err()
            .to_string()
    };
    let (mut run, _) = RunLifecycle::begin(record(&["a"]), LEASE, at(0));
    assert!(refused(&run, 1, 0, at(0)).contains("not started yet"));
    assert!(run.handle(change(1, 0), at(0)).is_empty());
    let _ = run.handle(ready("a"), at(0));
    assert_eq!(run.may_change_users(0, 0, at(1_000)), Ok(()));
    assert!(refused(&run, 2_000_000, 0, at(0)).contains("between 0 and 1000000"));
    assert!(refused(&run, 1, u64::MAX, at(0)).contains("must take at most"));
    assert!(refused(&run, 1, 0, at(61_000_000)).contains("about to end"));
    let _ = run.handle(RunEvent::StopAsked, at(5));
    assert!(refused(&run, 1, 0, at(5)).contains("is stopping"));
    let _ = run.handle(ended("a", None), at(6));
    assert!(refused(&run, 1, 0, at(7)).contains("over (Failed)"));
}

fn asks_to_finish(agent: &str, reason: &str) -> RunEvent {
    RunEvent::AgentHeard {
        agent_id: agent.into(),
        run_time: None,
        fetched_bytes: None,
        finish_asked: Some(reason.into()),
    }
}

#[test]
fn a_scenario_that_finishes_early_moves_the_planned_end() {
    let mut run = running();
    let started = run.record().started_at.unwrap();
    let now = started + Duration::from_secs(10);
    let ask = asks_to_finish("b", "all\nsold");
    let effects = run.handle(ask.clone(), now);
    let log = "finishing before the planned end, as the scenario asks: all sold";
    assert_eq!(effects[..2], [RunEffect::Log(log.into()), RunEffect::Save]);
    let everyone = [("a".into(), "profile"), ("b".into(), "profile")];
    assert_eq!(sent(&effects), everyone);
    let end = RunTime::of_second(10) + CHANGE_DELAY;
    let profile = &run.record().profile;
    assert_eq!(profile.ends_at, end);
    let early = FinishedEarly {
        planned_end: RunTime::of_second(60),
        reason: "all sold".to_owned(),
    };
    assert_eq!(profile.finished_early, Some(early));
    assert_eq!(profile.as_planned().ends_at, RunTime::of_second(60));
    assert_eq!(run.record().duration_s(), 11);
    // The next pings say it again, and another agent finishes for a reason of its own.
    for (agent, later_ms) in [("b", 1_000), ("a", 1_100)] {
        let now = now + Duration::from_millis(later_ms);
        assert!(run.handle(asks_to_finish(agent, "more"), now).is_empty());
    }
    let refused = run.may_change_users(1, 0, now).unwrap_err();
    assert!(refused.to_string().contains("about to end"), "{refused}");
    for agent in ["a", "b"] {
        let _ = run.handle(ended(agent, None), now + Duration::from_secs(2));
    }
    assert_eq!(run.record().phase, RunPhase::Finished);

    let mut run = running();
    let _ = run.handle(asks_to_finish("a", " \n"), now);
    let early = run.record().profile.finished_early.as_ref().unwrap();
    assert_eq!(early.reason, "no reason given");

    // An agent that does not end then is late from that end on, and not from the end that was planned first.
    let mut run = running();
    let _ = run.handle(ask.clone(), now);
    let late = now + CHANGE_DELAY + run.stop_timeout() + END_GRACE + LEASE;
    let _ = run.handle(RunEvent::Tick, late);
    assert!(matches!(run.record().phase, RunPhase::Failing(_)));
}

#[test]
fn only_an_agent_of_a_run_in_progress_can_finish_it() {
    let (mut run, _) = RunLifecycle::begin(record(&["a"]), LEASE, at(0));
    let ask = asks_to_finish("a", "too early");
    assert!(run.handle(ask.clone(), at(0)).is_empty());
    let _ = run.handle(ready("a"), at(0));
    assert!(
        run.handle(asks_to_finish("c", "not mine"), at(5))
            .is_empty()
    );
    // It waits for run time zero.
    assert!(run.handle(ask.clone(), at(6)).is_empty());
    let _ = run.handle(RunEvent::StopAsked, at(6));
    assert!(run.handle(ask.clone(), at(7)).is_empty());
    assert!(matches!(run.record().phase, RunPhase::Failing(_)));

    // A coordinator that was restarted waits until it knows the run time.
    let unfinished = UnfinishedRun {
        record: running().record().clone(),
        set_up_data: None,
        saved: RunTime::of_second(20),
    };
    let (mut run, _) = RunLifecycle::recover(unfinished, LEASE, at(20_000_000));
    assert!(run.handle(ask.clone(), at(20_000_000)).is_empty());
    let _ = run.handle(returned("a"), at(20_000_000));
    let known = RunEvent::AgentHeard {
        agent_id: "a".into(),
        run_time: Some(RunTime::of_second(21)),
        fetched_bytes: None,
        finish_asked: Some("now".into()),
    };
    let effects = run.handle(known, at(21_000_000));
    assert!(effects.contains(&RunEffect::Save), "{effects:?}");
    assert!(run.record().profile.ends_at < RunTime::of_second(22));
}

/// As `record`, but worker 0 is agent b's.
fn record_for_shapes() -> RunRecord {
    let mut record = record(&["a", "b"]);
    record.agents[0].workers = vec![1];
    record
}

#[test]
fn the_load_shape_of_worker_0_rules_and_is_saved_before_the_start() {
    let mut without_duration = record_for_shapes();
    without_duration.test.duration_s = 0;
    for (record, ends_at_s) in [(record_for_shapes(), 60), (without_duration, 90)] {
        let (mut run, _) = RunLifecycle::begin(record, LEASE, at(0));
        assert!(run.handle(shaped("a", shape(99, 99)), at(1)).is_empty());
        let effects = run.handle(shaped("b", shape(50, 90)), at(2));
        let Some(RunEffect::Send {
            message: ToAgent::Start { profile, .. },
            ..
        }) = effects.last()
        else {
            panic!("the run should start: {effects:?}");
        };
        assert!(effects.contains(&RunEffect::Save));
        assert_eq!(**profile, shape(50, ends_at_s), "cut at the duration");
        let test = &run.record().test;
        assert_eq!((test.users, test.duration_s), (50, ends_at_s));
        assert_eq!(run.record().profile, **profile);
        let _ = run.handle(RunEvent::Tick, at(60_000_000));
        assert_eq!(run.record().phase, RunPhase::Running);
    }
}

#[test]
fn a_test_with_stages_takes_no_shape() {
    let mut record = record_for_shapes();
    record.test.stages = vec![crate::Stage::default()];
    let before = record.profile.clone();
    let (mut run, _) = RunLifecycle::begin(record, LEASE, at(0));
    assert!(run.handle(shaped("b", shape(50, 90)), at(2)).is_empty());
    assert_eq!(run.record().profile, before);
}

#[test]
fn a_shape_that_cannot_be_run_fails_the_run() {
    for (shape, words) in [
        (shape(0, 90), "never asks for a user"),
        (shape(5, 0), "ends after 0 s"),
        (shape(3, 90), "4 workers but only 3 users"),
    ] {
        let (mut run, _) = RunLifecycle::begin(record_for_shapes(), LEASE, at(0));
        let _ = run.handle(shaped("b", shape), at(2));
        let reason = run
            .record()
            .phase
            .failure_reason()
            .map(ToString::to_string)
            .unwrap_or_default();
        assert!(reason.contains(words), "{reason:?}: {words:?}");
    }
}

//! Restarts of the coordinator under a clock that was set meanwhile, and of agents.

use super::*;

const SECOND_US: u64 = 1_000_000;

fn heard(agent: &str, run_time: u64) -> RunEvent {
    RunEvent::AgentHeard {
        agent_id: agent.into(),
        run_time: Some(RunTime::from_micros(run_time)),
        fetched_bytes: None,
        finish_asked: None,
    }
}

/// A run of 60 s with results of its first 20 s, taken up at this time of the new coordinator's clock.
fn taken_up(now: WallTime) -> RunLifecycle {
    let unfinished = UnfinishedRun {
        record: running().record().clone(),
        set_up_data: None,
        saved: RunTime::of_second(20),
    };
    RunLifecycle::recover(unfinished, LEASE, now).0
}

proptest! {
    /// Wherever the clock is after the restart: the elapsed time is the agents', the run is given the time it
    /// needs, and no more than that once an agent has reported where it stands.
    #[test]
    fn no_step_of_the_clock_is_felt(now in 0u64..4_000 * SECOND_US, behind in 0u64..5 * SECOND_US) {
        let mut run = taken_up(at(now));
        let at_first = run.record().elapsed_s(at(now));
        prop_assert!(at_first >= 20.0 || now < 20 * SECOND_US, "{at_first}");
        let run_time = 20 * SECOND_US + behind;
        let now = now.max(run_time);
        let _ = run.handle(returned("a"), at(now));
        let _ = run.handle(returned("b"), at(now));
        let _ = run.handle(heard("a", run_time), at(now));
        let off = run.record().elapsed_s(at(now)) - run_time as f64 / 1e6;
        prop_assert!(off.abs() <= 0.5, "{off}");
        let end = now + (60 * SECOND_US - run_time) + 10 * SECOND_US;
        let _ = run.handle(RunEvent::Tick, at(end - SECOND_US) + END_GRACE);
        prop_assert_eq!(&run.record().phase, &RunPhase::Running);
        let _ = run.handle(RunEvent::Tick, at(end + SECOND_US) + END_GRACE);
        let reason = run.record().phase.failure_reason().map(ToString::to_string).unwrap_or_default();
        prop_assert!(reason.contains("did not report the end"), "{}", reason);
    }
}

#[test]
fn a_run_whose_agents_are_silent_has_the_time_it_may_still_need() {
    let mut run = taken_up(at(3_600 * SECOND_US));
    for agent in ["a", "b"] {
        let _ = run.handle(returned(agent), at(3_600 * SECOND_US));
    }
    let _ = run.handle(RunEvent::Tick, at(3_600 * SECOND_US + 50 * SECOND_US));
    assert_eq!(run.record().phase, RunPhase::Running);
}

#[test]
fn only_the_first_agent_of_the_run_says_where_it_stands() {
    let now = at(3_600 * SECOND_US);
    let mut run = taken_up(now);
    let _ = run.handle(heard("stranger", 1), now);
    let _ = run.handle(heard("b", 30 * SECOND_US), now);
    let effects = run.handle(heard("a", 1), now);
    assert!(effects.is_empty());
    assert_eq!(run.record().elapsed_s(now), 30.0);
}

#[test]
fn a_clock_that_was_left_alone_moves_nothing() {
    let mut run = taken_up(at(25 * SECOND_US));
    let started = run.record().started_at;
    let effects = run.handle(heard("a", 25 * SECOND_US - 200_000), at(25 * SECOND_US));
    assert!(effects.is_empty(), "{effects:?}");
    assert_eq!(run.record().started_at, started);
}

#[test]
fn an_agent_that_comes_as_a_new_process_fails_the_run_at_once() {
    let restarted = RunEvent::AgentRestarted {
        agent_id: "a".into(),
    };
    let mut run = running();
    let _ = run.handle(lost("a", at(10)), at(10));
    let effects = run.handle(restarted, at(11));
    assert_eq!(sent(&effects), [("b".into(), "stop")]);
    let reason = run.record().phase.failure_reason().unwrap().to_string();
    assert!(
        reason.contains("agent-a") && reason.contains("restarted"),
        "{reason}"
    );
    let _ = run.handle(ended("b", None), at(12));
    assert!(run.record().phase.is_over());
}

#[test]
fn an_impossible_run_time_is_not_believed() {
    let now = at(3_600 * SECOND_US);
    let mut run = taken_up(now);
    let started = run.record().started_at;
    assert!(run.handle(heard("a", u64::MAX), now).is_empty());
    assert_eq!(run.record().started_at, started);
    let _ = run.handle(heard("b", 30 * SECOND_US), now);
    assert_eq!(run.record().elapsed_s(now), 30.0, "the next one is asked");
}

#[test]
fn users_do_not_change_until_it_is_known_where_the_run_stands() {
    let now = at(3_600 * SECOND_US);
    let mut run = taken_up(now);
    let refused = run.may_change_users(5, 0, now).unwrap_err().to_string();
    assert!(refused.contains("was restarted"), "{refused}");
    let _ = run.handle(heard("a", 30 * SECOND_US), now);
    assert_eq!(run.may_change_users(5, 0, now), Ok(()));
}

#[test]
fn a_new_process_takes_the_place_of_one_whose_connection_still_seems_to_be_there() {
    let mut run = running();
    let restarted = RunEvent::AgentRestarted {
        agent_id: "a".into(),
    };
    let effects = run.handle(restarted.clone(), at(9));
    assert_eq!(sent(&effects), [("b".into(), "stop")]);
    assert!(!run.record().completeness.is_complete());
    let _ = run.handle(ended("b", None), at(12));
    assert!(run.record().phase.is_over());
    assert!(run.handle(restarted, at(13)).is_empty());
}

//! Thresholds that stop the run when they have been breached for some time.

use super::*;

pub(super) fn breached() -> RunEvent {
    RunEvent::ThresholdBreached {
        threshold: "p95 < 1s abort after 15s".into(),
        since_s: 41,
    }
}

#[test]
fn a_breached_threshold_stops_the_load_while_it_is_on() {
    let mut run = running();
    let effects = run.handle(breached(), at(5));
    assert!(effects.contains(&RunEffect::Save), "{effects:?}");
    assert_eq!(sent(&effects), [("a".into(), "stop"), ("b".into(), "stop")]);
    assert_eq!(run.handle(breached(), at(5)), [], "it is stopped once");
    let _ = run.handle(ended("a", None), at(6));
    let _ = run.handle(ended("b", None), at(7));
    let reason = FailureReason::ThresholdBreached {
        threshold: "p95 < 1s abort after 15s".into(),
        since_s: 41,
    };
    assert_eq!(run.record().phase, RunPhase::Failed(reason));

    let (mut preparing, _) = RunLifecycle::begin(record(&["a"]), LEASE, at(0));
    assert_eq!(preparing.handle(breached(), at(1)), []);
    assert_eq!(preparing.record().phase, RunPhase::Preparing);
}

#[test]
fn until_when_the_load_was_whole_is_kept_of_a_run_that_is_stopped() {
    let after = |event: RunEvent, micros: u64| {
        let mut run = running();
        let started = run.record().started_at.expect("it is running");
        for agent in ["a", "b"] {
            let saved = RunEvent::ResultsSaved {
                agent_id: agent.into(),
                until: Some(20),
            };
            let _ = run.handle(saved, started + Duration::from_secs(22));
        }
        let _ = run.handle(event, started + Duration::from_micros(micros));
        run.record().completeness.load_whole_until
    };
    let failing = || RunEvent::AgentFailing {
        agent_id: "a".into(),
        reason: FailureReason::other("no stock left"),
    };
    let stopped = after(RunEvent::StopAsked, 30_200_000);
    assert_eq!(stopped, Some(RunTime::from_micros(30_200_000)));
    assert_eq!(
        after(breached(), 30_200_000),
        Some(RunTime::from_micros(30_200_000))
    );
    // It says so after it has stopped.
    assert_eq!(after(failing(), 22_500_000), Some(RunTime::of_second(20)));
    assert_eq!(after(RunEvent::StopAsked, 60_500_000), None, "it was over");
    // Who knows since when it wanted to say so.
    assert_eq!(after(failing(), 60_500_000), Some(RunTime::of_second(20)));
}

#[test]
fn an_agent_that_was_there_at_the_end_of_the_load_had_all_of_it() {
    let delivered_in_part = || {
        let mut run = running();
        let started = run.record().started_at.expect("it is running");
        for agent in ["a", "b"] {
            let saved = RunEvent::ResultsSaved {
                agent_id: agent.into(),
                until: Some(50),
            };
            let _ = run.handle(saved, started + Duration::from_secs(52));
        }
        (run, started)
    };
    let given_up = |mut run: RunLifecycle, absent_since: WallTime| {
        let tick_at = absent_since + LEASE + Duration::from_secs(1);
        let _ = run.handle(RunEvent::Tick, tick_at);
        assert_ne!(run.record().phase, RunPhase::Running);
        run.record().completeness.load_whole_until
    };
    let lost_after = |seconds: u64| {
        let (mut run, started) = delivered_in_part();
        let since = started + Duration::from_secs(seconds);
        let _ = run.handle(lost("a", since), since);
        given_up(run, since)
    };
    assert_eq!(lost_after(61), None);
    assert_eq!(lost_after(55), Some(RunTime::of_second(50)));

    // Nothing was seen of it when the coordinator came back.
    let (run, started) = delivered_in_part();
    let back = started + Duration::from_secs(61);
    let (recovered, _) = recover(run.record().clone(), None, back);
    assert_eq!(given_up(recovered, back), Some(RunTime::of_second(50)));
}

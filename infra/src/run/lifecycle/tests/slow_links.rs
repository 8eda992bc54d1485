//! Agents whose results arrive late are given time, within bounds.

use super::super::catching_up::MAX_CATCH_UP;
use super::*;

const SECOND_US: u64 = 1_000_000;

fn saved(agent: &str) -> RunEvent {
    RunEvent::ResultsSaved {
        agent_id: agent.into(),
        until: None,
    }
}

/// Results of this agent are saved every ten seconds from one time to another, and nothing else happens.
fn results_arrive(run: &mut RunLifecycle, agent: &str, from_s: u64, to_s: u64) {
    for second in (from_s..to_s).step_by(10) {
        let _ = run.handle(saved(agent), at(second * SECOND_US));
        let _ = run.handle(RunEvent::Tick, at(second * SECOND_US));
    }
}

#[test]
fn an_agent_whose_results_still_arrive_is_waited_for() {
    let mut run = running();
    results_arrive(&mut run, "a", 50, 600);
    assert_eq!(run.record().phase, RunPhase::Running);
    let _ = run.handle(ended("a", None), at(600 * SECOND_US));
    let _ = run.handle(ended("b", None), at(600 * SECOND_US));
    assert_eq!(run.record().phase, RunPhase::Finished);
}

#[test]
fn it_is_not_waited_for_when_nothing_arrives_any_more() {
    let mut run = running();
    results_arrive(&mut run, "a", 50, 300);
    let _ = run.handle(RunEvent::Tick, at(331 * SECOND_US));
    let reason = run
        .record()
        .phase
        .failure_reason()
        .map(ToString::to_string)
        .unwrap_or_default();
    assert!(reason.contains("did not report the end"), "{reason}");
}

#[test]
fn not_for_ever() {
    let mut run = running();
    let end_s = 100 + MAX_CATCH_UP.as_secs();
    results_arrive(&mut run, "a", 50, end_s + 20);
    assert!(run.record().phase.failure_reason().is_some());
}

#[test]
fn a_run_that_is_stopped_waits_for_what_arrives_too() {
    let mut run = running();
    let stop = RunEvent::StopAsked;
    let _ = run.handle(stop, at(5 * SECOND_US));
    let _ = run.handle(ended("b", None), at(6 * SECOND_US));
    results_arrive(&mut run, "a", 10, 400);
    assert!(!run.record().phase.is_over());
    let _ = run.handle(ended("a", None), at(400 * SECOND_US));
    assert!(run.record().phase.is_over());
    assert!(run.record().completeness.is_complete());
}

fn waits(agent: &str) -> RunEvent {
    RunEvent::ResultsWait {
        agent_id: agent.into(),
    }
}

#[test]
fn an_agent_whose_results_wait_here_is_neither_late_nor_lost() {
    let mut run = running();
    let _ = run.handle(ended("b", None), at(60 * SECOND_US));
    // Its connection breaks, and what it sent before waits for a store that is slow, until long after the end.
    let _ = run.handle(lost("a", at(5 * SECOND_US)), at(6 * SECOND_US));
    for second in (10..600).step_by(10) {
        let _ = run.handle(waits("a"), at(second * SECOND_US));
        let _ = run.handle(RunEvent::Tick, at(second * SECOND_US));
    }
    assert_eq!(run.record().phase, RunPhase::Running);
    let _ = run.handle(ended("a", None), at(600 * SECOND_US));
    assert_eq!(run.record().phase, RunPhase::Finished);

    let mut run = running();
    let _ = run.handle(lost("a", at(5 * SECOND_US)), at(6 * SECOND_US));
    let _ = run.handle(waits("a"), at(20 * SECOND_US));
    let _ = run.handle(RunEvent::Tick, at(20 * SECOND_US + LEASE_US));
    assert_eq!(
        run.record().phase,
        RunPhase::Running,
        "its lease begins anew"
    );
    let _ = run.handle(RunEvent::Tick, at(21 * SECOND_US + LEASE_US));
    let reason = run.record().phase.failure_reason();
    assert_eq!(reason.map(FailureReason::code), Some("agent_lost"));
}

/// The time to prepare runs from the last byte of the build that came, and ends like any other when no more comes.
#[test]
fn an_agent_that_fetches_the_build_is_waited_for() {
    const SIZE: u64 = 1_000;
    let mut record = record(&["a"]);
    record.test.build = Some(Box::new(crate::ShippedBuild {
        sha256: "a".repeat(64).parse().unwrap(),
        size: SIZE,
        version: String::new(),
        platform: String::new(),
        worker_protocol: 1,
        uploaded_by: String::new(),
        uploaded_at: at(0),
        commit: None,
        scenario: crate::ShippedScenario::default(),
        data: Vec::new(),
    }));
    let (mut run, _) = RunLifecycle::begin(record, LEASE, at(0));
    let fetched = |bytes| RunEvent::AgentHeard {
        agent_id: "a".into(),
        run_time: None,
        fetched_bytes: Some(bytes),
        finish_asked: None,
    };
    let step = PREPARE_TIMEOUT - Duration::from_secs(1);
    let mut now = at(0);
    for bytes in [0, 400, 800, SIZE] {
        now = now + step;
        let _ = run.handle(fetched(bytes), now);
        let _ = run.handle(RunEvent::Tick, now);
        assert_eq!(run.record().phase, RunPhase::Preparing, "{bytes} bytes");
    }
    // What an agent claims beyond the build's size does not count as progress, nor what it fetches again.
    now = now + Duration::from_secs(1);
    let _ = run.handle(fetched(1), now);
    now = now + PREPARE_TIMEOUT;
    let _ = run.handle(fetched(SIZE + 1), now);
    let _ = run.handle(RunEvent::Tick, now);
    assert!(matches!(run.record().phase, RunPhase::Failing(_)));
}

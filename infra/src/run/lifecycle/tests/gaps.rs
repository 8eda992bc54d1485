//! What may be missing from a run's results, and what is not any more.

use super::*;
use crate::protocol::LostWorker;
use crate::run::LATE_RESULTS;

fn saved_until(agent: &str, until: u32) -> RunEvent {
    RunEvent::ResultsSaved {
        agent_id: agent.into(),
        until: Some(until),
    }
}

#[test]
fn what_an_agent_that_was_given_up_holds_is_missing_until_it_hands_it_over() {
    let mut run = running();
    let _ = run.handle(saved_until("b", 6), at(7_000_000));
    let _ = run.handle(lost("b", at(7_100_000)), at(7_200_000));
    assert!(run.record().completeness.is_complete(), "it may come back");
    let effects = run.handle(RunEvent::Tick, at(7_200_000 + LEASE_US));
    assert!(effects.contains(&RunEffect::Save));
    let gap = Gap::of_agent("agent-b", 6, GapCause::AgentLost);
    assert_eq!(run.record().completeness.gaps().first(), Some(&gap));

    let mut late = running();
    let _ = late.handle(lost("b", at(7_100_000)), at(7_200_000));
    let _ = late.handle(RunEvent::Tick, at(7_200_000 + LEASE_US));
    assert_eq!(
        sent(&late.handle(returned("b"), at(8_000_000 + LEASE_US))),
        [("b".into(), "stop")],
        "its load ends, and it hands over what it has"
    );
    let _ = late.handle(ended("b", None), at(9_000_000 + LEASE_US));
    assert!(late.record().completeness.is_complete());

    let over_us = 40_000_000 + LEASE_US;
    let effects = run.handle(ended("a", None), at(over_us));
    assert_eq!(effects.last(), Some(&RunEffect::Over));
    assert_eq!(sent(&effects), [("b".into(), "stop")]);
    let mut record = run.record().clone();
    assert!(matches!(record.phase, RunPhase::Failed(_)));
    assert!(record.takes_late_results_of(&"b".into(), at(over_us - 1) + LATE_RESULTS));
    assert!(!record.takes_late_results_of(&"b".into(), at(over_us) + LATE_RESULTS));
    assert!(
        !record.takes_late_results_of(&"a".into(), at(over_us)),
        "it has ended"
    );
    assert!(!record.takes_late_results_of(&"stranger".into(), at(over_us)));
    assert_eq!(record.completeness.gaps(), [gap]);
    let phase = record.phase.clone();
    let RunEvent::AgentEnded { end, .. } = ended("b", None) else {
        unreachable!()
    };
    assert!(record.take_end(&"b".into(), end));
    assert!(record.completeness.is_complete());
    assert_eq!(record.phase, phase, "the status stays");
    assert!(!record.takes_late_results_of(&"b".into(), at(over_us)));
}

#[test]
fn an_agent_lost_before_the_start_has_nothing_to_hand_over() {
    let (mut run, _) = RunLifecycle::begin(record(&["a"]), LEASE, at(0));
    let _ = run.handle(lost("a", at(0)), at(0));
    let effects = run.handle(RunEvent::Tick, at(LEASE_US + 1));
    assert_eq!(sent(&effects), [("a".into(), "abandon")]);
    assert!(run.record().completeness.is_complete());
    assert!(
        !run.record()
            .takes_late_results_of(&"a".into(), at(LEASE_US + 2))
    );
}

#[test]
fn a_worker_that_was_lost_is_a_gap_once_however_often_its_end_is_read() {
    let mut run = running();
    let end = AgentEnd {
        failure: Some("worker 0 was killed".into()),
        lost_workers: [0, 7]
            .map(|worker| LostWorker {
                handed_over: false,
                worker,
                since_second: 3,
                how: "was killed by signal 9 (SIGKILL)".into(),
            })
            .into(),
        ..AgentEnd::default()
    };
    let _ = run.handle(
        RunEvent::AgentEnded {
            agent_id: "a".into(),
            end,
        },
        at(4_000_000),
    );
    let mut record = run.record().clone();
    record.follow_ends();
    assert_eq!(&record, run.record());
    let gaps = record.completeness.gaps();
    assert_eq!(gaps.len(), 1, "worker 7 is another agent's: {gaps:?}");
    assert_eq!((gaps[0].worker, gaps[0].since_second), (Some(0), 3));
}

#[test]
fn counts_that_disagree_fail_a_run_that_went_as_planned() {
    let mut run = running();
    let _ = run.handle(ended("a", None), at(61_000_000));
    let effects = run.handle(ended("b", None), at(62_000_000));
    let place = |wanted: &RunEffect| effects.iter().position(|effect| effect == wanted);
    let order = [
        RunEffect::CheckCounts,
        RunEffect::LogOutcome,
        RunEffect::Save,
    ]
    .map(|effect| place(&effect).unwrap());
    assert!(order.is_sorted(), "{effects:?}");
    assert_eq!(run.outcome(), "run finished");
    let counted = |requests| Counted {
        requests,
        failures: 0,
    };
    run.counts_disagree(counted(2), counted(1));
    assert!(!run.record().completeness.is_complete());
    assert_eq!(
        run.outcome(),
        "run failed: the agents counted 2 requests with 0 failures, but 1 with 0 are saved"
    );
}

#[test]
fn a_gap_of_a_run_that_is_failing_already_is_saved() {
    let mut run = running();
    let stop = RunEvent::StopAsked;
    let _ = run.handle(stop, at(1_000_000));
    let _ = run.handle(lost("a", at(2_000_000)), at(2_000_000));
    let effects = run.handle(RunEvent::Tick, at(2_000_001 + LEASE_US));
    assert!(!run.record().completeness.is_complete());
    assert!(effects.contains(&RunEffect::Save), "{effects:?}");
}

//! Runs that go on without what they lose.

use super::*;
use crate::load_test::OnLostAgent;
use crate::protocol::{LostWorker, WorkerFailure};
use crate::run::Loss;

const S: u64 = 1_000_000;

/// Three agents with two of six workers each, and twelve users for a minute; Running since half a second.
fn running_on(on_lost_agent: OnLostAgent) -> RunLifecycle {
    let (mut run, _) = RunLifecycle::begin(three_agents(on_lost_agent), LEASE, at(0));
    for agent in ["a", "b", "c"] {
        let _ = run.handle(ready(agent), at(0));
    }
    assert_eq!(run.record().phase, RunPhase::Running);
    run
}

fn three_agents(on_lost_agent: OnLostAgent) -> RunRecord {
    let mut record = record(&["a", "b", "c"]);
    record.test.users = 12;
    record.test.workers = 6;
    record.test.fleet.on_lost_agent = on_lost_agent;
    record.profile = record.test.profile();
    for (agent, workers) in record.agents.iter_mut().zip([[0, 3], [1, 4], [2, 5]]) {
        agent.workers = workers.into();
    }
    record
}

fn going_on() -> RunLifecycle {
    running_on(OnLostAgent::Continue)
}

pub(super) fn saved_until(agent: &str, until: u32) -> RunEvent {
    RunEvent::ResultsSaved {
        agent_id: agent.into(),
        until: Some(until),
    }
}

pub(super) fn shut_down(agent: &str) -> FailureReason {
    FailureReason::AgentShutDown {
        agent: format!("agent-{agent}"),
    }
}

pub(super) fn failing(agent: &str) -> RunEvent {
    RunEvent::AgentFailing {
        agent_id: agent.into(),
        reason: shut_down(agent),
    }
}

pub(super) fn ended_early(agent: &str, second: u32, reason: FailureReason) -> RunEvent {
    let mut end = AgentEnd {
        ended_at: RunTime::of_second(second),
        ..AgentEnd::default()
    };
    end.set_failure(reason);
    RunEvent::AgentEnded {
        agent_id: agent.into(),
        end,
    }
}

/// What loses an agent, or nearly so.
pub(super) fn any_loss() -> impl Strategy<Value = RunEvent> {
    let agent = || prop_oneof![Just("a"), Just("b"), Just("c")];
    prop_oneof![
        (agent(), 0u32..80).prop_map(|(agent, second)| ended_early(
            agent,
            second,
            shut_down(agent)
        )),
        agent().prop_map(failing),
        (agent(), 0u32..80).prop_map(|(agent, second)| saved_until(agent, second)),
        agent().prop_map(|agent| lost(agent, at(0))),
        agent().prop_map(|agent| RunEvent::AgentRestarted {
            agent_id: agent.into()
        }),
        Just(RunEvent::Tick),
    ]
}

/// Agent `b` is silent from the eleventh second on, and given up.
fn lose_b(run: &mut RunLifecycle) -> Vec<RunEffect> {
    let _ = run.handle(saved_until("b", 10), at(11 * S));
    let _ = run.handle(lost("b", at(11 * S)), at(11 * S));
    run.handle(RunEvent::Tick, at(11 * S + LEASE_US + 1))
}

fn losses(run: &RunLifecycle) -> Vec<(String, Option<u32>, u32)> {
    let losses = run.record().coverage().losses().iter();
    losses
        .map(|loss| (loss.agent.clone(), loss.worker, loss.since_second))
        .collect()
}

fn logged(effects: &[RunEffect]) -> Vec<&str> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            RunEffect::Log(text) => Some(text.as_str()),
            _ => None,
        })
        .collect()
}

#[test]
fn a_lost_agent_is_a_loss_and_a_gap_and_the_others_finish() {
    let mut run = going_on();
    let effects = lose_b(&mut run);
    assert_eq!(sent(&effects), [], "the others are left alone");
    assert!(effects.contains(&RunEffect::Save));
    assert_eq!(
        logged(&effects),
        [
            "going on with the others: agent agent-b of infrastructure lab was lost: nothing heard from it for 30 s; \
             4 of 12 users missing since 00:00:10 UTC (second 10)"
        ]
    );
    assert_eq!(run.record().phase, RunPhase::Running);
    assert_eq!(losses(&run), [("agent-b".to_owned(), None, 10)]);
    assert_eq!(run.record().missing_users().missing, 4);
    assert!(run.record().completeness.is_given_up("agent-b"));
    // Another number of users goes only to those still there.
    let effects = run.handle(change(24, 0), at(45 * S));
    assert_eq!(
        sent(&effects),
        [("a".into(), "profile"), ("c".into(), "profile")]
    );
    assert_eq!(run.record().missing_users().missing, 8);
    let _ = run.handle(ended("a", None), at(61 * S));
    let effects = run.handle(ended("c", None), at(62 * S));
    assert_eq!(run.record().phase, RunPhase::Finished);
    assert_eq!(
        sent(&effects),
        [("b".into(), "stop")],
        "should it come back"
    );
    assert_eq!(run.record().elapsed_s(at(99 * S)), 60.0);
    assert!(run.record().takes_late_results_of(&"b".into(), at(63 * S)));
}

#[test]
fn an_agent_that_was_shut_down_is_missing_since_its_last_user_ended() {
    let mut run = going_on();
    assert_eq!(sent(&run.handle(failing("b"), at(20 * S))), []);
    assert_eq!(losses(&run), [("agent-b".to_owned(), None, 19)]);
    let _ = run.handle(ended_early("b", 22, shut_down("b")), at(24 * S));
    assert_eq!(losses(&run), [("agent-b".to_owned(), None, 22)]);
    assert!(
        run.record().completeness.is_complete(),
        "it handed over all"
    );
    let _ = run.handle(ended("a", None), at(61 * S));
    let _ = run.handle(ended("c", None), at(61 * S));
    assert_eq!(run.record().phase, RunPhase::Finished);
    let remark = run.record().coverage_remark().unwrap();
    assert!(
        remark.starts_with("Partial load: 4 of 12 users missing since "),
        "{remark}"
    );
}

#[test]
fn without_any_agent_the_run_fails_with_the_last_ones_reason() {
    let mut run = going_on();
    lose_b(&mut run);
    let _ = run.handle(failing("a"), at(45 * S));
    assert_eq!(run.record().phase, RunPhase::Running);
    let effects = run.handle(failing("c"), at(46 * S));
    assert_eq!(run.record().phase, RunPhase::Failing(shut_down("c")));
    let said = logged(&effects);
    assert!(
        said.iter().all(|line| !line.contains("going on")),
        "{said:?}"
    );
    assert_eq!(losses(&run).len(), 3, "it is kept with the others");
    let _ = run.handle(ended_early("a", 46, shut_down("a")), at(47 * S));
    let _ = run.handle(ended_early("c", 46, shut_down("c")), at(47 * S));
    assert_eq!(run.record().phase, RunPhase::Failed(shut_down("c")));
}

#[test]
fn a_coordinator_that_is_restarted_knows_what_was_lost_and_does_not_wait_for_it() {
    let mut run = going_on();
    lose_b(&mut run);
    let before = run.record().clone();
    let (mut run, _) = recover(before.clone(), None, at(50 * S));
    assert_eq!(run.record().coverage(), before.coverage());
    let _ = run.handle(returned("a"), at(51 * S));
    let _ = run.handle(returned("c"), at(51 * S));
    let _ = run.handle(ended("a", None), at(61 * S));
    let _ = run.handle(ended("c", None), at(61 * S));
    assert_eq!(run.record().phase, RunPhase::Finished);
    assert_eq!(run.record().completeness.gaps(), before.completeness.gaps());
    assert_eq!(run.record().coverage(), before.coverage());
}

#[test]
fn an_end_that_was_saved_just_before_a_restart_is_a_loss() {
    let mut saved = going_on().record().clone();
    let RunEvent::AgentEnded { end, .. } = ended_early("b", 9, shut_down("b")) else {
        unreachable!()
    };
    saved.agents[1].end = Some(end);
    let (run, effects) = recover(saved, None, at(10 * S));
    assert_eq!(run.record().phase, RunPhase::Running);
    assert_eq!(losses(&run), [("agent-b".to_owned(), None, 9)]);
    assert!(effects.contains(&RunEffect::Save));
}

#[test]
fn a_lost_agent_that_comes_back_hands_over_what_it_counted_and_says_until_when() {
    let mut run = going_on();
    lose_b(&mut run);
    assert_eq!(
        sent(&run.handle(returned("b"), at(50 * S))),
        [("b".into(), "stop")]
    );
    let silent = FailureReason::CoordinatorSilent {
        agent: "agent-b".into(),
        silent_ms: 30_000,
    };
    let _ = run.handle(
        RunEvent::AgentFailing {
            agent_id: "b".into(),
            reason: silent.clone(),
        },
        at(50 * S),
    );
    let _ = run.handle(ended_early("b", 41, silent), at(51 * S));
    assert_eq!(run.record().phase, RunPhase::Running);
    assert!(run.record().completeness.is_complete());
    assert_eq!(losses(&run), [("agent-b".to_owned(), None, 41)]);
}

pub(super) fn lost_worker(worker: u32, since_second: u32, handed_over: bool) -> LostWorker {
    LostWorker {
        worker,
        since_second,
        handed_over,
        how: "was killed by signal 9 (SIGKILL)".into(),
    }
}

pub(super) fn workers_lost(agent: &str, workers: &[LostWorker]) -> RunEvent {
    RunEvent::WorkersLost {
        agent_id: agent.into(),
        workers: workers.into(),
    }
}

#[test]
fn lost_workers_are_known_once_however_often_they_are_said() {
    let mut run = going_on();
    // Worker 0 is another agent's.
    let said = [
        lost_worker(1, 7, false),
        lost_worker(4, 9, true),
        lost_worker(0, 1, false),
    ];
    let effects = run.handle(workers_lost("b", &said), at(12 * S));
    assert!(effects.contains(&RunEffect::Save) && logged(&effects).len() == 2);
    assert_eq!(run.handle(workers_lost("b", &said), at(13 * S)), []);
    let both = [
        ("agent-b".to_owned(), Some(1), 7),
        ("agent-b".to_owned(), Some(4), 9),
    ];
    assert_eq!(losses(&run), both);
    let gaps = run.record().completeness.gaps();
    assert_eq!(gaps.len(), 1, "of what was handed over none: {gaps:?}");
    assert_eq!((gaps[0].worker, gaps[0].since_second), (Some(1), 7));
    let RunEvent::AgentEnded { agent_id, mut end } = ended("b", None) else {
        unreachable!()
    };
    end.lost_workers = said.into();
    let _ = run.handle(RunEvent::AgentEnded { agent_id, end }, at(61 * S));
    assert_eq!(losses(&run), both);
    let message = run.record().losses()[0].0.reason.to_string();
    assert_eq!(
        message,
        "worker 1 on agent agent-b was killed by signal 9 (SIGKILL)"
    );

    let mut failing = running_on(OnLostAgent::Fail);
    assert_eq!(
        failing.handle(workers_lost("b", &[lost_worker(1, 7, false)]), at(12 * S)),
        []
    );
}

#[test]
fn what_is_lost_before_the_load_begins_fails_the_run_and_says_why() {
    let record = three_agents(OnLostAgent::Continue);
    let (mut run, _) = RunLifecycle::begin(record, LEASE, at(0));
    let _ = run.handle(ready("a"), at(1));
    let effects = run.handle(failing("b"), at(2));
    assert!(matches!(run.record().phase, RunPhase::Failing(_)));
    assert!(run.record().coverage().is_full());
    let said = logged(&effects);
    assert!(
        said.iter()
            .any(|line| line.contains("the load has not begun")),
        "{said:?}"
    );
}

#[test]
fn an_agent_that_does_not_report_its_end_is_left_behind() {
    let mut run = going_on();
    for agent in ["a", "b"] {
        let _ = run.handle(saved_until(agent, 60), at(61 * S));
    }
    let _ = run.handle(ended("a", None), at(61 * S));
    let _ = run.handle(saved_until("c", 31), at(61 * S));
    let late = at(61 * S) + run.stop_timeout() + 2 * END_GRACE;
    let _ = run.handle(lost("b", late), late);
    let _ = run.handle(RunEvent::Tick, late);
    assert_eq!(run.record().phase, RunPhase::Finished);
    assert_eq!(
        losses(&run),
        [("agent-c".to_owned(), None, 31)],
        "b had all of its load"
    );
    assert_eq!(
        run.record().completeness.gaps().len(),
        2,
        "of both the end is missing"
    );
}

#[test]
fn an_agent_that_is_there_after_all_of_its_load_and_does_not_end_fails_the_run() {
    let mut run = going_on();
    for agent in ["a", "b", "c"] {
        let _ = run.handle(saved_until(agent, 60), at(61 * S));
    }
    for agent in ["a", "c"] {
        let _ = run.handle(ended(agent, None), at(61 * S));
    }
    let late = at(61 * S) + run.stop_timeout() + 2 * END_GRACE;
    let _ = run.handle(RunEvent::Tick, late);
    let agents = vec!["agent-b".to_owned()];
    let reason = FailureReason::AgentsDidNotEnd { agents };
    assert_eq!(run.record().phase, RunPhase::Failing(reason));
    assert!(run.record().coverage().is_full());
}

#[test]
fn a_worker_that_dies_after_the_load_is_a_gap_and_no_loss() {
    let mut run = going_on();
    let said = [lost_worker(1, 60, false), lost_worker(4, 59, false)];
    let effects = run.handle(workers_lost("b", &said[..1]), at(62 * S));
    assert_eq!(logged(&effects), [""; 0]);
    assert!(run.record().coverage().is_full());
    assert_eq!(run.record().completeness.gaps().len(), 1);
    let _ = run.handle(workers_lost("b", &said), at(62 * S));
    assert_eq!(losses(&run), [("agent-b".to_owned(), Some(4), 59)]);
    assert_eq!(run.record().completeness.gaps().len(), 2);
}

#[test]
fn what_an_agent_lost_before_it_was_lost_itself_is_kept() {
    let mut run = going_on();
    lose_b(&mut run);
    let said = [lost_worker(1, 7, true), lost_worker(4, 10, true)];
    let _ = run.handle(workers_lost("b", &said), at(50 * S));
    let both = [
        ("agent-b".to_owned(), None, 10),
        ("agent-b".to_owned(), Some(1), 7),
    ];
    assert_eq!(losses(&run), both);
    assert_eq!(run.record().missing_users().missing, 4);
}

/// What agents of earlier versions say of their workers ends their whole part, and of the earliest only a text is known.
#[test]
fn an_agent_that_stops_with_its_worker_is_lost_and_what_is_not_a_loss_fails_the_run() {
    let worker = |failure| FailureReason::Worker {
        agent: "agent-b".into(),
        worker: 1,
        failure,
    };
    let died = worker(WorkerFailure::Exited {
        how: "was killed by signal 9 (SIGKILL)".into(),
    });
    let mut run = going_on();
    let _ = run.handle(ended_early("b", 8, died), at(9 * S));
    assert_eq!(run.record().phase, RunPhase::Running);
    assert_eq!(losses(&run), [("agent-b".to_owned(), None, 8)]);
    for reason in [
        FailureReason::other("worker 1 was killed by signal 9"),
        FailureReason::StoppedByScenario {
            text: String::new(),
        },
        worker(WorkerFailure::InvalidResults {
            problem: "a histogram".into(),
        }),
    ] {
        let mut run = going_on();
        let _ = run.handle(
            RunEvent::AgentFailing {
                agent_id: "b".into(),
                reason: reason.clone(),
            },
            at(9 * S),
        );
        assert_eq!(run.record().phase, RunPhase::Failing(reason));
    }
}

#[test]
fn a_loss_is_kept_as_it_is() {
    let mut run = going_on();
    lose_b(&mut run);
    let json = serde_json::to_string(run.record()).unwrap();
    let read: RunRecord = serde_json::from_str(&json).unwrap();
    assert_eq!(&read, run.record());
    let loss: Vec<&Loss> = read.coverage().losses().iter().collect();
    assert_eq!(loss[0].reason.code(), "agent_lost");
}

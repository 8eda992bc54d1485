use super::*;
use crate::base::StartTerms;
use crate::load_test::{AgentCount, Fleet};
use crate::run::{WaitReason, Waiting};

const TIMEOUT_US: u64 = 60_000_000;

/// A run that waits for three agents, of which one is there.
pub(super) fn waiting() -> RunRecord {
    let mut record = record(&[]);
    record.test = LoadTest {
        fleet: Fleet {
            on_lost_agent: OnLostAgent::default(),
            agents: AgentCount::new(3, 3).unwrap(),
            agents_timeout_s: TIMEOUT_US / 1_000_000,
            share: false,
        },
        ..record
            .test
            .with_workers(crate::load_test::WorkerCount::Auto)
    };
    record.phase = phase(missing(1));
    record
}

pub(super) fn missing(free: u32) -> WaitReason {
    WaitReason::Agents {
        most: None,
        free,
        least: 3,
        machines: None,
    }
}

pub(super) fn busy() -> WaitReason {
    WaitReason::Busy {
        test: "t".into(),
        number: 1,
        ahead: 0,
    }
}

fn phase(reason: WaitReason) -> RunPhase {
    let terms = StartTerms::default();
    Waiting { reason, terms }.phase()
}

pub(super) fn chosen() -> RunEvent {
    let mut agents = record(&["a", "b", "c"]).agents;
    for (index, agent) in (0..).zip(&mut agents) {
        agent.workers = vec![index];
    }
    RunEvent::AgentsChosen(agents)
}

#[test]
fn a_run_that_waits_sends_nothing_until_it_has_its_agents() {
    let mut queued = waiting();
    queued.phase = phase(busy());
    let (mut run, effects) = RunLifecycle::wait(queued, LEASE, at(0));
    let log = "Queued: #1 of t has these agents".to_owned();
    assert_eq!(effects, [RunEffect::Log(log)]);
    assert!(run.handle(RunEvent::Waits(busy()), at(1)).is_empty());
    // However long the other takes.
    let late = at(100 * TIMEOUT_US);
    assert!(run.handle(RunEvent::Tick, late).is_empty());

    let effects = run.handle(RunEvent::Waits(missing(1)), late);
    assert_eq!(effects[0], RunEffect::Save);
    assert_eq!(run.record().phase.word(), "Provisioning");
    let effects = run.handle(chosen(), late);
    assert_eq!(effects[0], RunEffect::Save, "saved before anything is sent");
    let prepare = |name: &str| (AgentId::from(name), "prepare");
    assert_eq!(sent(&effects), ["a", "b", "c"].map(prepare));
    assert_eq!(run.record().phase, RunPhase::Preparing);
    assert_eq!(run.record().test.workers, 3, "the number that it became");
    assert!(run.handle(chosen(), late).is_empty(), "only once");
    for agent in ["a", "b", "c"] {
        let _ = run.handle(ready(agent), late);
    }
    assert_eq!(run.record().phase, RunPhase::Running);
}

#[test]
fn a_run_that_is_stopped_while_it_waits_never_begins() {
    for reason in [busy(), missing(2)] {
        let mut record = waiting();
        record.phase = phase(reason);
        let (mut run, _) = RunLifecycle::wait(record, LEASE, at(0));
        assert_eq!(run.may_stop(), Ok(()));
        let effects = run.handle(RunEvent::StopAsked, at(1));
        let stopped = RunPhase::Failed(FailureReason::StoppedByUser);
        assert_eq!(run.record().phase, stopped);
        assert_eq!(effects.last(), Some(&RunEffect::Over));
        assert_eq!(sent(&effects), []);
        assert!(run.handle(chosen(), at(2)).is_empty());
    }
}

#[test]
fn agents_that_do_not_come_in_time_fail_the_run_and_are_counted() {
    let (mut run, _) = RunLifecycle::wait(waiting(), LEASE, at(0));
    let _ = run.handle(RunEvent::Waits(missing(2)), at(1));
    assert!(run.handle(RunEvent::Tick, at(TIMEOUT_US)).is_empty());
    let effects = run.handle(RunEvent::Tick, at(TIMEOUT_US + 1));
    assert_eq!(effects.last(), Some(&RunEffect::Over));
    let reason = run.record().phase.failure_reason().unwrap().to_string();
    let words = "2 of 3 agents of infrastructure lab were connected and free within 60 s";
    assert_eq!(reason, words);
}

#[test]
fn a_run_that_has_the_least_number_of_agents_does_not_fail_while_more_may_come() {
    let (mut run, _) = RunLifecycle::wait(waiting(), LEASE, at(0));
    let _ = run.handle(RunEvent::Waits(missing(3)), at(1));
    assert!(run.handle(RunEvent::Tick, at(2 * TIMEOUT_US)).is_empty());
    let _ = run.handle(chosen(), at(2 * TIMEOUT_US));
    assert_eq!(run.record().phase, RunPhase::Preparing);
}

#[test]
fn a_run_whose_machines_are_refused_fails_with_the_reason() {
    let (mut run, _) = RunLifecycle::wait(waiting(), LEASE, at(0));
    let problem = "up ended with exit code 3".to_owned();
    let _ = run.handle(
        RunEvent::MachinesRefused {
            problem: problem.clone(),
        },
        at(1),
    );
    let infrastructure = "lab".to_owned();
    let failed = RunPhase::Failed(FailureReason::MachinesRefused {
        infrastructure,
        problem,
    });
    assert_eq!(run.record().phase, failed);
}

#[test]
fn a_run_that_has_begun_says_that_machines_are_refused_and_goes_on() {
    let (mut run, _) = RunLifecycle::begin(record(&["a"]), LEASE, at(0));
    let problem = "up did not end".to_owned();
    let effects = run.handle(RunEvent::MachinesRefused { problem }, at(1));
    let [RunEffect::Log(line)] = effects.as_slice() else {
        panic!("{effects:?}");
    };
    assert!(line.ends_with("up did not end; the run goes on with the agents that it has"));
    assert!(!run.record().phase.is_over());
}

#[test]
fn what_becomes_of_machines_is_said_while_it_waits_and_when_they_do_not_come() {
    let (mut run, _) = RunLifecycle::wait(waiting(), LEASE, at(0));
    let said = |text: &str| RunEvent::Waits(missing(2).with_machines(Some(text.to_owned())));
    let effects = run.handle(said("1 machine starting"), at(1));
    assert_eq!(effects, [RunEffect::Save]);
    assert!(run.handle(said("1 machine starting"), at(2)).is_empty());
    let waits = run.record().phase.wait_reason().unwrap();
    assert_eq!(waits, "waiting for 1 of 3 agents: 1 machine starting");
    let _ = run.handle(RunEvent::Tick, at(TIMEOUT_US + 1));
    let reason = run.record().phase.failure_reason().unwrap().to_string();
    assert!(
        reason.ends_with("within 60 s: 1 machine starting"),
        "{reason}"
    );
}

#[test]
fn agents_that_do_not_fit_fail_the_run() {
    let (mut run, _) = RunLifecycle::wait(waiting(), LEASE, at(0));
    let problem = "the agents run different builds".to_owned();
    let _ = run.handle(
        RunEvent::CannotBegin {
            problem: problem.clone(),
        },
        at(1),
    );
    let failed = RunPhase::Failed(FailureReason::CannotBegin { problem });
    assert_eq!(run.record().phase, failed);
}

#[test]
fn a_restart_while_it_waits_changes_nothing_but_the_time_for_agents() {
    let (mut run, effects) = recover(waiting(), None, at(10 * TIMEOUT_US));
    assert_eq!(run.record(), &waiting());
    assert_eq!(sent(&effects), []);
    assert!(run.handle(RunEvent::Tick, at(11 * TIMEOUT_US)).is_empty());
    let effects = run.handle(chosen(), at(11 * TIMEOUT_US));
    assert_eq!(sent(&effects).len(), 3);
}

mod gaps;
mod load_change;
mod losses;
mod restarts;
mod slow_links;
mod thresholds;
mod waiting;

use proptest::prelude::*;

use super::*;
use crate::base::MAX_SET_UP_DATA_BYTES;
use crate::load_test::{LoadTest, OnLostAgent};
use crate::profile::LoadProfile;
use crate::protocol::AgentEnd;
use crate::run::{Completeness, RunAgent};

const LEASE_US: u64 = 30_000_000;
const LEASE: Duration = Duration::from_micros(LEASE_US);

/// The time so many µs after 1970.
fn at(micros: u64) -> WallTime {
    WallTime::from_micros(micros)
}

fn record(agents: &[&str]) -> RunRecord {
    let mut record = RunRecord {
        id: "r1".into(),
        number: 1,
        test: LoadTest {
            name: "t".into(),
            host: "http://127.0.0.1".into(),
            users: 10,
            ramp_up_s: 1,
            duration_s: 60,
            workers: 4,
            infrastructure: "lab".into(),
            scenario: "shop".into(),
            stop_timeout_s: 10,
            declared: None,
            ..LoadTest::default()
        },
        phase: RunPhase::Preparing,
        created_at: WallTime::default(),
        started_at: None,
        ended_at: None,
        agents: agents
            .iter()
            .map(|name| RunAgent {
                build: crate::BuildInfo::default(),
                id: (*name).into(),
                name: format!("agent-{name}"),
                workers: vec![0],
                last_seq: 0,
                saved_until: 0,
                end: None,
            })
            .collect(),
        profile: LoadProfile::default(),
        completeness: Completeness::default(),
    };
    record.profile = record.test.profile();
    record
}

/// What a coordinator that was restarted makes of a run without saved results.
fn recover(
    record: RunRecord,
    set_up_data: Option<SetUpData>,
    now: WallTime,
) -> (RunLifecycle, Vec<RunEffect>) {
    let unfinished = UnfinishedRun {
        record,
        set_up_data,
        saved: RunTime::ZERO,
    };
    RunLifecycle::recover(unfinished, LEASE, now)
}

fn ready(agent: &str) -> RunEvent {
    RunEvent::AgentReady {
        agent_id: agent.into(),
        shape: None,
        set_up_data: None,
    }
}

fn ended(agent: &str, failure: Option<&str>) -> RunEvent {
    RunEvent::AgentEnded {
        agent_id: agent.into(),
        end: AgentEnd {
            failure: failure.map(Into::into),
            reason: None,
            requests: 1,
            failures: 0,
            ended_at: RunTime::of_second(60),
            lost_workers: Vec::new(),
        },
    }
}

fn lost(agent: &str, since: WallTime) -> RunEvent {
    RunEvent::AgentLost {
        agent_id: agent.into(),
        since,
    }
}

fn returned(agent: &str) -> RunEvent {
    RunEvent::AgentReturned {
        agent_id: agent.into(),
        holds_run: true,
    }
}

fn sent(effects: &[RunEffect]) -> Vec<(AgentId, &'static str)> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            RunEffect::Send { agent_id, message } => Some((
                agent_id.clone(),
                match message {
                    ToAgent::Prepare(_) => "prepare",
                    ToAgent::Start { .. } => "start",
                    ToAgent::Profile { .. } => "profile",
                    ToAgent::Stop { .. } => "stop",
                    ToAgent::Abandon { .. } => "abandon",
                    _ => "other",
                },
            )),
            _ => None,
        })
        .collect()
}

#[test]
fn all_agents_share_what_they_are_sent() {
    let (mut run, prepares) = RunLifecycle::begin(record(&["a", "b"]), LEASE, at(0));
    let _ = run.handle(ready("a"), at(1));
    let starts = run.handle(ready("b"), at(2));
    let (mut tests, mut profiles) = (Vec::new(), Vec::new());
    for effect in prepares.iter().chain(&starts) {
        match effect {
            RunEffect::Send {
                message: ToAgent::Prepare(prepare),
                ..
            } => tests.push(&prepare.test),
            RunEffect::Send {
                message: ToAgent::Start { profile, .. },
                ..
            } => profiles.push(profile),
            _ => {}
        }
    }
    assert_eq!((tests.len(), profiles.len()), (2, 2));
    assert!(Arc::ptr_eq(tests[0], tests[1]));
    assert!(Arc::ptr_eq(profiles[0], profiles[1]));
}

fn running() -> RunLifecycle {
    let (mut run, _) = RunLifecycle::begin(record(&["a", "b"]), LEASE, at(0));
    let _ = run.handle(ready("a"), at(1));
    let _ = run.handle(ready("b"), at(2));
    assert_eq!(run.record().phase, RunPhase::Running);
    run
}

#[test]
fn the_happy_case() {
    let (mut run, effects) = RunLifecycle::begin(record(&["a", "b"]), LEASE, at(0));
    assert_eq!(
        sent(&effects),
        [("a".into(), "prepare"), ("b".into(), "prepare")]
    );
    assert!(run.handle(ready("a"), at(1)).is_empty());
    let effects = run.handle(ready("b"), at(1_000));
    assert_eq!(effects[0], RunEffect::Save, "saved before anything is sent");
    assert_eq!(
        sent(&effects),
        [("a".into(), "start"), ("b".into(), "start")]
    );
    assert_eq!(run.record().started_at, Some(at(1_000) + START_DELAY));
    let _ = run.handle(ended("a", None), at(61_000_000));
    assert_eq!(run.record().phase, RunPhase::Running);
    let effects = run.handle(ended("b", None), at(62_000_000));
    assert_eq!(effects.last(), Some(&RunEffect::Over));
    assert_eq!(run.record().phase, RunPhase::Finished);
    assert_eq!(
        run.record().elapsed_s(at(99_000_000)),
        60.0,
        "the load's end, not the report's"
    );
}

#[test]
fn an_agent_that_comes_back_within_the_lease_changes_nothing() {
    let mut run = running();
    let _ = run.handle(lost("a", at(10)), at(10));
    let _ = run.handle(RunEvent::Tick, at(LEASE_US));
    assert_eq!(run.record().phase, RunPhase::Running);
    let effects = run.handle(returned("a"), at(LEASE_US));
    assert_eq!(sent(&effects), [("a".into(), "start")]);
    let _ = run.handle(RunEvent::Tick, at(LEASE_US + 11));
    assert_eq!(run.record().phase, RunPhase::Running);
}

#[test]
fn an_agent_lost_for_longer_than_the_lease_fails_the_run_and_is_named() {
    let mut run = running();
    let _ = run.handle(lost("a", at(10)), at(10));
    let effects = run.handle(RunEvent::Tick, at(LEASE_US + 11));
    assert_eq!(sent(&effects), [("b".into(), "stop")]);
    let effects = run.handle(ended("b", None), at(LEASE_US + 12));
    assert_eq!(sent(&effects), [("a".into(), "stop")]);
    let reason = run.record().phase.failure_reason().unwrap().to_string();
    assert!(
        run.record().phase.is_over() && reason.contains("agent-a"),
        "{reason}"
    );
}

#[test]
fn a_failed_worker_stops_the_others_and_its_reason_is_kept() {
    let mut run = running();
    let effects = run.handle(ended("a", Some("worker 0 was killed by signal 9")), at(5));
    assert_eq!(sent(&effects), [("b".into(), "stop")]);
    let _ = run.handle(ended("b", Some("another reason")), at(6));
    assert_eq!(
        run.record().phase,
        RunPhase::Failed(FailureReason::other("worker 0 was killed by signal 9"))
    );
}

#[test]
fn a_stop_waits_for_the_last_snapshots() {
    let mut run = running();
    let effects = run.handle(RunEvent::StopAsked, at(5));
    assert_eq!(sent(&effects), [("a".into(), "stop"), ("b".into(), "stop")]);
    assert_eq!(run.may_stop(), Ok(()), "asking again is harmless");
    let _ = run.handle(ended("a", None), at(6));
    assert!(!run.record().phase.is_over());
    let _ = run.handle(ended("b", None), at(7));
    assert_eq!(
        run.record().phase,
        RunPhase::Failed(FailureReason::StoppedByUser)
    );
    assert_eq!(run.may_stop(), Err(StopRefused::Over("Failed")));
}

#[test]
fn agents_that_never_get_ready_fail_the_run() {
    let (mut run, _) = RunLifecycle::begin(record(&["a", "b"]), LEASE, at(0));
    let _ = run.handle(ready("a"), at(1));
    let _ = run.handle(RunEvent::Tick, at(1) + PREPARE_TIMEOUT);
    let reason = run.record().phase.failure_reason().unwrap().to_string();
    assert!(
        reason.contains("agent-b") && !reason.contains("agent-a"),
        "{reason}"
    );
}

#[test]
fn a_restart_before_the_start_goes_on_with_agents_that_come_back() {
    let (run, effects) = recover(record(&["a", "b"]), None, at(0));
    assert_eq!(run.record().phase, RunPhase::Preparing);
    assert_eq!(sent(&effects), []);
    let mut run = run;
    for agent in ["a", "b"] {
        let holds_run = agent == "a";
        let back = RunEvent::AgentReturned {
            agent_id: agent.into(),
            holds_run,
        };
        // Whether or not the order to prepare reached it.
        assert_eq!(sent(&run.handle(back, at(1))), [(agent.into(), "prepare")]);
    }
    let _ = run.handle(ready("a"), at(2));
    let _ = run.handle(ready("b"), at(3));
    assert_eq!(run.record().phase, RunPhase::Running);

    let (mut run, _) = recover(record(&["a", "b"]), None, at(0));
    let _ = run.handle(returned("a"), at(1));
    let _ = run.handle(RunEvent::Tick, at(LEASE_US + 2));
    let reason = run.record().phase.failure_reason().unwrap().to_string();
    assert!(reason.contains("agent-b"), "{reason}");
}

/// A record whose first agent alone has worker 0.
fn two_agents() -> RunRecord {
    let mut record = record(&["a", "b"]);
    record.agents[1].workers = vec![1];
    record
}

fn made(agent: &str, data: &[u8]) -> RunEvent {
    RunEvent::AgentReady {
        agent_id: agent.into(),
        shape: None,
        set_up_data: Some(data.to_vec().into()),
    }
}

/// The set-up data of each start among these effects.
fn started_with(effects: &[RunEffect]) -> Vec<Option<SetUpData>> {
    let message = |effect: &RunEffect| match effect {
        RunEffect::Send {
            message: ToAgent::Start { set_up_data, .. },
            ..
        } => Some(set_up_data.clone()),
        _ => None,
    };
    effects.iter().filter_map(message).collect()
}

#[test]
fn set_up_data_is_saved_before_everyone_is_sent_it() {
    let (mut run, _) = RunLifecycle::begin(two_agents(), LEASE, at(0));
    let data = SetUpData::from(b"tenants".to_vec());
    // Only what worker 0 made counts, and the first that is said of it.
    assert_eq!(run.handle(made("b", b"other"), at(1)), []);
    let _ = run.handle(returned("a"), at(2));
    let effects = run.handle(made("a", b"tenants"), at(3));
    assert_eq!(effects[0], RunEffect::SaveSetUpData(data.clone()));
    assert_eq!(
        started_with(&effects),
        [Some(data.clone()), Some(data.clone())]
    );
    assert_eq!(run.handle(made("a", b"again"), at(4)), []);
    // To one who comes back, and after a restart.
    let saved = run.record().clone();
    let again = [Some(data.clone())];
    assert_eq!(started_with(&run.handle(returned("b"), at(5))), again);
    let (mut run, _) = recover(saved, Some(data), at(6));
    assert_eq!(started_with(&run.handle(returned("a"), at(7))), again);
}

#[test]
fn set_up_data_that_is_too_large_fails_the_run() {
    let (mut run, _) = RunLifecycle::begin(two_agents(), LEASE, at(0));
    let effects = run.handle(made("a", &vec![0; MAX_SET_UP_DATA_BYTES + 1]), at(1));
    assert!(started_with(&effects).is_empty());
    let reason = run.record().phase.failure_reason().unwrap().to_string();
    assert!(reason.contains("the maximum is 1048576"), "{reason}");
}

#[test]
fn a_restart_after_the_start_goes_on() {
    let saved = running().record().clone();
    let (mut run, _) = recover(saved, None, at(5_000_000));
    assert_eq!(run.record().phase, RunPhase::Running);
    let _ = run.handle(returned("a"), at(6_000_000));
    let _ = run.handle(returned("b"), at(6_000_000));
    let _ = run.handle(ended("a", None), at(61_000_000));
    let _ = run.handle(ended("b", None), at(61_000_000));
    assert_eq!(run.record().phase, RunPhase::Finished);
}

#[test]
fn a_coordinator_that_was_away_for_a_day_does_not_make_the_load_last_a_day() {
    const DAY_US: u64 = 86_400_000_000;
    let saved = running().record().clone();
    let (mut run, _) = recover(saved, None, at(DAY_US));
    let _ = run.handle(RunEvent::Tick, at(DAY_US + LEASE_US + 1));
    assert!(matches!(run.record().phase, RunPhase::Failed(_)));
    assert_eq!(
        run.record().elapsed_s(at(2 * DAY_US)),
        70.0,
        "duration and stop timeout"
    );
}

#[test]
fn a_restart_after_the_last_end_finishes_at_once() {
    let mut saved = running().record().clone();
    for agent in &mut saved.agents {
        agent.end = Some(AgentEnd {
            failure: None,
            reason: None,
            requests: 0,
            failures: 0,
            ended_at: RunTime::from_micros(1),
            lost_workers: Vec::new(),
        });
    }
    let (run, effects) = recover(saved, None, at(70_000_000));
    assert_eq!(run.record().phase, RunPhase::Finished);
    assert_eq!(effects.last(), Some(&RunEffect::Over));
}

#[test]
fn a_failure_saved_just_before_a_restart_is_not_forgotten() {
    let mut saved = running().record().clone();
    saved.agents[0].end = Some(AgentEnd {
        failure: Some("worker 0 was killed by signal 9".into()),
        reason: None,
        requests: 0,
        failures: 0,
        ended_at: RunTime::from_micros(1),
        lost_workers: Vec::new(),
    });
    let (mut run, effects) = recover(saved, None, at(5_000_000));
    assert!(effects.contains(&RunEffect::Save));
    assert_eq!(
        sent(&run.handle(returned("b"), at(6_000_000))),
        [("b".into(), "stop")]
    );
    let _ = run.handle(ended("b", None), at(7_000_000));
    assert_eq!(
        run.record().phase,
        RunPhase::Failed(FailureReason::other("worker 0 was killed by signal 9"))
    );
}

fn change(users: u64, over_us: u64) -> RunEvent {
    RunEvent::ChangeUsers { users, over_us }
}

fn shaped(agent: &str, shape: LoadProfile) -> RunEvent {
    RunEvent::AgentReady {
        agent_id: agent.into(),
        shape: Some(shape),
        set_up_data: None,
    }
}

fn shape(users: u64, ends_at_s: u64) -> LoadProfile {
    let base = LoadProfile {
        ends_at: Duration::from_secs(ends_at_s).into(),
        ..LoadProfile::default()
    };
    base.with_change(RunTime::ZERO, users, 0).unwrap()
}

fn any_event() -> impl Strategy<Value = RunEvent> {
    let agent = prop_oneof![Just("a"), Just("b"), Just("c"), Just("stranger")];
    prop_oneof![
        1 => Just(RunEvent::Waits(waiting::busy())),
        1 => (0..3u32).prop_map(|free| RunEvent::Waits(waiting::missing(free))),
        3 => Just(waiting::chosen()),
        4 => agent.clone().prop_map(ready),
        2 => (agent.clone(), prop::option::weighted(0.2, Just("broke")))
            .prop_map(|(agent, failure)| ended(agent, failure)),
        1 => (agent.clone(), 0u32..80).prop_map(|(agent, second)| losses::ended_early(agent, second, losses::shut_down(agent))),
        1 => agent.clone().prop_map(losses::failing),
        1 => (agent.clone(), 0u32..80).prop_map(|(agent, second)| losses::saved_until(agent, second)),
        1 => agent.clone().prop_map(|agent| losses::workers_lost(agent, &[losses::lost_worker(0, 3, false)])),
        2 => agent.clone().prop_map(|agent| lost(agent, at(0))),
        2 => (agent, any::<bool>()).prop_map(|(agent, holds_run)| RunEvent::AgentReturned {
            agent_id: agent.into(), holds_run,
        }),
        1 => Just(RunEvent::StopAsked),
        1 => Just(thresholds::breached()),
        2 => (0u64..50, 0u64..20_000_000).prop_map(|(users, over_us)| change(users, over_us)),
        1 => (0u64..9, 0u64..200).prop_map(|(users, ends_at_s)| shaped("a", shape(users, ends_at_s))),
        3 => Just(RunEvent::Tick),
    ]
}

fn rank(phase: &RunPhase) -> u8 {
    match phase {
        RunPhase::Queued(_) | RunPhase::Provisioning(_) => 0,
        RunPhase::Preparing => 1,
        RunPhase::Running => 2,
        RunPhase::Failing(_) => 3,
        RunPhase::Finished | RunPhase::Failed(_) => 4,
    }
}

proptest! {
    /// Whatever happens in whatever order, with restarts in between: phases only go forward, the first reason
    /// stays, every change is saved before it is sent (the load profile too), Finished means that all agents ended without failure,
    /// a run that waits has no agents and sends nothing, and once enough time passes every run is over.
    #[test]
    fn invariants_hold_for_any_history(
        waits in any::<bool>(),
        continues in any::<bool>(),
        is_running in any::<bool>(),
        losing in prop::collection::vec(losses::any_loss(), 0..12),
        history in prop::collection::vec((any_event(), 0u64..20_000_000, prop::bool::weighted(0.05)), 0..60)
    ) {
        // Most histories lose all agents only where they have begun that way.
        let begins: &[&str] = if is_running { &["a", "b", "c"] } else { &[] };
        let losing = losing.into_iter().map(|event| (event, 9_000_000, false)).filter(|_| is_running);
        let begins = begins.iter().map(|agent| (ready(agent), 0, false)).chain(losing);
        let history: Vec<_> = begins.chain(history).collect();
        let mut begun = if waits { waiting::waiting() } else { record(&["a", "b", "c"]) };
        if continues {
            begun.test.fleet.on_lost_agent = OnLostAgent::Continue;
        }
        let (mut run, _) = if waits {
            RunLifecycle::wait(begun, LEASE, at(0))
        } else {
            RunLifecycle::begin(begun, LEASE, at(0))
        };
        let mut saved = run.record().clone();
        let mut now = at(0);
        let mut first_reason: Option<FailureReason> = None;
        let check = |before: &RunRecord, run: &RunLifecycle, effects: &[RunEffect], saved: &mut RunRecord| {
            let after = run.record();
            assert!(rank(&after.phase) >= rank(&before.phase));
            if rank(&after.phase) == 0 || (rank(&before.phase) == 0 && rank(&after.phase) > 1) {
                assert!(after.agents.is_empty() && sent(effects).is_empty());
            }
            assert!(rank(&before.phase) < 4 || (before == after && effects.is_empty()));
            if before.phase != after.phase {
                let save = effects.iter().position(|e| *e == RunEffect::Save);
                let first_send = effects.iter().position(|e| matches!(e,
                    RunEffect::Send { message: ToAgent::Start { .. } | ToAgent::Stop { .. }, .. }));
                assert!(save.is_some());
                assert!(first_send.is_none_or(|send| save.unwrap() < send));
            }
            if before.profile != after.profile {
                let save = effects.iter().position(|e| *e == RunEffect::Save).unwrap();
                let sent_profiles: Vec<_> = effects.iter().enumerate().filter_map(|(place, effect)| match effect {
                    RunEffect::Send { message: ToAgent::Start { profile, .. } | ToAgent::Profile { profile, .. }, .. } => Some((place, profile)),
                    _ => None,
                }).collect();
                assert!(sent_profiles.iter().all(|(place, profile)| save < *place && ***profile == after.profile));
                match before.phase {
                    RunPhase::Preparing => assert_eq!(after.test.users, after.profile.most_users()),
                    _ => {
                        assert_eq!(before.phase, RunPhase::Running);
                        let there = after.agents.iter().filter(|agent| agent.end.is_none() && !after.completeness.is_given_up(&agent.name));
                        assert_eq!(sent_profiles.len(), there.count(), "sent to all agents that are there");
                    }
                }
            }
            if effects.contains(&RunEffect::Save) {
                *saved = after.clone();
            }
            for (saved, agent) in saved.agents.iter_mut().zip(&after.agents) {
                // Saved with the snapshots.
                saved.saved_until = agent.saved_until;
            }
            assert_eq!(&*saved, after, "everything that changed was saved");
            assert_eq!(effects.contains(&RunEffect::Over), after.phase.is_over() && !before.phase.is_over());
            let is_lost = |agent: &RunAgent| after.coverage().has_lost_agent(&agent.name);
            let went_as_planned = |agent: &RunAgent| agent.end.as_ref().is_some_and(|end| end.failure.is_none());
            let had_all_its_load = |agent: &RunAgent| {
                let until = agent.end.as_ref().map_or(RunTime::of_second(agent.saved_until), |end| end.ended_at);
                until >= after.profile.ends_at
            };
            let goes_on = after.test.fleet.on_lost_agent.continues();
            assert!(goes_on || after.coverage().is_full());
            if after.phase == RunPhase::Finished {
                assert!(after.agents.iter().all(|agent| went_as_planned(agent)
                    || goes_on && (is_lost(agent) || had_all_its_load(agent))));
                assert!(after.agents.iter().any(|agent| !is_lost(agent)));
            }
            if after.phase == RunPhase::Running && goes_on {
                assert!(after.agents.iter().any(|agent| !is_lost(agent) && !after.completeness.is_given_up(&agent.name)), "all are lost");
            }
            if let (RunPhase::Running, RunPhase::Failing(reason) | RunPhase::Failed(reason)) = (&before.phase, &after.phase)
                && goes_on && reason.is_loss() && !matches!(reason, FailureReason::AgentsDidNotEnd { .. })
            {
                assert!(after.agents.iter().all(|agent| is_lost(agent) || after.completeness.is_given_up(&agent.name)), "another agent is left");
            }
            if after.phase.is_over() {
                assert!(after.ended_at.is_some());
            }
            let checks: Vec<_> = effects.iter().enumerate()
                .filter(|(_, effect)| **effect == RunEffect::CheckCounts).map(|(place, _)| place).collect();
            let over = after.phase.is_over() && !before.phase.is_over();
            assert_eq!(checks.len(), usize::from(over));
            if over {
                let saves = effects.iter().rposition(|e| *e == RunEffect::Save);
                assert!(Some(checks[0]) < saves, "checked, then saved");
            }
        };
        for (event, later, restart) in history {
            now = now + Duration::from_micros(later);
            let before = run.record().clone();
            let effects = if restart && !before.phase.is_over() {
                let (recovered, effects) = recover(saved.clone(), None, now);
                run = recovered;
                effects
            } else {
                run.handle(event, now)
            };
            check(&before, &run, &effects, &mut saved);
            if let Some(reason) = run.record().phase.failure_reason() {
                let first = first_reason.get_or_insert_with(|| reason.clone());
                prop_assert_eq!(&*first, reason);
            }
        }
        if run.record().phase.waiting().is_some() {
            // A run that has its turn waits no longer than it may.
            let before = run.record().clone();
            let effects = run.handle(RunEvent::Waits(waiting::missing(0)), now);
            check(&before, &run, &effects, &mut saved);
        }
        for _ in 0..4 {
            now = now + Duration::from_secs(200);
            let before = run.record().clone();
            let effects = run.handle(RunEvent::Tick, now);
            check(&before, &run, &effects, &mut saved);
        }
        prop_assert!(run.record().phase.is_over(), "{:?}", run);
    }
}

use std::time::Duration;

use greylag_infra::protocol::{AgentEnd, Endpoint, SampleData, SampleKind, Snapshot, WorkerState};
use greylag_infra::{
    BuildInfo, Completeness, LoadProfile, LoadTest, RunAgent, RunPhase, RunRecord, RunTime,
    WallClock, WallTime,
};
use tokio::sync::oneshot;

use super::*;
use crate::measure::interval::Interval;
use crate::store::live::LiveTotals;
use crate::store::lock::DirectoryLock;
use crate::store::scope::Scope;
use crate::store::{run_rows, sample_rows, schema, totals};

/// The writer's state, with an active run `r` of these agents; worker k belongs to agent k.
fn state(dir: &tempfile::TempDir, agents: &[&str]) -> WriterState {
    let connection = schema::open_writer(dir.path()).unwrap();
    let run = RunRecord {
        id: "r".into(),
        number: 0,
        test: LoadTest::default(),
        phase: RunPhase::Running,
        created_at: WallTime::default(),
        started_at: Some(WallTime::default()),
        ended_at: None,
        agents: (0..)
            .zip(agents)
            .map(|(worker, agent)| RunAgent {
                id: (*agent).into(),
                name: (*agent).to_owned(),
                workers: vec![worker],
                last_seq: 0,
                saved_until: 0,
                end: None,
                build: BuildInfo::default(),
            })
            .collect(),
        profile: LoadProfile::default(),
        completeness: Completeness::default(),
    };
    run_rows::insert(&connection, run).unwrap();
    let lock = DirectoryLock::take(dir.path()).unwrap();
    WriterState::new(connection, LiveTotals::default(), lock, WallClock::start())
}

/// A snapshot with one request.
fn snapshot(seq: u64) -> Snapshot {
    let mut interval = Interval::default();
    interval.record(Duration::from_millis(seq), None, 100, Some("refused"));
    Snapshot {
        run_id: "r".into(),
        seq,
        endpoints: vec![Endpoint {
            method: "GET".into(),
            name: "/".into(),
        }],
        intervals: vec![interval.to_wire(u32::try_from(seq).unwrap(), 0)],
        ..Snapshot::default()
    }
}

/// Saves snapshots of agents of the run `r` together.
fn save_batch(
    state: &mut WriterState,
    batch: Vec<(&str, Snapshot)>,
) -> Vec<Result<SaveOutcome, String>> {
    let mut answers = Vec::new();
    let mut waiting = Vec::new();
    for (agent, snapshot) in batch {
        let (answer, answered) = oneshot::channel();
        waiting.push(WaitingSnapshot {
            run_id: snapshot.run_id.clone(),
            agent_id: agent.into(),
            snapshot: CheckedSnapshot::new(snapshot).unwrap(),
            answer,
        });
        answers.push(answered);
    }
    save(state, waiting);
    answers
        .iter_mut()
        .map(|answer| {
            let answer = answer.try_recv().expect("everyone is answered");
            answer.map_err(|error| error.to_string())
        })
        .collect()
}

/// Requests and errors of the run `r`: as they are kept up in memory, and as they are stored.
fn counts(state: &mut WriterState) -> (u64, u64) {
    let kept = state.live_totals(&"r".into()).unwrap();
    let stored = totals::read(&state.connection, &"r".into(), &Scope::default()).unwrap();
    let of = |totals: &totals::RunTotals| {
        let errors = totals.errors().into_iter();
        let errors = errors.map(|(_, _, occurrences)| occurrences);
        (totals.aggregated().requests(), errors.sum())
    };
    assert_eq!(of(&kept), of(&stored));
    of(&stored)
}

fn end(mut snapshot: Snapshot) -> Snapshot {
    snapshot.end = Some(AgentEnd {
        ended_at: RunTime::ZERO,
        ..AgentEnd::default()
    });
    snapshot
}

#[test]
fn each_snapshot_of_a_batch_has_an_answer_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let mut state = state(&dir, &["a", "b"]);
    assert_eq!(counts(&mut state), (0, 0));
    let mut of_another_worker = snapshot(1);
    of_another_worker.workers.push(WorkerState {
        index: 0,
        pid: 1,
        users: 1,
        running: true,
    });
    let mut of_another_run = snapshot(1);
    of_another_run.run_id = "s".into();
    let batch = vec![
        ("a", snapshot(1)),
        ("a", snapshot(1)),
        ("a", snapshot(3)),
        ("b", of_another_worker),
        ("c", snapshot(1)),
        ("a", of_another_run),
        ("a", end(snapshot(2))),
        ("a", snapshot(3)),
        ("b", snapshot(1)),
    ];
    let refused = |what: &str| Err(what.to_owned());
    let expected = [
        Ok(SaveOutcome::Saved),
        Ok(SaveOutcome::Duplicate),
        Ok(SaveOutcome::Gap { expected: 2 }),
        refused("it refers to worker 0, which is not one of this agent's"),
        refused("the agent is not part of run r"),
        refused("there is no run s"),
        Ok(SaveOutcome::Saved),
        refused("the agent sent more after it had ended its part of run r"),
        Ok(SaveOutcome::Saved),
    ];
    assert_eq!(save_batch(&mut state, batch), expected);
    assert_eq!(counts(&mut state), (3, 3));
    let run = run_rows::by_id(&state.connection, &"r".into())
        .unwrap()
        .unwrap();
    let progress: Vec<_> = run.agents.iter().map(|agent| agent.last_seq).collect();
    assert_eq!(progress, [2, 1]);
    assert!(run.agents[0].end.is_some() && run.agents[1].end.is_none());
}

#[test]
fn a_batch_that_fails_late_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut state = state(&dir, &["a", "b"]);
    let outcomes = save_batch(&mut state, vec![("a", snapshot(1))]);
    assert_eq!(outcomes, [Ok(SaveOutcome::Saved)]);
    assert_eq!(counts(&mut state), (1, 1));
    // The last thing of the last snapshot cannot be written.
    state
        .connection
        .execute_batch(
            "CREATE TEMP TRIGGER fails BEFORE UPDATE OF end ON main.run_agents WHEN NEW.agent = 1
             BEGIN SELECT RAISE(ABORT, 'broken'); END",
        )
        .unwrap();
    let batch = || {
        let mut of_b = end(snapshot(1));
        of_b.endpoints[0].name = "/new".into();
        vec![
            ("a", snapshot(2)),
            ("a", snapshot(2)),
            ("a", snapshot(9)),
            ("b", of_b),
        ]
    };
    let failed: Vec<_> = save_batch(&mut state, batch());
    for outcome in failed {
        assert_eq!(outcome, Err("the database failed: broken".to_owned()));
    }
    assert_eq!(counts(&mut state), (1, 1));
    state
        .connection
        .execute_batch("DROP TRIGGER fails")
        .unwrap();
    let expected = [
        Ok(SaveOutcome::Saved),
        Ok(SaveOutcome::Duplicate),
        Ok(SaveOutcome::Gap { expected: 3 }),
        Ok(SaveOutcome::Saved),
    ];
    assert_eq!(save_batch(&mut state, batch()), expected);
    assert_eq!(counts(&mut state), (3, 3));
}

#[test]
fn one_agent_of_many_has_as_many_samples_as_are_asked_for() {
    const AGENTS: u64 = 20;
    const SECONDS: u64 = 256;
    const POINTS: usize = 100;
    let names: Vec<String> = (0..AGENTS).map(|agent| agent.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let dir = tempfile::tempdir().unwrap();
    let mut state = state(&dir, &names);
    let sample = |agent: u64, number: u64| SampleData {
        endpoint: 0,
        at_us: number * 200_000 + agent,
        response_us: 1_000,
        failed: false,
        kind: SampleKind::Drawn,
    };
    let batch = (0..).zip(&names).map(|(agent, name)| {
        let samples = (0..5 * SECONDS).map(|number| sample(agent, number));
        let snapshot = Snapshot {
            samples: samples.collect(),
            ..snapshot(1)
        };
        (*name, snapshot)
    });
    let outcomes = save_batch(&mut state, batch.collect());
    assert!(outcomes.iter().all(|o| *o == Ok(SaveOutcome::Saved)));
    let scope = Scope {
        agent: Some("7".to_owned()),
        ..Scope::default()
    };
    let samples = sample_rows::read(&state.connection, &"r".into(), &scope, 0, POINTS).unwrap();
    assert!(samples.points.len() >= POINTS, "{}", samples.points.len());
}

use std::time::Duration;

use greylag_infra::protocol::{
    AgentEnd, Endpoint, SampleData, SampleKind, Snapshot, UserChange, WorkerState,
};
use greylag_infra::{
    BuildInfo, Completeness, LATE_RESULTS, LoadProfile, LoadTest, RunAgent, RunPhase, RunRecord,
    RunTime, WallClock, WallTime,
};
use rusqlite::{Connection, types::Value};
use tokio::sync::oneshot;

use super::*;
use crate::measure::interval::{Interval, Measures, Outcome, Outcomes};
use crate::store::live::LiveTotals;
use crate::store::lock::DirectoryLock;
use crate::store::recent_rows::RecentRow;
use crate::store::scope::Scope;
use crate::store::{run_rows, sample_rows, schema, totals};

/// The writer's state, with an active run `r` of these agents; worker k belongs to agent k.
fn state(dir: &tempfile::TempDir, agents: &[&str]) -> WriterState {
    state_by(WallClock::start(), dir, agents)
}

fn state_by(clock: WallClock, dir: &tempfile::TempDir, agents: &[&str]) -> WriterState {
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
    WriterState::new(connection, LiveTotals::default(), lock, clock)
}

/// A snapshot with one request in the second of its number.
fn snapshot(seq: u64) -> Snapshot {
    snapshot_of(seq, u32::try_from(seq).unwrap())
}

fn snapshot_of(seq: u64, second: u32) -> Snapshot {
    let mut interval = Interval::default();
    interval.record(Duration::from_millis(seq), None, 100, Some("refused"));
    Snapshot {
        run_id: "r".into(),
        seq,
        endpoints: vec![Endpoint {
            method: "GET".into(),
            name: "/".into(),
        }],
        intervals: vec![interval.to_wire(second, 0)],
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

/// Every row of every table.
fn all_rows(connection: &Connection) -> Vec<(String, Vec<Vec<Value>>)> {
    let names = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    let mut names = connection.prepare(names).unwrap();
    let names = names.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let of_table = |name: String| {
        let mut rows = connection
            .prepare(&format!("SELECT * FROM {name}"))
            .unwrap();
        let columns = rows.column_count();
        let rows = rows.query_map([], |row| {
            (0..columns).map(|column| row.get(column)).collect()
        });
        let rows = rows.unwrap().collect::<Result<_, _>>().unwrap();
        (name, rows)
    };
    names.map(|name| of_table(name.unwrap())).collect()
}

/// Requests and errors of the run `r`: as they are kept up in memory, and as they are stored.
fn counts(state: &mut WriterState) -> (u64, u64) {
    let kept = state.live_totals(&"r".into()).unwrap();
    let whole = Scope::default();
    let stored = totals::read(&state.connection, &"r".into(), &whole, Measures::NONE).unwrap();
    let of = |totals: &totals::RunTotals| {
        let errors = totals.errors().into_iter();
        let errors = errors.map(|(_, _, occurrences)| occurrences);
        (totals.aggregated().requests(), errors.sum())
    };
    assert_eq!(of(&kept), of(&stored));
    of(&stored)
}

#[test]
fn users_whose_start_is_not_known_stop_without_others_being_missing() {
    let dir = tempfile::tempdir().unwrap();
    let mut state = state(&dir, &["a"]);
    let changed = |seq, second, started, stopped| {
        let mut part = snapshot(seq);
        part.user_changes = vec![UserChange {
            second,
            started,
            stopped,
            ..UserChange::default()
        }];
        part
    };
    let progress = |state: &WriterState| {
        let query = "SELECT users, last_change FROM agent_progress";
        let row = state.connection.query_row(query, [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        });
        row.unwrap()
    };
    for (part, expected) in [
        (changed(1, 4, 0, 5), (0, 4)),
        (changed(2, 3, 7, 0), (7, 4)),
        (changed(3, 6, 0, 9), (0, 6)),
        (changed(4, 7, 2, 0), (2, 7)),
        (snapshot(5), (2, 7)),
    ] {
        assert!(save_batch(&mut state, vec![("a", part)])[0].is_ok());
        assert_eq!(progress(&state), expected);
    }
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
        refused("run s was not found"),
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
    let before = all_rows(&state.connection);
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
    assert_eq!(all_rows(&state.connection), before);
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
fn results_ahead_of_the_run_make_no_others_late() {
    let dir = tempfile::tempdir().unwrap();
    let at = |second| WallClock::showing(WallTime::default() + RunTime::of_second(second));
    let mut state = state_by(at(100), &dir, &["a", "b"]);
    let outcomes = save_batch(&mut state, vec![("a", snapshot_of(1, 3_500))]);
    assert_eq!(outcomes, [Ok(SaveOutcome::Saved)]);
    let longer = |state: &WriterState| -> i64 {
        let count = "SELECT (SELECT count(*) FROM intervals WHERE level > 0) + (SELECT count(*) FROM agent_intervals WHERE level > 0)";
        state
            .connection
            .query_row(count, [], |row| row.get(0))
            .unwrap()
    };
    for second in 92..102 {
        // However long saving takes here.
        state.live.get_mut(&"r".into()).unwrap().clock = at(100);
        let snapshot = snapshot_of(u64::from(second) - 91, second);
        let outcomes = save_batch(&mut state, vec![("b", snapshot)]);
        assert_eq!(outcomes, [Ok(SaveOutcome::Saved)]);
        assert_eq!(longer(&state), 0);
    }
    let recent = &state.live[&"r".into()].recent;
    assert_ne!(
        recent.get((101, 0, Outcomes::All(Outcome::Ok))),
        RecentRow::Unknown
    );
    assert_eq!(counts(&mut state), (11, 11));
    // When the run comes to that time, all of it is found everywhere.
    state.live.get_mut(&"r".into()).unwrap().clock = at(3_600);
    for (seq, second) in [(11, 3_500), (12, 3_599)] {
        let outcomes = save_batch(&mut state, vec![("b", snapshot_of(seq, second))]);
        assert_eq!(outcomes, [Ok(SaveOutcome::Saved)]);
    }
    assert!(longer(&state) > 0);
    assert_eq!(counts(&mut state), (13, 13));
    for (agent, requests) in [("a", 1), ("b", 12)] {
        let scope = Scope {
            agent: Some(agent.to_owned()),
            ..Scope::default()
        };
        let totals = totals::read(&state.connection, &"r".into(), &scope, Measures::NONE).unwrap();
        assert_eq!(totals.aggregated().requests(), requests);
    }
}

#[test]
fn the_newest_rows_of_all_runs_share_their_memory() {
    let dir = tempfile::tempdir().unwrap();
    let mut state = state(&dir, &["a"]);
    assert_eq!(
        save_batch(&mut state, vec![("a", snapshot(1))]),
        [Ok(SaveOutcome::Saved)]
    );
    let alone = state.live[&"r".into()].recent.most_bytes();
    let other = RunRecord {
        id: "s".into(),
        ..run_rows::by_id(&state.connection, &"r".into())
            .unwrap()
            .unwrap()
    };
    run_rows::insert(&state.connection, other).unwrap();
    let of_other = Snapshot {
        run_id: "s".into(),
        ..snapshot(2)
    };
    assert_eq!(
        save_batch(&mut state, vec![("a", of_other)]),
        [Ok(SaveOutcome::Saved)]
    );
    let together: usize = state
        .live
        .values()
        .map(|live| live.recent.most_bytes())
        .sum();
    assert_eq!((state.live.len(), together), (2, alone));
}

#[test]
fn late_results_that_come_put_off_when_no_more_are_taken() {
    let dir = tempfile::tempdir().unwrap();
    let ended_at = WallTime::default() + LATE_RESULTS;
    let mut state = state_by(WallClock::showing(ended_at), &dir, &["a"]);
    let run = |state: &WriterState| run_rows::by_id(&state.connection, &"r".into());
    let mut record = run(&state).unwrap().unwrap();
    record.phase = RunPhase::Finished;
    record.ended_at = Some(ended_at);
    record.completeness.wait_for_late_results(ended_at);
    run_rows::update(&state.connection, &record).unwrap();
    for (seq, minutes) in [(1, 9), (2, 18)] {
        state.clock = WallClock::showing(ended_at + Duration::from_secs(60 * minutes));
        let outcomes = save_batch(&mut state, vec![("a", snapshot(seq))]);
        assert_eq!(outcomes, [Ok(SaveOutcome::Saved)]);
    }
    let completeness = run(&state).unwrap().unwrap().completeness;
    let last = ended_at + Duration::from_secs(60 * 18);
    let late_until = completeness.late_until().unwrap();
    assert!(late_until >= last + LATE_RESULTS, "{late_until:?}");
    state.clock = WallClock::showing(late_until);
    let outcomes = save_batch(&mut state, vec![("a", snapshot(3))]);
    assert_eq!(outcomes, [Err("run r was not found".to_owned())]);
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
        ..SampleData::default()
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

use std::time::Duration;

use greylag_infra::protocol::{Endpoint, ErrorCount, Snapshot, TagInterval, UserChange};
use greylag_infra::{
    BuildInfo, Completeness, GeneratorNotice, LoadProfile, LoadTest, NoticeKind, RunAgent,
    RunPhase, RunRecord, WallTime,
};
use rusqlite::params;

use super::*;
use crate::measure::arrivals::Arrivals;
use crate::measure::interval::{Interval, Measure, SparseInterval};
use crate::store::{HeldMachines, SaveOutcome, Scope, Store, TokenRow, Window};

fn interval(paced: bool) -> Interval {
    let mut interval = Interval::default();
    for ms in [10, 20] {
        interval.record(Duration::from_millis(ms), None, 100, None);
        if paced {
            interval.record_intended(Duration::from_millis(ms * 2));
        }
    }
    interval
}

/// A database as the first version made it, with an active run.
fn first_schema(dir: &Path) {
    let connection = Connection::open(dir.join(DATABASE_FILE)).unwrap();
    connection.execute_batch(MIGRATIONS[0]).unwrap();
    connection
        .pragma_update(None, "application_id", APPLICATION_ID)
        .unwrap();
    connection.pragma_update(None, "user_version", 1).unwrap();
    let definition = r#"{"name": "old", "host": "http://127.0.0.1:8080", "users": 5, "ramp_up_s": 2,
        "duration_s": 600, "workers": 1, "infrastructure": "local", "scenario": "shop", "stop_timeout_s": 10,
        "declared": null}"#;
    connection
        .execute(
            "INSERT INTO runs (id, test, number, definition, phase, is_over, created_at_us, started_at_us, last_second)
             VALUES ('r', 'old', 1, ?1, '\"Running\"', 0, 1, 2, 40)",
            [definition],
        )
        .unwrap();
    connection
        .execute_batch(
            "INSERT INTO run_agents VALUES (1, 0, 'a', 'a', '[0]', 1, NULL);
             INSERT INTO endpoints VALUES (1, 0, 'GET', '/');
             INSERT INTO seconds VALUES (1, 0, 0, 2, 0, 3, 0), (1, 1, 0, 2, 0, 3, 0), (1, 2, 0, 2, 0, 3, 0),
                 (1, 3, 0, 2, 0, 3, 0), (1, 4, 0, 2, 0, 3, 0), (1, 5, 0, 2, 0, 3, 0);
             INSERT INTO log VALUES (1, 1, 5, 'agent', 'of an agent'), (1, 2, 6, 'coordinator', 'of none');
             INSERT INTO error_texts VALUES (1, 0, 0, 'refused');
             INSERT INTO errors VALUES (1, 0, 3, 0, 0, 1), (1, 0, 40, 0, 0, 2), (1, 1, 0, 0, 0, 1), (1, 1, 40, 0, 0, 2),
                 (1, 2, 0, 0, 0, 3), (1, 3, 0, 0, 0, 3), (1, 4, 0, 0, 0, 3), (1, 5, 0, 0, 0, 3);",
        )
        .unwrap();
    connection
        .execute(
            "INSERT INTO intervals VALUES (1, 0, 0, 0, 0, 2, 0, 200, 10000, 20000, 30000, 0, 0, ?1)",
            params![SparseInterval::from(&interval(false)).counts[Measure::Response].encode()],
        )
        .unwrap();
}

#[tokio::test]
async fn a_database_of_the_first_schema_can_be_backed_up_before_it_is_opened() {
    let dir = tempfile::tempdir().unwrap();
    first_schema(dir.path());
    let before = std::fs::read(dir.path().join(DATABASE_FILE)).unwrap();
    let copied = tempfile::tempdir().unwrap();
    let file = copied.path().join(DATABASE_FILE);
    std::fs::write(&file, "").unwrap();
    Store::back_up(dir.path(), &file).unwrap();
    let after = std::fs::read(dir.path().join(DATABASE_FILE)).unwrap();
    assert!(before == after, "the database itself stays as it was");
    let store = Store::open(copied.path()).unwrap();
    let totals = store.totals(&"r".into(), &Scope::default()).await.unwrap();
    assert_eq!(totals.aggregated().requests(), 2);
}

#[tokio::test]
async fn secrets_of_runs_that_an_earlier_version_kept_are_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    first_schema(dir.path());
    let old = Connection::open(dir.path().join(DATABASE_FILE)).unwrap();
    let host = "https://ada:geheim@shop.example/";
    old.execute(
        "INSERT INTO runs (id, test, number, definition, phase, is_over, created_at_us)
         SELECT 'done', test, 2, json_set(definition, '$.host', ?1), '\"Finished\"', 1, 1 FROM runs",
        [host],
    )
    .unwrap();
    old.execute(
        "UPDATE runs SET definition = json_set(definition, '$.host', ?1) WHERE NOT is_over",
        [host],
    )
    .unwrap();
    drop(old);
    let store = Store::open(dir.path()).unwrap();
    let host_of = async |id: &str| store.run(&id.into()).await.unwrap().unwrap().test.host;
    assert_eq!(host_of("done").await, "https://ada:…@shop.example/");
    assert_eq!(host_of("r").await, host, "it is active and needs it");
}

#[tokio::test]
async fn a_database_of_the_first_schema_opens_and_its_run_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    first_schema(dir.path());
    let store = Store::open(dir.path()).unwrap();
    let totals = store.totals(&"r".into(), &Scope::default()).await.unwrap();
    let all = totals.aggregated();
    assert_eq!((all.requests(), all.sums().response.sum_us), (2, 30_000));
    assert_eq!(
        (all.sums().intended.count, all.sums().first_byte_only),
        (0, 0)
    );
    assert_eq!(totals.arrivals, Arrivals::default());
    assert_eq!(
        store.notices(&"r".into(), &Scope::default()).await.unwrap(),
        []
    );
    assert_eq!(store.tokens().await.unwrap(), []);
    let token = TokenRow {
        id: "t".to_owned(),
        hash: [7; 32],
        grant: "{}".to_owned(),
        created_at: WallTime::from_micros(1),
        expires_at: None,
    };
    assert!(store.add_token(token.clone(), 1).await.unwrap());
    assert_eq!(store.tokens().await.unwrap(), [token]);
    assert_eq!(store.held_machines().await.unwrap(), []);
    let held = HeldMachines {
        run_id: "r".into(),
        infrastructure: "lab".to_owned(),
        kind: Some("command".to_owned()),
    };
    store.hold_machines(held.clone()).await.unwrap();
    store.hold_machines(held.clone()).await.unwrap();
    assert_eq!(store.held_machines().await.unwrap(), [held]);
    store.machines_released(&"r".into()).await.unwrap();
    assert_eq!(store.held_machines().await.unwrap(), []);
    let key = async |fresh: u8| store.session_key([fresh; 32]).await.unwrap();
    assert_eq!((key(1).await, key(2).await), ([1; 32], [1; 32]));
    let record = store.run(&"r".into()).await.unwrap().unwrap();
    assert_eq!(record.profile, record.test.profile());
    assert!(record.builds().is_empty());
    let errors = store.errors(&"r".into(), &Scope::default()).await.unwrap();
    assert_eq!(
        (errors[0].occurrences, errors[0].first, errors[0].last),
        (3, 3, 40)
    );

    // It is not known whose log lines those of earlier versions are; users are the only agent's.
    let of_agent = Scope {
        agent: Some("a".to_owned()),
        ..Scope::default()
    };
    let totals = store.totals(&"r".into(), &of_agent).await.unwrap();
    assert_eq!(totals.aggregated().requests(), 2);
    let users = async |scope: &Scope| {
        let series = store.series(&"r".into(), scope, 100).await.unwrap();
        series.points.last().unwrap().users
    };
    assert_eq!(users(&Scope::default()).await, 3);
    assert_eq!(users(&of_agent).await, 3);
    assert_eq!(store.log(&"r".into(), &of_agent, 0, 10).await.unwrap(), []);
    let unknown = store.unattributed(&"r".into()).await.unwrap();
    assert!(!unknown.users);
    assert_eq!(unknown.log_lines, 1);

    let notice = GeneratorNotice {
        kind: NoticeKind::Ports,
        worker: Some(0),
        last_second: 4,
        count: 2,
        ..GeneratorNotice::default()
    };
    let snapshot = Snapshot {
        run_id: "r".into(),
        seq: 2,
        endpoints: vec![Endpoint {
            method: "GET".into(),
            name: "/".into(),
        }],
        intervals: vec![interval(true).to_wire(0, 0)],
        user_changes: vec![UserChange {
            second: 0,
            arrivals: 4,
            late_arrivals: 1,
            skipped_arrivals: 2,
            ..UserChange::default()
        }],
        notices: vec![notice.clone()],
        ..Snapshot::default()
    };
    let saved = store
        .save_snapshot(&"r".into(), &"a".into(), snapshot)
        .await
        .unwrap();
    assert_eq!(saved, SaveOutcome::Saved);
    assert_eq!(
        store.notices(&"r".into(), &Scope::default()).await.unwrap(),
        [notice]
    );
    // as it is kept up in memory, as it is read, and as that of the only agent
    let first = Scope::of_window(Window::new(0, 10).unwrap());
    for scope in [Scope::default(), first, of_agent] {
        let totals = store.totals(&"r".into(), &scope).await.unwrap();
        let all = totals.aggregated();
        assert_eq!((all.requests(), all.sums().intended.count), (4, 2));
        assert_eq!(all.sums().intended.sum_us, 60_000);
        assert_eq!(all.intended_percentile_us(1.0), Some(40_000));
        assert_eq!(
            totals.arrivals,
            Arrivals {
                started: 4,
                late: 1,
                skipped: 2
            }
        );
    }
}

/// What an earlier version saved of each agent is added to what is saved of all together, and stays in its part.
#[tokio::test]
async fn a_run_of_several_agents_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    first_schema(dir.path());
    let old = Connection::open(dir.path().join(DATABASE_FILE)).unwrap();
    old.execute_batch(
        "INSERT INTO run_agents VALUES (1, 1, 'b', 'b', '[1]', 0, NULL);
         INSERT INTO intervals SELECT run, level, bucket, endpoint, 1, requests, failures, bytes, min_us, max_us, sum_us,
             ttfb_sum_us, ttfb_count, histogram FROM intervals;
         INSERT INTO errors SELECT run, level, bucket, error, 1, 2 FROM errors WHERE bucket = 40 OR level >= 2;",
    )
    .unwrap();
    drop(old);
    let store = Store::open(dir.path()).unwrap();
    let unknown = store.unattributed(&"r".into()).await.unwrap();
    assert!(unknown.users);
    // So much later that the old seconds are rolled up with the new ones.
    for second in 0..200 {
        let mut added = interval(false).to_wire(second, 0);
        added.errors.push(ErrorCount {
            error: "refused".into(),
            occurrences: 1,
        });
        let snapshot = Snapshot {
            run_id: "r".into(),
            seq: u64::from(second) + 2,
            endpoints: vec![Endpoint {
                method: "GET".into(),
                name: "/".into(),
            }],
            intervals: vec![added],
            user_changes: vec![UserChange {
                second,
                started: 1,
                ..UserChange::default()
            }],
            ..Snapshot::default()
        };
        let saved = store
            .save_snapshot(&"r".into(), &"a".into(), snapshot)
            .await;
        assert_eq!(saved.unwrap(), SaveOutcome::Saved);
    }
    store.close().await;
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(
        store.run(&"r".into()).await.unwrap().unwrap().agents[0].last_seq,
        201
    );
    let scope = |window: Option<(u32, u32)>, agent: Option<&str>| Scope {
        window: window.map(|(from, to)| Window::new(from, to).unwrap()),
        agent: agent.map(str::to_owned),
        ..Scope::default()
    };
    // Of each: requests, errors, and the seconds of the errors.
    for (window, agent, requests, errors, seconds) in [
        (None, None, 404, 205, (0, 199)),
        (None, Some("a"), 402, 203, (0, 199)),
        (None, Some("b"), 2, 2, (40, 40)),
        (Some((0, 64)), None, 132, 69, (0, 63)),
        (Some((3, 41)), Some("a"), 76, 41, (3, 40)),
        (Some((0, 41)), Some("b"), 2, 2, (40, 40)),
        (Some((41, 200)), Some("b"), 0, 0, (0, 0)),
    ] {
        let scope = scope(window, agent);
        let what = format!("{window:?} {agent:?}");
        let totals = store.totals(&"r".into(), &scope).await.unwrap();
        assert_eq!(totals.aggregated().requests(), requests, "{what}");
        let found = store.errors(&"r".into(), &scope).await.unwrap();
        let found = found
            .first()
            .map_or((0, (0, 0)), |e| (e.occurrences, (e.first, e.last)));
        assert_eq!(found, (errors, seconds), "{what}");
        let sum: u64 = totals
            .errors()
            .iter()
            .map(|(_, _, occurrences)| occurrences)
            .sum();
        assert_eq!(sum, errors, "{what}");
    }
    let of_agent = scope(None, Some("a"));
    let series = store.series(&"r".into(), &of_agent, 1_000).await.unwrap();
    // The three users of before are of agents that are not known.
    assert_eq!(series.points.last().unwrap().users, 199);
    let unknown = store.unattributed(&"r".into()).await.unwrap();
    assert!(unknown.users);
}

/// What the first schemas have of a database, as it was when it was of schema `schema`.
fn of_schema(dir: &Path, schema: usize) -> Connection {
    let new = dir.join(DATABASE_FILE);
    let old = dir.join("old.sqlite");
    let connection = Connection::open(&old).unwrap();
    for migration in &MIGRATIONS[..schema] {
        connection.execute_batch(migration).unwrap();
    }
    connection
        .execute("ATTACH ?1 AS new", [new.to_str().unwrap()])
        .unwrap();
    let tables: Vec<String> = connection
        .prepare(
            "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
        )
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    for table in tables {
        let columns: String = connection
            .query_row(
                "SELECT group_concat(name) FROM pragma_table_info(?1)",
                [&table],
                |row| row.get(0),
            )
            .unwrap();
        connection
            .execute_batch(&format!(
                "INSERT INTO main.{table} ({columns}) SELECT {columns} FROM new.{table}"
            ))
            .unwrap();
    }
    connection.execute_batch("DETACH new").unwrap();
    connection
        .pragma_update(None, "application_id", APPLICATION_ID)
        .unwrap();
    connection
        .pragma_update(None, "user_version", i64::try_from(schema).unwrap())
        .unwrap();
    drop(connection);
    std::fs::rename(&old, &new).unwrap();
    Connection::open(&new).unwrap()
}

#[tokio::test]
async fn rows_of_agents_that_schema_11_rolled_up_are_not_rolled_up_again() {
    const AGENTS: [&str; 2] = ["a", "b"];
    /// After so many seconds rows of several levels are there.
    const BEFORE: u32 = 700;
    const AFTER: u32 = 1_400;
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let run = RunRecord {
        id: "r".into(),
        number: 0,
        test: LoadTest {
            duration_s: 3_600,
            ..LoadTest::default()
        },
        phase: RunPhase::Running,
        created_at: WallTime::default(),
        started_at: Some(WallTime::default()),
        ended_at: None,
        agents: (0..)
            .zip(AGENTS)
            .map(|(worker, agent)| RunAgent {
                id: agent.into(),
                name: agent.to_owned(),
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
    store.create_run(run).await.unwrap();
    let save = async |store: &Store, seq: u64, seconds: std::ops::Range<u32>| {
        for agent in AGENTS {
            let snapshot = Snapshot {
                run_id: "r".into(),
                seq,
                endpoints: vec![Endpoint {
                    method: "GET".to_owned(),
                    name: "/".to_owned(),
                }],
                intervals: seconds
                    .clone()
                    .map(|second| interval(false).to_wire(second, 0))
                    .collect(),
                ..Snapshot::default()
            };
            let (run, agent) = ("r".into(), agent.into());
            let saved = store.save_snapshot(&run, &agent, snapshot);
            assert_eq!(saved.await.unwrap(), SaveOutcome::Saved);
        }
    };
    save(&store, 1, 0..BEFORE).await;
    store.close().await;
    let old = of_schema(dir.path(), 11);
    let rolled: bool = old
        .query_row("SELECT max(level) >= 3 FROM agent_intervals", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert!(rolled);
    drop(old);

    let store = Store::open(dir.path()).unwrap();
    save(&store, 2, BEFORE..AFTER).await;
    for agent in AGENTS {
        for window in [
            None,
            Some(Window::new(0, 512).unwrap()),
            Some(Window::new(3, 1_300).unwrap()),
        ] {
            let scope = Scope {
                window,
                agent: Some(agent.to_owned()),
                ..Scope::default()
            };
            let seconds = window.map_or(AFTER, |window| window.to() - window.from());
            let totals = store.totals(&"r".into(), &scope).await.unwrap();
            assert_eq!(
                totals.aggregated().requests(),
                2 * u64::from(seconds),
                "{scope:?}"
            );
        }
    }
}

/// What tells whether results have come since a run was judged is the same as if this version had counted the tags.
#[tokio::test]
async fn requests_of_tags_that_schema_29_stored_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let run = |id: &str, number: u64| RunRecord {
        id: id.into(),
        number,
        test: LoadTest {
            thresholds: vec!["requests >= 1 for tag api during whole".parse().unwrap()],
            duration_s: 3_600,
            ..LoadTest::default()
        },
        phase: RunPhase::Running,
        created_at: WallTime::default(),
        started_at: Some(WallTime::default()),
        ended_at: None,
        agents: vec![RunAgent {
            id: "a".into(),
            name: "a".to_owned(),
            workers: vec![0],
            last_seq: 0,
            saved_until: 0,
            end: None,
            build: BuildInfo::default(),
        }],
        profile: LoadProfile::default(),
        completeness: Completeness::default(),
    };
    let save = async |store: &Store, id: &str, seq: u64, seconds: std::ops::Range<u32>| {
        let intervals: Vec<_> = seconds
            .map(|second| interval(false).to_wire(second, 0))
            .collect();
        let of_tag = intervals.iter().map(|interval| TagInterval {
            tag: 0,
            interval: interval.clone(),
        });
        let snapshot = Snapshot {
            run_id: id.into(),
            seq,
            endpoints: vec![Endpoint {
                method: "GET".to_owned(),
                name: "/".to_owned(),
            }],
            tag_intervals: of_tag.collect(),
            intervals,
            ..Snapshot::default()
        };
        let (run, agent) = (id.into(), "a".into());
        let saved = store.save_snapshot(&run, &agent, snapshot);
        assert_eq!(saved.await.unwrap(), SaveOutcome::Saved);
    };
    let mut runs = Vec::new();
    // Each interval has two requests; the last run has none.
    for (id, seconds) in [("p", 3), ("q", 7), ("r", 0)] {
        runs.push((store.create_run(run(id, 0)).await.unwrap(), 2 * seconds));
        if seconds > 0 {
            save(&store, id, 1, 0..seconds).await;
        }
    }
    store.close().await;
    drop(of_schema(dir.path(), 29));

    let store = Store::open(dir.path()).unwrap();
    save(&store, "q", 2, 7..9).await;
    runs[1].1 += 4;
    for (record, requests) in &mut runs {
        record.phase = RunPhase::Finished;
        record.ended_at = Some(WallTime::from_micros(10_000_000));
        store.update_run(record).await.unwrap();
        let results = store.threshold_results(record).await.unwrap();
        // None of a tag that was never requested.
        let expected = (*requests > 0).then(|| f64::from(*requests));
        assert_eq!(results[0].actual, expected);
    }
    store.close().await;
    let kept = Connection::open(dir.path().join(DATABASE_FILE)).unwrap();
    let mut kept = kept
        .prepare("SELECT tag_requests, verdict FROM runs ORDER BY id")
        .unwrap();
    let kept = kept
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    let kept: Vec<(i64, Option<String>)> = kept.collect::<Result<_, _>>().unwrap();
    // Without a verdict it would be judged again at each look at it.
    let verdict = |text: &str| Some(text.to_owned());
    let expected = [
        (6, verdict("passed")),
        (18, verdict("passed")),
        (0, verdict("failed")),
    ];
    assert_eq!(kept, expected);
}

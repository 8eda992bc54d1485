//! Runs and what is kept of them: numbers, exactly-once snapshots, logs.

use std::time::Duration;

use crate::support::{START, create, end, endpoint, first_seconds, run, snapshot, store};
use greylag_infra::protocol::{LogLine, SampleData, SampleKind, WorkerState};
use greylag_infra::{FailureReason, RunId, RunPhase, RunTime};
use greylag_reporting::{MAX_LOG_LINES, RunFilter, SaveOutcome, Scope, Store, StoreError, Summary};

fn line(text: &str) -> LogLine {
    LogLine {
        at: START,
        source: "agent/worker-0".into(),
        text: text.into(),
    }
}

#[tokio::test]
async fn runs_are_numbered_per_test_and_listed_newest_first() {
    let (_dir, store) = store().await;
    for (at, (id, test)) in (0..).zip([("r1", "a"), ("r2", "b"), ("r3", "a"), ("r4", "a")]) {
        let mut record = run(id, test, &["x", "y"]);
        record.created_at = record.created_at + Duration::from_micros(at);
        record.number = 77; // whatever is given, the store counts
        let created = store.create_run(record.clone()).await.unwrap();
        record.number = [1, 1, 2, 3][at as usize];
        assert_eq!(created, record);
        assert_eq!(store.run(&id.into()).await.unwrap(), Some(record));
    }
    assert!(matches!(
        store.create_run(run("r1", "c", &["x"])).await,
        Err(StoreError::RunExists(id)) if id == "r1"
    ));
    assert_eq!(store.run(&"r9".into()).await.unwrap(), None);

    let ids = async |filter: RunFilter| -> Vec<RunId> {
        let runs = store.runs(filter).await.unwrap();
        runs.into_iter().map(|run| run.id).collect()
    };
    assert_eq!(ids(RunFilter::default()).await, ["r4", "r3", "r2", "r1"]);
    let of_a = RunFilter {
        test: Some("a".into()),
        limit: Some(2),
        offset: 1,
        ..RunFilter::default()
    };
    assert_eq!(ids(of_a).await, ["r3", "r1"]);

    let tests = store.tests().await.unwrap();
    let tests: Vec<_> = tests
        .iter()
        .map(|test| (test.name.as_str(), test.runs))
        .collect();
    assert_eq!(tests, [("a", 3), ("b", 1)]);

    let mut over = store.run(&"r1".into()).await.unwrap().unwrap();
    over.phase = RunPhase::Failed(FailureReason::other("agent x was lost"));
    over.ended_at = Some(START + RunTime::from_micros(5_000_000));
    store.update_run(&over).await.unwrap();
    assert_eq!(store.run(&"r1".into()).await.unwrap(), Some(over));
    let unfinished = store.unfinished_runs().await.unwrap();
    let unfinished: Vec<_> = unfinished.iter().map(|run| run.id.as_str()).collect();
    assert_eq!(unfinished, ["r2", "r3", "r4"]);
}

#[tokio::test]
async fn infrastructures_are_kept_once() {
    let (_dir, store) = store().await;
    for name in ["lab", "cloud", "lab"] {
        store.save_infrastructure(name).await.unwrap();
    }
    assert_eq!(store.infrastructures().await.unwrap(), ["cloud", "lab"]);
}

#[tokio::test]
async fn a_snapshot_is_saved_once_in_order_and_not_after_the_end() {
    let (_dir, store) = store().await;
    create(&store, "r", &["a", "b"]).await;
    let get = endpoint("GET", "/");
    let one = snapshot("r", 1, &[(0, &get, 1_000, None)]);

    assert!(
        store
            .save_snapshot(&"x".into(), &"a".into(), one.clone())
            .await
            .unwrap_err()
            .is_unknown_run()
    );
    let stranger = store
        .save_snapshot(&"r".into(), &"c".into(), one.clone())
        .await
        .unwrap_err();
    assert!(stranger.is_invalid_input(), "{stranger}");

    assert_eq!(
        store
            .save_snapshot(&"r".into(), &"a".into(), one.clone())
            .await
            .unwrap(),
        SaveOutcome::Saved
    );
    assert_eq!(
        store
            .save_snapshot(&"r".into(), &"a".into(), one.clone())
            .await
            .unwrap(),
        SaveOutcome::Duplicate
    );
    assert_eq!(
        store
            .save_snapshot(&"r".into(), &"b".into(), one.clone())
            .await
            .unwrap(),
        SaveOutcome::Saved
    );
    let third = snapshot("r", 3, &[(1, &get, 1_000, None)]);
    assert_eq!(
        store
            .save_snapshot(&"r".into(), &"a".into(), third)
            .await
            .unwrap(),
        SaveOutcome::Gap { expected: 2 }
    );
    let mut last = snapshot("r", 2, &[(1, &get, 1_000, None)]);
    last.end = Some(end(2, 0));
    assert_eq!(
        store
            .save_snapshot(&"r".into(), &"a".into(), last.clone())
            .await
            .unwrap(),
        SaveOutcome::Saved
    );
    assert_eq!(
        store
            .save_snapshot(&"r".into(), &"a".into(), last)
            .await
            .unwrap(),
        SaveOutcome::Duplicate
    );
    let more = snapshot("r", 3, &[(2, &get, 1_000, None)]);
    let after_end = store
        .save_snapshot(&"r".into(), &"a".into(), more)
        .await
        .unwrap_err();
    assert!(
        matches!(after_end, StoreError::AfterEnd { .. }),
        "{after_end}"
    );

    let record = store.run(&"r".into()).await.unwrap().unwrap();
    assert_eq!(record.agents[0].last_seq, 2);
    assert_eq!(record.agents[0].end, Some(end(2, 0)));
    assert_eq!(
        (record.agents[1].last_seq, &record.agents[1].end),
        (1, &None)
    );
    assert_eq!(
        store
            .totals(&"r".into(), &Scope::default())
            .await
            .unwrap()
            .aggregated()
            .requests(),
        3
    );

    // A record that does not know of the end does not undo it.
    let mut stale = record.clone();
    stale.agents[0].end = None;
    stale.agents[0].last_seq = 0;
    store.update_run(&stale).await.unwrap();
    assert_eq!(store.run(&"r".into()).await.unwrap(), Some(record));
}

#[tokio::test]
async fn nothing_is_saved_to_a_run_that_is_over() {
    let (dir, store) = store().await;
    let mut record = create(&store, "r", &["a", "b"]).await;
    let get = endpoint("GET", "/");
    let one = snapshot("r", 1, &[(0, &get, 1_000, None)]);
    store
        .save_snapshot(&"r".into(), &"a".into(), one.clone())
        .await
        .unwrap();
    record.phase = RunPhase::Failed(FailureReason::other("agent b was lost"));
    record.ended_at = Some(START + RunTime::from_micros(10_000_000));
    store.update_run(&record).await.unwrap();
    let check = async |store: &Store| {
        let before = Summary::read(store, &"r".into(), &Scope::default(), START)
            .await
            .unwrap();
        let two = snapshot("r", 2, &[(1, &get, 1_000, None)]);
        let beyond_a_gap = snapshot("r", 5, &[(1, &get, 1_000, None)]);
        for (agent, late) in [("a", two), ("a", beyond_a_gap), ("b", one.clone())] {
            let refused = store
                .save_snapshot(&"r".into(), &agent.into(), late)
                .await
                .unwrap_err();
            assert!(refused.is_unknown_run(), "{refused}");
        }
        assert_eq!(
            store
                .save_snapshot(&"r".into(), &"a".into(), one.clone())
                .await
                .unwrap(),
            SaveOutcome::Duplicate
        );
        assert_eq!(
            Summary::read(store, &"r".into(), &Scope::default(), START)
                .await
                .unwrap(),
            before
        );
        assert_eq!(before.totals.stats.requests, 1);
    };
    check(&store).await;
    store.close().await;
    check(&Store::open(dir.path()).unwrap()).await;
}

#[tokio::test]
async fn a_failed_transaction_changes_nothing_and_can_be_repeated() {
    let (dir, store) = store().await;
    create(&store, "r", &["a"]).await;
    let (known, new) = (endpoint("GET", "/known"), endpoint("GET", "/new"));
    let first = snapshot("r", 1, &[(0, &known, 1_000, None)]);
    store
        .save_snapshot(&"r".into(), &"a".into(), first)
        .await
        .unwrap();
    assert_eq!(
        store
            .totals(&"r".into(), &Scope::default())
            .await
            .unwrap()
            .aggregated()
            .requests(),
        1
    );

    // Fails as late as it can: when everything but the number of the snapshot is written.
    let saboteur = rusqlite::Connection::open(dir.path().join("greylag.sqlite")).unwrap();
    saboteur
        .execute_batch(
            "CREATE TRIGGER full BEFORE INSERT ON agent_progress
             BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END",
        )
        .unwrap();
    let second = snapshot(
        "r",
        2,
        &[(1, &new, 2_000, Some("boom")), (2, &known, 3_000, None)],
    );
    let error = store
        .save_snapshot(&"r".into(), &"a".into(), second.clone())
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Database(_)) && !error.is_invalid_input());
    assert!(error.to_string().contains("disk is full"), "{error}");
    for scope in [Scope::default(), first_seconds(100)] {
        let totals = store.totals(&"r".into(), &scope).await.unwrap();
        assert_eq!(totals.endpoints.len(), 1);
        assert_eq!(totals.aggregated().requests(), 1);
    }
    assert_eq!(
        store
            .series(&"r".into(), &Scope::default(), 100)
            .await
            .unwrap()
            .points
            .len(),
        1
    );

    saboteur.execute_batch("DROP TRIGGER full").unwrap();
    assert_eq!(
        store
            .save_snapshot(&"r".into(), &"a".into(), second)
            .await
            .unwrap(),
        SaveOutcome::Saved
    );
    for scope in [Scope::default(), first_seconds(100)] {
        let totals = store.totals(&"r".into(), &scope).await.unwrap();
        assert_eq!(totals.endpoints.len(), 2);
        assert_eq!(totals.aggregated().requests(), 3);
        assert_eq!(totals.errors(), [(&new, "boom", 1)]);
    }
}

#[tokio::test]
async fn two_runs_do_not_mix() {
    let (_dir, store) = store().await;
    let get = endpoint("GET", "/");
    for (id, requests) in [("one", 3), ("two", 5)] {
        create(&store, id, &["a"]).await;
        for seq in 1..=requests {
            let mut one = snapshot(id, seq, &[(seq as u32, &get, seq * 1_000, Some(id))]);
            one.log = vec![line(id)];
            one.samples = vec![SampleData {
                endpoint: 0,
                at_us: seq * 1_000_000,
                response_us: seq * 1_000,
                failed: true,
                kind: SampleKind::Drawn,
                ..SampleData::default()
            }];
            one.workers = vec![WorkerState {
                index: 0,
                pid: requests as u32,
                users: seq,
                running: true,
            }];
            store
                .save_snapshot(&id.into(), &"a".into(), one)
                .await
                .unwrap();
        }
    }
    for (id, requests) in [("one", 3_u64), ("two", 5)] {
        let totals = store.totals(&id.into(), &Scope::default()).await.unwrap();
        assert_eq!(totals.aggregated().requests(), requests);
        assert_eq!(totals.errors(), [(&get, id, requests)]);
        let log = store
            .log(&id.into(), &Scope::default(), 0, 100)
            .await
            .unwrap();
        assert!(log.iter().all(|row| row.text == id) && log.len() as u64 == requests);
        let samples = store
            .samples(&id.into(), &Scope::default(), 0, 100)
            .await
            .unwrap();
        assert_eq!(
            (samples.of, samples.points.len() as u64),
            (requests, requests)
        );
        let workers = store
            .worker_rows(&id.into(), &Scope::default())
            .await
            .unwrap();
        assert_eq!(
            (workers.len(), workers[0].pid, workers[0].users),
            (1, requests as u32, requests)
        );
        assert_eq!(workers[0].agent, "name of a");
        let series = store
            .series(&id.into(), &Scope::default(), 100)
            .await
            .unwrap();
        assert_eq!(series.points.len() as u64, requests + 1);
    }
    assert!(
        store
            .totals(&"three".into(), &Scope::default())
            .await
            .unwrap_err()
            .is_unknown_run()
    );
    assert!(
        store
            .log(&"three".into(), &Scope::default(), 0, 1)
            .await
            .unwrap_err()
            .is_unknown_run()
    );
}

#[tokio::test]
async fn the_log_is_bounded_counted_and_harmless() {
    let (dir, store) = store().await;
    create(&store, "r", &["a"]).await;
    let mut first = snapshot("r", 1, &[]);
    first.log = vec![
        line("\u{1b}[31m<script>\u{1b}[0m\r"),
        line(&"x".repeat(100_000)),
    ];
    first.log_lines_dropped = 7;
    store
        .save_snapshot(&"r".into(), &"a".into(), first)
        .await
        .unwrap();
    let rows = store
        .log(&"r".into(), &Scope::default(), 0, 10)
        .await
        .unwrap();
    assert_eq!((rows[0].seq, rows[0].text.as_str()), (1, "<script>"));
    assert_eq!(rows[1].text.len(), 4_096);
    assert_eq!(
        store
            .log(&"r".into(), &Scope::default(), 1, 10)
            .await
            .unwrap(),
        rows[1..]
    );
    assert_eq!(store.log_lines_dropped(&"r".into()).await.unwrap(), 7);

    // As if almost all of it had been said.
    let database = rusqlite::Connection::open(dir.path().join("greylag.sqlite")).unwrap();
    database
        .execute("UPDATE runs SET log_lines = ?1", [MAX_LOG_LINES as i64 - 8])
        .unwrap();
    let mut flood = snapshot("r", 2, &[]);
    flood.log = vec![line("short"); 20];
    store
        .save_snapshot(&"r".into(), &"a".into(), flood)
        .await
        .unwrap();
    assert_eq!(store.log_lines_dropped(&"r".into()).await.unwrap(), 7 + 12);
    store
        .append_log(&"r".into(), vec![line("final tables")])
        .await
        .unwrap();
    let last = store
        .last_log_lines(&"r".into(), &Scope::default(), 0, 1)
        .await
        .unwrap();
    assert_eq!(
        (last[0].seq, last[0].text.as_str()),
        (MAX_LOG_LINES + 1, "final tables")
    );
}

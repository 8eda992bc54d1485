//! Deleting runs: gone immediately, every row and its space in time, and never in the way of others.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::{START, endpoint, run, snapshot};
use greylag_infra::protocol::LogLine;
use greylag_infra::{RunId, RunPhase, RunTime};
use greylag_reporting::{RunFilter, SaveOutcome, Scope, Store, StoreError};

const DATABASE: &str = "greylag.sqlite";

/// A run of `seconds` seconds with a request, an error and a log line in each, which is over.
async fn finished_run(store: &Store, id: &str, seconds: u32) {
    let mut record = store.create_run(run(id, "checkout", &["a"])).await.unwrap();
    let get = endpoint("GET", "/");
    for (seq, from) in (1..).zip((0..seconds).step_by(50)) {
        let requests: Vec<_> = (from..(from + 50).min(seconds))
            .map(|second| {
                (
                    second,
                    &get,
                    1_000 + u64::from(second),
                    Some("an error of the run"),
                )
            })
            .collect();
        let mut snapshot = snapshot(id, seq, &requests);
        snapshot.log = (0..50)
            .map(|line| LogLine {
                at: START,
                source: "a/worker-0".into(),
                text: format!("line {line} {}", "of a long log ".repeat(20)),
            })
            .collect();
        let saved = store
            .save_snapshot(&id.into(), &"a".into(), snapshot)
            .await
            .unwrap();
        assert_eq!(saved, SaveOutcome::Saved);
    }
    record.phase = RunPhase::Finished;
    record.ended_at = Some(START + RunTime::of_second(seconds));
    store.update_run(&record).await.unwrap();
}

async fn ids(store: &Store) -> Vec<RunId> {
    let runs = store.runs(RunFilter::default()).await.unwrap();
    runs.into_iter().map(|run| run.id).collect()
}

/// Rows of every table with rows of runs, and pages that nothing uses.
fn rows_and_free_pages(dir: &Path) -> (i64, i64) {
    let connection = rusqlite::Connection::open(dir.join(DATABASE)).unwrap();
    let tables: Vec<String> = connection
        .prepare(
            "SELECT DISTINCT tables.name FROM sqlite_schema tables JOIN pragma_table_info(tables.name) columns
             WHERE tables.type = 'table' AND columns.name = 'run'",
        )
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let rows = tables.iter().map(|table| {
        let count = format!("SELECT count(*) FROM {table}");
        connection
            .query_row(&count, [], |row| row.get::<_, i64>(0))
            .unwrap()
    });
    let free = connection.pragma_query_value(None, "freelist_count", |row| row.get(0));
    (rows.sum(), free.unwrap())
}

async fn until_deleted(dir: &Path) {
    for _ in 0..1_200 {
        if rows_and_free_pages(dir) == (0, 0) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("still there: {:?}", rows_and_free_pages(dir));
}

#[tokio::test]
async fn a_deleted_run_leaves_no_row_no_space_and_no_number() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    finished_run(&store, "one", 1_000).await;
    store.delete_run(&"one".into()).await.unwrap();
    assert!(ids(&store).await.is_empty());
    assert!(store.tests().await.unwrap().is_empty());
    assert_eq!(store.run(&"one".into()).await.unwrap(), None);
    assert!(
        store
            .totals(&"one".into(), &Scope::default())
            .await
            .unwrap_err()
            .is_unknown_run()
    );
    assert!(
        store
            .delete_run(&"one".into())
            .await
            .unwrap_err()
            .is_unknown_run()
    );
    until_deleted(dir.path()).await;
    store.close().await;
    let size = std::fs::metadata(dir.path().join(DATABASE)).unwrap().len();
    assert!(size < 1 << 20, "{size} bytes are left");

    let store = Store::open(dir.path()).unwrap();
    let next = store
        .create_run(run("two", "checkout", &["a"]))
        .await
        .unwrap();
    assert_eq!(next.number, 2);
    assert_eq!(store.tests().await.unwrap()[0].runs, 1);
    // what is under way is not deleted under its agents
    let refused = store.delete_run(&"two".into()).await.unwrap_err();
    assert!(matches!(refused, StoreError::NotOver(_)), "{refused}");
    assert_eq!(ids(&store).await, ["two"]);
}

#[tokio::test]
async fn results_of_other_runs_are_saved_meanwhile_and_the_next_start_goes_on_deleting() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    finished_run(&store, "old", 3_000).await;
    let kept = store
        .create_run(run("kept", "other", &["a"]))
        .await
        .unwrap();
    store.delete_run(&"old".into()).await.unwrap();
    let get = endpoint("GET", "/kept");
    let kept_snapshot = snapshot("kept", 1, &[(0, &get, 1_000, None)]);
    store
        .save_snapshot(&"kept".into(), &"a".into(), kept_snapshot)
        .await
        .unwrap();
    store.close().await;

    let store = Store::open(dir.path()).unwrap();
    assert_eq!(ids(&store).await, ["kept"]);
    let totals = store
        .totals(&"kept".into(), &Scope::default())
        .await
        .unwrap();
    assert_eq!(totals.aggregated().requests(), 1);
    store
        .update_run(&greylag_infra::RunRecord {
            phase: RunPhase::Finished,
            ..kept
        })
        .await
        .unwrap();
    store.delete_run(&"kept".into()).await.unwrap();
    until_deleted(dir.path()).await;
}

/// Says to the process that [`a_coordinator_that_is_killed`] is which directory is its.
const KILLED_DIRECTORY: &str = "GREYLAG_TEST_KILLED_DIRECTORY";
/// No row was deleted for so long: none will be.
const STUCK: Duration = Duration::from_secs(60);
/// How often it is killed.
const KILLS: usize = 4;

#[test]
#[ignore = "it is a process of the test below"]
fn a_coordinator_that_is_killed() {
    if let Some(dir) = std::env::var_os(KILLED_DIRECTORY) {
        let _store = Store::open(Path::new(&dir)).unwrap();
        // Until it is killed.
        std::thread::park();
    }
}

/// Rows that are about to be deleted.
fn rows_of_deleted(reader: &rusqlite::Connection) -> i64 {
    let count = "SELECT (SELECT count(*) FROM errors WHERE run = 1) + (SELECT count(*) FROM agent_intervals WHERE run = 1)";
    reader.query_row(count, [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn deleting_goes_on_wherever_it_was_killed_and_touches_no_other_run() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    finished_run(&store, "old", 10).await;
    finished_run(&store, "kept", 100).await;
    store.close().await;
    let connection = rusqlite::Connection::open(dir.path().join(DATABASE)).unwrap();
    // As many rows as a long run has, which would take long to save.
    connection
        .execute_batch(
            "BEGIN;
             WITH RECURSIVE n(n) AS (SELECT 1000 UNION ALL SELECT n + 1 FROM n WHERE n < 101000)
             INSERT INTO errors (run, level, bucket, error, agent, occurrences) SELECT 1, 0, n, 0, -1, 1 FROM n;
             WITH RECURSIVE n(n) AS (SELECT 1000 UNION ALL SELECT n + 1 FROM n WHERE n < 21000)
             INSERT INTO agent_intervals (run, level, bucket, agent, packed) SELECT 1, 0, n, 0, zeroblob(3000) FROM n;
             INSERT INTO deleted_runs VALUES (1);
             DELETE FROM runs WHERE run = 1;
             COMMIT",
        )
        .unwrap();
    let mut left = rows_of_deleted(&connection);
    assert!(left > 120_000, "{left}");
    for _ in 0..KILLS {
        let mut coordinator = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "deleting::a_coordinator_that_is_killed",
                "--ignored",
            ])
            .env(KILLED_DIRECTORY, dir.path())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while left > 0 && rows_of_deleted(&connection) == left {
            assert!(begun.elapsed() < STUCK, "{left} rows are left");
            tokio::time::sleep(Duration::from_millis(1)).await;
            assert!(coordinator.try_wait().unwrap().is_none(), "it has ended");
        }
        coordinator.kill().unwrap();
        coordinator.wait().unwrap();
        left = rows_of_deleted(&connection);
    }
    drop(connection);

    let store = Store::open(dir.path()).unwrap();
    assert_eq!(ids(&store).await, ["kept"]);
    let totals = store.totals(&"kept".into(), &Scope::default()).await;
    assert_eq!(totals.unwrap().aggregated().requests(), 100);
    store.delete_run(&"kept".into()).await.unwrap();
    until_deleted(dir.path()).await;
    store.close().await;
    let size = std::fs::metadata(dir.path().join(DATABASE)).unwrap().len();
    assert!(size < 1 << 20, "{size} bytes are left");
}

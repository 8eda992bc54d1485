mod hostile;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use greylag_infra::protocol::{
    AgentEnd, Endpoint, ErrorSampleData, LogLine, SampleData, Snapshot, TagInterval, UserChange,
    WorkerState,
};
use greylag_infra::{
    BuildInfo, Completeness, CustomMetric, GeneratorNotice, LoadProfile, LoadTest, MetricKind,
    NoticeKind, ProcessHealth, RunAgent, RunId, RunPhase, RunRecord, WallTime,
};
use rusqlite::Connection;
use rusqlite::types::Value;
use tempfile::TempDir;

use super::error::{BundleError, BundleResult};
use super::tables::Table;
use crate::measure::custom::MetricSums;
use crate::measure::interval::Interval;
use crate::store::schema::DATABASE_FILE;
use crate::store::{AnnotationChange, SaveOutcome, Store, StoreError};

const RUN: &str = "abc123";
/// So many seconds that rows of longer stretches are there.
const SECONDS: u32 = 120;

fn record(id: &str, test: &str) -> RunRecord {
    let agent = |id: &str, worker: u32| RunAgent {
        id: id.into(),
        name: format!("name of {id}"),
        workers: vec![worker],
        last_seq: 0,
        saved_until: 0,
        end: None,
        build: BuildInfo::default(),
    };
    RunRecord {
        id: id.into(),
        number: 0,
        test: LoadTest {
            name: test.to_owned(),
            thresholds: vec!["p95 < 1s for tag api".parse().unwrap()],
            ..LoadTest::default()
        },
        phase: RunPhase::Running,
        created_at: WallTime::from_micros(1_000_000),
        started_at: Some(WallTime::from_micros(2_000_000)),
        ended_at: None,
        agents: vec![agent("a", 0), agent("b", 1)],
        profile: LoadProfile::default(),
        completeness: Completeness::default(),
    }
}

fn snapshot(id: &str, worker: u32) -> Snapshot {
    let endpoint = |name: &str| Endpoint {
        method: "GET".into(),
        name: name.into(),
    };
    let mut intervals = Vec::new();
    for second in 0..SECONDS {
        let mut ok = Interval::default();
        for request in 0..20 {
            let us = 1_000 + u64::from((second * 7 + request * 13 + worker) % 500) * 10;
            let (response, first_byte) = (Duration::from_micros(us), Duration::from_micros(us / 2));
            ok.record(response, Some(first_byte), 100, None);
        }
        intervals.push(ok.to_wire(second, second % 2));
        let mut failed = Interval::default();
        failed.record(Duration::from_millis(30), None, 0, Some("refused"));
        intervals.push(failed.to_wire(second, 0));
    }
    let of_tasks = intervals.iter().step_by(2);
    let tagged = of_tasks.map(|interval| TagInterval {
        tag: 0,
        interval: interval.clone(),
    });
    let tagged = tagged.collect();
    Snapshot {
        run_id: id.into(),
        seq: 1,
        endpoints: vec![endpoint("/"), endpoint("/b")],
        intervals,
        user_changes: vec![UserChange {
            second: 0,
            started: 3,
            arrivals: 5,
            ..UserChange::default()
        }],
        samples: (0..90)
            .map(|at| SampleData {
                at_us: at * 1_000_000 + u64::from(worker),
                response_us: 2_000,
                ..SampleData::default()
            })
            .collect(),
        sample_errors: vec!["refused".to_owned()],
        error_samples: vec![ErrorSampleData {
            at_us: 5,
            status: Some(503),
            body: Some("no room".to_owned()),
            ..ErrorSampleData::default()
        }],
        log: vec![LogLine {
            at: WallTime::from_micros(3_000_000),
            source: format!("worker-{worker}"),
            text: "said ä\n".to_owned(),
        }],
        workers: vec![WorkerState {
            index: worker,
            pid: 7,
            users: 3,
            running: true,
        }],
        notices: vec![GeneratorNotice {
            kind: NoticeKind::Ports,
            worker: Some(worker),
            count: 2,
            ..GeneratorNotice::default()
        }],
        health: vec![ProcessHealth {
            second: 3,
            worker: Some(worker),
            core_pm: Some(950),
            ..ProcessHealth::default()
        }],
        metrics: vec![
            CustomMetric::new("sent", MetricKind::Counter, "bytes"),
            CustomMetric::new("speed", MetricKind::Histogram, ""),
        ],
        metric_values: (0..2 * SECONDS)
            .map(|at| {
                let (metric, second) = (at % 2, at / 2);
                let mut sums = MetricSums::default();
                sums.record(i64::from(second) << metric, u64::from(at), metric == 1);
                sums.to_wire(second, metric)
            })
            .collect(),
        tag_intervals: tagged,
        end: Some(AgentEnd {
            requests: u64::from(SECONDS) * 21,
            failures: u64::from(SECONDS),
            ..AgentEnd::default()
        }),
        ..Snapshot::default()
    }
}

async fn empty_store() -> (TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    (dir, store)
}

/// A run with something in every table.
async fn add_run(store: &Store, id: &str, test: &str) -> RunRecord {
    let mut run = store.create_run(record(id, test)).await.unwrap();
    for (worker, agent) in ["a", "b"].iter().enumerate() {
        let snapshot = snapshot(id, worker as u32);
        let (id, agent) = (RunId::from(id), (*agent).into());
        let saved = store.save_snapshot(&id, &agent, snapshot).await;
        assert_eq!(saved.unwrap(), SaveOutcome::Saved);
    }
    let change = AnnotationChange {
        pinned: None,
        labels: Some(vec!["commit=abc".to_owned()]),
        note: Some("# Fine".to_owned()),
    };
    store.annotate(&id.into(), change).await.unwrap();
    store
        .add_run_mark(&id.into(), 7, "deployed".to_owned())
        .await
        .unwrap();
    // Rows of a kind that only earlier versions wrote.
    let older =
        "INSERT INTO agent_seconds SELECT run, 0, 0, 0, 1, 0, 0, 0, 0 FROM runs WHERE NOT is_over";
    let older = store
        .inner
        .writer
        .run(|state| Ok(state.connection.execute(older, [])?));
    older.await.unwrap();
    run.phase = RunPhase::Finished;
    run.ended_at = Some(WallTime::from_micros(200_000_000));
    store.update_run(&run).await.unwrap();
    run
}

async fn export(store: &Store, id: &str) -> BundleResult<Vec<u8>> {
    let mut export = Some(
        store
            .export_bundle(&id.into(), WallTime::of_system())
            .await?,
    );
    let mut all = Vec::new();
    while let Some(next) = export {
        let (bytes, left) = store.next_of_bundle(next).await?;
        all.extend(bytes);
        export = left;
    }
    Ok(all)
}

async fn import(store: &Store, bundle: &[u8]) -> BundleResult<RunRecord> {
    let mut upload = store.receive_bundle(Duration::ZERO).await?;
    // Not where frames end.
    for piece in bundle.chunks(1_000) {
        upload.add(piece)?;
    }
    store.import_bundle(upload).await
}

/// Every row of a database, by table.
fn dump(dir: &Path) -> BTreeMap<String, Vec<Vec<Value>>> {
    let connection = Connection::open(dir.join(DATABASE_FILE)).unwrap();
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table'";
    let mut tables = connection.prepare(tables).unwrap();
    let tables = tables.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let rows_of = |table: String| {
        let mut rows = connection
            .prepare(&format!("SELECT * FROM {table}"))
            .unwrap();
        let columns = rows.column_count();
        let rows = rows.query_map([], |row| (0..columns).map(|at| row.get(at)).collect());
        (table, rows.unwrap().collect::<Result<_, _>>().unwrap())
    };
    tables.map(|table| rows_of(table.unwrap())).collect()
}

/// What is in the data directory beside the database.
fn leftovers(dir: &Path) -> usize {
    let names = std::fs::read_dir(dir).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(".import-")).count()
}

#[tokio::test]
async fn a_run_that_is_imported_makes_the_same_bundle() {
    let (_dir, from) = empty_store().await;
    // Its rows have other numbers than there.
    add_run(&from, "other", "first").await;
    let original = add_run(&from, RUN, "checkout").await;
    let bundle = export(&from, RUN).await.unwrap();
    assert_eq!(
        export(&from, RUN).await.unwrap(),
        bundle,
        "nothing of it is by chance"
    );

    let (dir, to) = empty_store().await;
    let imported = import(&to, &bundle).await.unwrap();
    assert_eq!(
        (imported.id.as_str(), imported.number),
        (RUN, original.number)
    );
    assert!(export(&to, RUN).await.unwrap() == bundle);
    let connection = Connection::open(dir.path().join(DATABASE_FILE)).unwrap();
    for table in Table::all(&connection).unwrap() {
        let rows = format!("SELECT count(*) FROM {}", table.name);
        let rows: i64 = connection.query_row(&rows, [], |row| row.get(0)).unwrap();
        assert!(rows > 0, "{} is tried by no row", table.name);
    }
    let unfinished = "SELECT count(*) FROM unfinished_imports";
    let unfinished: i64 = connection
        .query_row(unfinished, [], |row| row.get(0))
        .unwrap();
    assert_eq!((unfinished, leftovers(dir.path())), (0, 0));

    let before = dump(dir.path());
    let again = import(&to, &bundle).await;
    assert!(matches!(again, Err(BundleError::Exists(id)) if id.as_str() == RUN));
    assert_eq!(dump(dir.path()), before);
    // As any other run.
    to.delete_run(&RUN.into()).await.unwrap();
    import(&to, &bundle).await.unwrap();
    assert!(export(&to, RUN).await.unwrap() == bundle);
}

/// A coordinator that starts gives agents that it gave up time to hand over their results: those of a run that was imported are not its own.
#[tokio::test]
async fn a_run_that_is_imported_takes_no_late_results() {
    let (_dir, from) = empty_store().await;
    let mut run = add_run(&from, RUN, "checkout").await;
    run.agents[0].end = None;
    run.completeness
        .wait_for_late_results(run.ended_at.unwrap());
    from.update_run(&run).await.unwrap();
    assert_eq!(from.runs_taking_late_results().await.unwrap().len(), 1);
    let bundle = export(&from, RUN).await.unwrap();

    let (_dir, to) = empty_store().await;
    let imported = import(&to, &bundle).await.unwrap();
    assert_eq!(imported.completeness.late_until(), None);
    assert_eq!(to.runs_taking_late_results().await.unwrap(), []);
    assert!(export(&to, RUN).await.unwrap() == bundle);
}

#[tokio::test]
async fn a_number_that_is_taken_becomes_the_next_one() {
    let (_dir, from) = empty_store().await;
    add_run(&from, "first", "checkout").await;
    let second = add_run(&from, RUN, "checkout").await;
    assert_eq!(second.number, 2);
    let bundle = export(&from, RUN).await.unwrap();
    let (_dir, to) = empty_store().await;
    let number = async |id: &str| add_run(&to, id, "checkout").await.number;
    assert_eq!((number("x").await, number("y").await), (1, 2));
    assert_eq!(import(&to, &bundle).await.unwrap().number, 3);
    assert_eq!(number("z").await, 4);
}

#[tokio::test]
async fn only_a_run_that_is_over_has_a_bundle() {
    let (_dir, store) = empty_store().await;
    store.create_run(record(RUN, "checkout")).await.unwrap();
    let message = export(&store, RUN).await.unwrap_err().to_string();
    assert!(message.contains("still in progress"), "{message}");
    let unknown = export(&store, "zzz").await;
    assert!(matches!(
        unknown,
        Err(BundleError::Store(StoreError::UnknownRun(_)))
    ));

    let mut late = record("late", "checkout");
    late.phase = RunPhase::Finished;
    late.completeness
        .wait_for_late_results(WallTime::of_system());
    store.create_run(late).await.unwrap();
    let message = export(&store, "late").await.unwrap_err().to_string();
    assert!(message.contains("agents that were lost"), "{message}");

    add_run(&store, "gone", "checkout").await;
    let gone = RunId::from("gone");
    let begun = store.export_bundle(&gone, WallTime::of_system()).await;
    let begun = begun.unwrap();
    store.delete_run(&gone).await.unwrap();
    let ended = store.next_of_bundle(begun).await;
    assert!(matches!(ended, Err(BundleError::Deleted(_))));
}

#[tokio::test]
async fn what_a_coordinator_did_not_finish_is_deleted_when_the_next_one_starts() {
    let (dir, store) = empty_store().await;
    add_run(&store, "kept", "checkout").await;
    store.close().await;
    let connection = Connection::open(dir.path().join(DATABASE_FILE)).unwrap();
    connection
        .execute_batch(
            "INSERT INTO unfinished_imports VALUES (9);
             INSERT INTO log (run, seq, at_us, source, text) VALUES (9, 1, 1, 'a', 'b');",
        )
        .unwrap();
    drop(connection);
    std::fs::create_dir(dir.path().join(".import-x")).unwrap();
    std::fs::write(dir.path().join(".import-x/bundle"), "half of it").unwrap();
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(leftovers(dir.path()), 0);
    while store
        .inner
        .writer
        .run(|state| Ok(state.upkeep.is_due()))
        .await
        .unwrap()
    {}
    let rows = dump(dir.path());
    assert!(rows["unfinished_imports"].is_empty() && rows["deleted_runs"].is_empty());
    assert!(
        rows["log"].iter().all(|row| row[0] != Value::Integer(9)),
        "{:?}",
        rows["log"]
    );
    assert!(store.run(&RunId::from("kept")).await.unwrap().is_some());
}

#[tokio::test]
async fn one_bundle_is_imported_at_a_time() {
    let (_dir, store) = empty_store().await;
    let first = store.receive_bundle(Duration::ZERO).await.unwrap();
    let refused = store.receive_bundle(Duration::ZERO).await;
    assert!(matches!(refused, Err(BundleError::Busy)));
    // Who waits has its turn then.
    let waits = store.receive_bundle(Duration::from_secs(60));
    let ends = async {
        tokio::task::yield_now().await;
        drop(first);
    };
    let (second, ()) = tokio::join!(waits, ends);
    second.unwrap();
}

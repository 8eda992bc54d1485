//! Opening a data directory: what is refused, with which message, and what a crash leaves.

use std::fs;
use std::path::Path;

use crate::support::{endpoint, first_seconds, run, snapshot};
use greylag_infra::{FailureReason, RunPhase, WallTime};
use greylag_reporting::{SaveOutcome, Scope, Store, StoreError, Summary};

fn refusal(dir: &Path) -> String {
    Store::open(dir)
        .expect_err("it must be refused")
        .to_string()
}

#[tokio::test]
async fn a_directory_in_use_is_refused_until_it_is_free() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    assert!(refusal(dir.path()).contains("in use by another coordinator"));
    store.close().await;
    assert!(matches!(store.tests().await, Err(StoreError::Closed)));
    assert!(matches!(
        store.save_infrastructure("x").await,
        Err(StoreError::Closed)
    ));
    let again = Store::open(dir.path()).unwrap();
    drop(again);
    Store::open(dir.path()).expect("dropping the last handle frees the directory");
}

#[test]
fn what_is_no_directory_or_cannot_be_written_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "x").unwrap();
    assert!(refusal(&file).contains("is a file"));
    assert!(refusal(&file.join("below")).contains("cannot be written"));
    Store::open(&dir.path().join("new/and/deep")).expect("missing directories are made");
}

#[cfg(unix)]
#[test]
fn a_read_only_directory_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let closed = dir.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(closed.join("probe"), "").is_ok() {
        return; // the superuser may write everywhere
    }
    assert!(refusal(&closed).contains("cannot be written"));
}

#[test]
fn a_newer_schema_another_program_s_database_and_damage_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path()).unwrap());
    let database = dir.path().join("greylag.sqlite");
    let connection = rusqlite::Connection::open(&database).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    let newer = refusal(dir.path());
    assert!(
        newer.contains("created by a newer Greylag (schema 99"),
        "{newer}"
    );
    let untouched: i64 = connection
        .query_row("SELECT count(*) FROM runs", [], |row| row.get(0))
        .unwrap();
    assert_eq!(untouched, 0);

    connection.pragma_update(None, "application_id", 1).unwrap();
    assert!(refusal(dir.path()).contains("not a Greylag database"));
    drop(connection);

    fs::write(&database, "this is a letter, not a database. ".repeat(100)).unwrap();
    assert!(refusal(dir.path()).contains("not a Greylag database or is damaged"));
    fs::remove_file(&database).unwrap();
    Store::open(dir.path()).expect("a fresh one is made");
}

#[test]
fn nothing_is_written_to_what_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path()).unwrap());
    let connection = rusqlite::Connection::open(dir.path().join("greylag.sqlite")).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    // with something in the file that SQLite writes first
    let image = crash_image(dir.path());
    let contents = || {
        ["greylag.sqlite", "greylag.sqlite-wal"]
            .map(|file| fs::read(image.path().join(file)).unwrap())
    };
    let before = contents();
    assert!(!before[1].is_empty());
    assert!(refusal(image.path()).contains("newer Greylag"));
    assert!(contents() == before);
}

/// Versions before there were reasons kept their message only, of the run and of each agent's end.
#[tokio::test]
async fn failures_that_old_versions_kept_as_text_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store
        .create_run(run("r", "checkout", &["a"]))
        .await
        .unwrap();
    store.close().await;
    let connection = rusqlite::Connection::open(dir.path().join("greylag.sqlite")).unwrap();
    connection
        .execute_batch(
            r#"UPDATE runs SET is_over = 1, phase = '{"Failed":"agent a was lost"}';
               UPDATE run_agents SET end =
                   '{"failure":"worker 0 was killed","requests":1,"failures":0,"ended_at_us":5,"lost_workers":[]}';"#,
        )
        .unwrap();
    drop(connection);

    let store = Store::open(dir.path()).unwrap();
    let mut record = store.run(&"r".into()).await.unwrap().unwrap();
    let reason = |text| Some(FailureReason::other(text));
    assert_eq!(
        record.phase.failure_reason().cloned(),
        reason("agent a was lost")
    );
    let end = record.agents[0].end.clone().unwrap();
    assert_eq!(end.failure_reason(), reason("worker 0 was killed"));
    let summary = Summary::read(&store, &"r".into(), &Scope::default(), WallTime::default())
        .await
        .unwrap();
    assert_eq!(
        (summary.run.failure_reason, summary.run.failure_code),
        (Some("agent a was lost".into()), Some("other".into()))
    );

    // what is kept from now on
    let lost = FailureReason::AgentLost {
        agent: "a".into(),
        infrastructure: "lab".into(),
        silent_s: 31,
    };
    record.phase = RunPhase::Failed(lost);
    store.update_run(&record).await.unwrap();
    store.close().await;
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.run(&"r".into()).await.unwrap(), Some(record));
}

/// What is on disk at this moment is what a killed process would leave.
fn crash_image(dir: &Path) -> tempfile::TempDir {
    let image = tempfile::tempdir().unwrap();
    for file in ["greylag.sqlite", "greylag.sqlite-wal"] {
        fs::copy(dir.join(file), image.path().join(file)).unwrap();
    }
    image
}

#[tokio::test]
async fn a_crash_loses_nothing_that_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store
        .create_run(run("r", "test", &["a", "b"]))
        .await
        .unwrap();
    let get = endpoint("GET", "/");
    let mut saved = 0;
    for seq in 1..=60_u64 {
        for agent in ["a", "b"] {
            let second = seq as u32;
            let requests = [
                (second, &get, 1_000 * seq, None),
                (second / 3, &get, 5_000, Some("late")),
            ];
            store
                .save_snapshot(&"r".into(), &agent.into(), snapshot("r", seq, &requests))
                .await
                .unwrap();
            saved += 2;
        }
        if seq % 20 != 0 {
            continue;
        }
        let image = crash_image(dir.path());
        let after = Store::open(image.path()).unwrap();
        let run = after.run(&"r".into()).await.unwrap().unwrap();
        assert!(run.agents.iter().all(|agent| agent.last_seq == seq));
        for scope in [Scope::default(), first_seconds(1_000)] {
            let totals = after.totals(&"r".into(), &scope).await.unwrap();
            assert_eq!(totals.aggregated().requests(), saved);
            assert_eq!(totals.errors(), [(&get, "late", saved / 2)]);
        }
        // and it continues where it was
        let again = snapshot("r", seq, &[(1, &get, 1, None)]);
        assert_eq!(
            after
                .save_snapshot(&"r".into(), &"a".into(), again)
                .await
                .unwrap(),
            SaveOutcome::Duplicate
        );
        let next = snapshot("r", seq + 1, &[(1, &get, 1, None)]);
        assert_eq!(
            after
                .save_snapshot(&"r".into(), &"a".into(), next)
                .await
                .unwrap(),
            SaveOutcome::Saved
        );
        assert_eq!(
            after
                .totals(&"r".into(), &Scope::default())
                .await
                .unwrap()
                .aggregated()
                .requests(),
            saved + 1
        );
    }
}

/// A closed database with a run of some size.
async fn with_a_run(dir: &Path) {
    let store = Store::open(dir).unwrap();
    store.create_run(run("r", "test", &["a"])).await.unwrap();
    let get = endpoint("GET", "/");
    for seq in 1..=20_u64 {
        let requests: Vec<_> = (0..50)
            .map(|at| {
                (
                    seq as u32 * 50 + at,
                    &get,
                    1_000 * u64::from(at),
                    Some("error"),
                )
            })
            .collect();
        store
            .save_snapshot(&"r".into(), &"a".into(), snapshot("r", seq, &requests))
            .await
            .unwrap();
    }
    store.close().await;
}

#[tokio::test]
async fn a_database_that_is_not_whole_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    with_a_run(dir.path()).await;
    let database = dir.path().join("greylag.sqlite");
    let whole = fs::read(&database).unwrap();
    let half = whole.len() / 2;
    let mut second_half_lost = whole.clone();
    second_half_lost[half..].fill(0);
    let mut first_half_lost = whole.clone();
    first_half_lost[..half].fill(0);
    let mut one_page_lost = whole.clone();
    one_page_lost[whole.len() - 16_384..].fill(0);
    for (what, damaged) in [
        ("its second half is zeros", &second_half_lost[..]),
        ("its first half is zeros", &first_half_lost),
        ("its last page is zeros", &one_page_lost),
        ("its second half is missing", &whole[..half]),
    ] {
        fs::write(&database, damaged).unwrap();
        let refused = refusal(dir.path());
        assert!(refused.contains("is damaged"), "{what}: {refused}");
        assert!(
            refused.contains("greylag.sqlite-wal")
                && refused.contains("put a backup in their place"),
            "{refused}"
        );
        assert!(!refused.contains("disk of"), "{refused}");
    }
    fs::write(&database, &whole).unwrap();
    let store = Store::open(dir.path()).unwrap();
    assert!(store.run(&"r".into()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_backup_is_the_database_as_of_one_moment_without_secrets() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let mut record = run("r", "test", &["a"]);
    record.test.host = "https://ada:geheim@shop.example".into();
    let record = store.create_run(record).await.unwrap();
    let get = endpoint("GET", "/");
    let one = snapshot("r", 1, &[(1, &get, 1, None)]);
    store
        .save_snapshot(&"r".into(), &"a".into(), one)
        .await
        .unwrap();

    let copies = tempfile::tempdir().unwrap();
    let copy = copies.path().join("greylag.sqlite");
    fs::write(&copy, "").unwrap();
    Store::back_up(dir.path(), &copy).unwrap();
    let two = snapshot("r", 2, &[(2, &get, 1, None)]);
    store
        .save_snapshot(&"r".into(), &"a".into(), two)
        .await
        .unwrap();
    let bytes = fs::read(&copy).unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains("geheim"));

    let copied = Store::open(copies.path()).unwrap();
    let totals = copied.totals(&"r".into(), &Scope::default()).await.unwrap();
    assert_eq!(totals.aggregated().requests(), 1);
    let run = copied.run(&"r".into()).await.unwrap().unwrap();
    assert_eq!(run.test.host, "https://ada:…@shop.example/");
    // the run itself continues with what it needs
    let original = store.run(&"r".into()).await.unwrap().unwrap();
    assert_eq!(original.test, record.test);

    // also when no coordinator is there, and never from nothing
    store.close().await;
    drop(store);
    fs::remove_file(dir.path().join("greylag.sqlite-wal")).ok();
    let second = copies.path().join("second");
    fs::write(&second, "").unwrap();
    Store::back_up(dir.path(), &second).unwrap();
    assert!(fs::metadata(&second).unwrap().len() > 0);
    let empty = tempfile::tempdir().unwrap();
    let nothing = Store::back_up(empty.path(), &second).unwrap_err();
    assert!(
        matches!(nothing, StoreError::NothingThere { .. }),
        "{nothing}"
    );
    assert_eq!(fs::read_dir(empty.path()).unwrap().count(), 0);
}

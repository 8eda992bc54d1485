//! The tables, and how an older database becomes a current one.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::error::{StoreError, StoreResult};
use super::secret_rows::forget_secrets_of_finished;
use super::{disk_space, private_files, wholeness};

/// File in the data directory.
pub(super) const DATABASE_FILE: &str = "greylag.sqlite";
/// SQLite's application_id: "GLAG".
const APPLICATION_ID: i64 = 0x474c_4147;
/// How long a connection waits for another's lock (a checkpoint, say).
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Prepared statements kept per connection.
const STATEMENT_CACHE: usize = 64;

/// WHEN CHANGING THE TABLES: add a step at the end, never change one that was released. Step n takes a
/// database from schema n to n + 1.
///
/// Conventions: `run` is the run's row number; `bucket` the first second of run time of a row, `level` how
/// many seconds it holds (8^level, see `windows.rs`); times in µs; `agent` and `endpoint` and `error` are
/// numbers within the run.
const MIGRATIONS: [&str; 10] = [
    "
    CREATE TABLE infrastructures (name TEXT PRIMARY KEY) WITHOUT ROWID;

    CREATE TABLE runs (
        run INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        test TEXT NOT NULL,
        number INTEGER NOT NULL,
        definition TEXT NOT NULL,          -- LoadTest as JSON
        phase TEXT NOT NULL,               -- RunPhase as JSON
        is_over INTEGER NOT NULL,
        created_at_us INTEGER NOT NULL,
        started_at_us INTEGER,
        ended_at_us INTEGER,
        last_second INTEGER,               -- the last one that has a row in seconds
        log_lines INTEGER NOT NULL DEFAULT 0,
        log_bytes INTEGER NOT NULL DEFAULT 0,
        log_lines_dropped INTEGER NOT NULL DEFAULT 0,
        UNIQUE (test, number)
    );
    CREATE INDEX runs_by_age ON runs (created_at_us, run);
    CREATE INDEX runs_unfinished ON runs (run) WHERE NOT is_over;

    CREATE TABLE run_agents (
        run INTEGER NOT NULL,
        agent INTEGER NOT NULL,            -- position in the order in which workers are distributed
        id TEXT NOT NULL,
        name TEXT NOT NULL,
        workers TEXT NOT NULL,             -- JSON list of worker indexes
        last_seq INTEGER NOT NULL,
        end TEXT,                          -- AgentEnd as JSON
        PRIMARY KEY (run, agent)
    ) WITHOUT ROWID;

    CREATE TABLE workers (
        run INTEGER NOT NULL,
        worker INTEGER NOT NULL,           -- global index
        agent INTEGER NOT NULL,
        pid INTEGER NOT NULL,
        users INTEGER NOT NULL,
        running INTEGER NOT NULL,
        PRIMARY KEY (run, worker)
    ) WITHOUT ROWID;

    CREATE TABLE endpoints (
        run INTEGER NOT NULL,
        endpoint INTEGER NOT NULL,
        method TEXT NOT NULL,
        name TEXT NOT NULL,
        PRIMARY KEY (run, endpoint)
    ) WITHOUT ROWID;

    CREATE TABLE error_texts (
        run INTEGER NOT NULL,
        error INTEGER NOT NULL,
        endpoint INTEGER NOT NULL,
        text TEXT NOT NULL,
        PRIMARY KEY (run, error)
    ) WITHOUT ROWID;

    -- How far (first second not included) each level of intervals is rolled up.
    CREATE TABLE rolled (
        run INTEGER NOT NULL,
        level INTEGER NOT NULL,
        until INTEGER NOT NULL,
        PRIMARY KEY (run, level)
    ) WITHOUT ROWID;

    CREATE TABLE intervals (
        run INTEGER NOT NULL,
        level INTEGER NOT NULL,
        bucket INTEGER NOT NULL,
        endpoint INTEGER NOT NULL,
        agent INTEGER NOT NULL,
        requests INTEGER NOT NULL,
        failures INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        min_us INTEGER NOT NULL,
        max_us INTEGER NOT NULL,
        sum_us INTEGER NOT NULL,
        ttfb_sum_us INTEGER NOT NULL,
        ttfb_count INTEGER NOT NULL,
        histogram BLOB NOT NULL,           -- HdrHistogram V2, large ones of level 0 inside DEFLATE
        PRIMARY KEY (run, level, bucket, endpoint, agent)
    ) WITHOUT ROWID;

    -- The following three are kept at every level with each snapshot.
    CREATE TABLE errors (
        run INTEGER NOT NULL,
        level INTEGER NOT NULL,
        bucket INTEGER NOT NULL,
        error INTEGER NOT NULL,
        agent INTEGER NOT NULL,
        occurrences INTEGER NOT NULL,
        PRIMARY KEY (run, level, bucket, error, agent)
    ) WITHOUT ROWID;

    CREATE TABLE seconds (                 -- all endpoints and agents together
        run INTEGER NOT NULL,
        level INTEGER NOT NULL,
        bucket INTEGER NOT NULL,
        requests INTEGER NOT NULL,
        failures INTEGER NOT NULL,
        started INTEGER NOT NULL,
        stopped INTEGER NOT NULL,
        PRIMARY KEY (run, level, bucket)
    ) WITHOUT ROWID;

    CREATE TABLE samples (
        run INTEGER NOT NULL,
        level INTEGER NOT NULL,
        bucket INTEGER NOT NULL,
        agent INTEGER NOT NULL,
        packed BLOB NOT NULL,              -- MessagePack, see sample_rows.rs
        PRIMARY KEY (run, level, bucket, agent)
    ) WITHOUT ROWID;

    CREATE TABLE log (
        run INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        at_us INTEGER NOT NULL,
        source TEXT NOT NULL,
        text TEXT NOT NULL,
        PRIMARY KEY (run, seq)
    ) WITHOUT ROWID;
",
    "
    ALTER TABLE runs ADD COLUMN profile TEXT;  -- LoadProfile as JSON; NULL: as the definition says
",
    // Response times from the intended start, requests timed to the first byte only, arrival rates.
    "
    ALTER TABLE intervals ADD COLUMN intended_count INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE intervals ADD COLUMN intended_min_us INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE intervals ADD COLUMN intended_max_us INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE intervals ADD COLUMN intended_sum_us INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE intervals ADD COLUMN intended_histogram BLOB NOT NULL DEFAULT x'';
    ALTER TABLE intervals ADD COLUMN first_byte_only INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE seconds ADD COLUMN arrivals INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE seconds ADD COLUMN late_arrivals INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE seconds ADD COLUMN skipped_arrivals INTEGER NOT NULL DEFAULT 0;
",
    // What the generator itself ran short of.
    "
    CREATE TABLE notices (
        run INTEGER NOT NULL,
        kind TEXT NOT NULL,                -- NoticeKind as JSON
        worker INTEGER NOT NULL,           -- global index, -1 for several together
        subject TEXT NOT NULL,
        first_second INTEGER NOT NULL,
        last_second INTEGER NOT NULL,
        count INTEGER NOT NULL,
        worst INTEGER NOT NULL,
        PRIMARY KEY (run, kind, worker, subject)
    ) WITHOUT ROWID;
",
    // The build that each agent of a run was.
    "
    ALTER TABLE run_agents ADD COLUMN build TEXT;  -- BuildInfo as JSON; NULL: not known
",
    // What the scenario's set-up made, while the run is active.
    "
    ALTER TABLE runs ADD COLUMN set_up_data BLOB;
",
    // Deleted runs whose rows are still there, and the numbers that are not given again. When each error was seen.
    "
    CREATE TABLE deleted_runs (run INTEGER PRIMARY KEY);
    CREATE TABLE last_numbers (
        test TEXT PRIMARY KEY,
        number INTEGER NOT NULL
    ) WITHOUT ROWID;
    ALTER TABLE error_texts ADD COLUMN first_second INTEGER;
    ALTER TABLE error_texts ADD COLUMN last_second INTEGER;
    UPDATE error_texts SET (first_second, last_second) = (
        SELECT min(bucket), max(bucket) FROM errors
        WHERE errors.run = error_texts.run AND level = 0 AND errors.error = error_texts.error
    );
",
    // What may be missing from a run's results.
    "
    ALTER TABLE runs ADD COLUMN completeness TEXT;  -- Completeness as JSON; NULL: nothing is known to be missing
    ALTER TABLE run_agents ADD COLUMN saved_until INTEGER NOT NULL DEFAULT 0;
",
    // Options that an agent has declared as secret, for ever.
    "
    CREATE TABLE secret_options (
        scenario TEXT NOT NULL,
        option TEXT NOT NULL,
        PRIMARY KEY (scenario, option)
    ) WITHOUT ROWID;
",
    // Whose users, iterations and log lines they are; of what was saved before that is not known.
    "
    CREATE TABLE agent_seconds (
        run INTEGER NOT NULL,
        level INTEGER NOT NULL,
        bucket INTEGER NOT NULL,
        agent INTEGER NOT NULL,
        started INTEGER NOT NULL,
        stopped INTEGER NOT NULL,
        arrivals INTEGER NOT NULL,
        late_arrivals INTEGER NOT NULL,
        skipped_arrivals INTEGER NOT NULL,
        PRIMARY KEY (run, level, bucket, agent)
    ) WITHOUT ROWID;
    ALTER TABLE log ADD COLUMN agent INTEGER;  -- NULL: the coordinator's, or not known
",
];

/// The schema this version writes.
const SCHEMA: i64 = MIGRATIONS.len() as i64;

/// The first schema of versions that leave secrets out of what is kept of runs that are over.
const SECRETS_LEFT_OUT: i64 = 9;

/// Opens the one connection that writes, creating or migrating the database.
pub(super) fn open_writer(dir: &Path) -> StoreResult<Connection> {
    let path = dir.join(DATABASE_FILE);
    let damaged = |error: rusqlite::Error| open_error(&path, error);
    make_private(dir)?;
    let mut connection = Connection::open(&path).map_err(damaged)?;
    prepare(&connection).map_err(damaged)?;
    // What is refused is left as it is: closing would otherwise move what is in the `-wal` into the database.
    move_wal_at_close(&connection, false).map_err(damaged)?;
    let is_new = check_origin(&connection, &path)?;
    if !is_new && let Some(reason) = wholeness::damage(&connection).map_err(damaged)? {
        return Err(StoreError::Damaged { path, reason });
    }
    move_wal_at_close(&connection, true).map_err(damaged)?;
    if is_new {
        // Rows with histograms are 0.2 to 2 kB: larger pages keep them out of overflow pages.
        connection
            .pragma_update(None, "page_size", 16_384)
            .map_err(damaged)?;
        // So that the file can be shortened when runs are deleted.
        connection
            .pragma_update(None, "auto_vacuum", "INCREMENTAL")
            .map_err(damaged)?;
    }
    connection
        .pragma_update(None, "journal_mode", "WAL")
        .map_err(damaged)?;
    // What is acknowledged is forgotten by its agent, so it must be on the disk: with NORMAL the machine's own
    // end could lose the last moments, and the agent's next number would leave a gap for ever.
    connection
        .pragma_update(None, "synchronous", "FULL")
        .map_err(damaged)?;
    connection
        .pragma_update(None, "journal_size_limit", 64 << 20)
        .map_err(damaged)?;
    // What is removed because it must not be read again is overwritten, not only left out.
    connection
        .pragma_update(None, "secure_delete", true)
        .map_err(damaged)?;
    migrate(&mut connection).map_err(damaged)?;
    Ok(connection)
}

fn move_wal_at_close(connection: &Connection, moved: bool) -> rusqlite::Result<bool> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !moved)
}

/// Refuses what another program or a newer version made. Whether there is nothing yet.
pub(super) fn check_origin(connection: &Connection, path: &Path) -> StoreResult<bool> {
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get(0));
    let of_database = || -> rusqlite::Result<(i64, i64, i64)> {
        let tables = "SELECT count(*) FROM sqlite_schema";
        let tables = connection.query_row(tables, [], |row| row.get(0))?;
        Ok((number("application_id")?, number("user_version")?, tables))
    };
    let (application, schema, tables) = of_database().map_err(|error| open_error(path, error))?;
    if application != APPLICATION_ID && (tables > 0 || application != 0) {
        return Err(StoreError::Damaged {
            path: path.to_owned(),
            reason: "it belongs to another program".to_owned(),
        });
    }
    if schema > SCHEMA {
        return Err(StoreError::NewerSchema {
            path: path.to_owned(),
            found: schema,
            known: SCHEMA,
        });
    }
    Ok(tables == 0)
}

/// Makes a database of an older schema, or an empty one, one of this version.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    let schema: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    for (step, migration) in (0..).zip(MIGRATIONS) {
        if step >= schema {
            transaction.execute_batch(migration)?;
        }
    }
    if (1..SECRETS_LEFT_OUT).contains(&schema) {
        forget_secrets_of_finished(&transaction)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", SCHEMA)?;
    transaction.commit()
}

/// Why a file or directory cannot be written.
pub(super) fn cannot_write(path: &Path, source: std::io::Error) -> StoreError {
    let path = path.to_owned();
    match source.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            StoreError::DiskFull { path }
        }
        _ => StoreError::NotWritable { path, source },
    }
}

/// Whatever SQLite creates beside the database has its permissions; what already exists need not.
fn make_private(dir: &Path) -> StoreResult<()> {
    let path = dir.join(DATABASE_FILE);
    private_files::open(&path).map_err(|source| cannot_write(&path, source))?;
    for ending in ["-wal", "-shm"] {
        private_files::make_private(&dir.join(format!("{DATABASE_FILE}{ending}")));
    }
    Ok(())
}

/// Opens a connection that only reads.
pub(super) fn open_reader(dir: &Path) -> StoreResult<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(dir.join(DATABASE_FILE), flags)?;
    prepare(&connection)?;
    Ok(connection)
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    Ok(())
}

fn open_error(path: &Path, error: rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode as Code;
    let (path, reason) = (path.to_owned(), error.to_string());
    match error.sqlite_error_code() {
        // SQLite has several codes for a file that cannot grow.
        Some(Code::DiskFull | Code::SystemIoFailure | Code::CannotOpen)
            if is_on_full_disk(&path) =>
        {
            StoreError::DiskFull { path }
        }
        Some(Code::DiskFull) => StoreError::DiskFull { path },
        Some(Code::CannotOpen | Code::PermissionDenied | Code::ReadOnly) => {
            StoreError::NotWritable {
                path,
                source: std::io::Error::other(error),
            }
        }
        Some(Code::NotADatabase | Code::DatabaseCorrupt) | None => {
            StoreError::Damaged { path, reason }
        }
        Some(_) => StoreError::Inaccessible { path, reason },
    }
}

fn is_on_full_disk(path: &Path) -> bool {
    path.parent().is_some_and(disk_space::is_full)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use greylag_infra::protocol::{Endpoint, Snapshot, UserChange};
    use greylag_infra::{GeneratorNotice, NoticeKind};
    use rusqlite::params;

    use super::*;
    use crate::measure::arrivals::Arrivals;
    use crate::measure::interval::{Interval, SparseInterval};
    use crate::store::{SaveOutcome, Scope, Store, Window};

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
                params![SparseInterval::from(&interval(false)).response.encode()],
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
        let record = store.run(&"r".into()).await.unwrap().unwrap();
        assert_eq!(record.profile, record.test.profile());
        assert!(record.builds().is_empty());
        let errors = store.errors(&"r".into(), &Scope::default()).await.unwrap();
        assert_eq!(
            (errors[0].occurrences, errors[0].first, errors[0].last),
            (3, 3, 40)
        );

        // It is not known whose users and log lines those of earlier versions are.
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
        assert_eq!(users(&of_agent).await, 0);
        assert_eq!(store.log(&"r".into(), &of_agent, 0, 10).await.unwrap(), []);
        let unknown = store.of_unknown_agents(&"r".into()).await.unwrap();
        assert!(unknown.users);
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
        // as it is kept up in memory, and as it is read
        let first = Scope::of_window(Window::new(0, 10).unwrap());
        for scope in [Scope::default(), first] {
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
}

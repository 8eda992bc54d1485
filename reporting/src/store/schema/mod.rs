//! The tables, and how an older database becomes a current one.

mod migrations;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::bundle::give_up_unfinished;
use super::error::{StoreError, StoreResult};
use super::secret_rows::forget_secrets_of_finished;
use super::{disk_space, private_files, wholeness};
use migrations::MIGRATIONS;

/// File in the data directory.
pub(super) const DATABASE_FILE: &str = "greylag.sqlite";
/// SQLite's application_id: "GLAG".
const APPLICATION_ID: i64 = 0x474c_4147;
/// How long a connection waits for another's lock (a checkpoint, say).
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Prepared statements kept per connection.
const STATEMENT_CACHE: usize = 64;

/// The schema this version writes.
pub(super) const SCHEMA: i64 = MIGRATIONS.len() as i64;

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
    give_up_unfinished(&connection).map_err(damaged)?;
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

/// Writes what is there already: the number of the schema, which SQLite does not compare with the one before.
pub(super) fn write_again(connection: &Connection) -> StoreResult<()> {
    Ok(connection.pragma_update(None, "user_version", SCHEMA)?)
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

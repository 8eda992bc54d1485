//! Taking a bundle in.

use std::fs::{File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use greylag_infra::RunRecord;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params};
use tempfile::TempDir;
use tokio::sync::OwnedSemaphorePermit;

use super::error::{BundleError, BundleResult};
use super::export::read_rows;
use super::frames::Cell;
use super::staging::{STAGED, Staged, insert_into, insert_row, stage};
use super::tables::{RUNS, Table};
use crate::store::Store;
use crate::store::error::{StoreError, StoreResult};
use crate::store::integers::to_sql;
use crate::store::live::WriterState;
use crate::store::private_files;
use crate::store::run_rows;

/// Longest bundle that is taken in.
const MAX_BUNDLE_BYTES: u64 = 16 << 30;
/// What directories of imports are called, in the data directory.
const PREFIX: &str = ".import-";
/// The bundle in it.
const FILE: &str = "bundle";
/// The column that may have another value here.
const NUMBER: &str = "number";

/// A bundle that is being received. It takes room in the data directory until it is dropped.
pub(crate) struct BundleUpload {
    directory: TempDir,
    file: File,
    bytes: u64,
    _only_one: OwnedSemaphorePermit,
}

impl BundleUpload {
    /// Adds the next bytes. Blocks for a moment.
    ///
    /// # Errors
    /// They are too many, or cannot be written.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> BundleResult<()> {
        self.bytes += bytes.len() as u64;
        if self.bytes > MAX_BUNDLE_BYTES {
            return Err(BundleError::TooLarge {
                maximum_bytes: MAX_BUNDLE_BYTES,
            });
        }
        self.file
            .write_all(bytes)
            .map_err(|error| self.cannot_write(error))
    }

    fn cannot_write(&self, source: std::io::Error) -> BundleError {
        match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                StoreError::DiskFull {
                    path: self.directory.path().to_owned(),
                }
                .into()
            }
            _ => source.into(),
        }
    }
}

impl Store {
    /// Begins to receive a bundle, once no other one is being imported.
    ///
    /// # Errors
    /// Another one is still being imported after this time, or the data directory cannot be written.
    pub(crate) async fn receive_bundle(&self, patience: Duration) -> BundleResult<BundleUpload> {
        let turn = Arc::clone(&self.inner.imports).acquire_owned();
        let turn = tokio::time::timeout(patience, turn).await;
        let only_one = turn.ok().and_then(Result::ok).ok_or(BundleError::Busy)?;
        // Only its owner may enter: results have other people's names and texts in them.
        let directory = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(self.inner.readers.dir())?;
        let path = directory.path().join(FILE);
        drop(private_files::open(&path)?);
        let file = File::options().read(true).write(true).open(&path)?;
        Ok(BundleUpload {
            directory,
            file,
            bytes: 0,
            _only_one: only_one,
        })
    }

    /// Checks a bundle and keeps its run, with its id, and its number if no run of its test here has that. Nothing has
    /// changed where this fails.
    ///
    /// # Errors
    /// It is not valid, its run already exists, or the database failed.
    pub(crate) async fn import_bundle(&self, mut upload: BundleUpload) -> BundleResult<RunRecord> {
        let staged = blocking(move || {
            let staged = stage(&mut upload.file, upload.directory.path())?;
            Ok((upload, staged))
        });
        // The directory goes when all is done.
        let (_upload, staged) = staged.await?;
        let id = staged.record.id.clone();
        if self.run(&id).await?.is_some() {
            return Err(BundleError::Exists(id));
        }
        let run = self
            .inner
            .writer
            .run(|state| state.transaction(reserve))
            .await?;
        let copied = self.copy(run, staged).await;
        if copied.is_err() {
            let given_up = move |state: &mut WriterState| {
                state.transaction(|connection| give_up(connection, run))?;
                state.upkeep.delete_rows();
                Ok(())
            };
            if let Err(error) = self.inner.writer.run(given_up).await {
                tracing::warn!(%error, "what was imported of a run is deleted at the next start");
            }
        }
        copied
    }

    async fn copy(&self, run: i64, staged: Staged) -> BundleResult<RunRecord> {
        let record = staged.record.clone();
        let mut of_run: Option<Batch> = None;
        let mut copy = Some(Copy::new(staged));
        while let Some(next) = copy {
            let (batch, left) = blocking(move || Ok(next.next_batch()?)).await?;
            copy = left;
            let Some(batch) = batch else { continue };
            if batch.table == RUNS {
                of_run = Some(batch);
                continue;
            }
            let insert_all = move |state: &mut WriterState| {
                state.transaction(|connection| batch.insert(connection, run))
            };
            self.inner.writer.run(insert_all).await?;
        }
        let kept = move |state: &mut WriterState| {
            state.transaction(|connection| keep(connection, run, of_run, &record))
        };
        self.inner
            .writer
            .run(kept)
            .await
            .map_err(|error| match error {
                StoreError::RunExists(id) => BundleError::Exists(id),
                error => error.into(),
            })
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> BundleResult<T> + Send + 'static,
) -> BundleResult<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| BundleError::Store(StoreError::Closed))?
}

/// Rows to be added together.
struct Batch {
    table: &'static str,
    columns: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

impl Batch {
    fn insert(self, connection: &Connection, run: i64) -> StoreResult<()> {
        let insert = insert_into(self.table, &self.columns);
        let mut rows = self.rows.into_iter();
        rows.try_for_each(|row| insert_row(connection, &insert, run, row))
    }
}

/// How far the rows of a bundle are copied.
struct Copy {
    connection: Connection,
    tables: std::vec::IntoIter<Table>,
    at: Option<(Table, Vec<Value>)>,
}

impl Copy {
    fn new(staged: Staged) -> Self {
        Self {
            connection: staged.connection,
            tables: staged.tables.into_iter(),
            at: None,
        }
    }

    /// The next rows; none of a table without any. And what is left after them.
    fn next_batch(mut self) -> StoreResult<(Option<Batch>, Option<Self>)> {
        let (table, after) = match self.at.take() {
            Some((table, after)) => (table, Some(after)),
            None => match self.tables.next() {
                Some(table) => (table, None),
                None => return Ok((None, None)),
            },
        };
        let (rows, last) = read_rows(&self.connection, &table, STAGED, after.as_deref())?;
        let batch = (!rows.is_empty()).then(|| Batch {
            table: table.name,
            columns: table.column_names(),
            rows,
        });
        self.at = last.map(|last| (table, last));
        Ok((batch, Some(self)))
    }
}

/// Takes a row number for a run, whose rows are deleted at the next start unless it is kept.
fn reserve(connection: &rusqlite::Transaction<'_>) -> StoreResult<i64> {
    let last = "SELECT seq FROM sqlite_sequence WHERE name = 'runs'";
    let last: Option<i64> = connection
        .query_row(last, [], |row| row.get(0))
        .optional()?;
    match last {
        Some(_) => connection.execute(
            "UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'runs'",
            [],
        )?,
        None => connection.execute(
            "INSERT INTO sqlite_sequence (name, seq) VALUES ('runs', 1)",
            [],
        )?,
    };
    let run = last.unwrap_or(0) + 1;
    connection.execute("INSERT INTO unfinished_imports (run) VALUES (?1)", [run])?;
    Ok(run)
}

/// The run appears.
fn keep(
    connection: &Connection,
    run: i64,
    row: Option<Batch>,
    record: &RunRecord,
) -> StoreResult<RunRecord> {
    if run_rows::by_id(connection, &record.id)?.is_some() {
        return Err(StoreError::RunExists(record.id.clone()));
    }
    let unknown = || StoreError::UnknownRun(record.id.clone());
    let mut row = row.ok_or_else(unknown)?;
    let number = run_rows::free_number(connection, record)?;
    let at = row.columns.iter().position(|column| column == NUMBER);
    for (cells, at) in row.rows.iter_mut().zip(at) {
        cells[at] = Cell(Value::Integer(to_sql(number)));
    }
    row.insert(connection, run)?;
    connection.execute("DELETE FROM unfinished_imports WHERE run = ?1", [run])?;
    run_rows::by_id(connection, &record.id)?.ok_or_else(unknown)
}

fn give_up(connection: &rusqlite::Transaction<'_>, run: i64) -> StoreResult<()> {
    connection.execute(
        "INSERT OR IGNORE INTO deleted_runs (run) VALUES (?1)",
        params![run],
    )?;
    connection.execute("DELETE FROM unfinished_imports WHERE run = ?1", [run])?;
    Ok(())
}

/// Has the rows of imports that were not finished deleted.
pub(in crate::store) fn give_up_unfinished(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "INSERT OR IGNORE INTO deleted_runs (run) SELECT run FROM unfinished_imports;
         DELETE FROM unfinished_imports;",
    )
}

/// Deletes what imports left in a data directory.
pub(in crate::store) fn clear_leftovers(directory: &Path) {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let is_ours = entry
            .file_name()
            .to_str()
            .is_some_and(|name| name.starts_with(PREFIX));
        if is_ours && let Err(error) = std::fs::remove_dir_all(entry.path()) {
            tracing::warn!(path = %entry.path().display(), %error, "what an import left cannot be deleted");
        }
    }
}

//! Making a bundle: table by table, in pieces, each read in a moment of its own. The rows of a run that is over do not change.

use greylag_infra::{RunId, WallTime};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::error::{BundleError, BundleResult};
use super::frames::{BundleWriter, Cell, Head, PIECE_ROWS};
use super::tables::Table;
use crate::store::Store;
use crate::store::error::{StoreError, StoreResult};
use crate::store::run_rows;
use crate::store::schema::SCHEMA;

/// Read at a time, before what is read is compressed: as many bytes, and the row with which they are reached.
const PIECE_BYTES: usize = 1 << 20;
/// What a cell takes beside its bytes.
const CELL_BYTES: usize = 9;

/// A bundle that is being made.
pub(crate) struct BundleExport {
    run: RunId,
    tables: std::vec::IntoIter<Table>,
    table: Option<InTable>,
    writer: BundleWriter,
}

/// Where in a table it is.
struct InTable {
    table: Table,
    /// The key of the last row; none before the first.
    after: Option<Vec<Value>>,
}

impl Store {
    /// Begins a bundle of a run that is over.
    ///
    /// # Errors
    /// The run was not found, is in progress, or takes late results; or the database failed.
    pub(crate) async fn export_bundle(
        &self,
        id: &RunId,
        now: WallTime,
    ) -> BundleResult<BundleExport> {
        let run = id.clone();
        let begun = move |connection: &rusqlite::Transaction<'_>| {
            let record = run_rows::by_id(connection, &run)?;
            let record = record.ok_or_else(|| StoreError::UnknownRun(run.shortened()))?;
            Ok((record, Table::all(connection)?))
        };
        let (record, tables) = self.inner.readers.run(begun).await?;
        if !record.phase.is_over() {
            return Err(BundleError::InProgress(id.shortened()));
        }
        if record.completeness.takes_late_results(now) {
            return Err(BundleError::TakesLateResults(id.shortened()));
        }
        Ok(BundleExport {
            run: id.clone(),
            tables: tables.into_iter(),
            table: None,
            writer: BundleWriter::new(Head {
                schema: SCHEMA,
                greylag: env!("CARGO_PKG_VERSION").to_owned(),
            }),
        })
    }

    /// The next bytes of a bundle, and what makes those after them; none of it at the end.
    ///
    /// # Errors
    /// The run was deleted meanwhile, or the database failed.
    pub(crate) async fn next_of_bundle(
        &self,
        export: BundleExport,
    ) -> BundleResult<(Vec<u8>, Option<BundleExport>)> {
        let run = export.run.clone();
        let piece = move |connection: &rusqlite::Transaction<'_>| export.piece(connection);
        let piece = self.inner.readers.run(piece).await;
        piece.map_err(|error| match error {
            error if error.is_unknown_run() => BundleError::Deleted(run.shortened()),
            error => error.into(),
        })
    }
}

impl BundleExport {
    fn piece(mut self, connection: &Connection) -> StoreResult<(Vec<u8>, Option<Self>)> {
        let run = run_rows::key_of(connection, &self.run)?;
        let mut bytes = Vec::new();
        while bytes.is_empty() {
            let mut at = match self.table.take() {
                Some(at) => at,
                None => match self.tables.next() {
                    Some(table) => {
                        self.writer.table(table.name, &table.column_names());
                        InTable { table, after: None }
                    }
                    None => {
                        bytes = self.writer.take();
                        bytes.extend(self.writer.finish());
                        return Ok((bytes, None));
                    }
                },
            };
            let (rows, after) = read_rows(connection, &at.table, run, at.after.as_deref())?;
            if !rows.is_empty() {
                self.writer.rows(rows);
            }
            at.after = after;
            self.table = at.after.is_some().then_some(at);
            bytes = self.writer.take();
        }
        Ok((bytes, Some(self)))
    }
}

/// Rows of a table after a key, up to [`PIECE_BYTES`], and the key of the last one if there may be more.
#[expect(clippy::type_complexity, reason = "rows, and a key")]
pub(super) fn read_rows(
    connection: &Connection,
    table: &Table,
    run: i64,
    after: Option<&[Value]>,
) -> StoreResult<(Vec<Vec<Cell>>, Option<Vec<Value>>)> {
    let Table { name, key, columns } = table;
    let keys = key.split(", ").count();
    let condition = match after {
        Some(after) => format!("AND ({key}) > ({})", vec!["?"; after.len()].join(", ")),
        None => String::new(),
    };
    let columns: Vec<&str> = columns.iter().map(|column| &*column.value).collect();
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {key}, {} FROM {name} WHERE run = ? {condition} ORDER BY {key}",
        columns.join(", ")
    ))?;
    let run = Value::Integer(run);
    let values = [&run].into_iter().chain(after.unwrap_or_default());
    let mut found = statement.query(params_from_iter(values))?;
    let (mut rows, mut last, mut bytes) = (Vec::new(), None, 0);
    while let Some(row) = found.next()? {
        let cells = (keys..keys + columns.len()).map(|at| row.get(at).map(Cell));
        let cells: Vec<Cell> = cells.collect::<Result<_, _>>()?;
        bytes += cells.iter().map(bytes_of).sum::<usize>();
        rows.push(cells);
        if bytes >= PIECE_BYTES || rows.len() >= PIECE_ROWS {
            let key = (0..keys).map(|at| row.get(at));
            last = Some(key.collect::<Result<Vec<Value>, _>>()?);
            break;
        }
    }
    Ok((rows, last))
}

fn bytes_of(Cell(value): &Cell) -> usize {
    CELL_BYTES
        + match value {
            Value::Text(text) => text.len(),
            Value::Blob(bytes) => bytes.len(),
            Value::Null | Value::Integer(_) | Value::Real(_) => 0,
        }
}

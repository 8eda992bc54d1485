//! Checking a bundle: its rows are put into an empty database, and read there as they will be.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use greylag_infra::{MAX_DURATION, RunId, RunRecord};
use rusqlite::{Connection, params_from_iter};

use super::error::{BundleError, BundleResult};
use super::frames::{BundleReader, Cell, Frame, Head, check_hash};
use super::tables::{Column, RUNS, Table};
use crate::measure::windows::LEVELS;
use crate::store::agent_rows;
use crate::store::annotation_rows;
use crate::store::error::{StoreError, StoreResult};
use crate::store::error_sample_rows;
use crate::store::health_rows;
use crate::store::metric_rows;
use crate::store::notice_rows;
use crate::store::run_rows;
use crate::store::sample_rows;
use crate::store::schema::{SCHEMA, open_writer};
use crate::store::scope::Scope;
use crate::store::stored_interval::{self, INTERVAL_COLUMNS};
use crate::store::tag_rows;
use crate::store::thresholds;

/// The oldest schema of bundles that are read: the first that had bundles. Columns that came later get their defaults.
const OLDEST_SCHEMA: i64 = 26;
/// The run in the database of a bundle.
pub(super) const STAGED: i64 = 1;
/// Longest id of a run.
const MAX_ID_BYTES: usize = 64;
/// How much longer than its longest duration a run may have results: its agents stop users first.
const MOST_AFTERWARDS: Duration = Duration::from_secs(24 * 3600);
/// Longest row of the seconds in which a worker was saturated: a bit for each of 512.
const MAX_SATURATED_BYTES: i64 = 64;

/// The rows of a bundle that was checked.
pub(super) struct Staged {
    pub(super) connection: Connection,
    pub(super) tables: Vec<Table>,
    pub(super) record: RunRecord,
}

/// Reads a bundle of this length into a database in this directory.
///
/// # Errors
/// It is not whole or not as it was written, of another version, or has rows that this program does not write.
pub(super) fn stage(file: &mut File, directory: &Path) -> BundleResult<Staged> {
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(0))?;
    check_hash(file, length)?;
    file.seek(SeekFrom::Start(0))?;
    let mut reader = BundleReader::new(file, length)?;
    match reader.next()? {
        Frame::Head(head) => check_schema(head)?,
        _ => {
            return Err(BundleError::invalid(
                "the beginning",
                "it does not say what made it",
            ));
        }
    }
    let connection = open_writer(directory)?;
    // It is thrown away, whatever happens.
    connection.pragma_update(None, "journal_mode", "OFF")?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    let tables = Table::all(&connection)?;
    connection.execute_batch("BEGIN")?;
    fill(&connection, &tables, &mut reader)?;
    connection.execute_batch("COMMIT")?;
    let record = check_rows(&connection)?;
    tag_rows::add_up(&connection, STAGED)?;
    Ok(Staged {
        connection,
        tables,
        record,
    })
}

fn check_schema(Head { schema, greylag }: Head) -> BundleResult<()> {
    if schema > SCHEMA {
        return Err(BundleError::NewerSchema {
            greylag: greylag.chars().take(MAX_ID_BYTES).collect(),
            found: schema,
            known: SCHEMA,
        });
    }
    if schema < OLDEST_SCHEMA {
        return Err(BundleError::OlderSchema {
            found: schema,
            oldest: OLDEST_SCHEMA,
        });
    }
    Ok(())
}

/// The table of a bundle that is being read.
struct InTable<'t> {
    table: &'t Table,
    columns: Vec<Column>,
    insert: String,
    rows: u64,
}

fn fill(
    connection: &Connection,
    tables: &[Table],
    reader: &mut BundleReader<&mut File>,
) -> BundleResult<()> {
    // In their order, each once.
    let mut left = tables.iter();
    let mut at: Option<InTable<'_>> = None;
    loop {
        match reader.next()? {
            Frame::Table { name, columns } => {
                let Some(table) = left.find(|table| table.name == name) else {
                    let shown: String = name.chars().take(MAX_ID_BYTES).collect();
                    let place = format!("table {shown}");
                    return Err(BundleError::invalid(
                        place,
                        "it is not known, or is not in its place",
                    ));
                };
                let columns_found = table.columns_named(&columns)?;
                at = Some(InTable {
                    insert: insert_into(table.name, &columns),
                    table,
                    columns: columns_found,
                    rows: 0,
                });
            }
            Frame::Rows(rows) => {
                let Some(at) = &mut at else {
                    return Err(BundleError::invalid(
                        "the beginning",
                        "rows come before their table",
                    ));
                };
                for row in rows {
                    at.insert(connection, row)?;
                }
            }
            Frame::End { .. } => return Ok(()),
            Frame::Head(_) => {
                return Err(BundleError::invalid("what is inside", "it begins twice"));
            }
        }
    }
}

impl InTable<'_> {
    fn insert(&mut self, connection: &Connection, row: Vec<Cell>) -> BundleResult<()> {
        self.rows += 1;
        let place = || format!("table {}, row {}", self.table.name, self.rows);
        if row.len() != self.columns.len() {
            return Err(BundleError::invalid(
                place(),
                "it has not a value for each column",
            ));
        }
        if let Some((column, _)) = self
            .columns
            .iter()
            .zip(&row)
            .find(|(column, cell)| !column.takes(cell))
        {
            let reason = format!("the column {} has a value of another type", column.name);
            return Err(BundleError::invalid(place(), reason));
        }
        insert_row(connection, &self.insert, STAGED, row).map_err(|error| match error {
            StoreError::Database(error)
                if error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation) =>
            {
                BundleError::invalid(place(), error)
            }
            error => error.into(),
        })
    }
}

/// The statement that adds a row with these columns, after the run.
pub(super) fn insert_into(table: &str, columns: &[String]) -> String {
    let places = vec!["?"; columns.len() + 1].join(", ");
    let columns: Vec<&str> = ["run"]
        .into_iter()
        .chain(columns.iter().map(String::as_str))
        .collect();
    format!(
        "INSERT INTO {table} ({}) VALUES ({places})",
        columns.join(", ")
    )
}

/// Adds a row of a run.
pub(super) fn insert_row(
    connection: &Connection,
    insert: &str,
    run: i64,
    row: Vec<Cell>,
) -> StoreResult<()> {
    let run = rusqlite::types::Value::Integer(run);
    let values = [run]
        .into_iter()
        .chain(row.into_iter().map(|Cell(value)| value));
    connection
        .prepare_cached(insert)?
        .execute(params_from_iter(values))?;
    Ok(())
}

/// Whether the rows are those of a run that is over, and can be read.
fn check_rows(connection: &Connection) -> BundleResult<RunRecord> {
    let invalid = |error: StoreError, place: &str| match error {
        error if error.is_full_disk() => error.into(),
        error => BundleError::invalid(place, error),
    };
    let of_runs = |reason: &str| BundleError::invalid(format!("table {RUNS}"), reason);
    let mut ids = connection.prepare("SELECT id FROM runs")?;
    let ids = ids.query_map([], |row| row.get::<_, String>(0))?;
    let ids: Vec<String> = ids.collect::<Result<_, _>>()?;
    let [id] = &ids[..] else {
        return Err(of_runs("a bundle has one run"));
    };
    if id.is_empty()
        || id.len() > MAX_ID_BYTES
        || !id.bytes().all(|byte| byte.is_ascii_alphanumeric())
    {
        return Err(of_runs("the id of a run has only letters and digits"));
    }
    let record = run_rows::by_id(connection, &RunId::from(id.as_str()));
    let record = record.map_err(|error| invalid(error, "table runs"))?;
    let record = record.ok_or_else(|| of_runs("a bundle has one run"))?;
    let (test, is_over): (String, bool) =
        connection.query_row("SELECT test, is_over FROM runs", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    if !is_over || !record.phase.is_over() {
        return Err(of_runs("the run is not over"));
    }
    if test != record.test.name {
        return Err(of_runs("its test has two names"));
    }
    check_texts(connection, &record).map_err(|error| invalid(error, "what is kept of the run"))?;
    check_places(connection)?;
    check_packed(connection, &record)
        .map_err(|(table, error)| invalid(error, &format!("table {table}")))?;
    Ok(record)
}

/// Whether what is kept as texts can be read as it will be: by lists of runs, by its page, and when its thresholds are asked for.
fn check_texts(connection: &Connection, record: &RunRecord) -> StoreResult<()> {
    annotation_rows::check(connection, &record.id)?;
    thresholds::check(connection, STAGED)?;
    notice_rows::check(connection, STAGED)?;
    metric_rows::check_names(connection, STAGED)?;
    run_rows::workers(connection, &record.id, &Scope::default()).map(drop)
}

/// Whether seconds, levels and numbers are within what a run may have.
///
/// Nothing counts behind the last second of a run. What stood there would be in no window, but among the sums of a table, and a run whose
/// sums do not agree with what is read of it second by second would be judged again whenever somebody looks at it.
fn check_places(connection: &Connection) -> BundleResult<()> {
    let longest = (MAX_DURATION + MOST_AFTERWARDS).as_secs();
    let longest = i64::try_from(longest).unwrap_or(i64::MAX);
    let last: Option<i64> =
        connection.query_row("SELECT last_second FROM runs", [], |row| row.get(0))?;
    if last.is_some_and(|last| !(0..=longest).contains(&last)) {
        return Err(BundleError::invalid("table runs", "the run is too long"));
    }
    // Without a last one it has none.
    let last = last.unwrap_or(-1);
    let refuse_outside = |table: &str, condition: &str, last: i64| -> BundleResult<()> {
        let rows = format!("SELECT EXISTS (SELECT 1 FROM {table} WHERE {condition})");
        match connection.query_row(&rows, [last], |row| row.get(0))? {
            true => {
                let place = format!("table {table}");
                Err(BundleError::invalid(place, "a row is outside of the run"))
            }
            false => Ok(()),
        }
    };
    for table in [
        "intervals",
        "errors",
        "seconds",
        "agent_seconds",
        "agent_intervals",
        "samples",
        "health",
        "custom_values",
    ] {
        let levels = format!("level NOT BETWEEN 0 AND {}", LEVELS - 1);
        // Agents say how they fare until they know that the run is over.
        let last = if table == "health" { longest } else { last };
        let condition = format!("{levels} OR bucket NOT BETWEEN 0 AND ?1");
        refuse_outside(table, &condition, last)?;
    }
    refuse_outside("tag_intervals", "bucket NOT BETWEEN 0 AND ?1", last)?;
    refuse_outside(
        "error_samples",
        "at_us NOT BETWEEN 0 AND ?1 * 1000000 + 999999",
        last,
    )?;
    let saturated =
        format!("length(seconds) > {MAX_SATURATED_BYTES} OR bucket NOT BETWEEN 0 AND ?1");
    refuse_outside("saturated", &saturated, longest)
}

/// Whether all that is packed can be read; else the table with what cannot.
fn check_packed(
    connection: &Connection,
    record: &RunRecord,
) -> Result<(), (&'static str, StoreError)> {
    let each = |table: &'static str, check: &dyn Fn(&[u8]) -> StoreResult<()>| {
        let checked = || {
            let mut statement = connection.prepare(&format!("SELECT packed FROM {table}"))?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let packed = row.get_ref(0)?.as_blob();
                check(packed.map_err(|error| StoreError::Unreadable(error.to_string()))?)?;
            }
            Ok(())
        };
        checked().map_err(|error| (table, error))
    };
    each("agent_intervals", &agent_rows::check)?;
    each("samples", &sample_rows::check)?;
    each("health", &health_rows::check)?;
    metric_rows::check_values(connection, STAGED).map_err(|error| ("custom_values", error))?;
    let counted = record.test.counted_tags();
    tag_rows::check(connection, &counted).map_err(|error| ("tag_intervals", error))?;
    each("error_samples", &error_sample_rows::check)?;
    let intervals = || {
        let mut statement =
            connection.prepare(&format!("SELECT {} FROM intervals", *INTERVAL_COLUMNS))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            stored_interval::read(row, 0)?;
        }
        Ok(())
    };
    intervals().map_err(|error| ("intervals", error))
}

//! Which tables and columns are in a bundle.
//!
//! Whatever is of a run goes along without being named here: all tables that are cleared when a run is deleted, with all their
//! columns. What stays out is named, and why.

use rusqlite::Connection;
use rusqlite::types::{Type, Value};

use super::error::{BundleError, BundleResult};
use super::frames::Cell;
use crate::store::delete_run;
use crate::store::error::StoreResult;

/// Tables of which nothing is in a bundle.
#[cfg(test)]
pub(super) const LEFT_OUT_TABLES: [(&str, &str); 9] = [
    ("announcements", "it was announced where it ran"),
    ("infrastructures", "they are the coordinator's"),
    ("deleted_runs", "their rows are going away"),
    ("unfinished_imports", "their rows are not a run yet"),
    (
        "last_numbers",
        "runs that were deleted are not in a bundle, nor are their numbers",
    ),
    (
        "secret_options",
        "a run that is over has no values of secret options",
    ),
    ("tokens", "who may do what is the coordinator's"),
    (
        "held_machines",
        "machines are given back by the coordinator that got them",
    ),
    ("session_keys", "browsers are signed in at one coordinator"),
];

/// Columns that are not in a bundle.
const LEFT_OUT_COLUMNS: [(&str, &str, &str); 5] = [
    (
        "runs",
        "pinned",
        "which run is the baseline of its test is each coordinator's to say",
    ),
    ("runs", "set_up_data", "it is a secret of a run in progress"),
    (
        "agent_intervals",
        "id",
        "it only says in which order rows were added, and rows add up",
    ),
    (
        "health",
        "id",
        "it only says in which order rows were added, and rows add up",
    ),
    (
        "custom_values",
        "id",
        "it only says in which order rows were added",
    ),
];

/// Parts of columns, which are JSON there, that are not in a bundle.
const LEFT_OUT_PARTS: [(&str, &str, &str, &str); 1] = [(
    "runs",
    "completeness",
    "$.late_until_us",
    "late results of a run come to the coordinator where it ran",
)];

/// Greatest number in a bundle: far above what anything counts in a run, and far enough below what would not be a number any more when some are
/// added up.
const MAX_NUMBER: u64 = 1 << 58;

/// The table of runs, which has one row in a bundle.
pub(super) const RUNS: &str = "runs";

/// A table as it is in the database.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) name: &'static str,
    /// What its rows are ordered by.
    pub(super) key: String,
    pub(super) columns: Vec<Column>,
}

#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    /// What is in a bundle of it, in SQL.
    pub(super) value: String,
    kind: Type,
    may_be_null: bool,
}

impl Table {
    /// All that are in a bundle, in their order.
    pub(super) fn all(connection: &Connection) -> StoreResult<Vec<Self>> {
        let names = [(RUNS, "id")].into_iter().chain(delete_run::TABLES);
        names
            .map(|(name, key)| Self::of(connection, name, key))
            .collect()
    }

    fn of(connection: &Connection, name: &'static str, key: &str) -> StoreResult<Self> {
        let mut columns = connection.prepare(
            "SELECT name, type, \"notnull\" FROM pragma_table_info(?1) WHERE name <> 'run' ORDER BY cid",
        )?;
        let columns = columns.query_map([name], |row| {
            let column: String = row.get(0)?;
            let mut left_out = LEFT_OUT_PARTS.iter();
            let left_out = left_out.find(|(table, of, ..)| *table == name && *of == column);
            Ok(Column {
                value: match left_out {
                    Some((.., part, _)) => format!("json_remove({column}, '{part}')"),
                    None => column.clone(),
                },
                name: column,
                kind: match row.get::<_, String>(1)?.as_str() {
                    "INTEGER" => Type::Integer,
                    "BLOB" => Type::Blob,
                    _ => Type::Text,
                },
                may_be_null: !row.get::<_, bool>(2)?,
            })
        })?;
        let columns: Vec<Column> = columns.collect::<Result<_, _>>()?;
        let is_left_out = |column: &Column| {
            let mut left_out = LEFT_OUT_COLUMNS.iter();
            left_out.any(|(table, left_out, _)| *table == name && *left_out == column.name)
        };
        // Where rows have a number of their own, several may have the same key.
        let has_id = name != RUNS
            && columns
                .iter()
                .any(|column| column.name == "id" && is_left_out(column));
        Ok(Self {
            name,
            key: if has_id {
                format!("{key}, id")
            } else {
                key.to_owned()
            },
            columns: columns
                .into_iter()
                .filter(|column| !is_left_out(column))
                .collect(),
        })
    }

    pub(super) fn column_names(&self) -> Vec<String> {
        self.columns
            .iter()
            .map(|column| column.name.clone())
            .collect()
    }

    /// The columns of a bundle with these names.
    pub(super) fn columns_named(&self, names: &[String]) -> BundleResult<Vec<Column>> {
        let find = |name: &String| {
            let known = self.columns.iter().find(|column| column.name == *name);
            let unknown = || {
                let reason = format!("the column `{name}` is not known");
                BundleError::invalid(format!("table {}", self.name), reason)
            };
            known.cloned().ok_or_else(unknown)
        };
        let found: Vec<Column> = names.iter().map(find).collect::<BundleResult<_>>()?;
        let is_twice = |(at, name): (usize, &String)| names[..at].contains(name);
        if names.iter().enumerate().any(is_twice) {
            let place = format!("table {}", self.name);
            return Err(BundleError::invalid(place, "a column is there twice"));
        }
        Ok(found)
    }
}

impl Column {
    /// Whether a value may stand in it.
    pub(super) fn takes(&self, Cell(value): &Cell) -> bool {
        match value {
            Value::Null => self.may_be_null,
            // Counts and times; agents that stand for several are below 0.
            Value::Integer(number) => {
                self.kind == Type::Integer && number.unsigned_abs() <= MAX_NUMBER
            }
            value => value.data_type() == self.kind,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::store::schema::open_writer;

    #[test]
    fn every_table_and_column_is_in_a_bundle_or_left_out_for_a_reason() {
        let dir = tempfile::tempdir().unwrap();
        let connection = open_writer(dir.path()).unwrap();
        let names = |query: &str, of: &str| -> BTreeSet<String> {
            let mut statement = connection.prepare(query).unwrap();
            let names = statement.query_map([of], |row| row.get(0)).unwrap();
            names.collect::<Result<_, _>>().unwrap()
        };
        let tables = names(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE ?1",
            "sqlite_%",
        );
        let in_bundle = Table::all(&connection).unwrap();
        let mut known: BTreeSet<String> = in_bundle
            .iter()
            .map(|table| table.name.to_owned())
            .collect();
        for (table, reason) in LEFT_OUT_TABLES {
            assert!(known.insert(table.to_owned()), "{table} is in both lists");
            assert!(!reason.is_empty());
        }
        assert_eq!(
            tables, known,
            "tables of the schema, and those that bundles know"
        );
        for table in &in_bundle {
            let columns = names("SELECT name FROM pragma_table_info(?1)", table.name);
            let mut known: BTreeSet<String> = table.column_names().into_iter().collect();
            known.insert("run".to_owned());
            let left_out = LEFT_OUT_COLUMNS.iter().filter(|(of, ..)| *of == table.name);
            known.extend(left_out.map(|(_, column, _)| (*column).to_owned()));
            assert_eq!(columns, known, "columns of {}", table.name);
            // What has another type would be refused when it is read again.
            let types = names(
                "SELECT DISTINCT type FROM pragma_table_info(?1)",
                table.name,
            );
            let expected = ["INTEGER", "TEXT", "BLOB"].map(str::to_owned).into();
            assert!(types.is_subset(&expected), "{}: {types:?}", table.name);
        }
    }
}

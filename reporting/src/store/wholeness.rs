//! Whether a database is whole, before it is used: half of it may be lost when a machine or a disk fails, and what is
//! missing would show only when it is read.

use rusqlite::{Connection, OptionalExtension};

/// Up to this size everything is looked at, which takes about a second.
const WHOLE_CHECK_BYTES: i64 = 256 << 20;
/// Of larger ones the tables that grow with the time of runs are looked at only where these runs begin and end.
const PROBED_RUNS: i64 = 500;
/// Those tables, with a column that has to be read.
const LARGE_TABLES: [(&str, &str); 8] = [
    ("intervals", "histogram"),
    ("errors", "occurrences"),
    ("seconds", "requests"),
    ("agent_seconds", "started"),
    ("agent_intervals", "packed"),
    ("samples", "packed"),
    ("tag_intervals", "histogram"),
    ("log", "text"),
];

/// What is wrong with the database, if it is found. An error may say so, too.
pub(super) fn damage(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get(0));
    let bytes = i64::saturating_mul(pragma("page_count")?, pragma("page_size")?);
    if bytes <= WHOLE_CHECK_BYTES {
        return quick_check(connection, "1");
    }
    for table in small_tables(connection)? {
        if let Some(damage) = quick_check(connection, &table)? {
            return Ok(Some(damage));
        }
    }
    probe(connection)?;
    Ok(None)
}

fn quick_check(connection: &Connection, what: &str) -> rusqlite::Result<Option<String>> {
    let first: String =
        connection.query_row(&format!("PRAGMA quick_check({what})"), [], |row| row.get(0))?;
    Ok((first != "ok").then_some(first))
}

fn small_tables(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    )?;
    let names = statement.query_map([], |row| row.get(0))?;
    let mut names = names.collect::<Result<Vec<String>, _>>()?;
    names.retain(|name| LARGE_TABLES.iter().all(|(large, _)| large != name));
    Ok(names)
}

/// Reads the first and the last row of runs, evenly chosen, which leads through every part of the trees.
fn probe(connection: &Connection) -> rusqlite::Result<()> {
    let runs: i64 = connection.query_row("SELECT count(*) FROM runs", [], |row| row.get(0))?;
    let every = (runs / PROBED_RUNS).max(1);
    // A database of an older version does not have all of them yet.
    let mut present = Vec::new();
    for table in LARGE_TABLES {
        let exists = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1";
        if connection.prepare_cached(exists)?.exists([table.0])? {
            present.push(table);
        }
    }
    let mut statement = connection.prepare("SELECT run FROM runs ORDER BY run")?;
    let runs = statement.query_map([], |row| row.get::<_, i64>(0))?;
    for run in runs.step_by(usize::try_from(every).unwrap_or(1)) {
        let run = run?;
        for (table, column) in &present {
            for order in ["ASC", "DESC"] {
                let key = match *table {
                    "log" => "seq",
                    "tag_intervals" => "tag",
                    _ => "level",
                };
                let row = format!(
                    "SELECT hex({column}) FROM {table} WHERE run = ?1 ORDER BY run {order}, {key} {order} LIMIT 1"
                );
                connection
                    .prepare_cached(&row)?
                    .query_row([run], |row| row.get::<_, String>(0))
                    .optional()?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::schema::open_writer;

    #[test]
    fn the_probe_reads_tables_as_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let connection = open_writer(dir.path()).unwrap();
        connection
            .execute_batch(
                "INSERT INTO runs (id, test, number, definition, phase, is_over, created_at_us)
                 VALUES ('r', 't', 1, '{}', '{}', 1, 1);
                 INSERT INTO log VALUES (1, 1, 1, 'a', 'first', 0), (1, 2, 1, 'a', 'last', 0);",
            )
            .unwrap();
        probe(&connection).unwrap();
        assert_eq!(damage(&connection).unwrap(), None);
        let small = small_tables(&connection).unwrap();
        assert!(small.contains(&"runs".to_owned()) && !small.contains(&"log".to_owned()));
        for table in small {
            assert_eq!(quick_check(&connection, &table).unwrap(), None, "{table}");
        }
    }
}

//! The coordinator's database, read from outside while it runs.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::nginx::Counts;

/// A coordinator that is held up within a transaction keeps its lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(60);

fn open(data: &Path) -> Connection {
    let connection = Connection::open_with_flags(
        data.join("greylag.sqlite"),
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .expect("the data directory holds a database");
    connection
        .busy_timeout(BUSY_TIMEOUT)
        .expect("a timeout can be set");
    connection
}

/// Identities of a run's agents.
///
/// # Panics
/// The database cannot be read.
pub fn stored_agent_ids(data: &Path, run_id: &str) -> Vec<String> {
    let connection = open(data);
    let mut query = connection
        .prepare("SELECT a.id FROM run_agents a JOIN runs r USING (run) WHERE r.id = ?1")
        .expect("the tables are as in store/schema/migrations.rs");
    let ids = query.query_map([run_id], |row| row.get(0));
    ids.expect("the rows can be read")
        .collect::<Result<_, _>>()
        .expect("the rows can be read")
}

/// Keeps a running coordinator's database locked for writing until it is dropped: the store cannot save.
///
/// # Panics
/// It cannot be locked.
pub fn lock_store(data: &Path) -> impl Send + use<> {
    let connection =
        Connection::open(data.join("greylag.sqlite")).expect("the data directory holds a database");
    connection
        .busy_timeout(BUSY_TIMEOUT)
        .expect("a timeout can be set");
    connection
        .execute_batch("BEGIN IMMEDIATE")
        .expect("the database can be locked");
    connection
}

/// Sums of a run's intervals of one second, by method and name of the endpoint.
///
/// # Panics
/// The database cannot be read.
pub fn stored_counts(data: &Path, run_id: &str) -> BTreeMap<(String, String), Counts> {
    let connection = open(data);
    let mut query = connection
        .prepare(
            "SELECT e.method, e.name, sum(i.requests), sum(i.failures)
             FROM intervals i JOIN runs r USING (run) JOIN endpoints e USING (run, endpoint)
             WHERE r.id = ?1 AND i.level = 0 GROUP BY e.method, e.name",
        )
        .expect("the tables are as in store/schema/migrations.rs");
    let rows = query
        .query_map([run_id], |row| {
            let counts = Counts {
                requests: row.get::<_, i64>(2)?.cast_unsigned(),
                failures: row.get::<_, i64>(3)?.cast_unsigned(),
            };
            Ok(((row.get(0)?, row.get(1)?), counts))
        })
        .expect("the rows can be read");
    rows.collect::<Result<_, _>>()
        .expect("the rows can be read")
}

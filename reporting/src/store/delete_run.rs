//! Deleting a run: it is gone from every list immediately, its rows follow in small transactions, so that results of
//! other runs need not wait (see `upkeep.rs`). What a coordinator did not get to is deleted when the next one starts.

use std::time::Instant;

use greylag_infra::{RunId, WallTime};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use super::Store;
use super::announcement_rows;
use super::error::{RunIsPinned, RunNotOver, StoreError, StoreResult};
use super::integers::time_to_sql;
use super::live::WriterState;
use super::run_rows::key_of;

/// Rows deleted by one statement, after which the time is looked at: the longest rows take some pages each.
const ROWS_AT_A_TIME: u32 = 64;

/// Most runs that are named as beyond what is kept at a time.
const RUNS_AT_A_TIME: u32 = 100;

/// Every table with rows of runs, but for `runs` itself, and the order in which its index has the rows of a run: a range of
/// them is deleted several times as fast as the same rows one by one.
pub(super) const TABLES: [(&str, &str); 21] = [
    ("run_agents", "agent"),
    ("agent_progress", "agent"),
    ("workers", "worker"),
    ("endpoints", "endpoint"),
    ("error_texts", "error"),
    ("error_samples", "error, sample"),
    ("rolled", "level"),
    ("intervals", "level, bucket, endpoint, agent"),
    ("errors", "level, bucket, error, agent"),
    ("seconds", "level, bucket"),
    ("agent_seconds", "level, bucket, agent"),
    ("agent_intervals", "level, bucket, agent"),
    ("samples", "level, bucket, agent"),
    ("health", "level, bucket"),
    ("saturated", "bucket, agent"),
    ("custom_metrics", "metric"),
    ("custom_values", "metric, level, bucket"),
    ("tag_intervals", "tag, bucket"),
    ("log", "seq"),
    ("notices", "kind, worker, subject"),
    ("run_marks", "mark"),
];

/// Whether there is more to delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    More,
    Done,
}

/// Which runs that are over are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeepLimit {
    /// Those that ended at this time or later.
    EndedSince(WallTime),
    /// So many, the newest.
    Newest(u32),
    /// So many of each test, the newest.
    NewestOfEachTest(u32),
}

impl Store {
    /// Deletes a run that is over. When this returns, the run is gone from everything that can be asked; its rows are
    /// deleted in the background, and the space they took is given back.
    ///
    /// # Errors
    /// The run was not found, it is not over, it is pinned, or the database failed.
    pub async fn delete_run(&self, id: &RunId) -> Result<(), StoreError> {
        let id = id.to_owned();
        let marked = move |state: &mut WriterState| {
            state.transaction(|connection| mark(connection, &id))?;
            state.forget(&id);
            state.upkeep.delete_rows();
            Ok(())
        };
        self.inner.writer.run(marked).await
    }

    /// Some runs that are over, take no late results any more, and are beyond this limit, which counts no pinned ones; none when there are no more.
    ///
    /// # Errors
    /// The database failed.
    pub(crate) async fn runs_beyond(
        &self,
        limit: KeepLimit,
        now: WallTime,
    ) -> Result<Vec<RunId>, StoreError> {
        let query = move |connection: &rusqlite::Transaction<'_>| {
            let mut statement = connection.prepare_cached(
                "SELECT id FROM (
                     SELECT *, row_number() OVER (PARTITION BY iif(?1, test, NULL) ORDER BY created_at_us DESC, run DESC) AS place
                     FROM runs WHERE is_over AND NOT pinned)
                 WHERE place > ?2 AND coalesce(ended_at_us, created_at_us) < ?3
                     AND coalesce(completeness ->> '$.late_until_us', 0) <= ?4
                 LIMIT ?5",
            )?;
            let (of_each_test, newest, before) = match limit {
                KeepLimit::EndedSince(time) => (false, 0, time),
                KeepLimit::Newest(runs) => (false, runs, WallTime::MAX),
                KeepLimit::NewestOfEachTest(runs) => (true, runs, WallTime::MAX),
            };
            let (before, now) = (time_to_sql(before), time_to_sql(now));
            let limits = params![of_each_test, newest, before, now, RUNS_AT_A_TIME];
            let ids = statement.query_map(limits, |row| row.get::<_, String>(0))?;
            Ok(ids
                .map(|id| id.map(RunId::from))
                .collect::<Result<_, _>>()?)
        };
        self.inner.readers.run(query).await
    }
}

/// Takes a run out of the list of runs and notes that its rows are to be deleted. Its number is never given again.
fn mark(connection: &Connection, id: &RunId) -> StoreResult<()> {
    let run = key_of(connection, id)?;
    let (is_over, is_pinned) = connection.query_row(
        "SELECT is_over, pinned FROM runs WHERE run = ?1",
        [run],
        |row| Ok((row.get::<_, bool>(0)?, row.get::<_, bool>(1)?)),
    )?;
    if !is_over {
        return Err(RunNotOver(id.clone()).into());
    }
    if is_pinned {
        return Err(RunIsPinned(id.clone()).into());
    }
    connection.execute(
        "INSERT INTO last_numbers (test, number) SELECT test, number FROM runs WHERE run = ?1
         ON CONFLICT DO UPDATE SET number = max(number, excluded.number)",
        [run],
    )?;
    connection.execute("INSERT INTO deleted_runs (run) VALUES (?1)", [run])?;
    connection.execute("DELETE FROM runs WHERE run = ?1", [run])?;
    if announcement_rows::remove(connection, id)? {
        tracing::warn!(run = %id, "the run was deleted before its webhook was accepted: it is not announced any more");
    }
    Ok(())
}

/// Deletes rows of deleted runs in one transaction until the time is over, or gives space back when there are no such rows.
pub(super) fn clear_some(connection: &mut Connection, until: Instant) -> StoreResult<Progress> {
    let transaction = connection.transaction()?;
    let run: Option<i64> =
        transaction.query_row("SELECT min(run) FROM deleted_runs", [], |row| row.get(0))?;
    let Some(run) = run else {
        drop(transaction);
        return give_back(connection, until);
    };
    if delete_rows(&transaction, run, until)? == Progress::Done {
        transaction.execute("DELETE FROM deleted_runs WHERE run = ?1", [run])?;
    }
    transaction.commit()?;
    Ok(Progress::More)
}

fn delete_rows(connection: &Connection, run: i64, until: Instant) -> StoreResult<Progress> {
    for (table, key) in TABLES {
        while delete_first(connection, table, key, run)? == Progress::More {
            if Instant::now() >= until {
                return Ok(Progress::More);
            }
        }
    }
    Ok(Progress::Done)
}

/// Deletes the first rows of a run in a table.
fn delete_first(
    connection: &Connection,
    table: &str,
    key: &str,
    run: i64,
) -> StoreResult<Progress> {
    let mut last = connection.prepare_cached(&format!(
        "SELECT ?1, {key} FROM {table} WHERE run = ?1 ORDER BY {key} LIMIT 1 OFFSET ?2"
    ))?;
    let place = |row: &Row<'_>| {
        let columns = 0..row.as_ref().column_count();
        columns.map(|at| row.get(at)).collect()
    };
    let last: Option<Vec<Value>> = last
        .query_row([run, i64::from(ROWS_AT_A_TIME) - 1], place)
        .optional()?;
    match last {
        Some(place) => {
            let values = vec!["?"; place.len() - 1].join(", ");
            connection
                .prepare_cached(&format!(
                    "DELETE FROM {table} WHERE run = ?1 AND ({key}) <= ({values})"
                ))?
                .execute(params_from_iter(place))?;
            Ok(Progress::More)
        }
        None => {
            connection
                .prepare_cached(&format!("DELETE FROM {table} WHERE run = ?1"))?
                .execute([run])?;
            Ok(Progress::Done)
        }
    }
}

/// Shortens the file by pages that nothing uses until the time is over. A file that an older version made keeps them for
/// later runs.
fn give_back(connection: &Connection, until: Instant) -> StoreResult<Progress> {
    let free: u32 = connection.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
    let mut statement = connection.prepare("PRAGMA incremental_vacuum")?;
    // Each row is one page.
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {
        if Instant::now() >= until {
            break;
        }
    }
    // What was done is kept only from here on.
    drop(rows);
    let left: u32 = connection.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
    Ok(if left > 0 && left < free {
        Progress::More
    } else {
        Progress::Done
    })
}

#[cfg(test)]
mod tests {
    use greylag_infra::{Completeness, LATE_RESULTS, LoadProfile, LoadTest, RunPhase, RunRecord};

    use super::*;
    use crate::store::schema::open_writer;

    #[tokio::test]
    async fn a_run_that_takes_late_results_is_not_beyond_what_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let ended_at = WallTime::from_micros(1_000);
        let mut late = RunRecord {
            id: "late".into(),
            number: 0,
            test: LoadTest::default(),
            phase: RunPhase::Finished,
            created_at: WallTime::from_micros(1),
            started_at: Some(WallTime::from_micros(1)),
            ended_at: Some(ended_at),
            agents: Vec::new(),
            profile: LoadProfile::default(),
            completeness: Completeness::default(),
        };
        late.completeness.wait_for_late_results(ended_at);
        store.create_run(late).await.unwrap();
        let everything = KeepLimit::EndedSince(WallTime::MAX);
        let beyond = async |now| store.runs_beyond(everything, now).await.unwrap();
        assert!(beyond(ended_at).await.is_empty());
        assert_eq!(beyond(ended_at + LATE_RESULTS).await, [RunId::from("late")]);
    }

    #[test]
    fn every_table_with_rows_of_runs_is_cleared() {
        let dir = tempfile::tempdir().unwrap();
        let connection = open_writer(dir.path()).unwrap();
        let mut statement = connection
            .prepare(
                "SELECT tables.name FROM sqlite_schema tables JOIN pragma_table_info(tables.name) columns
                 WHERE tables.type = 'table' AND columns.name = 'run' AND tables.name NOT IN ('runs', 'deleted_runs', 'unfinished_imports')
                 ORDER BY 1",
            )
            .unwrap();
        let names = statement.query_map([], |row| row.get::<_, String>(0));
        let names: Vec<String> = names.unwrap().collect::<Result<_, _>>().unwrap();
        let mut cleared = TABLES.map(|(table, _)| table);
        cleared.sort_unstable();
        assert_eq!(names, cleared);
    }
}

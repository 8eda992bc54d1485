//! What people say of a run beside its results: that it is to be kept, labels, a note, and notes at moments of it.

use std::collections::HashMap;

use greylag_infra::{RunId, RunRecord, TestVerdict};
use rusqlite::{Connection, params};

use super::Store;
use super::error::{StoreError, StoreResult};
use super::live::WriterState;
use super::run_rows::{self, from_json, json, key_of};
use super::run_search::{self, RunFilter};
use super::thresholds::verdict_of;

/// Most notes at moments of a run.
pub const MAX_RUN_MARKS: usize = 50;

/// What people say of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Annotations {
    /// Whether it is to be kept, whatever is deleted because of its age or number.
    pub pinned: bool,
    /// Its labels, each `key=value` or a word.
    pub labels: Vec<String>,
    /// Its note, in Markdown.
    pub note: String,
    /// Notes at moments of it, by second.
    pub marks: Vec<RunMark>,
}

/// A note at a moment of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunMark {
    /// Its number within the run.
    pub number: u32,
    /// Second of run time.
    pub second: u32,
    /// What was then, in one line.
    pub text: String,
}

/// What is to be said instead; what is none stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "as in Annotations")]
pub struct AnnotationChange {
    pub pinned: Option<bool>,
    pub labels: Option<Vec<String>>,
    pub note: Option<String>,
}

/// What a list of runs shows of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ListedAnnotations {
    pub(crate) pinned: bool,
    pub(crate) labels: Vec<String>,
    pub(crate) has_note: bool,
    /// What its thresholds say of it, once it is over.
    pub(crate) verdict: Option<TestVerdict>,
}

/// There are already as many notes at moments of the run as there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the run already has {MAX_RUN_MARKS} notes at moments, the maximum; delete one first")]
pub struct TooManyMarks;

impl Store {
    /// What a list of runs shows of a run; the default of one that is not there.
    pub(crate) async fn listed_annotations(
        &self,
        id: &RunId,
    ) -> Result<ListedAnnotations, StoreError> {
        let id = id.to_owned();
        let query = move |connection: &rusqlite::Transaction<'_>| {
            let mut known = listed(connection, std::iter::once(&id))?;
            Ok(known.remove(&id).unwrap_or_default())
        };
        self.inner.readers.run(query).await
    }

    /// What people say of a run.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub async fn annotations(&self, id: &RunId) -> Result<Annotations, StoreError> {
        let id = id.to_owned();
        let query = move |connection: &rusqlite::Transaction<'_>| read(connection, &id);
        self.inner.readers.run(query).await
    }

    /// Runs as a list shows them, and how many there are in all, as [`Store::runs_and_count`].
    ///
    /// # Errors
    /// The database failed.
    pub(crate) async fn listed_runs(
        &self,
        filter: RunFilter,
    ) -> Result<(Vec<(RunRecord, ListedAnnotations)>, u64), StoreError> {
        let query = move |connection: &rusqlite::Transaction<'_>| {
            let runs = run_rows::list(connection, &filter)?;
            let mut said = listed(connection, runs.iter().map(|run| &run.id))?;
            let runs = runs.into_iter().map(|run| {
                let said = said.remove(&run.id).unwrap_or_default();
                (run, said)
            });
            Ok((runs.collect(), run_search::count(connection, &filter)?))
        };
        self.inner.readers.run(query).await
    }

    /// Changes what people say of a run, whether or not it is over.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub async fn annotate(&self, id: &RunId, change: AnnotationChange) -> Result<(), StoreError> {
        let id = id.to_owned();
        let changed = move |state: &mut WriterState| {
            state.transaction(|connection| {
                let key = key_of(connection, &id)?;
                let labels = change.labels.as_ref().map(json);
                connection
                    .prepare_cached(
                        "UPDATE runs SET pinned = coalesce(?2, pinned), labels = coalesce(?3, labels),
                         note = coalesce(?4, note) WHERE run = ?1",
                    )?
                    .execute(params![key, change.pinned, labels, change.note])?;
                Ok(())
            })
        };
        self.inner.writer.run(changed).await
    }

    /// Adds a note at a moment of a run; its number.
    ///
    /// # Errors
    /// The run was not found, it has too many of them, or the database failed.
    pub async fn add_run_mark(
        &self,
        id: &RunId,
        second: u32,
        text: String,
    ) -> Result<u32, StoreError> {
        let id = id.to_owned();
        let added = move |state: &mut WriterState| {
            state.transaction(|connection| {
                let key = key_of(connection, &id)?;
                let (count, last): (usize, u32) = connection
                    .prepare_cached(
                        "SELECT count(*), coalesce(max(mark), 0) FROM run_marks WHERE run = ?1",
                    )?
                    .query_row([key], |row| {
                        Ok((row.get::<_, u32>(0)? as usize, row.get(1)?))
                    })?;
                if count >= MAX_RUN_MARKS {
                    return Err(TooManyMarks.into());
                }
                connection
                    .prepare_cached(
                        "INSERT INTO run_marks (run, mark, second, text) VALUES (?1, ?2, ?3, ?4)",
                    )?
                    .execute(params![key, last + 1, second, text])?;
                Ok(last + 1)
            })
        };
        self.inner.writer.run(added).await
    }

    /// Deletes a note at a moment of a run; false if there is none with this number.
    ///
    /// # Errors
    /// The run was not found, or the database failed.
    pub async fn delete_run_mark(&self, id: &RunId, number: u32) -> Result<bool, StoreError> {
        let id = id.to_owned();
        let deleted = move |state: &mut WriterState| {
            state.transaction(|connection| {
                let key = key_of(connection, &id)?;
                let deleted = connection
                    .prepare_cached("DELETE FROM run_marks WHERE run = ?1 AND mark = ?2")?
                    .execute([key, i64::from(number)])?;
                Ok(deleted > 0)
            })
        };
        self.inner.writer.run(deleted).await
    }
}

/// What people say of a run.
fn read(connection: &Connection, id: &RunId) -> StoreResult<Annotations> {
    let key = key_of(connection, id)?;
    let (pinned, labels, note): (_, String, _) = connection
        .prepare_cached("SELECT pinned, labels, note FROM runs WHERE run = ?1")?
        .query_row([key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let mut statement = connection.prepare_cached(
        "SELECT mark, second, text FROM run_marks WHERE run = ?1 ORDER BY second, mark",
    )?;
    let marks = statement.query_map([key], |row| {
        Ok(RunMark {
            number: row.get(0)?,
            second: row.get(1)?,
            text: row.get(2)?,
        })
    })?;
    Ok(Annotations {
        pinned,
        labels: from_json(&labels)?,
        note,
        marks: marks.collect::<Result<_, _>>()?,
    })
}

/// Whether what people say of a run can be read.
pub(super) fn check(connection: &Connection, id: &RunId) -> StoreResult<()> {
    listed(connection, std::iter::once(id))?;
    read(connection, id).map(drop)
}

/// What a list shows of these runs. Those that are not there are left out.
fn listed<'r>(
    connection: &Connection,
    ids: impl Iterator<Item = &'r RunId>,
) -> StoreResult<HashMap<RunId, ListedAnnotations>> {
    let ids: Vec<&str> = ids.map(RunId::as_str).collect();
    let mut statement = connection.prepare_cached(
        "SELECT id, pinned, labels, note <> '', verdict FROM runs WHERE id IN (SELECT value FROM json_each(?1))",
    )?;
    let mut rows = statement.query([json(&ids)])?;
    let mut listed = HashMap::new();
    while let Some(row) = rows.next()? {
        let annotations = ListedAnnotations {
            pinned: row.get(1)?,
            labels: from_json(&row.get::<_, String>(2)?)?,
            has_note: row.get(3)?,
            verdict: verdict_of(row.get(4)?),
        };
        listed.insert(row.get::<_, String>(0)?.into(), annotations);
    }
    Ok(listed)
}

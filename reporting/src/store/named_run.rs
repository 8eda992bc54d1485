//! The run that a name means: an id, a test and a number, or a test.

use greylag_infra::{LoadTest, RunRecord};
use rusqlite::{Connection, OptionalExtension, params};

use super::Store;
use super::error::{StoreError, StoreResult};
use super::integers::{time_to_sql, to_sql};
use super::run_rows::by_id;

/// The word for the newest pinned run of a test.
pub(super) const PINNED: &str = "pinned";

impl Store {
    /// The run that a name means: its id, `checkout#12`, `checkout#pinned` for the newest pinned run of a test, or `checkout` for
    /// the newest one.
    ///
    /// # Errors
    /// The database failed.
    pub(crate) async fn run_named(&self, name: &str) -> Result<Option<RunRecord>, StoreError> {
        let name = name.to_owned();
        let query = move |connection: &rusqlite::Transaction<'_>| find(connection, &name, None);
        self.inner.readers.run(query).await
    }

    /// Whether the run that a test names as its baseline is there, or may still come: the test may not have run yet, or nothing
    /// may be pinned yet.
    ///
    /// # Errors
    /// The database failed.
    pub(crate) async fn has_baseline(&self, test: &LoadTest) -> Result<bool, StoreError> {
        let name = test.baseline.trim();
        let may_come = name.is_empty()
            || name == PINNED
            || name == test.name
            || name
                .rsplit_once('#')
                .is_some_and(|(_, which)| which == PINNED);
        Ok(may_come || self.run_named(name).await?.is_some())
    }
}

/// Why a run is compared with none, where the one that its test means as the baseline was not found.
pub(crate) fn why_no_baseline(test: &LoadTest) -> String {
    const NOTHING: &str = "nothing to compare with";
    let named = test.baseline.trim();
    if ["", PINNED].contains(&named) {
        return format!("{NOTHING}: pin a run of this test, or name one as the baseline");
    }
    match named.rsplit_once('#') {
        Some((of, PINNED)) => format!("{NOTHING}: no run of {of} was pinned when this one began"),
        _ => format!(
            "{NOTHING}: {named} was not found among the runs that were over when this one began"
        ),
    }
}

/// The run of a name; with `before`, only among runs that are over, and that were created before this one unless the name is an id.
pub(super) fn find(
    connection: &Connection,
    name: &str,
    before: Option<&RunRecord>,
) -> StoreResult<Option<RunRecord>> {
    let name = name.trim();
    let (test, which) = name.rsplit_once('#').unwrap_or((name, ""));
    let number: Option<u64> = which.parse().ok();
    // In the order in which they are meant.
    let newest_of_test = connection
        .prepare_cached(
            "SELECT id FROM runs
             WHERE (id = ?1 OR test = ?2 AND (number = ?3 OR ?4 AND pinned) OR test = ?1)
               AND (?5 IS NULL OR is_over AND id <> ?5 AND (id = ?1 OR created_at_us <= ?6))
             ORDER BY id = ?1 DESC, test = ?2 AND ?2 <> ?1 DESC, number DESC LIMIT 1",
        )?
        .query_row(
            params![
                name,
                test.trim(),
                number.map(to_sql),
                which == PINNED,
                before.map(|run| run.id.as_str()),
                before.map(|run| time_to_sql(run.created_at))
            ],
            |row| row.get::<_, String>(0),
        )
        .optional()?;
    match newest_of_test {
        Some(id) => by_id(connection, &id.into()),
        None => Ok(None),
    }
}

//! Which shipped builds runs are of, and with which data files.

use greylag_infra::{DataFile, FileHash, RunId};
use rusqlite::params;

use super::Store;
use super::error::StoreError;
use crate::builds::OfRuns;

impl Store {
    /// The shipped builds that runs refer to: all runs, or those that are not over.
    ///
    /// # Errors
    /// The database failed.
    pub(crate) async fn shipped_builds(&self, of_all_runs: bool) -> Result<OfRuns, StoreError> {
        let query = move |connection: &rusqlite::Transaction<'_>| {
            let mut statement = connection.prepare_cached(
                "SELECT DISTINCT definition ->> '$.build.sha256', definition -> '$.build.data' FROM runs
                 WHERE (?1 OR NOT is_over) AND definition ->> '$.build' IS NOT NULL",
            )?;
            let mut rows = statement.query([of_all_runs])?;
            let mut builds = OfRuns::new();
            while let Some(row) = rows.next()? {
                let (hash, data): (String, Option<String>) = (row.get(0)?, row.get(1)?);
                let Ok(hash) = hash.parse::<FileHash>() else {
                    continue;
                };
                let data = data.and_then(|data| serde_json::from_str::<Vec<DataFile>>(&data).ok());
                let data = data.unwrap_or_default().into_iter();
                let of_build = builds.entry(hash).or_default();
                of_build.extend(data.map(|file| file.sha256));
            }
            Ok(builds)
        };
        self.inner.readers.run(query).await
    }

    /// Whether a run in progress is of this build or has this data file; one on this infrastructure and with this identifier, where they are given.
    ///
    /// # Errors
    /// The database failed.
    pub(crate) async fn is_build_in_use(
        &self,
        hash: &FileHash,
        infrastructure: Option<String>,
        run: Option<RunId>,
    ) -> Result<bool, StoreError> {
        let hash = hash.clone();
        let query = move |connection: &rusqlite::Transaction<'_>| {
            let mut statement = connection.prepare_cached(
                "SELECT 1 FROM runs
                 WHERE NOT is_over
                     AND (definition ->> '$.build.sha256' = ?1 OR EXISTS (
                         SELECT 1 FROM json_each(definition, '$.build.data') WHERE value ->> '$.sha256' = ?1))
                     AND (?2 IS NULL OR definition ->> '$.infrastructure' = ?2) AND (?3 IS NULL OR id = ?3)",
            )?;
            let run = run.as_ref().map(RunId::as_str);
            Ok(statement.exists(params![hash.as_str(), infrastructure, run])?)
        };
        self.inner.readers.run(query).await
    }
}

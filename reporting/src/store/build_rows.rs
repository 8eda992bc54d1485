//! Which shipped builds runs are of, and with which data files.

use greylag_infra::{DataFile, FileHash};

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
}

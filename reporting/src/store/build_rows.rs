//! Which shipped builds runs are of.

use std::collections::HashSet;

use greylag_infra::FileHash;

use super::Store;
use super::error::StoreError;

impl Store {
    /// The shipped builds that runs refer to: all runs, or those that are not over.
    ///
    /// # Errors
    /// The database failed.
    pub(crate) async fn shipped_builds(
        &self,
        of_all_runs: bool,
    ) -> Result<HashSet<FileHash>, StoreError> {
        let query = move |connection: &rusqlite::Transaction<'_>| {
            let mut statement = connection.prepare_cached(
                "SELECT DISTINCT definition ->> '$.build.sha256' FROM runs
                 WHERE (?1 OR NOT is_over) AND definition ->> '$.build' IS NOT NULL",
            )?;
            let hashes = statement.query_map([of_all_runs], |row| row.get::<_, String>(0))?;
            let hashes = hashes.collect::<Result<Vec<_>, _>>()?;
            Ok(hashes.iter().filter_map(|hash| hash.parse().ok()).collect())
        };
        self.inner.readers.run(query).await
    }
}

//! What is secret, and what is left of a definition when its secrets are forgotten.

use greylag_infra::{LoadTest, RunRecord, SecretOption};
use rusqlite::{Connection, params};

use super::Store;
use super::error::{StoreError, StoreResult};
use super::live::WriterState;
use super::run_rows::json;

impl Store {
    /// Remembers that options are secret.
    ///
    /// # Errors
    /// The database failed.
    pub async fn save_secret_options(&self, options: Vec<SecretOption>) -> Result<(), StoreError> {
        let saved = move |state: &mut WriterState| {
            state.transaction(|connection| {
                let mut statement = connection.prepare_cached(
                    "INSERT OR IGNORE INTO secret_options (scenario, option, token) VALUES (?1, ?2, ?3)",
                )?;
                for secret in &options {
                    statement.execute(params![secret.scenario, secret.option, secret.token])?;
                }
                Ok(())
            })
        };
        self.inner.writer.run(saved).await
    }

    /// Every option that an agent has ever declared as secret.
    ///
    /// # Errors
    /// The database failed.
    pub async fn secret_options(&self) -> Result<Vec<SecretOption>, StoreError> {
        let read = |connection: &rusqlite::Transaction<'_>| {
            let mut statement =
                connection.prepare_cached("SELECT scenario, option, token FROM secret_options")?;
            let options = statement.query_map([], |row| {
                Ok(SecretOption {
                    scenario: row.get(0)?,
                    option: row.get(1)?,
                    token: row.get(2)?,
                })
            })?;
            Ok(options.collect::<Result<_, _>>()?)
        };
        self.inner.readers.run(read).await
    }
}

/// Leaves the secrets of a run out, whether or not it is over.
pub(super) fn forget_secrets(connection: &Connection, record: &RunRecord) -> StoreResult<()> {
    connection.execute(
        "UPDATE runs SET definition = ?2, set_up_data = NULL WHERE id = ?1",
        params![record.id.as_str(), without_secrets(connection, record)?],
    )?;
    Ok(())
}

/// The definition as it is kept: with its secrets only as long as the run needs them.
pub(super) fn definition_of(connection: &Connection, record: &RunRecord) -> StoreResult<String> {
    if record.phase.is_over() {
        without_secrets(connection, record)
    } else {
        Ok(json(&record.test))
    }
}

/// Leaves the secrets out that an earlier version kept after the end of runs. Which options are secret was not kept
/// then, so these stay, and so does a definition that cannot be read.
pub(super) fn forget_secrets_of_finished(connection: &Connection) -> rusqlite::Result<()> {
    let mut over = connection.prepare("SELECT run FROM runs WHERE is_over")?;
    let over = over.query_map([], |row| row.get(0))?;
    let over = over.collect::<Result<Vec<i64>, _>>()?;
    let mut read = connection.prepare("SELECT definition FROM runs WHERE run = ?1")?;
    let mut write =
        connection.prepare("UPDATE runs SET definition = ?2, set_up_data = NULL WHERE run = ?1")?;
    for run in over {
        let kept: String = read.query_row([run], |row| row.get(0))?;
        if let Ok(test) = serde_json::from_str::<LoadTest>(&kept) {
            write.execute(params![run, json(&test.without_secrets(|_| false))])?;
        }
    }
    Ok(())
}

fn without_secrets(connection: &Connection, record: &RunRecord) -> StoreResult<String> {
    let mut statement = connection
        .prepare_cached("SELECT 1 FROM secret_options WHERE scenario = ?1 AND option = ?2")?;
    let mut secret = Vec::new();
    for name in record.test.options.keys() {
        if statement.exists(params![record.test.scenario, name])? {
            secret.push(name.as_str());
        }
    }
    let test = record.test.clone();
    Ok(json(&test.without_secrets(|name| secret.contains(&name))))
}

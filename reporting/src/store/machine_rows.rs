//! Which machines have to be given back. A row is there from before machines are asked for until they are given back, so
//! that whatever ends the coordinator leaves none behind.

use greylag_infra::RunId;
use rusqlite::params;

use super::Store;
use super::error::StoreError;
use super::live::WriterState;

/// A run whose machines are not given back yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeldMachines {
    /// The run they were asked for.
    pub(crate) run_id: RunId,
    /// The infrastructure that was asked.
    pub(crate) infrastructure: String,
    /// The word of the kind that it had; none where an earlier version kept it.
    pub(crate) kind: Option<String>,
}

impl Store {
    /// Keeps that machines are about to be asked for; harmless when repeated.
    ///
    /// # Errors
    /// The database failed.
    pub(crate) async fn hold_machines(&self, held: HeldMachines) -> Result<(), StoreError> {
        let saved = move |state: &mut WriterState| {
            state.transaction(|connection| {
                connection.execute(
                    "INSERT OR REPLACE INTO held_machines (run_id, infrastructure, kind) VALUES (?1, ?2, ?3)",
                    params![held.run_id.as_str(), held.infrastructure, held.kind],
                )?;
                Ok(())
            })
        };
        self.inner.writer.run(saved).await
    }

    /// A run's machines are given back.
    ///
    /// # Errors
    /// The database failed.
    pub(crate) async fn machines_released(&self, run_id: &RunId) -> Result<(), StoreError> {
        let run_id = run_id.to_owned();
        let saved = move |state: &mut WriterState| {
            state.transaction(|connection| {
                connection.execute(
                    "DELETE FROM held_machines WHERE run_id = ?1",
                    [run_id.as_str()],
                )?;
                Ok(())
            })
        };
        self.inner.writer.run(saved).await
    }

    /// All that are not given back.
    ///
    /// # Errors
    /// The database failed.
    pub(crate) async fn held_machines(&self) -> Result<Vec<HeldMachines>, StoreError> {
        let read = |connection: &rusqlite::Transaction<'_>| {
            let mut statement = connection
                .prepare_cached("SELECT run_id, infrastructure, kind FROM held_machines")?;
            let rows = statement.query_map([], |row| {
                Ok(HeldMachines {
                    run_id: RunId::from(row.get::<_, String>(0)?),
                    infrastructure: row.get(1)?,
                    kind: row.get(2)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        };
        self.inner.readers.run(read).await
    }
}

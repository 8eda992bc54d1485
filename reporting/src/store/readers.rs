//! Connections that read beside the writer, each seeing the database as of one moment.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, Transaction};
use tokio::sync::Semaphore;

use super::error::{StoreError, StoreResult};
use super::schema::open_reader;

/// Reads at once.
const READERS: usize = 4;

/// A few read-only connections, opened when first needed.
#[derive(Debug)]
pub(super) struct Readers {
    dir: PathBuf,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    /// Readers of the database in this directory.
    pub(super) fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            idle: Mutex::new(Vec::new()),
            permits: Arc::new(Semaphore::new(READERS)),
        }
    }

    /// The directory of the database.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Runs a query off the async threads, inside one read transaction.
    pub(super) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        query: impl FnOnce(&Transaction<'_>) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|_| StoreError::Closed)?;
        let readers = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            // A browser that hangs up ends the waiting but not the query, which keeps its place.
            let _permit = permit;
            readers.query(query)
        })
        .await
        .map_err(|_| StoreError::Closed)?
    }

    /// Refuses further reads and closes what is idle.
    pub(super) fn close(&self) {
        self.permits.close();
        self.idle().clear();
    }

    fn query<T>(&self, query: impl FnOnce(&Transaction<'_>) -> StoreResult<T>) -> StoreResult<T> {
        let idle = self.idle().pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => open_reader(&self.dir)?,
        };
        let answer = query(&connection.transaction()?)?;
        if !self.permits.is_closed() {
            self.idle().push(connection);
        }
        Ok(answer)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Why the store cannot do what it was asked.

use std::path::PathBuf;
use std::sync::Arc;

use greylag_infra::RunId;

use super::annotation_rows::TooManyMarks;
use crate::measure::histogram_codec::HistogramError;

/// Why the store cannot do what it was asked. Each is a message for the user.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum StoreError {
    #[error("the data directory {} is a file; set --data to a directory", .path.display())]
    NotADirectory { path: PathBuf },
    #[error("the data directory {} cannot be written ({source}); set --data to one that can be", .path.display())]
    NotWritable {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the data directory {} is in use by another coordinator; stop that one or set --data to another directory", .path.display())]
    InUse { path: PathBuf },
    #[error(
        "the database {} was created by a newer Greylag (schema {found}; this one supports {known}); run that version or set --data to another directory",
        .path.display()
    )]
    NewerSchema {
        path: PathBuf,
        found: i64,
        known: i64,
    },
    #[error("the disk of {} is full; free some space, or choose a directory on another disk", .path.display())]
    DiskFull { path: PathBuf },
    #[error("{} cannot be read or written ({reason}); check its disk", .path.display())]
    Inaccessible { path: PathBuf, reason: String },
    #[error("there are no results in {}; set --data to a coordinator's data directory", .path.display())]
    NothingThere { path: PathBuf },
    #[error("{} is not a Greylag database or is damaged ({reason}); move greylag.sqlite, greylag.sqlite-wal and greylag.sqlite-shm away and put a backup in their place, or set --data to another directory", .path.display())]
    Damaged { path: PathBuf, reason: String },
    #[error("run {0} was not found")]
    UnknownRun(RunId),
    #[error(transparent)]
    UnknownEndpoint(#[from] UnknownEndpoint),
    #[error(transparent)]
    UnknownAgentName(#[from] UnknownAgentName),
    #[error(transparent)]
    UnknownMetric(#[from] UnknownMetric),
    #[error("run {0} already exists")]
    RunExists(RunId),
    #[error(transparent)]
    NotOver(#[from] RunNotOver),
    #[error(transparent)]
    Pinned(#[from] RunIsPinned),
    #[error(transparent)]
    TooManyMarks(#[from] TooManyMarks),
    #[error("the agent is not part of run {run}")]
    UnknownAgent { run: RunId },
    #[error("the agent sent more after it had ended its part of run {run}")]
    AfterEnd { run: RunId },
    #[error("{0}")]
    InvalidSnapshot(String),
    #[error("the database failed: {0}")]
    Database(#[from] rusqlite::Error),
    #[error("the database contains data that cannot be read: {0}")]
    Unreadable(String),
    #[error("the store is closed")]
    Closed,
    /// The same error for all snapshots of a batch.
    #[error(transparent)]
    Shared(Arc<StoreError>),
}

impl From<HistogramError> for StoreError {
    fn from(error: HistogramError) -> Self {
        Self::Unreadable(error.to_string())
    }
}

/// A run that is still running cannot be deleted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("run {0} is still running; stop it before deleting it")]
pub struct RunNotOver(pub RunId);

/// A run that is pinned is not deleted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("run {0} is pinned; unpin it before deleting it")]
pub struct RunIsPinned(pub RunId);

/// A run has no such endpoint; here are its method and name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the run has no endpoint `{0}`")]
pub struct UnknownEndpoint(pub String);

/// A run has no agent of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the run has no agent `{0}`")]
pub struct UnknownAgentName(pub String);

/// A run has no custom metric of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the run has no custom metric `{0}`")]
pub struct UnknownMetric(pub String);

impl StoreError {
    /// Whether the run is not known here.
    pub fn is_unknown_run(&self) -> bool {
        matches!(self.of_one(), Self::UnknownRun(_))
    }

    /// The error, whether or not others have it, too.
    pub(crate) fn of_one(&self) -> &Self {
        match self {
            Self::Shared(error) => error.of_one(),
            error => error,
        }
    }

    /// Whether there is no space left.
    pub fn is_full_disk(&self) -> bool {
        match self.of_one() {
            Self::DiskFull { .. } => true,
            Self::Database(error) => {
                error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
            }
            _ => false,
        }
    }

    /// Whether what was given is at fault, so that trying again cannot help.
    pub fn is_invalid_input(&self) -> bool {
        matches!(
            self.of_one(),
            Self::UnknownAgent { .. }
                | Self::AfterEnd { .. }
                | Self::InvalidSnapshot(_)
                | Self::RunExists(_)
        )
    }
}

/// Short form for what the store's functions return.
pub(crate) type StoreResult<T> = Result<T, StoreError>;

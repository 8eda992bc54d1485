//! Why a bundle cannot be made or taken in.

use greylag_infra::RunId;

use crate::store::error::StoreError;

/// Why a run was not exported or imported. Each is a message for the user; an import that failed has changed nothing.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum BundleError {
    #[error(
        "the file is not a Greylag bundle; give one that `greylag export --format bundle` wrote"
    )]
    NotABundle,
    #[error(
        "the bundle has format {found}, and this version reads up to {known}; import it with a newer Greylag"
    )]
    NewerFormat { found: u64, known: u64 },
    #[error(
        "the bundle was made by Greylag {greylag} with schema {found}, and this version knows up to {known}; import it with that version or a newer one"
    )]
    NewerSchema {
        greylag: String,
        found: i64,
        known: i64,
    },
    #[error("the bundle has schema {found}; the oldest that is read is {oldest}")]
    OlderSchema { found: i64, oldest: i64 },
    #[error(
        "the bundle is cut short or was altered: its bytes do not have the SHA-256 at its end; copy or export it again"
    )]
    OtherHash,
    /// It is as it was written, and cannot have been written by this program.
    #[error("the bundle is not valid: {place}: {reason}")]
    Invalid { place: String, reason: String },
    #[error("the bundle is larger than {} MiB, the maximum", .maximum_bytes >> 20)]
    TooLarge { maximum_bytes: u64 },
    #[error("run {0} already exists; delete it first to import it again")]
    Exists(RunId),
    #[error("other bundles are still being imported; try again later")]
    Busy,
    #[error("run {0} is still in progress; a bundle can be made when it is over")]
    InProgress(RunId),
    #[error(
        "run {0} still takes results of agents that were lost; a bundle can be made when that is over, at most an hour after the run"
    )]
    TakesLateResults(RunId),
    #[error("run {0} was deleted while its bundle was made")]
    Deleted(RunId),
    #[error("the bundle cannot be read or stored: {0}")]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BundleError {
    pub(super) fn invalid(place: impl Into<String>, reason: impl ToString) -> Self {
        Self::Invalid {
            place: place.into(),
            reason: reason.to_string(),
        }
    }
}

impl From<rusqlite::Error> for BundleError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Short form.
pub(super) type BundleResult<T> = Result<T, BundleError>;

//! Why a build is not taken or not here.

use std::io;

use greylag_infra::{DataFilesError, DataPath, FileHash, MAX_BUILD_BYTES};

/// Why a build is not taken or not here. Each is a message for the user.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum BuildError {
    #[error("build {0} is not on this coordinator; upload it by starting a run from its program")]
    Unknown(String),
    #[error(
        "data file `{0}` is not on this coordinator (any more); start the run again from its program, where the file is"
    )]
    UnknownData(DataPath),
    #[error(transparent)]
    Data(#[from] DataFilesError),
    #[error(
        "the program has {size} bytes; the maximum is {MAX_BUILD_BYTES}. Build it with --release, and with `strip = true` in its profile"
    )]
    TooLarge { size: u64 },
    #[error(
        "the build with its data files does not fit beside those that are stored, and runs refer to all of them; delete one with `greylag builds delete`"
    )]
    NoRoom,
    #[error(
        "the coordinator's disk is full, so neither builds nor data files can be stored; free some space there or delete builds with `greylag builds delete`"
    )]
    DiskFull,
    #[error(
        "this build, or one of its data files, is being uploaded by someone else; try again in a moment"
    )]
    Busy,
    #[error("the piece does not follow what has come; {received} bytes are here")]
    OtherOffset { received: u64 },
    #[error("more has come than the {announced} bytes that were announced; start the run again")]
    OtherSize { announced: u64 },
    #[error("the uploaded file's SHA-256 is {uploaded}, not {announced}; start the run again")]
    OtherHash { announced: String, uploaded: String },
    #[error("build {0} is used by a run in progress; stop that run first")]
    InUse(String),
    #[error("the build cannot be stored or read; the coordinator's log says why")]
    Io(#[source] io::Error),
}

impl BuildError {
    pub(super) fn unknown(hash: &FileHash) -> Self {
        Self::Unknown(hash.short().to_owned())
    }
}

impl From<io::Error> for BuildError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Io(error),
        }
    }
}

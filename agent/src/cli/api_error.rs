//! Why the coordinator did not do what was asked.

use reqwest::StatusCode;

use super::failure::Failure;

/// Why the coordinator did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// No connection to it was made.
    #[error(
        "cannot reach the coordinator at {url} ({cause}); check its address and that it is running"
    )]
    Unreachable { url: String, cause: String },
    /// It was asked, and its answer did not come, or not all of it.
    #[error("the coordinator at {url} did not answer to the end ({cause})")]
    BrokenOff { url: String, cause: String },
    /// Its certificate is not trusted.
    #[error("cannot reach the coordinator at {url}: {cause}")]
    Untrusted { url: String, cause: String },
    /// It refused, for this reason.
    #[error("{reason}")]
    Refused { reason: String, status: StatusCode },
    /// Something other than a coordinator answers.
    #[error("{url} does not answer as a Greylag coordinator ({cause}); check the address")]
    Strange {
        url: String,
        cause: String,
        status: StatusCode,
    },
}

impl ApiError {
    /// Whether the same may be done a moment later: it is not there, or something else is under way.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::BrokenOff { .. } => true,
            Self::Refused { status, .. } => {
                *status == StatusCode::CONFLICT || status.is_server_error()
            }
            Self::Untrusted { .. } => false,
            // Such as a proxy whose coordinator is being restarted.
            Self::Strange { .. } => true,
        }
    }

    /// As the reason why a run was not started, or, where only the answer is missing, that it may have been: then it is not bad
    /// input, which promises that nothing was started, and `look` says how to find out.
    pub(crate) fn of_start(&self, look: &str) -> Failure {
        match self.may_be_done() {
            true => Failure::failed(format!("{self}. The run may have been started: {look}")),
            false => Failure::bad_input(self),
        }
    }

    /// Whether what was asked may have been done all the same.
    fn may_be_done(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Untrusted { .. } => false,
            Self::BrokenOff { .. } => true,
            // It took too long, or the coordinator ends.
            Self::Refused { status, .. } => {
                [StatusCode::REQUEST_TIMEOUT, StatusCode::SERVICE_UNAVAILABLE].contains(status)
            }
            // A proxy lost the coordinator, or it is of another version.
            Self::Strange { status, .. } => {
                status.is_server_error() || *status == StatusCode::CREATED
            }
        }
    }
}

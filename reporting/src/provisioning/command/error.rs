//! What can go wrong with a command.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use greylag_infra::format_duration;

use super::UP;
use crate::provisioning::ProvisionError;

#[derive(Debug, thiserror::Error)]
pub(super) enum CommandError {
    #[error("{name} cannot be started: {program}: {source}")]
    Start {
        name: &'static str,
        program: String,
        source: io::Error,
    },
    /// With what it said last.
    #[error("{name} ended with {how}{}", .said.as_ref().map(|said| format!(": {said}")).unwrap_or_default())]
    Ended {
        name: &'static str,
        how: String,
        said: Option<String>,
    },
    #[error("{name} did not end within {} and was stopped with all it had started", format_duration(*.timeout))]
    TimedOut {
        name: &'static str,
        timeout: Duration,
    },
    #[error("{name} was stopped")]
    Stopped { name: &'static str },
    #[error("{}: {source}", .path.display())]
    State { path: PathBuf, source: io::Error },
    #[error("{name}: a task failed; the coordinator's log says why")]
    Panicked { name: &'static str },
}

impl CommandError {
    /// The same with what the command said last, if it ended by itself.
    #[must_use]
    pub(super) fn with_last_line(self, last: Option<String>) -> Self {
        match self {
            Self::Ended { name, how, .. } => Self::Ended {
                name,
                how,
                said: last,
            },
            other => other,
        }
    }
}

/// An `up` that failed would fail again; a full disk or too many processes may pass, and `down` is run until it succeeds.
impl From<Arc<CommandError>> for ProvisionError {
    fn from(error: Arc<CommandError>) -> Self {
        let is_final = match &*error {
            CommandError::State { .. } => false,
            CommandError::Start { name, source, .. } => {
                *name == UP
                    && matches!(
                        source.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied
                    )
            }
            CommandError::Ended { name, .. }
            | CommandError::TimedOut { name, .. }
            | CommandError::Stopped { name }
            | CommandError::Panicked { name } => *name == UP,
        };
        match is_final {
            true => Self::refused(error),
            false => Self::unavailable(error),
        }
    }
}

impl From<CommandError> for ProvisionError {
    fn from(error: CommandError) -> Self {
        Self::from(Arc::new(error))
    }
}

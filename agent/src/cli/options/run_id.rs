//! A run's id as an argument.

use greylag_infra::RunId;

/// The text is not the id of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("give the run's id, the last part of its URL")]
pub(crate) struct RunIdError;

/// Reads the id of a run.
pub(crate) fn run_id(text: &str) -> Result<RunId, RunIdError> {
    let is_id = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric());
    if is_id {
        Ok(RunId::from(text))
    } else {
        Err(RunIdError)
    }
}

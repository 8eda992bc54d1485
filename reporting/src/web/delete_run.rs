//! Deleting a run, whoever asks for it.

use super::error::WebError;
use super::state::WebState;

/// Deletes a run that is over.
///
/// # Errors
/// 404 when there is none, 409 while it goes on.
pub(super) async fn delete_run(state: &WebState, id: &str) -> Result<(), WebError> {
    state.coordinator.delete_run(id).await?;
    state.run_rows.forget(id);
    Ok(())
}

//! Deleting a run, whoever asks for it.

use crate::web::error::WebError;
use crate::web::state::WebState;
use greylag_infra::RunId;

/// Deletes a run that is over.
///
/// # Errors
/// 404 when there is none, 409 while it is active.
pub(in crate::web) async fn delete_run(state: &WebState, id: &RunId) -> Result<(), WebError> {
    let deleted = state.coordinator.delete_run(id).await;
    deleted.map_err(|error| WebError::of_store("deleting the run", error))?;
    state.run_rows.forget(id);
    Ok(())
}

//! Starting a run, whoever asks for it.

use greylag_infra::{DraftError, DraftErrors, TestDefaults, TestDraft};

use super::start_error::StartError;
use crate::coordinator::StartedRun;
use crate::results::views::known_scenarios;
use crate::web::state::WebState;

/// Starts the run of a body in JSON.
///
/// # Errors
/// See [`StartError`].
pub(in crate::web) async fn start_run_of_json(
    state: &WebState,
    body: &[u8],
) -> Result<StartedRun, StartError> {
    let (draft, found) = TestDraft::from_json(body);
    if found.are_of_syntax() {
        return Err(StartError::Invalid(found));
    }
    start_run(state, draft, found).await
}

/// Starts the run of the test that a draft means. `found` are errors that were met while it was read.
///
/// # Errors
/// See [`StartError`]; its text is for the user.
pub(in crate::web) async fn start_run(
    state: &WebState,
    draft: TestDraft,
    mut found: DraftErrors,
) -> Result<StartedRun, StartError> {
    let infrastructures = state.coordinator.infrastructures();
    let scenario = if draft.declared.is_some() {
        None
    } else {
        let infrastructure = draft.infrastructure_or(&TestDefaults::USUAL);
        known_scenarios::meant(&infrastructures, infrastructure, draft.scenario.as_deref())
            .unwrap_or_else(|error| {
                found.add(DraftError::new("scenario", error.to_string()));
                None
            })
    };
    let resolved = draft.resolve(&TestDefaults::USUAL, scenario);
    let test = found.and(resolved).map_err(StartError::Invalid)?;
    Ok(state.coordinator.start_run_on(test, draft.terms()).await?)
}

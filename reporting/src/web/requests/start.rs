//! Starting a run, whoever asks for it.

use greylag_infra::{
    DraftError, DraftErrors, FileHash, LoadTest, ShippedBuild, StartTerms, TestDefaults, TestDraft,
};

use super::start_error::StartError;
use crate::coordinator::{StartRefused, StartedRun};
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
    let shipped = match &draft.build {
        Some(hash) if draft.declared.is_none() => Some(shipped(state, hash, &draft).await?),
        _ => None,
    };
    let infrastructures = state.coordinator.infrastructures();
    let scenario = if draft.declared.is_some() {
        None
    } else if let Some(shipped) = &shipped {
        Some(&shipped.scenario.info)
    } else {
        let infrastructure = draft.infrastructure_or(&TestDefaults::USUAL);
        known_scenarios::meant(&infrastructures, infrastructure, draft.scenario.as_deref())
            .unwrap_or_else(|error| {
                found.add(DraftError::new("scenario", error.to_string()));
                None
            })
    };
    let resolved = draft.resolve(&TestDefaults::USUAL, scenario);
    let mut test = found.and(resolved).map_err(StartError::Invalid)?;
    test.build = shipped.map(Box::new);
    Ok(state.coordinator.start_run_on(test, draft.terms()).await?)
}

/// The build that a draft names.
///
/// # Errors
/// It or a data file is not stored here, it has no such scenario, or builds may not be shipped.
async fn shipped(
    state: &WebState,
    hash: &FileHash,
    draft: &TestDraft,
) -> Result<ShippedBuild, StartRefused> {
    if !state.accept_uploads {
        return Err(StartRefused::UploadsOff);
    }
    let scenario = draft.scenario.as_deref().unwrap_or_default();
    let data = draft.data.clone();
    state.coordinator.shipped_build(hash, scenario, data).await
}

/// Starts another run of a test.
///
/// # Errors
/// The coordinator cannot run it (any more).
pub(in crate::web) async fn start_again(
    state: &WebState,
    test: LoadTest,
    terms: StartTerms,
) -> Result<StartedRun, StartRefused> {
    if let Some(shipped) = &test.build {
        if !state.accept_uploads {
            return Err(StartRefused::UploadsOff);
        }
        let stored = state.coordinator.builds().get(&shipped.sha256).await;
        stored.map_err(StartRefused::Build)?;
        let data = shipped.data.clone();
        let stored = state.coordinator.builds().check_data(data).await;
        stored.map_err(StartRefused::Build)?;
    }
    state.coordinator.start_run_on(test, terms).await
}

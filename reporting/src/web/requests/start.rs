//! Starting a run, whoever asks for it.

use greylag_infra::{DraftError, DraftErrors, TestDefaults, TestDraft};

use crate::coordinator::{StartRefused, StartedRun};
use crate::results::views::known_scenarios;
use crate::web::state::WebState;

/// Why a run was not started.
#[derive(Debug, thiserror::Error)]
pub(in crate::web) enum StartError {
    /// What was sent is not a valid test.
    #[error(transparent)]
    Invalid(DraftErrors),
    /// The coordinator cannot run it.
    #[error(transparent)]
    Refused(#[from] StartRefused),
}

impl StartError {
    /// Where each error is, in the words of whoever fills in the page's form.
    pub(in crate::web) fn of_fields(&self) -> Vec<DraftError> {
        let one = |path: &str| vec![DraftError::new(path, self.to_string())];
        let builds = |what: String| {
            let message = format!(
                "{what}; start all agents from one build, or allow agents of different builds here"
            );
            vec![DraftError::new("allow_mixed_builds", message)]
        };
        let refused = match self {
            StartError::Invalid(invalid) => {
                let more = (invalid.more() > 0)
                    .then(|| DraftError::new("", format!("and {} more errors", invalid.more())));
                return invalid.iter().cloned().chain(more).collect();
            }
            StartError::Refused(refused) => refused,
        };
        match refused {
            StartRefused::Invalid(errors) => errors
                .iter()
                .map(|error| DraftError::new(error.path(), error.to_string()))
                .collect(),
            StartRefused::Misfit(misfit) => one(&misfit.path()),
            StartRefused::UnknownInfrastructure { .. } | StartRefused::NobodyThere(_) => {
                one("infrastructure")
            }
            StartRefused::UnknownScenario { .. } => one("scenario"),
            StartRefused::MixedBuilds(builds_there) => {
                builds(format!("The agents run different builds: {builds_there}"))
            }
            StartRefused::MixedVersions(versions) => builds(format!(
                "The agents run different versions of Greylag: {versions}"
            )),
            StartRefused::OtherBuild { .. }
            | StartRefused::TooManyRuns
            | StartRefused::Store(_)
            | StartRefused::ShuttingDown => one(""),
        }
    }
}

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

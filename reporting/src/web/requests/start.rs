//! Starting a run, whoever asks for it.

use std::fmt;

use axum::http::StatusCode;
use greylag_infra::{DraftError, DraftErrors, TestDefaults, TestDraft};

use crate::coordinator::{StartRefused, StartedRun};
use crate::results::views::known_scenarios;
use crate::web::error::WebError;
use crate::web::state::WebState;

/// Why a run was not started.
#[derive(Debug)]
pub(in crate::web) enum StartError {
    /// What was sent makes no test.
    Invalid(DraftErrors),
    /// The coordinator cannot run it.
    Refused(StartRefused),
}

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Invalid(invalid) => invalid.fmt(formatter),
            StartError::Refused(refused) => refused.fmt(formatter),
        }
    }
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

impl From<StartRefused> for StartError {
    fn from(refused: StartRefused) -> Self {
        StartError::Refused(refused)
    }
}

impl StartError {
    /// 422 for what the sender can mend, 409 where somebody must come or end first, 5xx for our own
    /// failures.
    pub(in crate::web) fn status(&self) -> StatusCode {
        match self {
            StartError::Refused(StartRefused::NobodyThere(_) | StartRefused::TooManyRuns) => {
                StatusCode::CONFLICT
            }
            StartError::Refused(
                StartRefused::MixedBuilds(_)
                | StartRefused::MixedVersions(_)
                | StartRefused::OtherBuild { .. },
            ) => StatusCode::CONFLICT,
            StartError::Refused(StartRefused::Store(_)) => StatusCode::INTERNAL_SERVER_ERROR,
            StartError::Refused(StartRefused::ShuttingDown) => StatusCode::SERVICE_UNAVAILABLE,
            StartError::Invalid(invalid) if invalid.are_of_syntax() => StatusCode::BAD_REQUEST,
            StartError::Invalid(_) | StartError::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }
}

impl From<StartError> for WebError {
    fn from(error: StartError) -> Self {
        if let StartError::Refused(StartRefused::Store(cause)) = &error {
            tracing::error!(%cause, "a run could not be saved");
        }
        WebError::new(error.status(), error.to_string())
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

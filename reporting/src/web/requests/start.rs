//! Starting a run, whoever asks for it.

use std::fmt;

use axum::http::StatusCode;
use greylag_infra::TestDraft;

use super::start_request::{FieldError, InvalidTest, complete};
use crate::coordinator::{StartRefused, StartedRun};
use crate::results::views::known_scenarios;
use crate::web::error::WebError;
use crate::web::state::WebState;

/// Why a run was not started.
#[derive(Debug)]
pub(in crate::web) enum StartMistake {
    /// What was sent makes no test.
    Request(InvalidTest),
    /// The coordinator cannot run it.
    Refused(StartRefused),
}

impl fmt::Display for StartMistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartMistake::Request(invalid) => invalid.fmt(formatter),
            StartMistake::Refused(refused) => refused.fmt(formatter),
        }
    }
}

impl StartMistake {
    /// Where each error is, in the words of whoever fills in the page's form.
    pub(in crate::web) fn of_fields(&self) -> Vec<FieldError> {
        let one = |path: &str| vec![FieldError::new(path, self.to_string())];
        let builds = |what: String| {
            let message = format!(
                "{what}; start all agents from one build, or allow agents of different builds here"
            );
            vec![FieldError::new("allow_mixed_builds", message)]
        };
        let refused = match self {
            StartMistake::Request(invalid) => return invalid.errors.clone(),
            StartMistake::Refused(refused) => refused,
        };
        match refused {
            StartRefused::Invalid(errors) => errors
                .iter()
                .map(|error| FieldError::new(error.path(), error.to_string()))
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

impl From<StartRefused> for StartMistake {
    fn from(refused: StartRefused) -> Self {
        StartMistake::Refused(refused)
    }
}

impl StartMistake {
    /// 422 for what the sender can mend, 409 where somebody must come or end first, 5xx for our own
    /// failures.
    pub(in crate::web) fn status(&self) -> StatusCode {
        match self {
            StartMistake::Refused(StartRefused::NobodyThere(_) | StartRefused::TooManyRuns) => {
                StatusCode::CONFLICT
            }
            StartMistake::Refused(
                StartRefused::MixedBuilds(_)
                | StartRefused::MixedVersions(_)
                | StartRefused::OtherBuild { .. },
            ) => StatusCode::CONFLICT,
            StartMistake::Refused(StartRefused::Store(_)) => StatusCode::INTERNAL_SERVER_ERROR,
            StartMistake::Refused(StartRefused::ShuttingDown) => StatusCode::SERVICE_UNAVAILABLE,
            StartMistake::Request(invalid) if invalid.is_malformed => StatusCode::BAD_REQUEST,
            StartMistake::Request(_) | StartMistake::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }
}

impl From<StartMistake> for WebError {
    fn from(mistake: StartMistake) -> Self {
        if let StartMistake::Refused(StartRefused::Store(cause)) = &mistake {
            tracing::error!(%cause, "a run could not be saved");
        }
        WebError::new(mistake.status(), mistake.to_string())
    }
}

/// Starts the run of a body in JSON.
///
/// # Errors
/// See [`StartMistake`].
pub(in crate::web) async fn start_run_of_json(
    state: &WebState,
    body: &[u8],
) -> Result<StartedRun, StartMistake> {
    let (draft, errors) = TestDraft::from_json(body);
    let found = errors.map(InvalidTest::from);
    match found {
        Some(invalid) if invalid.is_malformed => Err(StartMistake::Request(invalid)),
        found => {
            let found = found.map_or_else(Vec::new, |invalid| invalid.errors);
            start_run(state, draft, found).await
        }
    }
}

/// Completes a draft by the defaults and starts the run. `found` are errors that were met while it was read.
///
/// # Errors
/// See [`StartMistake`]; its text is for the user.
pub(in crate::web) async fn start_run(
    state: &WebState,
    draft: TestDraft,
    found: Vec<FieldError>,
) -> Result<StartedRun, StartMistake> {
    let terms = draft.terms.clone();
    let test = complete(draft, found, |infrastructure, scenario| {
        let infrastructures = state.coordinator.infrastructures();
        known_scenarios::meant(&infrastructures, infrastructure, scenario).map(Option::<&_>::cloned)
    })
    .map_err(StartMistake::Request)?;
    Ok(state.coordinator.start_run_on(test, terms).await?)
}

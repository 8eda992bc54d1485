//! Starting a run, whoever asks for it.

use std::fmt;

use axum::http::StatusCode;
use greylag_infra::{ConnectionStatus, RunRecord};

use super::error::WebError;
use super::forms::StartRequest;
use super::state::WebState;
use crate::coordinator::StartRefused;
use crate::front_view::StartDefaults;

/// Why a run was not started.
#[derive(Debug)]
pub(super) enum StartMistake {
    /// What was sent makes no test.
    Request(String),
    /// The coordinator cannot run it.
    Refused(StartRefused),
}

impl fmt::Display for StartMistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartMistake::Request(sentence) => formatter.write_str(sentence),
            StartMistake::Refused(refused) => refused.fmt(formatter),
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
    pub(super) fn status(&self) -> StatusCode {
        match self {
            StartMistake::Request(_)
            | StartMistake::Refused(
                StartRefused::Invalid(_)
                | StartRefused::UnknownInfrastructure { .. }
                | StartRefused::UnknownScenario { .. },
            ) => StatusCode::UNPROCESSABLE_ENTITY,
            StartMistake::Refused(StartRefused::NobodyThere(_) | StartRefused::TooManyRuns) => {
                StatusCode::CONFLICT
            }
            StartMistake::Refused(StartRefused::Store(_)) => StatusCode::INTERNAL_SERVER_ERROR,
            StartMistake::Refused(StartRefused::ShuttingDown) => StatusCode::SERVICE_UNAVAILABLE,
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

/// Completes the request by the defaults and starts the run.
///
/// # Errors
/// See [`StartMistake`]; its text is a sentence for the user.
pub(super) async fn start_run(
    state: &WebState,
    request: StartRequest,
) -> Result<RunRecord, StartMistake> {
    let test = request
        .into_load_test(&StartDefaults::default(), |infrastructure| {
            first_scenario(state, infrastructure)
        })
        .map_err(StartMistake::Request)?;
    Ok(state.coordinator.start_run(test).await?)
}

/// The first scenario that a connected agent of this infrastructure has compiled in.
fn first_scenario(state: &WebState, infrastructure: &str) -> Option<String> {
    state
        .coordinator
        .infrastructures()
        .iter()
        .filter(|known| known.name == infrastructure)
        .flat_map(|known| &known.agents)
        .filter(|agent| agent.status == ConnectionStatus::Connected)
        .flat_map(|agent| &agent.scenarios)
        .map(|scenario| scenario.name.clone())
        .next()
}

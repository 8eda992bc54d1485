//! The start form: filled in from a run, and sent.

use std::collections::BTreeMap;

use axum::extract::rejection::FormRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use greylag_infra::{DraftError, DraftErrors, RunId, TestDraft};

use super::front::front_response;
use super::run::was_mixed;
use crate::results::urls::run_url;
use crate::results::views::known_scenarios::is_public;
use crate::web::access::identity::Identity;
use crate::web::error::WebError;
use crate::web::requests::start::start_run;
use crate::web::requests::start_form::{COMMAND_LINE, Source, StartForm};
use crate::web::state::{WebState, find_run};

/// `GET /runs/{id}/again`: the front page with its form filled in from the run, to be changed before it starts.
pub(in crate::web) async fn again_page(
    State(state): State<WebState>,
    Extension(identity): Extension<Identity>,
    Path(id): Path<RunId>,
) -> Result<Response, WebError> {
    let run = find_run(&state.coordinator, &id).await?;
    let source = Source::of_run(&run, was_mixed(&run));
    let form = StartForm::filled(Some(&source), &state.coordinator.infrastructures());
    front_response(&state, &identity, StatusCode::OK, form).await
}

/// `POST /runs`: to the run's page, or back to the form with what is wrong and what was typed.
pub(in crate::web) async fn start_from_form(
    State(state): State<WebState>,
    Extension(identity): Extension<Identity>,
    form: Result<Form<BTreeMap<String, String>>, FormRejection>,
) -> Result<Response, WebError> {
    let Form(texts) = form?;
    let form = StartForm::sent(texts);
    let source = source_of(&state, form.source_key()).await?;
    let carried = source
        .as_ref()
        .map_or_else(TestDraft::default, |source| source.draft.clone());
    let (draft, mut found) = form.to_draft(&carried);
    if source.is_none() && !form.source_key().is_empty() {
        let message = "The run or test this form was filled in from has been deleted, along with any requests and client settings. \
            Check the form and start again";
        found.add(DraftError::new("", message));
    }
    let errors = match start(&state, draft, found).await? {
        Ok(url) => return Ok(Redirect::to(&url).into_response()),
        Err(errors) => errors,
    };
    let mut form = form.with_origin(source.as_ref());
    let infrastructures = state.coordinator.infrastructures();
    let infrastructure = form.infrastructure().to_owned();
    form.forget_secrets(|scenario, option| {
        is_public(&infrastructures, &infrastructure, scenario, option)
    });
    form.mark(&errors);
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    front_response(&state, &identity, status, form).await
}

/// The address of the run that was started, or what has to be changed first.
async fn start(
    state: &WebState,
    draft: TestDraft,
    found: DraftErrors,
) -> Result<Result<String, Vec<DraftError>>, WebError> {
    match start_run(state, draft, found).await {
        Ok(started) => Ok(Ok(run_url(&started.run.id))),
        Err(error) => {
            let fields = error.of_fields();
            let error = WebError::from(error);
            if error.status().is_server_error() {
                Err(error)
            } else {
                Ok(Err(fields))
            }
        }
    }
}

/// What a form says it was filled in from, if that is still there.
async fn source_of(state: &WebState, key: &str) -> Result<Option<Source>, WebError> {
    match key {
        "" => Ok(None),
        COMMAND_LINE => Ok(Source::of_command_line(&state.start_form)),
        id => {
            let run = state.coordinator.store().run(&id.into()).await?;
            Ok(run.map(|run| Source::of_run(&run, was_mixed(&run))))
        }
    }
}

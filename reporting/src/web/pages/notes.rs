//! The forms of the run page for what people say of the run.

use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Path, State};
use axum::response::Redirect;
use greylag_infra::RunId;

use crate::results::urls::run_url;
use crate::web::error::WebError;
use crate::web::requests::annotate::{self, MarkForm, NotesForm};
use crate::web::state::WebState;

/// `POST /runs/{id}/notes`: the note and the labels, or whether it is pinned.
pub(in crate::web) async fn change_notes_from_page(
    State(state): State<WebState>,
    Path(id): Path<RunId>,
    form: Result<Form<NotesForm>, FormRejection>,
) -> Result<Redirect, WebError> {
    let Form(form) = form?;
    annotate::annotate(&state, &id, form.into()).await?;
    Ok(Redirect::to(&run_url(&id)))
}

/// `POST /runs/{id}/marks`: a note at a moment.
pub(in crate::web) async fn add_mark_from_page(
    State(state): State<WebState>,
    Path(id): Path<RunId>,
    form: Result<Form<MarkForm>, FormRejection>,
) -> Result<Redirect, WebError> {
    let Form(form) = form?;
    annotate::add_mark(&state, &id, &form.into()).await?;
    Ok(Redirect::to(&run_url(&id)))
}

/// `POST /runs/{id}/marks/{number}/delete`
pub(in crate::web) async fn delete_mark_from_page(
    State(state): State<WebState>,
    Path((id, number)): Path<(RunId, String)>,
) -> Result<Redirect, WebError> {
    annotate::delete_mark(&state, &id, number.parse().unwrap_or(0)).await?;
    Ok(Redirect::to(&run_url(&id)))
}

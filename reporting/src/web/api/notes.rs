//! What people say of a run.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use greylag_infra::RunId;

use super::json_body;
use crate::api_types::ErrorBody;
use crate::results::views::notes_view::NotesView;
use crate::web::error::WebError;
use crate::web::requests::annotate::{self, MarkRequest, NotesRequest};
use crate::web::state::WebState;

/// What people say of a run: whether it is pinned, its labels, its note, and notes at moments of it.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/notes",
    tag = "notes",
    params(("id" = String, Path, description = "Identifier of the run")),
    responses(
        (status = 200, description = "What is said of it", body = NotesView),
        (status = 404, description = "The run was not found", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn notes(
    State(state): State<WebState>,
    Path(id): Path<RunId>,
) -> Result<Json<NotesView>, WebError> {
    annotate::notes_of(&state, &id).await.map(Json)
}

/// Pins a run, labels it, or changes its note. What is left out stays as it is.
#[utoipa::path(
    patch,
    path = "/api/v1/runs/{id}/notes",
    tag = "notes",
    params(("id" = String, Path, description = "Identifier of the run")),
    request_body = NotesRequest,
    responses(
        (status = 200, description = "What is said of it now", body = NotesView),
        (status = 400, description = "The body is not valid JSON", body = ErrorBody),
        (status = 404, description = "The run was not found", body = ErrorBody),
        (status = 413, description = "The body is too large", body = ErrorBody),
        (status = 422, description = "The note or a label is not valid", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn change_notes(
    State(state): State<WebState>,
    Path(id): Path<RunId>,
    body: Bytes,
) -> Result<Json<NotesView>, WebError> {
    let what = "notes, such as {\"note\": \"slower than before\", \"labels\": [\"commit=abc\"], \"pinned\": true}";
    let request: NotesRequest = json_body(&body, what)?;
    annotate::annotate(&state, &id, request).await.map(Json)
}

/// Adds a note at a moment of a run, which the charts mark.
#[utoipa::path(
    post,
    path = "/api/v1/runs/{id}/marks",
    tag = "notes",
    params(("id" = String, Path, description = "Identifier of the run")),
    request_body = MarkRequest,
    responses(
        (status = 201, description = "What is said of the run now", body = NotesView),
        (status = 400, description = "The body is not valid JSON", body = ErrorBody),
        (status = 404, description = "The run was not found", body = ErrorBody),
        (status = 409, description = "The run has too many of them", body = ErrorBody),
        (status = 413, description = "The body is too large", body = ErrorBody),
        (status = 422, description = "The note or its moment is not valid", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn add_mark(
    State(state): State<WebState>,
    Path(id): Path<RunId>,
    body: Bytes,
) -> Result<(StatusCode, Json<NotesView>), WebError> {
    let what = "a note at a moment, such as {\"at\": \"1m30s\", \"text\": \"deployed\"}";
    let request: MarkRequest = json_body(&body, what)?;
    let notes = annotate::add_mark(&state, &id, &request).await?;
    Ok((StatusCode::CREATED, Json(notes)))
}

/// Deletes a note at a moment of a run.
#[utoipa::path(
    delete,
    path = "/api/v1/runs/{id}/marks/{number}",
    tag = "notes",
    params(
        ("id" = String, Path, description = "Identifier of the run"),
        ("number" = u32, Path, description = "Number of the note within the run"),
    ),
    responses(
        (status = 204, description = "It is deleted"),
        (status = 404, description = "The run or the note was not found", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn delete_mark(
    State(state): State<WebState>,
    Path((id, number)): Path<(RunId, String)>,
) -> Result<StatusCode, WebError> {
    // What is not a number is that of no note.
    annotate::delete_mark(&state, &id, number.parse().unwrap_or(0)).await?;
    Ok(StatusCode::NO_CONTENT)
}

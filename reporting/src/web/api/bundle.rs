//! A run as one file with everything that is stored of it, and back.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use futures_util::StreamExt;
use greylag_infra::RunId;
use serde::Deserialize;
use utoipa::IntoParams;

use super::builds::PROGRAM;
use super::streamed::{as_file, in_pieces, off_thread};
use crate::api_types::{ErrorBody, RunImported};
use crate::results::urls::run_url;
use crate::store::BundleError;
use crate::web::error::WebError;
use crate::web::query::Query;
use crate::web::state::{WebState, find_run};

/// Where a bundle is received: larger, and for longer, than other bodies.
pub(in crate::web) const IMPORT_PATH: &str = "/api/v1/runs/import";
/// How long nothing may come of a bundle.
const SILENCE: Duration = Duration::from_secs(30);
/// How long a bundle waits for the one before it.
const TURN: Duration = Duration::from_secs(120);

/// Everything that is stored of a run that is over, for another coordinator.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/bundle",
    tag = "results",
    params(("id" = String, Path, description = "Identifier of the run")),
    responses(
        (status = 200, description = "The bundle", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 404, description = "The run was not found", body = ErrorBody),
        (status = 409, description = "The run is in progress, or takes results of lost agents", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn bundle(
    State(state): State<WebState>,
    Path(id): Path<RunId>,
) -> Result<Response, WebError> {
    let run = find_run(&state.coordinator, &id).await?;
    let store = state.coordinator.store().clone();
    let export = store.export_bundle(&id, state.coordinator.now()).await?;
    let body = in_pieces(Vec::new(), export, move |export| {
        let store = store.clone();
        async move {
            let (bytes, next) = store.next_of_bundle(export).await?;
            Ok((bytes.into(), next))
        }
    });
    Ok(as_file(&run, ".bundle", PROGRAM, body))
}

/// Query of `POST /api/v1/runs/import`.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct ImportQuery {
    /// Whether a run that already exists is answered with 200, not 409. It is left unchanged.
    #[param(required = false)]
    may_exist: String,
}

/// Takes in a bundle, whose run then is here with its id, and with its number where no run of its test has that. It is checked
/// whole before anything changes. At most 16 GiB. One is imported after the other; it waits up to two minutes for its turn.
#[utoipa::path(
    post,
    path = "/api/v1/runs/import",
    tag = "runs",
    params(ImportQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 200, description = "The run already existed, which was allowed", body = RunImported),
        (status = 201, description = "The run was imported", body = RunImported),
        (status = 409, description = "The run already exists, or other bundles are still being imported", body = ErrorBody),
        (status = 413, description = "The bundle is too large", body = ErrorBody),
        (status = 422, description = "The bundle is not valid", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn import_run(
    State(state): State<WebState>,
    Query(query): Query<ImportQuery>,
    body: Body,
) -> Result<(StatusCode, Json<RunImported>), WebError> {
    let mut upload = state.coordinator.store().receive_bundle(TURN).await?;
    let mut pieces = body.into_data_stream();
    loop {
        let piece = tokio::time::timeout(SILENCE, pieces.next()).await;
        let piece = piece.map_err(|_| WebError::Timeout { limit: SILENCE })?;
        let Some(piece) = piece else { break };
        let piece = piece.map_err(|_| WebError::BodyCutOff)?;
        upload = off_thread("writing a bundle", move || {
            upload.add(&piece).map(|()| upload)
        })
        .await??;
    }
    // Whoever asked may leave: what has begun is done or undone.
    let coordinator = state.coordinator.clone();
    let imported = tokio::spawn(async move { coordinator.import_bundle(upload).await });
    let imported = imported.await;
    let imported = imported.map_err(|error| WebError::internal("importing a bundle", &error))?;
    let may_exist = !matches!(query.may_exist.as_str(), "" | "0" | "false");
    let (status, run) = match imported {
        Err(BundleError::Exists(id)) if may_exist => {
            (StatusCode::OK, find_run(&state.coordinator, &id).await?)
        }
        imported => (StatusCode::CREATED, imported?),
    };
    Ok((
        status,
        Json(RunImported {
            url: format!("{}{}", state.base(), run_url(&run.id)),
            id: run.id,
            test: run.test.name,
            number: run.number,
        }),
    ))
}

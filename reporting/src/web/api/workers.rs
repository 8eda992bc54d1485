//! How the workers of a run fared.

use axum::Json;
use axum::extract::{Path, State};
use greylag_infra::RunId;

use crate::api_types::ErrorBody;
use crate::results::views::generator_view::GeneratorView;
use crate::results::views::view_builder::whole_generator_view;
use crate::web::error::WebError;
use crate::web::query::Query;
use crate::web::requests::scope::ScopeQuery;
use crate::web::state::{WebState, find_run};

/// How the load generator fared: each worker, each agent, and all of them over time.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/workers",
    tag = "results",
    params(("id" = String, Path, description = "Identifier of the run"), ScopeQuery),
    responses(
        (status = 200, description = "Workers and agents; an endpoint narrows nothing", body = GeneratorView),
        (status = 404, description = "There is no such run, endpoint or agent", body = ErrorBody),
        (status = 422, description = "A parameter is not valid", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn workers(
    State(state): State<WebState>,
    Path(id): Path<RunId>,
    Query(scope): Query<ScopeQuery>,
) -> Result<Json<GeneratorView>, WebError> {
    let run = find_run(&state.coordinator, &id).await?;
    let scope = scope.scope(state.coordinator.store(), &run).await?;
    let view = whole_generator_view(&state.coordinator, &run, &scope).await?;
    Ok(Json(view))
}

//! How the workers of a run fared.

use axum::Json;
use axum::extract::State;

use crate::api_types::ErrorBody;
use crate::results::views::generator_view::GeneratorView;
use crate::results::views::view_builder::whole_generator_view;
use crate::web::error::WebError;
use crate::web::requests::asked_part::AskedPart;
use crate::web::requests::scope::ScopeQuery;
use crate::web::state::WebState;

/// How the load generator fared: each worker, each agent, and all of them over time.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/workers",
    tag = "results",
    params(("id" = String, Path, description = "Identifier of the run"), ScopeQuery),
    responses(
        (status = 200, description = "Workers and agents; an endpoint narrows nothing", body = GeneratorView),
        (status = 404, description = "The run, endpoint or agent was not found", body = ErrorBody),
        (status = 422, description = "A parameter is not valid", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn workers(
    State(state): State<WebState>,
    AskedPart { run, scope }: AskedPart,
) -> Result<Json<GeneratorView>, WebError> {
    let view = whole_generator_view(&state.coordinator, &run, &scope).await?;
    Ok(Json(view))
}

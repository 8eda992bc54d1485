//! A run's console log for programs that follow it.

use axum::Json;
use axum::extract::{Path, State};
use greylag_infra::RunId;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::api_types::{ErrorBody, LogLines};
use crate::store::{Scope, Store, StoreError};
use crate::web::error::WebError;
use crate::web::query::{Query, optional_whole_number, whole_number};
use crate::web::requests::scope::ScopeQuery;
use crate::web::state::{WebState, find_run};

/// Lines in one answer when no number is asked for.
const DEFAULT_LINES: usize = 500;
/// Most lines in one answer.
const MAX_LINES: usize = 2_000;

/// Query of `GET /api/v1/runs/{id}/log/lines`.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct LinesQuery {
    /// Position of the line after which to begin.
    #[serde(deserialize_with = "whole_number")]
    #[param(required = false)]
    after: u64,
    /// Most lines in the answer, of those there are the last.
    #[serde(deserialize_with = "optional_whole_number")]
    #[param(value_type = Option<u32>)]
    limit: Option<usize>,
}

/// The last lines of a run's console log after a position, in order. Positions have no gaps, so a reader knows how many
/// lines it has skipped. Of a part of the run only lines of these seconds or of this agent, and with gaps.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/log/lines",
    tag = "results",
    params(("id" = String, Path, description = "Identifier of the run"), LinesQuery, ScopeQuery),
    responses(
        (status = 200, description = "The lines", body = LogLines),
        (status = 404, description = "The run, endpoint or agent was not found", body = ErrorBody),
        (status = 422, description = "A parameter is not valid", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn log_lines(
    State(state): State<WebState>,
    Path(id): Path<RunId>,
    Query(query): Query<LinesQuery>,
    Query(scope): Query<ScopeQuery>,
) -> Result<Json<LogLines>, WebError> {
    let run = find_run(&state.coordinator, &id).await?;
    let limit = query.limit.unwrap_or(DEFAULT_LINES).min(MAX_LINES);
    let store = state.coordinator.store();
    let scope = scope.scope(store, &run).await?;
    Ok(Json(LogLines {
        lines: store
            .last_log_lines(&run.id, &scope, query.after, limit)
            .await?,
        dropped: store.log_lines_dropped(&run.id).await?,
        remark: remark(store, &run.id, &scope).await?,
    }))
}

async fn remark(store: &Store, id: &RunId, scope: &Scope) -> Result<Option<String>, StoreError> {
    if scope.agent.is_none() {
        return Ok(None);
    }
    let lines = store.unattributed(id).await?.log_lines;
    Ok((lines > 0).then(|| {
        format!("{lines} lines are not included: they were saved before agents were kept with them")
    }))
}

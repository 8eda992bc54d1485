//! A run's console log for programs that follow it.

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};

use crate::store::{LogRow, Scope, Store, StoreError};
use crate::web::error::WebError;
use crate::web::query::{Query, optional_whole_number, whole_number};
use crate::web::requests::scope::ScopeQuery;
use crate::web::state::{WebState, find_run};

/// Lines in one answer when no number is asked for.
const DEFAULT_LINES: usize = 500;
/// Most lines in one answer.
const MAX_LINES: usize = 2_000;

/// Query of `GET /api/v1/runs/{id}/log/lines`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct LinesQuery {
    #[serde(deserialize_with = "whole_number")]
    after: u64,
    #[serde(deserialize_with = "optional_whole_number")]
    limit: Option<usize>,
}

/// Lines of a run's console log.
#[derive(Debug, Serialize)]
pub(in crate::web) struct LogLines {
    lines: Vec<LogRow>,
    dropped: u64,
    /// Of an agent's lines: that some may be missing, because it is not known whose they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    remark: Option<String>,
}

/// `GET /api/v1/runs/{id}/log/lines?after=SEQ&limit=N`: the last N of the lines after position SEQ, in order, and how
/// many lines of the whole run were dropped before they got into the log. Positions have no gaps, so a reader knows
/// how many lines it has skipped. With [`ScopeQuery`] only lines of these seconds or of this agent, and with gaps.
pub(in crate::web) async fn log_lines(
    State(state): State<WebState>,
    Path(id): Path<String>,
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

async fn remark(store: &Store, id: &str, scope: &Scope) -> Result<Option<String>, StoreError> {
    if scope.agent.is_none() {
        return Ok(None);
    }
    let lines = store.of_unknown_agents(id).await?.log_lines;
    Ok((lines > 0).then(|| {
        format!("{lines} lines are not included: they were saved before agents were kept with them")
    }))
}

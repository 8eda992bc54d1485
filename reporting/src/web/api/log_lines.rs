//! A run's console log for programs that follow it.

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};

use crate::store::LogRow;
use crate::web::error::WebError;
use crate::web::query::{Query, optional_whole_number, whole_number};
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
}

/// `GET /api/v1/runs/{id}/log/lines?after=SEQ&limit=N`: the last N of the lines after position SEQ, in order, and how
/// many lines of the whole run were dropped before they got into the log. Positions have no gaps, so a reader knows
/// how many lines it has skipped.
pub(in crate::web) async fn log_lines(
    State(state): State<WebState>,
    Path(id): Path<String>,
    Query(query): Query<LinesQuery>,
) -> Result<Json<LogLines>, WebError> {
    let run = find_run(&state.coordinator, &id).await?;
    let limit = query.limit.unwrap_or(DEFAULT_LINES).min(MAX_LINES);
    let store = state.coordinator.store();
    Ok(Json(LogLines {
        lines: store.last_log_lines(&run.id, query.after, limit).await?,
        dropped: store.log_lines_dropped(&run.id).await?,
    }))
}

//! A run's console log for programs and pages: followed, searched, and read page by page.

use axum::Json;
use axum::extract::State;
use greylag_infra::RunId;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::api_types::{ErrorBody, LogLines};
use crate::store::{LogOrder, LogRange, Scope, Store, StoreError};
use crate::web::error::WebError;
use crate::web::query::{Query, optional_whole_number};
use crate::web::requests::asked_part::AskedPart;
use crate::web::requests::log_filter::{LogFilterError, LogFilterQuery};
use crate::web::requests::scope::ScopeQuery;
use crate::web::state::WebState;

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
    #[serde(deserialize_with = "optional_whole_number")]
    #[param(value_type = Option<u64>)]
    after: Option<u64>,
    /// Position of the line before which to end.
    #[serde(deserialize_with = "optional_whole_number")]
    #[param(value_type = Option<u64>)]
    before: Option<u64>,
    /// In place of `after`: begin at this moment, in seconds of run time.
    #[param(required = false, value_type = Option<f64>)]
    at: String,
    /// Of more lines than are wanted the `last` ones, or the `first`.
    #[param(required = false)]
    order: String,
    /// Most lines in the answer.
    #[serde(deserialize_with = "optional_whole_number")]
    #[param(value_type = Option<u32>)]
    limit: Option<usize>,
}

impl LinesQuery {
    fn order(&self) -> Result<LogOrder, LogFilterError> {
        match self.order.trim() {
            "" | "last" => Ok(LogOrder::Last),
            "first" => Ok(LogOrder::First),
            other => Err(LogFilterError::Order(other.to_owned())),
        }
    }

    fn at(&self) -> Result<Option<f64>, LogFilterError> {
        let text = self.at.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let second = text.parse().ok();
        let second = second.filter(|second: &f64| second.is_finite() && *second >= 0.0);
        second.map(Some).ok_or_else(|| LogFilterError::Number {
            name: "at",
            what: "a number of seconds",
            got: text.to_owned(),
        })
    }
}

/// Lines of a run's console log between two positions, in order: of those with a text, a level, a worker, or of a part of the
/// run. Positions of the whole log have no gaps, so a reader knows how many lines it has skipped.
///
/// Each answer looks at no more lines than can be done quickly. One with `more` goes on there: it may have no lines itself.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/log/lines",
    tag = "results",
    params(("id" = String, Path, description = "Identifier of the run"), LinesQuery, LogFilterQuery, ScopeQuery),
    responses(
        (status = 200, description = "The lines", body = LogLines),
        (status = 404, description = "The run, endpoint or agent was not found", body = ErrorBody),
        (status = 422, description = "A parameter is not valid", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn log_lines(
    State(state): State<WebState>,
    Query(query): Query<LinesQuery>,
    Query(filter): Query<LogFilterQuery>,
    AskedPart { run, scope }: AskedPart,
) -> Result<Json<LogLines>, WebError> {
    let store = state.coordinator.store();
    let filter = filter.filter(scope)?;
    let found = match query.at()? {
        Some(second) => store.log_position_at(&run.id, second).await?,
        None => None,
    };
    let range = LogRange {
        after: found.or(query.after).unwrap_or(0),
        before: query.before,
        order: query.order()?,
        limit: query.limit.unwrap_or(DEFAULT_LINES).min(MAX_LINES),
    };
    // Before the lines: what comes meanwhile is asked for next.
    let total = store.log_line_count(&run.id).await?;
    let page = store.log_page(&run.id, &filter, range).await?;
    Ok(Json(LogLines {
        lines: page.rows,
        dropped: store.log_lines_dropped(&run.id).await?,
        total,
        after: found,
        more: page.more,
        remark: remark(store, &run.id, &filter.scope).await?,
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

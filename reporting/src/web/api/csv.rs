//! Locust's CSV files of a run, while it is active or afterwards.

use std::ops::Range;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, TryStreamExt, stream};
use greylag_infra::{RunId, RunRecord};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use utoipa::{IntoParams, ToSchema};

use super::runs::letters_of;
use crate::api_types::{ErrorBody, NEXT_SECOND_HEADER};
use crate::results::csv_files::{self, History};
use crate::store::{CURRENT_RPS_WINDOW_S, Scope, Store, Window};
use crate::web::error::WebError;
use crate::web::query::Query;
use crate::web::requests::scope::ScopeQuery;
use crate::web::state::{WebState, find_run};

/// Seconds read from the store at a time while a history is downloaded.
const SECONDS_AT_A_TIME: u32 = 60;

/// Query of `GET /api/v1/runs/{id}/csv/stats_history`.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct CsvQuery {
    /// Of the history: whether with a row per endpoint, not only for all together.
    #[param(required = false)]
    full: String,
}

/// Locust's four CSV files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum CsvFile {
    Stats,
    Failures,
    Exceptions,
    StatsHistory,
}

impl CsvFile {
    fn named(name: &str) -> Option<Self> {
        Self::deserialize(name.into_deserializer())
            .map_err(|_: serde::de::value::Error| ())
            .ok()
    }
}

/// Seconds behind the newest result of an active run that may still get more: agents report once a second,
/// and their clocks differ.
const MAY_CHANGE_S: u32 = 5;

/// One of Locust's four CSV files.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/csv/{file}",
    tag = "results",
    params(("id" = String, Path, description = "Identifier of the run"), ("file" = inline(CsvFile), Path, description = "Which file"), CsvQuery, ScopeQuery),
    responses(
        (status = 200, description = "The file", body = String, content_type = "text/csv", headers(("greylag-next-second" = u32, description = "Of a history from a second on: the second to ask for next"))),
        (status = 404, description = "The run, file, endpoint or agent was not found", body = ErrorBody),
        (status = 422, description = "A parameter is not valid", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn csv_file(
    State(state): State<WebState>,
    Path((id, file)): Path<(RunId, String)>,
    Query(query): Query<CsvQuery>,
    Query(scope): Query<ScopeQuery>,
) -> Result<Response, WebError> {
    let run = find_run(&state.coordinator, &id).await?;
    let store = state.coordinator.store();
    let started_at = run.started_at.unwrap_or(run.created_at);
    let body = match CsvFile::named(&file).ok_or(WebError::NoSuchCsvFile)? {
        CsvFile::Stats => {
            let scope = scope.scope(store, &run).await?;
            let totals = store.table_totals(&id, &scope).await?;
            let elapsed_s = run.elapsed_s(state.coordinator.now());
            csv_files::stats(&totals, scope.elapsed_s(elapsed_s, &totals.left_out)).into()
        }
        kind @ (CsvFile::Failures | CsvFile::Exceptions) => {
            let scope = scope.scope(store, &run).await?;
            let totals = store.table_totals(&id, &scope).await?;
            let errors = store.errors(&id, &scope).await?;
            if kind == CsvFile::Failures {
                csv_files::failures(&errors, &totals, started_at).into()
            } else {
                csv_files::exceptions(&errors, &totals).into()
            }
        }
        CsvFile::StatsHistory => {
            let full = !matches!(query.full.as_str(), "" | "0" | "false");
            let history = History::new(full, started_at);
            // Each row is about the run so far, so a window has no meaning here, and `from` another one: only seconds
            // from this one on, and only those that will not change any more.
            let from = scope.first_second()?;
            let scope = scope.scope_at_all_times(store, &run).await?;
            return match from {
                None => Ok(as_file(
                    &run,
                    &file,
                    pieces(store, &run, scope, history, 0..u32::MAX),
                )),
                Some(from) => history_since(store, &run, scope, history, from).await,
            };
        }
    };
    Ok(as_file(&run, &file, body))
}

/// The history from a second on, with the header that says from which to ask for more.
async fn history_since(
    store: &Store,
    run: &RunRecord,
    scope: Scope,
    mut history: History,
    from: u32,
) -> Result<Response, WebError> {
    let end = store.end_second(&run.id).await?;
    let to = if run.phase.is_over() {
        end
    } else {
        end.saturating_sub(MAY_CHANGE_S)
    };
    let to = to.max(from);
    if from > 0 {
        let so_far = Scope {
            window: Window::new(0, from).ok(),
            ..scope.clone()
        };
        let before = store.table_totals(&run.id, &so_far).await?;
        let recent = from.saturating_sub(CURRENT_RPS_WINDOW_S);
        let recent = store
            .history(&run.id, &scope, recent, from - recent)
            .await?;
        history.continue_after(&before, recent.seconds);
    }
    let mut response = as_file(
        run,
        "stats_history",
        pieces(store, run, scope, history, from..to),
    );
    response
        .headers_mut()
        .insert(NEXT_SECOND_HEADER, HeaderValue::from(to));
    Ok(response)
}

/// Read and sent piece by piece: the reader sets the pace.
fn pieces(
    store: &Store,
    run: &RunRecord,
    scope: Scope,
    history: History,
    seconds: Range<u32>,
) -> Body {
    let (store, id) = (store.clone(), run.id.clone());
    let pieces = stream::try_unfold(Some((history, seconds)), move |state| {
        let (store, id, scope) = (store.clone(), id.clone(), scope.clone());
        async move {
            let Some((history, seconds)) = state else {
                return Ok(None);
            };
            history_piece(&store, &id, &scope, history, seconds)
                .await
                .map(Some)
        }
    });
    Body::from_stream(
        pieces
            .map_err(|error: WebError| std::io::Error::other(format!("{error:?}")))
            .boxed(),
    )
}

/// Some rows, and where to continue.
async fn history_piece(
    store: &Store,
    id: &RunId,
    scope: &Scope,
    mut history: History,
    seconds: Range<u32>,
) -> Result<(Bytes, Option<(History, Range<u32>)>), WebError> {
    let count = SECONDS_AT_A_TIME.min(seconds.end.saturating_sub(seconds.start));
    let part = store.history(id, scope, seconds.start, count).await?;
    let next = part
        .seconds
        .last()
        .map(|last| last.second.saturating_add(1)..seconds.end);
    // Percentiles of a thousand endpoints take longer than an async thread should.
    let (history, rows) = tokio::task::spawn_blocking(move || {
        let rows = history.rows(part.seconds);
        (history, rows)
    })
    .await
    .map_err(|error| WebError::internal("writing the history", &error))?;
    Ok((rows.into(), next.map(|next| (history, next))))
}

fn as_file(run: &RunRecord, file: &str, body: Body) -> Response {
    const CSV: HeaderValue = HeaderValue::from_static("text/csv; charset=utf-8");
    let mut response = ([(header::CONTENT_TYPE, CSV)], body).into_response();
    // The test's name may hold anything, so it does not get into the header.
    let name = format!(
        "attachment; filename=\"greylag-run-{}-{}_{file}.csv\"",
        run.number,
        letters_of(&run.id)
    );
    if let Ok(name) = HeaderValue::try_from(name) {
        response
            .headers_mut()
            .insert(header::CONTENT_DISPOSITION, name);
    }
    response
}

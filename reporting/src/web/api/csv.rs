//! CSV files of a run, while it is active or afterwards.

use std::ops::Range;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::HeaderValue;
use axum::response::Response;
use greylag_infra::{RunId, RunRecord, WallTime};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use utoipa::{IntoParams, ToSchema};

use super::streamed::{as_file, in_pieces, off_thread};
use crate::api_types::{ErrorBody, NEXT_SECOND_HEADER};
use crate::results::csv_files::{self, History, samples, series};
use crate::results::summary::Summary;
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

/// Locust's four CSV files, and three of our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum CsvFile {
    Stats,
    Failures,
    Exceptions,
    StatsHistory,
    /// Each second by itself, of all requests together and of each endpoint.
    Series,
    /// Each request that is kept for the scatter plot.
    Samples,
    /// What the scenario counts beside its requests, in a row each.
    CustomMetrics,
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

/// A CSV file: one of Locust's four, `series` with a row per second and endpoint, `samples` with the requests behind the
/// dots of the scatter plot, or `custom_metrics` with a row for each metric of the scenario.
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
        CsvFile::CustomMetrics => {
            let scope = scope.scope(store, &run).await?;
            let summary = Summary::read(store, &id, &scope, state.coordinator.now()).await?;
            csv_files::custom_metrics(&summary.custom_metrics).into()
        }
        CsvFile::Series => {
            let scope = scope.scope(store, &run).await?;
            series_pieces(store.clone(), id, scope, started_at)
        }
        CsvFile::Samples => {
            let scope = scope.scope(store, &run).await?;
            sample_pieces(store.clone(), id, scope, run.started_at)
        }
        CsvFile::StatsHistory => {
            let full = !matches!(query.full.as_str(), "" | "0" | "false");
            let history = History::new(full, started_at);
            // Each row is about the run so far, so a window has no meaning here, and `from` another one: only seconds
            // from this one on, and only those that will not change any more.
            let from = scope.first_second()?;
            let scope = scope.scope_at_all_times(store, &run).await?;
            return match from {
                None => Ok(file_of(
                    &run,
                    &file,
                    pieces(store, &run, scope, history, 0..u32::MAX),
                )),
                Some(from) => history_since(store, &run, scope, history, from).await,
            };
        }
    };
    Ok(file_of(&run, &file, body))
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
    let mut response = file_of(
        run,
        "stats_history",
        pieces(store, run, scope, history, from..to),
    );
    response
        .headers_mut()
        .insert(NEXT_SECOND_HEADER, HeaderValue::from(to));
    Ok(response)
}

/// The history's rows of these seconds.
fn pieces(
    store: &Store,
    run: &RunRecord,
    scope: Scope,
    history: History,
    seconds: Range<u32>,
) -> Body {
    let (store, id) = (store.clone(), run.id.clone());
    in_pieces(Vec::new(), (history, seconds), move |(history, seconds)| {
        let (store, id, scope) = (store.clone(), id.clone(), scope.clone());
        async move { history_piece(&store, &id, &scope, history, seconds).await }
    })
}

fn series_pieces(store: Store, id: RunId, scope: Scope, started_at: WallTime) -> Body {
    in_pieces(series::header(), 0, move |from| {
        let (store, id, scope) = (store.clone(), id.clone(), scope.clone());
        async move {
            let from = scope.window.map_or(from, |window| window.from().max(from));
            let part = store.history(&id, &scope, from, SECONDS_AT_A_TIME).await?;
            let last = part.seconds.last();
            let next = last.map(|last| last.second.saturating_add(1));
            let rows = move || series::rows(part.seconds, started_at);
            Ok((off_thread("writing a series", rows).await?.into(), next))
        }
    })
}

fn sample_pieces(store: Store, id: RunId, scope: Scope, started_at: Option<WallTime>) -> Body {
    in_pieces(samples::header(), 0, move |from| {
        let (store, id, scope) = (store.clone(), id.clone(), scope.clone());
        async move {
            let part = store.kept_samples(&id, &scope, from, SECONDS_AT_A_TIME);
            let part = part.await?;
            let rows = move || samples::rows(part.seconds, started_at);
            Ok((off_thread("writing samples", rows).await?.into(), part.next))
        }
    })
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
    let rows = move || {
        let rows = history.rows(part.seconds);
        (history, rows)
    };
    let (history, rows) = off_thread("writing the history", rows).await?;
    Ok((rows.into(), next.map(|next| (history, next))))
}

fn file_of(run: &RunRecord, file: &str, body: Body) -> Response {
    as_file(
        run,
        &format!("_{file}.csv"),
        "text/csv; charset=utf-8",
        body,
    )
}

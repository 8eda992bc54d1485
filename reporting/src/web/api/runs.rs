//! Runs: start, stop, follow, and what came out.

use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, TryStreamExt, stream};
use greylag_infra::{RunId, RunRecord, TestDraft};
use serde::Deserialize;
use utoipa::IntoParams;

use super::json_body;
use super::streamed::{as_file, broken_off};
use crate::api_types::{ErrorBody, LogRow, RunStarted, RunStopping, UsersChanging};
use crate::coordinator::StartedRun;
use crate::results::page_text;
use crate::results::urls::run_url;
use crate::results::views::front_view::RunList;
use crate::results::views::run_view::RunView;
use crate::results::views::view_builder::{RUNS_ON_A_PAGE, RunsAsked, run_numbers, whole_run_view};
use crate::store::{LogFilter, LogOrder, LogRange, Scope, Store};
use crate::web::error::WebError;
use crate::web::query::{Query, optional_whole_number, whole_number};
use crate::web::requests::asked_part::AskedPart;
use crate::web::requests::change_users::{ChangeRequest, change_users as change};
use crate::web::requests::delete_run::delete_run as delete;
use crate::web::requests::log_filter::LogFilterQuery;
use crate::web::requests::scope::ScopeQuery;
use crate::web::requests::start::start_run_of_json;
use crate::web::state::{WebState, find_run};
use crate::{Progress, SummaryCompleteness};

/// Most runs listed in one answer.
const MAX_LISTED: usize = 500;
/// Log lines read from the store at a time while a log is downloaded.
const LOG_LINES_AT_A_TIME: usize = 2_000;

/// Query of `GET /api/v1/runs`.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct ListQuery {
    /// Only runs of this test.
    test: Option<String>,
    /// Words that describe the runs: test, number, host or status.
    #[param(required = false)]
    q: String,
    /// Number of the page, from 1.
    #[param(required = false)]
    #[serde(deserialize_with = "whole_number")]
    page: u64,
    /// Runs on a page, 500 at most.
    #[serde(deserialize_with = "optional_whole_number")]
    #[param(value_type = Option<u32>)]
    limit: Option<usize>,
    /// In place of the page: how many of the newest runs to leave out.
    #[serde(deserialize_with = "optional_whole_number")]
    #[param(value_type = Option<u64>)]
    offset: Option<usize>,
}

/// Lists runs, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/runs",
    tag = "runs",
    params(ListQuery),
    responses(
        (status = 200, description = "A page of runs", body = RunList),
    ),
)]
pub(in crate::web) async fn list_runs(
    State(state): State<WebState>,
    Query(query): Query<ListQuery>,
) -> Result<Json<RunList>, WebError> {
    let asked = RunsAsked {
        test: query.test,
        search: query.q,
        page: query.page,
        per_page: query.limit.unwrap_or(RUNS_ON_A_PAGE).min(MAX_LISTED),
    };
    let (rows, coordinator) = (&state.run_rows, &state.coordinator);
    let list = match query.offset {
        Some(offset) => rows.part(coordinator, &asked, offset).await?,
        None => rows.page(coordinator, &asked).await?,
    };
    Ok(Json(list))
}

/// Deletes a run with its results for good.
#[utoipa::path(
    delete,
    path = "/api/v1/runs/{id}",
    tag = "runs",
    params(("id" = String, Path, description = "Identifier of the run")),
    responses(
        (status = 204, description = "It is deleted"),
        (status = 404, description = "The run was not found", body = ErrorBody),
        (status = 409, description = "It is still running", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn delete_run(
    State(state): State<WebState>,
    Path(id): Path<RunId>,
) -> Result<StatusCode, WebError> {
    delete(&state, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Starts a run. What the load test leaves out takes its default.
#[utoipa::path(
    post,
    path = "/api/v1/runs",
    tag = "runs",
    request_body(content = TestDraft, description = "A load test, with the keys of a test file; durations are seconds, or texts such as 1h20m"),
    responses(
        (status = 201, description = "It is starting, or waits for its turn", body = RunStarted, headers(("location" = String, description = "Path of its page"))),
        (status = 409, description = "No agent is connected, agents differ, or too many runs are in progress", body = ErrorBody),
        (status = 413, description = "The body is too large", body = ErrorBody),
        (status = 422, description = "The load test is not valid", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn start_run(
    State(state): State<WebState>,
    body: Bytes,
) -> Result<Response, WebError> {
    let StartedRun { run, warnings } = start_run_of_json(&state, &body).await?;
    let url = run_url(&run.id);
    let public = state.public.url();
    let page = public.map(|public| format!("{public}{url}"));
    Ok((
        StatusCode::CREATED,
        [(
            header::LOCATION,
            HeaderValue::try_from(&url).unwrap_or(HeaderValue::from_static("/")),
        )],
        Json(RunStarted {
            id: run.id,
            number: run.number,
            url,
            page,
            warnings,
        }),
    )
        .into_response())
}

/// Stops a run early.
#[utoipa::path(
    post,
    path = "/api/v1/runs/{id}/stop",
    tag = "runs",
    params(("id" = String, Path, description = "Identifier of the run")),
    responses(
        (status = 202, description = "Its last results still arrive", body = RunStopping),
        (status = 404, description = "The run was not found", body = ErrorBody),
        (status = 409, description = "It is over", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn stop_run(
    State(state): State<WebState>,
    Path(id): Path<RunId>,
) -> Result<(StatusCode, Json<RunStopping>), WebError> {
    state.coordinator.stop_run(&id).await?;
    let stopping = RunStopping {
        id,
        status: "Running".to_owned(),
        stopping: true,
    };
    Ok((StatusCode::ACCEPTED, Json(stopping)))
}

/// Changes the number of users of a running test.
#[utoipa::path(
    post,
    path = "/api/v1/runs/{id}/users",
    tag = "runs",
    params(("id" = String, Path, description = "Identifier of the run")),
    request_body = ChangeRequest,
    responses(
        (status = 202, description = "Users start or stop from now on", body = UsersChanging),
        (status = 404, description = "The run was not found", body = ErrorBody),
        (status = 409, description = "It is not running", body = ErrorBody),
        (status = 413, description = "The body is too large", body = ErrorBody),
        (status = 422, description = "The change is not valid", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn change_users(
    State(state): State<WebState>,
    Path(id): Path<RunId>,
    body: Bytes,
) -> Result<Response, WebError> {
    let request: ChangeRequest = json_body(
        &body,
        "a change of users, such as {\"users\": 50, \"ramp_up\": \"30s\"}",
    )?;
    let change = change(&state, &id, &request).await?;
    Ok((StatusCode::ACCEPTED, Json(change)).into_response())
}

/// What a run's page shows.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}",
    tag = "runs",
    params(("id" = String, Path, description = "Identifier of the run"), ScopeQuery),
    responses(
        (status = 200, description = "The page as data", body = RunView),
        (status = 404, description = "The run, endpoint or agent was not found", body = ErrorBody),
        (status = 422, description = "A parameter is not valid", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn run(
    State(state): State<WebState>,
    AskedPart { run, scope }: AskedPart,
) -> Result<Json<RunView>, WebError> {
    let view = whole_run_view(&state.coordinator, &run, &scope).await?;
    Ok(Json(view))
}

/// Whether the results are everything that was sent, and what is missing.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/completeness",
    tag = "results",
    params(("id" = String, Path, description = "Identifier of the run")),
    responses(
        (status = 200, description = "Whether nothing is known to be missing", body = SummaryCompleteness),
        (status = 404, description = "The run was not found", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn completeness(
    State(state): State<WebState>,
    Path(id): Path<RunId>,
) -> Result<Response, WebError> {
    let run = find_run(&state.coordinator, &id).await?;
    Ok(Json(SummaryCompleteness::of(&run)).into_response())
}

/// How a run is going, in few numbers.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/progress",
    tag = "runs",
    params(("id" = String, Path, description = "Identifier of the run")),
    responses(
        (status = 200, description = "Its progress", body = Progress),
        (status = 404, description = "The run was not found", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn progress(
    State(state): State<WebState>,
    Path(id): Path<RunId>,
) -> Result<Json<Progress>, WebError> {
    let run = find_run(&state.coordinator, &id).await?;
    let RunView {
        about,
        cards,
        completeness,
        warnings,
        thresholds,
        ..
    } = run_numbers(&state.coordinator, &run, &Scope::default()).await?;
    Ok(Json(Progress {
        status: about.status.to_owned(),
        phase: about.phase.to_owned(),
        waiting: about.waiting,
        failure_reason: about.failure_reason,
        failure_code: about.failure_code.map(str::to_owned),
        elapsed_s: about.time_elapsed_s,
        duration_s: planned_s(&run),
        users: cards.active_users,
        totals: cards.totals,
        current_rps: cards.current_rps,
        completeness,
        verdict: thresholds.verdict,
        thresholds: thresholds.rows.into_iter().map(|row| row.result).collect(),
        warnings,
    }))
}

fn planned_s(run: &RunRecord) -> Option<u64> {
    run.started_at?;
    let planned = match run.profile.ends_at.since_zero() {
        // Of a run that was kept before profiles were.
        Duration::ZERO => run.test.duration(),
        planned => planned,
    };
    Some(planned.as_secs_f64().ceil() as u64)
}

/// Locust's three console tables.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/tables",
    tag = "results",
    params(("id" = String, Path, description = "Identifier of the run"), ScopeQuery),
    responses(
        (status = 200, description = "The tables", body = String, content_type = "text/plain"),
        (status = 404, description = "The run, endpoint or agent was not found", body = ErrorBody),
        (status = 422, description = "A parameter is not valid", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn tables(
    State(state): State<WebState>,
    headers: HeaderMap,
    AskedPart { run, scope }: AskedPart,
) -> Result<Response, WebError> {
    let made = async {
        // Read again: this answer is kept for all who ask from now on, and the run may have ended meanwhile.
        let run = find_run(&state.coordinator, &run.id).await?;
        let text = tables_text(&state, &run, &scope).await?;
        Ok::<_, WebError>(Bytes::from(text))
    };
    let tables = if scope.is_whole() {
        let answers = &state.tables;
        answers
            .get(run.id.clone(), &headers, &state.coordinator, made)
            .await?
    } else {
        made.await?
    };
    Ok(text(tables.into()))
}

async fn tables_text(state: &WebState, run: &RunRecord, scope: &Scope) -> Result<String, WebError> {
    let view = whole_run_view(&state.coordinator, run, scope).await?;
    Ok(view.console_tables.unwrap_or_default())
}

/// The console log as a file, or those of its lines that are asked for, with the three tables as they stand now at its end.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/log",
    tag = "results",
    params(("id" = String, Path, description = "Identifier of the run"), LogFilterQuery, ScopeQuery),
    responses(
        (status = 200, description = "The log", body = String, content_type = "text/plain"),
        (status = 404, description = "The run, endpoint or agent was not found", body = ErrorBody),
        (status = 422, description = "A parameter is not valid", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn log(
    State(state): State<WebState>,
    Query(filter): Query<LogFilterQuery>,
    AskedPart { run, scope }: AskedPart,
) -> Result<Response, WebError> {
    let store = state.coordinator.store().clone();
    let filter = filter.filter(scope)?;
    let tables = tables_text(&state, &run, &filter.scope).await?;
    // Read and sent piece by piece: a log may be larger than memory should be, and the reader sets the
    // pace.
    let run_id = run.id.clone();
    let pieces = stream::try_unfold(Some(0), move |after| {
        let (store, id, filter) = (store.clone(), run_id.clone(), filter.clone());
        async move {
            let Some(after) = after else { return Ok(None) };
            log_piece(&store, &id, &filter, after).await.map(Some)
        }
    });
    let body = Body::from_stream(
        pieces
            .map_err(broken_off)
            .chain(stream::once(async move { Ok(format!("\n{tables}")) }))
            .boxed(),
    );
    Ok(as_file(&run, ".log", "text/plain; charset=utf-8", body))
}

/// Some lines as text, and after which to continue.
async fn log_piece(
    store: &Store,
    id: &RunId,
    filter: &LogFilter,
    after: u64,
) -> Result<(String, Option<u64>), WebError> {
    let range = LogRange {
        after,
        before: None,
        order: LogOrder::First,
        limit: LOG_LINES_AT_A_TIME,
    };
    let page = store.log_page(id, filter, range).await?;
    Ok((page.rows.iter().map(log_line).collect(), page.more))
}

fn log_line(row: &LogRow) -> String {
    format!(
        "[{}] {}: {}\n",
        page_text::utc(row.at),
        row.source,
        row.text
    )
}

fn text(body: Body) -> Response {
    const TEXT: [(HeaderName, HeaderValue); 1] = [(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    )];
    (TEXT, body).into_response()
}

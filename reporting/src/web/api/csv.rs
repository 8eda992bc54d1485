//! Locust's CSV files of a run, while it goes on or afterwards.

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, TryStreamExt, stream};
use greylag_infra::RunRecord;
use serde::Deserialize;

use super::runs::letters_of;
use crate::csv_files::{self, History};
use crate::store::Store;
use crate::web::error::WebError;
use crate::web::state::{WebState, find_run};

/// Seconds read from the store at a time while a history is downloaded.
const SECONDS_AT_A_TIME: u32 = 60;

/// Query of `GET /api/v1/runs/{id}/csv/stats_history`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct CsvQuery {
    full: String,
}

/// `GET /api/v1/runs/{id}/csv/{file}`: `stats`, `failures`, `exceptions` or `stats_history`, the last one with
/// `?full=1` for a row per endpoint too.
pub(in crate::web) async fn csv_file(
    State(state): State<WebState>,
    Path((id, file)): Path<(String, String)>,
    Query(query): Query<CsvQuery>,
) -> Result<Response, WebError> {
    let run = find_run(&state.coordinator, &id).await?;
    let store = state.coordinator.store();
    let started_at_us = run.started_at_us.unwrap_or(run.created_at_us);
    let body = match file.as_str() {
        "stats" => {
            let totals = store.totals(&id, None).await?;
            let elapsed_s = run.elapsed_s(state.coordinator.now_us());
            csv_files::stats(&totals, elapsed_s).into()
        }
        "failures" | "exceptions" => {
            let totals = store.totals(&id, None).await?;
            let errors = store.errors(&id).await?;
            if file == "failures" {
                csv_files::failures(&errors, &totals, started_at_us).into()
            } else {
                csv_files::exceptions(&errors, &totals).into()
            }
        }
        "stats_history" => {
            let full = !matches!(query.full.as_str(), "" | "0" | "false");
            history(store.clone(), &run, History::new(full, started_at_us))
        }
        _ => {
            return Err(WebError::new(
                StatusCode::NOT_FOUND,
                "there is no such file; available: stats, failures, exceptions and stats_history",
            ));
        }
    };
    Ok(as_file(&run, &file, body))
}

/// Read and sent piece by piece: the reader sets the pace.
fn history(store: Store, run: &RunRecord, history: History) -> Body {
    let id = run.id.clone();
    let pieces = stream::try_unfold(Some((history, 0)), move |state| {
        let (store, id) = (store.clone(), id.clone());
        async move {
            let Some((history, from)) = state else {
                return Ok(None);
            };
            history_piece(&store, &id, history, from).await.map(Some)
        }
    });
    Body::from_stream(
        pieces
            .map_err(|error: WebError| std::io::Error::other(format!("{error:?}")))
            .boxed(),
    )
}

/// Some rows, and where to go on.
async fn history_piece(
    store: &Store,
    id: &str,
    mut history: History,
    from: u32,
) -> Result<(Bytes, Option<(History, u32)>), WebError> {
    let part = store.history(id, from, SECONDS_AT_A_TIME).await?;
    let next = part
        .seconds
        .last()
        .map(|last| last.second.saturating_add(1));
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

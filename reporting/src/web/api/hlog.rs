//! A run as a log of HdrHistogram, while it is active or afterwards.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use greylag_infra::RunId;

use super::streamed::{as_file, in_pieces, off_thread};
use crate::api_types::ErrorBody;
use crate::results::hlog;
use crate::store::{Scope, Store};
use crate::web::error::WebError;
use crate::web::requests::asked_part::AskedPart;
use crate::web::requests::scope::ScopeQuery;
use crate::web::state::WebState;

/// Seconds read from the store at a time.
const SECONDS_AT_A_TIME: u32 = 60;

/// The histogram of response times of each second and endpoint, as an interval log of HdrHistogram (format 1.3). Values are µs; the tag of
/// a line is its endpoint's method and name, percent-encoded.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/hlog",
    tag = "results",
    params(("id" = String, Path, description = "Identifier of the run"), ScopeQuery),
    responses(
        (status = 200, description = "The log", body = String, content_type = "text/plain"),
        (status = 404, description = "The run, endpoint or agent was not found", body = ErrorBody),
        (status = 422, description = "A parameter is not valid", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn hlog(
    State(state): State<WebState>,
    AskedPart { run, scope }: AskedPart,
) -> Response {
    let first = hlog::header(run.started_at.unwrap_or(run.created_at));
    let store = state.coordinator.store().clone();
    let body = lines(first, store, run.id.clone(), scope);
    as_file(&run, ".hlog", "text/plain; charset=utf-8", body)
}

fn lines(first: Vec<u8>, store: Store, id: RunId, scope: Scope) -> Body {
    let start = scope.window.map_or(0, |window| window.from());
    in_pieces(first, start, move |from| {
        let (store, id, scope) = (store.clone(), id.clone(), scope.clone());
        async move {
            let part = store.history(&id, &scope, from, SECONDS_AT_A_TIME).await?;
            let last = part.seconds.last();
            let next = last.map(|last| last.second.saturating_add(1));
            let lines = off_thread("writing histograms", || hlog::lines(part.seconds));
            Ok::<_, WebError>((lines.await?.into(), next))
        }
    })
}

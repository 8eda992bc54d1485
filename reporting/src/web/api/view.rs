//! A part of a run for its page.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use crate::api_types::ErrorBody;
use crate::web::error::WebError;
use crate::web::live::run_feed::RunPart;
use crate::web::requests::asked_part::AskedPart;
use crate::web::requests::scope::ScopeQuery;
use crate::web::state::WebState;

/// What the page of a run shows of a part of it, with the growing parts: `{view, delta, over}` as in the first event of a
/// stream, except that `view` is not in brackets. `over` means that nothing more follows.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/view",
    tag = "live",
    params(("id" = String, Path, description = "Identifier of the run"), ScopeQuery),
    responses(
        (status = 200, description = "The page's data", body = Object),
        (status = 404, description = "The run, endpoint or agent was not found", body = ErrorBody),
        (status = 422, description = "A parameter is not valid", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn view(
    State(state): State<WebState>,
    headers: HeaderMap,
    AskedPart { run, scope }: AskedPart,
) -> Result<Response, WebError> {
    let asked = (run.id.clone(), scope.clone());
    let made = async {
        let part = RunPart::read(&state.coordinator, &run.id, &scope).await?;
        Ok::<_, WebError>(Bytes::from(part.to_json()?))
    };
    let answers = &state.views;
    let answer = answers
        .get(asked, &headers, &state.coordinator, made)
        .await?;
    const JSON: HeaderValue = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, JSON)], answer).into_response())
}

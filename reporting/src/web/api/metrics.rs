//! What Prometheus scrapes.

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};

use crate::results::metrics::{TextFormat, metrics_of};
use crate::web::error::WebError;
use crate::web::state::WebState;

/// Metrics for Prometheus: how the coordinator is, and the counts of runs in progress and for five minutes after their end. In the
/// format OpenMetrics where it is asked for, else in Prometheus's own. The counts are those of the results, so they go on over a restart.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "health",
    responses(
        (status = 200, description = "The metrics", body = String, content_type = "text/plain"),
    ),
)]
pub(in crate::web) async fn metrics(
    State(state): State<WebState>,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    let accept = headers.get_all(header::ACCEPT).iter();
    let accept: Vec<&str> = accept.filter_map(|value| value.to_str().ok()).collect();
    let format = TextFormat::accepted(&accept.join(","));
    // Written once where several scrapers come at the same time.
    let made = async {
        let text = metrics_of(&state.coordinator).await?.written(format);
        Ok::<_, WebError>(text.into())
    };
    let key = format!("/metrics {}", format.content_type());
    let body = state.charts.get(key, made).await?;
    Ok(([(header::CONTENT_TYPE, format.content_type())], body).into_response())
}

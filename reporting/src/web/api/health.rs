//! Probes of whatever supervises the coordinator (Kubernetes, a load balancer), which have no token.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api_types::ErrorBody;
use crate::coordinator::NotReady;
use crate::web::state::WebState;

/// Answer to a probe.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web) struct Health {
    /// `alive` or `ready`.
    status: &'static str,
}

/// Whether the coordinator works at all; if it does not, only a restart helps. Needs no token.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "health",
    security(()),
    responses(
        (status = 200, description = "It is alive", body = Health),
        (status = 503, description = "It no longer works", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn alive(State(state): State<WebState>) -> Response {
    // While it shuts down it is to be left in peace.
    if state.coordinator.is_alive() || state.shutdown.is_cancelled() {
        healthy("alive")
    } else {
        unavailable("the coordinator has stopped working; restart it")
    }
}

/// Whether the coordinator can start runs and save results. Needs no token.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "health",
    security(()),
    responses(
        (status = 200, description = "It is ready", body = Health),
        (status = 503, description = "It is shutting down, or its store cannot save", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn ready(State(state): State<WebState>) -> Response {
    let checked = if state.shutdown.is_cancelled() {
        Err(NotReady::ShuttingDown)
    } else {
        state.coordinator.check_ready().await
    };
    match checked {
        Ok(()) => healthy("ready"),
        Err(reason) => unavailable(&reason.to_string()),
    }
}

fn healthy(status: &'static str) -> Response {
    Json(Health { status }).into_response()
}

/// In the API's form, although the address is not below `/api/`: only programs ask.
fn unavailable(reason: &str) -> Response {
    let error = reason.to_owned();
    (StatusCode::SERVICE_UNAVAILABLE, Json(ErrorBody { error })).into_response()
}

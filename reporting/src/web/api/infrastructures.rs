//! Infrastructures: who is there.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::json_body;
use crate::coordinator::CreateInfrastructureError;
use crate::web::error::WebError;
use crate::web::state::WebState;

/// Body of `POST /api/v1/infrastructures`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateRequest {
    name: String,
}

/// `GET /api/v1/infrastructures`, with the number of agents' connections that were closed for a fault, by
/// reason, since the coordinator started.
pub(in crate::web) async fn list_infrastructures(State(state): State<WebState>) -> Json<Value> {
    Json(json!({
        "infrastructures": *state.coordinator.infrastructures(),
        "closed_connections": state.coordinator.connection_faults().counts(),
    }))
}

/// `POST /api/v1/infrastructures` `{name}`: Pending until its first agent comes.
pub(in crate::web) async fn create_infrastructure(
    State(state): State<WebState>,
    body: Bytes,
) -> Result<Response, WebError> {
    let request: CreateRequest =
        json_body(&body, "an infrastructure, such as {\"name\": \"eu-west\"}")?;
    state
        .coordinator
        .create_infrastructure(&request.name)
        .await?;
    Ok((
        StatusCode::CREATED,
        Json(json!({ "name": request.name, "status": "Pending" })),
    )
        .into_response())
}

impl From<CreateInfrastructureError> for WebError {
    fn from(error: CreateInfrastructureError) -> Self {
        use greylag_infra::InfrastructureError;
        let status = match &error {
            CreateInfrastructureError::Refused(InfrastructureError::Name(_)) => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            CreateInfrastructureError::Refused(_) => StatusCode::CONFLICT,
            CreateInfrastructureError::Store(cause) => {
                tracing::error!(%cause, "an infrastructure could not be saved");
                StatusCode::INTERNAL_SERVER_ERROR
            }
            CreateInfrastructureError::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
        };
        WebError::new(status, error.to_string())
    }
}

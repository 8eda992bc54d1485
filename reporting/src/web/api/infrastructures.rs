//! Infrastructures: who is there.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use greylag_infra::{AgentView, ConnectionStatus, InfrastructureView};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::json_body;
use crate::web::error::WebError;
use crate::web::state::WebState;

/// Body of `POST /api/v1/infrastructures`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateRequest {
    name: String,
}

/// Most scenarios of an agent that are named.
const MAX_NAMED_SCENARIOS: usize = 50;

/// An infrastructure in the list.
#[derive(Debug, Serialize)]
struct Listed<'a> {
    name: &'a str,
    status: ConnectionStatus,
    agents: Vec<ListedAgent<'a>>,
}

/// An agent in the list.
#[derive(Debug, Serialize)]
struct ListedAgent<'a> {
    #[serde(flatten)]
    agent: &'a AgentView,
    /// The names of its scenarios, or of the first of them.
    scenarios: Vec<&'a str>,
    /// How many it has.
    scenario_count: usize,
}

impl<'a> From<&'a InfrastructureView> for Listed<'a> {
    fn from(known: &'a InfrastructureView) -> Self {
        let agents = known.agents.iter().map(|agent| {
            let names = agent
                .scenarios
                .iter()
                .map(|scenario| scenario.name.as_str());
            ListedAgent {
                agent,
                scenarios: names.take(MAX_NAMED_SCENARIOS).collect(),
                scenario_count: agent.scenarios.len(),
            }
        });
        Self {
            name: &known.name,
            status: known.status,
            agents: agents.collect(),
        }
    }
}

/// `GET /api/v1/infrastructures`, with the number of agents' connections that were closed for a fault, by
/// reason, and that of wrong tokens, since the coordinator started.
pub(in crate::web) async fn list_infrastructures(State(state): State<WebState>) -> Json<Value> {
    let infrastructures = state.coordinator.infrastructures();
    let listed: Vec<Listed<'_>> = infrastructures.iter().map(Listed::from).collect();
    Json(json!({
        "infrastructures": listed,
        "wrong_tokens": state.access.wrong_tokens(),
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

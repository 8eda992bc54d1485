//! Infrastructures: who is there, and who is on the way.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use greylag_infra::{AgentView, BuildInfo, ConnectionStatus, InfrastructureView, WallTime};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::json_body;
use crate::api_types::ErrorBody;
use crate::coordinator::InfrastructureMachines;
use crate::provisioning::{MachineState, ProviderKind};
use crate::web::error::WebError;
use crate::web::query::Query;
use crate::web::state::WebState;

/// Body of `POST /api/v1/infrastructures`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct CreateRequest {
    /// Letters, digits, dots, dashes, underscores and spaces.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
}

/// An infrastructure that was created.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web) struct InfrastructureCreated {
    name: String,
    status: ConnectionStatus,
}

/// Query of `GET /api/v1/infrastructures`.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct ListQuery {
    /// Whether agents are listed, too.
    #[param(required = false)]
    agents: bool,
}

impl Default for ListQuery {
    fn default() -> Self {
        Self { agents: true }
    }
}

/// All infrastructures.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web) struct InfrastructureList {
    infrastructures: Vec<ListedInfrastructure>,
    /// Wrong tokens that were sent since the coordinator started.
    wrong_tokens: u64,
    /// Requests that the role of their token did not allow, since the coordinator started.
    forbidden_requests: u64,
    /// Connections of agents that were closed for a fault, by reason.
    closed_connections: BTreeMap<String, u64>,
}

/// Most scenarios of an agent that are named.
const MAX_NAMED_SCENARIOS: usize = 50;

/// An infrastructure in the list.
#[derive(Debug, Serialize, ToSchema)]
struct ListedInfrastructure {
    name: String,
    status: ConnectionStatus,
    /// How it gets machines: `machines` are those that people start.
    kind: ProviderKind,
    /// What becomes of machines that are asked for, in one line.
    activity: Option<String>,
    /// What failed last, until something succeeds.
    last_error: Option<String>,
    /// Machines that were asked for and whose agents are not there, of many the first.
    machines: Vec<ListedMachine>,
    agents: Vec<ListedAgent>,
}

/// A machine without an agent.
#[derive(Debug, Serialize, ToSchema)]
struct ListedMachine {
    name: String,
    state: MachineState,
    /// Why it is not there.
    reason: Option<String>,
}

/// An agent in the list.
#[derive(Debug, Serialize, ToSchema)]
struct ListedAgent {
    /// Its name, unique among the connected ones of its infrastructure.
    name: String,
    /// Connected, Silent or Disconnected.
    status: ConnectionStatus,
    /// Last heartbeat, µs since 1970 on the coordinator's clock.
    #[serde(rename = "last_heard_us")]
    #[schema(value_type = u64)]
    last_heard: WallTime,
    /// Age of the oldest results that the agent has sent and that are not saved, in µs, at its last heartbeat.
    unsaved_us: u64,
    /// Processors of its machine.
    cores: u32,
    /// Greylag's version there.
    version: String,
    /// Which build it and its workers are.
    build: BuildInfo,
    /// Whether it runs uploaded builds, and gives them their data files.
    takes_data: bool,
    /// The names of its scenarios, or of the first of them.
    scenarios: Vec<String>,
    /// How many it has.
    scenario_count: usize,
}

impl ListedInfrastructure {
    fn of(known: &InfrastructureView, made: InfrastructureMachines, with_agents: bool) -> Self {
        let agents = known.agents.iter().filter(|_| with_agents);
        let machines = made.machines.into_iter();
        Self {
            name: known.name.clone(),
            status: known.status,
            kind: made.kind,
            activity: made.activity,
            last_error: made.last_error,
            machines: machines
                .map(|machine| ListedMachine {
                    name: machine.name,
                    state: machine.state,
                    reason: machine.reason,
                })
                .collect(),
            agents: agents.map(ListedAgent::from).collect(),
        }
    }
}

impl From<&AgentView> for ListedAgent {
    fn from(agent: &AgentView) -> Self {
        let names = agent.scenarios.iter().map(|scenario| scenario.name.clone());
        Self {
            name: agent.name.clone(),
            status: agent.status,
            last_heard: agent.last_heard,
            unsaved_us: agent.unsaved_us,
            cores: agent.cores,
            version: agent.version.clone(),
            build: agent.build.clone(),
            takes_data: agent.takes_data && agent.worker_protocol.is_some(),
            scenarios: names.take(MAX_NAMED_SCENARIOS).collect(),
            scenario_count: agent.scenarios.len(),
        }
    }
}

/// Lists infrastructures with their agents, and counts closed connections and wrong tokens since the coordinator started.
#[utoipa::path(
    get,
    path = "/api/v1/infrastructures",
    tag = "infrastructures",
    params(ListQuery),
    responses(
        (status = 200, description = "All infrastructures", body = InfrastructureList),
    ),
)]
pub(in crate::web) async fn list_infrastructures(
    State(state): State<WebState>,
    Query(query): Query<ListQuery>,
) -> Json<InfrastructureList> {
    let infrastructures = state.coordinator.infrastructures();
    let mut made = state.coordinator.machines();
    let listed = |known: &InfrastructureView| {
        let made = made.remove(&known.name).unwrap_or_default();
        ListedInfrastructure::of(known, made, query.agents)
    };
    let counts = state.coordinator.connection_faults().counts();
    Json(InfrastructureList {
        infrastructures: infrastructures.iter().map(listed).collect(),
        wrong_tokens: state.access.wrong_tokens(),
        forbidden_requests: state.access.forbidden.total(),
        closed_connections: counts
            .into_iter()
            .map(|(fault, count)| (fault.to_owned(), count))
            .collect(),
    })
}

/// Creates an infrastructure, which is Pending until its first agent connects.
#[utoipa::path(
    post,
    path = "/api/v1/infrastructures",
    tag = "infrastructures",
    request_body = CreateRequest,
    responses(
        (status = 201, description = "It exists", body = InfrastructureCreated),
        (status = 409, description = "It already exists, or there are too many", body = ErrorBody),
        (status = 413, description = "The body is too large", body = ErrorBody),
        (status = 422, description = "The name is not valid", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn create_infrastructure(
    State(state): State<WebState>,
    body: Bytes,
) -> Result<(StatusCode, Json<InfrastructureCreated>), WebError> {
    let request: CreateRequest =
        json_body(&body, "an infrastructure, such as {\"name\": \"eu-west\"}")?;
    state
        .coordinator
        .create_infrastructure(&request.name)
        .await?;
    let created = InfrastructureCreated {
        name: request.name,
        status: ConnectionStatus::Pending,
    };
    Ok((StatusCode::CREATED, Json(created)))
}

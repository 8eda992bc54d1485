//! Failed requests with what came back: the samples of errors.

use axum::Json;
use axum::extract::State;
use greylag_infra::protocol::MAX_SAMPLE_BODY_BYTES;
use greylag_infra::{RunTime, WallTime};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api_types::ErrorBody;
use crate::results::calendar::rfc3339;
use crate::store::ErrorSampleRow;
use crate::web::error::WebError;
use crate::web::query::{Query, optional_whole_number};
use crate::web::requests::asked_part::AskedPart;
use crate::web::requests::scope::ScopeQuery;
use crate::web::state::WebState;

/// Samples in one answer when no number is asked for.
const DEFAULT_SAMPLES: usize = 20;
/// Most samples in one answer.
const MAX_SAMPLES: usize = 100;

/// Query of `GET /api/v1/runs/{id}/errors/samples`.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct ErrorSamplesQuery {
    /// Only samples of errors with this text, as `error` of a run's errors.
    error: Option<String>,
    /// Most samples in the answer.
    #[serde(deserialize_with = "optional_whole_number")]
    #[param(value_type = Option<u32>, maximum = 100)]
    limit: Option<usize>,
}

/// Samples of errors.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web) struct ErrorSamplesAnswer {
    /// In the order of their errors and of time.
    samples: Vec<ErrorSampleAnswer>,
    /// How many there are, of which these are the first.
    of: u64,
}

/// A failed request with what came back. Secrets are hidden: `(hidden)` stands in their place.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web) struct ErrorSampleAnswer {
    /// When it ended, in seconds of run time.
    at_s: f64,
    /// The same in UTC (RFC 3339).
    at: Option<String>,
    /// HTTP method, or another kind of request.
    method: String,
    /// Its name.
    name: String,
    /// Text of its error.
    error: String,
    /// Name of the agent.
    agent: Option<String>,
    /// Global index of the worker.
    worker: Option<u32>,
    /// The address that was asked for, before any redirect; null for what is not HTTP.
    url: Option<String>,
    /// Status of the response; null without a response.
    status: Option<u16>,
    /// Headers of the response, in order.
    headers: Vec<SampleHeader>,
    /// Further headers, which are not kept.
    headers_left_out: u32,
    /// The first 2,048 bytes of the decoded body as text; null where it was not read.
    body: Option<String>,
    /// Length of the whole body in bytes; of a response that was not read what its head says.
    body_bytes: u64,
    /// Whether the body is longer than what is kept of it.
    body_is_cut: bool,
    /// Its trace id (W3C Trace Context), 32 hexadecimal digits; null unless it was sampled.
    trace_id: Option<String>,
}

/// A header of a response.
#[derive(Debug, Serialize, ToSchema)]
#[allow(missing_docs, reason = "the names say it")]
struct SampleHeader {
    name: String,
    value: String,
}

impl ErrorSampleAnswer {
    /// What its error is known by.
    pub(in crate::web) fn error_key(&self) -> String {
        [&*self.method, &*self.name, &*self.error].join("\n")
    }

    pub(in crate::web) fn of(row: ErrorSampleRow, started_at: Option<WallTime>) -> Self {
        let data = row.data;
        let header = |(name, value)| SampleHeader { name, value };
        Self {
            at_s: data.at_us as f64 / 1e6,
            at: started_at.map(|started| rfc3339(started + RunTime::from_micros(data.at_us))),
            method: row.method,
            name: row.name,
            error: row.error,
            agent: row.agent,
            worker: data.worker,
            url: data.url,
            status: data.status,
            headers: data.headers.into_iter().map(header).collect(),
            headers_left_out: data.headers_left_out,
            body_is_cut: data.body.is_some() && data.body_bytes > MAX_SAMPLE_BODY_BYTES as u64,
            body: data.body,
            body_bytes: data.body_bytes,
            trace_id: data.trace_id.map(|id| id.to_string()),
        }
    }
}

/// Samples of a run's errors: a few failed requests of each, with address, status, headers and start of the body. There are none of
/// runs with `no_error_samples`, and only address and status of goose scenarios.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/errors/samples",
    tag = "results",
    params(("id" = String, Path, description = "Identifier of the run"), ErrorSamplesQuery, ScopeQuery),
    responses(
        (status = 200, description = "The samples", body = ErrorSamplesAnswer),
        (status = 404, description = "The run, endpoint or agent was not found", body = ErrorBody),
        (status = 422, description = "A parameter is not valid", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn error_samples(
    State(state): State<WebState>,
    Query(query): Query<ErrorSamplesQuery>,
    AskedPart { run, scope }: AskedPart,
) -> Result<Json<ErrorSamplesAnswer>, WebError> {
    let store = state.coordinator.store();
    let limit = query.limit.unwrap_or(DEFAULT_SAMPLES).min(MAX_SAMPLES);
    let error = query.error.filter(|error| !error.is_empty());
    let (rows, of) = store.error_samples(&run.id, &scope, error, limit).await?;
    let sample = |row| ErrorSampleAnswer::of(row, run.started_at);
    Ok(Json(ErrorSamplesAnswer {
        samples: rows.into_iter().map(sample).collect(),
        of,
    }))
}

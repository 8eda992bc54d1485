//! The requests behind the dots of the scatter plot, with all that is known of each.

use axum::Json;
use axum::extract::State;
use greylag_infra::protocol::SampleKind;
use greylag_infra::{RunTime, WallTime};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api_types::ErrorBody;
use crate::results::calendar::rfc3339;
use crate::results::views::run_view::DotChanges;
use crate::store::SampleRow;
use crate::web::error::WebError;
use crate::web::query::{Query, optional_whole_number};
use crate::web::requests::asked_part::AskedPart;
use crate::web::requests::scope::ScopeQuery;
use crate::web::state::WebState;

/// Requests in one answer when no number is asked for.
const DEFAULT_SAMPLES: usize = 100;
/// Most requests in one answer that are drawn from all; few more are failed and slow ones.
const MAX_SAMPLES: usize = 1_000;

/// Query of `GET /api/v1/runs/{id}/samples`.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct SamplesQuery {
    /// Most requests that are drawn from all.
    #[serde(deserialize_with = "optional_whole_number")]
    #[param(value_type = Option<u32>, maximum = 1_000)]
    limit: Option<usize>,
    /// Only what a dot of the page stands for: the millisecond of run time at which its request ended. Needs
    /// `response_us`.
    #[serde(deserialize_with = "optional_whole_number")]
    #[param(value_type = Option<u64>)]
    at_ms: Option<u64>,
    /// And its response time in µs, of which the first three digits count.
    #[serde(deserialize_with = "optional_whole_number")]
    #[param(value_type = Option<u64>)]
    response_us: Option<u64>,
}

/// Few requests of many, as the scatter plot shows them.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web) struct SamplesAnswer {
    /// In order of time.
    samples: Vec<SampleAnswer>,
    /// Which share of all requests is drawn, 0–1; missing where a dot was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    drawn_share: Option<f64>,
    /// Which share of the failed requests is there, 0–1; missing likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_share: Option<f64>,
}

/// One request. What is null was not recorded: by an agent of an earlier version, or because there is no such thing.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web) struct SampleAnswer {
    /// When it ended, in seconds of run time.
    at_s: f64,
    /// The same in UTC (RFC 3339).
    at: Option<String>,
    /// HTTP method, or another kind of request.
    method: String,
    /// Its name.
    name: String,
    /// Response time.
    response_ms: f64,
    /// Time to first byte.
    first_byte_ms: Option<f64>,
    /// Whether it failed.
    failed: bool,
    /// Status of the response; 0 where none came.
    status: Option<u16>,
    /// Text of its error.
    error: Option<String>,
    /// Name of the agent.
    agent: Option<String>,
    /// Global index of the worker.
    worker: Option<u32>,
    /// Number of the user over the whole run, from 0.
    user: Option<u32>,
    /// Its trace id (W3C Trace Context), 32 hexadecimal digits; null unless it was sampled.
    trace_id: Option<String>,
    /// Why it was kept: `drawn` of all requests, as one of the `failed` ones, or because it is `slow`.
    #[schema(value_type = String)]
    kind: SampleKind,
}

impl SampleAnswer {
    pub(in crate::web) fn of(sample: SampleRow, started_at: Option<WallTime>) -> Self {
        let ms = |us: u64| us as f64 / 1e3;
        Self {
            at_s: sample.at_us as f64 / 1e6,
            at: started_at.map(|started| rfc3339(started + RunTime::from_micros(sample.at_us))),
            method: sample.method,
            name: sample.name,
            response_ms: ms(sample.response_us),
            first_byte_ms: sample.first_byte_us.map(|us| ms(us.into())),
            failed: sample.failed,
            status: sample.status,
            error: sample.error,
            agent: sample.agent,
            worker: sample.worker,
            user: sample.user,
            trace_id: sample.trace_id.map(|id| id.to_string()),
            kind: sample.kind,
        }
    }
}

/// Requests with all that is known of them: a fair choice of those of a scope, as the scatter plot shows them, or those
/// that one of its dots stands for.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/samples",
    tag = "results",
    params(("id" = String, Path, description = "Identifier of the run"), SamplesQuery, ScopeQuery),
    responses(
        (status = 200, description = "The requests", body = SamplesAnswer),
        (status = 404, description = "The run, endpoint or agent was not found", body = ErrorBody),
        (status = 422, description = "A parameter is not valid", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn samples(
    State(state): State<WebState>,
    Query(query): Query<SamplesQuery>,
    AskedPart { run, scope }: AskedPart,
) -> Result<Json<SamplesAnswer>, WebError> {
    let limit = query.limit.unwrap_or(DEFAULT_SAMPLES).min(MAX_SAMPLES);
    let store = state.coordinator.store();
    let (mut rows, shares) = match (query.at_ms, query.response_us) {
        (Some(at_ms), Some(response_us)) => {
            let shown = DotChanges::shown_response_us(response_us);
            let is_shown_as = move |us| DotChanges::shown_response_us(us) == shown;
            let rows = store
                .samples_of_dot(&run.id, &scope, at_ms, is_shown_as)
                .await?;
            (rows, None)
        }
        (None, None) => {
            let (rows, complete) = store.sample_details(&run.id, &scope, limit).await?;
            (rows, Some(complete))
        }
        _ => return Err(WebError::HalfADot),
    };
    if shares.is_none() {
        rows.truncate(limit);
    }
    let sample = |row| SampleAnswer::of(row, run.started_at);
    Ok(Json(SamplesAnswer {
        samples: rows.into_iter().map(sample).collect(),
        drawn_share: shares.map(|complete| complete.drawn_share()),
        failed_share: shares.map(|complete| complete.failed_share()),
    }))
}

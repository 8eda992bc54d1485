//! What the charts of a run show, for its page and for programs.

use axum::body::Bytes;
use axum::extract::{OriginalUri, Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use greylag_infra::RunId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api_types::ErrorBody;
use crate::measure::distribution::Distribution;
use crate::measure::interval::{Measure, Measures};
use crate::plain_text::plain_text;
use crate::store::{Chart, ChartData, ChartSteps, UnknownMetric};
use crate::web::error::WebError;
use crate::web::query::Query;
use crate::web::requests::asked_part::AskedPart;
use crate::web::requests::scope::ScopeQuery;
use crate::web::requests::scope_error::ScopeError;
use crate::web::state::WebState;

/// Longest part of a value that an error repeats, in characters.
const MAX_SHOWN: usize = 100;

/// Why a chart cannot be answered.
#[derive(Debug, thiserror::Error)]
pub(in crate::web) enum ChartError {
    #[error("the chart was not found; available: {}", Self::known())]
    NoSuchChart,
    #[error("of must be `response`, `intended` or `first_byte`, got `{0}`")]
    NotTimes(String),
    #[error("metric is missing: the name of a custom metric, as in the summary")]
    MetricMissing,
    #[error("{0}; use a name as the summary has it among `custom_metrics`")]
    NoSuchMetric(UnknownMetric),
}

impl ChartError {
    fn known() -> String {
        let names = CHARTS.into_iter().map(|(name, _)| name);
        names.chain([CUSTOM_METRIC]).collect::<Vec<_>>().join(", ")
    }
}

/// Charts over run time, by name.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(dead_code, reason = "it is for the description of the API")]
pub(in crate::web) enum ChartName {
    /// Percentiles of the times that `of` says, in ms.
    Percentiles,
    /// Requests by status code.
    Statuses,
    /// Errors by text.
    Errors,
    /// Users of each agent.
    AgentUsers,
    /// Requests of each agent.
    AgentRequests,
    /// Iterations of an arrival rate: planned, started, late (of the started ones) and skipped.
    Arrivals,
    /// The custom metric that `metric` names: of a counter its `total`, of a gauge `last`, `min` and `max`, of a rate `rate` (the share of
    /// values that are true, from 0 to 1), of a histogram `avg`, `p50` and `p95`.
    CustomMetric,
}

/// The chart of a custom metric, by name.
const CUSTOM_METRIC: &str = "custom-metric";

/// Each name with its chart, but for those of custom metrics, which every run has other ones of.
pub(in crate::web) const CHARTS: [(&str, Chart); 6] = [
    ("percentiles", Chart::Percentiles(Measure::Response)),
    ("statuses", Chart::Statuses),
    ("errors", Chart::Errors),
    ("agent-users", Chart::AgentUsers),
    ("agent-requests", Chart::AgentRequests),
    ("arrivals", Chart::Arrivals),
];

/// Which times.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(dead_code, reason = "it is for the description of the API")]
pub(in crate::web) enum TimesOf {
    /// From the call until the body is read.
    Response,
    /// From when the request was due.
    Intended,
    /// From the call to the first byte of the answer.
    FirstByte,
}

/// Each name with its times.
pub(in crate::web) const TIMES: [(&str, Measure); 3] = [
    ("response", Measure::Response),
    ("intended", Measure::Intended),
    ("first_byte", Measure::FirstByte),
];

/// Query of `GET /api/v1/runs/{id}/charts/{chart}`.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct ChartQuery {
    /// Seconds in a step; chosen by the length of the scope when left out, and where that makes more than 1,200 steps.
    #[param(value_type = Option<u32>, required = false)]
    step: String,
    /// Only the steps from the one with this second of run time on.
    #[param(value_type = Option<u32>, required = false)]
    since: String,
}

/// Which custom metric a chart is about.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct MetricQuery {
    /// Name of the custom metric, of the chart of one.
    #[param(value_type = Option<String>, required = false)]
    metric: String,
}

/// Which times a chart is about.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct TimesQuery {
    /// Which times; `response` when left out.
    #[param(value_type = Option<TimesOf>, required = false)]
    of: String,
}

impl TimesQuery {
    fn measure(&self) -> Result<Measure, ChartError> {
        if self.of.is_empty() {
            return Ok(Measure::Response);
        }
        let known = TIMES.into_iter().find(|(name, _)| *name == self.of);
        known
            .map(|(_, measure)| measure)
            .ok_or_else(|| ChartError::NotTimes(shown(&self.of)))
    }
}

impl ChartQuery {
    fn steps(&self) -> Result<ChartSteps, ScopeError> {
        let number = |name: &'static str, text: &str| {
            if text.is_empty() {
                return Ok(None);
            }
            let number = text.trim().parse().ok();
            number.map(Some).ok_or_else(|| ScopeError::NotASecond {
                name,
                got: shown(text),
            })
        };
        Ok(ChartSteps {
            step_s: number("step", &self.step)?.filter(|step| *step > 0),
            since: number("since", &self.since)?.unwrap_or(0),
        })
    }
}

fn shown(text: &str) -> String {
    plain_text(text).chars().take(MAX_SHOWN).collect()
}

/// A chart of a run over its time: at most 1,200 steps. Of too many lines the greatest are shown, and the sum of the others.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/charts/{chart}",
    tag = "results",
    params(("id" = String, Path, description = "Identifier of the run"), ("chart" = inline(ChartName), Path, description = "Which chart"), TimesQuery, MetricQuery, ChartQuery, ScopeQuery),
    responses(
        (status = 200, description = "The chart", body = ChartData),
        (status = 404, description = "The run, chart, custom metric, endpoint or agent was not found", body = ErrorBody),
        (status = 422, description = "A parameter is not valid", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn chart(
    State(state): State<WebState>,
    Path((_, name)): Path<(RunId, String)>,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<ChartQuery>,
    Query(times): Query<TimesQuery>,
    Query(MetricQuery { metric }): Query<MetricQuery>,
    AskedPart { run, scope }: AskedPart,
) -> Result<Response, WebError> {
    let chart = match CHARTS.into_iter().find(|(known, _)| *known == name) {
        Some((_, chart)) => chart,
        None if name != CUSTOM_METRIC => return Err(ChartError::NoSuchChart.into()),
        None if metric.is_empty() => return Err(ChartError::MetricMissing.into()),
        None => Chart::Custom(metric),
    };
    let measure = times.measure()?;
    let steps = query.steps()?;
    let store = state.coordinator.store();
    let chart = match chart {
        Chart::Percentiles(_) => Chart::Percentiles(measure),
        other => other,
    };
    let make = async {
        let data = store.chart(&run, &scope, chart, steps).await?;
        json(&data)
    };
    let body = state.charts.get(uri.to_string(), make).await?;
    Ok(as_json(body))
}

/// How the times of a run are distributed.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/distribution",
    tag = "results",
    params(("id" = String, Path, description = "Identifier of the run"), TimesQuery, ScopeQuery),
    responses(
        (status = 200, description = "The distribution", body = Distribution),
        (status = 404, description = "The run, endpoint or agent was not found", body = ErrorBody),
        (status = 422, description = "A parameter is not valid", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn distribution(
    State(state): State<WebState>,
    OriginalUri(uri): OriginalUri,
    Query(times): Query<TimesQuery>,
    AskedPart { run, scope }: AskedPart,
) -> Result<Response, WebError> {
    let measure = times.measure()?;
    let store = state.coordinator.store();
    let make = async {
        let totals = store
            .totals_with(&run.id, &scope, Measures::only(measure))
            .await?;
        json(&Distribution::of(&totals.aggregated(), measure))
    };
    let body = state.charts.get(uri.to_string(), make).await?;
    Ok(as_json(body))
}

fn json(data: &impl Serialize) -> Result<Bytes, WebError> {
    let text = serde_json::to_vec(data);
    let text = text.map_err(|error| WebError::internal("writing a chart", &error))?;
    Ok(text.into())
}

fn as_json(body: Bytes) -> Response {
    const JSON: HeaderValue = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, JSON)], body).into_response()
}

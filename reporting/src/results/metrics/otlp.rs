//! The counts of active runs as a message of OTLP, by the official types.
//!
//! The SDK of OpenTelemetry cannot be given histograms that were added up elsewhere, so its messages are filled directly.
//! Names and attributes are those of the [semantic conventions](https://opentelemetry.io/docs/specs/semconv/http/http-metrics/) where they have
//! any. Of those that they require, `server.address` and `server.port` are left out: a run has one host, which may be many servers, and a request
//! may go elsewhere. Endpoints are not called `url.template`, because scenarios name requests as they like.

use greylag_infra::{RunId, RunRecord};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;

use super::active_runs::{self, BUCKETS_US, EndpointCounts};
use super::otlp_custom;
use crate::coordinator::Coordinator;
use crate::measure::interval::Outcome;
use crate::plain_text::plain_text;
use crate::store::{Scope, StoreError};

/// A run of at most so many agents has series of each of them; one of more has those of all together. Every endpoint is multiplied by them.
const MAX_AGENTS: usize = 10;
/// Version of the conventions whose names are used.
const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.37.0";
/// In place of a method that HTTP does not have, and of an error that has no name of its own.
const NOT_NAMED: &str = "_OTHER";
/// The methods that the conventions know.
const METHODS: [&str; 9] = [
    "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE",
];

/// What a run has counted so far.
#[derive(Debug)]
pub(crate) struct RunCounts {
    pub(crate) run: RunId,
    pub(crate) is_over: bool,
    /// An `ExportMetricsServiceRequest` by itself: collectors take 4 MiB in one unless they are set up otherwise.
    pub(crate) message: Vec<u8>,
}

/// The counts of those active runs that are wanted, all from the beginning of their run. A run that cannot be read does not
/// keep the others back.
///
/// # Errors
/// The database failed.
pub(crate) async fn otlp_of(
    coordinator: &Coordinator,
    is_wanted: impl Fn(&RunRecord) -> bool,
) -> Result<Vec<RunCounts>, StoreError> {
    let unfinished = coordinator.store().unfinished_runs().await?;
    let runs = active_runs::active(coordinator, unfinished).await?;
    let now_ns = coordinator.now().as_micros().saturating_mul(1_000);
    let mut counts = Vec::new();
    for run in runs.iter().filter(|run| is_wanted(run)) {
        match metrics_of(coordinator, run, now_ns).await {
            Ok(metrics) => counts.push(RunCounts {
                run: run.id.clone(),
                is_over: run.phase.is_over(),
                message: request(metrics).encode_to_vec(),
            }),
            // It has been deleted meanwhile.
            Err(StoreError::UnknownRun(_)) => {}
            Err(StoreError::Closed) => return Err(StoreError::Closed),
            Err(error) => {
                tracing::warn!(%error, run = %run.id, "cannot read the counts of a run for OTLP now");
            }
        }
    }
    Ok(counts)
}

/// The users of a run, the response times of its endpoints by outcome, and its custom metrics, which are of all agents together.
async fn metrics_of(
    coordinator: &Coordinator,
    run: &RunRecord,
    now_ns: u64,
) -> Result<Vec<Metric>, StoreError> {
    let (mut durations, mut users) = (Vec::new(), Vec::new());
    for agent in agents_of(run) {
        let (active, finished) = points_of(coordinator, run, agent, now_ns).await?;
        users.push(active);
        durations.extend(finished);
    }
    let started_ns = started_ns_of(run);
    let custom = active_runs::custom_of(coordinator, run).await?;
    let mut metrics = vec![
        Metric {
            name: "http.client.request.duration".to_owned(),
            description: "Response times of finished requests.".to_owned(),
            unit: "s".to_owned(),
            data: Some(metric::Data::Histogram(Histogram {
                data_points: durations,
                aggregation_temporality: AggregationTemporality::Cumulative.into(),
            })),
            ..Metric::default()
        },
        Metric {
            name: "greylag.users".to_owned(),
            description: "Active users.".to_owned(),
            unit: "{user}".to_owned(),
            data: Some(metric::Data::Gauge(Gauge { data_points: users })),
            ..Metric::default()
        },
    ];
    metrics.extend(otlp_custom::metrics(
        &of_run(run, None),
        &custom,
        started_ns,
        now_ns,
    ));
    Ok(metrics)
}

fn started_ns_of(run: &RunRecord) -> u64 {
    run.started_at.unwrap_or_default().as_micros() * 1_000
}

/// The agents of a run that have series, or all of them together. They do not change while it goes on.
fn agents_of(run: &RunRecord) -> Vec<Option<String>> {
    match run.agents.len() {
        1..=MAX_AGENTS => {
            let names = run.agents.iter().map(|agent| Some(agent.name.clone()));
            names.collect()
        }
        _ => vec![None],
    }
}

/// The same of an agent, or of all together.
async fn points_of(
    coordinator: &Coordinator,
    run: &RunRecord,
    agent: Option<String>,
    now_ns: u64,
) -> Result<(NumberDataPoint, Vec<HistogramDataPoint>), StoreError> {
    let started_ns = started_ns_of(run);
    let common = of_run(run, agent.as_deref());
    let of_agent = Scope {
        agent,
        ..Scope::default()
    };
    let active = active_runs::users_of(coordinator, run, &of_agent).await?;
    let users = NumberDataPoint {
        attributes: common.clone(),
        time_unix_nano: now_ns,
        value: Some(number_data_point::Value::AsInt(
            i64::try_from(active).unwrap_or(i64::MAX),
        )),
        ..NumberDataPoint::default()
    };
    let mut durations = Vec::new();
    for outcome in [Outcome::Ok, Outcome::Failed] {
        let scope = Scope {
            outcome: Some(outcome),
            ..of_agent.clone()
        };
        let counts = active_runs::counts_of(coordinator, run, &scope).await?;
        for ((method, name), counts) in counts {
            if counts.requests == 0 {
                continue;
            }
            let mut attributes = common.clone();
            attributes.extend(of_endpoint(&method, name, outcome));
            durations.push(point(&counts, attributes, started_ns, now_ns));
        }
    }
    Ok((users, durations))
}

fn request(metrics: Vec<Metric>) -> ExportMetricsServiceRequest {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(Resource {
                attributes: vec![
                    text("service.name", "greylag".to_owned()),
                    text("service.version", version.clone()),
                ],
                ..Resource::default()
            }),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(InstrumentationScope {
                    name: "greylag".to_owned(),
                    version,
                    ..InstrumentationScope::default()
                }),
                metrics,
                schema_url: SCHEMA_URL.to_owned(),
            }],
            schema_url: SCHEMA_URL.to_owned(),
        }],
    }
}

fn point(
    counts: &EndpointCounts,
    attributes: Vec<KeyValue>,
    started_ns: u64,
    now_ns: u64,
) -> HistogramDataPoint {
    HistogramDataPoint {
        attributes,
        start_time_unix_nano: started_ns,
        time_unix_nano: now_ns,
        count: counts.requests,
        sum: Some(counts.response_s),
        bucket_counts: counts.buckets.to_vec(),
        explicit_bounds: BUCKETS_US.map(|us| us as f64 / 1e6).to_vec(),
        ..HistogramDataPoint::default()
    }
}

fn of_run(run: &RunRecord, agent: Option<&str>) -> Vec<KeyValue> {
    let mut attributes = vec![
        text("greylag.run", run.id.to_string()),
        text("greylag.test", plain_text(&run.test.name)),
    ];
    attributes.extend(agent.map(|name| text("greylag.agent", plain_text(name))));
    attributes
}

fn of_endpoint(method: &str, name: String, outcome: Outcome) -> Vec<KeyValue> {
    let is_known = METHODS.contains(&method);
    let shown = if is_known { method } else { NOT_NAMED };
    let mut attributes = vec![text("http.request.method", shown.to_owned())];
    // What is not HTTP, such as `WS`; endpoints without a place of their own have no method.
    if !is_known && !method.is_empty() {
        let original = method.to_owned();
        attributes.push(text("http.request.method_original", original));
    }
    attributes.push(text("greylag.endpoint", name));
    if outcome == Outcome::Failed {
        attributes.push(text("error.type", NOT_NAMED.to_owned()));
    }
    attributes
}

pub(super) fn text(key: &str, value: String) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue {
            value: Some(any_value::Value::StringValue(value)),
        }),
        ..KeyValue::default()
    }
}

#[cfg(test)]
mod tests {
    use greylag_infra::protocol::OTHER;

    use super::*;

    /// A scenario may name its requests so, too.
    #[test]
    fn the_other_endpoints_are_not_mixed_up_with_one_of_their_name() {
        let of = |method| of_endpoint(method, OTHER.to_owned(), Outcome::Ok);
        assert_ne!(of("WS"), of(""));
        assert_ne!(of("WS"), of("MQTT"));
        assert_eq!(of("").len(), 2);
    }
}

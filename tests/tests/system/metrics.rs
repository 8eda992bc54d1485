//! The metrics as the real Prometheus reads them, and a collector of OpenTelemetry.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use greylag_tests::wait::until_true;
use greylag_tests::{Api, Cluster, Nginx, Process, clean_command, find_program, free_port, wait};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value;
use opentelemetry_proto::tonic::metrics::v1::metric;
use prost::Message as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::support::{RUN_TIMEOUT, greylag, test};

/// A Prometheus that scrapes a coordinator each second, and itself, as most do.
struct Prometheus {
    _process: Process,
    _directory: TempDir,
    api: Api,
}

impl Prometheus {
    async fn of(coordinator: &Api) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let target = coordinator.url().trim_start_matches("http://");
        let config = directory.path().join("prometheus.yml");
        let listen = format!("127.0.0.1:{}", free_port());
        let job = |name: &str, target: &str| {
            format!("{{job_name: {name}, static_configs: [{{targets: ['{target}']}}]}}")
        };
        let jobs = [job("load tests", target), job("prometheus", &listen)].join(", ");
        let scrape = format!("global: {{scrape_interval: 1s}}\nscrape_configs: [{jobs}]\n");
        fs::write(&config, scrape).expect("the directory is ours");
        let program = find_program(&["prometheus"]).expect("tests/install installs prometheus");
        let process = Process::start(
            "prometheus",
            clean_command(program)
                .arg(format!("--config.file={}", config.display()))
                .arg(format!(
                    "--storage.tsdb.path={}",
                    directory.path().join("data").display()
                ))
                .arg(format!("--web.listen-address={listen}")),
        );
        Self {
            _process: process,
            _directory: directory,
            api: Api::new(format!("http://{listen}")),
        }
    }

    async fn ask(&self, path: &str, question: &[(&str, &str)]) -> Result<Value, String> {
        let address = format!("{}/api/v1/{path}", self.api.url());
        let answer = reqwest::Client::new().get(address).query(question).send();
        let answer = answer.await.map_err(|error| error.to_string())?;
        let mut answer: Value = answer.json().await.map_err(|error| error.to_string())?;
        Ok(answer["data"].take())
    }

    /// The value of a query that has one or several, then the first; an error says what there is.
    async fn value(&self, query: &str) -> Result<f64, String> {
        let data = self.ask("query", &[("query", query)]).await?;
        let value = &data["result"][0]["value"][1];
        let number = value.as_str().and_then(|value| value.parse().ok());
        number.ok_or_else(|| data.to_string())
    }

    /// How many series a query has.
    async fn series(&self, query: &str) -> Result<usize, String> {
        let data = self.ask("query", &[("query", query)]).await?;
        Ok(data["result"].as_array().map_or(0, Vec::len))
    }

    /// What Grafana puts for a variable with all its values: those that Prometheus has of a label.
    async fn all_values(&self, variable: &str) -> String {
        let inner = variable
            .strip_prefix("label_values(")
            .and_then(|rest| rest.strip_suffix(')'));
        let (series, label) = inner
            .and_then(|inner| inner.rsplit_once(", "))
            .unwrap_or_else(|| panic!("`{variable}` asks for values of a label"));
        let path = format!("label/{label}/values");
        let values = self.ask(&path, &[("match[]", series)]).await;
        let values = values.expect("Prometheus answers");
        let values = values.as_array().expect("a list").iter();
        let values: Vec<_> = values.filter_map(Value::as_str).collect();
        assert!(!values.is_empty(), "{variable}");
        format!("({})", values.join("|"))
    }

    /// The value of a query. After a scrape that failed there is none until the next one.
    async fn settled(&self, query: &str) -> f64 {
        wait::until(query, RUN_TIMEOUT, async || self.value(query).await).await
    }

    async fn wait_for(&self, query: &str, condition: impl Fn(f64) -> bool) -> f64 {
        wait::until(query, RUN_TIMEOUT, async || {
            let value = self.value(query).await?;
            if condition(value) {
                Ok(value)
            } else {
                Err(value.to_string())
            }
        })
        .await
    }
}

/// A collector of OpenTelemetry that adds up the requests of each agent.
struct OtlpCollector {
    url: String,
    counted: Counted,
    server: JoinHandle<()>,
}

/// The requests of each agent by the last push, and by any push the most.
type Counted = Arc<Mutex<BTreeMap<String, (u64, u64)>>>;

impl OtlpCollector {
    async fn start() -> Self {
        let counted = Counted::default();
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port of this machine");
        let address = listener.local_addr().expect("it is bound");
        let routes = Router::new()
            .route("/v1/metrics", post(take))
            .with_state(Arc::clone(&counted));
        Self {
            url: format!("http://{address}"),
            counted,
            server: tokio::spawn(async {
                axum::serve(listener, routes)
                    .await
                    .expect("it serves until it is aborted");
            }),
        }
    }

    fn counted(&self) -> BTreeMap<String, (u64, u64)> {
        lock(&self.counted).clone()
    }
}

impl Drop for OtlpCollector {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn lock(counted: &Counted) -> MutexGuard<'_, BTreeMap<String, (u64, u64)>> {
    counted.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn take(State(counted): State<Counted>, message: Bytes) {
    let request = ExportMetricsServiceRequest::decode(message).expect("the official types read it");
    let metrics = request
        .resource_metrics
        .iter()
        .flat_map(|resource| &resource.scope_metrics)
        .flat_map(|scope| &scope.metrics);
    let mut requests = BTreeMap::<String, u64>::new();
    for metric in metrics.filter(|metric| metric.name == "http.client.request.duration") {
        let Some(metric::Data::Histogram(histogram)) = &metric.data else {
            panic!("{metric:?}");
        };
        for point in &histogram.data_points {
            let agent = point
                .attributes
                .iter()
                .find(|one| one.key == "greylag.agent");
            let agent = agent.and_then(|one| one.value.as_ref()?.value.as_ref());
            let Some(any_value::Value::StringValue(agent)) = agent else {
                panic!("{point:?}");
            };
            *requests.entry(agent.clone()).or_default() += point.count;
        }
    }
    for (agent, requests) in requests {
        let mut counted = lock(&counted);
        let (last, most) = counted.entry(agent).or_default();
        *last = requests;
        *most = requests.max(*most);
    }
}

/// What `promtool` says of metrics; nothing where they are as they should be.
fn check_metrics(text: &str) -> String {
    let program = find_program(&["promtool"]).expect("it comes with prometheus");
    let mut promtool = clean_command(program)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool starts");
    let mut input = promtool.stdin.take().expect("it is piped");
    input
        .write_all(text.as_bytes())
        .expect("promtool reads everything");
    drop(input);
    let output = promtool.wait_with_output().expect("promtool ends");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

fn dashboard() -> Value {
    let dashboard = include_str!("../../../infra/deploy/grafana/greylag.json");
    serde_json::from_str(dashboard).expect("the dashboard is JSON")
}

/// The dashboard's variables that are lists, with their queries, in an order in which each needs those before it only.
fn dashboard_variables(dashboard: &Value) -> Vec<(String, String)> {
    let variables = dashboard["templating"]["list"].as_array().expect("a list");
    let lists = variables.iter().filter(|one| one["type"] == "query");
    lists
        .map(|one| {
            let text = |text: &Value| text.as_str().expect("a text").to_owned();
            // All of them stand for something else only where it says so.
            assert!(one["name"] != "job" || one["allValue"].is_null());
            (text(&one["name"]), text(&one["query"]["query"]))
        })
        .collect()
}

/// What its panels ask for.
fn dashboard_queries(dashboard: &Value) -> Vec<String> {
    let panels = dashboard["panels"].as_array().expect("a list of panels");
    let targets = panels.iter().map(|panel| panel["targets"].as_array());
    let queries: Vec<String> = targets
        .flat_map(|targets| targets.expect("each panel asks for something"))
        .map(|target| target["expr"].as_str().expect("a query").to_owned())
        .collect();
    assert!(queries.len() > 10, "{queries:?}");
    queries
}

/// The series of a run that never go down.
const COUNTERS: [&str; 8] = [
    "requests_total",
    "failures_total",
    "response_time_seconds_bucket",
    "response_time_seconds_sum",
    "response_time_seconds_count",
    "custom_values_total",
    "custom_added_total",
    "custom_true_total",
];

#[tokio::test]
async fn prometheus_reads_what_the_page_shows() {
    let nginx = Nginx::start().await;
    let collector = OtlpCollector::start().await;
    let pushing = ["--otlp", &collector.url, "--otlp-protocol", "http/protobuf"];
    let mut cluster = Cluster::start_with(&greylag(), &pushing)
        .await
        .with_agents("lab", &["east", "west"])
        .await;
    let prometheus = Prometheus::of(cluster.api()).await;
    // It scrapes nothing for seconds after its start, and is to see the users.
    prometheus
        .wait_for("up{job=\"load tests\"}", |up| up == 1.0)
        .await;
    let changes = json!({ "name": "metrics", "duration": 15, "scenario": "metering" });
    let id = cluster
        .api()
        .start(&test(&nginx.url(), "lab", changes))
        .await;
    let of_run = format!("{{run=\"{id}\"}}");
    let all = format!("sum(greylag_requests_total{of_run})");
    prometheus.wait_for(&all, |requests| requests > 100.0).await;
    prometheus
        .wait_for(&format!("greylag_users{of_run}"), |users| users == 20.0)
        .await;
    cluster.kill_coordinator().await;
    cluster.restart_coordinator().await;
    cluster
        .api()
        .wait_for_status(&id, "Finished", RUN_TIMEOUT)
        .await;

    let summary = cluster.api().summary(&id).await;
    let total = summary.totals.requests as f64;
    prometheus
        .wait_for(&all, |requests| requests >= total)
        .await;
    assert_eq!(prometheus.settled(&all).await, total);
    // The collector gets the last counts, too, and never less than it had.
    let pushed = || {
        collector
            .counted()
            .values()
            .map(|(last, _)| last)
            .sum::<u64>()
    };
    until_true("the last push", RUN_TIMEOUT, || {
        pushed() == summary.totals.requests
    })
    .await;
    let counted = collector.counted();
    assert!(counted.keys().eq(["east", "west"]), "{counted:?}");
    assert!(
        counted.values().all(|(last, most)| last == most),
        "{counted:?}"
    );
    let failures = format!("sum(greylag_failures_total{of_run})");
    assert_eq!(
        prometheus.settled(&failures).await,
        summary.totals.failures as f64
    );
    // A counter that goes down counts as reset, of requests, histograms and custom metrics.
    let counters = format!(r#"{{__name__=~"greylag_.+_(total|bucket|sum|count)",run="{id}"}}"#);
    let names = format!("count(count by (__name__) ({counters}))");
    assert_eq!(prometheus.settled(&names).await, COUNTERS.len() as f64);
    for name in COUNTERS {
        let resets = format!("sum(resets(greylag_{name}{of_run}[5m]))");
        assert_eq!(prometheus.settled(&resets).await, 0.0, "{name}");
    }
    let p95 = format!(
        "histogram_quantile(0.95, sum by (le) (greylag_response_time_seconds_bucket{of_run}))"
    );
    let p95 = prometheus.settled(&p95).await;
    let bucket = |seconds: f64| {
        let limits = [
            0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0,
            10.0, 60.0,
        ];
        limits.partition_point(|limit: &f64| *limit < seconds)
    };
    let shown = summary.totals.p95_ms / 1e3;
    // Where a limit of a bucket is what 95 % are below, the two ways of counting may be on its two sides.
    assert!(
        bucket(p95).abs_diff(bucket(shown)) <= 1,
        "{p95} s where the page shows {shown} s"
    );

    let [sent, turn, even, speed] = &summary.custom_metrics[..] else {
        panic!("{:?}", summary.custom_metrics);
    };
    for (query, expected) in [
        ("added_total", sent, sent.total),
        ("values_total", speed, Some(speed.count as f64)),
        ("last", turn, turn.last),
        ("true_total", even, even.total),
        ("values_total", even, Some(even.count as f64)),
        ("mean", speed, speed.avg),
    ]
    .map(|(family, metric, expected)| {
        let labels = format!(
            "run=\"{id}\",metric=\"{}\",unit=\"{}\"",
            metric.name, metric.unit
        );
        (format!("greylag_custom_{family}{{{labels}}}"), expected)
    })
    .into_iter()
    .chain([(
        format!("greylag_custom_percentile{{run=\"{id}\",percentile=\"95\"}}"),
        speed.p95,
    )]) {
        assert_eq!(Some(prometheus.settled(&query).await), expected, "{query}");
    }

    let dashboard = dashboard();
    let mut values = vec![("__rate_interval".to_owned(), "1m".to_owned())];
    let filled = |query: &str, values: &[(String, String)]| {
        let fill = |query: String, (name, value): &(String, String)| {
            query.replace(&format!("${name}"), value)
        };
        values.iter().fold(query.to_owned(), fill)
    };
    for (name, query) in dashboard_variables(&dashboard) {
        let query = filled(&query, &values);
        values.push((name, prometheus.all_values(&query).await));
    }
    for query in dashboard_queries(&dashboard) {
        let query = filled(&query, &values);
        prometheus.settled(&query).await;
        if query.contains("process_") {
            // Other processes have these, too.
            wait::until(&query, RUN_TIMEOUT, async || {
                match prometheus.series(&query).await? {
                    1 => Ok(()),
                    series => Err(format!("{series} series")),
                }
            })
            .await;
        }
    }

    let text = cluster.api().get("/metrics").await.body;
    assert_eq!(check_metrics(&text), "", "{text}");
    assert_ne!(check_metrics("a b c\n"), "");
    wait::until("the agents in the metrics", RUN_TIMEOUT, async || {
        let agents = prometheus
            .value("greylag_agents{infrastructure=\"lab\",state=\"connected\"}")
            .await?;
        if agents == 2.0 {
            Ok(())
        } else {
            Err(agents.to_string())
        }
    })
    .await;
}

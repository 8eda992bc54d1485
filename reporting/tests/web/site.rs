//! A coordinator with its web server in process, on a directory that goes away with it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use greylag_infra::protocol::{
    AgentEnd, Endpoint, IntervalData, LogLine, SampleData, SampleKind, Snapshot, UserChange,
};
use greylag_infra::{ConnectionStatus, LoadTest, RunAgent, RunPhase, RunRecord, RunTime, WallTime};
use greylag_reporting::Interval;
use greylag_reporting::Token;
use greylag_reporting::coordinator::{Coordinator, CoordinatorConfig, Provisioning, agent_routes};
use greylag_reporting::web::{PublicAddress, WebConfig, router};
use serde_json::Value;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// The agent of runs that are written straight into the store.
pub(crate) const AGENT: &str = "agent-1";
/// Largest answer read.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// What is tested.
pub(crate) struct Site {
    pub(crate) router: Router,
    pub(crate) coordinator: Coordinator,
    directory: TempDir,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The message of an error of the API.
    pub(crate) fn error_message(&self) -> String {
        self.json()["error"]
            .as_str()
            .expect("errors have a message")
            .to_owned()
    }

    pub(crate) fn header(&self, name: header::HeaderName) -> &str {
        self.headers[&name].to_str().expect("headers are texts")
    }
}

impl Site {
    /// On 127.0.0.1:8089 as far as Host and Origin are concerned.
    pub(crate) async fn start(token: Option<&str>) -> Self {
        Self::start_at(token, PublicAddress::default()).await
    }

    /// The same behind a proxy.
    pub(crate) async fn start_at(token: Option<&str>, public: PublicAddress) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let coordinator = Coordinator::start(CoordinatorConfig {
            data_dir: directory.path().join("data"),
            lease: Duration::from_secs(30),
            provisioning: Provisioning::default(),
        })
        .await
        .expect("the coordinator starts");
        let listen: SocketAddr = ([127, 0, 0, 1], 8089).into();
        let config = WebConfig {
            token: token.map(|token| Token::new(token).expect("a valid token")),
            public,
            ..WebConfig::default()
        };
        let agents = agent_routes(coordinator.clone());
        let router = router(
            coordinator.clone(),
            agents,
            config,
            listen,
            CancellationToken::new(),
        );
        Self {
            router,
            coordinator,
            directory,
        }
    }

    /// Where the results are.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Sends a request; it gets `Host: localhost:8089` unless it has one.
    pub(crate) async fn send(&self, mut request: Request<Body>) -> Answer {
        request
            .headers_mut()
            .entry(header::HOST)
            .or_insert("localhost:8089".parse().expect("a host"));
        let response = self
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("the router never fails");
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, MAX_ANSWER_BYTES)
            .await
            .expect("the answer can be read");
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).expect("answers are UTF-8"),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).expect("a request"))
            .await
    }

    /// As a program: a body and no Origin.
    pub(crate) async fn post(&self, path: &str, body: impl Into<Bytes>) -> Answer {
        let body = Body::from(body.into());
        self.send(Request::post(path).body(body).expect("a request"))
            .await
    }

    /// As a program.
    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(
            Request::delete(path)
                .body(Body::empty())
                .expect("a request"),
        )
        .await
    }

    /// As a browser on our own page.
    pub(crate) async fn post_form(&self, path: &str, form: &str) -> Answer {
        let request = Request::post(path)
            .header(header::ORIGIN, "http://localhost:8089")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(form.to_owned()))
            .expect("a request");
        self.send(request).await
    }

    /// Waits until an agent is there.
    pub(crate) async fn until_connected(&self, infrastructure: &str) {
        let mut changes = self.coordinator.changes();
        let connected = async {
            while !self.coordinator.infrastructures().iter().any(|known| {
                known.name == infrastructure && known.status == ConnectionStatus::Connected
            }) {
                changes.changed().await.expect("the coordinator runs");
            }
        };
        tokio::time::timeout(Duration::from_secs(20), connected)
            .await
            .expect("an agent in time");
    }

    /// A run of ten seconds that is over, with the results of [`snapshot`], written straight into the store.
    pub(crate) async fn finished_run(
        &self,
        id: &str,
        test: LoadTest,
        endpoint: &str,
        error: &str,
    ) -> RunRecord {
        let over = RunRecord {
            phase: RunPhase::Finished,
            ended_at: Some(WallTime::from_micros(1_795_413_915_000_000)),
            ..self
                .running_run(id, test, snapshot(id, endpoint, error))
                .await
        };
        let store = self.coordinator.store();
        store.update_run(&over).await.expect("the run is updated");
        over
    }

    /// An active run, with its first results, written straight into the store.
    pub(crate) async fn running_run(
        &self,
        id: &str,
        test: LoadTest,
        results: Snapshot,
    ) -> RunRecord {
        let started_at = WallTime::from_micros(1_795_413_905_000_000);
        self.running_run_since(id, test, results, started_at).await
    }

    /// The same, begun at this moment.
    pub(crate) async fn running_run_since(
        &self,
        id: &str,
        test: LoadTest,
        results: Snapshot,
        started_at: WallTime,
    ) -> RunRecord {
        let agents = vec![(AGENT.to_owned(), results)];
        self.running_run_of(id, test, agents, started_at).await
    }

    /// The same with what each of its agents has reported.
    pub(crate) async fn running_run_of(
        &self,
        id: &str,
        test: LoadTest,
        agents: Vec<(String, Snapshot)>,
        started_at: WallTime,
    ) -> RunRecord {
        let store = self.coordinator.store();
        let of_agent = |name: &String, worker| RunAgent {
            build: greylag_infra::BuildInfo::default(),
            id: name.as_str().into(),
            name: name.clone(),
            workers: vec![worker],
            last_seq: 0,
            saved_until: 0,
            end: None,
        };
        let record = store
            .create_run(RunRecord {
                id: id.into(),
                number: 0,
                test,
                phase: RunPhase::Running,
                created_at: WallTime::from_micros(started_at.as_micros() - 1_000_000),
                started_at: Some(started_at),
                ended_at: None,
                agents: agents
                    .iter()
                    .zip(0..)
                    .map(|((name, _), worker)| of_agent(name, worker))
                    .collect(),
                profile: greylag_infra::LoadProfile::default(),
                completeness: greylag_infra::Completeness::default(),
            })
            .await
            .expect("the run is kept");
        for (name, results) in agents {
            store
                .save_snapshot(&record.id, &name.as_str().into(), results)
                .await
                .expect("the snapshot is saved");
        }
        record
    }
}

/// A test that is valid.
pub(crate) fn load_test(name: &str) -> LoadTest {
    LoadTest {
        name: name.into(),
        host: "http://127.0.0.1:9".into(),
        users: 2,
        ramp_up_s: 2,
        duration_s: 10,
        workers: 1,
        infrastructure: "local".into(),
        scenario: "shop".into(),
        stop_timeout_s: 10,
        declared: None,
        ..LoadTest::default()
    }
}

/// Ten seconds with 4 good requests of 10 ms and 1 failed of 30 ms each.
pub(crate) fn snapshot(run_id: &str, endpoint: &str, error: &str) -> Snapshot {
    let mut intervals: Vec<IntervalData> = Vec::new();
    for second in 0..10 {
        let mut interval = Interval::default();
        for _ in 0..4 {
            interval.record(Duration::from_millis(10), None, 100, None);
        }
        interval.record(Duration::from_millis(30), None, 0, Some(error));
        intervals.push(interval.to_wire(second, 0));
    }
    Snapshot {
        run_id: run_id.into(),
        seq: 1,
        endpoints: vec![Endpoint {
            method: "GET".into(),
            name: endpoint.into(),
        }],
        intervals,
        user_changes: vec![
            UserChange {
                second: 0,
                started: 1,
                stopped: 0,
                ..UserChange::default()
            },
            UserChange {
                second: 1,
                started: 1,
                stopped: 0,
                ..UserChange::default()
            },
            UserChange {
                second: 9,
                started: 0,
                stopped: 2,
                ..UserChange::default()
            },
        ],
        samples: vec![SampleData {
            endpoint: 0,
            at_us: 500_000,
            response_us: 30_000,
            failed: true,
            kind: SampleKind::Drawn,
            ..SampleData::default()
        }],
        log: vec![LogLine {
            at: WallTime::from_micros(1_795_413_906_000_000),
            source: format!("{AGENT}/worker-0"),
            text: format!("saw {error}"),
        }],
        end: Some(AgentEnd {
            requests: 50,
            failures: 10,
            ended_at: RunTime::of_second(10),
            ..AgentEnd::default()
        }),
        ..Snapshot::default()
    }
}

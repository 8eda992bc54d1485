//! A coordinator that serves agents, and a fake agent over a real WebSocket.

use std::path::Path;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use greylag_infra::protocol::{
    self, AgentEnd, Endpoint, Hello, PROTOCOL_VERSION, ScenarioInfo, Snapshot, ToAgent,
    ToCoordinator, UserChange,
};
use greylag_infra::{AgentSecret, LoadTest, RunId, RunPhase, RunRecord, RunTime};
use greylag_reporting::coordinator::{
    ConnectionFault, Coordinator, CoordinatorConfig, Provisioning, agent_routes,
};
use greylag_reporting::web::{self, WebConfig};
use greylag_reporting::{Interval, Scope, Summary};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use tokio_util::sync::CancellationToken;

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// A lease that is waited for. A fake agent says nothing while a run begins, however long that takes on a busy machine.
pub(crate) const QUIET_LEASE: Duration = Duration::from_secs(4);

pub(crate) struct Site {
    pub(crate) coordinator: Coordinator,
    pub(crate) url: String,
    pub(crate) server: tokio::task::JoinHandle<()>,
}

impl Site {
    pub(crate) async fn open(dir: &Path, lease: Duration) -> Self {
        Self::open_with(dir, lease, Provisioning::default()).await
    }

    pub(crate) async fn open_with(dir: &Path, lease: Duration, provisioning: Provisioning) -> Self {
        Self::open_as(dir, lease, provisioning, WebConfig::default()).await
    }

    pub(crate) async fn open_as(
        dir: &Path,
        lease: Duration,
        provisioning: Provisioning,
        web: WebConfig,
    ) -> Self {
        let config = CoordinatorConfig {
            data_dir: dir.to_owned(),
            lease,
            provisioning,
        };
        let coordinator = Coordinator::start(config).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!(
            "ws://{}{}",
            listener.local_addr().unwrap(),
            protocol::AGENT_SOCKET_PATH
        );
        let routes = agent_routes(coordinator.clone());
        // The real one, which counts what is received.
        let served = web::serve(
            listener,
            coordinator.clone(),
            routes,
            web,
            CancellationToken::new(),
        );
        let server = tokio::spawn(async move { served.await.unwrap() });
        Self {
            coordinator,
            url,
            server,
        }
    }

    /// Ends the coordinator and frees its data directory, as a restart needs it.
    pub(crate) async fn close(self) {
        self.server.abort();
        self.coordinator.shutdown().await;
    }

    pub(crate) async fn run(&self, id: &RunId) -> RunRecord {
        self.coordinator.store().run(id).await.unwrap().unwrap()
    }

    pub(crate) async fn until_over(&self, id: &RunId) -> RunPhase {
        let mut changes = self.coordinator.changes();
        tokio::time::timeout(PATIENCE, async {
            loop {
                let phase = self.run(id).await.phase;
                if phase.is_over() {
                    return phase;
                }
                changes.changed().await.unwrap();
            }
        })
        .await
        .expect("the run should end")
    }

    pub(crate) async fn until_fault(&self, fault: ConnectionFault, count: u64) {
        tokio::time::timeout(PATIENCE, async {
            while self.coordinator.connection_faults().get(fault) < count {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await
        .unwrap_or_else(|_| panic!("{} should be counted", fault.key()));
    }
}

pub(crate) struct FakeAgent {
    pub(crate) socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

pub(crate) fn hello(id: &str, runs: &[&RunId]) -> Hello {
    Hello {
        protocol: PROTOCOL_VERSION,
        secret: AgentSecret::new(format!("{id:->32}")),
        name: format!("agent-{id}"),
        infrastructure: "lab".into(),
        build: greylag_infra::BuildInfo::default(),
        version: "0".into(),
        worker_protocol: None,
        takes_data: false,
        cores: 2,
        once: false,
        scenarios: vec![ScenarioInfo {
            name: "shop".into(),
            description: String::new(),
            ..ScenarioInfo::default()
        }],
        runs: runs.iter().map(|run| (*run).clone()).collect(),
    }
}

impl FakeAgent {
    pub(crate) async fn dial(url: &str) -> Self {
        let (socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        Self { socket }
    }

    /// With a token; an answer that is not the socket is an error.
    pub(crate) async fn dial_with(url: &str, token: &str) -> Result<Self, tungstenite::Error> {
        let mut request = url.into_client_request().unwrap();
        let bearer = format!("Bearer {token}").parse().unwrap();
        request.headers_mut().insert("authorization", bearer);
        let (socket, _) = tokio_tungstenite::connect_async(request).await?;
        Ok(Self { socket })
    }

    pub(crate) async fn join(url: &str, hello: Hello) -> Self {
        let mut agent = Self::dial(url).await;
        agent.send(&ToCoordinator::Hello(hello)).await;
        assert!(matches!(agent.receive().await, Some(ToAgent::Welcome(_))));
        agent
    }

    pub(crate) async fn send(&mut self, message: &ToCoordinator) {
        self.send_frame(protocol::encode(message)).await;
    }

    pub(crate) async fn send_frame(&mut self, frame: Vec<u8>) {
        self.socket
            .send(Message::Binary(frame.into()))
            .await
            .unwrap();
    }

    /// The next message, or none when the coordinator closes the connection.
    pub(crate) async fn receive(&mut self) -> Option<ToAgent> {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.socket.next())
                .await
                .expect("the coordinator should say something");
            match next {
                Some(Ok(Message::Binary(frame))) => return Some(protocol::decode(&frame).unwrap()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    pub(crate) async fn snapshot(&mut self, snapshot: Snapshot) -> Option<ToAgent> {
        self.send(&ToCoordinator::Snapshot(Box::new(snapshot)))
            .await;
        let mut answer = self.receive().await;
        // Saving takes as long as it takes.
        if let Some(ToAgent::Ack { saving_us, .. }) = &mut answer {
            *saving_us = 0;
        }
        answer
    }
}

pub(crate) fn load_test() -> LoadTest {
    LoadTest {
        name: "t".into(),
        host: "http://127.0.0.1:9".into(),
        users: 10,
        ramp_up_s: 0,
        duration_s: 10,
        workers: 1,
        infrastructure: "lab".into(),
        scenario: "shop".into(),
        stop_timeout_s: 1,
        declared: None,
        ..LoadTest::default()
    }
}

pub(crate) fn snapshot(run_id: &RunId, seq: u64, requests: u64) -> Snapshot {
    snapshot_of(run_id, seq, requests, Duration::from_millis(5))
}

pub(crate) fn snapshot_of(run_id: &RunId, seq: u64, requests: u64, response: Duration) -> Snapshot {
    let mut interval = Interval::default();
    for _ in 0..requests {
        interval.record(response, None, 100, None);
    }
    Snapshot {
        run_id: run_id.clone(),
        seq,
        endpoints: vec![Endpoint {
            method: "GET".into(),
            name: "/".into(),
        }],
        intervals: vec![interval.to_wire(seq as u32, 0)],
        user_changes: vec![UserChange {
            second: 0,
            started: 1,
            stopped: 0,
            ..UserChange::default()
        }],
        ..Snapshot::default()
    }
}

pub(crate) fn last(run_id: &RunId, seq: u64, requests: u64) -> Snapshot {
    Snapshot {
        run_id: run_id.clone(),
        seq,
        end: Some(AgentEnd {
            requests,
            failures: 0,
            ended_at: RunTime::of_second(10),
            ..AgentEnd::default()
        }),
        ..Snapshot::default()
    }
}

pub(crate) fn ack(run_id: &RunId, seq: u64) -> Option<ToAgent> {
    Some(ToAgent::Ack {
        run_id: run_id.clone(),
        seq,
        saving_us: 0,
    })
}

pub(crate) async fn begin(site: &Site, agent: &mut FakeAgent) -> RunId {
    begin_test(site, agent, load_test()).await
}

pub(crate) async fn begin_test(site: &Site, agent: &mut FakeAgent, test: LoadTest) -> RunId {
    let run = site.coordinator.start_run(test).await.unwrap();
    let Some(ToAgent::Prepare(prepare)) = agent.receive().await else {
        panic!("the agent should be asked to prepare");
    };
    assert_eq!(
        (prepare.run_id.as_str(), prepare.workers.as_slice()),
        (run.id.as_str(), &[0][..])
    );
    agent
        .send(&ToCoordinator::Ready {
            run_id: run.id.clone(),
            shape: None,
            set_up_data: None,
        })
        .await;
    let Some(ToAgent::Start { start_at, .. }) = agent.receive().await else {
        panic!("the agent should be asked to start");
    };
    let saved = site.run(&run.id).await;
    assert_eq!(saved.started_at, Some(start_at), "saved before it is sent");
    run.id
}

pub(crate) async fn texts(site: &Site, run_id: &RunId) -> Vec<String> {
    let log = site
        .coordinator
        .store()
        .log(run_id, &Scope::default(), 0, 1_000)
        .await;
    log.unwrap().into_iter().map(|line| line.text).collect()
}

pub(crate) async fn requests(site: &Site, run_id: &RunId) -> u64 {
    let now = site.coordinator.now();
    let summary = Summary::read(site.coordinator.store(), run_id, &Scope::default(), now).await;
    summary.unwrap().totals.stats.requests
}

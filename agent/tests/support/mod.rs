//! A coordinator made of a WebSocket server that does what a test says, and a target that counts.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use greylag::{Agent, AgentConfig, AgentHandle, Stay};
use greylag_infra::protocol::{
    Endpoint, Hello, PROTOCOL_VERSION, Prepare, Snapshot, ToAgent, ToCoordinator, Welcome, decode,
    encode,
};
use greylag_infra::{DeclaredRequest, DeclaredScenario, LoadTest, RunId, WaitTime, WallTime};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Name of the run in these tests.
pub(crate) const RUN: &str = "run000000001";

/// A server that counts its requests.
pub(crate) struct Target {
    pub(crate) url: String,
    hits: Arc<AtomicU64>,
}

impl Target {
    pub(crate) async fn start() -> Self {
        let hits = Arc::new(AtomicU64::new(0));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let counted = Arc::clone(&hits);
        let app = axum::Router::new().fallback(move || {
            counted.fetch_add(1, Ordering::SeqCst);
            async { "hello" }
        });
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, hits }
    }

    pub(crate) fn hits(&self) -> u64 {
        self.hits.load(Ordering::SeqCst)
    }
}

/// A coordinator's listening socket.
pub(crate) struct FakeCoordinator {
    listener: TcpListener,
    pub(crate) lease_ms: u64,
}

impl FakeCoordinator {
    pub(crate) async fn start() -> Self {
        Self {
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            lease_ms: 30_000,
        }
    }

    /// An agent of this coordinator, with the real binary's workers.
    pub(crate) fn agent(&self) -> AgentHandle {
        self.agent_that(Stay::default())
    }

    /// The same, which may end by itself.
    pub(crate) fn agent_that(&self, stay: Stay) -> AgentHandle {
        let url = format!("http://{}", self.listener.local_addr().unwrap());
        Agent::start(AgentConfig {
            coordinator_url: url.parse().unwrap(),
            infrastructure: "lab".into(),
            name: "load-a".into(),
            token: None,
            tls: None,
            scenarios: Vec::new(),
            worker_command: vec![env!("CARGO_BIN_EXE_greylag").into(), "worker".into()],
            stay,
            uploads: None,
        })
        .unwrap()
    }

    /// Accepts the agent and welcomes it.
    pub(crate) async fn accept(&self) -> (Connection, Hello) {
        let (mut connection, hello) = self.accept_only().await;
        connection
            .say(&ToAgent::Welcome(Welcome {
                protocol: PROTOCOL_VERSION,
                name: hello.name.clone(),
                lease_ms: self.lease_ms,
            }))
            .await;
        (connection, hello)
    }

    /// Accepts the agent and hears its hello.
    pub(crate) async fn accept_only(&self) -> (Connection, Hello) {
        let accepting = async {
            // A connection that waited for too long was given up by the agent, and it dials again.
            for _ in 0..3 {
                let (stream, _) = self.listener.accept().await.unwrap();
                let Ok(socket) = tokio_tungstenite::accept_async(stream).await else {
                    continue;
                };
                let mut connection = Connection(socket);
                match connection.hear().await {
                    Some(ToCoordinator::Hello(hello)) => return (connection, hello),
                    Some(other) => panic!("the agent says {other:?} where its hello is due"),
                    None => {}
                }
            }
            panic!("the agent gives up its connections");
        };
        tokio::time::timeout(PATIENCE, accepting)
            .await
            .expect("the agent dials")
    }
}

/// An agent with a coordinator that it is connected to, and a target for its load.
pub(crate) struct Scene {
    pub(crate) target: Target,
    pub(crate) coordinator: FakeCoordinator,
    pub(crate) agent: AgentHandle,
    pub(crate) connection: Connection,
}

impl Scene {
    /// An agent without a run.
    pub(crate) async fn idle() -> Self {
        Self::with(FakeCoordinator::start().await).await
    }

    pub(crate) async fn with(coordinator: FakeCoordinator) -> Self {
        Self::with_agent_that(coordinator, Stay::default()).await
    }

    /// The same, with an agent that may end by itself.
    pub(crate) async fn with_agent_that(coordinator: FakeCoordinator, stay: Stay) -> Self {
        let target = Target::start().await;
        let agent = coordinator.agent_that(stay);
        let (connection, hello) = coordinator.accept().await;
        assert!(hello.runs.is_empty());
        Self {
            target,
            coordinator,
            agent,
            connection,
        }
    }

    /// An agent in a run of this many seconds.
    pub(crate) async fn running(duration_s: u64) -> Self {
        let mut scene = Self::idle().await;
        scene.start_run(duration_s).await;
        scene
    }

    pub(crate) async fn start_run(&mut self, duration_s: u64) {
        let test = test_of(&self.target, duration_s);
        self.connection.start_run(&test).await;
    }

    /// Breaks the connection and accepts the next. Returns the runs that the agent has a part in.
    pub(crate) async fn reconnect(&mut self) -> Vec<RunId> {
        self.connection.0.get_mut().shutdown().await.unwrap();
        let hello;
        (self.connection, hello) = self.coordinator.accept().await;
        hello.runs
    }

    /// The agent's failure of a test that it cannot run, and what was saved until then.
    pub(crate) async fn refusal_of(mut self, test: LoadTest) -> (String, Saved) {
        let workers = (0..test.workers).collect();
        let prepare = Prepare {
            run_id: RUN.into(),
            test: test.into(),
            workers,
        };
        let prepare = ToAgent::Prepare(Box::new(prepare));
        self.connection.say(&prepare).await;
        let mut saved = Saved::default();
        self.connection.receive_to_end(&mut saved).await;
        self.agent.shutdown().await.unwrap();
        let failure = saved.end.as_ref().unwrap().failure.clone();
        (failure.unwrap(), saved)
    }
}

/// One connection of the agent.
pub(crate) struct Connection(WebSocketStream<TcpStream>);

impl Connection {
    pub(crate) async fn say(&mut self, message: &ToAgent) {
        // The agent may have gone; what it does then is what the test looks at.
        let _ = self.0.send(Message::Binary(encode(message).into())).await;
    }

    /// The next message that is not a ping; pings are answered. None when the agent closed the connection.
    pub(crate) async fn hear(&mut self) -> Option<ToCoordinator> {
        loop {
            let frame = tokio::time::timeout(PATIENCE, self.0.next())
                .await
                .expect("the agent pings every second")?;
            let Ok(Message::Binary(frame)) = frame else {
                return None;
            };
            match decode(&frame).unwrap() {
                ToCoordinator::Ping { sent_at, .. } => {
                    let pong = ToAgent::Pong {
                        sent_at,
                        coordinator_time: sent_at,
                    };
                    self.say(&pong).await;
                }
                message => return Some(message),
            }
        }
    }

    /// Prepares the run, waits until the agent is ready and starts it now.
    pub(crate) async fn start_run(&mut self, test: &LoadTest) {
        let prepare = Prepare {
            run_id: RUN.into(),
            test: test.clone().into(),
            workers: (0..test.workers).collect(),
        };
        self.say(&ToAgent::Prepare(Box::new(prepare))).await;
        loop {
            match self.hear().await {
                Some(ToCoordinator::Ready { run_id, .. }) if run_id == RUN => break,
                Some(ToCoordinator::Snapshot(snapshot)) => {
                    assert_eq!(snapshot.end, None, "the run ended before its start");
                    self.acknowledge(&snapshot).await;
                }
                other => panic!("the agent says {other:?} where Ready is due"),
            }
        }
        self.say(&ToAgent::Start {
            set_up_data: None,
            run_id: RUN.into(),
            start_at: WallTime::of_system(),
            profile: test.profile().into(),
        })
        .await;
    }

    pub(crate) async fn acknowledge(&mut self, snapshot: &Snapshot) {
        let ack = ToAgent::Ack {
            run_id: RUN.into(),
            seq: snapshot.seq,
            saving_us: 0,
        };
        self.say(&ack).await;
    }

    pub(crate) async fn next_snapshot(&mut self) -> Option<Snapshot> {
        loop {
            match self.hear().await? {
                ToCoordinator::Snapshot(snapshot) => return Some(*snapshot),
                ToCoordinator::Ready { .. } => {}
                other => panic!("the agent says {other:?} where a snapshot is due"),
            }
        }
    }

    /// Saves and acknowledges the next snapshot.
    pub(crate) async fn save_next(&mut self, saved: &mut Saved) {
        let snapshot = self.next_snapshot().await.expect("the agent stays");
        saved.save(&snapshot);
        self.acknowledge(&snapshot).await;
    }

    /// Saves and acknowledges until this is so, while the run goes on.
    pub(crate) async fn save_until(&mut self, saved: &mut Saved, is_so: impl Fn(&Saved) -> bool) {
        let saving = async {
            while !is_so(saved) {
                self.save_next(saved).await;
                assert_eq!(saved.end, None);
            }
        };
        tokio::time::timeout(PATIENCE, saving)
            .await
            .expect("what is waited for is saved");
    }

    /// Saves and acknowledges until the run's end.
    pub(crate) async fn receive_to_end(&mut self, saved: &mut Saved) {
        while saved.end.is_none() {
            self.save_next(saved).await;
        }
    }
}

/// What a coordinator has saved of a run.
#[derive(Default)]
pub(crate) struct Saved {
    /// Of the last snapshot; none before the first. Those before the start of a run are not looked at.
    last_seq: Option<u64>,
    pub(crate) requests: u64,
    pub(crate) started: u64,
    pub(crate) stopped: u64,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) log: Vec<String>,
    pub(crate) pids: Vec<u32>,
    pub(crate) end: Option<greylag_infra::protocol::AgentEnd>,
}

impl Saved {
    /// Waits until no worker process is left.
    pub(crate) async fn until_workers_have_ended(&self) {
        let is_there = |pid: &u32| Path::new(&format!("/proc/{pid}")).exists();
        assert!(!self.pids.is_empty());
        let ending = async {
            while self.pids.iter().any(is_there) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, ending)
            .await
            .expect("the workers end");
    }

    /// Saves a snapshot unless it was saved before.
    pub(crate) fn save(&mut self, snapshot: &Snapshot) {
        let last_seq = self.last_seq.unwrap_or(snapshot.seq - 1);
        if snapshot.seq <= last_seq {
            return;
        }
        assert_eq!(snapshot.seq, last_seq + 1, "snapshots come without gaps");
        self.last_seq = Some(snapshot.seq);
        self.requests += snapshot
            .intervals
            .iter()
            .map(|data| data.requests)
            .sum::<u64>();
        self.started += snapshot
            .user_changes
            .iter()
            .map(|change| change.started)
            .sum::<u64>();
        self.stopped += snapshot
            .user_changes
            .iter()
            .map(|change| change.stopped)
            .sum::<u64>();
        self.log
            .extend(snapshot.log.iter().map(|line| line.text.clone()));
        for endpoint in &snapshot.endpoints {
            if !self.endpoints.contains(endpoint) {
                self.endpoints.push(endpoint.clone());
            }
        }
        if !snapshot.workers.is_empty() {
            self.pids = snapshot.workers.iter().map(|worker| worker.pid).collect();
        }
        self.end.clone_from(&snapshot.end);
    }
}

/// Four users in two workers, who send a request every 10 ms or so.
pub(crate) fn test_of(target: &Target, duration_s: u64) -> LoadTest {
    let request = |method: &str, path: &str| DeclaredRequest {
        method: method.into(),
        path: path.into(),
        name: None,
        weight: 1,
        headers: Vec::new(),
        body: None,
        expect_status: None,
        expect_body: None,
    };
    LoadTest {
        name: "t".into(),
        host: target.url.clone(),
        users: 4,
        ramp_up_s: 0,
        duration_s,
        workers: 2,
        infrastructure: "lab".into(),
        scenario: "t".into(),
        stop_timeout_s: 30,
        declared: Some(DeclaredScenario {
            requests: vec![request("GET", "/a"), request("POST", "/b")],
            wait_time: Some(WaitTime::Constant(0.01)),
        }),
        ..LoadTest::default()
    }
}

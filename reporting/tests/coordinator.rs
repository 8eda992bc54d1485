//! The coordinator as an agent sees it: a fake agent over a real WebSocket.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::path::Path;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use greylag_infra::protocol::{
    self, AgentEnd, Endpoint, HeldRun, Hello, PROTOCOL_VERSION, ScenarioInfo, Snapshot, ToAgent,
    ToCoordinator, UserChange,
};
use greylag_infra::{
    AgentSecret, ConnectionStatus, LoadProfile, LoadTest, ProfileStep, RunPhase, RunRecord, Stage,
};
use greylag_reporting::Interval;
use greylag_reporting::coordinator::{
    ConnectionFault, Coordinator, CoordinatorConfig, agent_routes,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

const PATIENCE: Duration = Duration::from_secs(30);

struct Site {
    coordinator: Coordinator,
    url: String,
    server: tokio::task::JoinHandle<()>,
}

impl Site {
    async fn open(dir: &Path, lease: Duration) -> Self {
        let config = CoordinatorConfig {
            data_dir: dir.to_owned(),
            lease,
        };
        let coordinator = Coordinator::start(config).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!(
            "ws://{}{}",
            listener.local_addr().unwrap(),
            protocol::AGENT_SOCKET_PATH
        );
        let routes = agent_routes(coordinator.clone());
        let server = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self {
            coordinator,
            url,
            server,
        }
    }

    /// Ends the coordinator and frees its data directory, as a restart needs it.
    async fn close(self) {
        self.server.abort();
        self.coordinator.shutdown().await;
    }

    async fn run(&self, id: &str) -> RunRecord {
        self.coordinator.store().run(id).await.unwrap().unwrap()
    }

    async fn until_over(&self, id: &str) -> RunPhase {
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

    async fn until_fault(&self, fault: ConnectionFault, count: u64) {
        tokio::time::timeout(PATIENCE, async {
            while self.coordinator.connection_faults().get(fault) < count {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await
        .unwrap_or_else(|_| panic!("{} should be counted", fault.key()));
    }
}

struct FakeAgent {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

fn hello(id: &str, runs: &[&str]) -> Hello {
    Hello {
        protocol: PROTOCOL_VERSION,
        secret: AgentSecret::new(format!("{id:->32}")),
        name: format!("agent-{id}"),
        infrastructure: "lab".into(),
        build: greylag_infra::BuildInfo::default(),
        version: "0".into(),
        cores: 2,
        scenarios: vec![ScenarioInfo {
            name: "shop".into(),
            description: String::new(),
            ..ScenarioInfo::default()
        }],
        runs: runs.iter().map(|run| (*run).into()).collect(),
    }
}

impl FakeAgent {
    async fn dial(url: &str) -> Self {
        let (socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        Self { socket }
    }

    async fn join(url: &str, hello: Hello) -> Self {
        let mut agent = Self::dial(url).await;
        agent.send(&ToCoordinator::Hello(hello)).await;
        assert!(matches!(agent.receive().await, Some(ToAgent::Welcome(_))));
        agent
    }

    async fn send(&mut self, message: &ToCoordinator) {
        self.send_frame(protocol::encode(message)).await;
    }

    async fn send_frame(&mut self, frame: Vec<u8>) {
        self.socket
            .send(Message::Binary(frame.into()))
            .await
            .unwrap();
    }

    /// The next message, or none when the coordinator closes the connection.
    async fn receive(&mut self) -> Option<ToAgent> {
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

    async fn snapshot(&mut self, snapshot: Snapshot) -> Option<ToAgent> {
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

fn load_test() -> LoadTest {
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

fn snapshot(run_id: &str, seq: u64, requests: u64) -> Snapshot {
    let mut interval = Interval::default();
    for _ in 0..requests {
        interval.record(Duration::from_millis(5), None, 100, None);
    }
    Snapshot {
        run_id: run_id.into(),
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

fn last(run_id: &str, seq: u64, requests: u64) -> Snapshot {
    Snapshot {
        run_id: run_id.into(),
        seq,
        end: Some(AgentEnd {
            failure: None,
            requests,
            failures: 0,
            ended_at_us: 10_000_000,
            lost_workers: Vec::new(),
        }),
        ..Snapshot::default()
    }
}

fn ack(run_id: &str, seq: u64) -> Option<ToAgent> {
    Some(ToAgent::Ack {
        run_id: run_id.into(),
        seq,
        saving_us: 0,
    })
}

async fn begin(site: &Site, agent: &mut FakeAgent) -> String {
    let run = site.coordinator.start_run(load_test()).await.unwrap();
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
    let Some(ToAgent::Start { start_at_us, .. }) = agent.receive().await else {
        panic!("the agent should be told to start");
    };
    let saved = site.run(&run.id).await;
    assert_eq!(
        saved.started_at_us,
        Some(start_at_us),
        "saved before it is told"
    );
    run.id
}

async fn texts(site: &Site, run_id: &str) -> Vec<String> {
    let log = site.coordinator.store().log(run_id, 0, 1_000).await;
    log.unwrap().into_iter().map(|line| line.text).collect()
}

async fn requests(site: &Site, run_id: &str) -> u64 {
    let now = site.coordinator.now_us();
    site.coordinator
        .store()
        .summary(run_id, now)
        .await
        .unwrap()
        .totals
        .requests
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_from_start_to_end_with_resent_snapshots() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::open(dir.path(), PATIENCE).await;
    let mut agent = FakeAgent::join(&site.url, hello("a", &[])).await;
    let run_id = begin(&site, &mut agent).await;

    assert_eq!(
        agent.snapshot(snapshot(&run_id, 1, 7)).await,
        ack(&run_id, 1)
    );
    assert_eq!(
        agent.snapshot(snapshot(&run_id, 1, 7)).await,
        ack(&run_id, 1)
    );
    assert_eq!(
        requests(&site, &run_id).await,
        7,
        "sent twice, counted once"
    );
    let mut altered = last(&run_id, 1, 1 << 53);
    altered.failing = Some("because".into());
    assert_eq!(
        agent.snapshot(altered).await,
        ack(&run_id, 1),
        "of what is sent again nothing counts"
    );

    drop(agent);
    let mut agent = FakeAgent::join(&site.url, hello("a", &[&run_id])).await;
    assert!(
        matches!(agent.receive().await, Some(ToAgent::Start { .. })),
        "told again"
    );
    assert_eq!(
        agent.snapshot(snapshot(&run_id, 2, 5)).await,
        ack(&run_id, 2)
    );
    assert_eq!(agent.snapshot(last(&run_id, 3, 12)).await, ack(&run_id, 3));
    assert_eq!(site.until_over(&run_id).await, RunPhase::Finished);
    assert_eq!(requests(&site, &run_id).await, 12);
    let before = texts(&site, &run_id).await;
    assert_eq!(agent.snapshot(last(&run_id, 3, 12)).await, ack(&run_id, 3));
    // Answered after what the snapshot made the coordinator do.
    let stopped = site.coordinator.stop_run(&run_id).await;
    stopped.expect_err("it is over");
    assert_eq!(texts(&site, &run_id).await, before, "no news");

    let log = site
        .coordinator
        .store()
        .log(&run_id, 0, 1_000)
        .await
        .unwrap();
    let text: Vec<_> = log.iter().map(|line| line.text.as_str()).collect();
    assert!(text.contains(&"run finished"), "{text:#?}");
    assert!(
        !text
            .iter()
            .any(|line| line.contains("report this as a bug")),
        "{text:#?}"
    );
    assert_eq!(
        agent.snapshot(snapshot("nosuchrun", 1, 1)).await,
        Some(ToAgent::Abandon {
            run_id: "nosuchrun".into()
        })
    );
    site.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn results_do_not_wait_for_longer_than_their_run_has_been_there() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::open(dir.path(), PATIENCE).await;
    let mut agent = FakeAgent::join(&site.url, hello("a", &[])).await;
    let run_id = begin(&site, &mut agent).await;
    let waiting = HeldRun {
        run_id,
        run_time_us: None,
        unacknowledged_us: u64::MAX,
    };
    let ping = ToCoordinator::Ping {
        sent_at_us: 1,
        runs: vec![waiting],
    };
    agent.send(&ping).await;
    let unsaved_us = || site.coordinator.infrastructures()[0].agents[0].unsaved_us;
    let shown = async {
        while unsaved_us() == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, shown)
        .await
        .expect("the age should be shown");
    let most_us = u64::try_from((2 * PATIENCE).as_micros()).unwrap();
    assert!(unsaved_us() < most_us, "{}", unsaved_us());
    site.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_that_differ_from_the_agents_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::open(dir.path(), PATIENCE).await;
    let mut agent = FakeAgent::join(&site.url, hello("a", &[])).await;
    let run_id = begin(&site, &mut agent).await;
    assert_eq!(
        agent.snapshot(snapshot(&run_id, 1, 7)).await,
        ack(&run_id, 1)
    );
    assert_eq!(agent.snapshot(last(&run_id, 2, 8)).await, ack(&run_id, 2));
    let RunPhase::Failed(reason) = site.until_over(&run_id).await else {
        panic!("the run should fail");
    };
    let words = "counted 8 requests with 0 failures, but 7 with 0 are saved";
    assert!(reason.contains(words), "{reason}");
    assert!(!site.run(&run_id).await.completeness.is_complete());
    let log = site.coordinator.store().log(&run_id, 0, 100).await.unwrap();
    assert!(log.iter().any(|line| line.text.contains(words)), "{log:#?}");
    site.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_coordinator_goes_on_with_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::open(dir.path(), PATIENCE).await;
    let mut agent = FakeAgent::join(&site.url, hello("a", &[])).await;
    let run_id = begin(&site, &mut agent).await;
    assert_eq!(
        agent.snapshot(snapshot(&run_id, 1, 7)).await,
        ack(&run_id, 1)
    );
    site.close().await;

    let site = Site::open(dir.path(), PATIENCE).await;
    assert_eq!(
        site.coordinator.infrastructures()[0].status,
        ConnectionStatus::Pending
    );
    let mut agent = FakeAgent::join(&site.url, hello("a", &[&run_id, "unknown"])).await;
    assert!(matches!(agent.receive().await, Some(ToAgent::Start { .. })));
    assert_eq!(
        agent.receive().await,
        Some(ToAgent::Abandon {
            run_id: "unknown".into()
        }),
        "a run this coordinator does not know"
    );
    assert_eq!(
        agent.snapshot(snapshot(&run_id, 1, 7)).await,
        ack(&run_id, 1)
    );
    assert_eq!(agent.snapshot(last(&run_id, 2, 7)).await, ack(&run_id, 2));
    assert_eq!(site.until_over(&run_id).await, RunPhase::Finished);
    assert_eq!(requests(&site, &run_id).await, 7);
    site.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn users_change_while_running_and_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::open(dir.path(), PATIENCE).await;
    let mut agent = FakeAgent::join(&site.url, hello("a", &[])).await;
    let nobody = site
        .coordinator
        .change_users("nosuchrun", 5, Duration::ZERO);
    let refusal = nobody.await.unwrap_err().to_string();
    assert!(refusal.contains("no run `nosuchrun`"), "{refusal}");
    let run_id = begin(&site, &mut agent).await;
    let too_many = site
        .coordinator
        .change_users(&run_id, 2_000_000, Duration::ZERO);
    let refusal = too_many.await.unwrap_err().to_string();
    assert!(refusal.contains("the maximum is 1000000"), "{refusal}");

    let over = Duration::from_secs(2);
    let changed = site.coordinator.change_users(&run_id, 25, over).await;
    changed.unwrap();
    let Some(ToAgent::Profile { profile, .. }) = agent.receive().await else {
        panic!("the agent should be told of the change");
    };
    let last = *profile.steps.last().unwrap();
    assert_eq!((last.users, last.over_us), (25, 2_000_000));
    assert_eq!(site.run(&run_id).await.profile, profile, "saved");
    assert!(
        texts(&site, &run_id)
            .await
            .contains(&"changing to 25 users over 2s, as requested".to_owned())
    );
    drop(agent);
    site.close().await;

    let site = Site::open(dir.path(), PATIENCE).await;
    let mut agent = FakeAgent::join(&site.url, hello("a", &[&run_id])).await;
    let Some(ToAgent::Start { profile: told, .. }) = agent.receive().await else {
        panic!("the agent should be told to go on");
    };
    assert_eq!(told, profile, "with the change");
    assert_eq!(agent.snapshot(last_one(&run_id)).await, ack(&run_id, 1));
    assert_eq!(site.until_over(&run_id).await, RunPhase::Finished);
    let over = site.coordinator.change_users(&run_id, 1, Duration::ZERO);
    let refusal = over.await.unwrap_err().to_string();
    assert!(refusal.contains("over (Finished)"), "{refusal}");
    site.close().await;
}

fn last_one(run_id: &str) -> Snapshot {
    last(run_id, 1, 0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_shape_of_the_scenario_rules() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::open(dir.path(), PATIENCE).await;
    let mut hello = hello("a", &[]);
    hello.scenarios[0].has_shape = true;
    let mut agent = FakeAgent::join(&site.url, hello).await;
    let test = LoadTest {
        users: 0,
        duration_s: 0,
        ..load_test()
    };
    let run = site.coordinator.start_run(test).await.unwrap();
    assert!(matches!(agent.receive().await, Some(ToAgent::Prepare(_))));
    let shape = LoadProfile {
        steps: vec![ProfileStep {
            at_us: 0,
            users: 40,
            over_us: 0,
        }],
        rates: Vec::new(),
        ends_at_us: 90_000_000,
    };
    agent
        .send(&ToCoordinator::Ready {
            run_id: run.id.clone(),
            shape: Some(shape.clone()),
            set_up_data: None,
        })
        .await;
    let Some(ToAgent::Start { profile, .. }) = agent.receive().await else {
        panic!("the agent should be told to start");
    };
    assert_eq!(profile, shape);
    let saved = site.run(&run.id).await;
    assert_eq!(
        (saved.test.users, saved.test.duration_s, saved.profile),
        (40, 90, shape)
    );
    site.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_stops_its_load_stops_it_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::open(dir.path(), PATIENCE).await;
    let mut first = FakeAgent::join(&site.url, hello("a", &[])).await;
    let mut second = FakeAgent::join(&site.url, hello("b", &[])).await;
    let test = LoadTest {
        workers: 2,
        ..load_test()
    };
    let run_id = site.coordinator.start_run(test).await.unwrap().id;
    for agent in [&mut first, &mut second] {
        assert!(matches!(agent.receive().await, Some(ToAgent::Prepare(_))));
        agent
            .send(&ToCoordinator::Ready {
                run_id: run_id.clone(),
                shape: None,
                set_up_data: None,
            })
            .await;
    }
    for agent in [&mut first, &mut second] {
        assert!(matches!(agent.receive().await, Some(ToAgent::Start { .. })));
    }
    let failing = Snapshot {
        failing: Some("the test data ran out".into()),
        ..snapshot(&run_id, 1, 3)
    };
    first
        .send(&ToCoordinator::Snapshot(Box::new(failing)))
        .await;
    let stop = ToAgent::Stop {
        run_id: run_id.clone(),
    };
    assert_eq!(second.receive().await, Some(stop));
    assert_eq!(requests(&site, &run_id).await, 3, "saved before");
    // Its own stop and the acknowledgement come in either order.
    assert!(first.receive().await.is_some() && first.receive().await.is_some());
    assert_eq!(first.snapshot(last(&run_id, 2, 3)).await, ack(&run_id, 2));
    assert_eq!(second.snapshot(last(&run_id, 1, 0)).await, ack(&run_id, 1));
    assert_eq!(
        site.until_over(&run_id).await,
        RunPhase::Failed("the test data ran out".into())
    );
    site.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stages_are_kept_as_what_they_come_to_and_misfits_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::open(dir.path(), PATIENCE).await;
    let _agent = FakeAgent::join(&site.url, hello("a", &[])).await;
    let mut test = load_test();
    test.options.insert("colour".into(), "blue".into());
    let refusal = site.coordinator.start_run(test).await.unwrap_err();
    assert!(
        refusal.to_string().contains("no option `colour`"),
        "{refusal}"
    );
    let stage = |users, duration_s| Stage {
        users: Some(users),
        duration_s,
        ..Stage::default()
    };
    let test = LoadTest {
        stages: vec![stage(5, 20), stage(30, 40)],
        ..load_test()
    };
    let run = site.coordinator.start_run(test).await.unwrap();
    let saved = site.run(&run.id).await;
    assert_eq!((saved.test.users, saved.test.duration_s), (30, 60));
    assert_eq!(saved.profile.users_at(19_999_999), 5);
    assert_eq!(saved.profile.users_at(20_000_000), 30);
    site.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_gone_for_longer_than_the_lease_fails_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::open(dir.path(), Duration::from_millis(500)).await;
    let mut agent = FakeAgent::join(&site.url, hello("a", &[])).await;
    let run_id = begin(&site, &mut agent).await;
    assert_eq!(
        agent.snapshot(snapshot(&run_id, 1, 7)).await,
        ack(&run_id, 1)
    );
    drop(agent);
    let RunPhase::Failed(reason) = site.until_over(&run_id).await else {
        panic!("the run should fail");
    };
    assert!(reason.contains("agent-a"), "{reason}");
    assert_eq!(
        requests(&site, &run_id).await,
        7,
        "what was acknowledged is kept"
    );
    let missing = site.run(&run_id).await.completeness;
    assert_eq!(missing.gaps().len(), 1, "{missing:?}");
    site.close().await;

    // Also a coordinator that was started again takes what the agent still holds.
    let site = Site::open(dir.path(), PATIENCE).await;
    let mut agent = FakeAgent::join(&site.url, hello("a", &[&run_id])).await;
    let stop = ToAgent::Stop {
        run_id: run_id.clone(),
    };
    assert_eq!(agent.receive().await, Some(stop));
    assert_eq!(
        agent.snapshot(snapshot(&run_id, 2, 3)).await,
        ack(&run_id, 2)
    );
    let still_missing = site.run(&run_id).await.completeness;
    assert_eq!(still_missing, missing, "the end has not come");
    assert_eq!(agent.snapshot(last(&run_id, 3, 10)).await, ack(&run_id, 3));
    assert_eq!(requests(&site, &run_id).await, 10);
    let run = site.run(&run_id).await;
    assert!(run.completeness.is_complete(), "{run:?}");
    assert_eq!(run.phase, RunPhase::Failed(reason), "the status stays");
    let mut again = FakeAgent::join(&site.url, hello("a", &[&run_id])).await;
    assert_eq!(again.receive().await, Some(ToAgent::Abandon { run_id }));
    site.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_falls_silent_has_one_lease_and_not_two() {
    const LEASE: Duration = Duration::from_secs(3);
    let dir = tempfile::tempdir().unwrap();
    let site = Site::open(dir.path(), LEASE).await;
    let mut agent = FakeAgent::join(&site.url, hello("a", &[])).await;
    let run_id = begin(&site, &mut agent).await;
    assert!(matches!(
        site.until_over(&run_id).await,
        RunPhase::Failed(_)
    ));
    site.until_fault(ConnectionFault::Silent, 1).await;
    let store = site.coordinator.store();
    let log = store.log(&run_id, 0, 1_000).await.unwrap();
    let at = |words: &str| {
        let line = log.iter().find(|line| line.text.contains(words));
        line.unwrap_or_else(|| panic!("{words}: {log:#?}")).at_us
    };
    let given_up_after = at("stopping: agent agent-a") - at("agent-a disconnected");
    assert!(
        u128::from(given_up_after) < LEASE.as_micros(),
        "{given_up_after} µs after a whole lease of silence"
    );
    site.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_alone_wakes_no_page() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::open(dir.path(), PATIENCE).await;
    let mut agent = FakeAgent::join(&site.url, hello("a", &[])).await;
    let mut changes = site.coordinator.changes();
    let heard = || {
        let infrastructures = site.coordinator.infrastructures();
        let agents = infrastructures.iter().flat_map(|known| &known.agents);
        agents.map(|agent| agent.last_heard_us).max().unwrap_or(0)
    };
    for _ in 0..2 {
        changes.mark_unchanged();
        let before = heard();
        while heard() == before {
            agent
                .send(&ToCoordinator::Ping {
                    sent_at_us: 0,
                    runs: vec![],
                })
                .await;
            assert!(matches!(agent.receive().await, Some(ToAgent::Pong { .. })));
        }
    }
    assert!(!changes.has_changed().unwrap());
    site.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_close_one_connection_and_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::open(dir.path(), PATIENCE).await;
    let mut good = FakeAgent::join(&site.url, hello("good", &[])).await;
    let run_id = begin(&site, &mut good).await;

    let mut garbage = FakeAgent::dial(&site.url).await;
    garbage.send_frame(b"\xc1garbage".to_vec()).await;
    assert_eq!(garbage.receive().await, None);
    site.until_fault(ConnectionFault::Malformed, 1).await;

    let mut rude = FakeAgent::dial(&site.url).await;
    rude.send(&ToCoordinator::Ping {
        sent_at_us: 0,
        runs: vec![],
    })
    .await;
    assert_eq!(rude.receive().await, None);
    site.until_fault(ConnectionFault::NoHello, 1).await;

    let mut old = FakeAgent::dial(&site.url).await;
    let old_hello = Hello {
        protocol: PROTOCOL_VERSION + 1,
        ..hello("old", &[])
    };
    old.send(&ToCoordinator::Hello(old_hello)).await;
    let Some(ToAgent::Refused { reason }) = old.receive().await else {
        panic!("another protocol version should be refused");
    };
    assert!(reason.contains("protocol version"), "{reason}");
    site.until_fault(ConnectionFault::Refused, 1).await;

    let mut skipping = FakeAgent::join(&site.url, hello("skipping", &[])).await;
    let answer = skipping.snapshot(snapshot(&run_id, 9, 1)).await;
    assert_eq!(answer, None, "not a member of the run");
    site.until_fault(ConnectionFault::InvalidSnapshot, 1).await;

    let mut large = FakeAgent::join(&site.url, hello("large", &[])).await;
    let frame = vec![0; protocol::MAX_FRAME_BYTES + 1];
    // The coordinator may close before all of it is written.
    let _ = large.socket.send(Message::Binary(frame.into())).await;
    site.until_fault(ConnectionFault::Oversized, 1).await;

    assert_eq!(
        good.snapshot(snapshot(&run_id, 1, 3)).await,
        ack(&run_id, 1)
    );
    assert_eq!(good.snapshot(last(&run_id, 2, 3)).await, ack(&run_id, 2));
    assert_eq!(site.until_over(&run_id).await, RunPhase::Finished);
    site.close().await;
}

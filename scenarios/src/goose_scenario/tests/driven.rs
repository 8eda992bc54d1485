//! Goose scenarios as user types of a run, beside others.

use std::sync::atomic::Ordering;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::engine::{Load, PlannedUser, UserOrder, drive};
use crate::recorder::Arrival;
use crate::run::RunSettings;
use crate::task::TaskResult;
use crate::user::UserType;

struct Driven {
    memory: Arc<Memory>,
    orders: mpsc::Sender<UserOrder>,
    arrivals: mpsc::Sender<Instant>,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<Result<(), crate::DriveError>>,
}

/// Drives a scenario, with an arrival rate if `paced`.
fn drive_scenario(scenario: crate::Scenario, host: Option<&Url>, paced: bool) -> Driven {
    let memory = Arc::new(Memory::default());
    let (orders, orders_due) = mpsc::channel(16);
    let (arrivals, arrivals_due) = mpsc::channel(16);
    let stop = CancellationToken::new();
    let load = Load {
        prepared: None,
        settings: RunSettings {
            host: host.cloned(),
            workers: 1,
            users: 4,
            ..RunSettings::default()
        },
        users: 4,
        stop_timeout: Duration::from_secs(60),
        arrivals: paced.then_some(arrivals_due),
        watch: None,
    };
    let running = tokio::spawn({
        let (memory, stop) = (memory.clone(), stop.clone());
        async move { drive(&scenario, load, orders_due, memory, stop).await }
    });
    Driven {
        memory,
        orders,
        arrivals,
        stop,
        running,
    }
}

impl Driven {
    async fn start(&self, index: u64, user_type: usize) {
        let planned = PlannedUser { index, user_type };
        self.orders.send(UserOrder::Start(planned)).await.unwrap();
    }

    async fn end(self) -> Arc<Memory> {
        self.stop.cancel();
        self.running.await.unwrap().unwrap();
        self.memory
    }
}

#[tokio::test]
async fn a_goose_scenario_runs_beside_another_user_type() {
    #[derive(Default)]
    struct Walker;
    impl Walker {
        async fn step(&mut self, client: &mut crate::client::Client) -> TaskResult {
            client.get("/step").send().await?;
            tokio::time::sleep(Duration::from_millis(1)).await;
            Ok(())
        }
    }
    let server = server(|_| respond("200 OK", &[], b"ok")).await;
    let ported = scenario!("Ported")
        .set_weight(3)
        .unwrap()
        .set_wait_time(Duration::from_millis(1), Duration::from_millis(2))
        .unwrap()
        .register_transaction(transaction!(about))
        .register_transaction(transaction!(logout).set_on_stop());
    let scenario = crate::Scenario::new("both")
        .user(crate::FastHttpUser::<Walker>::new("Walker").task(1, Walker::step))
        .goose(ported);
    assert_eq!(scenario.user_types[1].name(), "Ported");
    assert_eq!(scenario.user_types[1].weight(), 3.0);
    assert_eq!(scenario.user_types[1].tasks().len(), 1);
    let driven = drive_scenario(scenario, Some(&server.url), false);
    for (index, user_type) in [(0, 0), (1, 1), (2, 1)] {
        driven.start(index, user_type).await;
    }
    server.has_seen(100).await;
    // One of them leaves, by its on_stop, and the others continue.
    let index = 2;
    driven.orders.send(UserOrder::Stop { index }).await.unwrap();
    while driven.memory.stopped.load(Ordering::SeqCst) < 1 {
        let seen = server.seen().len();
        server.has_seen(seen + 1).await;
    }
    let lines = driven.memory.lines();
    assert_eq!(
        lines.iter().filter(|line| *line == "GET /logout").count(),
        1
    );
    let seen = server.seen().len();
    server.has_seen(seen + 50).await;
    let memory = driven.end().await;
    let lines = memory.lines();
    let count = |wanted: &str| lines.iter().filter(|line| *line == wanted).count();
    assert_eq!(count("GET /logout"), 2);
    assert!(count("GET about page") > 0 && count("GET /step") > 0);
    assert_eq!(lines.len(), server.seen().len());
    assert_eq!(memory.started.load(Ordering::SeqCst), 3);
    assert_eq!(memory.stopped.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn an_iteration_of_an_arrival_rate_is_a_pass_through_the_transactions() {
    let server = server(|_| respond("200 OK", &[], b"ok")).await;
    let ported = scenario!("Ported")
        .register_transaction(transaction!(index).set_sequence(1))
        .register_transaction(transaction!(about).set_sequence(2));
    let scenario = crate::Scenario::new("paced").goose(ported);
    let driven = drive_scenario(scenario, Some(&server.url), true);
    // So far ahead that none is skipped, however long the user takes to come.
    let intended = Instant::now() + Duration::from_secs(3_600);
    for _ in 0..3 {
        driven.arrivals.send(intended).await.unwrap();
    }
    driven.start(0, 0).await;
    driven.memory.has_samples(6).await;
    let memory = driven.end().await;
    assert_eq!(
        memory.lines().len(),
        6,
        "no user works without an iteration"
    );
    assert_eq!(memory.arrivals().len(), 3);
    assert!(!memory.arrivals().contains(&Arrival::Skipped));
    for kept in memory.samples() {
        assert!(kept.from_intended_start.unwrap() >= kept.response_time);
    }
}

#[tokio::test]
async fn the_host_of_the_scenario_is_used_where_the_test_names_none() {
    let server = server(|_| respond("200 OK", &[], b"ok")).await;
    let ported = || scenario!("Ported").register_transaction(transaction!(index));
    let scenario = crate::Scenario::new("own").goose(ported().set_host(server.url.as_str()));
    let driven = drive_scenario(scenario, None, false);
    driven.start(0, 0).await;
    server.has_seen(1).await;
    driven.end().await;
    let wrong = crate::Scenario::new("wrong").goose(ported().set_host("nowhere"));
    let host =
        "user type `Ported`: its host `nowhere` is not an http:// or https:// URL with a host name";
    let refused = wrong.prepare(&RunSettings::default()).unwrap_err();
    assert_eq!(refused.to_string(), host);
}

#[test]
fn a_goose_scenario_without_work_is_refused_before_load() {
    let idle = scenario!("Idle").register_transaction(transaction!(login).set_on_start());
    let message = "user type `Idle`: its goose scenario has only on_start and on_stop transactions";
    let idle = crate::Scenario::new("idle").goose(idle);
    let refused = idle.prepare(&RunSettings::default()).unwrap_err();
    assert_eq!(refused.to_string(), message);
    let random = scenario!("Random").register_transaction(transaction!(index));
    let random = UserType::goose_scheduled(random, &GooseScheduler::Random);
    let two = crate::Scenario::new("two")
        .user(random.clone())
        .user(random);
    assert!(
        two.prepare(&RunSettings::default()).is_err(),
        "the same name twice"
    );
}

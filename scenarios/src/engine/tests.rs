//! Whole users, driven by goose against small servers.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{DriveError, Load, PlannedUser, UserOrder, drive};
use crate::RunSettings;
use crate::prelude::*;
use crate::testing::{Memory, Reply, Seen, Server, drive_plan, drive_until, plan, respond, until};

async fn ok() -> Server {
    Server::start(|_: &Seen| Reply::Write(respond("200 OK", &[], b"{}"))).await
}

#[derive(Default)]
struct Walker {
    steps: usize,
}

impl Walker {
    async fn hello(&mut self, client: &mut Client) -> TaskResult {
        client.get("/hello").send().await?;
        Ok(())
    }
    async fn step(&mut self, client: &mut Client) -> TaskResult {
        self.steps += 1;
        client.get("/step").send().await?;
        Ok(())
    }
    async fn bye(&mut self, client: &mut Client) -> TaskResult {
        client
            .get(format!("/bye/{}", self.steps))
            .name("/bye")
            .send()
            .await?;
        Ok(())
    }
}

#[tokio::test]
async fn a_user_starts_walks_and_stops() {
    let server = ok().await;
    let memory = Arc::new(Memory::default());
    let scenario = Scenario::new("walk").user(
        FastHttpUser::<Walker>::new("Walker")
            .on_start(Walker::hello)
            .task(1, Walker::step)
            .on_stop(Walker::bye),
    );
    drive_until(
        scenario,
        plan(&server.url, [0]),
        &memory,
        server.has_seen(50),
    )
    .await;
    let lines = memory.lines();
    assert_eq!(lines[0], "GET /hello");
    assert_eq!(lines[lines.len() - 1], "GET /bye");
    assert!(
        lines[1..lines.len() - 1]
            .iter()
            .all(|line| line == "GET /step")
    );
    let steps = lines.len() - 2;
    assert_eq!(
        server.seen().last().unwrap().target,
        format!("/bye/{steps}"),
        "state is kept"
    );
    assert_eq!(server.seen().len(), lines.len());
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn users_begin_when_planned() {
    let server = ok().await;
    let memory = Arc::new(Memory::default());
    let scenario = Scenario::new("walk").user(
        FastHttpUser::<Walker>::new("Walker")
            .task(1, Walker::step)
            .wait_time(constant(60.0)),
    );
    // Zero is a little ahead, as in a worker: goose launches its users meanwhile.
    let mut plan = plan(&server.url, [0, 200, 400, 600, 60_000]);
    plan.started_at = Instant::now() + Duration::from_millis(300);
    let zero = plan.started_at.into_std();
    drive_until(scenario, plan, &memory, server.has_seen(4)).await;
    let mut starts = memory.starts();
    starts.sort();
    assert_eq!(starts.len(), 4, "the fifth was never due");
    for (number, start) in starts.iter().enumerate() {
        let due = zero + Duration::from_millis(200 * number as u64);
        assert!(
            *start >= due,
            "user {number} is early by {:?}",
            due - *start
        );
    }
}

#[tokio::test]
async fn weights_are_drawn_independently() {
    let server = ok().await;
    let memory = Arc::new(Memory::default());
    let scenario = Scenario::new("walk").user(
        FastHttpUser::<Walker>::new("Walker")
            .task(1, Walker::hello)
            .task(3, Walker::step)
            .task(0, Walker::bye),
    );
    drive_until(
        scenario,
        plan(&server.url, [0, 0]),
        &memory,
        server.has_seen(2_000),
    )
    .await;
    let lines = memory.lines();
    let hellos = lines.iter().filter(|line| *line == "GET /hello").count() as f64;
    let total = lines.len() as f64;
    // Binomial with p = 1/4: six standard deviations are one chance in 500 million.
    let bound = 6.0 * (total * 0.25 * 0.75).sqrt();
    assert!((hellos - total * 0.25).abs() < bound, "{hellos} of {total}");
    assert!(
        !lines.contains(&"GET /bye".to_owned()),
        "weight 0 is never drawn"
    );
}

#[derive(Default)]
struct Clumsy {
    turns: usize,
}

#[derive(serde::Deserialize)]
struct Never {
    #[expect(dead_code, reason = "only looked for in the response")]
    missing: u64,
}

impl Clumsy {
    async fn turn(&mut self, client: &mut Client) -> TaskResult {
        self.turns += 1;
        let turn = self.turns;
        let response = client.get(format!("/{turn}")).send().await?;
        match turn {
            1 => panic!("dropped the {}", "basket"),
            2 => panic!("plainly"),
            3 => response.json::<Never>().map(drop)?,
            4 => return Err(TaskError::new("my own words")),
            5 => client
                .get("http://127.0.0.1:1/refused")
                .send()
                .await
                .map(drop)?,
            6 => client
                .get("/")
                .header("bad name", "")
                .send()
                .await
                .map(drop)?,
            _ => {}
        }
        Ok(())
    }
}

/// A user whose state cannot be made ends; the others continue.
#[tokio::test]
async fn a_state_that_panics_is_reported() {
    let server = ok().await;
    let memory = Arc::new(Memory::default());
    let made = std::sync::atomic::AtomicBool::new(false);
    let first_fails = move || {
        if !made.swap(true, std::sync::atomic::Ordering::Relaxed) {
            panic!("no such account");
        }
        Clumsy::default()
    };
    let scenario = Scenario::new("state")
        .user(FastHttpUser::<Clumsy>::with_state("Clumsy", first_fails).task(1, Clumsy::turn));
    drive_until(
        scenario,
        plan(&server.url, [0, 0]),
        &memory,
        server.has_seen(1),
    )
    .await;
    let reported = ("Clumsy".to_owned(), "panicked: no such account".to_owned());
    assert!(memory.task_errors().contains(&reported));
}

#[tokio::test]
async fn a_task_that_fails_is_reported_and_its_user_goes_on() {
    let server = ok().await;
    let memory = Arc::new(Memory::default());
    let scenario =
        Scenario::new("fail").user(FastHttpUser::<Clumsy>::new("Clumsy").task(1, Clumsy::turn));
    drive_until(
        scenario,
        plan(&server.url, [0]),
        &memory,
        server.has_seen(8),
    )
    .await;
    let errors = memory.task_errors();
    let texts: Vec<&str> = errors.iter().map(|(_, text)| text.as_str()).collect();
    assert!(errors.iter().all(|(task, _)| task == "Clumsy::turn"));
    assert_eq!(
        texts[..2],
        ["panicked: dropped the basket", "panicked: plainly"]
    );
    assert!(texts[2].contains(": the response is not the expected JSON: "));
    assert_eq!(texts[3], "my own words");
    assert_eq!(texts[4], "GET /: a header's name is not valid");
    assert_eq!(
        texts.len(),
        5,
        "a refused connection is a failed request, not also a task's error"
    );
    let lines = memory.lines();
    assert_eq!(
        lines[5],
        "GET http://127.0.0.1:1/refused -> ConnectionRefusedError(111, 'Connection refused')"
    );
    assert_eq!(
        lines.iter().filter(|line| line.contains("refused")).count(),
        1
    );
    assert_eq!(lines[6], "GET /6", "the user went on");
}

#[derive(Default)]
struct Stuck;

impl Stuck {
    async fn request(&mut self, client: &mut Client) -> TaskResult {
        client.get("/stuck").send().await?;
        Ok(())
    }
    async fn for_ever(&mut self, _: &mut Client) -> TaskResult {
        pending().await
    }
}

#[tokio::test]
async fn users_that_hang_are_dropped_at_the_stop_time_out() {
    let server = Server::start(|_: &Seen| Reply::Hang(Vec::new())).await;
    let memory = Arc::new(Memory::default());
    let scenario = Scenario::new("stuck").user(
        FastHttpUser::<Stuck>::new("Stuck")
            .task(1, Stuck::request)
            .on_stop(Stuck::for_ever),
    );
    let mut plan = plan(&server.url, [0; 5]);
    plan.stop_timeout = Duration::from_millis(300);
    // Then only timers are left, so that a clock of its own tells the engine's time-outs from a busy machine.
    let all_hang = async {
        server.has_seen(5).await;
        tokio::time::pause();
    };
    let took = drive_until(scenario, plan, &memory, all_hang).await;
    assert!(
        took >= Duration::from_millis(300),
        "{took:?}: tasks have the stop timeout"
    );
    assert!(took < Duration::from_millis(300 + 2_000), "{took:?}");
    let cut = "GET /stuck -> Aborted: the run ended before the response was complete";
    assert_eq!(memory.lines(), [cut; 5]);
    assert!(memory.task_errors().is_empty());
}

#[tokio::test]
async fn a_request_under_way_may_end_within_the_stop_time_out() {
    let server = Server::start(|seen: &Seen| {
        if seen.target == "/step" {
            // Answered by a thread, later than the stop.
            std::thread::sleep(Duration::from_millis(100));
        }
        Reply::Write(respond("200 OK", &[], b""))
    });
    let server = server.await;
    let memory = Arc::new(Memory::default());
    let scenario = Scenario::new("walk").user(
        FastHttpUser::<Walker>::new("Walker")
            .task(1, Walker::step)
            .on_stop(Walker::bye),
    );
    let mut plan = plan(&server.url, [0]);
    plan.stop_timeout = Duration::from_secs(120);
    let took = drive_until(scenario, plan, &memory, server.has_seen(1)).await;
    assert!(
        took < Duration::from_secs(60),
        "{took:?}: the timeout is not waited for"
    );
    assert_eq!(memory.lines().last().unwrap(), "GET /bye");
    assert!(memory.samples().iter().all(|kept| kept.error.is_none()));
}

#[tokio::test]
async fn waiting_users_end_at_once() {
    let server = ok().await;
    let memory = Arc::new(Memory::default());
    let scenario = Scenario::new("walk").user(
        FastHttpUser::<Walker>::new("Walker")
            .task(1, Walker::step)
            .wait_time(constant(3_600.0))
            .on_stop(Walker::bye),
    );
    let mut plan = plan(&server.url, [0, 0, 0, 3_600_000]);
    plan.stop_timeout = Duration::from_secs(120);
    let took = drive_until(scenario, plan, &memory, server.has_seen(3)).await;
    assert!(took < Duration::from_secs(60), "{took:?}");
    assert_eq!(
        memory
            .lines()
            .iter()
            .filter(|line| *line == "GET /bye")
            .count(),
        3
    );
    assert_eq!(
        memory.started.load(Ordering::SeqCst),
        3,
        "the fourth never began"
    );
}

#[tokio::test]
async fn a_dead_target_does_not_starve_the_runtime() {
    let unreachable = Server::unreachable();
    let memory = Arc::new(Memory::default());
    let scenario =
        Scenario::new("walk").user(FastHttpUser::<Walker>::new("Walker").task(1, Walker::step));
    // That these timers fire proves it, too.
    let all_had_turns =
        until(|| memory.started.load(Ordering::SeqCst) == 20 && memory.samples().len() >= 20);
    let plan = plan(&unreachable, [0; 20]);
    drive_until(scenario, plan, &memory, all_had_turns).await;
}

#[derive(Default)]
struct Idle;

impl Idle {
    async fn nothing(&mut self, _: &mut Client) -> TaskResult {
        Ok(())
    }
    async fn broken_start(&mut self, _: &mut Client) -> TaskResult {
        Err(TaskError::new("no password"))
    }
}

#[tokio::test]
async fn tasks_without_requests_yield() {
    // The second wait is over before a user could sleep for it.
    for wait in [0.0, 1e-9] {
        let memory = Arc::new(Memory::default());
        let idle = FastHttpUser::<Idle>::new("Idle")
            .wait_time(constant(wait))
            .task(1, Idle::nothing);
        let both_turn = async {
            until(|| memory.started.load(Ordering::SeqCst) == 2).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        let host = Server::unreachable();
        let plan = plan(&host, [0, 0]);
        drive_until(Scenario::new("idle").user(idle), plan, &memory, both_turn).await;
    }
}

#[tokio::test]
async fn an_error_in_on_start_ends_the_user() {
    let memory = Arc::new(Memory::default());
    let scenario = Scenario::new("idle").user(
        FastHttpUser::<Idle>::new("Idle")
            .on_start(Idle::broken_start)
            .task(1, Idle::nothing),
    );
    let host = Server::unreachable();
    let both = until(|| memory.task_errors().len() == 2);
    drive_until(scenario, plan(&host, [0, 0]), &memory, both).await;
    let error = ("Idle::broken_start".to_owned(), "no password".to_owned());
    assert_eq!(memory.task_errors(), [error.clone(), error]);
    assert_eq!(memory.stopped.load(Ordering::SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_multi_threaded_runtime_does_as_well() {
    let server = ok().await;
    let memory = Arc::new(Memory::default());
    let scenario = Scenario::new("walk").user(
        HttpUser::<Walker>::new("Walker")
            .task(1, Walker::step)
            .on_stop(Walker::bye),
    );
    drive_until(
        scenario,
        plan(&server.url, [0; 8]),
        &memory,
        server.has_seen(200),
    )
    .await;
    assert_eq!(memory.samples().len(), server.seen().len());
}

#[tokio::test]
async fn a_load_that_does_not_fit_is_refused() {
    let host: Url = "http://127.0.0.1:1".parse().unwrap();
    let memory = Arc::new(Memory::default());
    let lazy = Scenario::new("lazy").user(FastHttpUser::<Idle>::new("Lazy").task(0, Idle::nothing));
    let stop = CancellationToken::new();
    let error = drive_plan(&lazy, &plan(&host, [0]), &memory, stop.clone())
        .await
        .unwrap_err();
    assert!(matches!(error, DriveError::NoTasks { .. }), "{error}");
    let empty = Scenario::new("empty");
    let error = drive_plan(&empty, &plan(&host, [0]), &memory, stop.clone())
        .await
        .unwrap_err();
    assert!(
        matches!(error, DriveError::NoSuchUserType { .. }),
        "{error}"
    );
    let ftp = "ftp://127.0.0.1".parse().unwrap();
    let error = drive_plan(&lazy, &plan(&ftp, [0]), &memory, stop.clone())
        .await
        .unwrap_err();
    assert!(matches!(error, DriveError::Host { .. }), "{error}");
    let endless = FastHttpUser::<Idle>::new("Endless")
        .wait_time(constant_throughput(0.0))
        .task(1, Idle::nothing);
    let endless = Scenario::new("endless").user(endless);
    let error = drive_plan(&endless, &plan(&host, [0]), &memory, stop.clone())
        .await
        .unwrap_err();
    assert!(matches!(error, DriveError::UserType(_)), "{error}");
    let homeless =
        Scenario::new("homeless").user(FastHttpUser::<Idle>::new("Lost").task(1, Idle::nothing));
    let load = Load {
        prepared: None,
        settings: RunSettings::default(),
        users: 1,
        stop_timeout: Duration::ZERO,
        arrivals: None,
        watch: None,
    };
    let (_orders, receiver) = mpsc::channel(1);
    let error = drive(&homeless, load, receiver, memory.clone(), stop)
        .await
        .unwrap_err();
    assert!(matches!(error, DriveError::NoHost { .. }), "{error}");
    assert_eq!(memory.started.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn more_users_than_goose_has_get_their_turn() {
    let server = ok().await;
    let memory = Arc::new(Memory::default());
    let scenario = Scenario::new("walk").user(
        FastHttpUser::<Walker>::new("Walker")
            .task(1, Walker::step)
            .wait_time(constant(60.0)),
    );
    // Several slices of a start, and one goose user for all of them.
    const USERS: usize = 200;
    let mut plan = plan(&server.url, [0; USERS]);
    plan.users = 1;
    let all = until(|| memory.started.load(Ordering::SeqCst) == USERS);
    drive_until(scenario, plan, &memory, all).await;
    assert_eq!(memory.started.load(Ordering::SeqCst), USERS);
    assert_eq!(memory.stopped.load(Ordering::SeqCst), USERS);
}

#[tokio::test]
async fn one_user_stops_while_others_continue_and_its_index_can_begin_again() {
    let server = ok().await;
    let memory = Arc::new(Memory::default());
    let scenario = Scenario::new("walk").user(
        FastHttpUser::<Walker>::new("Walker")
            .task(1, Walker::step)
            .wait_time(constant(60.0))
            .on_stop(Walker::bye),
    );
    let (orders, receiver) = mpsc::channel(16);
    let start = |index| {
        UserOrder::Start(PlannedUser {
            index,
            user_type: 0,
        })
    };
    let load = Load {
        prepared: None,
        settings: RunSettings {
            host: Some(server.url.clone()),
            ..RunSettings::default()
        },
        users: 2,
        stop_timeout: Duration::from_secs(60),
        arrivals: None,
        watch: None,
    };
    let stop = CancellationToken::new();
    let driving = tokio::spawn({
        let (memory, stop) = (memory.clone(), stop.clone());
        async move { drive(&scenario, load, receiver, memory, stop).await }
    });
    orders.send(start(0)).await.unwrap();
    orders.send(start(1)).await.unwrap();
    server.has_seen(2).await;
    orders.send(UserOrder::Stop { index: 1 }).await.unwrap();
    server.has_seen(3).await;
    assert_eq!(server.seen()[2].target, "/bye/1");
    orders.send(start(1)).await.unwrap();
    server.has_seen(4).await;
    assert_eq!(
        server.seen()[3].target,
        "/step",
        "a new user, not the old one"
    );
    assert_eq!(memory.started.load(Ordering::SeqCst), 3);
    stop.cancel();
    driving.await.unwrap().unwrap();
    assert_eq!(memory.stopped.load(Ordering::SeqCst), 3);
}

/// A user whose state panics when it is dropped, once.
struct Fragile(bool);

impl Fragile {
    async fn step(&mut self, client: &mut Client) -> TaskResult {
        client.get("/step").send().await?;
        if self.0 { stop_user() } else { Ok(()) }
    }
}

impl Drop for Fragile {
    fn drop(&mut self) {
        assert!(!self.0, "broke in the end");
    }
}

/// Neither its slot nor its end is lost, and the next user has its turn.
#[tokio::test]
async fn a_state_that_panics_when_it_is_dropped_is_reported() {
    let server = ok().await;
    let memory = Arc::new(Memory::default());
    let made = std::sync::atomic::AtomicBool::new(false);
    let first_breaks = move || Fragile(!made.swap(true, Ordering::Relaxed));
    let scenario = Scenario::new("fragile").user(
        FastHttpUser::<Fragile>::with_state("Fragile", first_breaks)
            .task(1, Fragile::step)
            .wait_time(constant(60.0)),
    );
    let mut plan = plan(&server.url, [0, 300]);
    plan.users = 1;
    let both = async {
        let seen = tokio::time::timeout(Duration::from_secs(60), server.has_seen(2));
        seen.await.expect("the second user has its turn");
    };
    drive_until(scenario, plan, &memory, both).await;
    let reported = (
        "Fragile".to_owned(),
        "panicked: broke in the end".to_owned(),
    );
    assert_eq!(memory.task_errors(), [reported]);
}

#[tokio::test]
async fn a_stop_time_out_beyond_the_clock_is_no_panic() {
    let server = ok().await;
    let memory = Arc::new(Memory::default());
    let scenario = Scenario::new("walk").user(
        FastHttpUser::<Walker>::new("Walker")
            .task(1, Walker::step)
            .wait_time(constant(60.0))
            .on_stop(Walker::bye),
    );
    let mut plan = plan(&server.url, [0]);
    plan.stop_timeout = Duration::MAX;
    drive_until(scenario, plan, &memory, server.has_seen(1)).await;
    assert_eq!(memory.lines(), ["GET /step", "GET /bye"]);
}

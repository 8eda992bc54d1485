//! Whole sessions with scenarios of code, and an agent that is a test.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures_util::{SinkExt, StreamExt};
use greylag_infra::{LoadTest, ProfileStep, RunTime, WallTime};
use greylag_scenarios::client::Client;
use greylag_scenarios::{FastHttpUser, TaskError, TaskResult, constant, finish_test, stop_test};
use tokio::net::UnixStream;
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use super::*;
use crate::worker_protocol::{Report, codec, decode, encode};

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// goose keeps global state: one load at a time in a process.
static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// What happened, in order.
type Story = Arc<Mutex<Vec<String>>>;

/// Users of the scenarios here that have begun, over all tests.
static USERS: AtomicU64 = AtomicU64::new(0);

/// The agent of a session that runs on a thread of its own, as in a process.
struct AgentSide {
    socket: Framed<UnixStream, LengthDelimitedCodec>,
    session: Option<std::thread::JoinHandle<Result<(), SessionError>>>,
    signals: mpsc::Sender<&'static str>,
    reports: Vec<Report>,
}

impl AgentSide {
    async fn prepare(scenario: Scenario, worker: u32) -> Self {
        Self::prepare_counting(scenario, worker, Vec::new()).await
    }

    async fn prepare_counting(scenario: Scenario, worker: u32, counted_tags: Vec<String>) -> Self {
        // An orderly end does not wait for it, and on a busy machine it is not to be cut.
        let stop_timeout_s = 60;
        Self::prepare_stopping(scenario, worker, counted_tags, stop_timeout_s).await
    }

    async fn prepare_stopping(
        scenario: Scenario,
        worker: u32,
        counted_tags: Vec<String>,
        stop_timeout_s: u64,
    ) -> Self {
        let (ours, theirs) = StdUnixStream::pair().unwrap();
        for socket in [&ours, &theirs] {
            socket.set_nonblocking(true).unwrap();
        }
        let name = scenario.name.clone();
        let (signals, received) = mpsc::channel(1);
        let session = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap()
                .block_on(run(theirs, &[scenario], received))
        });
        let mut agent = Self {
            socket: Framed::new(UnixStream::from_std(ours).unwrap(), codec()),
            session: Some(session),
            signals,
            reports: Vec::new(),
        };
        let test = LoadTest {
            name: "t".into(),
            host: "http://127.0.0.1:9".into(),
            users: 2,
            duration_s: 600,
            workers: 2,
            scenario: name,
            stop_timeout_s,
            ..LoadTest::default()
        };
        let test = Box::new(test);
        agent
            .say(&ToWorker::Prepare {
                test,
                worker,
                evaluates_shape: false,
                counted_tags,
            })
            .await;
        agent
    }

    async fn say(&mut self, message: &ToWorker) {
        self.socket.send(encode(message)).await.unwrap();
    }

    /// The next message that is not a report.
    async fn hear(&mut self) -> FromWorker {
        loop {
            let frame = timeout(PATIENCE, self.socket.next()).await;
            let frame = frame.expect("the worker says something").unwrap().unwrap();
            match decode(&frame).unwrap() {
                FromWorker::Report(report) => self.reports.push(report),
                message => return message,
            }
        }
    }

    async fn start(&mut self, profile: LoadProfile) {
        assert!(matches!(self.hear().await, FromWorker::Ready { .. }));
        let run_zero_at = WallTime::of_system();
        self.say(&ToWorker::Start {
            run_zero_at,
            profile,
            set_up_data: None,
        })
        .await;
    }

    /// The failure it ends with.
    async fn end(&mut self) -> Option<String> {
        match self.hear().await {
            FromWorker::End { failure, .. } => failure.map(|failure| failure.to_string()),
            other => panic!("the worker says {other:?} where its end is due"),
        }
    }

    /// Waits for the end of the session's thread without reading anything.
    async fn session_end(&mut self) -> Result<(), SessionError> {
        let began = Instant::now();
        while !self
            .session
            .as_ref()
            .is_some_and(|session| session.is_finished())
        {
            assert!(began.elapsed() < PATIENCE);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.session
            .take()
            .expect("it is joined once")
            .join()
            .unwrap()
    }

    /// Reads one report.
    async fn read_report(&mut self) {
        let frame = timeout(PATIENCE, self.socket.next()).await;
        let frame = frame.expect("the worker says something").unwrap().unwrap();
        if let FromWorker::Report(report) = decode(&frame).unwrap() {
            self.reports.push(report);
        }
    }

    fn stopped(&self) -> u64 {
        let changes = self.reports.iter().flat_map(|report| &report.user_changes);
        changes.map(|change| change.stopped).sum()
    }

    fn started(&self) -> u64 {
        let changes = self.reports.iter().flat_map(|report| &report.user_changes);
        changes.map(|change| change.started).sum()
    }
}

fn users(users: u64, duration_s: u64) -> LoadProfile {
    LoadProfile {
        steps: vec![ProfileStep {
            at: RunTime::ZERO,
            users,
            over_us: 0,
        }],
        ends_at: Duration::from_secs(duration_s).into(),
        ..LoadProfile::default()
    }
}

fn lines(story: &Story) -> Vec<String> {
    story.lock().unwrap().clone()
}

async fn wait_until(is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn until_line(story: &Story, words: &str) {
    let began = Instant::now();
    while !lines(story).iter().any(|line| line == words) {
        assert!(
            began.elapsed() < PATIENCE,
            "{words:?} not in {:?}",
            lines(story)
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A scenario that writes down its events; its users do nothing but be there.
fn scenario_that_logs_to(story: &Story) -> Scenario {
    macro_rules! tell {
        ($words:expr) => {{
            let story = Arc::clone(story);
            move |_| {
                story.lock().unwrap().push($words.to_owned());
                async { TaskResult::Ok(()) }
            }
        }};
    }
    async fn idle(_: &mut (), _: &mut Client) -> TaskResult {
        Ok(())
    }
    let spawned = Arc::clone(story);
    Scenario::new("logged")
        .user(
            FastHttpUser::<()>::with_state("Idler", || {
                USERS.fetch_add(1, Ordering::SeqCst);
            })
            .wait_time(constant(0.01))
            .named_task("idle", 1, idle),
        )
        .on_init(tell!("init"))
        .on_test_start(tell!("test start"))
        .on_worker_start(tell!("worker start"))
        .on_worker_stop(tell!("worker stop"))
        .on_test_stop(tell!("test stop"))
        .on_quitting(tell!("quitting"))
        .on_spawning_complete(move |_, users| {
            spawned.lock().unwrap().push(format!("spawned {users}"));
            async { Ok(()) }
        })
}

#[tokio::test]
async fn events_come_in_their_order_and_the_profile_is_followed() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let before = USERS.load(Ordering::SeqCst);
    let story = Story::default();
    let mut agent = AgentSide::prepare(scenario_that_logs_to(&story), 0).await;
    let first = users(2, 600);
    agent.start(first.clone()).await;
    let prepared = ["init", "test start", "worker start"];
    assert_eq!(lines(&story)[..3], prepared);
    until_line(&story, "spawned 2").await;
    let changed = first
        .with_change(RunTime::from_micros(1_000), 10, 0)
        .unwrap();
    agent.say(&ToWorker::Profile { profile: changed }).await;
    until_line(&story, "spawned 10").await;
    // The first user of two, and with the change the five of ten.
    wait_until(|| USERS.load(Ordering::SeqCst) >= before + 5).await;
    agent.say(&ToWorker::Stop).await;
    assert_eq!(agent.end().await, None);
    assert_eq!(agent.started(), 5);
    assert_eq!(
        lines(&story),
        [
            "init",
            "test start",
            "worker start",
            "spawned 2",
            "spawned 10",
            "worker stop",
            "test stop",
            "quitting"
        ]
    );
    agent.session_end().await.unwrap();
}

/// What worker 0 makes is said with its Ready, and read by users on whichever worker it is started with.
#[tokio::test]
async fn set_up_data_is_made_on_worker_0_and_read_on_every_one() {
    let _alone = ONE_AT_A_TIME.lock().await;
    async fn read(story: Story, client: &mut Client) -> TaskResult {
        let made = client.run().set_up_data::<Vec<u32>>()?;
        story.lock().unwrap().push(format!("{made:?}"));
        Ok(())
    }
    let scenario = |story: &Story| {
        let (of_users, of_events) = (Arc::clone(story), Arc::clone(story));
        Scenario::new("set up")
            .set_up(move |run: Arc<greylag_scenarios::Run>| {
                of_events.lock().unwrap().push("made".to_owned());
                async move { Ok(vec![run.workers(), 41]) }
            })
            .user(
                FastHttpUser::<Story>::with_state("Reader", move || Arc::clone(&of_users))
                    .wait_time(constant(0.01))
                    .named_task("read", 1, async |story: &mut Story, client: &mut Client| {
                        read(Arc::clone(story), client).await
                    }),
            )
    };
    let mut said = None;
    for worker in [0, 1] {
        let story = Story::default();
        let mut agent = AgentSide::prepare(scenario(&story), worker).await;
        let FromWorker::Ready { set_up_data } = agent.hear().await else {
            panic!("the worker should be ready");
        };
        assert_eq!(set_up_data.is_some(), worker == 0);
        said = said.or(set_up_data);
        let start = ToWorker::Start {
            run_zero_at: WallTime::of_system(),
            profile: users(2, 600),
            set_up_data: said.clone(),
        };
        agent.say(&start).await;
        until_line(&story, "[2, 41]").await;
        assert_eq!(lines(&story)[0] == "made", worker == 0);
        agent.say(&ToWorker::Stop).await;
        assert_eq!(agent.end().await, None);
    }
}

#[tokio::test]
async fn users_do_not_begin_without_the_set_up_data() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let scenario = scenario_that_logs_to(&Story::default()).set_up(|_| async { Ok(7_u8) });
    let mut agent = AgentSide::prepare(scenario, 1).await;
    agent.start(users(2, 600)).await;
    let failure = agent.end().await.unwrap();
    assert!(
        failure.contains("the set-up data did not arrive"),
        "{failure}"
    );
    assert_eq!(agent.started(), 0);
}

#[tokio::test]
async fn a_set_up_that_panics_is_a_reason_and_no_load() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let scenario = scenario_that_logs_to(&Story::default()).set_up(
        |run: Arc<greylag_scenarios::Run>| async move {
            assert!(run.users() > 99, "too few users");
            Ok(())
        },
    );
    let mut agent = AgentSide::prepare(scenario, 0).await;
    let failure = agent.end().await.unwrap();
    assert!(
        failure.contains("set_up failed: panicked: too few users"),
        "{failure}"
    );
}

#[tokio::test]
async fn other_workers_hear_nothing_of_the_tests_events() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let story = Story::default();
    let mut agent = AgentSide::prepare(scenario_that_logs_to(&story), 1).await;
    let planned = users(2, 600);
    agent.start(planned.clone()).await;
    until_line(&story, "spawned 2").await;
    // Ends by its own clock.
    let profile = LoadProfile {
        ends_at: Duration::from_millis(1).into(),
        ..planned
    };
    agent.say(&ToWorker::Profile { profile }).await;
    assert_eq!(agent.end().await, None);
    assert_eq!(
        lines(&story),
        [
            "init",
            "worker start",
            "spawned 2",
            "worker stop",
            "quitting"
        ]
    );
}

#[tokio::test]
async fn a_stop_before_the_start_ends_what_was_begun() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let story = Story::default();
    let mut agent = AgentSide::prepare(scenario_that_logs_to(&story), 0).await;
    assert!(matches!(agent.hear().await, FromWorker::Ready { .. }));
    agent.say(&ToWorker::Stop).await;
    assert_eq!(agent.end().await, None);
    assert_eq!(agent.started(), 0);
    assert_eq!(lines(&story)[3..], ["worker stop", "test stop", "quitting"]);
}

#[tokio::test]
async fn a_scenario_that_cannot_be_prepared_is_never_ready() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let scenario = scenario_that_logs_to(&Story::default())
        .on_init(|_| async { Err(TaskError::new("no database")) });
    let mut agent = AgentSide::prepare(scenario, 0).await;
    let failure = agent.end().await.unwrap();
    assert!(failure.contains("no database"), "{failure}");
}

#[tokio::test]
async fn a_scenario_can_stop_the_test() {
    let _alone = ONE_AT_A_TIME.lock().await;
    async fn stop(_: &mut (), _: &mut Client) -> TaskResult {
        stop_test("nothing left to buy")
    }
    let scenario = Scenario::new("stopper")
        .user(FastHttpUser::<()>::new("Stopper").named_task("stop", 1, stop));
    let mut agent = AgentSide::prepare(scenario, 0).await;
    agent.start(users(2, 600)).await;
    match agent.hear().await {
        FromWorker::StopTest { reason } => assert_eq!(reason, "nothing left to buy"),
        other => panic!("the worker says {other:?}"),
    }
    agent.say(&ToWorker::Stop).await;
    assert_eq!(agent.end().await, None, "the agent knows why already");
}

#[tokio::test]
async fn a_tag_that_no_selected_task_has_ends_the_preparation() {
    async fn idle(_: &mut (), _: &mut Client) -> TaskResult {
        Ok(())
    }
    let scenario = Scenario::new("untagged")
        .user(FastHttpUser::<()>::new("Idler").named_task("idle", 1, idle));
    let mut agent = AgentSide::prepare_counting(scenario, 0, vec!["slow".into()]).await;
    let failure = agent.end().await.unwrap();
    assert!(
        failure.contains("tag `slow`, which none of the selected tasks of scenario `untagged` has"),
        "{failure}"
    );
    agent.session_end().await.unwrap();
}

#[tokio::test]
async fn a_scenario_can_finish_the_test() {
    let _alone = ONE_AT_A_TIME.lock().await;
    async fn finish(_: &mut (), _: &mut Client) -> TaskResult {
        finish_test("all sold")
    }
    let scenario = Scenario::new("finisher")
        .user(FastHttpUser::<()>::new("Finisher").named_task("finish", 1, finish));
    let mut agent = AgentSide::prepare(scenario, 0).await;
    let planned = users(2, 600);
    agent.start(planned.clone()).await;
    match agent.hear().await {
        FromWorker::FinishTest { reason } => assert_eq!(reason, "all sold"),
        other => panic!("the worker says {other:?}"),
    }
    let profile = LoadProfile {
        ends_at: Duration::from_millis(1).into(),
        ..planned
    };
    agent.say(&ToWorker::Profile { profile }).await;
    assert_eq!(agent.end().await, None);
}

#[tokio::test]
async fn users_that_hang_are_given_up() {
    let _alone = ONE_AT_A_TIME.lock().await;
    static BLOCKS: AtomicBool = AtomicBool::new(false);
    async fn block(_: &mut (), _: &mut Client) -> TaskResult {
        BLOCKS.store(true, Ordering::SeqCst);
        // Blocks the load thread, as no task should.
        std::thread::sleep(2 * PATIENCE);
        Ok(())
    }
    let scenario = Scenario::new("blocker")
        .user(FastHttpUser::<()>::new("Blocker").named_task("block", 1, block));
    let mut agent = AgentSide::prepare_stopping(scenario, 0, Vec::new(), 1).await;
    agent.start(users(2, 600)).await;
    wait_until(|| BLOCKS.load(Ordering::SeqCst)).await;
    agent.say(&ToWorker::Stop).await;
    let failure = agent.end().await.unwrap();
    assert!(failure.contains("stop timeout of 1s"), "{failure}");
}

/// A service manager signals the workers, too: they end in order and say why.
#[tokio::test]
async fn a_signal_ends_the_users_in_order() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let story = Story::default();
    let mut agent = AgentSide::prepare(scenario_that_logs_to(&story), 0).await;
    agent.start(users(2, 600)).await;
    until_line(&story, "spawned 2").await;
    agent.signals.send("SIGTERM").await.unwrap();
    match agent.hear().await {
        FromWorker::Failing(failure) => {
            assert_eq!(failure.to_string(), "was asked to end by SIGTERM");
        }
        other => panic!("the worker says {other:?}"),
    }
    agent.signals.send("SIGTERM").await.unwrap();
    assert_eq!(agent.end().await, None, "the agent knows why already");
    assert_eq!(agent.started(), agent.stopped());
    agent.session_end().await.unwrap();
}

/// An agent that is frozen says nothing and reads nothing, until it is let continue.
#[tokio::test]
async fn what_was_counted_waits_for_an_agent_that_is_frozen() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let before = USERS.load(Ordering::SeqCst);
    let mut agent = AgentSide::prepare(scenario_that_logs_to(&Story::default()), 0).await;
    agent.start(users(2, 600)).await;
    wait_until(|| USERS.load(Ordering::SeqCst) > before).await;
    agent.say(&ToWorker::Alive { lease_ms: 300 }).await;
    let failure = agent.session_end().await;
    assert!(failure.is_ok(), "{failure:?}");
    let failure = agent.end().await.unwrap();
    assert!(
        failure.contains("nothing heard from the agent for 0.3 s"),
        "{failure}"
    );
    assert!(agent.started() > 0);
    assert_eq!(agent.started(), agent.stopped());
}

/// What was counted is handed over long before its second is over.
#[tokio::test]
async fn counts_are_handed_over_within_a_second() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let mut agent = AgentSide::prepare(scenario_that_logs_to(&Story::default()), 0).await;
    assert!(matches!(agent.hear().await, FromWorker::Ready { .. }));
    // Run time zero is where only its second 0 can come for as long as this test may take.
    let began = Instant::now();
    agent
        .say(&ToWorker::Start {
            run_zero_at: WallTime::of_system(),
            profile: users(2, 600),
            set_up_data: None,
        })
        .await;
    while agent.started() == 0 {
        agent.read_report().await;
    }
    let seconds: Vec<u32> = agent
        .reports
        .iter()
        .flat_map(|report| &report.user_changes)
        .map(|change| change.second)
        .collect();
    // On a machine so busy that this took a second, it says nothing.
    let in_time = began.elapsed() < Duration::from_secs(1);
    assert!(!in_time || seconds == [0], "{seconds:?}");
    agent.say(&ToWorker::Stop).await;
    assert_eq!(agent.end().await, None);
}

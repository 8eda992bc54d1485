//! Lives of users on a clock of their own: no goose and no server, only the order of what happens.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep};

use super::super::arrivals::Arrivals;
use super::live;
use crate::client::{Client, ClientShared};
use crate::prelude::*;
use crate::recorder::UserContext;
use crate::task::{TaskFn, TaskSetFn};
use crate::task_table::TaskOrder;
use crate::testing::{Memory, user_context};

/// What a user notes while it lives: names with the milliseconds since its start, and with how much later
/// than intended the task began, if it has a pace.
struct Diary {
    born: Instant,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Diary {
    fn note(&self, name: &str, client: &Client) {
        let at = self.born.elapsed().as_millis();
        let late = match client.delay() {
            Some(delay) => format!("+{}", delay.as_millis()),
            None => String::new(),
        };
        self.lines
            .lock()
            .unwrap()
            .push(format!("{name}@{at}{late}"));
    }
}

/// A task, or `on_start` or `on_stop`, of users and task sets: notes its name, takes its time, and ends as
/// its script says; the last line of the script holds for ever.
struct Say {
    name: &'static str,
    takes: u64,
    script: Vec<fn() -> TaskResult>,
    runs: AtomicUsize,
}

fn say(name: &'static str) -> Say {
    Say {
        name,
        takes: 0,
        script: vec![|| Ok(())],
        runs: AtomicUsize::new(0),
    }
}

impl Say {
    fn takes(mut self, millis: u64) -> Self {
        self.takes = millis;
        self
    }

    fn ends(mut self, script: &[fn() -> TaskResult]) -> Self {
        self.script = script.to_vec();
        self
    }

    fn begin<'a>(&self, diary: &mut Diary, client: &mut Client) -> BoxFuture<'a, TaskResult> {
        diary.note(self.name, client);
        let run = self.runs.fetch_add(1, Ordering::Relaxed);
        let end = self.script[run.min(self.script.len() - 1)];
        let takes = Duration::from_millis(self.takes);
        Box::pin(async move {
            if !takes.is_zero() {
                sleep(takes).await;
            }
            end()
        })
    }
}

impl<'a> TaskFn<'a, Diary> for Say {
    type Run = BoxFuture<'a, TaskResult>;

    fn run(&self, diary: &'a mut Diary, client: &'a mut Client) -> Self::Run {
        self.begin(diary, client)
    }
}

impl<'a, T: 'a> TaskSetFn<'a, T, Diary> for Say {
    type Run = BoxFuture<'a, TaskResult>;

    fn run(&self, _: &'a mut T, diary: &'a mut Diary, client: &'a mut Client) -> Self::Run {
        self.begin(diary, client)
    }
}

const DONE: fn() -> TaskResult = || Ok(());
const STOP_USER: fn() -> TaskResult = stop_user;
const INTERRUPT: fn() -> TaskResult = interrupt;
const INTERRUPT_AND_WAIT: fn() -> TaskResult = interrupt_and_wait;
const RESCHEDULE: fn() -> TaskResult = reschedule;
const IMMEDIATELY: fn() -> TaskResult = reschedule_immediately;
const STOP_TEST: fn() -> TaskResult = || stop_test("no stock left");
const FAIL: fn() -> TaskResult = || Err(TaskError::new("my own words"));
const PANIC: fn() -> TaskResult = || panic!("dropped the basket");

struct Told {
    lines: Vec<String>,
    errors: Vec<String>,
    memory: Arc<Memory>,
}

impl Told {
    fn text(&self) -> String {
        self.lines.join(" ")
    }
}

type Users = FastHttpUser<Diary>;
type Sets<T = ()> = TaskSetBuilder<T, Diary>;

/// Lives one life, stopped after so many milliseconds if it has not ended before.
async fn tell(stop_after: u64, build: impl FnOnce(Users) -> Users) -> Told {
    tell_with(stop_after, None, build).await
}

async fn tell_with(
    stop_after: u64,
    arrivals: Option<&Arrivals>,
    build: impl FnOnce(Users) -> Users,
) -> Told {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&lines);
    let born = Instant::now();
    let user = Users::with_state("User", move || Diary {
        born,
        lines: Arc::clone(&kept),
    });
    let user_type = UserType::from(build(user));
    user_type.check().unwrap();
    let memory = Arc::new(Memory::default());
    let context: Arc<UserContext> = user_context(memory.clone());
    let host = "http://127.0.0.1:1".parse().unwrap();
    let shared = ClientShared::new(&host, Arc::clone(user_type.client_options())).unwrap();
    let client = Client::new(Arc::new(shared), Arc::clone(&context));
    tokio::select! {
        () = live(&context, &user_type, client, arrivals) => {}
        () = async {
            sleep(Duration::from_millis(stop_after)).await;
            context.stop.raise();
            std::future::pending::<()>().await;
        } => {}
    }
    let lines = lines.lock().unwrap().clone();
    let errors = memory.task_errors();
    Told {
        lines,
        errors: errors
            .iter()
            .map(|(task, text)| format!("{task}: {text}"))
            .collect(),
        memory,
    }
}

fn named(name: &str) -> TaskOptions {
    TaskOptions::new(name)
}

/// Adds a task that notes its own name.
trait With {
    fn with(self, say: Say) -> Self;
}

impl With for Users {
    fn with(self, say: Say) -> Self {
        self.task_with(named(say.name), say)
    }
}

impl<T: Send + 'static> With for Sets<T> {
    fn with(self, say: Say) -> Self {
        self.task_with(named(say.name), say)
    }
}

/// Task sets are entered, left and entered again, at once or after a wait; each time anew.
#[tokio::test(start_paused = true)]
async fn a_task_set_runs_until_it_is_interrupted() {
    let script = [DONE, DONE, INTERRUPT, DONE, INTERRUPT_AND_WAIT, DONE];
    let set = Sets::<()>::new("Set")
        .on_start(say("start"))
        .with(say("task").takes(10).ends(&script))
        .on_stop(say("stop"));
    let told = tell(7_000, |user| {
        user.wait_time(constant(1.0))
            .on_start(say("hello"))
            .task_set(named("Set"), set)
            .on_stop(say("bye"))
    })
    .await;
    assert_eq!(
        told.lines[..13],
        [
            "hello@0",
            "start@0",
            "task@0",
            "task@1010",
            "task@2020",
            "stop@2030",
            "start@2030",
            "task@2030",
            "task@3040",
            "stop@3050",
            "start@4050",
            "task@4050",
            "task@5060",
        ],
    );
    assert_eq!(told.lines.last().unwrap(), "bye@7000");
    assert_eq!(
        told.lines[told.lines.len() - 2],
        "stop@7000",
        "innermost first"
    );
    assert!(told.errors.is_empty());
}

#[derive(Default)]
struct Counter(usize);

impl Counter {
    async fn count(&mut self, diary: &mut Diary, client: &mut Client) -> TaskResult {
        self.0 += 1;
        diary.note(&format!("{}", self.0), client);
        if self.0 == 2 {
            return interrupt_and_wait();
        }
        Ok(())
    }

    fn wait_time(&mut self, _: &mut Diary) -> Duration {
        Duration::from_millis(100 * self.0 as u64)
    }
}

#[tokio::test(start_paused = true)]
async fn the_state_of_a_task_set_is_made_each_time_it_is_entered() {
    let told = tell(3_500, |user| {
        let set = Sets::<Counter>::new("Set")
            .wait_time_fn(Counter::wait_time)
            .task(1, Counter::count);
        assert_eq!(TaskSet::from(set).tasks()[0].name(), "Counter::count");
        let set = Sets::<Counter>::new("Set")
            .wait_time_fn(Counter::wait_time)
            .task(1, Counter::count);
        user.wait_time(constant(1.0)).task_set(named("Set"), set)
    })
    .await;
    assert_eq!(
        told.text(),
        "1@0 2@100 1@1100 2@1200 1@2200 2@2300 1@3300 2@3400"
    );
}

#[tokio::test(start_paused = true)]
async fn sequences_keep_their_order_with_weights_and_task_sets_in_their_places() {
    let inner = Sets::<()>::sequential("Inner")
        .with(say("x").takes(1))
        .with(say("y").takes(1).ends(&[INTERRUPT]));
    let outer = Sets::<()>::sequential("Outer")
        .with(say("a").takes(1))
        .task_set(named("Inner"), inner)
        .task_with(named("b").weight(2), say("b").takes(1))
        .task_with(named("never").weight(0), say("never"))
        .with(say("c").takes(1).ends(&[DONE, STOP_USER]));
    let told = tell(60_000, |user| user.task_set(named("Outer"), outer)).await;
    let names: Vec<&str> = told
        .lines
        .iter()
        .map(|line| line.split('@').next().unwrap())
        .collect();
    assert_eq!(names.join(""), "axybbcaxybbc");
}

#[tokio::test(start_paused = true)]
async fn a_markov_task_set_begins_with_its_first_task_and_follows_its_transitions() {
    let home = Sets::<()>::new("Home").with(say("home").takes(1).ends(&[INTERRUPT]));
    let chain = Sets::<()>::markov("Chain")
        .task_set(named("Home"), home)
        .with(say("list").takes(1))
        .with(say("buy").takes(1).ends(&[DONE, DONE, INTERRUPT]))
        .transitions("Home", [("list", 1)])
        .transitions("list", [("buy", 2), ("Home", 0)])
        .transitions("buy", [("list", 1)])
        .transitions("buy", [("Home", 1), ("list", 0)]);
    let told = tell(60_000, |user| {
        user.task_set(named("Chain"), chain)
            .on_stop(say("bye"))
            .wait_time(constant(10.0))
    })
    .await;
    let names: Vec<&str> = told
        .lines
        .iter()
        .map(|line| line.split('@').next().unwrap())
        .collect();
    // Home is a task set that interrupts at once, so there is no wait after it, and after an interrupt
    // the chain begins anew.
    assert_eq!(
        names.join(" "),
        "home list buy home list buy home list buy home list bye"
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_task_asks_for_is_done() {
    let script = [RESCHEDULE, IMMEDIATELY, IMMEDIATELY, DONE, STOP_USER];
    let told = tell(60_000, |user| {
        user.wait_time(constant(1.0))
            .with(say("task").takes(100).ends(&script))
            .on_stop(say("bye"))
    })
    .await;
    assert_eq!(
        told.text(),
        "task@0 task@1100 task@1200 task@1300 task@2400 bye@2500"
    );
    assert!(told.errors.is_empty(), "none of it is an error");
}

#[tokio::test(start_paused = true)]
async fn stop_test_reaches_the_recorder_and_ends_the_user() {
    let told = tell(60_000, |user| {
        let set = Sets::<()>::new("Set")
            .with(say("task").ends(&[DONE, STOP_TEST]))
            .on_stop(say("stop"));
        user.wait_time(constant(1.0))
            .task_set(named("Set"), set)
            .on_stop(say("bye"))
    })
    .await;
    assert_eq!(told.text(), "task@0 task@1000 stop@1000 bye@1000");
    assert_eq!(told.memory.stop_reasons(), ["no stock left"]);
    assert!(told.errors.is_empty());
}

#[tokio::test(start_paused = true)]
async fn errors_and_panics_in_a_task_set_are_reported_and_it_goes_on() {
    let told = tell(2_500, |user| {
        let set = Sets::<()>::new("Set").with(say("task").ends(&[FAIL, PANIC, DONE]));
        user.wait_time(constant(1.0)).task_set(named("Set"), set)
    })
    .await;
    assert_eq!(told.text(), "task@0 task@1000 task@2000");
    assert_eq!(
        told.errors,
        ["task: my own words", "task: panicked: dropped the basket"]
    );
}

#[tokio::test(start_paused = true)]
async fn only_a_task_set_can_be_interrupted() {
    let told = tell(1_500, |user| {
        user.wait_time(constant(1.0))
            .with(say("task").ends(&[INTERRUPT, DONE]))
    })
    .await;
    assert_eq!(told.text(), "task@0 task@1000", "it waits, and goes on");
    assert!(told.errors[0].starts_with("task: interrupt() was called outside of a task set"));
}

#[tokio::test(start_paused = true)]
async fn on_start_of_a_user_decides_whether_it_begins() {
    // What on_start does, what happens, what is reported.
    let cases: [(fn() -> TaskResult, &str, &str); 7] = [
        (DONE, "hello@0 task@0 bye@500", ""),
        (FAIL, "hello@0", "hello: my own words"),
        (PANIC, "hello@0", "hello: panicked: dropped the basket"),
        (STOP_USER, "hello@0 bye@0", ""),
        (STOP_TEST, "hello@0 bye@0", ""),
        (
            INTERRUPT,
            "hello@0",
            "hello: interrupt() was called outside of a task set",
        ),
        (
            RESCHEDULE,
            "hello@0",
            "hello: reschedule() has no meaning here",
        ),
    ];
    for (end, happens, reported) in cases {
        let told = tell(500, |user| {
            user.wait_time(constant(1.0))
                .on_start(say("hello").ends(&[end]))
                .with(say("task"))
                .on_stop(say("bye"))
        })
        .await;
        assert_eq!(told.text(), happens);
        // on_start is named for its function, which is a type here.
        let errors = told.errors.join("").replace("tests::Say", "hello");
        assert!(errors.starts_with(reported), "{errors}");
        assert_eq!(errors.is_empty(), reported.is_empty(), "{errors}");
    }
}

#[tokio::test(start_paused = true)]
async fn on_start_of_a_task_set_decides_whether_it_is_entered() {
    let cases: [(&[fn() -> TaskResult], &str); 7] = [
        (
            &[INTERRUPT, DONE],
            "start@0 start@0 task@0 stop@900 bye@900",
        ),
        (
            &[IMMEDIATELY, DONE],
            "start@0 start@0 task@0 stop@900 bye@900",
        ),
        (
            &[INTERRUPT_AND_WAIT, DONE],
            "start@0 start@500 task@500 stop@900 bye@900",
        ),
        (
            &[RESCHEDULE, DONE],
            "start@0 start@500 task@500 stop@900 bye@900",
        ),
        (&[FAIL, DONE], "start@0 start@500 task@500 stop@900 bye@900"),
        (
            &[PANIC, DONE],
            "start@0 start@500 task@500 stop@900 bye@900",
        ),
        (&[STOP_USER], "start@0 bye@0"),
    ];
    for (script, happens) in cases {
        let told = tell(900, |user| {
            let set = Sets::<()>::new("Set")
                .wait_time(constant(60.0))
                .on_start(say("start").ends(script))
                .with(say("task"))
                .on_stop(say("stop"));
            user.wait_time(constant(0.5))
                .task_set(named("Set"), set)
                .on_stop(say("bye"))
        })
        .await;
        assert_eq!(told.text(), happens);
    }
}

#[tokio::test(start_paused = true)]
async fn on_stop_runs_for_every_level_innermost_first() {
    let nested = |last: Say, stop: Say| {
        let deep = Sets::<()>::new("Deep").with(last).on_stop(stop);
        let set = Sets::<()>::new("Set")
            .task_set(named("Deep"), deep)
            .on_stop(say("stop"));
        move |user: Users| {
            user.wait_time(constant(9.0))
                .task_set(named("Set"), set)
                .on_stop(say("bye"))
        }
    };
    let stopped = tell(700, nested(say("task"), say("deep"))).await;
    assert_eq!(
        stopped.text(),
        "task@0 deep@700 stop@700 bye@700",
        "waiting: at once"
    );
    let busy = tell(700, nested(say("task").takes(900), say("deep"))).await;
    assert_eq!(
        busy.text(),
        "task@0 deep@900 stop@900 bye@900",
        "a task may end in time"
    );
    let stuck = tell(700, nested(say("task").takes(90_000), say("deep"))).await;
    assert_eq!(
        stuck.text(),
        "task@0 deep@1700 stop@1700 bye@1700",
        "or is dropped"
    );
    let ended = tell(
        700,
        nested(say("task").ends(&[STOP_USER]), say("deep").takes(50)),
    )
    .await;
    assert_eq!(ended.text(), "task@0 deep@0 stop@50 bye@50");
    let failed = tell(
        700,
        nested(say("task").ends(&[STOP_USER]), say("deep").ends(&[PANIC])),
    )
    .await;
    assert_eq!(
        failed.text(),
        "task@0 deep@0 stop@0 bye@0",
        "whatever it does"
    );
    assert_eq!(failed.errors.len(), 1);
    // An on_stop that hangs has what is left and a second; then the next one begins.
    let hangs = tell(700, nested(say("task"), say("deep").takes(90_000))).await;
    assert_eq!(hangs.text(), "task@0 deep@700 stop@2700 bye@2700");
}

#[tokio::test(start_paused = true)]
async fn an_on_stop_after_an_interrupt_has_its_time_and_may_end_the_user() {
    let told = tell(60_000, |user| {
        let set = Sets::<()>::new("Set")
            .with(say("task").ends(&[INTERRUPT]))
            .on_stop(say("stop").takes(5_000).ends(&[DONE, FAIL, STOP_USER]));
        user.task_set(named("Set"), set).on_stop(say("bye"))
    })
    .await;
    assert_eq!(
        told.text(),
        "task@0 stop@0 task@5000 stop@5000 task@10000 stop@10000 bye@15000"
    );
    assert_eq!(told.errors.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_wait_time_is_the_task_sets_own_or_the_users() {
    let told = tell(60_000, |user| {
        let deep = Sets::<()>::new("Deep").with(say("deep").ends(&[DONE, STOP_USER]));
        let set = Sets::<()>::sequential("Set")
            .wait_time(constant(1.0))
            .with(say("a"))
            .with(say("b"))
            .task_set(named("Deep"), deep);
        user.wait_time(constant(7.0)).task_set(named("Set"), set)
    })
    .await;
    // As in Locust: a task set without its own uses the user's, not that of the set around it.
    assert_eq!(told.text(), "a@0 b@1000 deep@2000 deep@9000");
}

#[tokio::test(start_paused = true)]
async fn a_custom_wait_time_is_asked_each_time_and_its_panic_ends_the_user() {
    let told = tell(60_000, |user| {
        let asked = AtomicUsize::new(0);
        user.wait_time_fn(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
            3 => panic!("no idea"),
            times => Duration::from_millis(100 * times as u64),
        })
        .with(say("task").takes(1))
        .on_stop(say("bye"))
    })
    .await;
    assert_eq!(told.text(), "task@0 task@1 task@102 task@303 bye@304");
    assert_eq!(told.errors, ["wait_time of User: panicked: no idea"]);
}

#[tokio::test(start_paused = true)]
async fn a_task_set_whose_state_panics_is_a_failed_task() {
    let told = tell(1_500, |user| {
        let made = AtomicUsize::new(0);
        let state = move || match made.fetch_add(1, Ordering::Relaxed) {
            0 => panic!("no such account"),
            _ => (),
        };
        let set = Sets::with_state("Set", TaskOrder::Random, state)
            .with(say("task"))
            .on_stop(say("stop"));
        user.wait_time(constant(1.0))
            .task_set(named("Accounts"), set)
    })
    .await;
    assert_eq!(told.text(), "task@1000 stop@1500");
    assert_eq!(told.errors, ["Accounts: panicked: no such account"]);
}

#[path = "pacing_tests.rs"]
mod pacing;

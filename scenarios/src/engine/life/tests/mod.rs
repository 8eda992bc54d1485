//! Users on a clock of their own: no goose and no server, only the order of what happens.

mod flow;
mod pacing;
mod stall;
mod stopping;
mod tags;
mod task_sets;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep};

use super::run_user;
use crate::client::{Client, ClientShared};
use crate::engine::arrivals::Arrivals;
use crate::prelude::*;
use crate::run::UserContext;
use crate::task::{TaskFn, TaskSetFn};
use crate::testing::{Memory, user_context};

/// What a user notes while it runs: names with the milliseconds since its start, and with how much later
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
    script: Vec<End>,
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

    fn ends(mut self, script: &[End]) -> Self {
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

/// How a run of a task ends.
type End = fn() -> TaskResult;

const DONE: End = || Ok(());
const STOP_USER: End = stop_user;
const INTERRUPT: End = interrupt;
const INTERRUPT_AND_WAIT: End = interrupt_and_wait;
const RESCHEDULE: End = reschedule;
const IMMEDIATELY: End = reschedule_immediately;
const STOP_TEST: End = || stop_test("no stock left");
const FINISH_TEST: End = || finish_test("all sold");
const FAIL: End = || Err(TaskError::new("my own words"));
const PANIC: End = || panic!("dropped the basket");

struct Story {
    lines: Vec<String>,
    errors: Vec<String>,
    memory: Arc<Memory>,
}

impl Story {
    fn text(&self) -> String {
        self.lines.join(" ")
    }
}

type Users = FastHttpUser<Diary>;
type Sets<T = ()> = TaskSetBuilder<T, Diary>;

/// Runs one user, stopped after so many milliseconds if it has not ended before.
async fn tell(stop_after: u64, build: impl FnOnce(Users) -> Users) -> Story {
    tell_with(stop_after, None, build).await
}

/// Runs one user, asked to stop when `stop` is over.
async fn run_once(
    user_type: &UserType,
    arrivals: Option<&Arrivals>,
    stop: impl Future<Output = ()>,
) -> (Arc<Memory>, Arc<UserContext>) {
    let memory = Arc::new(Memory::default());
    let context: Arc<UserContext> = user_context(memory.clone());
    let unreachable = "http://127.0.0.1:1".parse().unwrap();
    let host = user_type.host().unwrap_or(&unreachable);
    let shared = ClientShared::new(host, Arc::clone(user_type.client_options())).unwrap();
    let client = Client::new(Arc::new(shared), Arc::clone(&context));
    tokio::select! {
        () = run_user(&context, user_type, client, arrivals) => {}
        () = async {
            stop.await;
            context.stop.raise();
            std::future::pending::<()>().await;
        } => {}
    }
    (memory, context)
}

async fn tell_with(
    stop_after: u64,
    arrivals: Option<&Arrivals>,
    build: impl FnOnce(Users) -> Users,
) -> Story {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&lines);
    let born = Instant::now();
    let user = Users::with_state("User", move || Diary {
        born,
        lines: Arc::clone(&kept),
    });
    let user_type = UserType::from(build(user));
    user_type.check().unwrap();
    let stop = sleep(Duration::from_millis(stop_after));
    let (memory, _) = run_once(&user_type, arrivals, stop).await;
    let lines = lines.lock().unwrap().clone();
    let errors = memory.task_errors();
    Story {
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

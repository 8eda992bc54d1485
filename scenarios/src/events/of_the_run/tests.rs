use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::engine::report;
use crate::prelude::*;
use crate::recorder::RequestSample;
use crate::run::RunSettings;
use crate::testing::{Memory, user_context_with};

/// What was called, in order.
#[derive(Clone, Default)]
struct Calls(Arc<Mutex<Vec<String>>>);

impl Calls {
    fn add(&self, call: impl Into<String>) {
        self.0.lock().unwrap().push(call.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// A handler that notes its name and the worker.
    fn note(
        &self,
        name: &'static str,
    ) -> impl Fn(Arc<Run>) -> std::future::Ready<TaskResult> + Send + Sync + 'static {
        let calls = self.clone();
        move |run| {
            calls.add(format!("{name} {}", run.worker()));
            std::future::ready(Ok(()))
        }
    }
}

fn run_of(scenario: &Scenario, worker: u32) -> (Arc<Run>, Arc<Memory>) {
    let memory = Arc::new(Memory::default());
    let settings = RunSettings {
        worker,
        workers: 2,
        ..RunSettings::default()
    };
    (scenario.run(settings, memory.clone()), memory)
}

#[tokio::test]
async fn each_handler_is_called_at_its_event_and_where_it_belongs() {
    let calls = Calls::default();
    let counted = calls.clone();
    let scenario = Scenario::new("events")
        .on_init(calls.note("init"))
        .on_test_start(calls.note("test_start"))
        .on_worker_start(calls.note("worker_start"))
        .on_spawning_complete(move |_, users| {
            counted.add(format!("spawning_complete {users}"));
            async { Ok(()) }
        })
        .on_worker_stop(calls.note("worker_stop"))
        .on_test_stop(calls.note("test_stop"))
        .on_quitting(calls.note("quitting-a"))
        .on_quitting(calls.note("quitting-b"));
    for worker in [0, 1] {
        let (run, memory) = run_of(&scenario, worker);
        let events = scenario.events();
        events.init(&run).await.unwrap();
        events.test_started(&run).await;
        events.worker_started(&run).await;
        events.spawning_completed(&run, 12).await;
        events.worker_stopped(&run).await;
        events.test_stopped(&run).await;
        events.quitting(&run).await;
        assert!(memory.task_errors().is_empty());
    }
    assert_eq!(
        calls.take(),
        [
            "init 0",
            "test_start 0",
            "worker_start 0",
            "spawning_complete 12",
            "worker_stop 0",
            "test_stop 0",
            "quitting-b 0",
            "quitting-a 0",
            "init 1",
            "worker_start 1",
            "spawning_complete 12",
            "worker_stop 1",
            "quitting-b 1",
            "quitting-a 1",
        ]
    );
}

#[tokio::test]
async fn a_failing_init_is_fatal_and_a_message() {
    let error = Scenario::new("x").on_init(|_| async { Err(TaskError::new("no licence")) });
    let (run, _) = run_of(&error, 0);
    let init = error.events().init(&run).await;
    let place = concat!("(", file!(), ":");
    let init = init.unwrap_err().to_string();
    assert!(
        init.starts_with(&format!("init failed: no licence {place}")),
        "{init}"
    );
    let panic = Scenario::new("x").on_init(|_| async { panic!("no table") });
    let init = panic.events().init(&run).await;
    let init = init.unwrap_err().to_string();
    assert!(
        init.starts_with(&format!("init failed: panicked: no table {place}")),
        "{init}"
    );
}

#[tokio::test]
async fn other_errors_are_counted_and_the_test_goes_on() {
    let calls = Calls::default();
    let scenario = Scenario::new("x")
        .on_test_start(|_| async { Err(TaskError::new("set-up failed")) })
        // A panic before there is a future, and one in it.
        .on_test_start(|_| -> std::future::Ready<TaskResult> { panic!("at once") })
        .on_test_start(|_| async { panic!("later") })
        .on_test_start(calls.note("after"));
    let (run, memory) = run_of(&scenario, 0);
    scenario.events().test_started(&run).await;
    assert_eq!(calls.take(), ["after 0"]);
    let errors = memory.task_errors();
    let texts: Vec<&str> = errors.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(
        texts,
        ["set-up failed", "panicked: at once", "panicked: later"]
    );
    assert!(errors.iter().all(|(task, _)| task == "on_test_start"));
    assert!(memory.stop_reasons().is_empty());
}

#[tokio::test]
async fn stop_test_of_a_handler_stops_the_test() {
    let scenario = Scenario::new("x").on_worker_start(|_| async { stop_test("no target") });
    let (run, memory) = run_of(&scenario, 1);
    scenario.events().worker_started(&run).await;
    assert_eq!(memory.stop_reasons(), ["no target"]);
    assert!(memory.task_errors().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_hangs_is_dropped() {
    let hang = |_| pending::<TaskResult>();
    let scenario = Scenario::new("x")
        .on_init(hang)
        .on_test_start(hang)
        .on_test_stop(hang)
        .on_quitting(hang);
    let (run, memory) = run_of(&scenario, 0);
    let events = scenario.events();
    let init = events.init(&run).await.unwrap_err();
    assert_eq!(init.to_string(), "init failed: it took longer than 60 s");
    events.test_started(&run).await;
    events.test_stopped(&run).await;
    events.quitting(&run).await;
    let texts: Vec<(String, String)> = memory.task_errors();
    let expected = [
        ("on_test_start", "took longer than 60 s and was dropped"),
        ("on_test_stop", "took longer than 5 s and was dropped"),
        ("on_quitting", "took longer than 5 s and was dropped"),
    ];
    let expected = expected.map(|(event, text)| (event.to_owned(), text.to_owned()));
    assert_eq!(texts, expected);
    assert_eq!(events.longest_start(0), Duration::from_secs(120));
    assert_eq!(events.longest_start(1), Duration::from_secs(60));
    assert_eq!(events.longest_stop(0), Duration::from_secs(10));
    assert_eq!(
        Scenario::new("plain").events().longest_stop(0),
        Duration::ZERO
    );
}

#[test]
fn listeners_hear_requests_and_rename_them_also_when_one_panics() {
    let heard = Calls::default();
    let noted = heard.clone();
    let scenario = Scenario::new("x")
        .on_request(|event| {
            let name = format!("{}!", event.sample.name);
            event.rename(name);
        })
        .on_request(|_| panic!("listener"))
        .on_request(move |event| {
            noted.add(format!("{} {}", event.sample.method, event.user.user_type));
        });
    let memory = Arc::new(Memory::default());
    let user = user_context_with(memory.clone(), scenario.events());
    let (now, took) = (std::time::Instant::now(), Duration::from_millis(1));
    user.record(&RequestSample::new("GET", "/a", now, took));
    assert_eq!(heard.take(), ["GET Tester"]);
    assert_eq!(memory.only().name, "/a!");
}

#[test]
fn listeners_hear_errors_of_tasks_also_when_one_panics() {
    let heard = Calls::default();
    let noted = heard.clone();
    let scenario = Scenario::new("x")
        .on_user_error(|_| panic!("listener"))
        .on_user_error(move |event| {
            noted.add(format!(
                "{}: {} ({})",
                event.task, event.error, event.user.index
            ));
        });
    let memory = Arc::new(Memory::default());
    let user = user_context_with(memory.clone(), scenario.events());
    report(&user, "buy", "basket is empty");
    assert_eq!(heard.take(), ["buy: basket is empty (0)"]);
    assert_eq!(
        memory.task_errors(),
        [("buy".to_owned(), "basket is empty".to_owned())]
    );
}

#[test]
fn a_clone_of_a_scenario_listens_too_and_does_not_change_the_first() {
    let first = Scenario::new("x").on_request(|_| {});
    let second = first.clone().on_request(|_| {});
    assert_eq!(first.events().request.len(), 1);
    assert_eq!(second.events().request.len(), 2);
}

//! What tasks, `on_start` and `on_stop` can ask for, and what becomes of errors.

use super::*;
use crate::place::keep_places_of_panics;
use crate::task::TaskOrder;

#[tokio::test(start_paused = true)]
async fn what_a_task_asks_for_is_done() {
    let script = [RESCHEDULE, IMMEDIATELY, IMMEDIATELY, DONE, STOP_USER];
    let story = tell(60_000, |user| {
        user.wait_time(constant(1.0))
            .with(say("task").takes(100).ends(&script))
            .on_stop(say("bye"))
    })
    .await;
    assert_eq!(
        story.text(),
        "task@0 task@1100 task@1200 task@1300 task@2400 bye@2500"
    );
    assert!(story.errors.is_empty(), "none of it is an error");
}

#[tokio::test(start_paused = true)]
async fn stop_test_reaches_the_recorder_and_ends_the_user() {
    let story = tell(60_000, |user| {
        let set = Sets::<()>::new("Set")
            .with(say("task").ends(&[DONE, STOP_TEST]))
            .on_stop(say("stop"));
        user.wait_time(constant(1.0))
            .task_set(named("Set"), set)
            .on_stop(say("bye"))
    })
    .await;
    assert_eq!(story.text(), "task@0 task@1000 stop@1000 bye@1000");
    assert_eq!(story.memory.stop_reasons(), ["no stock left"]);
    assert!(story.errors.is_empty());
}

#[tokio::test(start_paused = true)]
async fn finish_test_reaches_the_recorder_and_ends_the_user() {
    let story = tell(60_000, |user| {
        user.wait_time(constant(1.0))
            .with(say("task").ends(&[DONE, FINISH_TEST]))
            .on_stop(say("bye").ends(&[FINISH_TEST]))
    })
    .await;
    assert_eq!(story.text(), "task@0 task@1000 bye@1000");
    assert_eq!(story.memory.finish_reasons(), ["all sold", "all sold"]);
    assert!(story.memory.stop_reasons().is_empty());
    assert!(story.errors.is_empty());
}

#[tokio::test(start_paused = true)]
async fn errors_and_panics_in_a_task_set_are_reported_and_it_goes_on() {
    let story = tell(2_500, |user| {
        let set = Sets::<()>::new("Set").with(say("task").ends(&[FAIL, PANIC, DONE]));
        user.wait_time(constant(1.0)).task_set(named("Set"), set)
    })
    .await;
    assert_eq!(story.text(), "task@0 task@1000 task@2000");
    assert_eq!(
        story.errors,
        ["task: my own words", "task: panicked: dropped the basket"]
    );
}

#[tokio::test(start_paused = true)]
async fn only_a_task_set_can_be_interrupted() {
    let story = tell(1_500, |user| {
        user.wait_time(constant(1.0))
            .with(say("task").ends(&[INTERRUPT, DONE]))
    })
    .await;
    assert_eq!(story.text(), "task@0 task@1000", "it waits and continues");
    assert!(story.errors[0].starts_with("task: interrupt() was called outside of a task set"));
}

#[tokio::test(start_paused = true)]
async fn on_start_of_a_user_decides_whether_it_begins() {
    // What on_start does, what happens, what is reported.
    let cases: [(End, &str, &str); 7] = [
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
        let story = tell(500, |user| {
            user.wait_time(constant(1.0))
                .on_start(say("hello").ends(&[end]))
                .with(say("task"))
                .on_stop(say("bye"))
        })
        .await;
        assert_eq!(story.text(), happens);
        // on_start is named for its function, which is a type here.
        let errors = story.errors.join("").replace("tests::Say", "hello");
        assert!(errors.starts_with(reported), "{errors}");
        assert_eq!(errors.is_empty(), reported.is_empty(), "{errors}");
    }
}

#[tokio::test(start_paused = true)]
async fn on_start_of_a_task_set_decides_whether_it_is_entered() {
    let cases: [(&[End], &str); 7] = [
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
        let story = tell(900, |user| {
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
        assert_eq!(story.text(), happens);
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
    let story = tell(60_000, |user| {
        let set = Sets::<()>::new("Set")
            .with(say("task").ends(&[INTERRUPT]))
            .on_stop(say("stop").takes(5_000).ends(&[DONE, FAIL, STOP_USER]));
        user.task_set(named("Set"), set).on_stop(say("bye"))
    })
    .await;
    assert_eq!(
        story.text(),
        "task@0 stop@0 task@5000 stop@5000 task@10000 stop@10000 bye@15000"
    );
    assert_eq!(story.errors.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_task_set_whose_state_panics_is_a_failed_task() {
    let story = tell(1_500, |user| {
        let made = AtomicUsize::new(0);
        let state = move || assert_ne!(made.fetch_add(1, Ordering::Relaxed), 0, "no such account");
        let set = Sets::with_state("Set", TaskOrder::Random, state)
            .with(say("task"))
            .on_stop(say("stop"));
        user.wait_time(constant(1.0))
            .task_set(named("Accounts"), set)
    })
    .await;
    assert_eq!(story.text(), "task@1000 stop@1500");
    assert_eq!(story.errors.len(), 1);
    assert!(story.errors[0].starts_with("Accounts: panicked: "));
    assert!(story.errors[0].contains("no such account"));
}

/// Functions written as such, not as async functions, can panic before there is a future.
#[tokio::test(start_paused = true)]
async fn hooks_that_panic_at_once_are_reported_like_others() {
    fn at_once(_: &mut Diary, _: &mut Client) -> BoxFuture<'static, TaskResult> {
        panic!("at once")
    }
    fn of_a_set(_: &mut (), _: &mut Diary, _: &mut Client) -> BoxFuture<'static, TaskResult> {
        panic!("at once")
    }
    let started = tell(500, |user| {
        user.on_start(at_once).with(say("task")).on_stop(say("bye"))
    })
    .await;
    assert_eq!(started.text(), "");
    assert_eq!(started.errors.len(), 1);
    let entered = tell(500, |user| {
        let set = Sets::<()>::new("Set").on_start(of_a_set).with(say("task"));
        user.wait_time(constant(0.3))
            .task_set(named("Set"), set)
            .on_stop(say("bye"))
    })
    .await;
    assert_eq!(entered.text(), "bye@500");
    assert_eq!(entered.errors.len(), 2);
    let stopped = tell(500, |user| {
        let set = Sets::<()>::new("Set")
            .with(say("task").ends(&[STOP_USER]))
            .on_stop(of_a_set);
        user.task_set(named("Set"), set).on_stop(at_once)
    })
    .await;
    assert_eq!(stopped.text(), "task@0");
    assert_eq!(stopped.errors.len(), 2);
}

#[tokio::test]
async fn errors_and_panics_name_their_line() {
    fn innermost() -> TaskResult {
        "x".parse::<u32>()?;
        Ok(())
    }
    fn helper() -> TaskResult {
        innermost()?;
        Ok(())
    }
    #[derive(Default)]
    struct Failing(u32);
    impl Failing {
        async fn turn(&mut self, _: &mut Client) -> TaskResult {
            self.0 += 1;
            match self.0 {
                1 => helper(),
                2 => Err(TaskError::new("no tenants on this worker")),
                3 => panic!("no tenants at all"),
                _ => stop_user(),
            }
        }
    }
    keep_places_of_panics();
    let user = FastHttpUser::<Failing>::new("User").task(1, Failing::turn);
    let (memory, _) = run_once(&user.into(), None, std::future::pending()).await;
    let source = include_str!("flow.rs");
    let place_of = |mark: &str| {
        let line = source.lines().position(|line| line.contains(mark));
        format!("({}:{})", file!(), line.unwrap() + 1)
    };
    let errors = memory.placed_task_errors();
    let texts: Vec<&str> = errors.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(
        texts,
        [
            format!("invalid digit found in string {}", place_of("\"x\".parse")),
            format!("no tenants on this worker {}", place_of("2 => Err(")),
            format!("panicked: no tenants at all {}", place_of("3 => panic!")),
        ]
    );
}

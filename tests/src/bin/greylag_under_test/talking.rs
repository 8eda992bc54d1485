//! Users that print, log, fail and panic, or keep their worker's thread to themselves.

use std::io::Write;

use greylag_scenarios::prelude::*;

pub(crate) fn all() -> Vec<Scenario> {
    vec![
        talkative(),
        flooding(),
        broken_start(),
        blocking(),
        hanging(),
    ]
}

/// Every way in which users say something.
fn talkative() -> Scenario {
    #[derive(Default)]
    struct Talker;

    impl Talker {
        #[expect(clippy::dbg_macro, reason = "what it prints is what is tested")]
        async fn talks(&mut self, _: &mut Client) -> TaskResult {
            println!("printed to standard output");
            eprintln!("printed to standard error");
            println!("\u{1b}[2J\u{1b}[31mprinted in red\u{1b}[0m");
            dbg!(6 * 7);
            tracing::info!(basket = 7, "traced");
            Ok(())
        }

        async fn fails(&mut self, _: &mut Client) -> TaskResult {
            Err(TaskError::new("no tenants on this worker"))
        }

        async fn panics(&mut self, _: &mut Client) -> TaskResult {
            panic!("no tenants at all")
        }
    }

    Scenario::new("talkative")
        .description("Prints, logs, fails and panics")
        .on_test_start(|_| async {
            println!("printed before the start");
            Ok(())
        })
        .on_test_stop(|_| async {
            println!("printed after the end");
            Ok(())
        })
        .user(
            FastHttpUser::<Talker>::new("Talker")
                .wait_time(constant(0.2))
                .task(1, Talker::talks)
                .task(1, Talker::fails)
                .task(1, Talker::panics),
        )
}

/// More lines than are kept.
fn flooding() -> Scenario {
    #[derive(Default)]
    struct Flood;

    impl Flood {
        async fn floods(&mut self, _: &mut Client) -> TaskResult {
            let lines = "a line of the flood\n".repeat(1_000);
            // A worker whose output is closed is being ended.
            let _ = std::io::stdout().lock().write_all(lines.as_bytes());
            Ok(())
        }
    }

    Scenario::new("flooding")
        .description("Prints 5,000 lines a second")
        .user(
            FastHttpUser::<Flood>::new("Flood")
                .wait_time(constant(0.2))
                .task(1, Flood::floods),
        )
}

/// Every user ends before its first task: those with an even number by an error, the others by a panic.
fn broken_start() -> Scenario {
    #[derive(Default)]
    struct Broken;

    impl Broken {
        async fn begins(&mut self, client: &mut Client) -> TaskResult {
            if client.user().index % 2 == 1 {
                panic!("the password file is empty");
            }
            "many".parse::<u32>()?;
            Ok(())
        }

        async fn never(&mut self, _: &mut Client) -> TaskResult {
            println!("a user that was broken began a task");
            Ok(())
        }
    }

    Scenario::new("broken-start")
        .description("Every on_start fails")
        .user(
            FastHttpUser::<Broken>::new("Broken")
                .on_start(Broken::begins)
                .task(1, Broken::never),
        )
}

/// One user type blocks its thread, another one does the same where that does no harm.
fn blocking() -> Scenario {
    const LONG: Duration = Duration::from_millis(150);

    #[derive(Default)]
    struct Blocker;

    impl Blocker {
        async fn sleeps(&mut self, _: &mut Client) -> TaskResult {
            std::thread::sleep(LONG);
            Ok(())
        }
    }

    #[derive(Default)]
    struct Polite;

    impl Polite {
        async fn sleeps(&mut self, _: &mut Client) -> TaskResult {
            spawn_blocking(|| std::thread::sleep(LONG)).await?;
            Ok(())
        }
    }

    Scenario::new("blocking")
        .description("Keeps its worker's thread for 150 ms at a time")
        .user(
            FastHttpUser::<Blocker>::new("Blocker")
                .wait_time(constant(0.3))
                .task(1, Blocker::sleeps),
        )
        .user(
            FastHttpUser::<Polite>::new("Polite")
                .wait_time(constant(0.3))
                .task(1, Polite::sleeps),
        )
}

/// A task that never returns.
fn hanging() -> Scenario {
    #[derive(Default)]
    struct Hanger;

    impl Hanger {
        async fn hangs(&mut self, _: &mut Client) -> TaskResult {
            std::thread::sleep(Duration::from_secs(600));
            Ok(())
        }
    }

    Scenario::new("hanging")
        .description("Keeps its worker's thread for ever")
        .user(FastHttpUser::<Hanger>::new("Hanger").task(1, Hanger::hangs))
}

//! The product's command line with scenarios that no user would write.

mod compared;
mod launch;
mod talking;
mod vocabulary;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use greylag_scenarios::prelude::*;

// As in the product: it belongs to what is measured.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let mut scenarios = greylag_scenarios::examples::all();
    scenarios.extend([
        per_process(),
        per_process_until(),
        hostile(),
        idle(),
        computing(),
        set_up(),
        launch::launch(),
    ]);
    scenarios.extend(vocabulary::all());
    scenarios.extend(talking::all());
    scenarios.extend(compared::all());
    greylag::main(scenarios)
}

/// Each worker process requests a path of its own, so that a target's log tells workers apart.
#[derive(Default)]
struct Worker;

impl Worker {
    async fn request(&mut self, client: &mut Client) -> TaskResult {
        client
            .get(format!("/by/{}", std::process::id()))
            .send()
            .await?;
        Ok(())
    }

    async fn request_until(&mut self, client: &mut Client) -> TaskResult {
        self.request(client).await?;
        if Path::new(client.run().options().text("until")?).exists() {
            client.run().finish_test("enough was seen");
        }
        Ok(())
    }
}

fn per_process() -> Scenario {
    Scenario::new("per-process")
        .description("Requests /by/<id of the worker process>")
        .user(
            FastHttpUser::<Worker>::new("Worker")
                .wait_time(between(0.02, 0.06))
                .task(1, Worker::request),
        )
}

/// The same until a file is there: no duration has to fit what a slow machine needs.
fn per_process_until() -> Scenario {
    Scenario::new("per-process-until")
        .description("Requests /by/<id of the worker process> until a file is there")
        .option(CustomOption::text("until").help("The file that finishes the run."))
        .user(
            FastHttpUser::<Worker>::new("Worker")
                .wait_time(between(0.02, 0.06))
                .task(1, Worker::request_until),
        )
}

/// Names, errors and output that try to be more than text.
fn hostile() -> Scenario {
    #[derive(Default)]
    struct Hostile;

    impl Hostile {
        async fn names(&mut self, client: &mut Client) -> TaskResult {
            let long = format!("long-{}", "ü".repeat(5_000));
            for name in [
                "<script>alert('name')</script>",
                "\"><img src=x onerror=alert('attribute')>",
                "\u{1b}[31mred\u{1b}]0;title\u{7}",
                "\u{202e}gnp.exe",
                &long,
            ] {
                client.get("/").name(name).send().await?;
            }
            Ok(())
        }

        async fn errors(&mut self, client: &mut Client) -> TaskResult {
            let response = client.get("/").name("error").catch().send().await?;
            response.failure("<script>alert('error')</script>\u{1b}[2J")
        }

        async fn prints(&mut self, _: &mut Client) -> TaskResult {
            let mut out = std::io::stdout().lock();
            let line = [
                b"<script>alert('log')</script>\n".as_slice(),
                b"\x1b[2J\x1b[31mcleared\x1b[0m\n",
                b"broken \xff\xfe\xc3\x28 utf-8\n",
                &[b'x'; 10_000],
                b"\n",
            ];
            // A worker whose output is closed is being ended.
            let _ = out.write_all(&line.concat()).and_then(|()| out.flush());
            Ok(())
        }

        async fn panics(&mut self, _: &mut Client) -> TaskResult {
            panic!("<script>alert('panic')</script>")
        }
    }

    Scenario::new("hostile")
        .description("<script>alert('description')</script>")
        .user(
            FastHttpUser::<Hostile>::new("Hostile")
                .wait_time(between(0.2, 0.4))
                .task(1, Hostile::names)
                .task(1, Hostile::errors)
                .task(1, Hostile::prints)
                .task(1, Hostile::panics),
        )
}

/// Users that wait, to measure what a user costs.
fn idle() -> Scenario {
    #[derive(Default)]
    struct Idle;

    impl Idle {
        async fn request(&mut self, client: &mut Client) -> TaskResult {
            client.get("/").send().await?;
            Ok(())
        }
    }

    Scenario::new("idle")
        .description("One request, then an hour of waiting")
        .user(
            FastHttpUser::<Idle>::new("Idle")
                .wait_time(constant(3_600.0))
                .task(1, Idle::request),
        )
}

/// Users that compute all the time, to use up a worker's core.
fn computing() -> Scenario {
    #[derive(Default)]
    struct Computing;

    impl Computing {
        async fn compute(&mut self, client: &mut Client) -> TaskResult {
            let began = std::time::Instant::now();
            while began.elapsed() < std::time::Duration::from_millis(5) {
                std::hint::spin_loop();
            }
            client.get("/").send().await?;
            Ok(())
        }
    }

    Scenario::new("computing")
        .description("5 ms of computing before each request")
        .user(FastHttpUser::<Computing>::new("Computing").task(1, Computing::compute))
}

/// Every test has a token of its own, made once; its users request `/of/<token>/<worker>`.
fn set_up() -> Scenario {
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Shared {
        token: String,
        paths: std::collections::BTreeMap<u32, String>,
    }

    #[derive(Default)]
    struct Reader;

    impl Reader {
        async fn read(&mut self, client: &mut Client) -> TaskResult {
            let shared = client.run().set_up_data::<Shared>()?;
            let worker = client.run().worker();
            let path = format!("/{}/{}/{worker}", shared.paths[&7], shared.token);
            client.get(path).send().await?;
            Ok(())
        }
    }

    Scenario::new("set-up")
        .description("Requests /of/<token of the test>/<worker>")
        .option(
            CustomOption::number("seconds")
                .default(0)
                .help("How long the set-up takes."),
        )
        .option(CustomOption::flag("fail").help("Whether the set-up fails."))
        .set_up(|run: std::sync::Arc<Run>| async move {
            println!("making the token of this test");
            let seconds = run.options().number("seconds")?;
            tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
            if run.options().flag("fail")? {
                return Err(TaskError::new("no tenants to be had"));
            }
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            Ok(Shared {
                token: format!(
                    "{}-{}",
                    std::process::id(),
                    now.unwrap_or_default().as_nanos()
                ),
                paths: [(7, "of".to_owned())].into(),
            })
        })
        .user(
            FastHttpUser::<Reader>::new("Reader")
                .wait_time(between(0.02, 0.06))
                .task(1, Reader::read),
        )
}

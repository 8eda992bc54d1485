//! The product's command line with scenarios that no user would write.

mod talking;
mod vocabulary;

use std::io::Write;
use std::process::ExitCode;

use greylag_scenarios::prelude::*;

// As in the product: it belongs to what is measured.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let mut scenarios = greylag_scenarios::examples::all();
    scenarios.extend([per_process(), hostile(), idle(), computing()]);
    scenarios.extend(vocabulary::all());
    scenarios.extend(talking::all());
    greylag::main(scenarios)
}

/// Each worker process requests a path of its own, so that a target's log tells workers apart.
fn per_process() -> Scenario {
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
    }

    Scenario::new("per-process")
        .description("Requests /by/<id of the worker process>")
        .user(
            FastHttpUser::<Worker>::new("Worker")
                .wait_time(between(0.02, 0.06))
                .task(1, Worker::request),
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

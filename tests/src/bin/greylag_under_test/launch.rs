//! Users that wait, to measure what a user costs and how fast users begin.

use std::sync::OnceLock;
use std::time::Instant;

use greylag_scenarios::prelude::*;

/// When the first user of this process began.
static FIRST: OnceLock<Instant> = OnceLock::new();

#[derive(Default)]
struct Waiting;

impl Waiting {
    /// Says how long after the first user of its worker it begins.
    async fn begin(&mut self, client: &mut Client) -> TaskResult {
        let after = FIRST.get_or_init(Instant::now).elapsed();
        client
            .record("BEGIN", "after the first user", after)
            .success(0);
        Ok(())
    }

    async fn request(&mut self, client: &mut Client) -> TaskResult {
        let ports = client.run().options().text("ports")?;
        let ports: Vec<&str> = ports.split_ascii_whitespace().collect();
        let user = usize::try_from(client.user().index)?;
        match ports.get(user % ports.len().max(1)) {
            None => client.get("/").send().await?,
            Some(port) => {
                let url = format!("http://127.0.0.1:{port}/");
                client.get(url).name("/").send().await?
            }
        };
        Ok(())
    }
}

pub(super) fn launch() -> Scenario {
    Scenario::new("launch")
        .description("When each user begins, one request, then an hour of waiting")
        .option(
            CustomOption::text("ports")
                .default("")
                .help("Ports of 127.0.0.1 that users connect to in turn, separated by spaces; the host if there are none."),
        )
        .user(
            FastHttpUser::<Waiting>::new("Waiting")
                .wait_time(constant(3_600.0))
                .on_start(Waiting::begin)
                .task(1, Waiting::request),
        )
}

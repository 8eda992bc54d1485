//! The users of this load test, and a command line with every subcommand of `greylag`.

use greylag::prelude::*;

/// One simulated user, with what it remembers.
#[derive(Default)]
struct Visitor {
    visits: u64,
}

#[fast_http_user(wait_time = between(1.0, 3.0))]
impl Visitor {
    /// Runs once for each user, before its first task: the place for a login.
    async fn on_start(&mut self, client: &mut Client) -> TaskResult {
        client.get("/").name("/ (first visit)").send().await?;
        Ok(())
    }

    /// Picked three times as often as the other task.
    #[task(weight = 3)]
    async fn front_page(&mut self, client: &mut Client) -> TaskResult {
        self.visits += 1;
        client.get("/").send().await?;
        Ok(())
    }

    /// Judges the response itself instead of going by its status.
    #[task(tags("checked"))]
    async fn checked_page(&mut self, client: &mut Client) -> TaskResult {
        let visit = self.visits.to_string();
        let page = client
            .get("/")
            .query(&[("visit", visit.as_str())])
            .name("/?visit=[n]")
            .catch()
            .send()
            .await?;
        if page.is_ok() && page.text().is_empty() {
            return page.failure("empty page");
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    greylag::main!(Visitor)
}

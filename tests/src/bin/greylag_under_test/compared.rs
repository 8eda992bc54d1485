//! The users that the benches compare with those of other load generators: one request again and again, without waits.

use greylag_scenarios::prelude::*;

/// With the fast and with the full client.
pub(crate) fn all() -> Vec<Scenario> {
    let fast = FastHttpUser::<Compared>::new("Compared")
        .on_start(Compared::on_start)
        .task(1, Compared::request);
    let full = HttpUser::<Compared>::new("Compared")
        .on_start(Compared::on_start)
        .task(1, Compared::request);
    vec![
        with_options("compared-fast").user(fast),
        with_options("compared-full").user(full),
    ]
}

fn with_options(name: &str) -> Scenario {
    let body = CustomOption::text("body").default("");
    Scenario::new(name)
        .description("One request again and again")
        .option(CustomOption::text("path").default("/"))
        .option(body.help("JSON to POST."))
}

#[derive(Default)]
struct Compared {
    path: String,
    body: String,
}

impl Compared {
    async fn on_start(&mut self, client: &mut Client) -> TaskResult {
        let options = client.run().options();
        self.path = options.text("path")?.to_owned();
        self.body = options.text("body")?.to_owned();
        Ok(())
    }

    async fn request(&mut self, client: &mut Client) -> TaskResult {
        if self.body.is_empty() {
            client.get(&self.path).send().await?;
        } else {
            client
                .post(&self.path)
                .header("content-type", "application/json")
                .body(self.body.clone())
                .send()
                .await?;
        }
        Ok(())
    }
}

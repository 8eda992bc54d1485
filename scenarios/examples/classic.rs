//! A classic locustfile, ported line by line from classic_locustfile.py.
//!
//! `cargo run --release --example classic -- run --host http://localhost:8080`

use greylag::prelude::*;
use greylag::serde::Deserialize;

#[derive(Default)]
struct Visitor;

impl Visitor {
    async fn on_start(&mut self, client: &mut Client) -> TaskResult {
        client
            .post("/login")
            .form(&[("username", "ada"), ("password", "lovelace")])
            .send()
            .await?;
        Ok(())
    }

    async fn index(&mut self, client: &mut Client) -> TaskResult {
        client.get("/").send().await?;
        Ok(())
    }

    async fn article(&mut self, client: &mut Client) -> TaskResult {
        for article in 1..4 {
            client
                .get(format!("/articles/{article}"))
                .name("/articles/[id]")
                .send()
                .await?;
        }
        Ok(())
    }

    async fn search(&mut self, client: &mut Client) -> TaskResult {
        client
            .get("/search")
            .query(&[("q", "wild goose"), ("page", "2")])
            .send()
            .await?;
        Ok(())
    }

    async fn profile(&mut self, client: &mut Client) -> TaskResult {
        let response = client.get("/profile").catch().send().await?;
        if response.status() == 404 {
            return response.success();
        }
        Ok(())
    }

    async fn old_page(&mut self, client: &mut Client) -> TaskResult {
        client.get("/old").send().await?;
        Ok(())
    }

    async fn cart(&mut self, client: &mut Client) -> TaskResult {
        let response = client
            .post("/cart")
            .json(&json!({ "article": 7 }))
            .catch()
            .send()
            .await?;
        if response.json::<Cart>()?.items == 0 {
            return response.failure("the cart is empty");
        }
        Ok(())
    }

    async fn on_stop(&mut self, client: &mut Client) -> TaskResult {
        client.get("/logout").send().await?;
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(crate = "greylag::serde")]
struct Cart {
    items: u64,
}

#[derive(Default)]
struct Editor;

impl Editor {
    async fn save(&mut self, client: &mut Client) -> TaskResult {
        client
            .put("/articles/7")
            .json(&json!({ "title": "Greylag" }))
            .send()
            .await?;
        Ok(())
    }

    async fn remove(&mut self, client: &mut Client) -> TaskResult {
        client.delete("/articles/8").send().await?;
        Ok(())
    }

    async fn broken(&mut self, client: &mut Client) -> TaskResult {
        client.get("/broken").send().await?;
        Ok(())
    }

    async fn statistics(&mut self, client: &mut Client) -> TaskResult {
        let response = client
            .get("/statistics")
            .header("X-Role", "editor")
            .send()
            .await?;
        response.json::<Statistics>()?;
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(crate = "greylag::serde")]
struct Statistics {
    #[expect(dead_code, reason = "only looked for in the response")]
    views: u64,
}

/// The scenario `classic`.
pub(crate) fn scenario() -> Scenario {
    Scenario::new("classic")
        .description("A classic locustfile ported to Rust: visitors who read, editors who write")
        .user(
            HttpUser::<Visitor>::new("Visitor")
                .weight(3.0)
                .wait_time(between(1.0, 3.0))
                .on_start(Visitor::on_start)
                .task(3, Visitor::index)
                .task(2, Visitor::article)
                .task(1, Visitor::search)
                .task(1, Visitor::profile)
                .task(1, Visitor::old_page)
                .task(1, Visitor::cart)
                .on_stop(Visitor::on_stop),
        )
        .user(
            HttpUser::<Editor>::new("Editor")
                .wait_time(between(1.0, 3.0))
                .task(1, Editor::save)
                .task(1, Editor::remove)
                .task(1, Editor::broken)
                .task(1, Editor::statistics),
        )
}

fn main() -> ExitCode {
    greylag::main!(scenario = scenario())
}

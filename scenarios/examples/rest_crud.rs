//! Editors who create, read, change and remove notes through a JSON API.
//!
//! Ported from rest_crud_locustfile.py, beside it.
//!
//! `cargo run --release --example rest_crud -- run --host http://localhost:8080`

use greylag::prelude::*;
use greylag::rand::seq::IndexedRandom;

#[derive(Default)]
struct Editor {
    notes: Vec<u64>,
}

#[fast_http_user(
    wait_time = between(0.2, 0.6),
    with = |user| user.default_header("X-Client", "editor"),
)]
impl Editor {
    async fn on_start(&mut self, client: &mut Client) -> TaskResult {
        self.create(client).await
    }

    fn any_note(&self) -> Result<u64, TaskError> {
        match self.notes.choose(&mut greylag::rand::rng()) {
            Some(note) => Ok(*note),
            None => reschedule(),
        }
    }

    #[task(weight = 4)]
    async fn create(&mut self, client: &mut Client) -> TaskResult {
        let note = json!({ "title": "Migration", "pages": 3 });
        let response = client
            .rest(Method::POST, "/notes")
            .json(&note)
            .send()
            .await?;
        let status = response.status().as_u16();
        if status != 201 {
            return response.failure(format!("not created: {status}"));
        }
        self.notes.extend(response.js()["id"].as_u64());
        Ok(())
    }

    #[task(weight = 6)]
    async fn read(&mut self, client: &mut Client) -> TaskResult {
        let note = self.any_note()?;
        let request = client
            .rest(Method::GET, format!("/notes/{note}"))
            .name("/notes/[id]");
        let response = request.send().await?;
        if response.js().is_object() && response.js()["id"] != note {
            return response.failure("another note came back");
        }
        Ok(())
    }

    #[task(weight = 3)]
    async fn change(&mut self, client: &mut Client) -> TaskResult {
        // The service answers with a redirect to the note: one sample, judged by where it ends.
        let note = self.any_note()?;
        let change = json!({ "title": "Wintering" });
        client
            .put(format!("/notes/{note}"))
            .json(&change)
            .name("/notes/[id]")
            .send()
            .await?;
        Ok(())
    }

    #[task(weight = 2)]
    async fn remove(&mut self, client: &mut Client) -> TaskResult {
        let note = self.any_note()?;
        self.notes.retain(|other| *other != note);
        let path = format!("/notes/{note}");
        client.delete(&path).name("/notes/[id]").send().await?;
        let response = client
            .get(&path)
            .name("/notes/[id] (removed)")
            .catch()
            .send()
            .await?;
        if response.status() == 404 {
            return response.success();
        }
        response.failure("a removed note is still there")
    }

    #[task(weight = 2)]
    async fn search(&mut self, client: &mut Client) -> TaskResult {
        let request = client
            .rest(Method::GET, "/notes?title=Migration")
            .name("/notes?title=");
        let response = request.send().await?;
        if !response.js().is_null() && !response.js().is_array() {
            return response.failure("not a list of notes");
        }
        Ok(())
    }

    #[task]
    async fn missing(&mut self, client: &mut Client) -> TaskResult {
        client.get("/notes/0").send().await?;
        Ok(())
    }

    #[task]
    async fn export(&mut self, client: &mut Client) -> TaskResult {
        // Written for people: no JSON, which is a failure for rest().
        client.rest(Method::GET, "/notes/export").send().await?;
        Ok(())
    }
}

/// The scenario `rest_crud`.
pub(crate) fn scenario() -> Scenario {
    Scenario::new("rest_crud")
        .description("Editors who create, read, change and remove notes through a JSON API")
        .user_type::<Editor>()
}

fn main() -> ExitCode {
    greylag::main!(scenario = scenario())
}

//! Members sign in, carry a token and a session cookie, and sign out; strangers do not get in.
//!
//! Ported from login_journey_locustfile.py, beside it.
//!
//! `cargo run --release --example login_journey -- run --host http://localhost:8080`

use greylag::prelude::*;
use greylag::serde::Deserialize;

#[derive(Default)]
struct Member {
    name: String,
}

#[derive(Deserialize)]
#[serde(crate = "greylag::serde")]
struct Login {
    token: String,
}

#[http_user(weight = 3, wait_time = between(0.5, 1.5))]
impl Member {
    async fn on_start(&mut self, client: &mut Client) -> TaskResult {
        self.name = format!("member-{}", client.user().index + 1);
        let account = json!({ "user": self.name, "password": "swordfish" });
        let login = client.post("/login").json(&account).send().await?;
        carry(client, login.json()?)
    }

    #[task(weight = 5)]
    async fn timeline(&mut self, client: &mut Client) -> TaskResult {
        for page in 1..3 {
            client
                .get("/timeline")
                .query(&[("page", page)])
                .name("/timeline")
                .send()
                .await?;
        }
        Ok(())
    }

    #[task(weight = 3)]
    async fn message(&mut self, client: &mut Client) -> TaskResult {
        let number = greylag::rand::random_range(1..=50);
        client
            .get(format!("/messages/{number}"))
            .name("/messages/[id]")
            .send()
            .await?;
        Ok(())
    }

    #[task]
    async fn write(&mut self, client: &mut Client) -> TaskResult {
        let message = json!({ "from": self.name, "text": "See you at the lake" });
        client.post("/messages").json(&message).send().await?;
        Ok(())
    }

    #[task]
    async fn renew_token(&mut self, client: &mut Client) -> TaskResult {
        let renewed = client.post("/token").send().await?;
        carry(client, renewed.json()?)
    }

    async fn on_stop(&mut self, client: &mut Client) -> TaskResult {
        client.post("/logout").send().await?;
        Ok(())
    }
}

/// From now on every request of this user has the token.
fn carry(client: &mut Client, login: Login) -> TaskResult {
    let bearer = format!("Bearer {}", login.token);
    client
        .headers_mut()
        .insert("authorization", bearer.parse()?);
    Ok(())
}

#[derive(Default)]
struct Stranger;

#[fast_http_user(wait_time = between(1.0, 2.0))]
impl Stranger {
    #[task(weight = 2)]
    async fn front_page(&mut self, client: &mut Client) -> TaskResult {
        client.get("/").send().await?;
        Ok(())
    }

    #[task]
    async fn wrong_password(&mut self, client: &mut Client) -> TaskResult {
        let guess = json!({ "user": "nobody", "password": "guess" });
        let request = client.post("/login").json(&guess).name("/login (wrong)");
        let response = request.catch().send().await?;
        let status = response.status().as_u16();
        match status {
            401 => response.success(),
            _ => response.failure(format!("let in with a wrong password: {status}")),
        }
    }

    #[task]
    async fn members_only(&mut self, client: &mut Client) -> TaskResult {
        client
            .get("/timeline")
            .name("/timeline (stranger)")
            .send()
            .await?;
        Ok(())
    }
}

/// The scenario `login_journey`.
pub(crate) fn scenario() -> Scenario {
    Scenario::new("login_journey")
        .description("Members sign in, carry a token, and sign out; strangers do not get in")
        .user_type::<Member>()
        .user_type::<Stranger>()
}

fn main() -> ExitCode {
    greylag::main!(scenario = scenario())
}

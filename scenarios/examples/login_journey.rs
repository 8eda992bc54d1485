//! Members sign in, carry a token and a session cookie, and sign out; strangers do not get in.
//!
//! Ported from login_journey_locustfile.py.

use greylag::prelude::*;
use serde::Deserialize;
use serde_json::json;

#[derive(Default)]
struct Member {
    name: String,
}

#[derive(Deserialize)]
struct Token {
    token: String,
}

impl Member {
    async fn on_start(&mut self, client: &mut Client) -> TaskResult {
        self.name = format!("member-{}", client.user().index);
        let login = client
            .post("/login")
            .json(&json!({ "user": self.name, "password": "swordfish" }))
            .send()
            .await?;
        carry(client, &login)
    }

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

    async fn message(&mut self, client: &mut Client) -> TaskResult {
        let number = rand::random_range(1..=50);
        client
            .get(format!("/messages/{number}"))
            .name("/messages/[id]")
            .send()
            .await?;
        Ok(())
    }

    async fn write(&mut self, client: &mut Client) -> TaskResult {
        let message = json!({ "from": self.name, "text": "See you at the lake" });
        client.post("/messages").json(&message).send().await?;
        Ok(())
    }

    async fn renew_token(&mut self, client: &mut Client) -> TaskResult {
        let renewed = client.post("/token").send().await?;
        carry(client, &renewed)
    }

    async fn on_stop(&mut self, client: &mut Client) -> TaskResult {
        client.post("/logout").send().await?;
        Ok(())
    }
}

/// From now on every request of this user has the token.
fn carry(client: &mut Client, response: &Response) -> TaskResult {
    let Token { token } = response.json()?;
    client
        .headers_mut()
        .insert("authorization", format!("Bearer {token}").parse()?);
    Ok(())
}

#[derive(Default)]
struct Stranger;

impl Stranger {
    async fn front_page(&mut self, client: &mut Client) -> TaskResult {
        client.get("/").send().await?;
        Ok(())
    }

    async fn wrong_password(&mut self, client: &mut Client) -> TaskResult {
        let guess = json!({ "user": "nobody", "password": "guess" });
        let response = client
            .post("/login")
            .json(&guess)
            .name("/login (wrong)")
            .catch()
            .send()
            .await?;
        if response.status() == 401 {
            return response.success();
        }
        let status = response.status();
        response.failure(format!("let in with a wrong password: {status}"))
    }

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
pub fn scenario() -> Scenario {
    Scenario::new("login_journey")
        .description("Members sign in, carry a token, and sign out; strangers do not get in")
        .user(
            HttpUser::<Member>::new("Member")
                .weight(3.0)
                .wait_time(between(0.5, 1.5))
                .on_start(Member::on_start)
                .task(5, Member::timeline)
                .task(3, Member::message)
                .task(1, Member::write)
                .task(1, Member::renew_token)
                .on_stop(Member::on_stop),
        )
        .user(
            FastHttpUser::<Stranger>::new("Stranger")
                .wait_time(between(1.0, 2.0))
                .task(2, Stranger::front_page)
                .task(1, Stranger::wrong_password)
                .task(1, Stranger::members_only),
        )
}

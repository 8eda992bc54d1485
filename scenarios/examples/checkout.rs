//! Customers from a file, who buy step by step: a sequence with a nested look around the shop.
//!
//! Ported from checkout_locustfile.py, beside it.
//!
//! `cargo run --release --example checkout -- run --host http://localhost:8080`

use greylag::prelude::*;
use greylag::serde::Deserialize;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(crate = "greylag::serde")]
struct Row {
    name: String,
    card: String,
    country: String,
}

static CUSTOMERS: Rows<Row> = Rows::csv_text(include_str!("checkout_customers.csv"));

#[derive(Default)]
struct Customer {
    customer: Row,
    basket: Vec<Value>,
}

#[http_user(wait_time = constant_pacing(0.5))]
impl Customer {
    async fn on_start(&mut self, client: &mut Client) -> TaskResult {
        self.customer = CUSTOMERS.next(client)?.clone();
        client
            .post("/session")
            .form(&[("name", &self.customer.name)])
            .send()
            .await?;
        Ok(())
    }

    #[task]
    type Checkout = Checkout;

    async fn on_stop(&mut self, client: &mut Client) -> TaskResult {
        client.delete("/session").send().await?;
        Ok(())
    }
}

#[derive(Default)]
struct Checkout;

#[sequential_task_set(user = Customer)]
impl Checkout {
    async fn on_start(&mut self, user: &mut Customer, client: &mut Client) -> TaskResult {
        user.basket.clear();
        client.get("/shop").send().await?;
        Ok(())
    }

    #[task]
    type LookAround = LookAround;

    #[task(tags("payment"))]
    async fn address(&mut self, user: &mut Customer, client: &mut Client) -> TaskResult {
        let Row { name, country, .. } = &user.customer;
        client
            .put("/address")
            .json(&json!({ "name": name, "country": country }))
            .send()
            .await?;
        Ok(())
    }

    #[task(tags("payment"))]
    async fn pay(&mut self, user: &mut Customer, client: &mut Client) -> TaskResult {
        let card = &user.customer.card;
        let order = json!({ "products": user.basket, "card": card });
        let response = client.post("/orders").json(&order).catch().send().await?;
        if response.status() == 402 && card.is_empty() {
            return response.success();
        }
        Ok(())
    }

    #[task(tags("payment"))]
    async fn receipt(&mut self, user: &mut Customer, client: &mut Client) -> TaskResult {
        let path = format!("/orders/of/{}", user.customer.name);
        client
            .get(path)
            .name("/orders/of/[customer]")
            .send()
            .await?;
        user.basket.clear();
        Ok(())
    }
}

#[derive(Default)]
struct LookAround;

#[task_set(user = Customer, wait_time = constant(0.1))]
impl LookAround {
    #[task(weight = 3, tags("browse"))]
    async fn product(&mut self, user: &mut Customer, client: &mut Client) -> TaskResult {
        let response = client.get("/products/next").catch().send().await?;
        user.basket.push(response.json::<Value>()?["id"].take());
        Ok(())
    }

    #[task(tags("browse"))]
    async fn enough(&mut self, user: &mut Customer, _: &mut Client) -> TaskResult {
        if user.basket.is_empty() {
            return Ok(());
        }
        interrupt()
    }
}

/// The scenario `checkout`.
pub(crate) fn scenario() -> Scenario {
    Scenario::new("checkout")
        .description("Customers from a file, who buy step by step")
        .data(&CUSTOMERS)
        .user_type::<Customer>()
}

fn main() -> ExitCode {
    greylag::main!(scenario = scenario())
}

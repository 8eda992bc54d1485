//! The demo's shop: people who look around, and some who try to buy.
//!
//! `cargo run --release --example shop -- run --host http://localhost:8080`

use greylag::prelude::*;
use greylag::serde::Deserialize;

#[derive(Deserialize)]
#[serde(crate = "greylag::serde")]
struct Product {
    id: u64,
    name: String,
}

/// A visitor who walks through the shop and puts things into a basket.
#[derive(Default)]
struct Shopper {
    products: Vec<Product>,
    basket: Vec<u64>,
}

impl Shopper {
    async fn on_start(&mut self, client: &mut Client) -> TaskResult {
        client.get("/").send().await?;
        Ok(())
    }

    async fn homepage(&mut self, client: &mut Client) -> TaskResult {
        client.get("/").send().await?;
        Ok(())
    }

    async fn products(&mut self, client: &mut Client) -> TaskResult {
        let page = client.get("/api/products").catch().send().await?;
        if !page.is_ok() {
            return Ok(());
        }
        self.products = page.json()?;
        if self.products.is_empty() {
            return page.failure("empty catalogue");
        }
        page.success()
    }

    async fn product(&mut self, client: &mut Client) -> TaskResult {
        let seen = self
            .products
            .get(self.basket.len() % self.products.len().max(1));
        let id = seen.map_or(1, |product| product.id);
        client
            .get(format!("/api/products/{id}"))
            .name("/api/products/[id]")
            .send()
            .await?;
        self.basket.push(id);
        Ok(())
    }

    async fn search(&mut self, client: &mut Client) -> TaskResult {
        let word = self
            .products
            .first()
            .map_or("goose", |product| &product.name);
        client
            .get("/api/search")
            .query(&[("q", word)])
            .name("/api/search?q=")
            .send()
            .await?;
        Ok(())
    }

    async fn checkout(&mut self, client: &mut Client) -> TaskResult {
        let basket = std::mem::take(&mut self.basket);
        client
            .post("/api/checkout")
            .json(&json!({ "products": basket }))
            .send()
            .await?;
        Ok(())
    }
}

/// The scenario `shop`.
pub(crate) fn scenario() -> Scenario {
    Scenario::new("shop")
        .description(
            "The demo's shop: healthy pages, a slow search, and a checkout that answers 405",
        )
        .user(
            FastHttpUser::<Shopper>::new("Shopper")
                .wait_time(between(0.5, 1.5))
                .on_start(Shopper::on_start)
                .task(4, Shopper::homepage)
                .task(3, Shopper::products)
                .task(5, Shopper::product)
                .task(2, Shopper::search)
                .task(1, Shopper::checkout),
        )
}

fn main() -> ExitCode {
    greylag::main!(scenario = scenario())
}

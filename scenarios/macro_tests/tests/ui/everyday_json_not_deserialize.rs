use greylag::prelude::*;

struct Product;

#[derive(Default)]
struct Visitor;

#[fast_http_user]
impl Visitor {
    #[task]
    async fn visit(&mut self, client: &mut Client) -> TaskResult {
        let product: Product = client.get("/products/1").send().await?.json()?;
        Ok(())
    }
}

fn main() {}

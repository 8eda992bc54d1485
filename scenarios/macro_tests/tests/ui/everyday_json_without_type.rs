use greylag::prelude::*;

#[derive(Default)]
struct Visitor;

#[fast_http_user]
impl Visitor {
    #[task]
    async fn visit(&mut self, client: &mut Client) -> TaskResult {
        let products = client.get("/products").send().await?.json()?;
        Ok(())
    }
}

fn main() {}

use greylag::prelude::*;

#[derive(Default)]
struct Visitor;

#[fast_http_user]
impl Visitor {
    #[task]
    async fn visit(&mut self, client: &mut Client) -> TaskResult {
        client.get("/products").params(&[("page", "2")]).send().await?;
        Ok(())
    }
}

fn main() {}

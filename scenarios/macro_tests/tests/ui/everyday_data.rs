use greylag::prelude::*;

#[derive(Default)]
struct Visitor;

#[fast_http_user]
impl Visitor {
    #[task]
    async fn visit(&mut self, client: &mut Client) -> TaskResult {
        client.post("/login").data(&[("user", "ada")]).send().await?;
        Ok(())
    }
}

fn main() {}

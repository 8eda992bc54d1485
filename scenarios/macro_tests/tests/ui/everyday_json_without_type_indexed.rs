use greylag::prelude::*;

#[derive(Default)]
struct Visitor;

#[fast_http_user]
impl Visitor {
    #[task]
    async fn visit(&mut self, client: &mut Client) -> TaskResult {
        let token = client.get("/token").send().await?.json()?["token"];
        Ok(())
    }
}

fn main() {}

use greylag::prelude::*;

#[derive(Default)]
struct Visitor;

#[fast_http_user]
impl Visitor {
    #[task]
    async fn visit(&mut self, client: &mut Client) -> TaskResult {
        client.get("/").headers("X-Token: 1").send().await?;
        Ok(())
    }
}

fn main() {}

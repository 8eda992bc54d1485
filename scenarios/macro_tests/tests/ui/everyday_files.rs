use greylag::prelude::*;

#[derive(Default)]
struct Visitor;

#[fast_http_user]
impl Visitor {
    #[task]
    async fn visit(&mut self, client: &mut Client) -> TaskResult {
        client.post("/upload").files("cat.png").send().await?;
        Ok(())
    }
}

fn main() {}

use greylag::prelude::*;

#[derive(Default)]
struct Visitor;

#[fast_http_user]
impl Visitor {
    #[task]
    async fn visit(&mut self, client: &mut Client) -> TaskResult {
        client.get(7).send().await?;
        Ok(())
    }
}

fn main() {}

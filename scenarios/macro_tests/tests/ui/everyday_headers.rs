use greylag::prelude::*;

#[derive(Default)]
struct Visitor;

#[fast_http_user]
impl Visitor {
    #[task]
    async fn visit(&mut self, client: &mut Client) -> TaskResult {
        client.headers.insert("X-Token", "1");
        client.headers().clear();
        Ok(())
    }
}

fn main() {}

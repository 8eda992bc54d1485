use greylag::prelude::*;

#[derive(Default)]
struct Visitor;

#[fast_http_user]
impl Visitor {
    #[task]
    async fn visit(&mut self, client: &mut Client) -> TaskResult {
        let status = client.get("/").status();
        let text = client.get("/").text();
        Ok(())
    }
}

fn main() {}

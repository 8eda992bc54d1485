use greylag::prelude::*;

#[derive(Default)]
struct Visitor;

#[fast_http_user]
impl Visitor {
    #[task]
    async fn visit(&mut self, client: &mut Client) -> TaskResult {
        if client.get("/").send().await?.text().is_empty() {
            return Err("nothing there");
        }
        Ok(())
    }
}

fn main() {}

use greylag::prelude::*;

#[derive(Default)]
struct Visitor;

#[fast_http_user]
impl Visitor {
    #[task]
    async fn visit(&mut self, client: &mut Client) -> TaskResult {
        let page = client.get("/").send().await?;
        if page.text().is_empty() {
            return page.failure("empty");
        }
        Ok(())
    }
}

fn main() {}

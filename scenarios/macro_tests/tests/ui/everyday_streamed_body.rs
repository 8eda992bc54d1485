use greylag::prelude::*;

#[derive(Default)]
struct Visitor;

#[fast_http_user]
impl Visitor {
    #[task]
    async fn visit(&mut self, client: &mut Client) -> TaskResult {
        let page = client.get("/").stream().send().await?;
        if page.body().is_empty() {}
        for line in page.iter_lines() {}
        Ok(())
    }
}

fn main() {}

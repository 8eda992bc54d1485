use greylag::prelude::*;

#[derive(Default)]
struct Visitor;

#[fast_http_user]
impl Visitor {
    #[task]
    async fn visit(&mut self, client: &mut Client) -> TaskResult {
        let page = client.get("/").send().await?;
        if page.status_code() == 200 {}
        if page.ok() {}
        let body = page.content();
        page.raise_for_status();
        for line in page.iter_lines() {}
        Ok(())
    }
}

fn main() {}

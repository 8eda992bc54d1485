use greylag::prelude::*;

#[derive(Default)]
struct Visitor;

#[fast_http_user]
impl Visitor {
    #[task]
    async fn visit(&mut self, client: &mut Client) -> TaskResult {
        let page = client.get("/").send().await?;
        if page.status_code == 200 {}
        if page.ok {}
        if page.text.contains("x") {}
        let body = page.content;
        let elapsed = page.elapsed.total_seconds;
        let json = page.json["items"];
        let kind = page.headers["content-type"];
        Ok(())
    }
}

fn main() {}

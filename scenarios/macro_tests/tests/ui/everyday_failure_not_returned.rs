// As in the crates that `greylag new` makes.
#![deny(unused_must_use)]

use greylag::prelude::*;

#[derive(Default)]
struct Visitor;

#[fast_http_user]
impl Visitor {
    #[task]
    async fn visit(&mut self, client: &mut Client) -> TaskResult {
        let page = client.get("/").catch().send().await?;
        if page.status() != 200 {
            page.failure("not there");
        }
        Ok(())
    }
}

fn main() {}

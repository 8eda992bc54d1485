use greylag::prelude::*;

#[derive(Default)]
struct WebsiteUser;

#[fast_http_user]
impl WebsiteUser {
    #[task(tags())]
    async fn homepage(&mut self, _: &mut Client) -> TaskResult {
        Ok(())
    }
}

fn main() {}

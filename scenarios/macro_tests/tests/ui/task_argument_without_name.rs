use greylag::prelude::*;

#[derive(Default)]
struct WebsiteUser;

#[fast_http_user]
impl WebsiteUser {
    #[task(3)]
    async fn homepage(&mut self, _: &mut Client) -> TaskResult {
        Ok(())
    }
}

fn main() {}

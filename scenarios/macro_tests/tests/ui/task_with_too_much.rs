use greylag::prelude::*;

#[derive(Default)]
struct WebsiteUser;

#[fast_http_user]
impl WebsiteUser {
    #[task]
    async fn homepage(&mut self, _: &mut Client, _: u64) -> TaskResult {
        Ok(())
    }
}

fn main() {}

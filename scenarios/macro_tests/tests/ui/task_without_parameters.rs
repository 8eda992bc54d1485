use greylag::prelude::*;

#[derive(Default)]
struct WebsiteUser;

#[fast_http_user]
impl WebsiteUser {
    #[task]
    async fn homepage() -> TaskResult {
        Ok(())
    }
}

fn main() {}

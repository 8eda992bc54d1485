use greylag::prelude::*;

#[derive(Default)]
struct WebsiteUser;

#[fast_http_user]
impl WebsiteUser {
    #[task]
    async fn run(&mut self, _: &mut Client) -> TaskResult {
        Ok(())
    }
}

fn main() {}

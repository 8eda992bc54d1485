use greylag::prelude::*;

struct WebsiteUser;

impl WebsiteUser {
    #[transitions(homepage)]
    async fn homepage(&mut self, _: &mut Client) -> TaskResult {
        Ok(())
    }
}

fn main() {}

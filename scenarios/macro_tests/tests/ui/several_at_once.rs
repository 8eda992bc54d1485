use greylag::prelude::*;

#[derive(Default)]
struct WebsiteUser;

#[fast_http_user]
impl WebsiteUser {
    #[task(weight = 0)]
    fn homepage(&mut self, _: &mut Client) -> TaskResult {
        Ok(())
    }

    #[task]
    async fn products(&mut self) -> TaskResult {
        Ok(())
    }
}

fn main() {}

use greylag::prelude::*;

#[derive(Default)]
struct WebsiteUser;

#[fast_http_user(wait_time)]
impl WebsiteUser {
    #[task]
    async fn homepage(&mut self, client: &mut Client) -> TaskResult {
        client.get("/").send().await?;
        Ok(())
    }
}

fn main() {}

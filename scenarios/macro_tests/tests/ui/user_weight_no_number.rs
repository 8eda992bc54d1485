use greylag::prelude::*;

#[derive(Default)]
struct WebsiteUser;

#[fast_http_user(weight = "3")]
impl WebsiteUser {
    #[task]
    async fn homepage(&mut self, client: &mut Client) -> TaskResult {
        client.get("/").send().await?;
        Ok(())
    }
}

fn main() {}

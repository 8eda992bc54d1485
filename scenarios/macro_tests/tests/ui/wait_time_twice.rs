use greylag::prelude::*;

#[derive(Default)]
struct WebsiteUser;

#[fast_http_user(wait_time = constant(1.0))]
impl WebsiteUser {
    #[task]
    async fn homepage(&mut self, client: &mut Client) -> TaskResult {
        client.get("/").send().await?;
        Ok(())
    }

    fn wait_time(&mut self) -> Duration {
        Duration::ZERO
    }
}

fn main() {}

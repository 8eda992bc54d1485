use greylag::prelude::*;

#[derive(Default)]
struct WebsiteUser;

#[fast_http_user]
impl WebsiteUser {
    #[task]
    async fn homepage(&mut self, client: &mut Client) -> TaskResult {
        client.get("/").send().await?;
        Ok(())
    }

    fn on_start(&mut self, _: &mut Client) -> TaskResult {
        Ok(())
    }
}

fn main() {}

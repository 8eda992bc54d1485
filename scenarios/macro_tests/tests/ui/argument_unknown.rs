use greylag::prelude::*;

#[derive(Default)]
struct WebsiteUser;

#[http_user(wieght = 3)]
impl WebsiteUser {
    #[task]
    async fn homepage(&mut self, client: &mut Client) -> TaskResult {
        client.get("/").send().await?;
        Ok(())
    }
}

fn main() {}

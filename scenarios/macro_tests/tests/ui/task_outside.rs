use greylag::prelude::*;

struct WebsiteUser;

impl WebsiteUser {
    #[task]
    async fn homepage(&mut self, client: &mut Client) -> TaskResult {
        client.get("/").send().await?;
        Ok(())
    }
}

fn main() {}

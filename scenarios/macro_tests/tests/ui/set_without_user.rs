use greylag::prelude::*;

struct WebsiteUser;

#[derive(Default)]
struct Browsing;

#[task_set]
impl Browsing {
    #[task]
    async fn look(&mut self, _: &mut WebsiteUser, client: &mut Client) -> TaskResult {
        client.get("/").send().await?;
        Ok(())
    }
}

fn main() {}

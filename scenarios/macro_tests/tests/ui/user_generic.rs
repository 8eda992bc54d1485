use greylag::prelude::*;

#[derive(Default)]
struct WebsiteUser<T>(T);

#[http_user]
impl<T: Default + Send> WebsiteUser<T> {
    #[task]
    async fn homepage(&mut self, client: &mut Client) -> TaskResult {
        client.get("/").send().await?;
        Ok(())
    }
}

fn main() {}

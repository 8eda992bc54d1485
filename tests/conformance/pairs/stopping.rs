//! Port of stopping.py.

use greylag::prelude::*;

#[derive(Default)]
pub(super) struct Stopper {
    turns: u32,
}

#[http_user(wait_time = constant(0.1))]
impl Stopper {
    #[task]
    async fn stop_at_the_third(&mut self, client: &mut Client) -> TaskResult {
        self.turns += 1;
        client
            .get(format!("/Stopper/{}", self.turns))
            .send()
            .await?;
        if self.turns == 3 {
            return stop_test("three turns are enough");
        }
        Ok(())
    }

    async fn on_stop(&mut self, client: &mut Client) -> TaskResult {
        client.get("/Stopper/stops").send().await?;
        Ok(())
    }
}

#[derive(Default)]
pub(super) struct Bystander;

#[http_user(wait_time = constant(30.0))]
impl Bystander {
    #[task]
    async fn once(&mut self, client: &mut Client) -> TaskResult {
        client.get("/Bystander/waits").send().await?;
        Ok(())
    }

    async fn on_stop(&mut self, client: &mut Client) -> TaskResult {
        client.get("/Bystander/stops").send().await?;
        Ok(())
    }
}

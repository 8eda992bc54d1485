//! Port of statuses.py.

use greylag::prelude::*;

async fn ask_for_all(client: &mut Client, name: &str) -> TaskResult {
    for status in (200..600).chain([600, 799, 999]) {
        // One name for a hundred, so that there are not more endpoints than a report should have.
        let url = format!("/{name}/status/{status}");
        client
            .get(url)
            .name(format!("/{name}/{}xx", status / 100))
            .send()
            .await
            .ok();
    }
    for status in [100, 102, 103, 104, 150, 199] {
        client
            .get(format!("/{name}/interim/{status}"))
            .send()
            .await
            .ok();
    }
    stop_user()
}

#[derive(Default)]
pub(super) struct StatusesHttp;

#[http_user]
impl StatusesHttp {
    #[task]
    async fn once(&mut self, client: &mut Client) -> TaskResult {
        ask_for_all(client, "StatusesHttp").await
    }
}

#[derive(Default)]
pub(super) struct StatusesFast;

#[fast_http_user]
impl StatusesFast {
    #[task]
    async fn once(&mut self, client: &mut Client) -> TaskResult {
        ask_for_all(client, "StatusesFast").await
    }
}

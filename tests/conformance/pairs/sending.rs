//! Port of sending.py.

use greylag::prelude::*;
use serde_json::json;

async fn send_all(client: &mut Client, name: &str) -> TaskResult {
    let path = |rest: &str| format!("/{name}/{rest}");
    client.get(path("get")).send().await?;
    client
        .get(path("own-headers"))
        .header("X-Own", "1")
        .header("Accept", "text/html")
        .send()
        .await?;
    client
        .post(path("json"))
        .json(&json!({ "a": 1, "b": ["x", null, true] }))
        .send()
        .await?;
    client
        .post(path("form"))
        .form(&[("user", "ada"), ("word", "a b&c=d/ü~")])
        .send()
        .await?;
    client.post(path("text")).body("plain").send().await?;
    client
        .post(path("typed"))
        .body("<a/>")
        .header("Content-Type", "application/xml")
        .send()
        .await?;
    client.post(path("nothing")).send().await?;
    client.put(path("nothing")).send().await?;
    client.patch(path("text")).body("plain").send().await?;
    client.delete(path("delete")).send().await?;
    client.head(path("head")).send().await?;
    client.options(path("options")).send().await?;
    client
        .get(path("basic"))
        .basic_auth("ada", "love:lace")
        .send()
        .await?;
    client
        .get(path("query"))
        .query(&[("q", "wild goose"), ("and", "a&b=ü~")])
        .send()
        .await?;
    client
        .get(path("query?page=1"))
        .query(&[("q", "x")])
        .send()
        .await?;
    stop_user()
}

#[derive(Default)]
pub(super) struct SendingHttp;

#[http_user]
impl SendingHttp {
    #[task]
    async fn once(&mut self, client: &mut Client) -> TaskResult {
        send_all(client, "SendingHttp").await
    }
}

#[derive(Default)]
pub(super) struct SendingFast;

#[fast_http_user]
impl SendingFast {
    #[task]
    async fn once(&mut self, client: &mut Client) -> TaskResult {
        send_all(client, "SendingFast").await
    }
}

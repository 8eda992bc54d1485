//! Port of transport.py.

use greylag::prelude::*;

const CLOSING: [&str; 5] = [
    "close/before",
    "close/in-head",
    "close/in-body",
    "close/in-chunk",
    "close/reset",
];
const MALFORMED: [&str; 3] = ["bad/answer", "bad/chunk", "bad/gzip"];
const HANGING: [&str; 2] = ["hang/before", "hang/in-body"];
/// For whole answers of a busy machine, too.
const TIMEOUT: Duration = Duration::from_secs(3);

async fn try_all(client: &mut Client, name: &str) -> TaskResult {
    for what in CLOSING.iter().chain(&MALFORMED).chain(&HANGING) {
        client.get(format!("/{name}/{what}")).send().await.ok();
    }
    // Nothing listens on port 1.
    client
        .get("http://127.0.0.1:1/refused")
        .name(format!("/{name}/refused"))
        .send()
        .await
        .ok();
    let https = host(client).replace("http://", "https://");
    client
        .get(format!("{https}/{name}/tls"))
        .name(format!("/{name}/tls"))
        .send()
        .await
        .ok();
    client.get(format!("/{name}/still-here")).send().await.ok();
    stop_user()
}

/// The host as it was given, without a slash at its end.
pub(super) fn host(client: &Client) -> String {
    let host = client.run().host().expect("these runs have a host");
    host.as_str().trim_end_matches('/').to_owned()
}

#[derive(Default)]
pub(super) struct TransportHttp;

#[http_user(request_timeout = TIMEOUT)]
impl TransportHttp {
    #[task]
    async fn once(&mut self, client: &mut Client) -> TaskResult {
        try_all(client, "TransportHttp").await
    }
}

#[derive(Default)]
pub(super) struct TransportFast;

#[fast_http_user(request_timeout = TIMEOUT)]
impl TransportFast {
    #[task]
    async fn once(&mut self, client: &mut Client) -> TaskResult {
        try_all(client, "TransportFast").await
    }
}

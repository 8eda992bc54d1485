//! Port of redirects.py.

use greylag::prelude::*;
use http::Method;
use url::form_urlencoded::byte_serialize;

const CODES: [u16; 5] = [301, 302, 303, 307, 308];
const METHODS: [Method; 7] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
];
const LOCATIONS: [&str; 9] = [
    "landed",
    "../landed",
    "?only=query",
    "/absolute/path#fragment",
    "HERE/whole/url",
    "ELSEWHERE/other/host",
    "//HOST/without/scheme",
    "/with%20escapes/%C3%A4",
    "/with space",
];

/// Python's `quote`.
pub(super) fn quote(text: &str) -> String {
    byte_serialize(text.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}

async fn follow_all(client: &mut Client, name: &str) -> TaskResult {
    for code in CODES {
        for method in METHODS {
            let url = format!("/{name}/{code}?to=/{name}/landed/{code}/{method}");
            let has_body = matches!(method, Method::POST | Method::PUT | Method::PATCH);
            let mut request = client
                .request(method, url)
                .bearer_auth("secret")
                .header("Content-Type", "text/plain")
                .header("X-User", name)
                .name(format!("/{name}/{code}"))
                .allow_redirects(true);
            if has_body {
                request = request.body("body");
            }
            request.send().await.ok();
        }
    }
    for location in LOCATIONS {
        let to = quote(location);
        client
            .get(format!("/{name}/302/from/here?to={to}"))
            .bearer_auth("secret")
            .header("Content-Type", "text/plain")
            .header("X-User", name)
            .name(format!("/{name}/to {location}"))
            .send()
            .await
            .ok();
    }
    for code in [300, 304, 305, 306] {
        let url = format!("/{name}/{code}?to=/{name}/never");
        client
            .get(url)
            .name(format!("/{name}/{code}"))
            .send()
            .await
            .ok();
    }
    let url = format!("/{name}/302?to=/{name}/never");
    let not_followed = format!("/{name}/not followed");
    client
        .get(&url)
        .name(&not_followed)
        .allow_redirects(false)
        .send()
        .await
        .ok();
    client.head(&url).name(&not_followed).send().await.ok();
    for (path, own_name) in [
        ("chain/5".to_owned(), "chain"),
        ("loop".to_owned(), "loop"),
        (format!("302?to=/{name}/status/500"), "to an error"),
        (format!("302?to=/{name}/close/before"), "to nothing"),
    ] {
        let url = format!("/{name}/{path}");
        client
            .get(url)
            .name(format!("/{name}/{own_name}"))
            .send()
            .await
            .ok();
    }
    stop_user()
}

#[derive(Default)]
pub(super) struct RedirectsHttp;

#[http_user]
impl RedirectsHttp {
    #[task]
    async fn once(&mut self, client: &mut Client) -> TaskResult {
        follow_all(client, "RedirectsHttp").await
    }
}

#[derive(Default)]
pub(super) struct RedirectsFast;

#[fast_http_user]
impl RedirectsFast {
    #[task]
    async fn once(&mut self, client: &mut Client) -> TaskResult {
        follow_all(client, "RedirectsFast").await
    }
}

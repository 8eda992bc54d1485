//! Port of cookies.py.

use greylag::prelude::*;

use crate::redirects::quote;
use crate::transport::host;

const COOKIES: [&str; 16] = [
    "everywhere=1; Path=/",
    "deep=2; Path=/BASE/deep",
    "elsewhere=3; Path=/elsewhere",
    "default_path=4",
    "ended=5; Path=/; Max-Age=0",
    "past=6; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
    "lasting=7; Path=/; Max-Age=3600",
    "secure=8; Path=/; Secure",
    "http_only=9; Path=/; HttpOnly",
    "foreign=10; Path=/; Domain=example.com",
    "equals=a=b; Path=/",
    "strict=11; Path=/; SameSite=Strict",
    "changed=old; Path=/",
    "changed=new; Path=/",
    "removed=12; Path=/",
    "removed=; Path=/; Max-Age=0",
];

async fn eat_all(client: &mut Client, name: &str) -> TaskResult {
    for cookie in COOKIES {
        let cookie = cookie.replace("BASE", name);
        let cookie = quote(&cookie);
        let url = format!("/{name}/set/one?cookie={cookie}");
        client.get(url).name(format!("/{name}/set")).send().await?;
    }
    for path in ["", "deep", "deep/er", "deeper", "set/two"] {
        client.get(format!("/{name}/{path}")).send().await?;
    }
    let elsewhere = host(client).replace("127.0.0.1", "localhost");
    let other_host = format!("/{name}/other-host");
    client
        .get(format!("{elsewhere}{other_host}"))
        .name(&other_host)
        .send()
        .await?;
    stop_user()
}

#[derive(Default)]
pub(super) struct CookiesHttp;

#[http_user]
impl CookiesHttp {
    #[task]
    async fn once(&mut self, client: &mut Client) -> TaskResult {
        eat_all(client, "CookiesHttp").await
    }
}

#[derive(Default)]
pub(super) struct CookiesFast;

#[fast_http_user]
impl CookiesFast {
    #[task]
    async fn once(&mut self, client: &mut Client) -> TaskResult {
        eat_all(client, "CookiesFast").await
    }
}

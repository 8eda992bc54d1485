//! Port of cookie_forms.py.

use greylag::prelude::*;

const FORMS: &str = include_str!("../cookie_forms.jsonl");
const ASKED: [&str; 4] = ["set/two", "deep/er", "with%20space/x", "%C3%A4/x"];

async fn eat_all(client: &mut Client, name: &str) -> TaskResult {
    for form in 0..FORMS.lines().count() {
        for path in ["set/one", "set/last"].iter().chain(&ASKED) {
            let path = format!("/{name}/{form}/{path}");
            client.get(path).name("forms").send().await?;
        }
        client.clear_cookies();
    }
    stop_user()
}

#[derive(Default)]
pub(super) struct CookieFormsHttp;

#[http_user]
impl CookieFormsHttp {
    #[task]
    async fn once(&mut self, client: &mut Client) -> TaskResult {
        eat_all(client, "CookieFormsHttp").await
    }
}

#[derive(Default)]
pub(super) struct CookieFormsFast;

#[fast_http_user]
impl CookieFormsFast {
    #[task]
    async fn once(&mut self, client: &mut Client) -> TaskResult {
        eat_all(client, "CookieFormsFast").await
    }
}

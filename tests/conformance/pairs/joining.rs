//! Port of joining.py.

use greylag::prelude::*;

#[derive(Default)]
pub(super) struct JoiningHttp;

#[http_user]
impl JoiningHttp {
    #[task]
    async fn once(&mut self, client: &mut Client) -> TaskResult {
        for path in [
            "/JoiningHttp/rooted",
            "JoiningHttp/bare",
            "?JoiningHttp=query",
            "",
        ] {
            client
                .get(path)
                .name(format!("JoiningHttp {path}"))
                .send()
                .await?;
        }
        stop_user()
    }
}

#[derive(Default)]
pub(super) struct JoiningFast;

#[fast_http_user]
impl JoiningFast {
    #[task]
    async fn once(&mut self, client: &mut Client) -> TaskResult {
        for path in [
            "/JoiningFast/rooted",
            "JoiningFast/bare",
            "?JoiningFast=query",
            "",
        ] {
            client
                .get(path)
                .name(format!("JoiningFast {path}"))
                .send()
                .await?;
        }
        stop_user()
    }
}

//! Port of catching.py.

use greylag::prelude::*;
use http::Method;
use serde_json::json;

async fn judge_all(client: &mut Client, name: &str) -> TaskResult {
    let path = |rest: &str| format!("/{name}/{rest}");
    client
        .get(path("status/404?good"))
        .catch()
        .send()
        .await?
        .success()?;
    client
        .get(path("status/200?bad"))
        .catch()
        .send()
        .await?
        .failure("not what was asked for")?;
    client
        .get(path("status/404?unjudged"))
        .catch()
        .send()
        .await?;
    client
        .get(path("status/200?unjudged"))
        .catch()
        .send()
        .await?;
    let own_name = path("own name");
    client
        .get(path("status/404?good and named"))
        .name(own_name)
        .catch()
        .send()
        .await?
        .success()?;
    client
        .get(path("status/200?raised"))
        .catch()
        .send()
        .await?
        .judge(|_| Err(ResponseError::new("the response is wrong").into()))?;
    client
        .get(path("status/200?quote"))
        .catch()
        .send()
        .await?
        .failure("it's not \"right\"")?;

    for rest in ["json", "status/500", "text", "status/204"] {
        client
            .rest(Method::GET, path(&format!("{rest}?rest")))
            .send()
            .await?;
    }
    client
        .rest(Method::GET, path("json?missing"))
        .send()
        .await?
        .check(|response| {
            ensure(response.js().get("c").is_some(), "there is no c")?;
            Ok(())
        })?;
    let response = client
        .rest(Method::GET, path("status/404?expected"))
        .send()
        .await?;
    if response.status() == 404 {
        response.success()?;
    }
    let posted = client
        .rest(Method::POST, path("json?posted"))
        .json(&json!({ "x": 1 }))
        .send()
        .await?;
    if posted.js()["a"] != 2 {
        let a = posted.js()["a"].clone();
        posted.failure(format!("a is {a}"))?;
    }
    stop_user()
}

#[derive(Default)]
pub(super) struct CatchingHttp;

#[http_user]
impl CatchingHttp {
    #[task]
    async fn once(&mut self, client: &mut Client) -> TaskResult {
        judge_all(client, "CatchingHttp").await
    }
}

#[derive(Default)]
pub(super) struct CatchingFast;

#[fast_http_user]
impl CatchingFast {
    #[task]
    async fn once(&mut self, client: &mut Client) -> TaskResult {
        judge_all(client, "CatchingFast").await
    }
}

/// An error in a block that judges: the request and the task.
#[derive(Default)]
pub(super) struct BrokenBlock {
    done: u32,
}

#[http_user]
impl BrokenBlock {
    #[task]
    async fn once(&mut self, client: &mut Client) -> TaskResult {
        self.done += 1;
        if self.done > 2 {
            return stop_user();
        }
        client
            .get("/BrokenBlock/status/200")
            .catch()
            .send()
            .await?
            .judge(|_| Err(TaskError::new("in the block")))
    }
}

//! Users change while a run is active: from the API, the page and the command line.

use greylag_tests::{Nginx, answer, heavy};
use reqwest::Method;
use serde_json::json;

use super::{COUNTED, cluster, distinct};
use crate::support::{RUN_TIMEOUT, SOON, greylag, test};

#[tokio::test]
async fn users_go_up_and_down_from_everywhere() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let cluster = cluster().await;
    let api = cluster.api();
    let changes = json!({
        "scenario": "weighted", "users": 4, "workers": 2, "ramp_up": 0, "duration": 600, "stop_timeout": 60,
    });
    let id = api.start(&test(&nginx.url(), "lab", changes)).await;
    let reach = async |users: u64| {
        api.wait_for(&id, &format!("{users} users"), COUNTED, |progress| {
            progress["users"] == users
        })
        .await;
    };
    reach(4).await;

    let changed = api
        .post(
            &format!("/api/v1/runs/{id}/users"),
            &json!({ "users": 11, "ramp_up": 1 }),
        )
        .await;
    assert!(changed.status.is_success(), "{}", changed.body);
    reach(11).await;

    let url = api.url().to_owned();
    let line = ["users", &id, "3", "--coordinator", &url];
    let ended = greylag().run(&line, SOON).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    reach(3).await;

    let form = api
        .request(Method::POST, &format!("/runs/{id}/users"))
        .header("origin", &url)
        .form(&[("users", "6"), ("ramp_up", "0s")])
        .send()
        .await;
    let form = answer("the form", form).await;
    assert!(
        form.status.is_redirection(),
        "{} {}",
        form.status,
        form.body
    );
    reach(6).await;

    api.stop(&id).await;
    api.wait_for_status(&id, "Failed", RUN_TIMEOUT).await;
    let log = api.log(&id).await;
    for change in ["to 11 ", "to 3 ", "to 6 "] {
        assert!(log.contains(&format!("changing {change}")), "{log}");
    }
    let witness = nginx.finish().await;
    // 11 different slots, of which 3 to 5 began twice: each that began has stopped.
    assert_eq!(distinct(&witness, "/is/").len(), 11);
    let began = witness.count(|request| request.path.starts_with("/is/"));
    let stopped = witness.count(|request| request.path.starts_with("/was/"));
    assert_eq!((began.requests, stopped.requests), (14, 14));
    assert_eq!(
        api.summary(&id).await.totals.requests,
        28,
        "exactly once, whoever came and went"
    );
}

#[tokio::test]
async fn an_impossible_change_has_a_message() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let cluster = cluster().await;
    let api = cluster.api();
    let changes = json!({ "scenario": "weighted", "users": 2, "ramp_up": 0, "duration": 2 });
    let id = super::finish(api, &nginx, changes).await;
    let path = format!("/api/v1/runs/{id}/users");
    let over = api.post(&path, &json!({ "users": 5 })).await;
    assert_eq!(over.status, 409, "{}", over.body);
    assert!(over.error().contains("over"), "{}", over.body);
    let unknown_run = api
        .post("/api/v1/runs/abcdefabcdef/users", &json!({ "users": 5 }))
        .await;
    assert_eq!(unknown_run.status, 404, "{}", unknown_run.body);
    let many = api.post(&path, &json!({ "users": 2_000_000 })).await;
    assert!(many.status.is_client_error(), "{}", many.body);
    let ended = greylag()
        .run(&["users", &id, "5", "--coordinator", api.url()], SOON)
        .await;
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("over"), "{}", ended.stderr);
}

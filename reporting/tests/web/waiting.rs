//! Runs that wait, as pages and the API show them.

use axum::http::StatusCode;
use serde_json::json;

use crate::running::{running, with_agent};

#[tokio::test]
async fn a_run_that_waits_says_what_for_and_can_be_stopped() {
    let (site, _socket, mut agent) = with_agent().await;
    let body =
        json!({"users": 5, "ramp_up": 0, "duration": 600, "scenario": "shop", "name": "first"});
    running(&site, &mut agent, body.clone()).await;
    let mut second = body.clone();
    second["name"] = json!("second");
    let started = site.post("/api/v1/runs", second.to_string()).await;
    assert_eq!(started.status, StatusCode::CREATED, "{started:?}");
    let id = started.json()["id"].as_str().expect("an id").to_owned();

    let reason = "#1 of first has these agents";
    for (path, place) in [
        (format!("/api/v1/runs/{id}"), "/about"),
        (format!("/api/v1/runs/{id}/progress"), ""),
        ("/api/v1/runs".to_owned(), "/runs/0"),
    ] {
        let view = site.get(&path).await.json();
        let view = view.pointer(place).expect("the run");
        assert_eq!(view["phase"], json!("Queued"), "{path}");
        assert_eq!(view["waiting"], json!(reason), "{path}");
        // What clients of earlier versions follow.
        assert_eq!(view["status"], json!("Running"), "{path}");
    }
    let page = site.get(&format!("/runs/{id}")).await.body;
    for words in [
        ">Queued</span>",
        ">Not yet</dd>",
        ">one per core</span>",
        "second #1 – Queued – Greylag",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let field = format!("data-field=\"waiting\" data-value=\"{reason}\">");
    assert!(page.contains(&field), "{page}");
    let front = site.get("/").await.body;
    assert!(
        front.contains(">Queued</span>") && front.contains(&format!(">{reason}</p>")),
        "{front}"
    );

    let stopped = site.post(&format!("/api/v1/runs/{id}/stop"), "").await;
    assert_eq!(stopped.status, StatusCode::ACCEPTED, "{stopped:?}");
    let view = site
        .get(&format!("/api/v1/runs/{id}/progress"))
        .await
        .json();
    assert_eq!(view["phase"], json!("Failed"));
    assert_eq!(view["failure_code"], json!("stopped_by_user"));
    assert_eq!(view["waiting"], json!(null));
}

#[tokio::test]
async fn what_cannot_begin_is_refused_before_it_waits() {
    let (site, _socket, mut agent) = with_agent().await;
    let body =
        json!({"users": 5, "duration": 600, "scenario": "shop", "host": "http://127.0.0.1:9"});
    running(&site, &mut agent, body.clone()).await;
    for (key, value, words) in [
        ("tags", json!(["nope"]), "no task with tag `nope`"),
        (
            "agents",
            json!("5..2"),
            "`agents` must be a number of agents such as 3",
        ),
        (
            "agents",
            json!(0),
            "`agents` must be a number of agents such as 3",
        ),
        (
            "infrastructure",
            json!("nowhere"),
            "infrastructure `nowhere` was not found",
        ),
    ] {
        let mut body = body.clone();
        body[key] = value;
        let refused = site.post("/api/v1/runs", body.to_string()).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{key}");
        let message = refused.error_message();
        assert!(message.contains(words), "{message}");
    }
}

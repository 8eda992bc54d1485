//! Bad input over HTTP.

use greylag_tests::Cluster;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{greylag, test};

#[tokio::test]
async fn refused_over_http() {
    let cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east"])
        .await;
    let api = cluster.api();
    let host = "http://127.0.0.1:1";
    let with = |changes: Value| test(host, "lab", changes);
    let cases: Vec<(Value, &str)> = vec![
        (
            with(json!({ "users": 0 })),
            "users must be between 1 and 1000000, got 0",
        ),
        (
            with(json!({ "workers": 0 })),
            "workers must be between 1 and 20000, got 0",
        ),
        (
            with(json!({ "duration": 0, "ramp_up": 0 })),
            "duration must be between 1s and 30 days, got 0s",
        ),
        (
            with(json!({ "ramp_up": "500ms" })),
            "whole number of seconds",
        ),
        (
            with(json!({ "declared": { "requests": [{ "path": "/", "metod": "GET" }] } })),
            "did you mean `method`?",
        ),
        (
            with(json!({ "users": 0, "wrokers": 2, "duration": "1d" })),
            "users must be between 1 and 1000000, got 0",
        ),
        (
            with(json!({ "users": 0, "wrokers": 2, "duration": "1d" })),
            "did you mean `workers`?",
        ),
        (with(json!({ "users": 1_000_001 })), "got 1000001"),
        (
            with(json!({ "workers": 21 })),
            "at most one worker per user",
        ),
        (with(json!({ "name": "line\nbreak" })), "name is not valid"),
        (
            with(json!({ "name": "x".repeat(300) })),
            "name is not valid",
        ),
        (with(json!({ "host": "example.com" })), "is not a URL"),
        (
            with(json!({ "host": "javascript:alert(1)" })),
            "neither http:// nor https://",
        ),
        (with(json!({ "infrastructure": "nowhere" })), "nowhere"),
        (with(json!({ "scenario": "unheard-of" })), "unheard-of"),
        (with(json!({ "duration": "1d" })), "duration"),
        (
            with(json!({ "declared": { "requests": [] } })),
            "at least one",
        ),
        (
            with(
                json!({ "declared": { "requests": [{ "method": "NO GET", "path": "/", "weight": 1 }] } }),
            ),
            "NO GET",
        ),
        (
            with(
                json!({ "declared": { "requests": [{ "method": "GET", "path": "/", "weight": 0 }] } }),
            ),
            "weight",
        ),
        (with(json!({ "no_such_field": 1 })), "no_such_field"),
        (with(json!({ "users": -1 })), "-1"),
        (json!({ "infrastructure": "lab" }), "host"),
        (json!([]), "JSON"),
    ];
    for (body, words) in cases {
        let answer = api.post("/api/v1/runs", &body).await;
        assert!(
            answer.status.is_client_error(),
            "{body} gives {}: {}",
            answer.status,
            answer.body
        );
        let error = answer.error();
        assert!(
            error.contains(words),
            "{body}: {error:?} should contain {words:?}"
        );
    }
    for body in ["", "{", "users=1", "\u{0}"] {
        let request = api.request(Method::POST, "/api/v1/runs").body(body);
        let answer = greylag_tests::answer("/api/v1/runs", request.send().await).await;
        assert!(
            answer.status.is_client_error(),
            "{body:?} gives {}",
            answer.status
        );
        answer.error();
    }
    let huge = api
        .request(Method::POST, "/api/v1/runs")
        .body(vec![b' '; 20 << 20]);
    // It may be refused before all of it is sent.
    if let Ok(response) = huge.send().await {
        assert!(response.status().is_client_error(), "{}", response.status());
    }
    for path in [
        "/api/v1/runs/none",
        "/api/v1/runs/none/summary",
        "/api/v1/runs/none/events",
        "/api/v1/none",
    ] {
        let answer = api.get(path).await;
        assert_eq!(answer.status.as_u16(), 404, "{path}");
        answer.error();
    }
    for name in ["", "a/b", "<script>"] {
        let answer = api
            .post("/api/v1/infrastructures", &json!({ "name": name }))
            .await;
        assert!(
            answer.status.is_client_error(),
            "{name:?} gives {}",
            answer.status
        );
        answer.error();
    }
    assert_eq!(
        api.get("/api/v1/runs").await.json()["runs"],
        json!([]),
        "something was started"
    );
}

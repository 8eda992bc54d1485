//! What supervises a coordinator asks without a token.

use axum::http::StatusCode;
use serde_json::json;

use crate::site::{Answer, Site};

/// Asks again while the store does not answer in time, as on a busy machine.
async fn probe(site: &Site, path: &str) -> Answer {
    for _ in 0..20 {
        let answer = site.get(path).await;
        let is_busy = answer.status == StatusCode::SERVICE_UNAVAILABLE
            && answer
                .error_message()
                .contains("the store has not answered");
        if !is_busy {
            return answer;
        }
    }
    panic!("the store does not answer");
}

#[tokio::test]
async fn probes_need_no_token_and_say_when_it_has_ended() {
    let site = Site::start(Some("correct-horse")).await;
    for (path, status) in [("/healthz", "alive"), ("/readyz", "ready")] {
        let answer = probe(&site, path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(answer.json(), json!({ "status": status }), "{path}");
    }
    site.coordinator.shutdown().await;
    for (path, reason) in [
        ("/healthz", "the coordinator has stopped working"),
        ("/readyz", "the coordinator is shutting down"),
    ] {
        let answer = site.get(path).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert!(
            answer.error_message().contains(reason),
            "{path}: {answer:?}"
        );
    }
}

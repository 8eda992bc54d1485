//! A run's page as one file.
#![allow(
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test, helpers included"
)]

use axum::http::{StatusCode, header};

use crate::site::{Site, load_test};

const RUN: &str = "abcdefabcdef";

#[tokio::test]
async fn a_file_has_all_of_the_page_and_asks_for_nothing() {
    let site = Site::start(None).await;
    site.finished_run(RUN, load_test("check out"), "/basket", "500")
        .await;
    let answer = site.get("/api/v1/runs/abcdefabcdef/report.html").await;
    assert_eq!(answer.status, StatusCode::OK);
    let disposition = answer.header(header::CONTENT_DISPOSITION);
    assert_eq!(
        disposition,
        "attachment; filename=\"check-out-1.html\"; filename*=UTF-8''check%2Dout%2D1%2Ehtml"
    );
    let file = &answer.body;
    // The policy comes before anything that it is about.
    let policy = file.find("Content-Security-Policy").unwrap();
    let first = ["<script", "<style", "<link"].map(|tag| file.find(tag).unwrap());
    assert!(first.iter().all(|at| policy < *at));
    let policy = &file[policy..policy + 600];
    assert!(
        policy.contains("default-src 'none'; script-src 'sha256-"),
        "{policy}"
    );
    assert!(
        !policy.contains("unsafe") && !policy.contains("connect-src"),
        "{policy}"
    );
    for section in [
        "About This Test",
        "Total Requests",
        "Response Time Distribution",
        "Endpoint Statistics",
        "Load Test Logs",
        "/basket",
    ] {
        assert!(file.contains(section), "{section}");
    }
    // Whatever leads out of the file, and whatever changes something, is not there.
    let page: String = file
        .split("<script")
        .map(|part| part.split_once("</script>").map_or(part, |(_, rest)| rest))
        .collect();
    for absent in [
        "href=\"/",
        "src=",
        "action=\"/",
        "method=\"post\"",
        "@import",
        "Run again",
        "Summary JSON",
    ] {
        assert!(!page.contains(absent), "{absent}");
    }
    let missing = site.get("/api/v1/runs/nothing/report.html").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_page_offers_its_file() {
    let site = Site::start(None).await;
    site.finished_run(RUN, load_test("checkout"), "/", "500")
        .await;
    let page = site.get("/runs/abcdefabcdef").await.body;
    let link = "href=\"/api/v1/runs/abcdefabcdef/report.html\" download=\"checkout-1.html\"";
    assert!(page.contains(link));
}

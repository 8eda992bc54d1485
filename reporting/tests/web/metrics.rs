//! What Prometheus scrapes.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};

use crate::site::{Site, load_test, snapshot};

const RUN: &str = "abcdefabcdef";

/// The value of the series with this name and these labels.
fn value<'t>(text: &'t str, series: &str) -> Option<&'t str> {
    let mut lines = text.lines();
    lines.find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))
}

#[tokio::test]
async fn counts_of_a_run_are_those_of_its_results() {
    let site = Site::start(None).await;
    let results = snapshot(RUN, "/cart\"\\", "500");
    site.running_run(RUN, load_test("shop"), results).await;
    let answer = site.get("/metrics").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        answer.header(header::CONTENT_TYPE),
        "text/plain; version=0.0.4; charset=utf-8"
    );
    let text = &answer.body;
    let of_run = format!("run=\"{RUN}\",test=\"shop\"");
    let labels = format!("{of_run},method=\"GET\",name=\"/cart\\\"\\\\\"");
    for (series, expected) in [
        (format!("greylag_requests_total{{{labels}}}"), "50"),
        (format!("greylag_failures_total{{{labels}}}"), "10"),
        (
            format!("greylag_response_time_seconds_count{{{labels}}}"),
            "50",
        ),
        (
            format!("greylag_response_time_seconds_sum{{{labels}}}"),
            "0.7",
        ),
        (
            format!("greylag_response_time_seconds_bucket{{le=\"0.005\",{labels}}}"),
            "0",
        ),
        (
            format!("greylag_response_time_seconds_bucket{{le=\"0.01\",{labels}}}"),
            "40",
        ),
        (
            format!("greylag_response_time_seconds_bucket{{le=\"+Inf\",{labels}}}"),
            "50",
        ),
        (format!("greylag_run_info{{{of_run},number=\"1\"}}"), "1"),
        ("greylag_runs{phase=\"running\"}".to_owned(), "1"),
        ("greylag_runs{phase=\"queued\"}".to_owned(), "0"),
        ("greylag_can_save".to_owned(), "1"),
    ] {
        assert_eq!(value(text, &series), Some(expected), "{series} in {text}");
    }
    for described in [
        "# TYPE greylag_requests_total counter",
        "# TYPE greylag_users gauge",
    ] {
        assert!(text.lines().any(|line| line == described), "{text}");
    }
    assert!(
        value(text, "process_resident_memory_bytes").is_some(),
        "{text}"
    );

    let request = Request::get("/metrics")
        .header(
            header::ACCEPT,
            "application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
        )
        .body(Body::empty())
        .expect("a request");
    let answer = site.send(request).await;
    assert_eq!(
        answer.header(header::CONTENT_TYPE),
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    assert!(answer.body.ends_with("# EOF\n"), "{}", answer.body);
}

/// Its counts would stay for ever, and Prometheus keeps them.
#[tokio::test]
async fn a_run_that_ended_long_ago_has_no_series() {
    let site = Site::start(None).await;
    site.finished_run(RUN, load_test("shop"), "/", "500").await;
    let text = site.get("/metrics").await.body;
    assert!(!text.contains(RUN), "{text}");
}

/// A scraper follows no detour to a page where people sign in.
#[tokio::test]
async fn without_a_token_it_is_refused() {
    let site = Site::start(Some("correct-horse")).await;
    let answer = site.get("/metrics").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    answer.error_message();
}

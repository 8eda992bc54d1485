//! What is answered of the dots of the scatter plot.

use axum::http::StatusCode;
use greylag_infra::protocol::{SampleData, SampleDetails, SampleKind, TraceId};
use serde_json::{Value, json};

use crate::site::{AGENT, Site, load_test, snapshot};

const RUN: &str = "abcdefabcdef";

/// A run with three samples: of an agent of an earlier version, a failed one, and one of another endpoint.
async fn site() -> Site {
    let site = Site::start(None).await;
    let mut results = snapshot(RUN, "/cart", "500");
    let mut other = results.endpoints[0].clone();
    other.name = "/\u{1b}[31m<b>".to_owned();
    results.endpoints.push(other);
    results.sample_errors = vec!["lost <i>\u{1b}[2J".to_owned()];
    results.samples.extend([
        SampleData {
            endpoint: 0,
            at_us: 4_123_456,
            response_us: 1_234_567,
            failed: true,
            details: SampleDetails {
                first_byte_us: Some(1_500),
                status: Some(503),
                user: Some(41),
                worker: Some(0),
                error: Some(0),
                trace_id: TraceId::new(0xabc),
            },
            kind: SampleKind::Slow,
        },
        SampleData {
            endpoint: 1,
            at_us: 4_123_999,
            response_us: 1_230_000,
            ..SampleData::default()
        },
    ]);
    site.running_run(RUN, load_test("checkout"), results).await;
    site
}

async fn samples(site: &Site, query: &str) -> Value {
    let answer = site
        .get(&format!("/api/v1/runs/{RUN}/samples{query}"))
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{query}: {answer:?}");
    answer.json()
}

fn times(samples: &Value) -> Vec<f64> {
    let samples = samples["samples"].as_array().expect("a list");
    let times = samples.iter().map(|sample| sample["at_s"].as_f64());
    times.map(|at_s| at_s.expect("a time")).collect()
}

#[tokio::test]
async fn a_sample_says_all_that_is_known_of_its_request() {
    let site = site().await;
    let all = samples(&site, "").await;
    assert_eq!(times(&all), [0.5, 4.123_456, 4.123_999]);
    assert_eq!(
        (&all["drawn_share"], &all["failed_share"]),
        (&json!(1.0), &json!(1.0))
    );
    assert_eq!(
        all["samples"][1],
        json!({
            "at_s": 4.123_456, "at": "2026-11-23T06:05:09.123456Z",
            "method": "GET", "name": "/cart",
            "response_ms": 1_234.567, "first_byte_ms": 1.5,
            "failed": true, "status": 503, "error": "lost <i>",
            "agent": AGENT, "worker": 0, "user": 41, "trace_id": "00000000000000000000000000000abc", "kind": "slow",
        })
    );
    let earlier = &all["samples"][0];
    for unknown in ["first_byte_ms", "status", "error", "worker", "user"] {
        assert_eq!(earlier[unknown], Value::Null, "{unknown}");
    }
    assert_eq!(earlier["agent"], AGENT);
    assert_eq!(all["samples"][2]["name"], "/<b>");
}

#[tokio::test]
async fn samples_are_those_of_a_scope_or_of_a_dot() {
    let site = site().await;
    let agent = format!("?agent={AGENT}");
    for (query, expected) in [
        ("?from=1", &[4.123_456, 4.123_999][..]),
        ("?to=1", &[0.5]),
        ("?endpoint=GET%20/cart", &[0.5, 4.123_456]),
        (&*agent, &[0.5, 4.123_456, 4.123_999]),
        ("?from=2&to=3", &[]),
        // As the page's dots are: to the millisecond, with three digits.
        ("?at_ms=4123&response_us=1230000", &[4.123_456, 4.123_999]),
        (
            "?at_ms=4123&response_us=1230000&endpoint=GET%20/cart",
            &[4.123_456],
        ),
        ("?at_ms=4123&response_us=1230000&limit=1", &[4.123_456]),
        ("?at_ms=4123&response_us=1240000", &[]),
        ("?at_ms=4124&response_us=1230000", &[]),
        (
            "?at_ms=18446744073709551615&response_us=18446744073709551615",
            &[],
        ),
        // Where none is drawn, failed ones and the slowest of each endpoint are there all the same.
        ("?limit=0", &[0.5, 4.123_456, 4.123_999]),
    ] {
        assert_eq!(times(&samples(&site, query).await), expected, "{query}");
    }
    for (query, status) in [
        ("?at_ms=4123", StatusCode::UNPROCESSABLE_ENTITY),
        ("?response_us=4123", StatusCode::UNPROCESSABLE_ENTITY),
        ("?from=5&to=5", StatusCode::UNPROCESSABLE_ENTITY),
        ("?from=99", StatusCode::UNPROCESSABLE_ENTITY),
        ("?endpoint=GET%20/none", StatusCode::NOT_FOUND),
        ("?agent=none", StatusCode::NOT_FOUND),
        ("?limit=many", StatusCode::BAD_REQUEST),
    ] {
        let answer = site
            .get(&format!("/api/v1/runs/{RUN}/samples{query}"))
            .await;
        assert_eq!(answer.status, status, "{query}: {answer:?}");
    }
}

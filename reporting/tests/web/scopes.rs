//! Parts of a run: some seconds, an endpoint, an agent.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::site::{AGENT, Site, load_test};

const RUN: &str = "abcdefabcdef";

async fn site() -> Site {
    let site = Site::start(None).await;
    site.finished_run(RUN, load_test("checkout"), "/cart", "500")
        .await;
    site
}

async fn answer(site: &Site, path: &str) -> Value {
    let answer = site.get(&format!("/api/v1/runs/{RUN}{path}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
    answer.json()
}

async fn text(site: &Site, path: &str) -> String {
    let answer = site.get(&format!("/api/v1/runs/{RUN}{path}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
    answer.body
}

#[tokio::test]
async fn a_summary_of_some_seconds_has_the_numbers_of_these() {
    let site = site().await;
    let whole = answer(&site, "/summary").await;
    assert_eq!(whole["scope"], Value::Null);
    let part = answer(&site, "/summary?from=2&to=4").await;
    assert_eq!(
        part["scope"],
        json!({"from": 2, "to": 4, "endpoint": null, "agent": null, "outcome": null, "remark": null})
    );
    let totals = &part["totals"];
    assert_eq!(
        (&totals["requests"], &totals["failures"]),
        (&json!(10), &json!(2))
    );
    assert_eq!(totals["rps"], 5.0);
    assert_eq!(part["endpoints"][0]["requests"], 10);
    let seen = |error: &Value| {
        json!([
            error["occurrences"],
            error["first_second"],
            error["last_second"]
        ])
    };
    assert_eq!(seen(&part["errors"][0]), json!([2, 2, 3]));
    assert_eq!(
        part["series"],
        json!([
            {"second": 2, "users": 2, "requests": 5, "failures": 1},
            {"second": 3, "users": 2, "requests": 5, "failures": 1},
        ])
    );
    // What is beyond the end has nothing in it.
    for (query, requests) in [
        ("from=9", 5),
        ("to=3", 15),
        ("from=0&to=999", 50),
        ("from=&to=", 50),
    ] {
        let part = answer(&site, &format!("/summary?{query}")).await;
        assert_eq!(part["totals"]["requests"], requests, "{query}");
    }
    let endless = answer(&site, "/summary?from=5").await;
    let last = endless["series"]
        .as_array()
        .and_then(|series| series.last());
    assert_eq!(
        last.map(|point| &point["second"]),
        Some(&json!(10)),
        "the end of the run"
    );
}

#[tokio::test]
async fn a_summary_of_an_endpoint_and_an_agent_has_theirs() {
    let site = site().await;
    for query in [
        "endpoint=GET%20/cart".to_owned(),
        format!("agent={AGENT}"),
        format!("agent={AGENT}&endpoint=GET+/cart&step=5"),
    ] {
        let part = answer(&site, &format!("/summary?{query}")).await;
        assert_eq!(part["totals"]["requests"], 50, "{query}");
        assert_eq!(part["series"][0]["requests"].as_u64().unwrap_or(0) % 5, 0);
        assert_eq!(part["scope"]["remark"], Value::Null);
    }
}

#[tokio::test]
async fn the_other_results_take_it_too() {
    let site = site().await;
    let stats = text(&site, "/csv/stats?from=2&to=4").await;
    assert!(stats.contains("GET,/cart,10,2,"), "{stats}");
    let failures = text(&site, "/csv/failures?to=3").await;
    assert!(failures.contains("GET,/cart,500,3,"), "{failures}");
    let history = text(&site, &format!("/csv/stats_history?full=1&agent={AGENT}")).await;
    assert_eq!(history, text(&site, "/csv/stats_history?full=1").await);
    let tables = text(&site, "/tables?from=2&to=4").await;
    assert!(
        tables
            .lines()
            .any(|line| line.contains("Aggregated") && line.contains(" 10 ")),
        "{tables}"
    );
    let view = answer(&site, "?from=2&to=4").await;
    assert_eq!(view["cards"]["requests"], 10);
    assert_eq!(
        (&view["errors"][0]["first_s"], &view["errors"][0]["last_s"]),
        (&json!(2), &json!(3))
    );

    // Its one line is of second 1.
    let lines = |value: Value| value["lines"].as_array().map_or(0, Vec::len);
    assert_eq!(lines(answer(&site, "/log/lines?to=2").await), 1);
    assert_eq!(lines(answer(&site, "/log/lines?from=2").await), 0);
    let of_agent = answer(&site, &format!("/log/lines?agent={AGENT}&limit=5")).await;
    assert_eq!(of_agent["remark"], Value::Null);
    assert_eq!(lines(of_agent), 1);
    assert!(text(&site, "/log?from=1&to=2").await.contains("saw 500"));
    assert!(!text(&site, "/log?from=2").await.contains("saw 500"));
}

/// What the page of a part shows in a field.
fn field(page: &str, name: &str) -> String {
    let start = format!("data-field=\"{name}\" data-value=\"");
    let (_, rest) = page.split_once(&start).unwrap_or_else(|| panic!("{name}"));
    let (value, _) = rest.split_once('"').expect("a value ends with a quote");
    value.to_owned()
}

#[tokio::test]
async fn the_page_of_a_part_shows_what_the_api_answers() {
    let site = site().await;
    for query in [
        String::new(),
        "?from=2&to=4".to_owned(),
        "?from=5".to_owned(),
        format!("?to=7&endpoint=GET%20/cart&agent={AGENT}"),
    ] {
        let page = site.get(&format!("/runs/{RUN}{query}")).await;
        assert_eq!(page.status, StatusCode::OK, "{query}: {page:?}");
        let page = page.body;
        let view = answer(&site, &query).await;
        let part = answer(&site, &format!("/view{query}")).await;
        let cards = &view["cards"];
        assert_eq!(part["view"]["cards"], *cards, "{query}");
        assert_eq!(part["over"], true);
        for (name, key) in [
            ("total-requests", "requests"),
            ("requests-per-second", "rps"),
            ("total-failures", "failures"),
            ("error-rate", "error_rate"),
            ("avg-response-time", "avg_ms"),
            ("p50", "p50_ms"),
            ("p99", "p99_ms"),
        ] {
            let shown: f64 = field(&page, name).parse().unwrap();
            assert_eq!(Some(shown), cards[key].as_f64(), "{name} of {query}");
        }
        // The log of the part, and what of it can be downloaded.
        let has_line = page.contains("saw 500");
        assert_eq!(has_line, !query.contains("from="), "{query}");
        let encoded = query.replace('&', "&#38;");
        for export in [
            "summary",
            "log",
            "csv/stats",
            "csv/failures",
            "csv/exceptions",
        ] {
            let link = format!("/runs/{RUN}/{export}{encoded}\"");
            assert!(page.contains(&link), "{link} in the page of {query}");
        }
    }
    let page = site.get(&format!("/runs/{RUN}?from=2&to=4")).await.body;
    for text in [
        "2s to 4s of 10s",
        "name=\"from\" value=\"2\"",
        "href=\"/runs/abcdefabcdef?from=2&#38;to=4&#38;endpoint=GET%20/cart\"",
        "data-window=\"true\"",
    ] {
        assert!(page.contains(text), "{text} in {page}");
    }
    let page = site.get(&format!("/runs/{RUN}")).await.body;
    assert!(page.contains("the whole run, 10s"), "{page}");
    assert!(page.contains("data-on=\"false\""));
}

#[tokio::test]
async fn a_part_that_there_is_not_is_one_message() {
    let site = site().await;
    for (query, status, message) in [
        ("from=4&to=2", 422, "from must be less than to"),
        ("from=10", 422, "the last second with results is 9"),
        ("from=soon", 422, "from must be a whole number of seconds"),
        ("endpoint=GET%20/nowhere", 404, "GET /nowhere"),
        ("agent=nobody", 404, "nobody"),
    ] {
        for path in [
            format!("/runs/{RUN}?{query}"),
            format!("/api/v1/runs/{RUN}/view?{query}"),
        ] {
            let answer = site.get(&path).await;
            assert_eq!(answer.status.as_u16(), status, "{path}: {answer:?}");
            let body = answer.body.to_lowercase();
            assert!(body.contains(&message.to_lowercase()), "{path}: {body}");
            assert_eq!(body.matches(&message.to_lowercase()).count(), 1, "{path}");
        }
    }
}

#[tokio::test]
async fn requests_of_one_outcome_are_a_part_of_their_own() {
    let site = site().await;
    for outcome in ["ok", "failed"] {
        let part = answer(&site, &format!("/summary?outcome={outcome}")).await;
        assert_eq!(part["scope"]["outcome"], outcome);
        // They came together, as earlier versions counted them.
        assert_eq!(part["totals"]["requests"], 0);
        let remark = part["scope"]["remark"].as_str().unwrap();
        assert!(
            remark.starts_with("50 requests are not included"),
            "{remark}"
        );
    }
    let refused = site
        .get(&format!("/api/v1/runs/{RUN}/summary?outcome=good"))
        .await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        refused.error_message(),
        "outcome must be `ok` or `failed`, got `good`"
    );
}

#[tokio::test]
async fn charts_are_answered_for_any_part() {
    let site = site().await;
    let percentiles = answer(&site, "/charts/percentiles?from=2&to=5").await;
    assert_eq!(percentiles["seconds"], json!([2, 3, 4]));
    assert_eq!(
        (&percentiles["step_s"], &percentiles["end_s"]),
        (&json!(1), &json!(5))
    );
    let median = &percentiles["lines"][0];
    assert_eq!(median["name"], "50%");
    assert!((median["values"][0].as_f64().unwrap() - 10.0).abs() < 0.01);
    let first_bytes = answer(&site, "/charts/percentiles?of=first_byte").await;
    assert_eq!(first_bytes["lines"][0]["values"][0], Value::Null);
    let errors = answer(&site, "/charts/errors?step=5").await;
    assert_eq!(
        errors["lines"],
        json!([{"name": "500", "values": [5.0, 5.0]}])
    );
    assert_eq!(
        answer(&site, "/charts/errors?outcome=ok").await["lines"],
        json!([])
    );
    let statuses = answer(&site, "/charts/statuses?step=5&since=7").await;
    assert_eq!(statuses["seconds"], json!([5]));
    assert_eq!(
        statuses["lines"],
        json!([{"name": "not measured", "values": [25.0]}])
    );
    let users = answer(&site, "/charts/agent-users").await;
    assert_eq!(
        users["lines"],
        json!([{"name": AGENT, "values": [0.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]}])
    );
    assert_eq!(answer(&site, "/charts/arrivals").await["lines"], json!([]));
    let distribution = answer(&site, "/distribution?from=2&to=5").await;
    assert_eq!(distribution["count"], 15);
    assert_eq!(
        (&distribution["min_ms"], &distribution["max_ms"]),
        (&json!(10.0), &json!(30.0))
    );
    for (path, status, message) in [
        (
            "/charts/colours",
            StatusCode::NOT_FOUND,
            "the chart was not found; available: percentiles, statuses, errors, agent-users, agent-requests, arrivals, custom-metric",
        ),
        (
            "/charts/percentiles?of=last_byte",
            StatusCode::UNPROCESSABLE_ENTITY,
            "of must be `response`, `intended` or `first_byte`, got `last_byte`",
        ),
        (
            "/charts/errors?since=x",
            StatusCode::UNPROCESSABLE_ENTITY,
            "since must be a whole number of seconds, got `x`",
        ),
    ] {
        let refused = site.get(&format!("/api/v1/runs/{RUN}{path}")).await;
        assert_eq!(
            (refused.status, refused.error_message().as_str()),
            (status, message)
        );
    }
}

//! The API and the pages over a real store: numbers, invalid input, hostile texts.

use crate::site::{Site, load_test};
use axum::http::{StatusCode, header};
use greylag_infra::WallTime;
use greylag_infra::protocol::LogLine;
use greylag_reporting::Summary;
use serde_json::{Value, json};

const RUN: &str = "abcdefabcdef";
const HOSTILE: &str = "</script><script>alert('x')</script>&\u{2028}\"";

#[tokio::test]
async fn page_progress_list_and_summary_say_the_same() {
    let site = Site::start(None).await;
    site.finished_run(RUN, load_test("checkout"), "/cart", "500 Server Error")
        .await;
    let path = |rest: &str| format!("/api/v1/runs/{RUN}{rest}");

    let summary: Summary =
        serde_json::from_str(&site.get(&path("/summary")).await.body).expect("a summary");
    let summary = serde_json::to_value(&summary).expect("a summary is JSON");
    let totals = &summary["totals"];
    assert_eq!(
        (&totals["requests"], &totals["failures"]),
        (&json!(50), &json!(10))
    );
    assert_eq!(totals["rps"], json!(5.0));
    assert_eq!(totals["error_rate"], json!(0.2));

    let progress = site.get(&path("/progress")).await.json();
    let view = site.get(&path("")).await.json();
    let row = site.get("/api/v1/runs?test=checkout").await.json()["runs"][0].clone();
    for number in ["requests", "failures", "rps", "error_rate", "p95_ms"] {
        for other in [&progress, &view["cards"], &row] {
            assert_eq!(other[number], totals[number], "{number}");
        }
    }
    for number in [
        "avg_ms", "min_ms", "max_ms", "p50_ms", "p90_ms", "p95_ms", "p99_ms",
    ] {
        assert_eq!(view["aggregated"][number], totals[number], "{number}");
        assert_eq!(
            view["endpoints"][0][number], summary["endpoints"][0][number],
            "{number}"
        );
    }
    assert_eq!(progress["elapsed_s"], json!(10.0));
    assert_eq!(progress["status"], json!("Finished"));
    assert_eq!(progress["users"], json!(0));
    assert_eq!(view["errors"][0]["occurrences"], json!(10));
    assert_eq!(view["about"]["can_stop"], json!(false));

    let tables = site.get(&path("/tables")).await;
    assert!(
        tables
            .header(header::CONTENT_TYPE)
            .starts_with("text/plain")
    );
    assert!(
        tables.body.contains("/cart") && tables.body.contains("Aggregated"),
        "{}",
        tables.body
    );

    let log = site.get(&path("/log")).await;
    assert_eq!(
        log.header(header::CONTENT_DISPOSITION),
        format!("attachment; filename=\"greylag-run-1-{RUN}.log\"")
    );
    assert!(
        log.body
            .contains("agent-1/worker-0: saw 500 Server Error\n"),
        "{}",
        log.body
    );
    assert!(log.body.ends_with(&tables.body), "{}", log.body);

    let page = site.get(&format!("/runs/{RUN}")).await;
    assert_eq!(page.status, StatusCode::OK);
    for text in [
        "About This Test",
        "checkout",
        "Finished",
        "/cart",
        "Aggregated",
        "500 Server Error",
    ] {
        assert!(page.body.contains(text), "the page shows {text}");
    }
    let front = site.get("/").await;
    assert!(front.body.contains(&format!("/runs/{RUN}")) && front.body.contains("checkout"));
}

#[tokio::test]
async fn hostile_texts_are_only_texts() {
    let site = Site::start(None).await;
    let mut test = load_test(&HOSTILE.replace('\u{2028}', ""));
    test.scenario = HOSTILE.into();
    site.finished_run(RUN, test, HOSTILE, HOSTILE).await;
    for path in ["/", &format!("/runs/{RUN}")] {
        let body = site.get(path).await.body;
        assert!(!body.contains("<script>alert"), "{path}");
        assert!(!body.contains("</script><script>"), "{path}");
        assert!(body.contains("alert("), "{path} shows the name");
    }
    let page = site.get(&format!("/runs/{RUN}")).await.body;
    let json = page
        .split_once("id=\"initial\">")
        .and_then(|(_, rest)| rest.split_once("</script>"))
        .map(|(json, _)| json)
        .expect("the page has its data");
    for forbidden in ['<', '>', '&', '\u{2028}', '\u{2029}'] {
        assert!(!json.contains(forbidden), "{forbidden:?}");
    }
    let data: Value = serde_json::from_str(json).expect("it is JSON");
    assert_eq!(data["view"]["about"]["scenario"], json!(HOSTILE));
    assert_eq!(data["delta"]["reset"], json!(true));
    assert_eq!(data["delta"]["series"].as_array().map(Vec::len), Some(11));
}

#[tokio::test]
async fn a_password_in_the_host_is_not_shown_and_not_kept() {
    let site = Site::start(None).await;
    let mut test = load_test("checkout");
    test.host = "https://tester:geheim@example.com".into();
    site.finished_run(RUN, test, "/", "500").await;
    for path in [
        "/",
        &format!("/runs/{RUN}"),
        "/api/v1/runs",
        &format!("/api/v1/runs/{RUN}"),
        &format!("/api/v1/runs/{RUN}/events"),
        &format!("/api/v1/runs/{RUN}/summary"),
    ] {
        let body = site.get(path).await.body;
        assert!(!body.contains("geheim"), "{path}");
        assert!(
            path.ends_with("/summary") || body.contains("https://tester:…@example.com"),
            "{path}"
        );
    }
    // A run of the same definition needs it again.
    let record = site.coordinator.store().run(&RUN.into()).await;
    let kept = record.expect("the store").expect("the run").test;
    let refused = kept.check().expect_err("there is no password");
    assert!(refused.to_string().contains("password"), "{refused}");
    let again = site.post_form(&format!("/runs/{RUN}/again"), "").await;
    assert!(again.status.is_client_error(), "{again:?}");
}

#[tokio::test]
async fn an_invalid_query_is_named() {
    let site = Site::start(None).await;
    for query in ["limit=many", "page=-1", "offset=1.5", "limit="] {
        let answer = site.get(&format!("/api/v1/runs?{query}")).await;
        let name = query.split('=').next().expect("the name");
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(
            answer.json()["error"],
            format!("{name}: must be a whole number")
        );
    }
    let answer = site.get("/api/v1/runs?limit=%201").await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
}

#[tokio::test]
async fn each_error_has_its_message_and_starts_nothing() {
    let site = Site::start(None).await;
    site.coordinator
        .create_infrastructure("local")
        .await
        .expect("created");
    let host = "\"host\":\"http://127.0.0.1:9\"";
    for (body, status, words) in [
        ("{".to_owned(), 400, "is not a valid load test"),
        ("[]".to_owned(), 400, "is not a valid load test"),
        (
            format!("{{{host},\"hots\":1}}"),
            422,
            "`hots` is not a valid key of a load test; did you mean `host`?",
        ),
        (
            format!("{{{host},\"users\":-1}}"),
            422,
            "at least 0, got -1",
        ),
        (
            format!("{{{host},\"duration\":1.5}}"),
            422,
            "whole number of seconds",
        ),
        ("{}".to_owned(), 422, "no host is given"),
        (
            format!("{{{host},\"users\":0}}"),
            422,
            "users must be between 1 and 1000000, got 0",
        ),
        (
            format!("{{{host},\"workers\":0}}"),
            422,
            "workers must be between 1 and 20000, got 0",
        ),
        (
            format!("{{{host},\"duration\":0}}"),
            422,
            "duration must be between 1s and 30 days, got 0s",
        ),
        (
            format!("{{{host},\"duration\":\"5x\"}}"),
            422,
            "`duration`: `5x` is not a valid duration",
        ),
        (
            format!("{{{host},\"ramp_up\":\"31d\"}}"),
            422,
            "`31d` is not a valid duration",
        ),
        (
            format!(
                "{{{host},\"users\":0,\"declared\":{{\"requests\":[{{\"path\":\"/\",\"metod\":1}}]}}}}"
            ),
            422,
            "did you mean `method`?",
        ),
        (
            "{\"host\":\"example\"}".to_owned(),
            422,
            "did you mean http://example?",
        ),
        (
            format!("{{{host},\"infrastructure\":\"nowhere\"}}"),
            422,
            "infrastructure `nowhere` was not found",
        ),
        (
            format!("{{{host},\"baseline\":\"chekout#12\"}}"),
            422,
            "the baseline `chekout#12` was not found",
        ),
        (
            format!("{{{host}}}"),
            409,
            "no agent is connected to infrastructure `local`",
        ),
        // It may come while this run waits.
        (
            format!("{{{host},\"baseline\":\"checkout#pinned\"}}"),
            409,
            "no agent is connected to infrastructure `local`",
        ),
        (
            format!("{{{host},\"name\":\"{}\"}}", "x".repeat(2 << 20)),
            413,
            "the maximum is 1024 KiB",
        ),
    ] {
        let answer = site.post("/api/v1/runs", body.clone()).await;
        let shown: String = body.chars().take(80).collect();
        assert_eq!(answer.status.as_u16(), status, "{shown}: {}", answer.body);
        assert!(
            answer.error_message().contains(words),
            "{shown}: {}",
            answer.body
        );
    }
    for (body, status, words) in [
        ("{}", 400, "is not valid JSON for an infrastructure"),
        (
            "{\"name\":\"a/b\"}",
            422,
            "is not a valid infrastructure name",
        ),
        ("{\"name\":\"local\"}", 409, "already exists"),
    ] {
        let answer = site.post("/api/v1/infrastructures", body).await;
        assert_eq!(answer.status.as_u16(), status, "{body}: {}", answer.body);
        assert!(
            answer.error_message().contains(words),
            "{body}: {}",
            answer.body
        );
    }
    for path in [
        "",
        "/summary",
        "/progress",
        "/tables",
        "/log",
        "/log/lines",
        "/events",
    ] {
        let answer = site.get(&format!("/api/v1/runs/nosuchrun{path}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(
            answer
                .error_message()
                .contains("run `nosuchrun` was not found"),
            "{path}"
        );
    }
    for query in ["/log/lines?after=x", "/log/lines?limit=-1"] {
        let answer = site.get(&format!("/api/v1/runs/{RUN}{query}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
    }
    for query in ["limit=x", "offset=-1"] {
        assert_eq!(
            site.get(&format!("/api/v1/runs?{query}")).await.status,
            StatusCode::BAD_REQUEST,
            "{query}"
        );
    }
    assert_eq!(
        site.post("/api/v1/runs/nosuchrun/stop", "").await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(site.get("/api/v1/runs").await.json()["runs"], json!([]));
}

#[tokio::test]
async fn a_run_that_is_over_cannot_be_stopped() {
    let site = Site::start(None).await;
    site.finished_run(RUN, load_test("checkout"), "/", "500")
        .await;
    let answer = site.post(&format!("/api/v1/runs/{RUN}/stop"), "").await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(
        answer.error_message().contains("already over"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn the_form_keeps_what_was_typed_beside_the_error() {
    let site = Site::start(None).await;
    site.coordinator
        .create_infrastructure("local")
        .await
        .expect("created");
    for (form, message) in [
        (
            "host=http%3A%2F%2Fa.example&users=many",
            "Users must be a whole number, not <code>many</code>",
        ),
        (
            "host=http%3A%2F%2Fa.example&users=5&ramp_up=1500ms",
            "This duration must be a whole number of seconds, not <code>1500ms</code>",
        ),
        (
            "host=http%3A%2F%2Fa.example&duration=soon",
            "<code>soon</code> is not a valid duration",
        ),
        ("host=http%3A%2F%2Fa.example", "No agent is connected"),
    ] {
        let answer = site.post_form("/runs", form).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{form}");
        assert!(answer.body.contains(message), "{form}: {message}");
        assert!(answer.body.contains("value=\"http://a.example\""), "{form}");
    }
}

#[tokio::test]
async fn an_infrastructure_is_pending_until_somebody_comes() {
    let site = Site::start(None).await;
    let answer = site.post_form("/infrastructures", "name=eu-west").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let list = site.get("/api/v1/infrastructures").await.json();
    assert_eq!(list["infrastructures"][0]["name"], json!("eu-west"));
    assert_eq!(list["infrastructures"][0]["status"], json!("Pending"));
    assert!(site.get("/").await.body.contains("eu-west"));
}

#[tokio::test]
async fn an_old_log_is_downloaded_whole() {
    let site = Site::start(None).await;
    let run = site
        .finished_run(RUN, load_test("checkout"), "/", "500")
        .await;
    let lines = (0..4_500)
        .map(|number| greylag_infra::protocol::LogLine {
            at: WallTime::from_micros(1_795_413_906_000_000),
            source: "coordinator".into(),
            text: format!("line {number}"),
        })
        .collect();
    site.coordinator
        .store()
        .append_log(&run.id, lines)
        .await
        .expect("appended");
    let log = site.get(&format!("/api/v1/runs/{RUN}/log")).await.body;
    let lines: Vec<_> = log.lines().filter(|line| line.starts_with('[')).collect();
    assert_eq!(lines.len(), 4_501);
    assert!(lines[4_500].ends_with("coordinator: line 4499"));
}

#[tokio::test]
async fn a_reader_of_the_log_gets_its_last_lines_and_knows_what_it_missed() {
    let site = Site::start(None).await;
    site.finished_run(RUN, load_test("checkout"), "/", "x")
        .await;
    let lines = |query: &str| {
        let path = format!("/api/v1/runs/{RUN}/log/lines{query}");
        let site = &site;
        async move { site.get(&path).await.json() }
    };
    let before = lines("").await["lines"].as_array().expect("lines").len();
    let new = (0..9).map(|number| LogLine {
        at: WallTime::from_micros(number),
        source: "east/worker-0".into(),
        text: format!("\u{1b}[31mline {number}"),
    });
    let store = site.coordinator.store();
    store
        .append_log(&RUN.into(), new.collect())
        .await
        .expect("kept");

    let read = lines(&format!("?after={before}&limit=3")).await;
    let texts: Vec<&Value> = (0..3).map(|line| &read["lines"][line]["text"]).collect();
    assert_eq!(
        texts,
        [&json!("line 6"), &json!("line 7"), &json!("line 8")]
    );
    assert_eq!(read["lines"].as_array().map(Vec::len), Some(3));
    assert_eq!(
        read["lines"][0]["seq"],
        json!(before + 7),
        "six were skipped"
    );
    assert_eq!(read["lines"][0]["source"], json!("east/worker-0"));
    assert_eq!(read["dropped"], json!(0));
    let read = lines(&format!("?after={}", before + 9)).await;
    assert_eq!(read["lines"], json!([]));
}

#[tokio::test]
async fn a_run_has_no_length_before_it_has_started() {
    let site = Site::start(None).await;
    let mut record = site
        .finished_run(RUN, load_test("checkout"), "/", "x")
        .await;
    let length = |id: &'static str| {
        let site = &site;
        async move {
            site.get(&format!("/api/v1/runs/{id}/progress"))
                .await
                .json()["duration_s"]
                .clone()
        }
    };
    let profile = greylag_infra::LoadProfile {
        ends_at: greylag_infra::RunTime::from_micros(7_100_000),
        ..greylag_infra::LoadProfile::default()
    };
    record.profile = profile;
    // A load shape: the test itself may take a month.
    record.test.duration_s = 30 * 86_400;
    record.id = "shaped000000".into();
    site.coordinator
        .store()
        .create_run(record.clone())
        .await
        .expect("kept");
    assert_eq!(length("shaped000000").await, json!(8));
    record.id = "prepared0000".into();
    record.started_at = None;
    site.coordinator
        .store()
        .create_run(record)
        .await
        .expect("kept");
    assert_eq!(length("prepared0000").await, Value::Null);
}

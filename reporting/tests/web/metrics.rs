//! What Prometheus scrapes.

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use greylag_infra::protocol::Endpoint;
use greylag_infra::{RunPhase, RunRecord, WallTime};
use greylag_reporting::Interval;

use crate::site::{Site, load_test, snapshot};

const RUN: &str = "abcdefabcdef";
/// How long an answer with a thousand series of endpoints may take.
const SOON: Duration = Duration::from_millis(200);
/// So many answers may take longer before one must not.
const TRIES: usize = 60;
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

#[tokio::test]
async fn a_thousand_endpoints_are_bounded_as_the_help_says() {
    const RUNS: usize = 5;
    const ENDPOINTS: u32 = 300;
    const SHOWN: usize = 200;
    let site = Site::start(None).await;
    for run in 0..RUNS {
        let id = run.to_string().repeat(12);
        let mut results = snapshot(&id, "/", "500");
        let mut interval = Interval::default();
        interval.record(Duration::from_millis(10), None, 100, None);
        let endpoint = |number| Endpoint {
            method: "GET".to_owned(),
            name: format!("/item/{number}"),
        };
        results.endpoints = (0..ENDPOINTS).map(endpoint).collect();
        results.intervals = (0..ENDPOINTS)
            .map(|number| interval.to_wire(1, number))
            .collect();
        site.running_run(&id, load_test("shop"), results).await;
    }
    let text = site.get("/metrics").await.body;
    let requests: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("greylag_requests_total{"))
        .filter_map(|line| line.rsplit_once(' '))
        .collect();
    assert_eq!(requests.len(), RUNS * (SHOWN + 1));
    let others = requests
        .iter()
        .filter(|(series, _)| series.contains("name=\"(other)\""));
    let others: Vec<_> = others.map(|(_, count)| *count).collect();
    assert_eq!(others, ["100"; RUNS]);
    let sum: u64 = requests
        .iter()
        .filter_map(|(_, count)| count.parse::<u64>().ok())
        .sum();
    assert_eq!(sum, RUNS as u64 * u64::from(ENDPOINTS));
    let help = text
        .lines()
        .find(|line| line.starts_with("# HELP greylag_requests"));
    let help = help.expect("a help");
    assert!(
        help.contains("first 200, with at most 16 KiB of names"),
        "{help}"
    );
    // An answer is kept for those who ask in the same second. Other tests use the processor, too, but not for ever.
    let mut took = Vec::new();
    while took.last().is_none_or(|took| *took > SOON) {
        assert!(took.len() < TRIES, "{took:?}");
        tokio::time::sleep(Duration::from_secs(1)).await;
        let begun = Instant::now();
        site.get("/metrics").await;
        took.push(begun.elapsed());
    }
}

#[tokio::test]
async fn the_longest_names_stay_within_the_bound() {
    const ENDPOINTS: u32 = 201;
    let site = Site::start(None).await;
    let mut results = snapshot(RUN, "/", "500");
    let mut interval = Interval::default();
    interval.record(
        Duration::from_secs(3_599),
        Some(Duration::from_secs(3_599)),
        100,
        None,
    );
    // Each character is escaped; the first two hundred are 16 KiB together.
    let endpoint = |number| Endpoint {
        method: "G".to_owned(),
        name: format!("{number:03}{}", "\"".repeat(77)),
    };
    results.endpoints = (0..ENDPOINTS).map(endpoint).collect();
    results.intervals = (0..ENDPOINTS)
        .map(|number| interval.to_wire(1, number))
        .collect();
    let test = load_test(&"\"".repeat(200));
    site.running_run(RUN, test, results).await;
    let text = site.get("/metrics").await.body;
    let of_endpoints = [
        "greylag_requests_total{",
        "greylag_failures_total{",
        "greylag_response_time_seconds_",
    ];
    let lines = text
        .lines()
        .filter(|line| of_endpoints.iter().any(|name| line.starts_with(name)));
    let (series, bytes) = lines.fold((0, 0), |(series, bytes), line| {
        (series + 1, bytes + line.len() + 1)
    });
    let help = text
        .lines()
        .find(|line| line.starts_with("# HELP greylag_requests"));
    let bound = format!("at most {series} series of endpoints, of at most 3 MiB");
    assert!(
        help.is_some_and(|help| help.contains(&bound)),
        "{series} {help:?}"
    );
    assert!((2 << 20..3 << 20).contains(&bytes), "{bytes} bytes");
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

/// Runs that began after a long one, on other machines.
const LATER_RUNS: usize = 250;

#[tokio::test]
async fn a_long_run_is_still_there_when_it_has_ended_however_many_began_after_it() {
    let site = Site::start(None).await;
    let run = site
        .running_run(RUN, load_test("soak"), snapshot(RUN, "/cart", "500"))
        .await;
    let store = site.coordinator.store();
    let now = WallTime::of_system();
    let ended = |record: RunRecord, ended_s_ago: u64| RunRecord {
        phase: RunPhase::Finished,
        ended_at: Some(WallTime::from_micros(
            now.as_micros() - ended_s_ago * 1_000_000,
        )),
        ..record
    };
    for number in 0..LATER_RUNS {
        let later = RunRecord {
            id: format!("later{number}").as_str().into(),
            created_at: WallTime::from_micros(run.created_at.as_micros() + 1),
            ..ended(run.clone(), 400)
        };
        store.create_run(later).await.expect("the run is kept");
    }
    store.update_run(&ended(run, 3)).await.expect("it is kept");
    let text = site.get("/metrics").await.body;
    let labels = "run=\"abcdefabcdef\",test=\"soak\",method=\"GET\",name=\"/cart\"";
    let series = format!("greylag_requests_total{{{labels}}}");
    assert_eq!(value(&text, &series), Some("50"), "{text}");
    assert!(
        !text.contains("later"),
        "they ended more than five minutes ago"
    );
}

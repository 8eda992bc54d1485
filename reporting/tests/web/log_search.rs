//! Search and filters of a run's log.

use axum::http::StatusCode;
use greylag_infra::WallTime;
use greylag_infra::protocol::LogLine;
use serde_json::{Value, json};

use crate::site::{Site, load_test};

const RUN: &str = "abcdefabcdef";
/// When the run started, as `Site::finished_run` has it, in µs.
const START_US: u64 = 1_795_413_905_000_000;
/// Source, second of run time, text.
const SAID: [(&str, u64, &str); 6] = [
    ("east/worker-0", 1, "checking out"),
    ("east/worker-1", 2, "WARN checkout was slow (1.5 s)"),
    ("east", 3, "2 workers"),
    ("coordinator", 4, "east is here"),
    ("west/worker-2", 5, "ERROR checkout failed: 500"),
    ("east/worker-0", 6, "\u{1b}[31mCheckout\u{1b}[m again"),
];

async fn site() -> Site {
    let site = Site::start(None).await;
    site.finished_run(RUN, load_test("checkout"), "/cart", "500")
        .await;
    let lines = SAID.map(|(source, second, text)| LogLine {
        at: WallTime::from_micros(START_US + second * 1_000_000),
        source: source.to_owned(),
        text: text.to_owned(),
    });
    let store = site.coordinator.store();
    store
        .append_log(&RUN.into(), lines.to_vec())
        .await
        .expect("kept");
    site
}

async fn page(site: &Site, query: &str) -> Value {
    let answer = site
        .get(&format!("/api/v1/runs/{RUN}/log/lines{query}"))
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{query}: {answer:?}");
    answer.json()
}

/// The seconds of these lines, and what is marked in them.
async fn found(site: &Site, query: &str) -> Vec<(u64, Vec<String>)> {
    let page = page(site, query).await;
    let lines = page["lines"].as_array().expect("lines").iter();
    lines
        .map(|line| {
            let second = (line["at_us"].as_u64().expect("a time") - START_US) / 1_000_000;
            let text = line["text"].as_str().expect("a text");
            let places = line["matches"].as_array().cloned().unwrap_or_default();
            let at = |place: &Value, end: usize| place[end].as_u64().expect("a place") as usize;
            // Only ASCII is said here.
            let marked = places
                .iter()
                .map(|place| text[at(place, 0)..at(place, 1)].to_owned());
            (second, marked.collect())
        })
        .collect()
}

#[tokio::test]
async fn lines_are_found_by_text_level_and_who_says_them() {
    let site = site().await;
    for (query, expected) in [
        (
            "?q=checkout",
            vec![
                (2, vec!["checkout"]),
                (5, vec!["checkout"]),
                (6, vec!["Checkout"]),
            ],
        ),
        ("?q=%281.5", vec![(2, vec!["(1.5"])]),
        ("?regex=true&q=Check.*n$", vec![(6, vec!["Checkout again"])]),
        // In the name of who says it, too.
        ("?q=WEST", vec![(5, vec![])]),
        ("?level=warning", vec![(2, vec![]), (5, vec![])]),
        ("?level=error&q=500", vec![(5, vec!["500"])]),
        (
            "?source=east&from=1&to=4",
            vec![(1, vec![]), (2, vec![]), (3, vec![])],
        ),
        (
            "?source=east/worker-0&q=out",
            vec![(1, vec!["out"]), (6, vec!["out"])],
        ),
        ("?source=coordinator&from=1", vec![(4, vec![])]),
        ("?worker=2", vec![(5, vec![])]),
        ("?from=2&to=4&level=&q=", vec![(2, vec![]), (3, vec![])]),
    ] {
        let expected = expected
            .into_iter()
            .map(|(second, marked)| (second, marked.into_iter().map(str::to_owned).collect()));
        let expected: Vec<(u64, Vec<String>)> = expected.collect();
        assert_eq!(found(&site, query).await, expected, "{query}");
    }
    let page = page(&site, "?level=error").await;
    let line = &page["lines"]
        .as_array()
        .expect("lines")
        .last()
        .cloned()
        .expect("one");
    assert_eq!(line["level"], json!("error"));

    // A file of the same lines.
    let file = site
        .get(&format!("/api/v1/runs/{RUN}/log?q=checkout&level=error"))
        .await;
    let lines: Vec<&str> = file
        .body
        .lines()
        .take_while(|line| !line.is_empty())
        .collect();
    assert_eq!(lines.len(), 1, "{}", file.body);
    assert!(
        lines[0].ends_with(" west/worker-2: ERROR checkout failed: 500"),
        "{}",
        lines[0]
    );
}

#[tokio::test]
async fn pages_go_on_where_the_last_one_ended() {
    let site = site().await;
    let last = page(&site, "?q=checkout&limit=1").await;
    assert_eq!(found(&site, "?q=checkout&limit=1").await[0].0, 6);
    let more = last["more"].as_u64().expect("there are more");
    let before = found(&site, &format!("?q=checkout&limit=2&before={more}")).await;
    let seconds = |lines: Vec<(u64, Vec<String>)>| -> Vec<u64> {
        lines.into_iter().map(|(second, _)| second).collect()
    };
    assert_eq!(seconds(before), [2, 5]);

    let first = page(&site, "?order=first&limit=1&at=2.5").await;
    let after = first["after"].as_u64().expect("a position");
    assert_eq!(first["lines"][0]["text"], json!("2 workers"));
    assert_eq!(first["lines"][0]["seq"], json!(after + 1));
    let more = first["more"].as_u64().expect("there are more");
    let rest = found(&site, &format!("?order=first&after={more}")).await;
    assert_eq!(seconds(rest), [4, 5, 6]);
    let rest = page(&site, &format!("?order=first&after={more}")).await;
    assert_eq!(rest["more"], Value::Null);
    let newest = &rest["lines"]
        .as_array()
        .expect("lines")
        .last()
        .expect("one")["seq"];
    assert_eq!(&rest["total"], newest);
}

#[tokio::test]
async fn what_cannot_be_searched_for_is_said_with_its_place() {
    let site = site().await;
    for (query, message) in [
        (
            "regex=true&q=a%28b",
            "`a(b` is not a valid regular expression: unclosed group, at character 2",
        ),
        (
            "regex=true&q=%5Cw%7B900%7D",
            "the regular expression is too large; use fewer or smaller repetitions",
        ),
        ("regex=yes", "regex must be true or false, got `yes`"),
        ("level=fatal", "level must be warning or error, got `fatal`"),
        ("worker=x", "worker must be a worker's number, got `x`"),
        ("order=middle", "order must be first or last, got `middle`"),
        ("at=-1", "at must be a number of seconds, got `-1`"),
    ] {
        let answer = site
            .get(&format!("/api/v1/runs/{RUN}/log/lines?{query}"))
            .await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}");
        assert_eq!(answer.error_message(), message, "{query}");
    }
    let answer = site
        .get(&format!("/api/v1/runs/{RUN}/log?regex=true&q=%28"))
        .await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
}

//! What continuous integration shows of a run says what its summary says.

use std::time::Duration;

use axum::http::StatusCode;
use greylag_infra::protocol::{
    GeneratorNotice, METRIC_ONE, MetricKind, NoticeKind, Snapshot, UserChange,
};
use greylag_infra::{FailureReason, LoadTest, RunPhase, RunRecord};
use greylag_reporting::{AnnotationChange, Interval};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use quick_junit::{NonSuccessKind, Property, Report, TestCaseStatus};
use serde_json::Value;

use crate::compare::finished;
use crate::site::{Site, load_test, snapshot};
use crate::support::{Counted, count, endpoint};

const RUN: &str = "abcdefabcdef";
const NAME: &str = "a|b `<i>` @all";

async fn site() -> (Site, Value) {
    let site = Site::start(None).await;
    let thresholds = [
        "error_rate < 10% during whole",
        "p95 < 1h during whole",
        "requests >= 1 for GET /<never>|x during ramp-down",
    ];
    let test = LoadTest {
        thresholds: thresholds
            .map(|text| text.parse().expect("a threshold"))
            .to_vec(),
        ..load_test(NAME)
    };
    site.finished_run(RUN, test, "/a|`b`", "<b>500</b>\u{1b}[31m")
        .await;
    let summary = site.get(&format!("/api/v1/runs/{RUN}/summary")).await;
    (site, summary.json())
}

/// The cells of all tables, row by row, and the texts between them.
fn read(markdown: &str) -> (Vec<Vec<String>>, String) {
    let (mut rows, mut cells, mut texts) = (Vec::new(), Vec::new(), String::new());
    let mut cell: Option<String> = None;
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::TableCell) => cell = Some(String::new()),
            Event::Text(text) | Event::Code(text) => {
                cell.as_mut().unwrap_or(&mut texts).push_str(&text);
            }
            Event::End(TagEnd::TableCell) => cells.extend(cell.take()),
            Event::End(TagEnd::TableHead | TagEnd::TableRow) => {
                rows.push(std::mem::take(&mut cells));
            }
            Event::Html(html) | Event::InlineHtml(html) => panic!("HTML: {html}"),
            Event::End(TagEnd::Paragraph | TagEnd::Heading(_)) => texts.push('\n'),
            _ => {}
        }
    }
    (rows, texts)
}

#[tokio::test]
async fn junit_has_a_case_for_each_threshold_and_the_headline_numbers() {
    let (site, summary) = site().await;
    let answer = site
        .get(&format!(
            "/api/v1/runs/{RUN}/junit.xml?page=https%3A%2F%2Fload.example%2Fr"
        ))
        .await;
    assert_eq!(answer.status, StatusCode::OK);
    let report = Report::deserialize_from_str(&answer.body).unwrap();
    assert_eq!((report.tests, report.failures, report.errors), (4, 2, 0));
    let [suite] = report.test_suites.as_slice() else {
        panic!("one suite: {report:?}");
    };
    assert_eq!(suite.name.as_str(), format!("{NAME} #1"));
    let property = |name: &str| {
        let mut properties = suite.properties.iter();
        let found = properties.find(|property| property.name.as_str() == name);
        found.unwrap_or_else(|| panic!("no {name}")).value.as_str()
    };
    for number in [
        "requests",
        "failures",
        "error_rate",
        "rps",
        "p50_ms",
        "p9999_ms",
    ] {
        let value: f64 = property(number).parse().unwrap();
        assert_eq!(Some(value), summary["totals"][number].as_f64(), "{number}");
    }
    assert_eq!(property("verdict"), "failed");
    assert_eq!(property("page"), "https://load.example/r");
    let phase = "Of the run without its ramp-up (until the load first stops rising), unless a threshold says otherwise";
    assert_eq!(property("thresholds"), phase);
    let mut cases = suite.test_cases.iter();
    let run = cases.next().unwrap();
    assert!(matches!(run.status, TestCaseStatus::Success { .. }));
    let thresholds = summary["thresholds"].as_array().unwrap();
    for (case, threshold) in cases.zip(thresholds) {
        assert_eq!(threshold["condition"], case.name.as_str());
        let is_passed = threshold["state"] == "passed";
        match &case.status {
            TestCaseStatus::Success { .. } => assert!(is_passed, "{case:?}"),
            TestCaseStatus::NonSuccess {
                kind, ty, message, ..
            } => {
                assert_eq!(*kind, NonSuccessKind::Failure);
                let state = threshold["state"].as_str().unwrap().replace('_', " ");
                assert_eq!(ty.as_ref().unwrap().as_str(), state);
                let limit = message.as_ref().unwrap().as_str();
                assert!(limit.contains("limit "), "{limit}");
            }
            TestCaseStatus::Skipped { .. } => panic!("{case:?}"),
        }
    }
}

#[tokio::test]
async fn a_run_that_a_threshold_stopped_did_not_end_as_planned() {
    let site = Site::start(None).await;
    let test = LoadTest {
        thresholds: vec![
            "error_rate < 10% during whole abort after 2s"
                .parse()
                .expect("a threshold"),
        ],
        ..load_test("checkout")
    };
    let finished = site.finished_run(RUN, test, "/", "500").await;
    let stopped = RunRecord {
        phase: RunPhase::Failed(FailureReason::ThresholdBreached {
            threshold: "error_rate < 10% during whole abort after 2s".to_owned(),
            since_s: 3,
        }),
        ..finished
    };
    let store = site.coordinator.store();
    store
        .update_run(&stopped)
        .await
        .expect("the run is updated");
    let answer = site.get(&format!("/api/v1/runs/{RUN}/junit.xml")).await;
    let report = Report::deserialize_from_str(&answer.body).expect("a JUnit file");
    // The run's own case, and that of the threshold.
    assert_eq!((report.tests, report.failures, report.errors), (2, 2, 0));
    let case = &report.test_suites[0].test_cases[0];
    let TestCaseStatus::NonSuccess { kind, message, .. } = &case.status else {
        panic!("{case:?}");
    };
    assert_eq!(*kind, NonSuccessKind::Failure);
    let message = message.as_ref().expect("a message").as_str();
    assert!(message.contains("error_rate < 10%"), "{message}");
    let answer = site.get(&format!("/api/v1/runs/{RUN}/summary.md")).await;
    let (_, texts) = read(&answer.body);
    assert!(texts.starts_with("❌ checkout #1 failed"), "{texts}");
    assert!(texts.contains("Verdict: failed"), "{texts}");
}

#[tokio::test]
async fn markdown_shows_the_same_and_obeys_nothing() {
    let (site, summary) = site().await;
    let answer = site.get(&format!("/api/v1/runs/{RUN}/summary.md")).await;
    assert_eq!(answer.status, StatusCode::OK);
    let (rows, texts) = read(&answer.body);
    assert!(
        texts.starts_with(&format!("❌ {NAME} #1 failed")),
        "{texts}"
    );
    assert!(
        texts.contains("Verdict: failed (2 of 3 conditions failed)")
            && texts.contains("Of the run without its ramp-up"),
        "{texts}"
    );
    let thresholds = summary["thresholds"].as_array().unwrap();
    for threshold in thresholds {
        let row = rows.iter().find(|row| threshold["condition"] == row[0]);
        let row = row.unwrap_or_else(|| panic!("{threshold} in {rows:?}"));
        let state = threshold["state"].as_str().unwrap().replace('_', " ");
        assert!(row[1].ends_with(&state), "{row:?}");
    }
    let at = rows.iter().position(|row| row[0] == "Requests").unwrap();
    let totals = &summary["totals"];
    assert_eq!(rows[at + 1][0], totals["requests"].to_string());
    // Ten seconds with as many requests each: the bars are as high as they can be.
    let chart = |name: &str| {
        let row = rows.iter().find(|row| row[0] == name);
        row.unwrap_or_else(|| panic!("no {name} in {rows:?}"))
    };
    let most = |key: &str| {
        let series = summary["series"].as_array().unwrap();
        let values = series.iter().filter_map(|point| point[key].as_f64());
        values.fold(0.0, f64::max)
    };
    for (name, key) in [
        ("Users", "users"),
        ("Requests/s", "requests"),
        ("Failures/s", "failures"),
    ] {
        let row = chart(name);
        let shown: f64 = row[2].parse().unwrap();
        assert!((shown - most(key)).abs() < 0.01, "{row:?}");
    }
    assert!(chart("Requests/s")[1].starts_with("██████████"), "{rows:?}");
    assert_eq!(chart("p95")[2], "30.0 ms");
    let errors = summary["errors"].as_array().unwrap();
    let occurrences = errors[0]["occurrences"].to_string();
    let shown = rows.iter().find(|row| row[0] == occurrences);
    assert_eq!(shown.unwrap()[1], "GET /a|`b`");
    assert!(!texts.contains("baseline"), "{texts}");
    assert!(!answer.body.contains('\u{1b}'));
}

/// Each small chart is of what stands before it (users at the beginning of a second): users and requests rise, failures fall, and response times go up and down.
#[tokio::test]
async fn each_chart_of_markdown_has_a_shape_of_its_own() {
    let site = Site::start(None).await;
    let (mut intervals, mut user_changes) = (Vec::new(), Vec::new());
    for second in 0..10 {
        let mut interval = Interval::default();
        for _ in 0..10 * (second + 1) {
            let time = Duration::from_millis(u64::from(second % 3 + 1) * 10);
            interval.record(time, None, 100, None);
        }
        for _ in second..10 {
            interval.record(Duration::from_millis(10), None, 0, Some("500"));
        }
        intervals.push(interval.to_wire(second, 0));
        user_changes.push(UserChange {
            second,
            started: 1,
            ..UserChange::default()
        });
    }
    let results = Snapshot {
        intervals,
        user_changes,
        ..snapshot(RUN, "/", "500")
    };
    let mut run = site.running_run(RUN, load_test("shop"), results).await;
    run.phase = RunPhase::Finished;
    run.ended_at = run.started_at.map(|zero| zero + Duration::from_secs(10));
    let store = site.coordinator.store();
    store.update_run(&run).await.unwrap();
    let answer = site.get(&format!("/api/v1/runs/{RUN}/summary.md")).await;
    let (rows, _) = read(&answer.body);
    for (name, bars, most) in [
        ("Users", "▁▁▂▃▄▅▆▇██", "9"),
        ("Requests/s", "▂▃▄▄▅▆▆▇██", "101.0"),
        ("Failures/s", "██▇▆▅▅▄▃▂▁", "10.0"),
        ("p95", "▃▆█▃▆█▃▆█▃", "30.0 ms"),
    ] {
        let row = rows.iter().find(|row| row[0] == name).unwrap();
        assert_eq!(row[1], bars, "{row:?}");
        assert_eq!(row[2], most, "{row:?}");
    }
}

/// A comment on a pull request may have so many.
const COMMENT_CHARS: usize = 65_536;

/// Every list full, of texts that are three times as long as code.
#[tokio::test]
async fn a_markdown_summary_is_short_enough_for_a_comment_whatever_a_run_has() {
    let site = Site::start(None).await;
    let long = "`".repeat(200);
    let thresholds = (0..50).map(|number| {
        let text = format!("p95 < {}ms for \"GET {long}\"", number + 1);
        text.parse().expect("a threshold")
    });
    let test = LoadTest {
        thresholds: thresholds.collect(),
        baseline: long.clone(),
        ..load_test(&long)
    };
    let mut results = snapshot(RUN, "/", "500");
    for number in 0..100 {
        results
            .endpoints
            .push(endpoint("GET", &format!("{number} {long}")));
        let mut interval = Interval::default();
        let error = format!("{number} {long}");
        interval.record(Duration::from_millis(30), None, 0, Some(&error));
        results.intervals.push(interval.to_wire(3, number + 1));
        results.notices.push(GeneratorNotice {
            kind: NoticeKind::TestFailed,
            worker: Some(0),
            subject: format!("{number} {long}"),
            count: 1,
            ..GeneratorNotice::default()
        });
    }
    let names: Vec<String> = (0..40)
        .map(|number| format!("{number} {}", &long[..120]))
        .collect();
    let unit = &long[..32];
    let values: Vec<Counted<'_>> = names
        .iter()
        .map(|name| (name.as_str(), MetricKind::Gauge, unit, 3, METRIC_ONE))
        .collect();
    count(&mut results, &values);
    let run = site.running_run(RUN, test, results).await;
    let over = RunRecord {
        phase: RunPhase::Finished,
        ended_at: run.started_at.map(|zero| zero + Duration::from_secs(10)),
        ..run
    };
    let store = site.coordinator.store();
    store.update_run(&over).await.expect("the run is updated");
    let answer = site.get(&format!("/api/v1/runs/{RUN}/summary.md")).await;
    let chars = answer.body.chars().count();
    assert!(chars <= COMMENT_CHARS, "{chars}");
    // As long as there is room.
    assert!(chars >= COMMENT_CHARS / 4, "{chars}");
    let (rows, texts) = read(&answer.body);
    let at = rows.iter().position(|row| row[0] == "Threshold").unwrap();
    assert!(rows[at + 1][1].starts_with('❌'), "{:?}", rows[at + 1]);
    for left_out in ["more conditions", "more endpoints", "more errors"] {
        assert!(texts.contains(left_out), "{left_out}: {texts}");
    }
}

/// A file for CI is there for each run, and none is made up for one that is not there.
#[tokio::test]
async fn a_run_without_thresholds_has_no_verdict_and_an_unknown_one_no_file() {
    let site = Site::start(None).await;
    site.finished_run(RUN, load_test("shop"), "/", "500").await;
    let answer = site.get(&format!("/api/v1/runs/{RUN}/junit.xml")).await;
    let report = Report::deserialize_from_str(&answer.body).unwrap();
    assert_eq!((report.tests, report.failures, report.errors), (1, 0, 0));
    let properties = &report.test_suites[0].properties;
    let has_verdict = |property: &Property| property.name.as_str() == "verdict";
    assert!(!properties.iter().any(has_verdict), "{properties:?}");
    let answer = site.get(&format!("/api/v1/runs/{RUN}/summary.md")).await;
    let (_, texts) = read(&answer.body);
    assert!(texts.starts_with("✅ shop #1 finished"), "{texts}");
    assert!(!texts.contains("Verdict"), "{texts}");
    for file in ["junit.xml", "summary.md"] {
        let answer = site.get(&format!("/api/v1/runs/zzzzzzzzzzzz/{file}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{file}");
        let message = answer.error_message();
        assert!(message.contains("zzzzzzzzzzzz"), "{message}");
    }
}

#[tokio::test]
async fn markdown_says_what_differs_from_the_pinned_run() {
    let site = Site::start(None).await;
    let (first, same, slower) = ("aaaaaaaaaaaa", "bbbbbbbbbbbb", "cccccccccccc");
    finished(&site, first, "checkout", 1.0).await;
    finished(&site, same, "checkout", 1.0).await;
    finished(&site, slower, "checkout", 1.2).await;
    let markdown = async |id: &str| {
        let answer = site.get(&format!("/api/v1/runs/{id}/summary.md")).await;
        read(&answer.body)
    };
    let (_, texts) = markdown(slower).await;
    assert!(
        !texts.contains("Compared with"),
        "nothing is pinned: {texts}"
    );
    let names_pinned = LoadTest {
        baseline: "checkout#pinned".to_owned(),
        ..load_test("other")
    };
    site.finished_run(RUN, names_pinned, "/", "").await;
    let answer = site.get(&format!("/api/v1/runs/{RUN}/summary.md")).await;
    let why = "Not compared with a baseline: `nothing to compare with: no run of checkout was pinned when this one began`";
    assert!(answer.body.contains(why), "{}", answer.body);
    let pin = AnnotationChange {
        pinned: Some(true),
        ..AnnotationChange::default()
    };
    let store = site.coordinator.store();
    store.annotate(&first.into(), pin).await.unwrap();
    let (rows, texts) = markdown(slower).await;
    assert!(
        texts.contains("Compared with checkout #1\nslower"),
        "{texts}"
    );
    let row = rows.iter().find(|row| row[1] == "95th percentile").unwrap();
    assert_eq!(
        (row[0].as_str(), row[6].as_str()),
        ("all requests", "slower")
    );
    assert!(
        row[4].starts_with("+2") || row[4].starts_with("+19"),
        "{row:?}"
    );
    let (_, texts) = markdown(same).await;
    assert!(texts.contains("no evidence of a difference"), "{texts}");
    // A comparison may name the pinned run, too.
    let compared = site
        .get("/api/v1/compare?runs=checkout%23pinned,checkout")
        .await
        .json();
    assert_eq!(compared["reference"]["number"], 1);
    assert_eq!(compared["runs"][0]["run"]["number"], 3);
}

#[tokio::test]
async fn only_an_address_becomes_a_link() {
    let (site, _) = site().await;
    for page in ["javascript:alert(1)", "x", "ftp://a/"] {
        for file in ["junit.xml", "summary.md"] {
            for query in ["page", "fallback_page"] {
                let path = format!("/api/v1/runs/{RUN}/{file}?{query}={page}");
                let answer = site.get(&path).await;
                assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
            }
        }
    }
    let path = format!("/api/v1/runs/{RUN}/summary.md?page=https://a/b)%5Bc%5D(d%3Fx=%22");
    let answer = site.get(&path).await;
    assert!(
        answer
            .body
            .contains("[Results](https://a/b%29[c]%28d?x=%22)"),
        "{}",
        answer.body
    );
    for (query, link) in [
        ("fallback_page=https://a/b", "https://a/b"),
        ("fallback_page=https://a/b&page=https://c/d", "https://c/d"),
    ] {
        let path = format!("/api/v1/runs/{RUN}/summary.md?{query}");
        let answer = site.get(&path).await;
        assert!(
            answer.body.contains(&format!("[Results]({link})")),
            "{query}"
        );
    }
}

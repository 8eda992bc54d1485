//! Thresholds of a run on three agents: exit code, output, page, API, webhook and the files for CI agree.

use std::fs;
use std::path::Path;

use greylag_tests::wait::until_true;
use greylag_tests::{Cluster, Nginx, WebhookReceiver, heavy};
use quick_junit::{Report, TestCaseStatus};
use tempfile::TempDir;

use super::results::{read_summary, run_page};
use crate::support::{RUN_TIMEOUT, SOON, greylag};

const TEST_FILE: &str = r#"
name = "thresholds"
host = "HOST"
users = 6
ramp_up = "0s"
duration = "4s"
workers = 3
infrastructure = "lab"
wait_time = [0.02, 0.05]
thresholds = [
    "error_rate < 1%",
    "p95 < 30s for GET /",
    "p95 < 30s for GET /typo",
    { condition = "requests >= 1", during = "whole" },
]

[[request]]
path = "/"

[[request]]
method = "POST"
path = "/not-allowed"
"#;

#[tokio::test]
async fn thresholds_decide_the_exit_code_and_are_the_last_words() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let receiver = WebhookReceiver::start(0).await;
    let cluster = Cluster::start_with(&greylag(), &["--webhook", receiver.url()])
        .await
        .with_agents("lab", &["east", "north", "west"])
        .await;
    let directory = TempDir::new().expect("a directory");
    let file = TEST_FILE.replace("HOST", &nginx.url());
    fs::write(directory.path().join("test.toml"), file).expect("ours");
    let arguments = [
        "run",
        "test.toml",
        "--coordinator",
        cluster.api().url(),
        "--summary",
        "out.json",
        "--exit-code-on-breach",
        "7",
        "--junit",
        "junit.xml",
        "--markdown",
        "summary.md",
        "--html",
        "run.html",
    ];
    let ended = greylag()
        .run_in(directory.path(), &arguments, RUN_TIMEOUT)
        .await;
    assert_eq!(ended.code, Some(7), "{ended:?}");

    let page = fs::read_to_string(directory.path().join("run.html")).expect("the page");
    assert!(page.starts_with("<!doctype html>") && page.contains("error_rate &#60; 1%"));

    let (summary, json) = read_summary(&directory.path().join("out.json"));
    let served = cluster.api().summary_and_json(&run_page(&ended).1).await.1;
    assert_eq!(served, json, "the file and the API");
    until_true("the webhook", SOON, || !receiver.requests().is_empty()).await;
    let (_, announced) = receiver.requests().remove(0);
    for field in ["run", "verdict", "thresholds", "totals"] {
        assert!(!announced[field].is_null(), "{field}: {announced}");
        assert_eq!(announced[field], json[field], "the webhook: {field}");
    }
    assert_eq!(summary.run.status, "Finished", "the target is at fault");
    assert_eq!(summary.verdict.as_deref(), Some("failed"));
    let states: Vec<_> = summary
        .thresholds
        .iter()
        .map(|result| (result.condition.as_str(), result.state.as_str()))
        .collect();
    let expected = [
        ("error_rate < 1%", "breached"),
        ("p95 < 30s for GET /", "passed"),
        ("p95 < 30s for GET /typo", "no_data"),
        ("requests >= 1 during whole", "passed"),
    ];
    assert_eq!(states, expected);
    let totals = &summary.totals;
    assert_eq!(
        summary.thresholds[3].actual,
        Some(totals.requests as f64),
        "all agents together"
    );
    let error_rate = summary.thresholds[0].actual.expect("it was measured");
    assert!(
        (error_rate - totals.error_rate).abs() < 1e-9,
        "{error_rate}"
    );

    let (_, last) = ended
        .stdout
        .rsplit_once("Thresholds\n")
        .unwrap_or_else(|| panic!("no thresholds in {ended:?}"));
    let words: Vec<_> = last
        .lines()
        .map(|line| {
            line.split_whitespace()
                .take(2)
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    let expected = [
        "passed p95",
        "passed requests",
        "breached error_rate",
        "no data",
        "Verdict: failed",
    ];
    assert_eq!(words, expected, "{last}");
    assert!(
        last.trim_end()
            .ends_with("error_rate < 1%; p95 < 30s for GET /typo"),
        "{last}"
    );

    assert_eq!(
        states_of_junit(directory.path()),
        words_of(&states),
        "JUnit"
    );
    let (server, run) = run_page(&ended);
    let page_url = format!("{server}/runs/{run}");
    let markdown = fs::read_to_string(directory.path().join("summary.md")).expect("it is written");
    let page = cluster.api().get(&format!("/runs/{run}")).await.body;
    let page = page.replace("&#60;", "<").replace("&#62;", ">");
    for (condition, state) in words_of(&states) {
        let row = markdown.lines().find(|line| line.contains(&condition));
        let row = row.unwrap_or_else(|| panic!("{condition} in {markdown}"));
        assert!(row.contains(&format!(" {state} |")), "{row}");
        assert!(page.contains(&condition), "{condition}");
    }
    assert!(
        markdown.contains("**Verdict: failed** (2 of 4"),
        "{markdown}"
    );
    assert!(
        markdown.contains(&format!("[Results]({page_url})")),
        "{markdown}"
    );
    assert!(page.contains("data-verdict=\"failed\""));

    // One that a threshold stops has failed, with the same exit code, and everything says by which.
    let condition = "error_rate < 1% during whole abort after 1s";
    let aborted = aborting(&nginx.url(), condition);
    fs::write(directory.path().join("test.toml"), aborted).expect("ours");
    let ended = greylag()
        .run_in(directory.path(), &arguments, RUN_TIMEOUT)
        .await;
    assert_eq!(ended.code, Some(7), "{ended:?}");
    let (summary, json) = read_summary(&directory.path().join("out.json"));
    assert_eq!(summary.run.status, "Failed");
    assert_eq!(
        summary.run.failure_code.as_deref(),
        Some("threshold_breached")
    );
    assert!(summary.run.elapsed_s < 300.0, "{}", summary.run.elapsed_s);
    assert_eq!(
        states_of_junit(directory.path()),
        words_of(&[(condition, "breached")])
    );
    let markdown = fs::read_to_string(directory.path().join("summary.md")).expect("it is written");
    assert!(markdown.contains("**Verdict: failed**"), "{markdown}");
    until_true("its webhook", SOON, || receiver.requests().len() == 2).await;
    let (_, announced) = receiver.requests().remove(1);
    assert_eq!(announced["run"], json["run"]);
}

/// The test with only this threshold, and long.
fn aborting(host: &str, condition: &str) -> String {
    let file = TEST_FILE.replace("HOST", host);
    let file = file.replace("duration = \"4s\"", "duration = \"10m\"");
    let (before, rest) = file
        .split_once("thresholds = [")
        .expect("the test has some");
    let (_, after) = rest.split_once("]\n\n").expect("the list ends");
    format!("{before}thresholds = ['{condition}']\n\n{after}")
}

/// States as people read them.
fn words_of(states: &[(&str, &str)]) -> Vec<(String, String)> {
    let words = states.iter();
    words
        .map(|(condition, state)| ((*condition).to_owned(), state.replace('_', " ")))
        .collect()
}

/// Each threshold of a JUnit file, and what it says of it.
fn states_of_junit(directory: &Path) -> Vec<(String, String)> {
    let file = fs::read_to_string(directory.join("junit.xml")).expect("it is written");
    let report = Report::deserialize_from_str(&file).expect("it is a JUnit file");
    assert_eq!((report.failures, report.errors), (2, 0), "{file}");
    let cases = report.test_suites[0].test_cases.iter().skip(1);
    cases
        .map(|case| {
            let state = match &case.status {
                TestCaseStatus::NonSuccess { ty: Some(ty), .. } => ty.as_str(),
                TestCaseStatus::Success { .. } => "passed",
                other => panic!("{other:?}"),
            };
            (case.name.as_str().to_owned(), state.to_owned())
        })
        .collect()
}

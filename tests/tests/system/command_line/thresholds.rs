//! Thresholds of a run on three agents: exit code, output, the summary's file and the API agree.

use std::fs;

use greylag_tests::{Cluster, Nginx, heavy};
use tempfile::TempDir;

use super::results::{read_summary, run_page};
use crate::support::{RUN_TIMEOUT, greylag};

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
    let cluster = Cluster::start(&greylag())
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
    ];
    let ended = greylag()
        .run_in(directory.path(), &arguments, RUN_TIMEOUT)
        .await;
    assert_eq!(ended.code, Some(7), "{ended:?}");

    let (summary, json) = read_summary(&directory.path().join("out.json"));
    let served = cluster.api().summary_and_json(&run_page(&ended).1).await.1;
    assert_eq!(served, json, "the file and the API");
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
}

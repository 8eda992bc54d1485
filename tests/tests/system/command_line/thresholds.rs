//! Thresholds of a run on three agents: exit code, output, page, API, webhook and the files for CI agree.

use std::fs;
use std::path::Path;

use greylag_tests::summary::Summary;
use greylag_tests::wait::{until, until_true};
use greylag_tests::{Cluster, Ended, Nginx, WebhookReceiver, heavy};
use tempfile::TempDir;

use super::results::{read_summary, run_page};
use super::shown_thresholds::{Row, check_page, of_junit, of_markdown, of_terminal};
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

    let (server, run) = run_page(&ended);
    assert_same_everywhere(&cluster, directory.path(), &ended, &summary).await;
    let last = ended.stdout.trim_end();
    let verdict = "Verdict: failed (2 of 4 conditions): error_rate < 1%; p95 < 30s for GET /typo";
    assert!(last.ends_with(verdict), "{last}");
    let markdown = fs::read_to_string(directory.path().join("summary.md")).expect("it is written");
    assert!(
        markdown.contains("**Verdict: failed** (2 of 4"),
        "{markdown}"
    );
    let link = format!("[Results]({server}/runs/{run})");
    assert!(markdown.contains(&link), "{markdown}");
    exported_again(&cluster, directory.path(), &run).await;

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
    assert_same_everywhere(&cluster, directory.path(), &ended, &summary).await;
    let markdown = fs::read_to_string(directory.path().join("summary.md")).expect("it is written");
    assert!(markdown.contains("**Verdict: failed**"), "{markdown}");
    // Any of them may come twice.
    let announced = until("its webhook", RUN_TIMEOUT, async || {
        let requests = receiver.requests();
        let its = requests
            .iter()
            .find(|(_, body)| body["run"]["id"] == json["run"]["id"]);
        its.map(|(_, body)| body["run"].clone())
            .ok_or_else(|| format!("{} requests", requests.len()))
    })
    .await;
    assert_eq!(announced, json["run"]);
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

/// Each row of the page is what the API says, and the terminal, the JUnit file and the Markdown summary have the same rows.
async fn assert_same_everywhere(
    cluster: &Cluster,
    directory: &Path,
    ended: &Ended,
    summary: &Summary,
) {
    let page = cluster
        .api()
        .get(&format!("/runs/{}", summary.run.id))
        .await;
    assert!(page.body.contains("data-verdict=\"failed\""));
    let rows = check_page(&page.body, &summary.thresholds);
    let read = |name: &str| fs::read_to_string(directory.join(name)).expect("it is written");
    assert_eq!(of_markdown(&read("summary.md")), rows, "Markdown");
    let junit = of_junit(&read("junit.xml"));
    assert_eq!(junit.len(), rows.len(), "JUnit");
    for (case, row) in junit.iter().zip(&rows) {
        let measured = row.measured.as_ref().filter(|_| row.state != "passed");
        assert_eq!(case.measured.as_ref(), measured, "JUnit: {row:?}");
        assert_eq!((&case.state, &case.condition), (&row.state, &row.condition));
    }
    // The failed ones are last.
    let (passed, failed): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.state == "passed");
    let terminal = of_terminal(&ended.stdout);
    let terminal: Vec<&Row> = terminal.iter().collect();
    assert_eq!(terminal, [passed, failed].concat(), "{}", ended.stdout);
}

/// `greylag export` writes what `run` wrote, but for the page's address, which only `run` knows.
async fn exported_again(cluster: &Cluster, directory: &Path, run: &str) {
    let export = async |run: &str, format: &str, output: &str| {
        let coordinator = cluster.api().url();
        let arguments = [
            "export",
            run,
            "--format",
            format,
            "--output",
            output,
            "--coordinator",
            coordinator,
        ];
        greylag().run_in(directory, &arguments, RUN_TIMEOUT).await
    };
    let read = |name: &str| fs::read_to_string(directory.join(name)).expect("it is written");
    for (format, file) in [("junit", "again.xml"), ("markdown", "again.md")] {
        let ended = export(run, format, file).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let printed = export(run, format, "-").await;
        assert_eq!(printed.stdout, read(file), "on standard output");
        let unknown = export("zzzzzzzzzzzz", format, "unknown").await;
        assert_eq!(unknown.code, Some(2), "{unknown:?}");
        assert!(unknown.stderr.contains("zzzzzzzzzzzz"), "{unknown:?}");
        assert!(!directory.join("unknown").exists());
    }
    assert_eq!(of_junit(&read("again.xml")), of_junit(&read("junit.xml")));
    let without_link = |name: &str| {
        let text = read(name);
        let lines = text.lines().map(|line| {
            line.split(" · [Results]")
                .next()
                .unwrap_or_default()
                .to_owned()
        });
        lines.collect::<Vec<_>>()
    };
    assert_eq!(without_link("again.md"), without_link("summary.md"));
}

//! The command line as people and scripts use it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use greylag_tests::summary::Summary;
use greylag_tests::{Api, Cluster, Ended, Nginx, START_TIMEOUT, heavy, local_url};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{RUN_TIMEOUT, SOON, assert_equal_to_log, endpoint_counts, greylag};

/// Headings of Locust's three console tables.
const TABLES: [&str; 6] = [
    "# reqs",
    "# fails",
    "Response time percentiles (approximated)",
    "99.9%",
    "Error report",
    "# occurrences",
];

fn assert_tables(stdout: &str, texts: &[&str]) {
    for text in TABLES.iter().chain(texts) {
        assert!(stdout.contains(text), "{text:?} is missing in\n{stdout}");
    }
    assert!(
        !stdout.contains('\u{1b}'),
        "escapes in output that is no terminal: {stdout:?}"
    );
}

fn read_summary(path: &Path) -> (Summary, Value) {
    let text =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("no summary was written: {error}"));
    let summary =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("no summary ({error}): {text}"));
    (summary, serde_json::from_str(&text).expect("it is JSON"))
}

/// The page's address in the output of a run.
fn run_page(ended: &Ended) -> (String, String) {
    let output = format!("{}{}", ended.stdout, ended.stderr);
    let server = local_url(&output).unwrap_or_else(|| panic!("no address in\n{output}"));
    let (_, rest) = output
        .split_once(&format!("{server}/runs/"))
        .unwrap_or_else(|| panic!("no address of the run in\n{output}"));
    let id = rest
        .chars()
        .take_while(char::is_ascii_alphanumeric)
        .collect();
    (server, id)
}

const TEST_FILE: &str = r#"
name = "from a file"
host = "HOST"
users = 3
ramp_up = "1s"
duration = "60s"
workers = 2
wait_time = [0.02, 0.1]

[[request]]
path = "/"
weight = 3

[[request]]
method = "POST"
path = "/not-allowed"
name = "refused"
headers = { content-type = "application/json" }
body = '{"id": 7}'

[[request]]
path = "/list?page=1"
expect_status = 200
expect_body = "no such text"
"#;

#[tokio::test]
async fn run_a_file_with_flags_on_top() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let directory = TempDir::new().expect("a directory");
    fs::write(
        directory.path().join("test.toml"),
        TEST_FILE.replace("HOST", &nginx.url()),
    )
    .expect("ours");
    let ended = greylag()
        .run_in(
            directory.path(),
            &[
                "run",
                "test.toml",
                "--duration",
                "5s",
                "--users",
                "8",
                "--data",
                "results",
                "--summary",
                "summary.json",
            ],
            RUN_TIMEOUT,
        )
        .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    // The reason is in the target's own words, as Locust has it: nginx says less than others.
    assert_tables(
        &ended.stdout,
        &[
            "405 Client Error: Not Allowed",
            "refused",
            "Aggregated",
            "Expected text",
        ],
    );
    let (_, id) = run_page(&ended);

    let (summary, json) = read_summary(&directory.path().join("summary.json"));
    assert_eq!(summary.run.id, id);
    assert_eq!(
        (summary.run.users, summary.run.duration_s),
        (8, 5.0),
        "flags win over the file"
    );
    assert_eq!(
        (summary.run.test.as_str(), summary.run.workers),
        ("from a file", 2)
    );
    assert_eq!(
        (summary.run.status.as_str(), summary.run.r#type.as_str()),
        ("Finished", "Locust")
    );
    let log = nginx.finish().await;
    assert_eq!(summary.totals.requests, log.totals().requests);
    let counts = endpoint_counts(&summary);
    let of = |method: &str, name: &str| counts[&(method.to_owned(), name.to_owned())];
    let logged = |path: &str| log.count(|request| request.path == path).requests;
    assert_eq!(
        (of("GET", "/").requests, of("GET", "/").failures),
        (logged("/"), 0)
    );
    assert_eq!(of("POST", "refused").failures, logged("/not-allowed"));
    assert_eq!(
        of("GET", "/list?page=1").failures,
        logged("/list?page=1"),
        "a text that is missing is a failure"
    );

    // The results stay: a coordinator on the same data shows the same.
    let mut coordinator = greylag().start_in(
        directory.path(),
        &[
            "coordinator",
            "--listen",
            "127.0.0.1:0",
            "--data",
            "results",
        ],
    );
    let url = coordinator
        .wait_for_output("its URL", START_TIMEOUT, local_url)
        .await;
    let (_, served) = Api::new(url).summary_and_json(&id).await;
    assert_eq!(served, json, "the file and the API");
}

#[tokio::test]
async fn run_on_a_coordinator() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east", "west"])
        .await;
    let directory = TempDir::new().expect("a directory");
    let host = nginx.url();
    let arguments = [
        "run",
        "--host",
        &host,
        "--scenario",
        "shop",
        "--name",
        "over there",
        "--users",
        "10",
        "--ramp-up",
        "1",
        "--duration",
        "5",
        "--workers",
        "2",
        "--infrastructure",
        "lab",
        "--coordinator",
        cluster.api().url(),
        "--summary",
        "out.json",
    ];
    let ended = greylag()
        .run_in(directory.path(), &arguments, RUN_TIMEOUT)
        .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_tables(&ended.stdout, &["Aggregated"]);
    let (server, id) = run_page(&ended);
    assert_eq!(server, cluster.api().url());
    let (summary, json) = read_summary(&directory.path().join("out.json"));
    assert_eq!(
        cluster.api().summary_and_json(&id).await.1,
        json,
        "the file and the API"
    );
    assert_eq!(
        (
            summary.run.test.as_str(),
            summary.run.infrastructure.as_str()
        ),
        ("over there", "lab")
    );
    assert_eq!(
        summary.totals.requests,
        nginx.finish().await.totals().requests
    );
    assert!(summary.totals.requests > 0);
}

#[tokio::test]
async fn a_failed_run_has_exit_code_1() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east"])
        .await;
    let directory = TempDir::new().expect("a directory");
    let host = nginx.url();
    let arguments = [
        "run",
        "--host",
        &host,
        "--scenario",
        "per-process",
        "--users",
        "4",
        "--ramp-up",
        "0",
        "--duration",
        "10m",
        "--infrastructure",
        "lab",
        "--coordinator",
        cluster.api().url(),
        "--summary",
        "out.json",
    ];
    let mut command = greylag().start_in(directory.path(), &arguments);
    let id = command
        .wait_for_output("the run's address", SOON, |output| {
            let (_, rest) = output.split_once("/runs/")?;
            let id: String = rest
                .chars()
                .take_while(char::is_ascii_alphanumeric)
                .collect();
            (rest.len() > id.len()).then_some(id)
        })
        .await;
    cluster.api().wait_for_requests(&id, 20, RUN_TIMEOUT).await;
    cluster.api().stop(&id).await;
    let ended = command.wait(RUN_TIMEOUT).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.stderr.contains("stopped") || ended.stdout.contains("stopped"),
        "it says why: {ended:?}"
    );
    let (summary, _) = read_summary(&directory.path().join("out.json"));
    assert_eq!(summary.run.status, "Failed");
    assert!(
        summary
            .run
            .failure_reason
            .is_some_and(|reason| reason.contains("stopped"))
    );
    let log = nginx.finish().await;
    assert_equal_to_log(cluster.api(), cluster.data(), &id, &log).await;
}

#[tokio::test]
async fn interrupt_stops_a_run_of_ones_own() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let directory = TempDir::new().expect("a directory");
    let host = nginx.url();
    let arguments = [
        "run",
        "--host",
        &host,
        "--scenario",
        "per-process",
        "--users",
        "4",
        "--ramp-up",
        "0",
        "--duration",
        "10m",
        "--workers",
        "2",
        "--data",
        "results",
        "--summary",
        "out.json",
    ];
    let mut command = greylag().start_in(directory.path(), &arguments);
    let url = command
        .wait_for_output("its URL", START_TIMEOUT, local_url)
        .await;
    greylag_tests::wait::until("load", SOON, async || {
        let requests = nginx.log_so_far().requests.len();
        if requests > 20 {
            Ok(())
        } else {
            Err(format!("{requests} requests, page {url}"))
        }
    })
    .await;
    command.signal(Signal::INT);
    let ended = command.wait(RUN_TIMEOUT).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let (summary, _) = read_summary(&directory.path().join("out.json"));
    assert_eq!(summary.run.status, "Failed");
    assert_eq!(
        summary.totals.requests,
        nginx.finish().await.totals().requests
    );
}

#[tokio::test]
async fn demo() {
    let _turn = heavy().await;
    let directory = TempDir::new().expect("a directory");
    let port = greylag_tests::free_port().to_string();
    let arguments = [
        "demo",
        "--exit",
        "--users",
        "5",
        "--duration",
        "6s",
        "--ramp-up",
        "2s",
        "--workers",
        "2",
        "--port",
        &port,
        "--data",
        "demo-data",
        "--summary",
        "demo.json",
    ];
    let ended = greylag()
        .run_in(directory.path(), &arguments, RUN_TIMEOUT)
        .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_tables(
        &ended.stdout,
        &["405 Client Error: Method Not Allowed", "Aggregated"],
    );
    let (server, id) = run_page(&ended);
    assert_eq!(server, format!("http://127.0.0.1:{port}"));
    let (summary, _) = read_summary(&directory.path().join("demo.json"));
    assert_eq!(summary.run.id, id);
    assert_eq!(
        (
            summary.run.users,
            summary.run.workers,
            summary.run.duration_s
        ),
        (5, 2, 6.0)
    );
    let refused: Vec<_> = summary
        .endpoints
        .iter()
        .filter(|endpoint| endpoint.method == "POST" && endpoint.failures > 0)
        .collect();
    assert_eq!(
        refused.len(),
        1,
        "one POST answers 405: {:?}",
        summary.endpoints
    );
    assert_eq!(refused[0].requests, refused[0].failures);
    assert!(
        summary
            .endpoints
            .iter()
            .any(|endpoint| endpoint.method == "GET" && endpoint.failures == 0)
    );
}

#[tokio::test]
async fn demo_keeps_serving_until_interrupted() {
    let _turn = heavy().await;
    let directory = TempDir::new().expect("a directory");
    let port = greylag_tests::free_port().to_string();
    let arguments = [
        "demo",
        "--users",
        "2",
        "--duration",
        "2s",
        "--ramp-up",
        "1s",
        "--port",
        &port,
        "--data",
        "demo-data",
    ];
    let mut demo = greylag().start_in(directory.path(), &arguments);
    demo.wait_for_output("the final tables", RUN_TIMEOUT, |output| {
        output.contains(TABLES[2]).then_some(())
    })
    .await;
    let api = Api::new(format!("http://127.0.0.1:{port}"));
    let runs = api.get("/api/v1/runs").await.json();
    let id = runs["runs"][0]["id"]
        .as_str()
        .expect("the demo's run")
        .to_owned();
    assert!(api.page(&id).await.contains("Finished"));
    demo.signal(Signal::INT);
    let ended = demo.wait(SOON).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[tokio::test]
async fn what_is_compiled_in() {
    let listed = greylag().run(&["scenarios"], Duration::from_secs(20)).await;
    assert_eq!(listed.code, Some(0), "{listed:?}");
    for name in ["shop", "classic", "per-process", "hostile"] {
        assert!(
            listed.stdout.contains(name),
            "{name} is missing: {}",
            listed.stdout
        );
    }
    let help = greylag().run(&["--help"], Duration::from_secs(20)).await;
    assert_eq!(help.code, Some(0));
    for command in ["demo", "run", "coordinator", "agent", "scenarios"] {
        assert!(
            help.stdout.contains(command),
            "{command} is missing: {}",
            help.stdout
        );
    }
    assert!(
        !help.stdout.contains("worker "),
        "the worker's command is no business of users: {}",
        help.stdout
    );
}

#[tokio::test]
async fn environment_variables_are_flags() {
    let directory = TempDir::new().expect("a directory");
    let mut command = greylag().command(["run"]);
    command
        .current_dir(directory.path())
        .env("GREYLAG_HOST", "http://127.0.0.1:1")
        .env("GREYLAG_SCENARIO", "shop")
        .env("GREYLAG_USERS", "0");
    let ended = greylag_tests::Process::start("greylag run", &mut command)
        .wait(SOON)
        .await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("users is 0"), "{ended:?}");
}

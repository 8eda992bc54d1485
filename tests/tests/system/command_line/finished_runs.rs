//! `greylag run`, to its end: from a file with flags on top, and on a coordinator.

use std::fs;

use greylag_tests::{Api, Cluster, Nginx, Process, START_TIMEOUT, heavy, local_url};
use tempfile::TempDir;

use super::results::{assert_tables, read_summary, run_page};
use crate::support::{RUN_TIMEOUT, endpoint_counts, greylag};

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

/// Small images have no certificates of authorities, and http needs none.
#[tokio::test]
async fn machines_without_authorities_reach_what_is_http() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let directory = TempDir::new().expect("a directory");
    let file = "users = 1\nduration = 1\n[[request]]\npath = \"/\"\n";
    fs::write(directory.path().join("test.toml"), file).expect("ours");
    let of_scenario = |name| ["--scenario", name, "--users", "1", "--duration", "1s"];
    for what in [
        &["test.toml"][..],
        &of_scenario("compared-fast"),
        &of_scenario("compared-full"),
    ] {
        let mut command = greylag().command(["run", "--headless", "--host"]);
        command
            .arg(nginx.url())
            .args(what)
            .env("SSL_CERT_FILE", "/nonexistent")
            .env("SSL_CERT_DIR", "/nonexistent")
            .current_dir(directory.path());
        let ended = Process::start("run", &mut command).wait(RUN_TIMEOUT).await;
        assert_eq!(ended.code, Some(0), "{what:?}: {ended:?}");
    }
    let requests = nginx.finish().await.totals().requests;
    assert!(requests >= 3, "{requests}");
}

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

//! The API as its own description says: schemathesis makes requests from it, valid ones and others, and no answer may be
//! a 5xx or one that the description does not name.

use std::path::Path;
use std::time::Duration;

use greylag_tests::{Cluster, Greylag, Process, clean_command};
use serde_json::json;

use super::locust::python_with;

/// What each answer must be.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";
/// Requests made up for each endpoint, beside those at the bounds of its parameters.
const EXAMPLES: &str = "15";
/// How long each part may take.
const WITHIN: Duration = Duration::from_secs(600);

#[tokio::test]
async fn every_answer_of_the_api_is_described() {
    let greylag = Greylag::at(env!("CARGO_BIN_EXE_greylag_conformance"));
    let mut cluster = Cluster::start(&greylag)
        .await
        .with_agents("local", &["only"])
        .await;
    // Nothing listens there: the results have failures and errors.
    let id = cluster
        .api()
        .start(&json!({
            "host": "http://127.0.0.1:9",
            "users": 2,
            "duration": 2,
            "ramp_up": 0,
            "declared": { "requests": [{ "path": "/" }] },
        }))
        .await;
    cluster
        .api()
        .wait_for_status(&id, "Finished", Duration::from_secs(60))
        .await;
    // Without an agent nothing is sent to the hosts that are made up.
    cluster.agent(0).kill_9().await;

    let directory = tempfile::TempDir::new().expect("a temporary directory");
    let python = python_with("schemathesis", "api_requirements.txt").await;
    let configuration = directory.path().join("of_the_run.toml");
    std::fs::write(
        &configuration,
        format!("[parameters]\n\"path.id\" = \"{id}\"\n"),
    )
    .expect("the directory is ours");
    let url = cluster.api().url().to_owned();
    // Live events do not end, and the run is needed until the end.
    let of_the_run = [
        "--exclude-operation-id",
        "delete_run",
        "--exclude-operation-id",
        "events",
    ];
    try_api(
        &python,
        directory.path(),
        &url,
        Some(&configuration),
        &of_the_run,
    )
    .await;
    try_api(
        &python,
        directory.path(),
        &url,
        None,
        &[
            "--include-path",
            "/api/v1/runs/{id}",
            "--include-path",
            "/api/v1/runs/{id}/summary",
        ],
    )
    .await;
    let still_there = cluster.api().get(&format!("/api/v1/runs/{id}")).await;
    assert_eq!(still_there.status, 200, "{}", still_there.body);
}

async fn try_api(
    python: &Path,
    directory: &Path,
    url: &str,
    configuration: Option<&Path>,
    operations: &[&str],
) {
    let mut command = clean_command(python.with_file_name("schemathesis"));
    command.current_dir(directory).env("NO_COLOR", "1");
    if let Some(file) = configuration {
        command.arg("--config-file").arg(file);
    }
    command
        .args(["run", &format!("{url}/api/v1/openapi.json")])
        .args([
            "--checks",
            CHECKS,
            "--max-examples",
            EXAMPLES,
            "--seed",
            "1",
        ])
        .args([
            "--phases",
            "examples,coverage,fuzzing",
            "--generation-database",
            "none",
        ])
        .args([
            "--suppress-health-check",
            "all",
            "--warnings",
            "off",
            "--continue-on-failure",
        ])
        .args(operations);
    let ended = Process::start("schemathesis", &mut command)
        .wait(WITHIN)
        .await;
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    println!("{}", ended.stdout);
}

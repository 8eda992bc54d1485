//! Secrets of a test: in nothing that is shown, and in no file of the coordinator once the run is over.

use std::fs;
use std::path::Path;

use greylag_tests::wait::until_true;
use greylag_tests::{Cluster, Nginx};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{RUN_TIMEOUT, SOON, greylag};

/// In every secret of these tests.
const SECRET: &str = "geheim";

fn holds_secret(bytes: &[u8]) -> bool {
    bytes
        .windows(SECRET.len())
        .any(|window| window == SECRET.as_bytes())
}

/// Files of a directory that hold the secret.
fn files_with_secret(directory: &Path) -> Vec<String> {
    fs::read_dir(directory)
        .expect("a directory")
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| holds_secret(&fs::read(entry.path()).unwrap_or_default()))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

#[tokio::test]
async fn a_password_and_headers_are_shown_nowhere_and_kept_no_longer_than_the_run() {
    let nginx = Nginx::start().await;
    let cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east"])
        .await;
    let directory = TempDir::new().expect("a directory");
    // Some of the requests fail, at an address where nothing listens, with the password in it.
    let host = nginx
        .url()
        .replace("http://", &format!("http://ada:{SECRET}@"));
    fs::write(
        directory.path().join("test.toml"),
        format!(
            "name = \"secretive\"\nhost = \"{host}\"\nusers = 2\nduration = \"3s\"\ninfrastructure = \"lab\"\n\
             wait_time = \"20ms\"\n\
             [client.headers]\nAuthorization = \"Bearer {SECRET}\"\n\
             [[request]]\npath = \"/\"\n[request.headers]\nCookie = \"session={SECRET}\"\n\
             [[request]]\npath = \"/telling\"\n[request.headers]\nCookie = \"session={SECRET}\"\n\
             [[request]]\npath = \"http://ada:{SECRET}@127.0.0.1:1/unknown\"\nname = \"unknown\"\n"
        ),
    )
    .expect("the test file is written");
    let ended = greylag()
        .run_in(
            directory.path(),
            &[
                "run",
                "-f",
                "test.toml",
                "--coordinator",
                cluster.api().url(),
                "--summary",
                "summary.json",
                "--csv",
                "results",
            ],
            RUN_TIMEOUT,
        )
        .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(nginx.log_so_far().totals().requests > 0);
    assert!(!holds_secret(ended.stdout.as_bytes()), "{}", ended.stdout);
    assert!(!holds_secret(ended.stderr.as_bytes()), "{}", ended.stderr);
    assert_eq!(files_with_secret(directory.path()), ["test.toml"]);

    let runs = cluster.api().get("/api/v1/runs").await.json();
    let id = runs["runs"][0]["id"].as_str().expect("an id").to_owned();
    for path in [
        "/".to_owned(),
        format!("/runs/{id}"),
        "/api/v1/runs".to_owned(),
        format!("/api/v1/runs/{id}"),
        format!("/api/v1/runs/{id}/log"),
        format!("/api/v1/runs/{id}/summary"),
        format!("/api/v1/runs/{id}/errors/samples"),
    ] {
        let answer = cluster.api().get(&path).await;
        assert!(answer.status.is_success(), "{path}: {answer:?}");
        assert!(!holds_secret(answer.body.as_bytes()), "{path}");
    }
    // The target repeats what it was sent; what is kept of that says where secrets were.
    let samples = error_samples(&cluster, &id).await;
    let is_telling = |sample: &&Value| sample["name"] == "/telling";
    let sample = samples.iter().find(is_telling).expect("a sample");
    assert_eq!(sample["status"], 500, "{sample}");
    assert_eq!(
        sample["body"], r#"{"error":"no","token":"(hidden)","said":"(hidden)"}"#,
        "{sample}"
    );
    // The path of a declared request is kept with the definition; all else is gone, while the coordinator keeps running.
    let path = format!("{SECRET}@127.0.0.1:1/unknown");
    until_true("secrets are overwritten", SOON, || {
        fs::read_dir(cluster.data())
            .expect("a directory")
            .all(|entry| {
                let bytes = fs::read(entry.expect("an entry").path()).unwrap_or_default();
                let text = String::from_utf8_lossy(&bytes).replace(&path, "");
                !text.contains(SECRET)
            })
    })
    .await;

    let without = [
        "run",
        "-f",
        "test.toml",
        "--coordinator",
        cluster.api().url(),
        "-t",
        "3s",
        "--no-error-samples",
    ];
    let ended = greylag()
        .run_in(directory.path(), &without, RUN_TIMEOUT)
        .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let runs = cluster.api().get("/api/v1/runs").await.json();
    let newest = runs["runs"][0]["id"].as_str().expect("an id");
    assert_ne!(newest, id);
    let summary = cluster.api().summary(newest).await;
    assert!(!summary.errors.is_empty());
    assert!(error_samples(&cluster, newest).await.is_empty());
}

/// What is kept of failed requests of a run.
async fn error_samples(cluster: &Cluster, id: &str) -> Vec<Value> {
    let samples = format!("/api/v1/runs/{id}/errors/samples");
    let samples = cluster.api().get(&samples).await.json();
    samples["samples"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn no_refusal_shows_a_password() {
    let directory = TempDir::new().expect("a directory");
    for arguments in [
        ["--host", "ftp://ada:geheim@shop.example"],
        ["--host", "http://ada:geheim@"],
        ["--host", "ada:geheim@shop.example"],
        ["--host", "http://ada:geheim@shop.example?query"],
        ["--coordinator", "http://ada:geheim@127.0.0.1:1"],
    ] {
        let mut command = vec!["run", "--scenario", "shop", "--headless"];
        command.extend(arguments);
        if arguments[0] == "--coordinator" {
            command.extend(["--host", "http://127.0.0.1:1"]);
        }
        let ended = greylag().run_in(directory.path(), &command, SOON).await;
        assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:?}");
        assert!(!holds_secret(ended.stderr.as_bytes()), "{}", ended.stderr);
        assert!(!holds_secret(ended.stdout.as_bytes()), "{}", ended.stdout);
    }
}

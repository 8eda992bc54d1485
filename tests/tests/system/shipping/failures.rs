//! Builds that do not come to anything: what is not a program, and a fetch that is not waited for.

use std::fs::{self, File};
use std::path::Path;

use greylag_tests::wait::until_true;
use greylag_tests::{Cluster, UploadedBuild};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use super::{lab, stock};
use crate::support::SOON;

/// A run of an uploaded build.
fn test(build: &UploadedBuild) -> Value {
    json!({
        "scenario": "s", "host": "http://127.0.0.1:9", "infrastructure": "lab",
        "users": 1, "workers": 1, "duration": 1, "build": build.hash(),
    })
}

#[tokio::test]
async fn a_file_that_is_not_a_program_here_fails_the_run_and_names_the_agent() {
    let directory = TempDir::new().expect("a directory");
    let cluster = lab(&["east"], Some(&directory.path().join("cache"))).await;
    let own = fs::read("/proc/self/exe").expect("our program");
    let mut other_machine = own[..4_096].to_vec();
    other_machine[18] ^= 0x55;
    for (program, words) in [
        (
            &b"exit 0 # not a program"[..],
            "not a program for this machine",
        ),
        (&other_machine, "not a program for this machine"),
        // Its beginning is right, and the rest is missing.
        (&own[..4_096], "worker 0"),
    ] {
        let build = UploadedBuild::upload(cluster.api(), "lab", program.to_vec()).await;
        let id = cluster.api().start(&test(&build)).await;
        let progress = cluster.api().wait_for_status(&id, "Failed", SOON).await;
        let reason = progress.to_string();
        assert!(
            reason.contains(words) && reason.contains("east"),
            "{reason}"
        );
    }
}

/// A way to a coordinator on which no build comes: what is asked for is held.
async fn without_builds(coordinator: &str) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("a port"));
    let coordinator = coordinator.trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        while let Ok((mut agent, _)) = listener.accept().await {
            let coordinator = coordinator.clone();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(agent.read_u8().await?);
                }
                if head.starts_with(b"GET /api/v1/builds/") {
                    agent.read_u8().await?;
                }
                let mut onward = TcpStream::connect(coordinator).await?;
                onward.write_all(&head).await?;
                copy_bidirectional(&mut agent, &mut onward).await
            });
        }
    });
    url
}

/// Whether a build is being fetched into this cache: whoever does it holds a lock.
fn is_fetched(cache: &Path, build: &UploadedBuild) -> bool {
    let part = cache.join(build.hash().as_str()).with_extension("part");
    File::open(part).is_ok_and(|part| part.try_lock().is_err())
}

#[tokio::test]
async fn a_run_that_is_stopped_no_longer_fetches() {
    let directory = TempDir::new().expect("a directory");
    let cache = directory.path().join("cache");
    let mut cluster = Cluster::start_with(&stock(), &["--accept-uploads"]).await;
    let way = without_builds(cluster.api().url()).await;
    let options = [
        "--accept-uploads",
        "--cache",
        cache.to_str().expect("a text"),
    ];
    cluster.start_agent_at(&way, "east", "lab", &options);
    let api = cluster.api();
    api.wait_for_agents("lab", 1, SOON).await;
    let build = UploadedBuild::upload_noise(api, "lab", 100).await;
    let id = api.start(&test(&build)).await;
    until_true("the agent to fetch", SOON, || is_fetched(&cache, &build)).await;
    api.stop(&id).await;
    api.wait_for_status(&id, "Failed", SOON).await;
    until_true("the agent to stop fetching", SOON, || {
        !is_fetched(&cache, &build)
    })
    .await;
}

//! A program is shipped to agents that do not have its scenarios, and refused with a message where they cannot run it.

mod data_files;
mod failures;
mod isolation;
mod machines;
mod made_crate;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use greylag_tests::{
    Cluster, Ended, Greylag, Nginx, ProcessId, START_TIMEOUT, Sending, SimulatedAgents, Traffic,
    UploadedBuild, heavy, wait,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::command_line::results::read_summary;
use crate::support::{RUN_TIMEOUT, greylag};

/// Agents of another program, which has none of the scenarios under test.
fn stock() -> Greylag {
    Greylag::at(env!("CARGO_BIN_EXE_greylag_conformance"))
}

/// A coordinator that accepts uploads, and agents of another program that share a cache, if they run what is shipped.
async fn lab(names: &[&str], cache: Option<&Path>) -> Cluster {
    let mut cluster =
        Cluster::start_with(&stock(), &["--accept-uploads", "--log-level", "debug"]).await;
    let url = cluster.api().url().to_owned();
    let cache = cache.map(|cache| cache.to_str().expect("a text").to_owned());
    let options: Vec<&str> = match &cache {
        Some(cache) => vec!["--accept-uploads", "--cache", cache],
        None => vec![],
    };
    for name in names {
        cluster.start_agent_at(&url, name, "lab", &options);
    }
    let api = cluster.api();
    api.wait_for_agents("lab", names.len(), START_TIMEOUT).await;
    cluster
}

/// How often agents have fetched a file from the coordinator.
fn fetched(cluster: &mut Cluster) -> usize {
    let log = cluster.coordinator().stderr();
    let fetched = log.lines().filter(|line| line.contains("is fetched"));
    fetched.count()
}

/// Runs a scenario of a program on the lab.
async fn run(
    program: &Greylag,
    cluster: &Cluster,
    host: &str,
    directory: &Path,
    options: &[&str],
) -> Ended {
    let url = cluster.api().url();
    let arguments = [
        &["run", "--coordinator", url, "--infrastructure", "lab"][..],
        &["--host", host, "--summary", "summary.json"],
        options,
    ]
    .concat();
    program.run_in(directory, &arguments, RUN_TIMEOUT).await
}

/// The program under test as another build: other bytes at its end.
fn edited(directory: &TempDir) -> PathBuf {
    let path = directory.path().join("edited");
    fs::copy(env!("CARGO_BIN_EXE_greylag_under_test"), &path).expect("a copy");
    let file = fs::OpenOptions::new().append(true).open(&path);
    std::io::Write::write_all(&mut file.expect("ours"), b"edited").expect("ours");
    path
}

#[tokio::test]
async fn agents_run_the_program_that_starts_the_run() {
    let _turn = heavy().await;
    let (nginx, directory) = (Nginx::start().await, TempDir::new().expect("a directory"));
    let cache = directory.path().join("cache");
    let mut cluster = lab(&["a", "b", "c"], Some(&cache)).await;
    let (here, host) = (directory.path(), nginx.url());

    // Worker 0 says what the load shape asks for: no agent has the scenario.
    let shaped = ["--scenario", "shaped", "--workers", "3"];
    let ended = run(&greylag(), &cluster, &host, here, &shaped).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("Uploading build"), "{}", ended.stderr);
    let (summary, _) = read_summary(&here.join("summary.json"));
    let [build] = &summary.run.builds[..] else {
        panic!("all workers are of one build: {:?}", summary.run.builds);
    };
    assert_eq!(build.agents, ["a", "b", "c"]);
    let shipped = build.shipped.as_ref().expect("it was uploaded");
    assert!(!shipped.uploaded_by.is_empty());
    let id = summary.run.id.clone();
    let log = nginx.finish().await;
    // The scenario gives its requests names of their own.
    assert_eq!(summary.totals.requests, log.totals().requests);
    let page = cluster.api().page(&id).await;
    let short = &build.sha256[..12];
    assert!(
        page.contains(short) && page.contains("uploaded 20"),
        "{page}"
    );
    let log = cluster.api().log(&id).await;
    assert!(log.contains(&format!("Build {short}")), "{log}");
    // The agents of one machine fetched it once.
    assert_eq!(fetched(&mut cluster), 1);
    let kept: Vec<_> = fs::read_dir(&cache).expect("a cache").collect();
    assert_eq!(kept.len(), 1, "{kept:?}");

    // An edit is another build, without anything being started again; what is there is not uploaded twice.
    let nginx = Nginx::start().await;
    let (host, program) = (nginx.url(), Greylag::at(edited(&directory)));
    let shop = [
        "--scenario",
        "shop",
        "-u",
        "3",
        "-t",
        "2s",
        "--workers",
        "3",
    ];
    for uploads in [true, false] {
        let ended = run(&program, &cluster, &host, here, &shop).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let uploaded = ended.stderr.contains("Uploading build");
        assert_eq!(uploaded, uploads, "{}", ended.stderr);
        let (again, _) = read_summary(&here.join("summary.json"));
        assert_ne!(again.run.builds[0].sha256, build.sha256);
        assert_eq!(fetched(&mut cluster), 2);
    }

    // They are listed and deleted; a run keeps which build it was of, and cannot be run again.
    let url = cluster.api().url();
    let builds = async |words: &[&str]| {
        let arguments = [&["builds"][..], words, &["--coordinator", url]].concat();
        greylag().run(&arguments, RUN_TIMEOUT).await
    };
    let listed = builds(&[]).await;
    assert_eq!(listed.stdout.lines().count(), 2, "{listed:?}");
    assert!(listed.stdout.contains(short), "{listed:?}");
    let refused = builds(&["delete", "0000000"]).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    let deleted = builds(&["delete", short]).await;
    assert_eq!(deleted.code, Some(0), "{deleted:?}");
    assert_eq!(builds(&[]).await.stdout.lines().count(), 1);
    assert!(cluster.api().page(&id).await.contains("uploaded 20"));
    let gone = json!({
        "scenario": "shaped", "host": host, "infrastructure": "lab", "build": build.sha256,
    });
    let refused = cluster.api().post("/api/v1/runs", &gone).await;
    assert_eq!(refused.status.as_u16(), 409);
    assert!(
        refused.error().contains("is not on this coordinator"),
        "{}",
        refused.error()
    );
}

#[tokio::test]
async fn what_agents_cannot_run_is_refused_before_it_is_uploaded() {
    let directory = TempDir::new().expect("a directory");
    let (here, host) = (directory.path(), "http://127.0.0.1:9");
    let start = ["--scenario", "shop", "-u", "1", "-t", "1s"];

    // An agent that does not run uploads.
    let cluster = lab(&["unwilling"], None).await;
    let refused = run(&greylag(), &cluster, host, here, &start).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    for words in [
        "agent unwilling does not run uploaded builds",
        "--accept-uploads",
    ] {
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
    assert!(!refused.stderr.contains("Uploading"), "{}", refused.stderr);
    drop(cluster);

    // A coordinator that does not accept them.
    let closed = Cluster::start(&stock())
        .await
        .with_agents("lab", &["east"])
        .await;
    let refused = run(&greylag(), &closed, host, here, &start).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    for words in ["this command line is build", "--accept-uploads"] {
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
    drop(closed);

    // Another platform, another protocol, too large a program, and content that is not what was announced.
    let cluster = lab(&["willing"], Some(&here.join("cache"))).await;
    let hash = "b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c";
    let announce = async |change: (&str, Value)| {
        let mut manifest = json!({
            "sha256": hash,
            "size": 4,
            "version": "0.0.7",
            "platform": "x86_64-linux-gnu",
            "worker_protocol": 3,
            "scenarios": [],
        });
        let platform = std::env::consts::ARCH;
        manifest["platform"] = format!("{platform}-linux-gnu").into();
        manifest[change.0] = change.1;
        let body = json!({ "manifest": manifest, "infrastructure": "lab" });
        cluster.api().post("/api/v1/builds", &body).await
    };
    for (change, status, words) in [
        (
            ("platform", json!("riscv64-linux-gnu")),
            409,
            "cargo build --release --target ",
        ),
        (
            ("worker_protocol", json!(1_000)),
            409,
            "their protocols differ",
        ),
        (("size", json!(u64::MAX)), 413, "the maximum is"),
    ] {
        let refused = announce(change).await;
        assert_eq!(refused.status.as_u16(), status, "{}", refused.error());
        assert!(refused.error().contains(words), "{}", refused.error());
    }
    let accepted = announce(("size", json!(4))).await.json();
    assert_eq!(accepted, json!({ "is_whole": false, "received_bytes": 0 }));
    let path = format!("/api/v1/builds/{hash}");
    let put = cluster.api().request(reqwest::Method::PUT, &path);
    let answer = put.body("bar\n").send().await.expect("an answer");
    assert_eq!(answer.status().as_u16(), 422);
    let text = answer.text().await.expect("a text");
    assert!(
        text.contains(hash) && text.contains("start the run again"),
        "{text}"
    );
    let put = cluster.api().request(reqwest::Method::PUT, &path);
    let answer = put.body("foo\n").send().await.expect("an answer");
    assert_eq!(answer.status().as_u16(), 200);
}

/// Many agents fetch at the same time: the coordinator holds of each what is on its way, and the results of a run beside it are
/// saved meanwhile.
#[tokio::test]
async fn fifty_agents_fetch_a_build_and_the_coordinator_stays_small_and_responsive() {
    const SIZE: usize = 15 << 20;
    const FETCHING: usize = 50;
    const MOST_MORE_BYTES: u64 = 100 << 20;
    const MOST_ROUNDS: usize = 5;
    /// Agents of that run.
    const REPORTING: usize = 10;
    let _turn = heavy().await;
    let mut cluster = Cluster::start_with(&stock(), &["--accept-uploads"]).await;
    let build = UploadedBuild::upload_noise(cluster.api(), "lab", SIZE).await;

    let traffic = Traffic::new(Duration::from_secs(1), Sending::Spread, 5, 50, 10);
    let agents = SimulatedAgents::start(cluster.api().url(), "fleet", REPORTING, traffic);
    agents.wait_until_connected(RUN_TIMEOUT).await;
    let test = json!({
        "name": "meanwhile", "host": "http://127.0.0.1:9", "infrastructure": "fleet",
        "users": REPORTING, "workers": REPORTING, "ramp_up": 0, "duration": 600,
        "declared": { "requests": [{ "method": "GET", "path": "/", "weight": 1 }] },
    });
    let id = cluster.api().start(&test).await;
    wait::until_true("snapshots to be acknowledged", RUN_TIMEOUT, || {
        agents.tally().acknowledged.len() >= 3 * REPORTING
    })
    .await;

    let coordinator = ProcessId::of(cluster.coordinator().pid()).expect("it runs");
    let bytes_before = coordinator.resident_bytes();
    // Results that are only saved when no build is fetched are saved during none of these. During one of them the disk may stall.
    let mut meanwhile = 0;
    for _ in 0..MOST_ROUNDS {
        let before = agents.tally().acknowledged.len();
        let took = build.fetch(cluster.api(), FETCHING).await;
        meanwhile = agents.tally().acknowledged.len() - before;
        println!("fetched in {took:.1?}, {meanwhile} snapshots acknowledged meanwhile");
        if meanwhile > 0 {
            break;
        }
    }
    assert!(meanwhile > 0, "nothing is saved while a build is fetched");
    let most = coordinator.peak_resident_bytes();
    assert!(
        most < bytes_before + MOST_MORE_BYTES,
        "{bytes_before} bytes before, {most} at most"
    );
    cluster.api().stop(&id).await;
    agents.wait_until_done(RUN_TIMEOUT).await;
    let summary = cluster.api().summary(&id).await;
    assert_eq!(summary.totals.requests, agents.tally().requests);
}

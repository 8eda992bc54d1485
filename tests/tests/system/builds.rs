//! The code that runs is the code that was meant: the scenario is named, and agents of another build are refused.

use std::fs;
use std::path::PathBuf;

use greylag_infra::protocol::ToCoordinator;
use greylag_tests::{
    AgentSocket, Cluster, Greylag, Heard, Nginx, Process, START_TIMEOUT, heavy, hello,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::command_line::results::read_summary;
use crate::support::{RUN_TIMEOUT, greylag, test};

/// The binary under test as another build: the same program with other bytes at its end.
fn other_build(directory: &TempDir) -> PathBuf {
    let path = directory.path().join("other-build");
    fs::copy(env!("CARGO_BIN_EXE_greylag_under_test"), &path).expect("a copy");
    let mut bytes = fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .expect("ours");
    std::io::Write::write_all(&mut bytes, b"another build").expect("ours");
    path
}

/// A coordinator with one agent, both of the build under test.
async fn lab() -> Cluster {
    let cluster = Cluster::start(&greylag()).await;
    cluster.with_agents("lab", &["east"]).await
}

/// An agent of another program on this cluster.
fn start_agent(program: &Greylag, cluster: &Cluster, name: &str, directory: &TempDir) -> Process {
    let url = cluster.api().url();
    let arguments = [
        "agent",
        "--coordinator",
        url,
        "--infrastructure",
        "lab",
        "--name",
        name,
    ];
    program.start_in(directory.path(), &arguments)
}

#[tokio::test]
async fn agents_of_different_builds_are_refused_unless_allowed() {
    let _turn = heavy().await;
    let (nginx, directory) = (Nginx::start().await, TempDir::new().expect("a directory"));
    let cluster = lab().await;
    let other = Greylag::at(other_build(&directory));
    let _west = start_agent(&other, &cluster, "west", &directory);
    let api = cluster.api();
    api.wait_for_agents("lab", 2, START_TIMEOUT).await;

    // The list names each agent's build.
    let infrastructures = api.get("/api/v1/infrastructures").await.json();
    let agents = infrastructures["infrastructures"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|infrastructure| infrastructure["name"] == "lab")
        .expect("it is there")["agents"]
        .clone();
    let hash = |agent: usize| {
        agents[agent]["build"]["sha256"]
            .as_str()
            .expect("a hash")
            .to_owned()
    };
    assert_eq!((hash(0).len(), hash(1).len()), (64, 64), "{agents}");
    assert_ne!(hash(0), hash(1));
    let front = api.get("/").await.body;
    assert!(
        front.contains(&hash(0)[..12]) && front.contains(&hash(1)[..12]),
        "{front}"
    );

    let shop = json!({ "scenario": "shop", "users": 4, "duration": 3, "workers": 2 });
    let mut mixed = test(&nginx.url(), "lab", shop);
    let refused = api.post("/api/v1/runs", &mixed).await;
    assert_eq!(refused.status.as_u16(), 409);
    for words in [
        format!("agent east runs build {}", &hash(0)[..12]),
        format!("agent west runs build {}", &hash(1)[..12]),
        "--allow-mixed-builds".to_owned(),
    ] {
        assert!(refused.error().contains(&words), "{}", refused.error());
    }
    // Declared requests mean the same to every build of one version.
    let declared = test(&nginx.url(), "lab", json!({ "users": 4, "duration": 2 }));
    let id = api.start(&declared).await;
    api.wait_for_status(&id, "Finished", RUN_TIMEOUT).await;

    mixed["allow_mixed_builds"] = Value::Bool(true);
    let id = api.start(&mixed).await;
    api.wait_for_status(&id, "Finished", RUN_TIMEOUT).await;
    let summary = api.summary(&id).await;
    assert_eq!(summary.run.status, "Finished", "{:?}", summary.run);
    let builds: Vec<_> = summary
        .run
        .builds
        .iter()
        .map(|build| (build.sha256.clone(), build.agents.clone()))
        .collect();
    assert_eq!(
        builds,
        [
            (hash(0), vec!["east".to_owned()]),
            (hash(1), vec!["west".to_owned()])
        ]
    );
    let page = api.page(&id).await;
    assert!(
        page.contains(&format!("{} (Greylag", &hash(1)[..12])),
        "{page}"
    );
}

#[tokio::test]
async fn a_command_line_names_its_scenario_and_means_its_own_build() {
    let _turn = heavy().await;
    let (nginx, directory) = (Nginx::start().await, TempDir::new().expect("a directory"));
    let cluster = lab().await;
    let (url, host) = (cluster.api().url().to_owned(), nginx.url());
    let arguments = |infrastructure: &'static str| {
        [
            "run",
            "--coordinator",
            &url,
            "--infrastructure",
            infrastructure,
            "--host",
            &host,
            "-u",
            "2",
            "-t",
            "2s",
            "--summary",
            "summary.json",
        ]
        .map(str::to_owned)
        .to_vec()
    };
    let run = async |program: &Greylag, arguments: Vec<String>| {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        program
            .run_in(directory.path(), &arguments, RUN_TIMEOUT)
            .await
    };

    // The agent runs the same build: the scenario that is named is the first of this binary.
    let ended = run(&greylag(), arguments("lab")).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let (summary, _) = read_summary(&directory.path().join("summary.json"));
    assert_eq!(
        (summary.run.test.as_str(), summary.run.builds.len()),
        ("shop", 1)
    );

    // Another build of the command line does not get the agents' version of its scenario without a word.
    let other = Greylag::at(other_build(&directory));
    let refused = run(&other, arguments("lab")).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    for words in [
        "this command line is build",
        "agent east runs build",
        "scenario `shop`",
    ] {
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
    let allowed = [arguments("lab"), vec!["--allow-mixed-builds".to_owned()]].concat();
    let ended = run(&other, allowed).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended
            .stderr
            .contains("Warning: the run was started by build"),
        "{}",
        ended.stderr
    );

    // Agents that do not have the scenario of this binary run nothing in its place.
    let mut stranger = AgentSocket::connect(&url, &[]).await.expect("a connection");
    stranger
        .send(&ToCoordinator::Hello(hello("stranger", "elsewhere")))
        .await;
    assert!(matches!(stranger.hear().await, Heard::Message(_)));
    let refused = run(&greylag(), arguments("elsewhere")).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    for words in ["scenario `shop`", "`stranger`", "bare"] {
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
}

/// Which of several scenarios runs against a host is not left to chance.
#[tokio::test]
async fn a_start_that_names_no_scenario_is_refused_where_there_are_several() {
    let cluster = lab().await;
    let nameless = json!({ "host": "http://127.0.0.1:9", "infrastructure": "lab" });
    let refused = cluster.api().post("/api/v1/runs", &nameless).await;
    assert_eq!(refused.status.as_u16(), 422);
    assert!(
        refused
            .error()
            .starts_with("scenario is missing; available on infrastructure `lab`: ")
            && refused.error().contains("checkout"),
        "{}",
        refused.error()
    );
}

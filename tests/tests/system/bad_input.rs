//! Bad input: one clear sentence, exit code 2 (or 4xx with a JSON error), and nothing is started.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use greylag_infra::protocol::{self, ToAgent};
use greylag_tests::{Cluster, Ended, Nginx, free_port};
use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{SOON, greylag, test};

/// A command that is refused ends at once; this is for a busy machine.
const REFUSED_WITHIN: Duration = Duration::from_secs(30);

/// Checks that a command was refused with one sentence that holds these words.
fn assert_refused(ended: &Ended, words: &[&str]) {
    assert_eq!(ended.code, Some(2), "bad input has exit code 2: {ended:?}");
    let lines: Vec<&str> = ended
        .stderr
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    assert_eq!(lines.len(), 1, "one sentence: {}", ended.stderr);
    for word in words {
        assert!(
            lines[0].contains(word),
            "{:?} should contain {word:?}",
            lines[0]
        );
    }
    assert!(
        !ended.stdout.contains("/runs/"),
        "something was started: {}",
        ended.stdout
    );
}

/// `greylag run` with these arguments, in a directory that must stay as it is.
async fn refused_run(directory: &Path, arguments: &[&str], words: &[&str]) {
    let before = entries(directory);
    let ended = greylag()
        .run_in(directory, &[&["run"], arguments].concat(), REFUSED_WITHIN)
        .await;
    assert_refused(&ended, words);
    assert_eq!(
        entries(directory),
        before,
        "`run {arguments:?}` left something behind"
    );
}

fn entries(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .expect("a directory")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn flags() {
    let nginx = Nginx::start().await;
    let host = nginx.url();
    let directory = TempDir::new().expect("a directory");
    let cases: &[(&[&str], &[&str])] = &[
        (&["--users", "0"], &["users is 0"]),
        (&["--workers", "0"], &["workers is 0"]),
        (&["--duration", "0"], &["duration is 0"]),
        (
            &["--ramp-up", "10s", "--duration", "10s"],
            &["ramp-up", "not shorter than the duration"],
        ),
        (
            &["--ramp-up", "11", "--duration", "10"],
            &["not shorter than the duration"],
        ),
        (
            &["--users", "2", "--workers", "3"],
            &["at most one worker per user"],
        ),
        (
            &["--scenario", "no-such-scenario"],
            &["no-such-scenario", "shop"],
        ),
        (&["no-such-file.toml"], &["no-such-file.toml"]),
    ];
    for (arguments, words) in cases {
        // What is not under test is right, so that only the mistake can be what is refused.
        let mut all: Vec<&str> = arguments.to_vec();
        for (flag, value) in [("--host", host.as_str()), ("--scenario", "shop")] {
            if !all.contains(&flag) {
                all.extend([flag, value]);
            }
        }
        refused_run(directory.path(), &all, words).await;
    }
    for bad in [
        "example.com",
        "ftp://example.com",
        "http://",
        "not a url",
        "127.0.0.1:80",
    ] {
        refused_run(
            directory.path(),
            &["--scenario", "shop", "--host", bad],
            &["is not a URL"],
        )
        .await;
    }
    assert!(
        nginx.finish().await.requests.is_empty(),
        "load was generated"
    );
}

#[tokio::test]
async fn values_that_are_no_numbers_or_durations() {
    let directory = TempDir::new().expect("a directory");
    for arguments in [
        ["run", "--host", "http://127.0.0.1:1", "--users", "many"],
        ["run", "--host", "http://127.0.0.1:1", "--users", "-1"],
        ["run", "--host", "http://127.0.0.1:1", "--duration", "soon"],
        ["run", "--host", "http://127.0.0.1:1", "--ramp-up", "1d"],
        ["run", "--host", "http://127.0.0.1:1", "--no-such-flag", "1"],
        ["coordinator", "--data", "data", "--listen", "nowhere"],
        [
            "agent",
            "--infrastructure",
            "lab",
            "--coordinator",
            "not a url",
        ],
        [
            "agent",
            "--infrastructure",
            "lab",
            "--coordinator",
            "ftp://127.0.0.1",
        ],
        [
            "agent",
            "--coordinator",
            "http://127.0.0.1:1",
            "--infrastructure",
            "a/b",
        ],
    ] {
        let ended = greylag()
            .run_in(directory.path(), &arguments, REFUSED_WITHIN)
            .await;
        assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:?}");
        assert!(
            !ended.stderr.trim().is_empty(),
            "{arguments:?} says nothing"
        );
        assert!(
            entries(directory.path()).is_empty(),
            "{arguments:?} left something behind"
        );
    }
}

#[tokio::test]
async fn test_files() {
    let directory = TempDir::new().expect("a directory");
    let cases = [
        (
            "host = \"http://127.0.0.1:1\"\nuser = 3\n",
            vec!["line 2", "`user`", "`users`"],
        ),
        (
            "host = \"http://127.0.0.1:1\"\n\n[[request]]\npaht = \"/\"\n",
            vec!["line 4", "`paht`", "`path`"],
        ),
        (
            "host = \"http://127.0.0.1:1\"\nusers = \"three\"\n",
            vec!["line 2", "users"],
        ),
        (
            "host = \"http://127.0.0.1:1\"\nduration = \"1d\"\n",
            vec!["line 2", "duration"],
        ),
        ("host = \n", vec!["line 1", "TOML"]),
        (
            "host = \"nonsense\"\nscenario = \"shop\"\n",
            vec!["is not a URL"],
        ),
        (
            "host = \"http://127.0.0.1:1\"\nusers = 0\nscenario = \"shop\"\n",
            vec!["users is 0"],
        ),
        (
            "host = \"http://127.0.0.1:1\"\n[[request]]\npath = \"no-slash\"\n",
            vec!["no-slash"],
        ),
        (
            "host = \"http://127.0.0.1:1\"\nscenario = \"nothing\"\n",
            vec!["nothing", "shop"],
        ),
    ];
    let file = directory.path().join("test.toml");
    for (text, words) in cases {
        fs::write(&file, text).expect("the directory is ours");
        refused_run(directory.path(), &["test.toml"], &words).await;
    }
    fs::write(&file, b"host = \"\xff\xfe\"\n").expect("the directory is ours");
    refused_run(directory.path(), &["test.toml"], &["test.toml"]).await;
}

#[tokio::test]
async fn ports_that_are_taken() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let listen = format!("127.0.0.1:{port}");
    let directory = TempDir::new().expect("a directory");
    for arguments in [
        vec!["coordinator", "--listen", &listen, "--data", "data"],
        vec![
            "run",
            "--port",
            &port,
            "--host",
            "http://127.0.0.1:1",
            "--scenario",
            "shop",
            "--data",
            "data",
        ],
        vec!["demo", "--port", &port, "--data", "data"],
    ] {
        let ended = greylag()
            .run_in(directory.path(), &arguments, REFUSED_WITHIN)
            .await;
        assert_refused(&ended, &[&port, "in use"]);
    }
}

#[tokio::test]
async fn data_directories_that_cannot_be_used() {
    let directory = TempDir::new().expect("a directory");
    fs::write(directory.path().join("file"), "not a directory").expect("the directory is ours");
    // Below a file nobody can write, not even root.
    for data in ["file", "file/below"] {
        let arguments = ["coordinator", "--listen", "127.0.0.1:0", "--data", data];
        let ended = greylag()
            .run_in(directory.path(), &arguments, REFUSED_WITHIN)
            .await;
        assert_refused(&ended, &["data directory", "--data"]);
        let arguments = [
            "run",
            "--host",
            "http://127.0.0.1:1",
            "--scenario",
            "shop",
            "--data",
            data,
        ];
        let ended = greylag()
            .run_in(directory.path(), &arguments, REFUSED_WITHIN)
            .await;
        assert_refused(&ended, &["data directory", "--data"]);
    }
    assert_eq!(entries(directory.path()), ["file"]);

    let mut cluster = Cluster::start(&greylag()).await;
    let data = cluster.data().to_str().expect("a path in UTF-8").to_owned();
    let second = ["coordinator", "--listen", "127.0.0.1:0", "--data", &data];
    let ended = greylag()
        .run_in(directory.path(), &second, REFUSED_WITHIN)
        .await;
    assert_refused(&ended, &["in use by another coordinator"]);

    cluster.coordinator().signal(Signal::TERM);
    cluster.coordinator().wait(SOON).await;
    let database =
        rusqlite::Connection::open(cluster.data().join("greylag.sqlite")).expect("the database");
    database
        .pragma_update(None, "user_version", 999)
        .expect("a newer schema");
    drop(database);
    let ended = greylag()
        .run_in(directory.path(), &second, REFUSED_WITHIN)
        .await;
    assert_refused(&ended, &["newer Greylag", "999"]);

    fs::write(
        cluster.data().join("greylag.sqlite"),
        "this is no database at all, but a text",
    )
    .expect("ours");
    let ended = greylag()
        .run_in(directory.path(), &second, REFUSED_WITHIN)
        .await;
    assert_refused(&ended, &["greylag.sqlite"]);
}

#[tokio::test]
async fn coordinators_that_cannot_be_used() {
    let directory = TempDir::new().expect("a directory");
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    let common = [
        "--host",
        "http://127.0.0.1:1",
        "--scenario",
        "shop",
        "--coordinator",
    ];
    refused_run(
        directory.path(),
        &[&common[..], &[&nowhere]].concat(),
        &[&nowhere],
    )
    .await;

    let cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east"])
        .await;
    let url = cluster.api().url();
    let to = |infrastructure| [&common[..], &[url, "--infrastructure", infrastructure]].concat();
    refused_run(directory.path(), &to("nowhere"), &["nowhere", "lab"]).await;
    let created = cluster
        .api()
        .post("/api/v1/infrastructures", &json!({ "name": "empty" }))
        .await;
    assert!(created.status.is_success(), "{created:?}");
    refused_run(
        directory.path(),
        &to("empty"),
        &["no agent is connected", "greylag agent"],
    )
    .await;
    let unknown = [
        "--host",
        "http://127.0.0.1:1",
        "--scenario",
        "unheard-of",
        "--coordinator",
        url,
        "--infrastructure",
        "lab",
    ];
    refused_run(directory.path(), &unknown, &["unheard-of", "shop"]).await;
    assert_eq!(
        cluster.api().get("/api/v1/runs").await.json()["runs"],
        json!([]),
        "something was started"
    );

    let guarded = Cluster::start_with(&greylag(), &["--token", "secret"]).await;
    let to_guarded = [&common[..], &[guarded.api().url()]].concat();
    refused_run(directory.path(), &to_guarded, &["token"]).await;
    refused_run(
        directory.path(),
        &[&to_guarded[..], &["--token", "wrong"]].concat(),
        &["token"],
    )
    .await;
}

/// An agent of one version and a coordinator of another: the agent ends with the coordinator's sentence.
#[tokio::test]
async fn coordinator_of_another_protocol_version() {
    const REASON: &str = "the agent speaks protocol version 1 and this coordinator version 7; install the same Greylag on both";
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut socket = tokio_tungstenite::accept_async(stream)
                .await
                .expect("an agent");
            socket.next().await.expect("a hello").expect("a hello");
            let refused = protocol::encode(&ToAgent::Refused {
                reason: REASON.to_owned(),
            });
            socket
                .send(Message::Binary(refused.into()))
                .await
                .expect("the agent listens");
            // The agent closes.
            while let Some(Ok(_)) = socket.next().await {}
        }
    });
    let ended = greylag()
        .run(
            &["agent", "--coordinator", &url, "--infrastructure", "lab"],
            REFUSED_WITHIN,
        )
        .await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(
        ended.stderr.contains("install the same Greylag on both"),
        "{ended:?}"
    );
}

#[tokio::test]
async fn over_http() {
    let cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east"])
        .await;
    let api = cluster.api();
    let host = "http://127.0.0.1:1";
    let with = |changes: Value| test(host, "lab", changes);
    let cases: Vec<(Value, &str)> = vec![
        (with(json!({ "users": 0 })), "users is 0"),
        (with(json!({ "workers": 0 })), "workers is 0"),
        (
            with(json!({ "duration": 0, "ramp_up": 0 })),
            "duration is 0",
        ),
        (
            with(json!({ "ramp_up": 6 })),
            "not shorter than the duration",
        ),
        (with(json!({ "users": 1_000_001 })), "the most is"),
        (
            with(json!({ "workers": 21 })),
            "at most one worker per user",
        ),
        (with(json!({ "name": "line\nbreak" })), "no name"),
        (with(json!({ "name": "x".repeat(300) })), "no name"),
        (with(json!({ "host": "example.com" })), "is not a URL"),
        (
            with(json!({ "host": "javascript:alert(1)" })),
            "neither http:// nor https://",
        ),
        (with(json!({ "infrastructure": "nowhere" })), "nowhere"),
        (with(json!({ "scenario": "unheard-of" })), "unheard-of"),
        (with(json!({ "duration": "1d" })), "duration"),
        (
            with(json!({ "declared": { "requests": [] } })),
            "at least one",
        ),
        (
            with(
                json!({ "declared": { "requests": [{ "method": "NO GET", "path": "/", "weight": 1 }] } }),
            ),
            "NO GET",
        ),
        (
            with(
                json!({ "declared": { "requests": [{ "method": "GET", "path": "/", "weight": 0 }] } }),
            ),
            "weight",
        ),
        (with(json!({ "no_such_field": 1 })), "no_such_field"),
        (with(json!({ "users": -1 })), "users"),
        (json!({ "infrastructure": "lab" }), "host"),
        (json!([]), "JSON"),
    ];
    for (body, words) in cases {
        let answer = api.post("/api/v1/runs", &body).await;
        assert!(
            answer.status.is_client_error(),
            "{body} gives {}: {}",
            answer.status,
            answer.body
        );
        let error = answer.error();
        assert!(
            error.contains(words),
            "{body}: {error:?} should contain {words:?}"
        );
    }
    for body in ["", "{", "users=1", "\u{0}"] {
        let request = api.request(Method::POST, "/api/v1/runs").body(body);
        let answer = greylag_tests::answer("/api/v1/runs", request.send().await).await;
        assert!(
            answer.status.is_client_error(),
            "{body:?} gives {}",
            answer.status
        );
        answer.error();
    }
    let huge = api
        .request(Method::POST, "/api/v1/runs")
        .body(vec![b' '; 20 << 20]);
    // It may be refused before all of it is sent.
    if let Ok(response) = huge.send().await {
        assert!(response.status().is_client_error(), "{}", response.status());
    }
    for path in [
        "/api/v1/runs/none",
        "/api/v1/runs/none/summary",
        "/api/v1/runs/none/events",
        "/api/v1/none",
    ] {
        let answer = api.get(path).await;
        assert_eq!(answer.status.as_u16(), 404, "{path}");
        answer.error();
    }
    for name in ["", "a/b", "<script>"] {
        let answer = api
            .post("/api/v1/infrastructures", &json!({ "name": name }))
            .await;
        assert!(
            answer.status.is_client_error(),
            "{name:?} gives {}",
            answer.status
        );
        answer.error();
    }
    assert_eq!(
        api.get("/api/v1/runs").await.json()["runs"],
        json!([]),
        "something was started"
    );
}

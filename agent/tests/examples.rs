//! The examples are programs that run, and their files need nothing but what a crate of `greylag new` has.

#![cfg(feature = "coordinator")]
#![allow(clippy::unwrap_used, reason = "a test that cannot continue fails")]

/// Its own test runs here: of an example that is tested itself cargo would not build the program.
#[allow(dead_code, reason = "its main is that of the program")]
#[path = "../../scenarios/examples/websocket.rs"]
mod websocket;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::http::{StatusCode, header};
use axum::response::sse::{Event, Sse};
use axum::routing::{any, get, post};
use futures_util::{Stream, StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The examples whose files are whole programs without another dependency.
const EXAMPLES: [&str; 6] = [
    "checkout",
    "classic",
    "login_journey",
    "rest_crud",
    "shop",
    "streaming_llm",
];

/// A target that has an answer to everything the examples ask for.
async fn target() -> String {
    let everything = json!({ "token": "t", "id": 1, "items": 1, "views": 1 });
    let answer = (
        [(header::CONTENT_TYPE, "application/json")],
        everything.to_string(),
    );
    let products = json!([{ "id": 1, "name": "Kettle" }]).to_string();
    let created = (StatusCode::CREATED, everything.to_string());
    let app = Router::new()
        .route("/api/products", get(async move || products))
        .route("/notes", get("[]").post(async move || created))
        .route("/v1/chat/completions", post(async || Sse::new(tokens())))
        .route(
            "/broken/v1/chat/completions",
            post(async || {
                let broken = io::Error::other("the model is gone");
                Sse::new(tokens().take(3).chain(stream::iter([Err(broken)])))
            }),
        )
        .route(
            "/echo",
            any(async |upgrade: WebSocketUpgrade| {
                upgrade.on_upgrade(async |mut socket| {
                    while let Some(Ok(message)) = socket.recv().await {
                        if socket.send(message).await.is_err() {
                            break;
                        }
                    }
                })
            }),
        )
        .fallback(async move || answer.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

/// Three tokens, as a language model streams them.
fn tokens() -> impl Stream<Item = io::Result<Event>> {
    let delta = |delta: Value, reason: Value| json!({ "choices": [{ "delta": delta, "finish_reason": reason }] });
    let events = [
        delta(json!({ "role": "assistant", "content": "" }), Value::Null).to_string(),
        delta(json!({ "content": "a" }), Value::Null).to_string(),
        delta(json!({ "content": "b" }), Value::Null).to_string(),
        delta(json!({ "content": "c" }), Value::Null).to_string(),
        delta(json!({}), json!("length")).to_string(),
        "[DONE]".to_owned(),
    ];
    stream::iter(events).then(async |data| {
        tokio::time::sleep(Duration::from_millis(10)).await;
        Ok(Event::default().data(data))
    })
}

fn succeeded(output: &Output) {
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The target directory of this build.
fn target_directory() -> PathBuf {
    let temporary = Path::new(env!("CARGO_TARGET_TMPDIR"));
    temporary.parent().unwrap().to_owned()
}

/// An example as a program. Cargo builds examples before tests, unless it is asked for single tests: then the one that is
/// there is taken, because building it alone, with other features of the dependencies, takes minutes.
fn program(example: &str) -> PathBuf {
    let profile = Path::new(env!("CARGO_BIN_EXE_greylag")).parent().unwrap();
    let binary = profile.join("examples").join(example);
    if !binary.exists() {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--example", example]);
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        cargo.env("CARGO_TARGET_DIR", target_directory());
        cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
        succeeded(&cargo.output().unwrap());
    }
    binary
}

/// Runs an example for a moment. Every request but the listed ones must succeed.
async fn runs(example: &str, fails_on_purpose: &[&str]) -> Value {
    runs_at(example, "", fails_on_purpose).await
}

/// The same with a target below this path.
async fn runs_at(example: &str, path: &str, fails_on_purpose: &[&str]) -> Value {
    let (mut output, mut summary) = run_for("4s", example, path).await;
    // On a busy machine a short run may be over before its first request.
    if summary["totals"]["requests"] == 0 {
        (output, summary) = run_for("20s", example, path).await;
    }
    succeeded(&output);
    assert!(
        summary["totals"]["requests"].as_u64() > Some(0),
        "{summary}"
    );
    let failed = summary["endpoints"].as_array().unwrap().iter();
    let failed = failed.filter(|endpoint| endpoint["failures"].as_u64() > Some(0));
    for endpoint in failed {
        let name = endpoint["name"].as_str().unwrap();
        assert!(fails_on_purpose.contains(&name), "{name}: {summary}");
    }
    summary
}

/// Runs an example; its summary is null if it wrote none.
async fn run_for(duration: &str, example: &str, path: &str) -> (Output, Value) {
    let directory = tempfile::tempdir().unwrap();
    let mut run = Command::new(program(example));
    run.args(["run", "--headless", "--users", "3", "--ramp-up", "0s"]);
    run.args(["--duration", duration, "--summary", "summary.json"]);
    run.arg("--host");
    run.arg(target().await + path).current_dir(directory.path());
    let output = tokio::task::spawn_blocking(move || run.output().unwrap());
    let output = output.await.unwrap();
    let summary = fs::read_to_string(directory.path().join("summary.json"));
    let summary = serde_json::from_str(&summary.unwrap_or_default());
    (output, summary.unwrap_or_default())
}

#[tokio::test]
async fn checkout_runs() {
    runs("checkout", &[]).await;
}

#[tokio::test]
async fn classic_runs() {
    runs("classic", &[]).await;
}

#[tokio::test]
async fn login_journey_runs() {
    // This target accepts any login.
    runs("login_journey", &["/login (wrong)"]).await;
}

#[tokio::test]
async fn rest_crud_runs() {
    // Nothing is ever removed here.
    runs("rest_crud", &["/notes/[id] (removed)"]).await;
}

#[tokio::test]
async fn shop_runs() {
    runs("shop", &[]).await;
}

#[tokio::test]
async fn streaming_llm_runs() {
    let summary = runs("streaming_llm", &[]).await;
    let metrics = summary["custom_metrics"].as_array().unwrap();
    let metric = |name: &str| {
        metrics
            .iter()
            .find(|metric| metric["name"] == name)
            .unwrap()
    };
    let answers = metric("length of answers");
    assert_eq!(
        (&answers["min"], &answers["max"]),
        (&json!(3.0), &json!(3.0))
    );
    assert_eq!(metric("answers cut off")["rate"], 1.0);
    let first = metric("time to first token");
    assert_eq!(
        (&first["unit"], &first["count"]),
        (&json!("ms"), &answers["count"])
    );
    assert!(
        first["min"].as_f64() >= Some(20.0),
        "after two pauses: {first}"
    );
    let speed = metric("tokens per second");
    assert_eq!(speed["unit"], "tokens/s");
    assert!(
        speed["count"].as_u64() > Some(0) && speed["max"].is_number(),
        "{speed}"
    );
}

#[tokio::test]
async fn an_answer_of_a_language_model_that_breaks_off_fails_with_the_reason() {
    let summary = runs_at("streaming_llm", "/broken", &["whole answer"]).await;
    let errors = summary["errors"].as_array().unwrap();
    let [error] = &errors[..] else {
        panic!("{summary}");
    };
    assert_eq!(error["name"], "whole answer");
    let text = error["error"].as_str().unwrap();
    assert!(text.starts_with("Connection closed before"), "{text}");
}

#[tokio::test]
async fn websocket_runs() {
    runs("websocket", &[]).await;
}

/// Checked in a crate that `greylag new` made, with the dependencies that it gives and no others.
#[test]
fn each_compiles_in_a_new_crate() {
    let directory = tempfile::tempdir().unwrap();
    let mut new = Command::new(env!("CARGO_BIN_EXE_greylag"));
    new.args(["new", "my-load"]).current_dir(directory.path());
    succeeded(&new.output().unwrap());
    let made = directory.path().join("my-load");
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/examples");
    let programs = made.join("src/bin");
    fs::create_dir(&programs).unwrap();
    for example in EXAMPLES {
        let file = format!("{example}.rs");
        fs::copy(examples.join(&file), programs.join(&file)).unwrap();
    }
    let data = "checkout_customers.csv";
    fs::copy(examples.join(data), programs.join(data)).unwrap();
    compile_as_here(&made);
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["check", "--offline", "--bins"]);
    cargo.env("CARGO_TARGET_DIR", target_directory());
    let checked = cargo.current_dir(&made).output().unwrap();
    succeeded(&checked);
    let said = String::from_utf8_lossy(&checked.stderr);
    // The profile also names crates that a crate of `greylag new` does not use.
    let warned = said
        .lines()
        .find(|line| line.starts_with("warning") && !line.contains("did not match any packages"));
    assert_eq!(warned, None, "{said}");
}

/// Gives a crate the profile of this workspace: with another one, all dependencies would be compiled again.
fn compile_as_here(made: &Path) {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let ours: toml::Table = fs::read_to_string(manifest).unwrap().parse().unwrap();
    let profile = toml::Table::from_iter([("profile".to_owned(), ours["profile"].clone())]);
    fs::create_dir(made.join(".cargo")).unwrap();
    fs::write(made.join(".cargo/config.toml"), profile.to_string()).unwrap();
}

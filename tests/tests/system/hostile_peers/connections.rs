//! Strangers without the token do not keep others out, and do not guess it.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use greylag_tests::{Cluster, START_TIMEOUT, heavy, wait};
use reqwest::{Client, StatusCode};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::support::{SOON, greylag};

const TOKEN: &str = "correct-horse-battery-staple";
/// Connections that say nothing: more than the coordinator has places for.
const IDLE: usize = 2_100;

/// Whoever is guessing waits in line at least so long before a token is looked at.
const IN_LINE: Duration = Duration::from_millis(200);

/// The test itself holds all ends of them.
fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised).expect("the limit can be raised to its maximum");
}

#[tokio::test]
async fn idle_connections_do_not_shut_others_out() {
    let _turn = heavy().await;
    allow_many_files();
    let mut cluster = Cluster::start_with(&greylag(), &["--token", TOKEN]).await;
    let friend = cluster.api().clone().with_token(TOKEN);
    let url = friend.url().to_owned();
    let address = url.trim_start_matches("http://").to_owned();
    let events = friend.request(reqwest::Method::GET, "/api/v1/events");
    let mut events = events
        .timeout(Duration::from_secs(120))
        .send()
        .await
        .expect("events");
    assert_eq!(events.status(), StatusCode::OK);

    let mut idle = Vec::new();
    for _ in 0..IDLE {
        idle.push(TcpStream::connect(&address).await.expect("it is accepted"));
    }
    assert_eq!(friend.get("/").await.status, StatusCode::OK);
    cluster.start_agent_at(&url, "east", "lab", &["--token", TOKEN]);
    friend.wait_for_agents("lab", 1, START_TIMEOUT).await;
    let created = friend
        .post("/api/v1/infrastructures", &json!({ "name": "new" }))
        .await;
    assert_eq!(created.status, StatusCode::CREATED, "{created:?}");
    let heard = tokio::time::timeout(SOON, events.chunk()).await;
    let heard = heard.expect("an event in time").expect("the stream holds");
    assert!(heard.is_some(), "who has shown the token keeps the place");
    // The first were closed for others, the last because they said nothing.
    for stream in [idle.swap_remove(0), idle.pop().expect("the last")] {
        let mut stream = stream;
        let end = tokio::time::timeout(SOON, stream.read(&mut [0; 16])).await;
        let end = end.expect("a silent connection is closed");
        assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    }
}

#[tokio::test]
async fn a_token_is_not_guessed_by_hanging_up() {
    let mut cluster = Cluster::start_with(&greylag(), &["--token", TOKEN]).await;
    let url = format!("{}/api/v1/runs", cluster.api().url());
    let from = |address: [u8; 4], patience: Duration| {
        let client = Client::builder()
            .no_proxy()
            .local_address(IpAddr::from(address))
            .timeout(patience)
            .build()
            .expect("a client");
        let url = url.clone();
        async move |token: String| client.get(&url).bearer_auth(token).send().await
    };
    let guess = from([127, 0, 0, 2], Duration::from_millis(100));
    for number in 0..200 {
        let answer = guess(format!("guess-{number}")).await;
        assert!(!answer.is_ok_and(|answer| answer.status().is_success()));
    }
    let begun = Instant::now();
    let found = guess(TOKEN.to_owned()).await;
    let is_let_in = found.is_ok_and(|answer| answer.status().is_success());
    // When this process is held up, the guesser hears what it would not have waited for.
    assert!(
        !is_let_in || begun.elapsed() >= IN_LINE,
        "a guesser that hangs up learns which one is right"
    );
    let friend = from([127, 0, 0, 1], SOON);
    let answer = friend(TOKEN.to_owned()).await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK, "others are not slowed");
    wait::until("the guesses in the log", SOON, async || {
        let output = cluster.coordinator().output();
        if output.contains("wrong tokens") && output.contains("127.0.0.2") {
            Ok(())
        } else {
            Err(output)
        }
    })
    .await;
    let lines = cluster
        .coordinator()
        .output()
        .matches("wrong tokens")
        .count();
    assert!(lines < 10, "{lines} lines of 200 guesses");
}

#[tokio::test]
async fn a_short_token_is_refused_where_others_can_guess_it() {
    let short = ["coordinator", "--listen", "0.0.0.0:0", "--token", "1"];
    let refused = greylag().run(&short, SOON).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(
        refused.stderr.contains("openssl rand -hex 16"),
        "{refused:?}"
    );
}

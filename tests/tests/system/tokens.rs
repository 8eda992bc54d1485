//! Tokens with a role, by the command line and real processes.

use greylag_tests::{Api, Cluster, Greylag, Nginx, START_TIMEOUT, heavy};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{RUN_TIMEOUT, SOON, assert_equal_to_log, greylag, test};

const OWNER: &str = "correct-horse-battery-staple";

/// `greylag token …` as the owner of a coordinator; what it printed.
async fn token(greylag: &Greylag, api: &Api, arguments: &[&str]) -> String {
    let access = ["--coordinator", api.url(), "--token", OWNER];
    let all = [&["token"], arguments, &access].concat();
    let ended = greylag.run(&all, SOON).await;
    assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
    ended.stdout.trim_end().to_owned()
}

/// The id within a token.
fn id_of(token: &str) -> &str {
    token.split('_').nth(1).expect("greylag_<id>_<secret>")
}

#[tokio::test]
async fn an_agent_s_token_runs_load_and_nothing_else() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let greylag = greylag();
    let mut cluster = Cluster::start_with(&greylag, &["--token", OWNER]).await;
    let api = cluster.api().clone();
    let create = ["create", "--role", "agent", "--infrastructure", "lab"];
    let agent = token(&greylag, &api, &create).await;
    let viewer = [
        "create",
        "--role",
        "viewer",
        "--label",
        "Ada",
        "--expires",
        "30d",
    ];
    let viewer = token(&greylag, &api, &viewer).await;
    let url = api.url().to_owned();
    cluster.start_agent_at(&url, "east", "lab", &["--token", &agent]);
    let owner = api.clone().with_token(OWNER);
    owner.wait_for_agents("lab", 1, START_TIMEOUT).await;

    let elsewhere = cluster.start_agent_at(&url, "west", "other", &["--token", &agent]);
    let ended = cluster.agent(elsewhere).wait(SOON).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(
        ended.stderr.contains("for infrastructure `lab` only"),
        "{ended:?}"
    );
    let as_agent = cluster.start_agent_at(&url, "north", "lab", &["--token", &viewer]);
    let ended = cluster.agent(as_agent).wait(SOON).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("--role agent"), "{ended:?}");

    // While its run is in progress, whoever has the agent's token tries everything.
    let changes = json!({ "duration": 4, "ramp_up": 0 });
    let asked = test(&nginx.url(), "lab", changes);
    let id = owner.start(&asked).await;
    owner.wait_for_requests(&id, 20, RUN_TIMEOUT).await;
    let thief = api.clone().with_token(&agent);
    let of_run = |path: &str| format!("/api/v1/runs/{id}{path}");
    let body = asked.to_string();
    for (method, path, body) in [
        (Method::POST, "/api/v1/runs".to_owned(), body.as_str()),
        (Method::POST, of_run("/stop"), ""),
        (Method::POST, of_run("/users"), "{\"users\": 0}"),
        (Method::DELETE, of_run(""), ""),
        (Method::GET, of_run("/summary"), ""),
        (Method::GET, of_run("/events"), ""),
        (Method::GET, "/".to_owned(), ""),
        (Method::POST, "/api/v1/builds".to_owned(), "{}"),
        (Method::GET, "/api/v1/tokens".to_owned(), ""),
        (
            Method::POST,
            "/api/v1/tokens".to_owned(),
            "{\"role\": \"admin\"}",
        ),
    ] {
        let asked = thief.request(method.clone(), &path).body(body.to_owned());
        let status = asked.send().await.expect("an answer").status();
        assert_eq!(status, StatusCode::FORBIDDEN, "{method} {path}");
    }
    owner.wait_for_status(&id, "Finished", RUN_TIMEOUT).await;
    let log = nginx.finish().await;
    assert_equal_to_log(&owner, cluster.data(), &id, &log).await;
    let counted = owner.get("/api/v1/infrastructures").await.json();
    assert_eq!(counted["forbidden_requests"], 10, "{counted}");
    let output = cluster.coordinator().output();
    assert!(
        output.contains("requests that their tokens do not allow"),
        "{output}"
    );
    assert!(!output.contains(&agent), "a token is in the log");

    // A viewer reads it, and starts none.
    let runs = ["runs", "--coordinator", &url, "--token", &viewer];
    let ended = greylag.run(&runs, SOON).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let stop = [
        "delete",
        &id,
        "--yes",
        "--coordinator",
        &url,
        "--token",
        &viewer,
    ];
    let ended = greylag.run(&stop, SOON).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("role viewer"), "{ended:?}");

    let list = token(&greylag, &api, &["list"]).await;
    for words in [id_of(&agent), id_of(&viewer), "infrastructure lab", "Ada"] {
        assert!(list.contains(words), "{words}: {list}");
    }
    token(&greylag, &api, &["revoke", id_of(&agent)]).await;
    let ended = cluster.agent(0).wait(SOON).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("revoked"), "{ended:?}");

    // Whoever has nothing but the token revokes that, and where it stands in the wrong place it is not repeated.
    let said = token(&greylag, &api, &["revoke", &viewer]).await;
    assert_eq!(said, format!("Revoked token {}.", id_of(&viewer)));
    let with_rest = format!("{viewer}.");
    for wrong in [
        &["token", &viewer][..],
        &["token", "revoke", &with_rest],
        &["token", "create", "--role", &viewer],
        &["builds", "delete", &viewer],
        &["users", &viewer, "5"],
        &[&viewer],
    ] {
        let arguments = [wrong, &["--coordinator", api.url(), "--token", OWNER]].concat();
        let ended = greylag.run(&arguments, SOON).await;
        assert_ne!(ended.code, Some(0), "{wrong:?}: {ended:?}");
        let secret = viewer.rsplit_once(id_of(&viewer)).expect("it is in it").1;
        for said in [&ended.stderr, &ended.stdout] {
            assert!(!said.contains(secret), "{wrong:?}: {said}");
        }
    }
}

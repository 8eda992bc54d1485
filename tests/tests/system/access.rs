//! Who is let in: token, session cookie, Host and Origin.

use std::time::Duration;

use greylag_infra::protocol::ToCoordinator;
use greylag_tests::{AgentSocket, Answer, Api, Cluster, START_TIMEOUT, answer, hello, wait};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{SOON, greylag};

const TOKEN: &str = "correct-horse-battery-staple";

async fn send(
    api: &Api,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut request = api.request(method, path).body(body.to_owned());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    answer(path, request.send().await).await
}

#[tokio::test]
async fn every_request_needs_the_token() {
    let mut cluster = Cluster::start_with(&greylag(), &["--token", TOKEN]).await;
    let stranger = cluster.api().clone();
    for path in [
        "/api/v1/runs",
        "/api/v1/infrastructures",
        "/api/v1/runs/abc/summary",
        "/api/v1/runs/abc/events",
    ] {
        let refused = stranger.get(path).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{path}");
        assert!(refused.error().contains("token"), "{refused:?}");
    }
    let refused = stranger
        .post("/api/v1/runs", &json!({ "host": "http://127.0.0.1:1" }))
        .await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    let wrong = stranger
        .clone()
        .with_token("wrong")
        .get("/api/v1/runs")
        .await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    for page in ["/", "/runs/abc"] {
        let response = stranger
            .request(Method::GET, page)
            .send()
            .await
            .expect("an answer");
        assert!(
            response.status().is_redirection(),
            "{page}: {}",
            response.status()
        );
        let location = response.headers()["location"].to_str().expect("an address");
        assert!(location.starts_with("/login"), "{page} leads to {location}");
    }

    let friend = stranger.clone().with_token(TOKEN);
    assert_eq!(friend.get("/api/v1/runs").await.status, StatusCode::OK);
    assert_eq!(friend.get("/").await.status, StatusCode::OK);

    // Agents: none without the token, none with a wrong one, and with the right one they are there.
    assert!(AgentSocket::connect(stranger.url(), &[]).await.is_err());
    assert!(
        AgentSocket::connect(stranger.url(), &[("authorization", "Bearer wrong")])
            .await
            .is_err()
    );
    let url = stranger.url().to_owned();
    let refused = cluster.start_agent_at(&url, "stranger", "lab", &["--token", "wrong"]);
    let ended = cluster.agent(refused).wait(SOON).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("token"), "{ended:?}");
    let bearer = format!("Bearer {TOKEN}");
    let mut socket = AgentSocket::connect(&url, &[("authorization", &bearer)])
        .await
        .expect("the token is right");
    socket
        .send(&ToCoordinator::Hello(hello("bare", "lab")))
        .await;
    friend.wait_for_agents("lab", 1, SOON).await;
    cluster.start_agent_at(&url, "friend", "lab", &["--token", TOKEN]);
    friend.wait_for_agents("lab", 2, START_TIMEOUT).await;
    wait::until("the refusals in the coordinator's log", SOON, async || {
        let output = cluster.coordinator().output();
        let count = output.matches("unauthenticated").count();
        if count >= 3 { Ok(()) } else { Err(output) }
    })
    .await;
    assert!(
        !cluster.coordinator().output().contains(TOKEN),
        "the token is in the coordinator's output"
    );
}

#[tokio::test]
async fn the_page_asks_for_the_token_once() {
    let mut cluster = Cluster::start_with(&greylag(), &["--token", TOKEN]).await;
    let api = cluster.api().clone();
    let form = "application/x-www-form-urlencoded";
    let origin = api.url().to_owned();
    let log_in = async |token: &str| {
        api.request(Method::POST, "/login")
            .header("content-type", form)
            .header("origin", &origin)
            .body(format!("token={token}&next=%2F"))
            .send()
            .await
            .expect("an answer")
    };
    let wrong = log_in("wrong").await;
    assert!(wrong.status().is_client_error(), "{}", wrong.status());
    assert!(!wrong.headers().contains_key("set-cookie"));

    let welcome = log_in(TOKEN).await;
    assert!(welcome.status().is_redirection(), "{}", welcome.status());
    let set = welcome.headers()["set-cookie"]
        .to_str()
        .expect("text")
        .to_owned();
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(set.contains(attribute), "{attribute} is missing: {set}");
    }
    assert!(!set.contains(TOKEN), "the cookie holds the token: {set}");
    let cookie = set.split(';').next().expect("a cookie").to_owned();

    let home = send(&api, Method::GET, "/", &[("cookie", &cookie)], "").await;
    assert_eq!(home.status, StatusCode::OK);
    let runs = send(
        &api,
        Method::GET,
        "/api/v1/runs",
        &[("cookie", &cookie)],
        "",
    )
    .await;
    assert_eq!(runs.status, StatusCode::OK);
    // A page of another site has the cookie's browser but not our Origin.
    for foreign in [
        &[("cookie", cookie.as_str())][..],
        &[("cookie", &cookie), ("origin", "http://evil.example")],
    ] {
        let refused = send(
            &api,
            Method::POST,
            "/api/v1/infrastructures",
            foreign,
            r#"{"name":"theirs"}"#,
        )
        .await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{foreign:?}");
    }
    assert!(
        !api.clone()
            .with_token(TOKEN)
            .infrastructures()
            .await
            .to_string()
            .contains("theirs")
    );

    cluster.coordinator().signal(rustix::process::Signal::TERM);
    cluster.coordinator().wait(SOON).await;
    cluster.restart_coordinator().await;
    let home = send(&api, Method::GET, "/", &[("cookie", &cookie)], "").await;
    assert_eq!(
        home.status,
        StatusCode::OK,
        "the session holds over a restart"
    );
}

#[tokio::test]
async fn other_sites_are_refused() {
    let cluster = Cluster::start(&greylag()).await;
    let api = cluster.api();
    for host in ["evil.example", "evil.example:8089", "10.1.2.3"] {
        let refused = send(api, Method::GET, "/api/v1/runs", &[("host", host)], "").await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "Host {host}");
        assert!(refused.error().contains("Host"), "{refused:?}");
    }
    let localhost = api.url().replace("http://127.0.0.1", "localhost");
    assert_eq!(
        send(api, Method::GET, "/", &[("host", &localhost)], "")
            .await
            .status,
        StatusCode::OK
    );
    for origin in ["http://evil.example", "null", "http://127.0.0.1:1"] {
        let body = r#"{"name":"theirs"}"#;
        let refused = send(
            api,
            Method::POST,
            "/api/v1/infrastructures",
            &[("origin", origin)],
            body,
        )
        .await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "Origin {origin}");
        let refused = AgentSocket::connect(api.url(), &[("origin", origin)]).await;
        assert!(
            refused.is_err(),
            "a page of {origin} may open the agents' socket"
        );
    }
    assert_eq!(api.infrastructures().await, json!([]));
    let ours = api.url().to_owned();
    let created = send(
        api,
        Method::POST,
        "/api/v1/infrastructures",
        &[("origin", &ours)],
        r#"{"name":"ours"}"#,
    )
    .await;
    assert_eq!(created.status, StatusCode::CREATED, "{created:?}");
    let list = api.infrastructures().await;
    assert_eq!(list[0]["status"], "Pending", "{list}");
}

#[tokio::test]
async fn every_page_forbids_what_it_does_not_need() {
    let cluster = Cluster::start(&greylag()).await;
    for path in ["/", "/runs/none", "/assets/none", "/api/v1/runs"] {
        let response = cluster
            .api()
            .request(Method::GET, path)
            .send()
            .await
            .expect("an answer");
        let policy = response
            .headers()
            .get("content-security-policy")
            .unwrap_or_else(|| panic!("{path} has no Content-Security-Policy"))
            .to_str()
            .expect("text");
        assert!(
            policy.contains("default-src 'none'") || policy.contains("default-src 'self'"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe-eval"), "{policy}");
        let scripts = policy
            .split(';')
            .find(|part| part.trim().starts_with("script-src"))
            .unwrap_or(policy);
        assert!(
            !scripts.contains("unsafe-inline") && !scripts.contains("http:"),
            "{policy}"
        );
        assert_eq!(
            response.headers()["x-content-type-options"],
            "nosniff",
            "{path}"
        );
    }
}

#[tokio::test]
async fn listening_elsewhere_needs_a_token() {
    let refused = greylag()
        .run(
            &["coordinator", "--listen", "0.0.0.0:0", "--data", "data"],
            Duration::from_secs(20),
        )
        .await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(
        refused.stderr.contains("--token"),
        "it says what to do: {}",
        refused.stderr
    );
    assert_eq!(
        refused.stderr.trim().lines().count(),
        1,
        "one message: {}",
        refused.stderr
    );
}

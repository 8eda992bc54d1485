//! What each role may do, through the real router.
#![allow(
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test, helpers included"
)]

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use greylag_infra::{BuildManifest, RunPhase, RunRecord, ShippedBuild, WallTime};
use greylag_reporting::{Grant, Role, TokenId};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::events::{DEADLINE, Events};
use crate::site::{Answer, Site, load_test};

const TOKEN: &str = "correct-horse";
const RUN: &str = "abcdefabcdef";
const BUILD: &str =
    "/api/v1/builds/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Everything that changes something: method, path, and the body of one that would be accepted.
const CHANGES: [(&str, &str, &str); 23] = [
    ("POST", "/api/v1/runs", "{\"host\": \"http://127.0.0.1:9\"}"),
    ("DELETE", "/api/v1/runs/abcdefabcdef", ""),
    ("POST", "/api/v1/runs/abcdefabcdef/stop", ""),
    ("POST", "/api/v1/runs/abcdefabcdef/users", "{\"users\": 5}"),
    (
        "PATCH",
        "/api/v1/runs/abcdefabcdef/notes",
        "{\"note\": \"x\"}",
    ),
    (
        "POST",
        "/api/v1/runs/abcdefabcdef/marks",
        "{\"at\": 1, \"text\": \"x\"}",
    ),
    ("DELETE", "/api/v1/runs/abcdefabcdef/marks/1", ""),
    ("POST", "/api/v1/runs/import", "a bundle"),
    ("POST", "/api/v1/builds", "{}"),
    ("PUT", BUILD, "program"),
    ("DELETE", BUILD, ""),
    ("POST", "/api/v1/infrastructures", "{\"name\": \"mine\"}"),
    ("POST", "/api/v1/tokens", "{\"role\": \"admin\"}"),
    ("DELETE", "/api/v1/tokens/abc", ""),
    ("POST", "/runs", "host=http%3A%2F%2F127.0.0.1%3A9"),
    ("POST", "/runs/abcdefabcdef/stop", ""),
    ("POST", "/runs/abcdefabcdef/users", "users=5"),
    ("POST", "/runs/abcdefabcdef/again", ""),
    ("POST", "/runs/abcdefabcdef/delete", ""),
    ("POST", "/runs/abcdefabcdef/notes", "note=x"),
    ("POST", "/runs/abcdefabcdef/marks", "at=1&text=x"),
    ("POST", "/runs/abcdefabcdef/marks/1/delete", ""),
    ("POST", "/infrastructures", "name=mine"),
];

/// What can be read.
const RESULTS: &[&str] = &[
    "/",
    "/compare",
    "/runs/abcdefabcdef",
    "/api/v1/openapi.json",
    "/api/v1/runs",
    "/api/v1/runs/abcdefabcdef",
    "/api/v1/runs/abcdefabcdef/view",
    "/api/v1/runs/abcdefabcdef/notes",
    "/api/v1/runs/abcdefabcdef/summary",
    "/api/v1/runs/abcdefabcdef/junit.xml",
    "/api/v1/runs/abcdefabcdef/summary.md",
    "/api/v1/runs/abcdefabcdef/progress",
    "/api/v1/runs/abcdefabcdef/completeness",
    "/api/v1/runs/abcdefabcdef/samples",
    "/api/v1/runs/abcdefabcdef/errors/samples",
    "/api/v1/runs/abcdefabcdef/charts/percentiles",
    "/api/v1/runs/abcdefabcdef/distribution",
    "/api/v1/runs/abcdefabcdef/workers",
    "/api/v1/runs/abcdefabcdef/tables",
    "/api/v1/runs/abcdefabcdef/log",
    "/api/v1/runs/abcdefabcdef/log/lines",
    "/api/v1/runs/abcdefabcdef/csv/stats",
    "/api/v1/runs/abcdefabcdef/hlog",
    "/api/v1/runs/abcdefabcdef/report.html",
    "/api/v1/builds",
    "/api/v1/infrastructures",
    "/metrics",
];

async fn site_with_a_run() -> Site {
    let site = Site::start(Some(TOKEN)).await;
    site.finished_run(RUN, load_test("secret-test"), "/", "500")
        .await;
    site
}

async fn token_of(site: &Site, grant: Grant) -> (TokenId, String) {
    let (id, token) = site.coordinator.tokens().create(grant).await.unwrap();
    (id, token.expose().to_owned())
}

async fn send(site: &Site, token: &str, method: &str, path: &str, body: &str) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(body.to_owned()))
        .unwrap();
    site.send(request).await
}

async fn forbidden_requests(site: &Site) -> u64 {
    let counts = send(site, TOKEN, "GET", "/api/v1/infrastructures", "").await;
    counts.json()["forbidden_requests"].as_u64().unwrap()
}

#[tokio::test]
async fn a_viewer_reads_and_changes_nothing() {
    let site = site_with_a_run().await;
    let (_, viewer) = token_of(&site, Grant::of_role(Role::Viewer)).await;
    for path in RESULTS {
        let answer = send(&site, &viewer, "GET", path, "").await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
    }
    // One run alone is refused for what it is, not for who asks.
    let alone = "/api/v1/compare?runs=abcdefabcdef";
    let answer = send(&site, &viewer, "GET", alone, "").await;
    assert_eq!(
        answer.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{answer:?}"
    );
    let mut refused = 0;
    let for_admins = ["/api/v1/tokens", BUILD, "/runs/abcdefabcdef/again"];
    let for_admins = for_admins.map(|path| ("GET", path, ""));
    for (method, path, body) in CHANGES.into_iter().chain(for_admins) {
        let answer = send(&site, &viewer, method, path, body).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path}");
        assert!(answer.body.contains("role viewer"), "{path}: {answer:?}");
        let challenge = answer.header(header::WWW_AUTHENTICATE);
        assert!(challenge.contains("insufficient_scope"), "{challenge}");
        refused += 1;
    }
    assert_eq!(forbidden_requests(&site).await, refused);
    assert_nothing_changed(&site).await;
}

/// Whatever it tries, but for the agents' socket and the builds of its runs.
#[tokio::test]
async fn an_agent_reads_and_changes_nothing() {
    let site = site_with_a_run().await;
    let (_, agent) = token_of(&site, Grant::of_role(Role::Agent)).await;
    let reads = RESULTS.iter().map(|path| ("GET", *path, ""));
    let more = [
        "/api/v1/tokens",
        BUILD,
        "/runs/abcdefabcdef/again",
        "/api/v1/events",
    ];
    let more = more.map(|path| ("GET", path, ""));
    let mut refused = 0;
    for (method, path, body) in CHANGES.into_iter().chain(reads).chain(more) {
        let answer = send(&site, &agent, method, path, body).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path}");
        assert!(answer.body.contains("role agent"), "{path}: {answer:?}");
        assert!(!answer.body.contains("secret-test"), "{path}");
        refused += 1;
    }
    assert_eq!(forbidden_requests(&site).await, refused);
    assert_nothing_changed(&site).await;
    let signed_in = site.post_form("/login", &format!("token={agent}")).await;
    assert_eq!(signed_in.status, StatusCode::FORBIDDEN);
    assert!(!signed_in.headers.contains_key(header::SET_COOKIE));
}

async fn assert_nothing_changed(site: &Site) {
    let runs = send(site, TOKEN, "GET", "/api/v1/runs", "").await.json();
    assert_eq!(runs["total"], 1, "{runs}");
    assert!(site.coordinator.infrastructures().is_empty());
    assert_eq!(site.coordinator.tokens().list().len(), 1);
}

#[tokio::test]
async fn an_agent_fetches_the_builds_of_its_runs() {
    let site = Site::start(Some(TOKEN)).await;
    let program = b"a program".to_vec();
    let build = upload(&site, &program).await;
    let path = format!("/api/v1/builds/{}", build.sha256);
    let data = format!("/api/v1/builds/{}", build.data[0].sha256);
    let mut test = load_test("shipped");
    test.infrastructure = "eu".into();
    test.build = Some(Box::new(build));
    let of = |infrastructure: Option<&str>, run: Option<&str>| Grant {
        infrastructure: infrastructure.map(str::to_owned),
        run: run.map(Into::into),
        ..Grant::of_role(Role::Agent)
    };
    let (_, any) = token_of(&site, of(None, None)).await;
    assert_eq!(
        send(&site, &any, "GET", &path, "").await.status,
        StatusCode::FORBIDDEN,
        "no run is of it yet"
    );
    let record = site
        .running_run(RUN, test, crate::site::snapshot(RUN, "/", "500"))
        .await;
    for (infrastructure, run, status) in [
        (None, None, StatusCode::OK),
        (Some("eu"), None, StatusCode::OK),
        (Some("eu"), Some(RUN), StatusCode::OK),
        (Some("us"), None, StatusCode::FORBIDDEN),
        (Some("eu"), Some("another"), StatusCode::FORBIDDEN),
        (None, Some("another"), StatusCode::FORBIDDEN),
    ] {
        let (_, token) = token_of(&site, of(infrastructure, run)).await;
        let answer = send(&site, &token, "GET", &path, "").await;
        assert_eq!(answer.status, status, "{infrastructure:?} {run:?}");
        assert_eq!(answer.body == "a program", status == StatusCode::OK);
        let answer = send(&site, &token, "GET", &data, "").await;
        assert_eq!(answer.status, status, "{infrastructure:?} {run:?}");
        assert_eq!(answer.body == "its data", status == StatusCode::OK);
    }
    let over = RunRecord {
        phase: RunPhase::Finished,
        ..record
    };
    site.coordinator.store().update_run(&over).await.unwrap();
    let answer = send(&site, &any, "GET", &path, "").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "the run is over");
}

/// Uploads a program with a data file.
async fn upload(site: &Site, program: &[u8]) -> ShippedBuild {
    let data = b"its data";
    let manifest: BuildManifest = serde_json::from_value(json!({
        "sha256": sha256_of(program), "size": program.len(), "version": "0", "platform": "any", "worker_protocol": 3,
        "scenarios": [{ "info": { "name": "shop" } }],
        "data": [{ "path": "users.csv", "sha256": sha256_of(data), "size": data.len() }],
    }))
    .unwrap();
    let announced = site.coordinator.announce_build(manifest.clone(), "eu");
    announced.await.unwrap();
    let builds = site.coordinator.builds();
    for (hash, piece) in [
        (&manifest.sha256, program),
        (&manifest.data[0].sha256, data),
    ] {
        builds.add_piece(hash, 0, piece.to_vec()).await.unwrap();
    }
    let data = manifest.data.clone();
    manifest.of_run(&manifest.scenarios[0], WallTime::default(), data)
}

fn sha256_of(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn tokens_are_created_listed_and_revoked_by_the_api() {
    let site = Site::start(Some(TOKEN)).await;
    let asked = "{\"role\": \"agent\", \"infrastructure\": \"eu\", \"label\": \"spot\", \"expires_in_s\": 3600}";
    let created = send(&site, TOKEN, "POST", "/api/v1/tokens", asked).await;
    assert_eq!(created.status, StatusCode::CREATED, "{created:?}");
    let created = created.json();
    let (id, token) = (
        created["id"].as_str().unwrap(),
        created["token"].as_str().unwrap(),
    );
    let list = send(&site, TOKEN, "GET", "/api/v1/tokens", "").await;
    assert!(!list.body.contains(token), "{list:?}");
    let listed = &list.json()["tokens"][0];
    assert_eq!(listed["id"], id);
    assert_eq!(
        (&listed["role"], &listed["label"]),
        (&json!("agent"), &json!("spot"))
    );
    let lifetime =
        listed["expires_at_us"].as_u64().unwrap() - listed["created_at_us"].as_u64().unwrap();
    assert!(lifetime.abs_diff(3_600_000_000) < 60_000_000, "{listed}");

    for (wrong, says) in [
        ("{\"role\": \"root\"}", "unknown variant"),
        (
            "{\"role\": \"viewer\", \"infrastructure\": \"eu\"}",
            "only tokens with the role agent",
        ),
        (
            "{\"role\": \"agent\", \"infrastructure\": \"a/b\"}",
            "not valid",
        ),
        (
            "{\"role\": \"viewer\", \"expires_in_s\": 0}",
            "expire immediately",
        ),
        ("{\"role\": \"viewer\", \"run\": \"x\"}", "unknown field"),
        ("{}", "missing field"),
    ] {
        let answer = send(&site, TOKEN, "POST", "/api/v1/tokens", wrong).await;
        assert!(answer.status.is_client_error(), "{wrong}: {answer:?}");
        assert!(answer.error_message().contains(says), "{wrong}: {answer:?}");
    }

    let path = format!("/api/v1/tokens/{id}");
    let revoked = send(&site, TOKEN, "DELETE", &path, "").await;
    assert_eq!(revoked.status, StatusCode::NO_CONTENT);
    let again = send(&site, TOKEN, "DELETE", &path, "").await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
    let refused = send(&site, token, "GET", "/api/v1/agents/socket", "").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
}

/// Signs in and returns the session's cookie.
async fn sign_in(site: &Site, token: &str) -> String {
    let answer = site
        .post_form("/login", &format!("token={token}&next=%2F"))
        .await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
    let cookie = answer.header(header::SET_COOKIE);
    cookie.split(';').next().unwrap().to_owned()
}

async fn page(site: &Site, path: &str, cookie: &str) -> Answer {
    let request = Request::get(path).header(header::COOKIE, cookie);
    site.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_page_says_who_one_is_and_shows_what_one_may_do() {
    let site = site_with_a_run().await;
    let grant = Grant {
        label: "Ada <ada@load.example>".to_owned(),
        ..Grant::of_role(Role::Viewer)
    };
    let (id, viewer) = token_of(&site, grant).await;
    let viewer = sign_in(&site, &viewer).await;
    let admin = sign_in(&site, TOKEN).await;
    let buttons = ["/runs/abcdefabcdef/again", "/runs/abcdefabcdef/delete"];
    for (path, controls) in [
        (
            "/",
            vec!["data-role=\"start-form\"", "action=\"/infrastructures\""],
        ),
        (
            "/runs/abcdefabcdef",
            vec!["data-role=\"change-users\"", "data-role=\"stop\""],
        ),
    ] {
        let of_admin = page(&site, path, &admin).await;
        let of_viewer = page(&site, path, &viewer).await;
        for control in controls.into_iter().chain(buttons) {
            assert!(of_admin.body.contains(control), "{path}: {control}");
            assert!(!of_viewer.body.contains(control), "{path}: {control}");
        }
        assert!(of_admin.body.contains(">admin<"), "{path}");
        assert!(
            of_viewer
                .body
                .contains("Ada &#60;ada@load.example&#62; (viewer)"),
            "{path}: {}",
            of_viewer.body
        );
        for page in [of_admin, of_viewer] {
            assert!(page.body.contains("action=\"/logout\""), "{path}");
        }
    }
    // The page of an error, too.
    let refused = page(&site, "/runs/abcdefabcdef/again", &viewer).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.body.contains("(viewer)"), "{refused:?}");

    // What is made once for several pages is not mixed up.
    for cookie in [&admin, &viewer, &admin] {
        let request = Request::get("/")
            .header(header::COOKIE, cookie.as_str())
            .header("x-greylag-seen", "0");
        let answer = site.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.body.contains("start-form"), *cookie == admin);
    }

    let out = Request::post("/logout")
        .header(header::ORIGIN, "http://localhost:8089")
        .header(header::COOKIE, viewer.as_str());
    let out = site.send(out.body(Body::empty()).unwrap()).await;
    assert_eq!(out.header(header::LOCATION), "/login");
    assert!(out.header(header::SET_COOKIE).contains("Max-Age=0"));

    site.coordinator.tokens().revoke(&id).await.unwrap();
    let ended = page(&site, "/", &viewer).await;
    assert_eq!(ended.status, StatusCode::SEE_OTHER, "{ended:?}");
}

#[tokio::test]
async fn live_events_end_with_the_token() {
    let site = Site::start(Some(TOKEN)).await;
    let (id, viewer) = token_of(&site, Grant::of_role(Role::Viewer)).await;
    let mut events = Events::open_with(&site, "/api/v1/events", &viewer).await;
    assert!(events.next().await.is_some());
    site.coordinator.tokens().revoke(&id).await.unwrap();
    let ended = async { while events.next().await.is_some() {} };
    tokio::time::timeout(DEADLINE, ended)
        .await
        .expect("the stream ends");
}

/// A route that is added is tried with each role, too.
#[tokio::test]
async fn every_route_of_the_api_is_in_these_lists() {
    /// Read in tests of their own.
    const ELSEWHERE: [(&str, &str); 6] = [
        ("GET", "/api/v1/compare"),
        ("GET", "/api/v1/events"),
        ("GET", "/api/v1/runs/{id}/events"),
        ("GET", "/api/v1/tokens"),
        ("GET", "/api/v1/builds/{sha256}"),
        ("GET", "/api/v1/runs/{id}/bundle"),
    ];
    let site = Site::start(None).await;
    let described = site.get("/api/v1/openapi.json").await.json();
    let is_of = |route: &str, path: &str| {
        let (route, path) = (route.split('/'), path.split('/'));
        let is_same =
            |(of_route, of_path): (&str, &str)| of_route.starts_with('{') || of_route == of_path;
        route.clone().count() == path.clone().count() && route.zip(path).all(is_same)
    };
    // Others are for probes and browsers.
    let routes = described["paths"].as_object().unwrap().iter();
    for (route, methods) in routes.filter(|(route, _)| route.starts_with("/api/")) {
        for method in methods.as_object().unwrap().keys() {
            let method = method.to_uppercase();
            let is_listed = match method.as_str() {
                "GET" => RESULTS.iter().any(|path| is_of(route, path)),
                _ => {
                    let mut changes = CHANGES.iter();
                    changes.any(|(by, path, _)| *by == method && is_of(route, path))
                }
            };
            let is_elsewhere = ELSEWHERE.contains(&(method.as_str(), route.as_str()));
            assert!(is_listed || is_elsewhere, "{method} {route}");
        }
    }
}

#[tokio::test]
async fn without_a_token_nothing_is_shown_of_who_one_is() {
    let site = Site::start(None).await;
    let page = site.get("/").await;
    assert!(page.body.contains("start-form") && !page.body.contains("/logout"));
    let (_, agent) = token_of(&site, Grant::of_role(Role::Agent)).await;
    let refused = send(&site, &agent, "GET", "/api/v1/runs", "").await;
    assert_eq!(
        refused.status,
        StatusCode::FORBIDDEN,
        "it says what it is for"
    );
}

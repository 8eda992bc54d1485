//! What can be asked of a run before and while it is active: options, selections, other numbers of users.

use axum::http::{StatusCode, header};
use greylag_infra::protocol::{
    OptionInfo, OptionKind, ScenarioInfo, ToAgent, ToCoordinator, UserTypeInfo,
};
use serde_json::{Value, json};

use crate::fake_agent::FakeAgent;
use crate::live::{Socket, serve_on_socket};
use crate::site::{Site, load_test};

const SECRET: &str = "geheim-1234";

fn shop() -> ScenarioInfo {
    let option = |name: &str, kind, default: &str| OptionInfo {
        name: name.into(),
        kind,
        default: default.into(),
        help: format!("What {name} is for"),
        ..OptionInfo::default()
    };
    ScenarioInfo {
        name: "shop".into(),
        user_types: ["Shopper", "Admin"]
            .map(|name| UserTypeInfo {
                name: name.into(),
                weight: 1.0,
                host: Some("http://127.0.0.1:9".into()),
                ..UserTypeInfo::default()
            })
            .into(),
        tags: vec!["api".into(), "slow".into()],
        options: vec![
            option("basket", OptionKind::Integer, "3"),
            option("verbose", OptionKind::Flag, "true"),
            OptionInfo {
                choices: vec!["eu".into(), "us".into()],
                ..option("region", OptionKind::Text, "us")
            },
            OptionInfo {
                secret: true,
                ..option("token", OptionKind::Text, "")
            },
        ],
        ..ScenarioInfo::default()
    }
}

/// A site with an agent that has two scenarios.
pub(crate) async fn with_agent() -> (Site, Socket, FakeAgent) {
    let site = Site::start(None).await;
    let socket = serve_on_socket(&site).await;
    let plain = ScenarioInfo {
        name: "plain".into(),
        has_shape: true,
        ..ScenarioInfo::default()
    };
    let agent = FakeAgent::join_with(socket.address, "local", vec![shop(), plain]).await;
    site.until_connected("local").await;
    (site, socket, agent)
}

/// Starts a run and answers for its agent until it runs; gives its id and what the agent was to prepare.
pub(crate) async fn running(site: &Site, agent: &mut FakeAgent, body: Value) -> (String, Value) {
    let started = site.post("/api/v1/runs", body.to_string()).await;
    assert_eq!(started.status, StatusCode::CREATED, "{started:?}");
    let id = started.json()["id"].as_str().expect("an id").to_owned();
    let prepare = agent
        .until(|message| matches!(message, ToAgent::Prepare(_)))
        .await;
    agent
        .send(&ToCoordinator::Ready {
            run_id: id.as_str().into(),
            shape: None,
            set_up_data: None,
        })
        .await;
    agent
        .until(|message| matches!(message, ToAgent::Start { .. }))
        .await;
    let ToAgent::Prepare(prepare) = prepare else {
        unreachable!("waited for it");
    };
    let test = serde_json::to_value(&*prepare.test).expect("a test is JSON");
    (id, test)
}

#[tokio::test]
async fn users_change_while_a_run_goes_on() {
    let (site, _socket, mut agent) = with_agent().await;
    let (id, _) = running(
        &site,
        &mut agent,
        json!({"users": 5, "ramp_up": 0, "duration": 600, "scenario": "shop"}),
    )
    .await;
    let url = format!("/api/v1/runs/{id}/users");
    let changed = site.post(&url, r#"{"users": 50, "ramp_up": "30s"}"#).await;
    assert_eq!(changed.status, StatusCode::ACCEPTED, "{changed:?}");
    assert_eq!(changed.json(), json!({"users": 50, "over_s": 30.0}));
    let ToAgent::Profile { profile, .. } = agent
        .until(|message| matches!(message, ToAgent::Profile { .. }))
        .await
    else {
        unreachable!("waited for it");
    };
    let last = profile.steps.last().expect("a step");
    assert_eq!((last.users, last.over_us), (50, 30_000_000));

    let view = site.get(&format!("/api/v1/runs/{id}")).await.json();
    assert_eq!(view["about"]["users"], json!(50));
    assert_eq!(view["about"]["can_change_users"], json!(true));
    let steps = view["about"]["profile"]["steps"].as_array().expect("steps");
    assert_eq!(steps.last().expect("a step")["users"], json!(50));

    // from the page, without a script
    let page = site.get(&format!("/runs/{id}")).await.body;
    assert!(page.contains(&format!("action=\"/runs/{id}/users\"")));
    let answer = site
        .post_form(&format!("/runs/{id}/users"), "users=7&ramp_up=")
        .await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
    assert_eq!(answer.header(header::LOCATION), format!("/runs/{id}"));
    let ToAgent::Profile { profile, .. } = agent
        .until(|message| matches!(message, ToAgent::Profile { .. }))
        .await
    else {
        unreachable!("waited for it");
    };
    assert_eq!(profile.steps.last().map(|step| step.users), Some(7));

    for (body, status, words) in [
        ("{}", 422, "users is missing"),
        (r#"{"users": 1000001}"#, 422, "got 1000001"),
        (
            r#"{"users": 5, "ramp_up": "soon"}"#,
            422,
            "`soon` is not a valid duration",
        ),
        (
            r#"{"users": 5, "spawn_rate": 0}"#,
            422,
            "spawn_rate must be above 0, got 0",
        ),
        (
            r#"{"users": 5, "spawn_rate": 1, "ramp_up": 1}"#,
            422,
            "both given",
        ),
        (
            r#"{"users": -5}"#,
            400,
            "is not valid JSON for a change of users",
        ),
        (r#"{"user": 5}"#, 400, "unknown field `user`"),
    ] {
        let answer = site.post(&url, body).await;
        assert_eq!(answer.status.as_u16(), status, "{body}: {answer:?}");
        assert!(answer.error_message().contains(words), "{body}: {answer:?}");
    }
    let answer = site
        .post_form(&format!("/runs/{id}/users"), "users=many")
        .await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        answer
            .body
            .contains("Users must be a whole number, not <code>many</code>"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn users_of_a_run_that_is_not_active_cannot_be_changed() {
    let site = Site::start(None).await;
    site.finished_run("abcdefabcdef", load_test("checkout"), "/", "500")
        .await;
    let answer = site
        .post("/api/v1/runs/abcdefabcdef/users", r#"{"users": 5}"#)
        .await;
    assert_eq!(answer.status, StatusCode::CONFLICT, "{answer:?}");
    assert!(answer.error_message().contains("over"), "{answer:?}");
    let answer = site
        .post("/api/v1/runs/nosuchrun/users", r#"{"users": 5}"#)
        .await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let foreign = axum::http::Request::post("/runs/abcdefabcdef/users")
        .header(header::ORIGIN, "http://evil.example")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body("users=5".into())
        .expect("a request");
    assert_eq!(site.send(foreign).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn options_and_selections_reach_the_agent_and_secrets_no_other() {
    let (site, _socket, mut agent) = with_agent().await;
    let (id, test) = running(
        &site,
        &mut agent,
        json!({
            "scenario": "shop", "users": 4, "spawn_rate": 2, "duration": 600, "share": true,
            "user_types": ["Shopper"], "tags": ["api"], "exclude_tags": ["slow"], "equal_weights": true,
            "options": {"token": SECRET, "basket": 7, "verbose": false},
        }),
    )
    .await;
    assert_eq!(test["host"], json!(""));
    assert_eq!(test["spawn_rate"], json!(2.0));
    assert_eq!(
        test["selection"],
        json!({"user_types": ["Shopper"], "tags": ["api"], "exclude_tags": ["slow"], "equal_weights": true})
    );
    assert_eq!(test["options"]["token"], json!(SECRET));
    assert_eq!(test["options"]["basket"], json!("7"));

    let view = site.get(&format!("/api/v1/runs/{id}")).await.json();
    let settings = &view["about"]["settings"];
    for (label, value) in [
        ("Spawn Rate", "2.00 users per second"),
        ("User Types", "Shopper"),
        ("Tags", "api"),
        ("Excluded Tags", "slow"),
        ("Weights", "all equal"),
        ("Option basket", "7"),
        ("Option verbose", "false"),
    ] {
        let row = json!({"label": label, "value": value});
        assert!(
            settings.as_array().expect("rows").contains(&row),
            "{row} in {settings}"
        );
    }
    assert_eq!(view["about"]["ramp_up_s"], json!(2));
    for path in [
        "/".to_owned(),
        format!("/runs/{id}"),
        "/api/v1/runs".to_owned(),
        "/api/v1/infrastructures".to_owned(),
        format!("/api/v1/runs/{id}"),
        format!("/api/v1/runs/{id}/summary"),
        format!("/api/v1/runs/{id}/progress"),
        format!("/api/v1/runs/{id}/log"),
    ] {
        let body = site.get(&path).await.body;
        assert!(!body.contains(SECRET), "{path} shows the secret");
    }
    assert!(
        site.get(&format!("/runs/{id}"))
            .await
            .body
            .contains("Option token")
    );

    // the same again, the secret too
    let again = site.post_form(&format!("/runs/{id}/again"), "").await;
    assert_eq!(again.status, StatusCode::SEE_OTHER, "{again:?}");
    let ToAgent::Prepare(prepare) = agent
        .until(|message| matches!(message, ToAgent::Prepare(_)))
        .await
    else {
        unreachable!("waited for it");
    };
    assert_eq!(
        serde_json::to_value(&*prepare.test).expect("a test is JSON"),
        test
    );
}

#[tokio::test]
async fn an_option_that_is_no_longer_declared_is_not_shown() {
    let site = Site::start(None).await;
    let mut test = load_test("checkout");
    test.options.insert("token".into(), SECRET.into());
    site.finished_run("abcdefabcdef", test, "/", "500").await;
    for path in ["/runs/abcdefabcdef", "/api/v1/runs/abcdefabcdef"] {
        let body = site.get(path).await.body;
        assert!(
            body.contains("Option token") && !body.contains(SECRET),
            "{path}"
        );
    }
}

#[tokio::test]
async fn the_form_asks_for_what_scenarios_declare() {
    let (site, _socket, mut agent) = with_agent().await;
    let page = site.get("/").await.body;
    for part in [
        "<fieldset class=\"options\" data-scenario=\"shop\"",
        "name=\"option:4:shop:basket\" value=\"\" placeholder=\"3\"",
        "<input type=\"checkbox\" name=\"option:4:shop:verbose\" value=\"true\" checked>",
        "<option value=\"us\" selected>us</option>",
        "<input type=\"password\" name=\"option:4:shop:token\"",
        "Its load shape sets users",
        "What basket is for",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    // invalid input: what was typed is shown again, except for the secret
    let form = format!(
        "scenario=shop&users=x&tags=api&option%3A4%3Ashop%3Abasket=7&option%3A4%3Ashop%3Averbose=false\
         &option%3A4%3Ashop%3Aregion=eu&option%3A4%3Ashop%3Atoken={SECRET}"
    );
    let answer = site.post_form("/runs", &form).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    for part in [
        "name=\"option:4:shop:basket\" value=\"7\"",
        "name=\"option:4:shop:verbose\" value=\"true\"> verbose",
        "<option value=\"eu\" selected>eu</option>",
        "<details class=\"advanced wide\" open>",
        "name=\"tags\" value=\"api\"",
    ] {
        assert!(answer.body.contains(part), "{part} in {}", answer.body);
    }
    assert!(!answer.body.contains(SECRET));

    let answer = site
        .post_form("/runs", &form.replace("users=x", "users=2&ramp_up=0"))
        .await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
    let ToAgent::Prepare(prepare) = agent
        .until(|message| matches!(message, ToAgent::Prepare(_)))
        .await
    else {
        unreachable!("waited for it");
    };
    let options: Vec<_> = prepare.test.options.values().map(String::as_str).collect();
    assert_eq!(options, ["7", "eu", SECRET, "false"]);
    assert_eq!(prepare.test.selection.tags, ["api"]);
}

//! The start form without scripts: what it offers, errors beside its fields, stages, and a run that is run again.

use axum::http::{StatusCode, header};
use greylag_infra::protocol::{OptionInfo, ScenarioInfo, ToAgent};
use greylag_infra::{DeclaredRequest, DeclaredScenario};

use crate::fake_agent::FakeAgent;
use crate::live::{Socket, serve_on_socket};
use crate::site::{Site, load_test};

const RUN: &str = "abcdefabcdef";
const SECRET: &str = "geheim-1234";

fn scenario(name: &str, tags: &[&str]) -> ScenarioInfo {
    ScenarioInfo {
        name: name.into(),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        options: vec![
            OptionInfo {
                name: "rows".into(),
                default: "3".into(),
                ..OptionInfo::default()
            },
            OptionInfo {
                name: "token".into(),
                secret: true,
                ..OptionInfo::default()
            },
        ],
        ..ScenarioInfo::default()
    }
}

/// A site with an agent on each of two infrastructures, which have different scenarios.
async fn with_agents() -> (Site, Socket, FakeAgent, FakeAgent) {
    let site = Site::start(None).await;
    let socket = serve_on_socket(&site).await;
    let shop = || scenario("shop", &["api", "slow path"]);
    let lab = vec![shop(), scenario("admin", &["night"])];
    let lab = FakeAgent::join_with(socket.address, "lab", lab).await;
    let other = FakeAgent::join_with(socket.address, "local", vec![shop()]).await;
    site.until_connected("lab").await;
    site.until_connected("local").await;
    (site, socket, lab, other)
}

fn assert_has(page: &str, parts: &[&str]) {
    for part in parts {
        assert!(page.contains(part), "{part} in {page}");
    }
}

#[tokio::test]
async fn the_form_lists_what_each_infrastructure_has() {
    let (site, _socket, _lab, _other) = with_agents().await;
    let page = site.get("/").await.body;
    assert_has(
        &page,
        &[
            "<option value=\"shop\" title=\"\">shop</option>",
            "data-scenario=\"shop\" data-infrastructures=\"[&#34;lab&#34;,&#34;local&#34;]\"",
            "data-scenario=\"admin\" data-infrastructures=\"[&#34;lab&#34;]\"",
            "<datalist id=\"known-tags\"><option value=\"api\"></option><option value=\"night\"></option><option value=\"slow path\">",
            "\"infrastructures\":[\"lab\"],",
        ],
    );
    // The first of a build is first, not the first by name.
    let at = |part: &str| page.find(part).expect("it is offered");
    assert!(at("<option value=\"shop\"") < at("<option value=\"admin\""));
}

#[tokio::test]
async fn each_error_stands_beside_its_field_and_the_cursor_in_the_first() {
    let (site, _socket, _lab, _other) = with_agents().await;
    let form = "host=http%3A%2F%2Fa.example&infrastructure=lab&scenario=shop&users=many&tags=nope\
                &stage%3A2%3Aduration=soon&stage%3A1%3Ausers=5&stage%3A1%3Aduration=9";
    let answer = site.post_form("/runs", form).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_has(
        &answer.body,
        &[
            "The test was not started: 2 fields need fixing.",
            "aria-describedby=\"error-users\" aria-invalid=\"true\" autofocus>",
            "<small class=\"field-error\" id=\"error-users\">Users must be a whole number, not <code>many</code>",
            "aria-describedby=\"error-stage%3A2%3Aduration stage-help\" aria-invalid=\"true\">",
            "name=\"stage:1:users\" value=\"5\"",
            "data-role=\"stages\" open>",
        ],
    );
    assert_eq!(answer.body.matches(" autofocus").count(), 1);

    // What only the coordinator knows: an unknown tag, an option of the wrong kind, no agent.
    for (change, id, words) in [
        ("&tags=nope", "error-tags", "has no task with tag"),
        (
            "&option%3A4%3Ashop%3Anope=1",
            "error-option%3A4%3Ashop%3Anope",
            "has no option",
        ),
        (
            "&infrastructure=empty",
            "error-infrastructure",
            "No agent is connected",
        ),
        (
            "&workers=9&users=2",
            "error-workers",
            "9 workers but only 2 users",
        ),
        (
            "&duration=120&thresholds=p95+%3C+1s+within+5m",
            "error-thresholds",
            "would never be judged",
        ),
    ] {
        site.post("/api/v1/infrastructures", r#"{"name":"empty"}"#)
            .await;
        let form = format!("host=http%3A%2F%2Fa.example&infrastructure=lab&scenario=shop{change}");
        let answer = site.post_form("/runs", &form).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{change}");
        let (_, message) = answer
            .body
            .split_once(&format!("<small class=\"field-error\" id=\"{id}\">"))
            .unwrap_or_else(|| panic!("{change}: no {id} in {}", answer.body));
        let (message, _) = message.split_once("</small>").expect("its end");
        assert!(message.contains(words), "{change}: {message}");
    }
}

#[tokio::test]
async fn a_run_is_run_again_with_changes_and_its_secrets_entered_again() {
    let (site, _socket, mut lab, _other) = with_agents().await;
    let mut test = load_test("checkout");
    test.host = format!("http://me:{SECRET}@127.0.0.1:9/");
    test.infrastructure = "lab".into();
    test.users = 7;
    test.selection.tags = vec!["slow path".into()];
    test.options = [("rows", "12"), ("token", SECRET)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    site.finished_run(RUN, test.clone(), "/", "500").await;
    let page = site.get(&format!("/runs/{RUN}/again")).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(!page.body.contains(SECRET));
    assert_has(
        &page.body,
        &[
            "Filled in from “checkout #1”.",
            "name=\"users\" value=\"7\"",
            "name=\"duration\" value=\"10s\"",
            "<option value=\"lab\" selected>",
            "title=\"\" selected>shop</option>",
            "name=\"tags\" value=\"&#34;slow path&#34;\"",
            "name=\"host\" value=\"http://me@127.0.0.1:9/\"",
            "name=\"option:4:shop:rows\" value=\"12\"",
            "name=\"option:4:shop:token\" autocomplete=\"new-password\" data-required",
        ],
    );
    assert!(
        site.get("/")
            .await
            .body
            .contains("name=\"users\" value=\"\"")
    );

    let form = format!(
        "source={RUN}&again%3Ahost=http%3A%2F%2Fme%40127.0.0.1%3A9%2F&again%3Aoption%3A4%3Ashop%3Atoken=\
         &name=checkout&infrastructure=lab&scenario=shop&users=7&ramp_up=2&duration=20&stop_timeout=10\
         &tags=%22slow+path%22&option%3A4%3Ashop%3Arows=12"
    );
    let forgotten = format!("{form}&host=http%3A%2F%2Fme%40127.0.0.1%3A9%2F");
    let answer = site.post_form("/runs", &forgotten).await;
    assert_eq!(
        answer.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{answer:?}"
    );
    assert_has(
        &answer.body,
        &[
            "Enter token again",
            "Enter the password again",
            "Filled in from “checkout #1”.",
        ],
    );
    // a password that was typed is not sent back, and a source that is gone loses nothing that was typed
    let gone = form
        .replace(RUN, "ffffffffffff")
        .replace("users=7", "users=41");
    let gone = format!("{gone}&host=http%3A%2F%2Fme%3A{SECRET}%40127.0.0.1%3A9%2F");
    let answer = site.post_form("/runs", &gone).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!answer.body.contains(SECRET));
    assert_has(
        &answer.body,
        &[
            "has been deleted",
            "name=\"users\" value=\"41\"",
            "name=\"host\" value=\"http://me@127.0.0.1:9/\"",
        ],
    );
    let whole = format!(
        "{form}&host=http%3A%2F%2Fme%3A{SECRET}%40127.0.0.1%3A9%2F&option%3A4%3Ashop%3Atoken={SECRET}"
    );
    let answer = site.post_form("/runs", &whole).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
    assert!(answer.header(header::LOCATION).starts_with("/runs/"));
    let ToAgent::Prepare(prepare) = lab
        .until(|message| matches!(message, ToAgent::Prepare(_)))
        .await
    else {
        unreachable!("waited for it");
    };
    test.duration_s = 20;
    // Nothing was said of workers: one for each core of the agent.
    test.workers = 2;
    assert_eq!(*prepare.test, test);
    assert_eq!(
        site.get("/runs/nosuchrun/again").await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn requests_that_a_test_lists_are_carried_and_named() {
    let (site, _socket, mut lab, _other) = with_agents().await;
    let mut test = load_test("checkout");
    test.infrastructure = "lab".into();
    test.scenario = "checkout".into();
    let request = format!(r#"{{"method": "GET", "path": "/?key={SECRET}", "weight": 1}}"#);
    let request: DeclaredRequest = serde_json::from_str(&request).expect("a request");
    test.declared = Some(DeclaredScenario {
        requests: vec![request],
        wait_time: None,
    });
    site.finished_run(RUN, test.clone(), "/", "500").await;
    let page = site.get(&format!("/runs/{RUN}/again")).await.body;
    assert_has(&page, &["checkout: 1 request</output>"]);
    assert!(!page.contains("<select id=\"field-scenario\"") && !page.contains("name=\"tags\""));
    assert!(!page.contains(SECRET), "they are not shown");
    let form = format!(
        "source={RUN}&name=checkout&host=http%3A%2F%2F127.0.0.1%3A9&infrastructure=lab\
         &stage%3A1%3Ausers=4&stage%3A1%3Aduration=9"
    );
    let answer = site.post_form("/runs", &form).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
    let ToAgent::Prepare(prepare) = lab
        .until(|message| matches!(message, ToAgent::Prepare(_)))
        .await
    else {
        unreachable!("waited for it");
    };
    assert_eq!(prepare.test.declared, test.declared);
    assert_eq!((prepare.test.users, prepare.test.duration_s), (4, 9));
}

#[tokio::test]
async fn a_run_whose_agents_are_gone_keeps_its_scenario_and_options() {
    let site = Site::start(None).await;
    let mut test = load_test("checkout");
    test.options.insert("token".into(), SECRET.into());
    site.finished_run(RUN, test, "/", "500").await;
    let page = site.get(&format!("/runs/{RUN}/again")).await.body;
    assert!(!page.contains(SECRET));
    assert_has(
        &page,
        &[
            "<option value=\"shop\" selected>shop (not available)</option>",
            "<input type=\"password\" name=\"option:4:shop:token\"",
        ],
    );
}

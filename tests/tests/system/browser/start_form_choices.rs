//! What the start form offers and takes: scenarios and tags of the chosen infrastructure, stages, errors of the server.

use fantoccini::Locator;
use fantoccini::key::Key;
use greylag_infra::WallTime;
use greylag_infra::protocol::{PING_INTERVAL_S, ScenarioInfo, ToCoordinator, UserTypeInfo};
use greylag_tests::{AgentSocket, Browser, Cluster, Heard, Nginx, Theme, heavy, hello};
use serde_json::{Value, json};
use std::time::Duration;

use super::looking::{LIVE, assert_quiet, eval, look_from_all_sides};
use super::start_form::MARKED;
use crate::support::{RUN_TIMEOUT, greylag};

/// An agent that has one scenario with tags, and stays.
async fn bare_agent(url: &str, infrastructure: &str) -> tokio::task::JoinHandle<()> {
    let mut socket = AgentSocket::connect(url, &[]).await.expect("it is open");
    let mut hello = hello("bare", infrastructure);
    hello.scenarios = vec![ScenarioInfo {
        name: "night".into(),
        tags: vec!["slow path".into(), "api".into()],
        user_types: vec![UserTypeInfo {
            name: "Owl".into(),
            weight: 1.0,
            ..UserTypeInfo::default()
        }],
        ..ScenarioInfo::default()
    }];
    socket.send(&ToCoordinator::Hello(hello)).await;
    let Heard::Message(_) = socket.hear().await else {
        panic!("the hello is welcome");
    };
    tokio::spawn(async move {
        loop {
            let ping = ToCoordinator::Ping {
                sent_at: WallTime::default(),
                runs: Vec::new(),
            };
            socket.send(&ping).await;
            tokio::time::sleep(Duration::from_secs(PING_INTERVAL_S)).await;
        }
    })
}

/// The options of a list that are shown.
async fn offered(browser: &Browser, name: &str) -> Value {
    let script = "return [...document.querySelector(`[data-role=\"start-form\"] [name=\"${arguments[0]}\"]`).options]
        .map((option) => option.value);";
    eval(browser, script, vec![json!(name)]).await
}

async fn click(browser: &Browser, css: &str) {
    let element = browser.client().find(Locator::Css(css)).await;
    let element = element.unwrap_or_else(|error| panic!("no {css}: {error}"));
    element
        .click()
        .await
        .unwrap_or_else(|error| panic!("{css}: {error}"));
}

async fn fill(browser: &Browser, css: &str, text: &str) {
    // A row of a stage comes with an event of its own.
    let found = browser.client().wait().at_most(LIVE);
    let field = found.for_element(Locator::Css(css)).await;
    let field = field.unwrap_or_else(|error| panic!("no {css}: {error}"));
    field.clear().await.expect("fields can be cleared");
    field.send_keys(text).await.expect("fields take text");
}

async fn choose(browser: &Browser, name: &str, value: &str) {
    let css = format!("[data-role='start-form'] select[name='{name}']");
    let select = browser.client().find(Locator::Css(&css)).await;
    select
        .expect("a list")
        .select_by_value(value)
        .await
        .unwrap_or_else(|error| panic!("{name} {value}: {error}"));
}

#[tokio::test]
async fn the_form_follows_the_infrastructure_and_takes_stages() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east"])
        .await;
    let bare = bare_agent(cluster.api().url(), "cave").await;
    let browser = Browser::start().await;
    browser.view(1440, 900, Theme::Light).await;
    browser.open(cluster.api().url()).await;

    choose(&browser, "infrastructure", "cave").await;
    assert_eq!(offered(&browser, "scenario").await, json!(["night"]));
    click(
        &browser,
        "[data-role='start-form'] .advanced:not(.stages) > summary",
    )
    .await;
    for chip in ["slow path", "api"] {
        click(
            &browser,
            &format!(".field:has([name='tags']) [data-name='{chip}']"),
        )
        .await;
    }
    click(
        &browser,
        ".field:has([name='user_types']) [data-name='Owl']",
    )
    .await;
    let typed = "return ['tags', 'user_types'].map((name) => document.querySelector(`[name=\"${name}\"]`).value);";
    assert_eq!(
        browser.eval(typed).await,
        json!(["\"slow path\", api", "Owl"])
    );
    click(
        &browser,
        ".field:has([name='tags']) [data-name='slow path']",
    )
    .await;
    assert_eq!(browser.eval(typed).await, json!(["api", "Owl"]));
    look_from_all_sides(&browser, "front-choices").await;

    // As where agents are made for a run: none is there that says what it has.
    let cloud = json!({ "name": "cloud" });
    let made = cluster.api().post("/api/v1/infrastructures", &cloud).await;
    assert_eq!(made.status, 201);
    let cloud = "[data-role='start-form'] select[name='infrastructure'] option[value='cloud']";
    let found = browser.client().wait().at_most(LIVE);
    found
        .for_element(Locator::Css(cloud))
        .await
        .expect("it is offered");
    choose(&browser, "infrastructure", "cloud").await;
    fill(
        &browser,
        "[data-role='start-form'] input[name='scenario']",
        "dawn",
    )
    .await;

    choose(&browser, "infrastructure", "lab").await;
    let scenarios = offered(&browser, "scenario").await;
    let scenarios = scenarios.as_array().expect("names");
    assert!(
        scenarios.len() > 3 && !scenarios.contains(&json!("night")),
        "{scenarios:?}"
    );
    choose(&browser, "scenario", "per-process").await;
    for name in ["tags", "user_types"] {
        fill(&browser, &format!("[name='{name}']"), "").await;
    }

    // Stages take the place of users, ramp-up and duration.
    fill(&browser, "[name='host']", &nginx.url()).await;
    click(&browser, "[data-role='stages'] > summary").await;
    fill(&browser, "[name='stage:1:users']", "3").await;
    fill(&browser, "[name='stage:1:duration']", "1x").await;
    click(&browser, "[data-role='add-stage']").await;
    fill(&browser, "[name='stage:2:users']", "6").await;
    fill(&browser, "[name='stage:2:duration']", "10m").await;
    let hidden = "return ['users', 'duration', 'ramp_up'].filter((name) => isVisible(document.querySelector(`[name=\"${name}\"]`)));";
    assert_eq!(eval(&browser, hidden, vec![]).await, json!([]));
    click(&browser, "[data-role='start-form'] button.primary").await;
    assert_eq!(
        eval(&browser, MARKED, vec![]).await,
        json!([[
            "stage:1:duration",
            "Enter how long the stage lasts, its ramp included, such as 2m.",
            true
        ]])
    );
    look_from_all_sides(&browser, "front-stages").await;
    fill(&browser, "[name='stage:1:duration']", "1s").await;
    assert_eq!(eval(&browser, MARKED, vec![]).await, json!([]));

    // What only the server knows is marked in the same way.
    fill(&browser, "[name='tags']", "nowhere").await;
    click(&browser, "[data-role='start-form'] button.primary").await;
    let answered =
        "return document.querySelector('[data-role=\"form-error\"]')?.textContent ?? null;";
    browser
        .wait_for("the server's answer", LIVE, answered)
        .await;
    let marked = eval(&browser, MARKED, vec![]).await;
    assert_eq!(
        (&marked[0][0], &marked[0][2]),
        (&json!("tags"), &json!(true)),
        "{marked}"
    );
    let message = marked[0][1].as_str().expect("a message");
    assert!(
        message.contains("has no task with tag nowhere"),
        "{message}"
    );
    let cells = "return [...document.querySelectorAll('[data-role=\"stage\"] input')].map((cell) => cell.value);";
    assert_eq!(
        browser.eval(cells).await,
        json!(["3", "", "1s", "6", "", "10m"])
    );
    fill(&browser, "[name='tags']", "").await;
    let start = browser
        .client()
        .find(Locator::Css("[data-role='start-form'] button.primary"))
        .await
        .expect("Start");
    start
        .send_keys(&String::from(char::from(Key::Enter)))
        .await
        .expect("a key");
    let id = "return location.pathname.match(/^\\/runs\\/([a-z0-9]+)$/)?.[1] ?? null;";
    let id = browser.wait_for("the run's page", LIVE, id).await;
    let id = id.as_str().expect("an id");
    let six =
        "return document.querySelector('[data-field=\"users\"]')?.dataset.value === '6' || null;";
    browser.wait_for("its users", LIVE, six).await;
    cluster.api().wait_for_requests(id, 1, RUN_TIMEOUT).await;
    cluster.api().stop(id).await;
    cluster
        .api()
        .wait_for_status(id, "Failed", RUN_TIMEOUT)
        .await;

    // Run again has the stages, too.
    browser
        .open(&format!("{}/runs/{id}/again", cluster.api().url()))
        .await;
    assert_eq!(
        browser.eval(cells).await,
        json!(["3", "", "1s", "6", "", "10m"])
    );
    // Chromium notes the answer to the refused form as an error.
    assert_quiet(&browser, cluster.api().url(), Some("422")).await;
    bare.abort();
    browser.close().await;
}

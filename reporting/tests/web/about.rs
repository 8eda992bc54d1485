//! About This Test says what really happens where stages, load shapes and arrival rates decide.

use axum::http::StatusCode;
use greylag_infra::protocol::{ToAgent, ToCoordinator};
use greylag_infra::{LoadProfile, ProfileStep, RunTime};
use serde_json::{Value, json};

use crate::running::{running, with_agent};
use crate::site::Site;

async fn about(site: &Site, id: &str) -> Value {
    site.get(&format!("/api/v1/runs/{id}")).await.json()["about"].clone()
}

/// What the page and the summary say of the ramp-up.
async fn ramps(site: &Site, id: &str) -> (String, Value) {
    let page = site.get(&format!("/runs/{id}")).await.body;
    let shown = page
        .split_once("data-field=\"ramp-up-duration\"")
        .expect("the field")
        .1;
    let shown =
        shown[shown.find('>').expect("an end") + 1..shown.find('<').expect("an end")].to_owned();
    let summary = site.get(&format!("/api/v1/runs/{id}/summary")).await.json();
    (shown, summary["run"]["ramp_up_s"].clone())
}

#[tokio::test]
async fn stages_ramp_until_the_first_plateau() {
    let (site, _socket, mut agent) = with_agent().await;
    let (id, test) = running(
        &site,
        &mut agent,
        json!({"host": "http://127.0.0.1:9", "scenario": "plain", "stages": [
            {"users": 3, "ramp": 1, "duration": "1m"}, {"users": 9, "ramp": 10, "duration": 30}, {"users": 2, "duration": 5}]}),
    )
    .await;
    assert_eq!(test["users"], json!(9));
    let about = about(&site, &id).await;
    assert_eq!(about["duration_s"], json!(95));
    assert_eq!(ramps(&site, &id).await, ("1s".to_owned(), json!(1)));
    assert_eq!(
        about["settings"],
        json!([
            {"label": "Stages", "value": "3 users for 1m, ramp 1s\n9 users for 30s, ramp 10s\n2 users for 5s"},
            {"label": "Load Shape", "value": "not used: the stages take its place"},
        ])
    );
}

#[tokio::test]
async fn a_description_is_shown_and_stands_in_the_form_of_the_next_run() {
    let (site, _socket, mut agent) = with_agent().await;
    let words = "Black Friday,\n<three> times";
    let (id, test) = running(
        &site,
        &mut agent,
        json!({"users": 5, "duration": 60, "scenario": "shop", "description": words}),
    )
    .await;
    assert_eq!(test["description"], json!(words));
    let settings = about(&site, &id).await["settings"].clone();
    assert_eq!(settings[0], json!({"label": "Description", "value": words}));
    let form = site.get(&format!("/runs/{id}/again")).await.body;
    let (_, field) = form.split_once("name=\"description\"").unwrap();
    let (field, _) = field.split_once("</textarea>").unwrap();
    // The line break after the tag is not part of the text.
    assert!(
        field.ends_with(">\nBlack Friday,\n&#60;three&#62; times"),
        "{field}"
    );
}

#[tokio::test]
async fn an_arrival_rate_takes_the_place_of_the_load_shape() {
    let (site, _socket, mut agent) = with_agent().await;
    let (id, _) = running(
        &site,
        &mut agent,
        json!({"host": "http://127.0.0.1:9", "scenario": "plain", "users": 5, "arrival_rate": 20, "ramp_up": 10, "duration": 60}),
    )
    .await;
    assert_eq!(
        about(&site, &id).await["settings"],
        json!([
            {"label": "Arrival Rate", "value": "20.0 iterations per second, ramp 10s"},
            {"label": "Load Shape", "value": "not used: the arrival rate takes its place"},
        ])
    );
    assert_eq!(ramps(&site, &id).await.0, "10s");
}

#[tokio::test]
async fn a_load_shape_says_duration_users_and_ramp_up() {
    let (site, _socket, mut agent) = with_agent().await;
    let body = r#"{"host": "http://127.0.0.1:9", "scenario": "plain"}"#;
    let started = site.post("/api/v1/runs", body).await;
    assert_eq!(started.status, StatusCode::CREATED, "{started:?}");
    let id = started.json()["id"].as_str().expect("an id").to_owned();
    let ToAgent::Prepare(prepare) = agent
        .until(|message| matches!(message, ToAgent::Prepare(_)))
        .await
    else {
        unreachable!("waited for it");
    };
    assert_eq!(
        prepare.test.duration_s,
        greylag_infra::MAX_DURATION.as_secs()
    );
    let before = about(&site, &id).await;
    assert_eq!(
        before["settings"],
        json!([{"label": "Load Shape", "value": "defined by the scenario"}])
    );
    assert_eq!(ramps(&site, &id).await.0, "set by the load shape");

    let step = |at_s: u32, users, over_s: u64| ProfileStep {
        at: RunTime::of_second(at_s),
        users,
        over_us: over_s * 1_000_000,
    };
    let shape = LoadProfile {
        steps: vec![step(0, 4, 2), step(30, 12, 5)],
        ends_at: RunTime::of_second(60),
        ..LoadProfile::default()
    };
    agent
        .send(&ToCoordinator::Ready {
            run_id: id.as_str().into(),
            shape: Some(shape),
            set_up_data: None,
        })
        .await;
    agent
        .until(|message| matches!(message, ToAgent::Start { .. }))
        .await;
    let about = about(&site, &id).await;
    assert_eq!(
        (&about["users"], &about["duration_s"]),
        (&json!(12), &json!(60))
    );
    assert_eq!(
        about["settings"],
        json!([{"label": "Load Shape", "value": "defined by the scenario\nfrom 0s: 4 users, ramp 2s\nfrom 30s: 12 users, ramp 5s"}])
    );
    assert_eq!(ramps(&site, &id).await, ("2s".to_owned(), json!(2)));
}

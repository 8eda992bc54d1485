//! What is wrong right now is said within seconds: agents that are not heard, a store that cannot save, results
//! that wait.

use std::time::Duration;

use greylag_tests::{Browser, ChaosProxy, Cluster, Nginx, heavy, lock_store, wait};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{RUN_TIMEOUT, SOON, assert_equal_to_log, greylag, page_field, test};

/// Longer than any of these tests: only presence shows that an agent is gone.
const LONG_LEASE: [&str; 2] = ["--lease", "600s"];

/// A run of 20 users, 10 on each of two agents.
fn long_run(host: &str) -> Value {
    test(
        host,
        "lab",
        json!({ "duration": 600, "ramp_up": 0, "workers": 4 }),
    )
}

async fn view_of(cluster: &Cluster, id: &str) -> Value {
    let answer = cluster.api().get(&format!("/api/v1/runs/{id}")).await;
    answer.json()
}

/// Waits until the run's view is as `reached` says.
async fn wait_for_view(
    cluster: &Cluster,
    id: &str,
    what: &str,
    reached: impl Fn(&Value) -> bool,
) -> Value {
    wait::until(what, SOON, async || {
        let view = view_of(cluster, id).await;
        if reached(&view) {
            Ok(view)
        } else {
            Err(format!(
                "{} {} {}",
                view["notices"], view["workers"], view["cards"]
            ))
        }
    })
    .await
}

fn active(view: &Value) -> u64 {
    view["cards"]["active_users"].as_u64().expect("a number")
}

fn has_notice(view: &Value, kind: &str) -> bool {
    let mut notices = view["notices"].as_array().into_iter().flatten();
    notices.any(|notice| notice["kind"] == kind)
}

async fn wait_for_status_of_agent(cluster: &Cluster, name: &str, status: &str) {
    wait::until(&format!("agent {name} to be {status}"), SOON, async || {
        let infrastructures = cluster.api().infrastructures().await;
        let mut agents = infrastructures
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|one| one["agents"].as_array().into_iter().flatten());
        if agents.any(|agent| agent["name"] == name && agent["status"] == status) {
            Ok(())
        } else {
            Err(infrastructures.to_string())
        }
    })
    .await;
}

/// Whether view, page and front page show that this agent is not heard, and its two workers and ten users.
async fn assert_shown_unheard(cluster: &Cluster, id: &str, name: &str, status: &str) {
    let view = wait_for_view(cluster, id, "the notice", |view| {
        has_notice(view, "agent_unheard") && active(view) == 10
    })
    .await;
    let message = view["notices"][0]["message"].as_str().unwrap_or_default();
    assert!(
        message.starts_with(&format!("Nothing heard from {name} for ")),
        "{message}"
    );
    assert_eq!(view["about"]["status"], "Running");
    let workers = view["workers"].as_array().expect("workers");
    for worker in workers {
        assert_eq!(worker["stale"], json!(worker["agent"] == name), "{worker}");
    }
    let page = cluster.api().page(id).await;
    assert!(page.contains("Nothing heard from"), "on the page");
    assert!(
        page.contains(">2 not responding<"),
        "beside the worker count"
    );
    assert_eq!(page.matches("data-stale=\"true\"").count(), 2);
    assert_eq!(page_field(&page, "active-users"), "10");
    wait_for_status_of_agent(cluster, name, status).await;
    let front = cluster.api().get("/").await.body;
    assert!(
        front.contains(&format!("data-status=\"{status}\"")),
        "{front}"
    );
}

#[tokio::test]
async fn a_killed_agent_is_shown_as_such_without_a_reload() {
    let _turn = heavy().await;
    let nginx = Nginx::start_unlogged().await;
    let mut cluster = Cluster::start_with(&greylag(), &LONG_LEASE)
        .await
        .with_agents("lab", &["east", "west"])
        .await;
    let id = cluster.api().start(&long_run(&nginx.url())).await;
    wait_for_view(&cluster, &id, "all users", |view| active(view) == 20).await;
    let browser = Browser::start().await;
    browser
        .open(&format!("{}/runs/{id}", cluster.api().url()))
        .await;
    let users = |users: u64| {
        format!(
            "return document.querySelector('[data-field=\"active-users\"]').dataset.value === '{users}';"
        )
    };
    browser.wait_for("20 users", SOON, &users(20)).await;

    cluster.agent(0).kill_9().await;
    browser
        .wait_for(
            "the notice",
            SOON,
            "return /Nothing heard from east for \\d+ s/.test(document.querySelector('[data-role=\"notices\"]:not([hidden])')?.textContent ?? '');",
        )
        .await;
    browser.wait_for("10 users", SOON, &users(10)).await;
    browser
        .wait_for(
            "stale workers",
            SOON,
            "return document.querySelectorAll('.workers tr[data-stale=\"true\"]').length === 2
                && !document.querySelector('[data-role=\"stale-workers\"]').hidden;",
        )
        .await;
    browser.close().await;
    assert_shown_unheard(&cluster, &id, "east", "Disconnected").await;
}

#[tokio::test]
async fn a_frozen_agent_is_shown_as_silent_until_it_continues() {
    let _turn = heavy().await;
    let nginx = Nginx::start_unlogged().await;
    let mut cluster = Cluster::start_with(&greylag(), &LONG_LEASE)
        .await
        .with_agents("lab", &["east", "west"])
        .await;
    let id = cluster.api().start(&long_run(&nginx.url())).await;
    wait_for_view(&cluster, &id, "all users", |view| active(view) == 20).await;
    cluster.agent(1).signal(Signal::STOP);
    assert_shown_unheard(&cluster, &id, "west", "Silent").await;
    cluster.agent(1).signal(Signal::CONT);
    wait_for_view(&cluster, &id, "nothing to say", |view| {
        view["notices"] == json!([]) && active(view) == 20
    })
    .await;
    wait_for_status_of_agent(&cluster, "west", "Connected").await;
}

/// A locked database cannot be written, as a full disk cannot.
#[tokio::test]
async fn a_store_that_cannot_save_is_shown_and_nothing_is_lost() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let cluster = Cluster::start_with(&greylag(), &LONG_LEASE)
        .await
        .with_agents("lab", &["east"])
        .await;
    let changes = json!({ "duration": 600, "ramp_up": 0 });
    let id = cluster
        .api()
        .start(&test(&nginx.url(), "lab", changes))
        .await;
    cluster.api().wait_for_requests(&id, 50, RUN_TIMEOUT).await;
    let lock = lock_store(cluster.data());
    let view = wait_for_view(&cluster, &id, "that nothing is saved", |view| {
        has_notice(view, "not_saving")
    })
    .await;
    let message = view["notices"][0]["message"].as_str().unwrap_or_default();
    assert!(message.contains("The store cannot save"), "{message}");
    assert!(!has_notice(&view, "agent_unheard"), "{}", view["notices"]);
    assert!(message.contains("locked"), "{message}");
    let front = cluster.api().get("/").await.body;
    assert!(front.contains("The store cannot save"), "{front}");
    // Load continues meanwhile, and its results are kept.
    let before = nginx.log_so_far().totals().requests;
    wait::until("more load", SOON, async || {
        let now = nginx.log_so_far().totals().requests;
        if now > before + 200 {
            Ok(())
        } else {
            Err(now.to_string())
        }
    })
    .await;
    drop(lock);
    wait_for_view(&cluster, &id, "nothing to say", |view| {
        view["notices"] == json!([])
    })
    .await;
    let api = cluster.api();
    api.stop(&id).await;
    api.wait_for_status(&id, "Failed", RUN_TIMEOUT).await;
    let log = nginx.finish().await;
    assert_equal_to_log(api, cluster.data(), &id, &log).await;
}

/// The agent is heard, but nothing that it sent is acknowledged.
#[tokio::test]
async fn results_that_wait_are_shown() {
    let _turn = heavy().await;
    let nginx = Nginx::start_unlogged().await;
    let mut cluster = Cluster::start_with(&greylag(), &LONG_LEASE).await;
    let proxy = ChaosProxy::start(cluster.api().url().trim_start_matches("http://")).await;
    cluster.start_agent_at(&proxy.url(), "east", "lab", &[]);
    cluster.api().wait_for_agents("lab", 1, SOON).await;
    let id = cluster.api().start(&long_run(&nginx.url())).await;
    cluster.api().wait_for_requests(&id, 50, RUN_TIMEOUT).await;
    proxy.mute_coordinator();
    wait_for_view(&cluster, &id, "that it is behind", |view| {
        has_notice(view, "behind")
    })
    .await;
    proxy.restore();
    wait_for_view(&cluster, &id, "nothing to say", |view| {
        view["notices"] == json!([])
    })
    .await;
    // What is not needed any more is not waited for.
    cluster.api().stop(&id).await;
    let patience = RUN_TIMEOUT + Duration::from_secs(10);
    cluster.api().wait_for_status(&id, "Failed", patience).await;
}

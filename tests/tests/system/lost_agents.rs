//! Runs that go on without what they lose: they finish, say what was missing, and count the others to the last request.

use std::collections::BTreeMap;

use greylag_tests::summary::{Loss, Summary};
use greylag_tests::{AccessLog, Api, Browser, Cluster, Nginx, START_TIMEOUT, Theme, heavy, wait};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::faults::{SHORT_LEASE, SHORT_LEASE_OVER, requests_by_process, wait_until_gone};
use crate::support::{Enough, RUN_TIMEOUT, SOON, greylag};

const USERS: u64 = 12;

/// Waits until each of so many workers of a `per-process-until` run has been counted; gives their agents by process id.
async fn all_workers(api: &Api, id: &str, count: usize) -> BTreeMap<u32, String> {
    let path = format!("/api/v1/runs/{id}");
    wait::until("requests of all workers", RUN_TIMEOUT, async || {
        let view = api.get(&path).await.json();
        let endpoints = view["endpoints"].as_array().map_or(0, Vec::len);
        let workers = view["workers"].as_array().cloned().unwrap_or_default();
        if endpoints < count || workers.len() < count {
            return Err(view.to_string());
        }
        let agent_of = |worker: &Value| {
            let pid = u32::try_from(worker["pid"].as_u64()?).ok()?;
            Some((pid, worker["agent"].as_str()?.to_owned()))
        };
        Ok(workers.iter().filter_map(agent_of).collect())
    })
    .await
}

async fn wait_for_loss(api: &Api, id: &str, losses: usize) -> Vec<Loss> {
    wait::until("the run to go on without", RUN_TIMEOUT, async || {
        let coverage = api.summary(id).await.coverage;
        match coverage.losses.len() == losses {
            true => Ok(coverage.losses),
            false => Err(format!("{coverage:?}")),
        }
    })
    .await
}

/// Checks the counts of each worker: of those that were lost no more than was sent, of the others exactly that.
fn assert_others_are_whole(summary: &Summary, log: &AccessLog, is_lost: impl Fn(u32) -> bool) {
    for (pid, (counted, sent)) in requests_by_process(summary, log) {
        match is_lost(pid) {
            true => assert!(counted <= sent, "{pid}: {counted} of {sent}"),
            false => assert_eq!(counted, sent, "process {pid}"),
        }
    }
}

/// Waits until there are results of some seconds after this one.
async fn wait_for_seconds_after(api: &Api, id: &str, second: u32) {
    wait::until("seconds without what is lost", RUN_TIMEOUT, async || {
        let last = api.summary(id).await.series.last().map(|last| last.second);
        match last.is_some_and(|last| last > second + 3) {
            true => Ok(()),
            false => Err(format!("{last:?}")),
        }
    })
    .await;
}

/// Users of the run at each second while all that was lost is missing.
fn users_since(summary: &Summary, second: u32) -> Vec<u64> {
    let points = summary.series.iter();
    // Users come to their end in the last second of the load, or later where they are held up.
    points
        .filter(|point| {
            point.second > second && f64::from(point.second + 1) < summary.run.duration_s
        })
        .map(|point| point.users)
        .collect()
}

#[tokio::test]
async fn a_run_goes_on_without_an_agent_that_is_killed() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let mut cluster = Cluster::start_with(&greylag(), &["--lease", SHORT_LEASE])
        .await
        .with_agents("lab", &["east", "north", "west"])
        .await;
    let directory = TempDir::new().expect("a directory");
    let enough = Enough::not_yet();
    let arguments = [
        "run",
        "--host",
        &nginx.url(),
        "--scenario",
        "per-process-until",
        "--until",
        &enough.path(),
        "--users",
        &USERS.to_string(),
        "--workers",
        "6",
        "--ramp-up",
        "0",
        "--duration",
        "10m",
        "--infrastructure",
        "lab",
        "--coordinator",
        cluster.api().url(),
        "--on-lost-agent",
        "continue",
        "--csv",
        "out",
    ];
    let mut command = greylag().start_in(directory.path(), &arguments);
    let id = wait::until("the run", START_TIMEOUT, async || {
        let runs = cluster.api().get("/api/v1/runs").await.json();
        let id = runs["runs"][0]["id"].as_str();
        id.map(str::to_owned).ok_or_else(|| runs.to_string())
    })
    .await;
    let agents = all_workers(cluster.api(), &id, 6).await;
    let killed = cluster.workers_of(1);
    cluster.agent(1).kill_9().await;
    wait_until_gone(&killed, SHORT_LEASE_OVER).await;
    let before = wait_for_loss(cluster.api(), &id, 1).await;
    // What is known of it is known to the next coordinator, too.
    cluster.kill_coordinator().await;
    cluster.restart_coordinator().await;
    let api = cluster.api();
    assert_eq!(api.summary(&id).await.coverage.losses, before);
    wait_for_seconds_after(api, &id, before[0].since_second).await;
    enough.seen();
    api.wait_for_status(&id, "Finished", RUN_TIMEOUT).await;
    let ended = command.wait(RUN_TIMEOUT).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");

    let log = nginx.finish().await;
    let summary = api.summary(&id).await;
    assert_others_are_whole(&summary, &log, |pid| agents[&pid] == "north");
    let [loss] = summary.coverage.losses.as_slice() else {
        panic!("one loss, not {:?}", summary.coverage);
    };
    assert_eq!(
        (
            loss.code.as_str(),
            loss.agent.as_str(),
            loss.worker,
            loss.users
        ),
        ("agent_lost", "north", None, 4)
    );
    let coverage = &summary.coverage;
    assert_eq!((coverage.users, coverage.missing_users), (USERS, 4));
    let since = loss.since_second;
    let users = users_since(&summary, since);
    assert!(
        !users.is_empty() && users.iter().all(|users| *users == 8),
        "{users:?} since {since}"
    );

    let view = api.get(&format!("/api/v1/runs/{id}")).await.json();
    let marks = view["marks"].as_array().cloned().unwrap_or_default();
    // The machine may be busy with other tests, which says nothing of the run.
    let lost: Vec<_> = marks
        .into_iter()
        .filter(|mark| mark["label"] != "generator saturated")
        .collect();
    let mark = json!({ "second": since, "label": "lost: north" });
    assert_eq!(lost, [mark]);
    // Said by everything that shows the run, and as long as it is kept.
    let remark = coverage.remark.clone().expect("a remark");
    assert!(
        remark.starts_with("Partial load: 4 of 12 users missing since "),
        "{remark}"
    );
    let tables = api.get(&format!("/api/v1/runs/{id}/tables")).await.body;
    let beside_csv = std::fs::read_to_string(directory.path().join("out_completeness.json"));
    let runs = greylag()
        .run(&["runs", "--coordinator", api.url()], RUN_TIMEOUT)
        .await;
    for (place, text, words) in [
        ("page", &api.page(&id).await, &remark),
        ("page", &api.page(&id).await, &loss.message),
        ("tables", &tables, &remark),
        ("tables", &tables, &loss.message),
        ("front page", &api.get("/").await.body, &remark),
        ("log", &api.log(&id).await, &loss.message),
        ("command line", &ended.stdout, &remark),
        (
            "file beside the CSV files",
            &beside_csv.expect("the file"),
            &remark,
        ),
        (
            "list of runs",
            &runs.stdout,
            &"Finished, partial load".to_owned(),
        ),
    ] {
        assert!(text.contains(words), "{place} should say {words}: {text}");
    }
}

/// The part of an agent goes on without a worker; an agent that is shut down hands over all and is missing from then on.
#[tokio::test]
async fn a_run_goes_on_without_a_worker_that_is_killed_and_an_agent_that_is_shut_down() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let mut cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east", "west"])
        .await;
    let enough = Enough::not_yet();
    let changes =
        json!({ "users": USERS, "workers": 4, "ramp_up": 0, "on_lost_agent": "continue" });
    let test = enough.test(&nginx.url(), "lab", changes);
    let id = cluster.api().start(&test).await;
    let agents = all_workers(cluster.api(), &id, 4).await;
    let killed = &cluster.workers_of(0)[0];
    killed.signal(Signal::KILL);
    wait_for_loss(cluster.api(), &id, 1).await;
    cluster.agent(1).signal(Signal::TERM);
    let losses = wait_for_loss(cluster.api(), &id, 2).await;
    wait_for_seconds_after(cluster.api(), &id, losses[1].since_second).await;
    enough.seen();
    cluster
        .api()
        .wait_for_status(&id, "Finished", RUN_TIMEOUT)
        .await;

    let log = nginx.finish().await;
    let summary = cluster.api().summary(&id).await;
    assert_others_are_whole(&summary, &log, |pid| pid == killed.pid());
    assert_eq!(agents[&killed.pid()], "east");
    let losses: Vec<_> = summary
        .coverage
        .losses
        .iter()
        .map(|loss| {
            (
                loss.code.as_str(),
                loss.agent.as_str(),
                loss.worker.is_some(),
                loss.users,
            )
        })
        .collect();
    assert_eq!(
        losses,
        [
            ("worker_exited", "east", true, 3),
            ("agent_shut_down", "west", false, 6)
        ]
    );
    assert_eq!(summary.coverage.missing_users, 9);
    let gaps: Vec<_> = summary.gaps.iter().map(|gap| gap.code.as_str()).collect();
    assert_eq!(gaps, ["worker_lost"], "west handed over everything");
    let since = summary.coverage.losses[1].since_second;
    let users = users_since(&summary, since);
    assert!(
        !users.is_empty() && users.iter().all(|users| *users == 3),
        "{users:?} since {since}"
    );

    // The charts mark both, also for those who do not see them.
    let browser = Browser::start().await;
    browser.view(420, 900, Theme::Dark).await;
    browser
        .open(&format!("{}/runs/{id}", cluster.api().url()))
        .await;
    let script =
        "const chart = document.querySelector('[data-chart=\"active-users\"] .chart-canvas');
        const label = chart.getAttribute('aria-label');
        return label.includes('Marked: ') && label;";
    let label = browser.wait_for("the marks", SOON, script).await;
    let label = label.as_str().expect("a text");
    assert!(label.contains("Marked: lost: "), "{label}");
    let severe = browser.console().await;
    let severe: Vec<_> = severe
        .iter()
        .filter(|(level, _)| level == "SEVERE")
        .collect();
    assert!(severe.is_empty(), "{severe:?}");
    browser.close().await;
}

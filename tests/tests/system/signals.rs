//! Signals that end commands: in order at first, immediately when repeated.

use greylag_tests::{
    Cluster, Nginx, Process, START_TIMEOUT, clean_command, heavy, local_url, lock_store, wait,
};
use rustix::process::Signal;
use serde_json::json;
use tempfile::TempDir;

use crate::faults::wait_until_gone;
use crate::support::{Enough, RUN_TIMEOUT, SOON, assert_finishes_as_logged, greylag, test};

#[tokio::test]
async fn hangup_ends_agent_and_coordinator_in_order() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let mut cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east"])
        .await;
    let changes = json!({ "duration": 600, "ramp_up": 0 });
    let id = cluster
        .api()
        .start(&test(&nginx.url(), "lab", changes))
        .await;
    cluster.api().wait_for_requests(&id, 50, RUN_TIMEOUT).await;
    let workers = cluster.workers_of(0);
    cluster.agent(0).signal(Signal::HUP);
    let ended = cluster.agent(0).wait(SOON).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    wait_until_gone(&workers, SOON).await;
    let progress = cluster
        .api()
        .wait_for_status(&id, "Failed", RUN_TIMEOUT)
        .await;
    let log = nginx.finish().await;
    assert_eq!(
        progress["requests"].as_u64(),
        Some(log.totals().requests),
        "all results were handed over"
    );
    cluster.coordinator().signal(Signal::HUP);
    let ended = cluster.coordinator().wait(SOON).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

/// `nohup` means that the terminal may be closed.
#[tokio::test]
async fn an_ignored_hangup_stays_ignored() {
    let _turn = heavy().await;
    let directory = TempDir::new().expect("a directory");
    let arguments = ["serve", "--port", "0"];
    let greylag = greylag();
    let mut command = clean_command("nohup");
    command
        .arg(greylag.command(arguments).get_program())
        .args(arguments)
        .current_dir(directory.path());
    let mut served = Process::start("nohup greylag serve", &mut command);
    let url = served
        .wait_for_output("its URL", START_TIMEOUT, local_url)
        .await;
    served.signal(Signal::HUP);
    // The page answers after the signal was there to be taken.
    for _ in 0..3 {
        let answer = reqwest::get(&url).await.expect("an answer");
        assert!(answer.status().is_success());
    }
    served.signal(Signal::TERM);
    assert_eq!(served.wait(SOON).await.code, Some(0));
}

/// The store is busy for as long as the database is locked, so ending in order takes longer than a user waits.
#[tokio::test]
async fn a_second_signal_ends_a_coordinator_that_is_busy() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let mut cluster = Cluster::start(&greylag())
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
    let api = cluster.api().clone();
    let creating = tokio::spawn(async move {
        let path = "/api/v1/infrastructures";
        // It is never answered.
        let request = api.request(reqwest::Method::POST, path);
        request.json(&json!({ "name": "other" })).send().await
    });
    wait::until("something to save", SOON, async || {
        let infrastructures = cluster.api().infrastructures().await;
        if infrastructures.to_string().contains("other") {
            Ok(())
        } else {
            Err(infrastructures.to_string())
        }
    })
    .await;
    let coordinator = cluster.coordinator();
    coordinator.signal(Signal::TERM);
    coordinator
        .wait_for_output("that it ends", SOON, |output| {
            output.contains("repeat to exit").then_some(())
        })
        .await;
    coordinator.signal(Signal::TERM);
    let ended = coordinator.wait(RUN_TIMEOUT).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    // Without a second signal it gives up as well, after a while: what it says tells the two apart.
    let interrupted = "interrupted again before shutdown finished";
    assert!(ended.stderr.contains(interrupted), "{ended:?}");
    creating.abort();
    drop(lock);
}

/// Agents go on without their coordinator, and the run is finished by the one that is started in its place.
#[tokio::test]
async fn a_coordinator_that_is_replaced_leaves_its_runs_to_the_next() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let mut cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east", "west"])
        .await;
    let enough = Enough::not_yet();
    let id = cluster
        .api()
        .start(&enough.test(&nginx.url(), "lab", json!({})))
        .await;
    cluster.api().wait_for_requests(&id, 50, RUN_TIMEOUT).await;
    cluster.coordinator().signal(Signal::TERM);
    let ended = cluster.coordinator().wait(SOON).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let at_end = nginx.log_so_far().totals().requests;
    wait::until("load without a coordinator", SOON, async || {
        let now = nginx.log_so_far().totals().requests;
        if now > at_end + 50 {
            Ok(())
        } else {
            Err(format!("{now} requests, {at_end} at the coordinator's end"))
        }
    })
    .await;
    cluster.restart_coordinator().await;
    enough.seen();
    assert_finishes_as_logged(&cluster, nginx, &id).await;
}

/// The database stays locked until after the end, and the store alone would wait for it for ten seconds. What was not saved
/// is not lost.
#[tokio::test]
async fn a_coordinator_ends_though_its_store_is_busy() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let mut cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east"])
        .await;
    let enough = Enough::not_yet();
    let id = cluster
        .api()
        .start(&enough.test(&nginx.url(), "lab", json!({})))
        .await;
    cluster.api().wait_for_requests(&id, 50, RUN_TIMEOUT).await;
    assert_eq!(cluster.api().get("/readyz").await.status, 200);
    let lock = lock_store(cluster.data());
    wait::until("that it is not ready", SOON, async || {
        let answer = cluster.api().get("/readyz").await;
        if answer.status == 503 {
            Ok(())
        } else {
            Err(answer.body)
        }
    })
    .await;
    assert_eq!(cluster.api().get("/healthz").await.status, 200);
    cluster.coordinator().signal(Signal::TERM);
    let ended = cluster.coordinator().wait(SOON).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended
            .stderr
            .contains("the store or an answer was still busy"),
        "{ended:?}"
    );
    drop(lock);
    cluster.restart_coordinator().await;
    enough.seen();
    assert_finishes_as_logged(&cluster, nginx, &id).await;
}

/// What stands before the path of a run's page.
fn page_of(output: &str) -> Option<String> {
    let (before, _) = output.split_once("/runs/")?;
    before.rsplit_once(' ').map(|(_, url)| url.to_owned())
}

/// Each has its own page and its own results.
#[tokio::test]
async fn two_runs_in_one_directory() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let directory = TempDir::new().expect("a directory");
    let host = nginx.url();
    let start = |summary: &str| {
        let arguments = [
            "run",
            "--host",
            &host,
            "--scenario",
            "per-process",
            "--users",
            "4",
            "--ramp-up",
            "0",
            "--duration",
            "6s",
            "--summary",
            summary,
        ];
        greylag().start_in(directory.path(), &arguments)
    };
    let (mut first, mut second) = (start("first.json"), start("second.json"));
    let mut urls = Vec::new();
    for command in [&mut first, &mut second] {
        urls.push(
            command
                .wait_for_output("its page's URL", START_TIMEOUT, page_of)
                .await,
        );
    }
    assert_ne!(urls[0], urls[1]);
    let mut counted = 0;
    for (command, summary) in [(&mut first, "first.json"), (&mut second, "second.json")] {
        let ended = command.wait(RUN_TIMEOUT).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let (summary, _) =
            crate::command_line::results::read_summary(&directory.path().join(summary));
        counted += summary.totals.requests;
    }
    assert_eq!(counted, nginx.finish().await.totals().requests);
    for data in ["greylag-data", "greylag-data-2"] {
        assert!(directory.path().join(data).join("greylag.sqlite").exists());
    }
    let said = format!("{}{}", first.stderr(), second.stderr());
    assert!(
        said.contains("in use by another Greylag; results go to ./greylag-data-2"),
        "{said}"
    );
}

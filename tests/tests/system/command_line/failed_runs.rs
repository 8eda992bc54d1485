//! `greylag run` that is stopped: exit code 1, and the results are whole.

use greylag_tests::{Cluster, Nginx, START_TIMEOUT, heavy, local_url};
use rustix::process::Signal;
use tempfile::TempDir;

use super::results::read_summary;
use crate::support::{RUN_TIMEOUT, SOON, assert_equal_to_log, greylag};

#[tokio::test]
async fn a_failed_run_has_exit_code_1() {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let cluster = Cluster::start(&greylag())
        .await
        .with_agents("lab", &["east"])
        .await;
    let directory = TempDir::new().expect("a directory");
    let host = nginx.url();
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
        "10m",
        "--infrastructure",
        "lab",
        "--coordinator",
        cluster.api().url(),
        "--summary",
        "out.json",
    ];
    let mut command = greylag().start_in(directory.path(), &arguments);
    let id = command
        .wait_for_output("the run's address", SOON, |output| {
            let (_, rest) = output.split_once("/runs/")?;
            let id: String = rest
                .chars()
                .take_while(char::is_ascii_alphanumeric)
                .collect();
            (rest.len() > id.len()).then_some(id)
        })
        .await;
    cluster.api().wait_for_requests(&id, 20, RUN_TIMEOUT).await;
    cluster.api().stop(&id).await;
    let ended = command.wait(RUN_TIMEOUT).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.stderr.contains("stopped") || ended.stdout.contains("stopped"),
        "it says why: {ended:?}"
    );
    let (summary, _) = read_summary(&directory.path().join("out.json"));
    assert_eq!(summary.run.status, "Failed");
    assert!(
        summary
            .run
            .failure_reason
            .is_some_and(|reason| reason.contains("stopped"))
    );
    let log = nginx.finish().await;
    assert_equal_to_log(cluster.api(), cluster.data(), &id, &log).await;
}

#[tokio::test]
async fn interrupt_stops_a_run_of_ones_own() {
    a_signal_stops_a_run_of_ones_own(Signal::INT).await;
}

/// As when the terminal is closed.
#[tokio::test]
async fn hangup_stops_a_run_of_ones_own() {
    a_signal_stops_a_run_of_ones_own(Signal::HUP).await;
}

async fn a_signal_stops_a_run_of_ones_own(signal: Signal) {
    let _turn = heavy().await;
    let nginx = Nginx::start().await;
    let directory = TempDir::new().expect("a directory");
    let host = nginx.url();
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
        "10m",
        "--workers",
        "2",
        "--data",
        "results",
        "--summary",
        "out.json",
    ];
    let mut command = greylag().start_in(directory.path(), &arguments);
    let url = command
        .wait_for_output("its URL", START_TIMEOUT, local_url)
        .await;
    greylag_tests::wait::until("load", SOON, async || {
        let requests = nginx.log_so_far().requests.len();
        if requests > 20 {
            Ok(())
        } else {
            Err(format!("{requests} requests, page {url}"))
        }
    })
    .await;
    command.signal(signal);
    let ended = command.wait(RUN_TIMEOUT).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let (summary, _) = read_summary(&directory.path().join("out.json"));
    assert_eq!(summary.run.status, "Failed");
    assert_eq!(
        summary.totals.requests,
        nginx.finish().await.totals().requests
    );
}

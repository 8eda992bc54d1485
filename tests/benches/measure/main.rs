//! Measures what Greylag costs: `cargo bench -p greylag-tests -- peers | accuracy | users | delay | page | page-hour | coordinator | queries | same-runs | iteration`.
//! Needs nginx and taskset.
//!
//! - `peers`: processor time of the generator per request, beside wrk, oha, plain goose and Locust.
//! - `accuracy`: reported response times against those of a server that logs its own, beside wrk and oha.
//! - `users`: with 1,000, 10,000 and 50,000 users that wait, each with an open connection: memory per user, the time until all have
//!   begun without a ramp-up, processor time while they wait.
//! - `delay`: from the end of a request until a browser receives it.
//! - `page`: processor time of a Chromium that shows a run's page, with 5 and with 1,000 endpoints, and what comes over the wire.
//! - `page-hour`: what that page keeps in memory after an hour of a live run, and how smoothly 1,000 endpoints scroll.
//! - `coordinator`: what a coordinator costs with many agents (simulated: [`coordinator`]) and ten open pages, and how late it is. Takes a
//!   minute for each number of agents, so it runs only when it is named.
//! - `queries`: how fast a coordinator answers about a long run, starts with its database, and gives its space back. The database takes
//!   minutes to make the first time, so it runs only when it is named.
//! - `same-runs`: whether any of five pairs of runs of the same test is called different. Takes eleven minutes, so it runs only when it is named.
//! - `iteration`: building a crate of `greylag new`, the first time and after one changed line. Takes many minutes, so it
//!   runs only when it is named.

mod accuracy;
mod coordinator;
mod delay;
mod events;
mod install;
mod iteration;
mod page;
mod page_hour;
mod peers;
mod plain_goose;
mod queries;
mod readme;
mod same_runs;
mod users;
mod window;

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use greylag_tests::{Cluster, Greylag, ProcessId, descendants, wait};
use serde_json::Value;

use crate::accuracy::raw_client;

/// The path of another `greylag_under_test` that is to be measured: two builds are compared by the same bench.
const OTHER_BINARY: &str = "BENCH_BINARY";
/// The core of the target and of the coordinator.
const TARGET_CORE: &str = "0";
/// The core of whoever generates the load.
const GENERATOR_CORE: &str = "1";

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        match arguments.as_slice() {
            [] => {
                peers::measure(&[]).await;
                users::measure().await;
                delay::measure().await;
                page::measure().await;
            }
            ["peers", rest @ ..] => peers::measure(rest).await,
            ["accuracy", rest @ ..] => accuracy::measure(rest).await,
            ["users"] => users::measure().await,
            ["delay"] => delay::measure().await,
            ["page"] => page::measure().await,
            ["page-hour"] => page_hour::measure().await,
            ["coordinator", arguments @ ..] => coordinator::measure(arguments).await,
            ["queries", arguments @ ..] => queries::measure(arguments).await,
            ["same-runs"] => same_runs::measure(None).await,
            ["same-runs", seconds] => same_runs::measure(Some(seconds)).await,
            ["iteration"] => iteration::measure().await,
            [raw_client::ARGUMENT, address, seconds] => raw_client::request(address, seconds),
            [plain_goose::ARGUMENT, rest @ ..] => plain_goose::attack(rest).await,
            other => {
                panic!("unknown arguments {other:?}; use peers, accuracy, users, delay, page, page-hour, coordinator, queries, same-runs, iteration, or nothing for peers, users, delay and page")
            }
        }
    });
}

/// The binary that is measured.
fn greylag() -> Greylag {
    Greylag::at(greylag_path())
}

/// Where it is.
fn greylag_path() -> PathBuf {
    let other = std::env::var_os(OTHER_BINARY).map(PathBuf::from);
    other.unwrap_or_else(|| env!("CARGO_BIN_EXE_greylag_under_test").into())
}

/// A coordinator and one agent, each on its core.
async fn pinned_cluster() -> Cluster {
    let greylag = greylag();
    let mut cluster = Cluster::start(&greylag)
        .await
        .with_agents("bench", &["bench"])
        .await;
    pin(cluster.coordinator().pid(), TARGET_CORE);
    pin(cluster.agent(0).pid(), GENERATOR_CORE);
    cluster
}

/// Binds a process, its threads and its children to a core; later children inherit it.
fn pin(pid: u32, core: &str) {
    let children = descendants(pid).into_iter().map(|child| child.pid);
    for pid in children.chain([pid]) {
        let done = Command::new("taskset")
            .args(["-a", "-p", "-c", core, &pid.to_string()])
            .output()
            .expect("these measurements need taskset; on Debian: apt-get install util-linux");
        assert!(
            done.status.success(),
            "taskset: {}",
            String::from_utf8_lossy(&done.stderr)
        );
    }
}

/// Starts a run on one worker and gives its id and the worker.
async fn start(cluster: &Cluster, test: &Value) -> (String, ProcessId) {
    let id = cluster.api().start(test).await;
    let worker = wait::until("the worker", Duration::from_secs(30), async || {
        cluster
            .workers_of(0)
            .first()
            .copied()
            .ok_or_else(|| "there is none".to_owned())
    })
    .await;
    (id, worker)
}

/// The middle one of some numbers.
fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

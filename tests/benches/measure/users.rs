//! What many waiting users cost, and how fast they begin.

use std::time::Duration;

use greylag_tests::{Cluster, Nginx, ProcessId, wait};
use rustix::process::{Resource, getrlimit};
use serde_json::json;
use tokio::time::sleep;

use crate::greylag;

/// Users and over how many workers, unless the limit of open files asks for more.
const CASES: [(u64, u64); 3] = [(1_000, 1), (10_000, 1), (50_000, 2)];
/// Connections that one nginx takes, and less than the local ports towards one target.
const USERS_PER_TARGET: u64 = 10_000;
/// What a worker has open beside its users' connections, at most.
const OTHER_FILES: u64 = 64;
const ALL_THERE: Duration = Duration::from_secs(60);
/// How long the processor time of waiting users is measured: it is counted in hundredths of a second.
const WAITING: Duration = Duration::from_secs(20);

/// Prints a line for each number of users.
pub(crate) async fn measure() {
    let most = CASES.iter().map(|case| case.0).max().unwrap_or(0);
    let mut targets = Vec::new();
    for _ in 0..most.div_ceil(USERS_PER_TARGET) {
        targets.push(Nginx::start_unlogged().await);
    }
    let alone = run(&targets, 1, 1).await;
    println!(
        "\nUsers that wait, each with an open connection, started without a ramp-up (a worker with one user: {:.1} MB). Begun: after the first \
         user of the same worker.",
        mb(alone.resident)
    );
    println!(
        "| users | workers | memory | per user | half have begun | all have begun | CPU of the start | CPU while waiting, of a core |\n\
         |---|---|---|---|---|---|---|---|"
    );
    for (users, planned) in CASES {
        let workers = planned.max(users.div_ceil(files().saturating_sub(OTHER_FILES).max(1)));
        let row = run(&targets, users, workers).await;
        let each = row.resident.saturating_sub(alone.resident * workers) as f64
            / (users - workers) as f64
            / 1e3;
        println!(
            "| {users} | {workers} | {:.1} MB | {each:.1} kB | {:.2} s | {:.2} s | {:.2} s | {:.2} % |",
            mb(row.resident),
            row.half_begun_ms / 1e3,
            row.all_begun_ms / 1e3,
            row.start_cpu_s,
            row.waiting_cpu * 100.0,
        );
        if workers > planned {
            println!(
                "{users} users over {planned} workers need a hard limit of {} open files (ulimit -Hn); it is {} here, so there were \
                 {workers} workers.",
                users.div_ceil(planned) + OTHER_FILES,
                files()
            );
        }
    }
}

/// The open files that a worker may have: it raises its own limit as far as this.
fn files() -> u64 {
    getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX)
}

fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// One run; sums over its workers.
struct Row {
    resident: u64,
    half_begun_ms: f64,
    all_begun_ms: f64,
    start_cpu_s: f64,
    /// Processor time per time.
    waiting_cpu: f64,
}

async fn run(targets: &[Nginx], users: u64, workers: u64) -> Row {
    let cluster = Cluster::start(&greylag())
        .await
        .with_agents("bench", &["bench"])
        .await;
    let urls: Vec<String> = targets.iter().map(Nginx::url).collect();
    let ports: Vec<&str> = urls
        .iter()
        .filter_map(|url| url.rsplit(':').next())
        .collect();
    let test = json!({
        "name": "users", "host": urls[0], "infrastructure": "bench", "scenario": "launch", "users": users, "workers": workers,
        "ramp_up": 0, "duration": 600, "options": { "ports": ports.join(" ") },
    });
    let id = cluster.api().start(&test).await;
    let processes = wait::until("the workers", ALL_THERE, async || {
        let found = cluster.workers_of(0);
        if found.len() as u64 == workers {
            Ok(found)
        } else {
            Err(format!("there are {}", found.len()))
        }
    })
    .await;
    // Each user has two: when it begins, and its request.
    let progress = cluster
        .api()
        .wait_for_requests(&id, 2 * users, ALL_THERE)
        .await;
    assert_eq!(progress["failures"], 0, "{progress}");
    assert_eq!(progress["users"], users, "{progress}");
    let start_cpu_s = cpu_seconds(&processes);
    sleep(WAITING).await;
    let waiting_cpu = (cpu_seconds(&processes) - start_cpu_s) / WAITING.as_secs_f64();
    let resident = processes.iter().map(|each| each.resident_bytes()).sum();
    let summary = cluster.api().summary(&id).await;
    let begins = summary
        .endpoints
        .iter()
        .find(|endpoint| endpoint.method == "BEGIN")
        .expect("users say when they begin");
    let row = Row {
        resident,
        half_begun_ms: begins.p50_ms,
        all_begun_ms: begins.max_ms,
        start_cpu_s,
        waiting_cpu,
    };
    cluster.api().stop(&id).await;
    cluster
        .api()
        .wait_for_status(&id, "Failed", ALL_THERE)
        .await;
    row
}

fn cpu_seconds(processes: &[ProcessId]) -> f64 {
    processes.iter().map(|process| process.cpu_seconds()).sum()
}

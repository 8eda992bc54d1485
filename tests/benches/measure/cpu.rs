//! Processor time per request: a worker, wrk, plain goose.

use std::process::Command;
use std::time::Duration;

use greylag_tests::{Nginx, Process, ProcessId, find_program};
use serde_json::json;
use tokio::time::sleep;

use crate::{GENERATOR_CORE, TARGET_CORE, median, pin, pinned_cluster, plain_goose, start};

const USERS: u32 = 50;
const SECONDS: u32 = 10;
const ROTATIONS: usize = 3;
/// A process cannot be asked after its end; its last moments are lost to this extent.
const LOOK: Duration = Duration::from_millis(10);

/// One generator's run.
struct Run {
    requests: u64,
    cpu_s: f64,
}

impl Run {
    fn us_per_request(&self) -> f64 {
        self.cpu_s * 1e6 / self.requests as f64
    }

    fn per_second(&self) -> f64 {
        self.requests as f64 / f64::from(SECONDS)
    }
}

/// Runs all in rotation and prints the medians.
pub(crate) async fn measure() {
    let nginx = Nginx::start_unlogged().await;
    pin(nginx.pid(), TARGET_CORE);
    let mut runs: [Vec<Run>; 3] = Default::default();
    for _ in 0..ROTATIONS {
        runs[0].push(wrk(&nginx.url()).await);
        runs[1].push(greylag(&nginx.url()).await);
        runs[2].push(goose(&nginx.url()).await);
    }
    let cost = |runs: &[Run]| median(runs.iter().map(Run::us_per_request).collect());
    let rate = |runs: &[Run]| median(runs.iter().map(Run::per_second).collect());
    let of_wrk = cost(&runs[0]);
    println!(
        "\nGenerator CPU per request, {USERS} closed-loop users, medians of {ROTATIONS} x {SECONDS} s"
    );
    println!("| generator | µs per request | of wrk | requests per second |\n|---|---|---|---|");
    for (name, runs) in ["wrk", "Greylag worker", "plain goose, bodies read"]
        .iter()
        .zip(&runs)
    {
        println!(
            "| {name} | {:.1} | {:.2} | {:.0} |",
            cost(runs),
            cost(runs) / of_wrk,
            rate(runs)
        );
    }
}

async fn wrk(url: &str) -> Run {
    let wrk =
        find_program(&["wrk"]).expect("this measurement needs wrk; on Debian: apt-get install wrk");
    let mut command = Command::new("taskset");
    command.args(["-c", GENERATOR_CORE]).arg(wrk);
    command.args(["-t1", &format!("-c{USERS}"), &format!("-d{SECONDS}s"), url]);
    run_to_end("wrk", &mut command, |output| {
        let (before, _) = output.split_once(" requests in ")?;
        before.rsplit(char::is_whitespace).next()?.parse().ok()
    })
    .await
}

async fn goose(url: &str) -> Run {
    let mut command = Command::new("taskset");
    command
        .args(["-c", GENERATOR_CORE])
        .arg(std::env::current_exe().expect("this program has a path"));
    command.args([plain_goose::ARGUMENT, url, &SECONDS.to_string()]);
    run_to_end("plain goose", &mut command, |output| {
        let (_, after) = output.rsplit_once(plain_goose::RESULT)?;
        after.trim().parse().ok()
    })
    .await
}

/// `taskset` becomes the program it starts, so the process is the generator.
async fn run_to_end(
    name: &str,
    command: &mut Command,
    requests: impl Fn(&str) -> Option<u64>,
) -> Run {
    let mut process = Process::start(name, command);
    let id = ProcessId::of(process.pid()).expect("it has just been started");
    let cpu_s = cpu_to_end(id).await;
    let ended = process.wait(Duration::from_secs(30)).await;
    let requests =
        requests(&ended.stdout).unwrap_or_else(|| panic!("{name} counts no requests: {ended:?}"));
    Run { requests, cpu_s }
}

async fn greylag(url: &str) -> Run {
    let cluster = pinned_cluster().await;
    let test = json!({
        "name": "cpu", "host": url, "infrastructure": "bench", "users": USERS, "workers": 1, "ramp_up": 0, "duration": SECONDS,
        "declared": { "requests": [{ "method": "GET", "path": "/", "weight": 1 }] },
    });
    let (id, worker) = start(&cluster, &test).await;
    let cpu_s = cpu_to_end(worker).await;
    cluster
        .api()
        .wait_for_status(&id, "Finished", Duration::from_secs(60))
        .await;
    Run {
        requests: cluster.api().summary(&id).await.totals.requests,
        cpu_s,
    }
}

async fn cpu_to_end(process: ProcessId) -> f64 {
    let mut last = 0.0;
    while process.is_alive() {
        last = process.cpu_seconds().max(last);
        sleep(LOOK).await;
    }
    last
}

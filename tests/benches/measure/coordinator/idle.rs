//! What agents cost that are only connected, and what asking all of them to prepare a run costs.

use std::time::{Duration, Instant};

use greylag_tests::{Cluster, ProcessId, Sending, SimulatedAgents, Traffic, wait};
use serde_json::json;
use tokio::time::sleep;

/// How long it may take until all agents are connected, and until all are ready.
const TIMEOUT: Duration = Duration::from_secs(120);
/// Declared requests of the test, which each agent is sent.
const REQUESTS: usize = 200;

pub(super) const HEAD: &str = "| agents | connected within | memory | per agent | CPU while idle, of a core | a run of all: its test | ready within | CPU of it | memory at most |\n|---|---|---|---|---|---|---|---|---|";

/// A line of the table.
pub(super) async fn measure(
    cluster: &Cluster,
    process: ProcessId,
    agents: usize,
    seconds: u32,
) -> String {
    let api = cluster.api();
    let before = process.resident_bytes();
    let traffic = Traffic::new(Duration::from_secs(60), Sending::Spread, 1, 1, 0);
    let began = Instant::now();
    let fleet = SimulatedAgents::start(api.url(), "bench", agents, traffic);
    fleet.wait_until_connected(TIMEOUT).await;
    let connected = began.elapsed();
    eprintln!("{agents} agents are connected");
    let cpu = process.cpu_seconds();
    sleep(Duration::from_secs(seconds.into())).await;
    let idle = (process.cpu_seconds() - cpu) / f64::from(seconds);
    let resident = process.resident_bytes();

    let request = |number| json!({ "method": "GET", "path": format!("/api/v1/items/{number}?page=1&per_page=50"), "weight": 1 });
    let test = json!({
        "name": "idle", "host": "http://127.0.0.1:9", "infrastructure": "bench",
        "users": agents, "workers": agents, "ramp_up": 0, "duration": 600,
        "declared": { "requests": (0..REQUESTS).map(request).collect::<Vec<_>>() },
    });
    let (cpu, began) = (process.cpu_seconds(), Instant::now());
    api.start(&test).await;
    wait::until("the start of the run", TIMEOUT, async || {
        let tally = fleet.tally();
        tally.run_zero.ok_or_else(|| tally.to_string())
    })
    .await;
    let ready = began.elapsed();
    format!(
        "| {agents} | {:.1} s | {:.0} MB | {:.1} kB | {:.1} % | {:.0} kB | {:.2} s | {:.2} s | {:.0} MB |",
        connected.as_secs_f64(),
        resident as f64 / 1e6,
        resident.saturating_sub(before) as f64 / agents as f64 / 1e3,
        idle * 100.0,
        test.to_string().len() as f64 / 1e3,
        ready.as_secs_f64(),
        process.cpu_seconds() - cpu,
        process.peak_resident_bytes() as f64 / 1e6,
    )
}

//! One run over so many simulated agents, and what the coordinator needed for it.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use greylag_infra::WallTime;
use greylag_tests::{
    Api, Cluster, ProcessId, Sending, SimulatedAgents, Traffic, UploadedBuild, wait,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::delays::Delays;
use super::settings::Settings;
use super::viewers::{self, Viewers};

/// Endpoints of each agent.
pub(super) const ENDPOINTS: usize = 20;
/// Event streams of the run's page.
pub(super) const VIEWERS: usize = 10;
/// What each agent counts per second and endpoint, and sends as samples: together about the 13 KiB of a busy agent's snapshot.
const REQUESTS: u32 = 100;
const SAMPLES: usize = 70;
const USERS_PER_AGENT: usize = 10;
/// Size of the build that agents fetch.
const BUILD_BYTES: usize = 15 << 20;
/// How long it may take until all agents are connected, and until they are ready.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(60);
/// How long after its planned end a run may last.
const END_TIMEOUT: Duration = Duration::from_secs(150);
/// How often memory and threads are looked at.
const LOOK: Duration = Duration::from_millis(500);

/// What was measured.
pub(super) struct Measured {
    agents: usize,
    ending: String,
    /// Of a core, while there was load.
    cpu: f64,
    simulator_cpu: f64,
    peak_bytes: u64,
    threads: u64,
    written_per_hour: f64,
    kept_per_hour: f64,
    snapshots_per_s: f64,
    snapshot_bytes: usize,
    acknowledged: Delays,
    viewed: Delays,
    lost: i128,
    memory: Vec<u64>,
}

impl Measured {
    pub(super) const HEAD: &str = "| agents | status | core | simulator's core | peak RSS | threads | written per hour | database per hour | snapshots/s | snapshot | acknowledged p50 / p99 / max | on a page p50 / p99 / max | lost requests |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|";

    pub(super) fn memory_over_time(&self) -> String {
        let each: Vec<String> = self.memory.iter().map(|bytes| mb(*bytes)).collect();
        format!(
            "{} agents, resident MB every {} ms: {}",
            self.agents,
            LOOK.as_millis(),
            each.join(" ")
        )
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "| {} | {} | {:.1} % | {:.0} % | {} MB | {} | {:.2} GB | {:.2} GB | {:.0} | {:.1} KiB | {} | {} | {} |",
            self.agents,
            self.ending,
            self.cpu * 100.0,
            self.simulator_cpu * 100.0,
            mb(self.peak_bytes),
            self.threads,
            self.written_per_hour / 1e9,
            self.kept_per_hour / 1e9,
            self.snapshots_per_s,
            self.snapshot_bytes as f64 / 1024.0,
            self.acknowledged,
            self.viewed,
            self.lost
        )
    }
}

fn mb(bytes: u64) -> String {
    format!("{:.0}", bytes as f64 / 1e6)
}

pub(super) async fn measure(
    cluster: &Cluster,
    process: ProcessId,
    agents: usize,
    settings: &Settings,
) -> Measured {
    let api = cluster.api();
    let sending = match settings.together {
        true => Sending::Together,
        false => Sending::Spread,
    };
    let traffic = Traffic::new(
        Duration::from_secs(1),
        sending,
        ENDPOINTS,
        REQUESTS,
        SAMPLES,
    );
    let fleet = SimulatedAgents::start(api.url(), "bench", agents, traffic);
    fleet.wait_until_connected(CONNECT_TIMEOUT).await;
    eprintln!("{agents} agents are connected");
    let test = json!({
        "name": "coordinator", "host": "http://127.0.0.1:9", "infrastructure": "bench",
        "users": agents * USERS_PER_AGENT, "workers": agents, "ramp_up": 0, "duration": settings.seconds,
        "declared": { "requests": [{ "method": "GET", "path": "/", "weight": 1 }] },
    });
    let id = api.start(&test).await;
    let duration = Duration::from_secs(u64::from(settings.seconds));
    let viewers = Viewers::open(api, &id, VIEWERS, duration + 2 * END_TIMEOUT);
    let run_zero = wait::until("the start of the run", CONNECT_TIMEOUT, async || {
        let tally = fleet.tally();
        tally.run_zero.ok_or_else(|| tally.to_string())
    })
    .await;
    sleep(run_zero - WallTime::of_system()).await;
    eprintln!("the run has started");

    let myself = ProcessId::of(std::process::id()).expect("it runs");
    let data = cluster.data();
    let before = Used::of(process, myself, data);
    let acknowledged_before = fleet.tally().acknowledged.len();
    let began = Instant::now();
    let (mut memory, mut threads) = (Vec::new(), 0);
    let fetching = (settings.fetching > 0).then(|| {
        let (api, agents) = (Api::new(api.url()), settings.fetching);
        tokio::spawn(async move {
            let build = UploadedBuild::upload_noise(&api, "fetching", BUILD_BYTES).await;
            sleep(duration / 3).await;
            build.fetch(&api, agents).await
        })
    });
    while began.elapsed() < duration {
        sleep(LOOK).await;
        memory.push(process.resident_bytes());
        threads = threads.max(process.threads());
    }
    let after = Used::of(process, myself, data);
    if let Some(fetching) = fetching {
        let took = fetching.await.expect("each gets it");
        eprintln!("{} agents fetched a build in {took:.1?}", settings.fetching);
    }
    let seconds = began.elapsed().as_secs_f64();
    let in_time = fleet.tally().acknowledged.len() - acknowledged_before;
    eprintln!("the load has ended: {}", fleet.tally());

    let ending = ending(api, &id).await;
    // A run that failed may be short of results that still come.
    fleet.wait_until_done(END_TIMEOUT).await;
    let seen = viewers.close().await;
    let saved = api.summary(&id).await.totals.requests;
    let per_hour = |before: u64, after: u64| (after as f64 - before as f64) / seconds * 3_600.0;
    let tally = fleet.tally();
    Measured {
        agents,
        ending,
        cpu: (after.cpu - before.cpu) / seconds,
        simulator_cpu: (after.own_cpu - before.own_cpu) / seconds,
        peak_bytes: process.peak_resident_bytes(),
        threads,
        written_per_hour: per_hour(before.written, after.written),
        kept_per_hour: per_hour(before.kept, after.kept),
        snapshots_per_s: in_time as f64 / seconds,
        snapshot_bytes: tally.bytes / tally.snapshots.max(1),
        acknowledged: (tally.acknowledged.iter())
            .map(|snapshot| snapshot.acknowledged_at - snapshot.sent_at)
            .collect(),
        viewed: viewers::delays(&tally.acknowledged, &seen).collect(),
        lost: i128::from(tally.requests) - i128::from(saved),
        memory,
    }
}

/// Waits until the run is over; how it ended.
async fn ending(api: &Api, id: &str) -> String {
    let over = api.wait_for(id, "the end", END_TIMEOUT, |progress| {
        let status = progress["status"].as_str().unwrap_or_default();
        ["finished", "failed"].contains(&status.to_lowercase().as_str())
    });
    let progress = over.await;
    let reason = match &progress["failure_reason"] {
        Value::String(reason) => format!(": {reason}").chars().take(120).collect(),
        _ => String::new(),
    };
    format!("{}{reason}", progress["status"].as_str().unwrap_or("?"))
}

/// What has been used so far.
struct Used {
    cpu: f64,
    own_cpu: f64,
    written: u64,
    kept: u64,
}

impl Used {
    fn of(process: ProcessId, myself: ProcessId, data: &Path) -> Self {
        let files = std::fs::read_dir(data).expect("the data directory");
        let sizes = files.flatten().flat_map(|file| file.metadata());
        Self {
            cpu: process.cpu_seconds(),
            own_cpu: myself.cpu_seconds(),
            written: process.written_bytes(),
            kept: sizes.map(|metadata| metadata.len()).sum(),
        }
    }
}

//! Measures what saving costs when many agents report at once.
//!
//! `cargo run --release -p greylag-reporting --example store_agents -- [AGENTS] [ENDPOINTS] [SECONDS] [METRICS]`
//! lets AGENTS (500) save a snapshot a second with ENDPOINTS (20) and custom METRICS (0) for SECONDS (5), each at its own time
//! within the second, into a temporary directory. It prints what a snapshot costs: bytes written, and CPU of the thread that writes and of the
//! whole process, which also reads the snapshots. It is a measurement, not a test, and reads Linux's `/proc`.

use std::fs;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use greylag_infra::protocol::{
    CustomMetric, Endpoint, METRIC_ONE, MetricKind, SampleData, SampleKind, Snapshot, UserChange,
};
use greylag_infra::{LoadTest, RunAgent, RunPhase, RunRecord, WallTime};
use greylag_reporting::{Interval, MetricSums, SaveOutcome, Scope, Store, StoreError};

/// Requests to an endpoint in a second.
const REQUESTS: u32 = 50;
/// Values of a custom metric in a second.
const VALUES: u32 = 20;
/// Samples in a snapshot.
const SAMPLES: u32 = 20;
/// How many different snapshots there are.
const DIFFERENT: u32 = 50;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args()
        .skip(1)
        .map(|argument| argument.parse::<u32>());
    let agents = arguments.next().transpose()?.unwrap_or(500);
    let endpoints = arguments.next().transpose()?.unwrap_or(20);
    let seconds = arguments.next().transpose()?.unwrap_or(5);
    let metrics = arguments.next().transpose()?.unwrap_or(0);

    let dir = std::env::temp_dir().join(format!("greylag-store-agents-{}", std::process::id()));
    let store = Store::open(&dir)?;
    store.create_run(run(agents)).await?;
    // Somebody looks at the page, so that the totals are kept in memory.
    store.totals(&"r".into(), &Scope::default()).await?;
    let different: Vec<Snapshot> = (0..DIFFERENT)
        .map(|seed| snapshot(seed, endpoints, metrics))
        .collect();
    let before = Costs::now()?;
    let begin = Instant::now();
    let saves = (0..agents).map(|agent| {
        let (store, different) = (store.clone(), &different);
        async move { save_all(&store, different, begin, (agent, agents), seconds).await }
    });
    let mut waits: Vec<Duration> = try_join_all(saves).await?.into_iter().flatten().collect();
    let costs = Costs::now()?;
    let snapshots = f64::from(agents * seconds);
    waits.sort_unstable();
    println!(
        "{agents} agents, {endpoints} endpoints, {metrics} custom metrics, {seconds} s: a snapshot writes {:.1} KiB and takes {:.0} µs of the writer and {:.0} µs in all",
        (costs.written - before.written) as f64 / 1024.0 / snapshots,
        (costs.writer - before.writer).as_secs_f64() * 1e6 / snapshots,
        (costs.process - before.process).as_secs_f64() * 1e6 / snapshots,
    );
    println!(
        "saved after: median {:.0?}, 99th percentile {:.0?}, longest {:.0?}; memory at most {} MB",
        waits[waits.len() / 2],
        waits[waits.len() * 99 / 100],
        waits[waits.len() - 1],
        peak_memory_kb()? / 1_024,
    );
    let totals = store.totals(&"r".into(), &Scope::default()).await?;
    let expected = u64::from(agents) * u64::from(seconds * endpoints * REQUESTS);
    assert_eq!(totals.aggregated().requests(), expected);
    store.close().await;
    let bytes: u64 = fs::read_dir(&dir)?
        .filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len()))
        .sum();
    println!(
        "on disk: {:.1} KiB a snapshot, {:.0} MB an hour and agent",
        bytes as f64 / 1024.0 / snapshots,
        bytes as f64 * 3_600.0 / snapshots / 1e6,
    );
    fs::remove_dir_all(&dir)?;
    Ok(())
}

/// Saves an agent's snapshots in time; says how long each took.
async fn save_all(
    store: &Store,
    different: &[Snapshot],
    begin: Instant,
    (agent, agents): (u32, u32),
    seconds: u32,
) -> Result<Vec<Duration>, StoreError> {
    let own_time = Duration::from_secs(1) * agent / agents;
    let mut waits = Vec::new();
    for second in 0..seconds {
        let due = begin + own_time + Duration::from_secs(second.into());
        tokio::time::sleep_until(due.into()).await;
        let mut snapshot = different[((agent * 7 + second) % DIFFERENT) as usize].clone();
        snapshot.seq = u64::from(second) + 1;
        for interval in &mut snapshot.intervals {
            interval.second = second;
        }
        for values in &mut snapshot.metric_values {
            values.second = second;
            values.last_at_us += u64::from(second) * 1_000_000;
        }
        for sample in &mut snapshot.samples {
            sample.at_us += u64::from(second) * 1_000_000 + u64::from(agent);
        }
        snapshot.user_changes[0].second = second;
        let outcome = store
            .save_snapshot(&"r".into(), &agent.to_string().as_str().into(), snapshot)
            .await?;
        assert_eq!(outcome, SaveOutcome::Saved);
        waits.push(due.elapsed());
    }
    Ok(waits)
}

/// What the process has used.
struct Costs {
    written: u64,
    writer: Duration,
    process: Duration,
}

impl Costs {
    fn now() -> Result<Self, Box<dyn std::error::Error>> {
        let io = fs::read_to_string("/proc/self/io")?;
        let written = io.lines().find_map(|line| line.strip_prefix("wchar: "));
        let (mut writer, mut process) = (Duration::ZERO, Duration::ZERO);
        for task in fs::read_dir("/proc/self/task")? {
            let task = task?.path();
            let schedule = fs::read_to_string(task.join("schedstat"))?;
            let on_cpu = schedule.split(' ').next().unwrap_or("0").parse()?;
            process += Duration::from_nanos(on_cpu);
            if fs::read_to_string(task.join("comm"))?.trim() == "store-writer" {
                writer = Duration::from_nanos(on_cpu);
            }
        }
        Ok(Self {
            written: written.ok_or("no wchar")?.trim().parse()?,
            writer,
            process,
        })
    }
}

fn peak_memory_kb() -> Result<u64, Box<dyn std::error::Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = peak.and_then(|peak| peak.split_whitespace().next());
    Ok(number.ok_or("no VmHWM")?.parse()?)
}

/// The requests of a second: response times about 20 ms, some longer, one request in a hundred fails.
fn snapshot(seed: u32, endpoints: u32, metrics: u32) -> Snapshot {
    let mut random = u64::from(seed) + 1;
    let mut next = move || {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        random >> 33
    };
    let mut snapshot = Snapshot {
        run_id: "r".into(),
        user_changes: vec![UserChange {
            started: 1,
            ..UserChange::default()
        }],
        ..Snapshot::default()
    };
    for endpoint in 0..endpoints {
        snapshot.endpoints.push(Endpoint {
            method: "GET".into(),
            name: format!("/endpoint/{endpoint}"),
        });
        let (mut ok, mut failed) = (Interval::default(), Interval::default());
        for _ in 0..REQUESTS {
            // The sum of a few is near a bell; its square has a long tail.
            let sum: u64 = (0..4).map(|_| next() % 3_000).sum();
            let us = 1_000 + sum * sum / 2_000;
            let error = next().is_multiple_of(100).then_some("503 Server Error");
            let (interval, status) = match error {
                None => (&mut ok, 200),
                Some(_) => (&mut failed, 503),
            };
            let response = Duration::from_micros(us);
            interval.record(response, Some(response.mul_f64(0.9)), 100, error);
            interval.count_status(Some(status));
        }
        let intervals = [ok, failed]
            .into_iter()
            .filter(|interval| !interval.is_empty());
        snapshot
            .intervals
            .extend(intervals.map(|interval| interval.to_wire(0, endpoint)));
    }
    for metric in 0..metrics {
        let kind = MetricKind::ALL[metric as usize % MetricKind::ALL.len()];
        let name = format!("metric {metric}");
        snapshot.metrics.push(CustomMetric::new(&name, kind, ""));
        let mut sums = MetricSums::default();
        for at_us in (0..VALUES).map(|at| u64::from(at) * 9_999) {
            let value = (next() % 50_000_000).cast_signed();
            let value = match kind {
                MetricKind::Rate => value % 2 * METRIC_ONE,
                _ => value,
            };
            sums.record(value, at_us, kind == MetricKind::Histogram);
        }
        snapshot.metric_values.push(sums.to_wire(0, metric));
    }
    snapshot.samples = (0..SAMPLES)
        .map(|at| SampleData {
            endpoint: at % endpoints,
            at_us: u64::from(at) * 49_999,
            response_us: 1_000 + next() % 50_000,
            failed: false,
            kind: SampleKind::Drawn,
            ..SampleData::default()
        })
        .collect();
    snapshot
}

fn run(agents: u32) -> RunRecord {
    RunRecord {
        id: "r".into(),
        number: 0,
        test: LoadTest {
            name: "agents".into(),
            duration_s: 86_400,
            ..LoadTest::default()
        },
        phase: RunPhase::Running,
        created_at: WallTime::from_micros(0),
        started_at: Some(WallTime::from_micros(0)),
        ended_at: None,
        agents: (0..agents)
            .map(|agent| RunAgent {
                build: greylag_infra::BuildInfo::default(),
                id: agent.to_string().as_str().into(),
                name: agent.to_string(),
                workers: vec![agent],
                last_seq: 0,
                saved_until: 0,
                end: None,
            })
            .collect(),
        profile: greylag_infra::LoadProfile::default(),
        completeness: greylag_infra::Completeness::default(),
    }
}

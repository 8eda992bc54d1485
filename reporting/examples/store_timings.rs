//! Measures the store: what saving a snapshot costs and how long windows of a long run take.
//!
//! `cargo run --release -p greylag-reporting --example store_timings -- [HOURS] [ENDPOINTS] [REQUESTS]`
//! fills a temporary directory with a run of HOURS (24) in which one agent makes REQUESTS (10) requests per
//! second to each of ENDPOINTS (100), a snapshot per second, and prints the times. It is a measurement, not a
//! test: what is fast enough depends on the machine.

use std::time::{Duration, Instant};

use greylag_infra::protocol::{
    Endpoint, IntervalData, SampleData, SampleKind, Snapshot, UserChange,
};
use greylag_infra::{LoadTest, RunAgent, RunPhase, RunRecord, RunTime, WallTime};
use greylag_reporting::{
    Interval, MAX_SAMPLES_PER_SECOND, SaveOutcome, Scope, Store, Summary, Window,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args()
        .skip(1)
        .map(|argument| argument.parse::<u32>());
    let hours = arguments.next().transpose()?.unwrap_or(24);
    let endpoints = arguments.next().transpose()?.unwrap_or(100);
    let requests = arguments.next().transpose()?.unwrap_or(10);
    let seconds = hours * 3_600;

    let dir = std::env::temp_dir().join(format!("greylag-store-timings-{}", std::process::id()));
    let store = Store::open(&dir)?;
    let mut record = store.create_run(run(u64::from(seconds))).await?;
    fill(&store, seconds, endpoints, requests).await?;
    record.phase = RunPhase::Finished;
    record.ended_at = Some(WallTime::default() + RunTime::of_second(seconds));
    store.update_run(&record).await?;
    let bytes: u64 = std::fs::read_dir(&dir)?
        .filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len()))
        .sum();
    println!("on disk: {} MB", bytes >> 20);

    let end = seconds;
    for (from, to) in [
        (0, end),
        (1, end - 1),
        (end / 3 + 5, end / 3 + 40),
        (end / 7 + 1, end / 2 + 3),
        (end - 600, end),
        (17, end * 9 / 10 + 7),
    ] {
        let scope = Scope::of_window(Window::new(from, to)?);
        timed(&format!("window [{from}, {to})"), async || {
            let totals = store.totals(&"r".into(), &scope).await?;
            let expected = u64::from(to - from) * u64::from(endpoints * requests);
            assert_eq!(totals.aggregated().requests(), expected);
            Ok(())
        })
        .await?;
    }
    let part = Scope {
        window: Some(Window::new(17, end * 9 / 10 + 7)?),
        endpoint: store.endpoints(&"r".into()).await?.into_iter().next(),
        agent: Some("a".into()),
        ..Scope::default()
    };
    timed("one endpoint and agent in [17, 9/10)", async || {
        let totals = store.totals(&"r".into(), &part).await?;
        assert_eq!(totals.endpoints.len(), 1);
        Ok(())
    })
    .await?;
    timed("their series of at most 1,000 points", async || {
        store.series(&"r".into(), &part, 1_000).await.map(drop)
    })
    .await?;
    timed("their summary", async || {
        Summary::read(&store, &"r".into(), &part, WallTime::default())
            .await
            .map(drop)
    })
    .await?;
    timed("series of at most 1,000 points", async || {
        store
            .series(&"r".into(), &Scope::default(), 1_000)
            .await
            .map(drop)
    })
    .await?;
    timed("series of every second", async || {
        store
            .series(&"r".into(), &Scope::default(), usize::MAX)
            .await
            .map(drop)
    })
    .await?;
    timed("5,000 samples", async || {
        store
            .samples(&"r".into(), &Scope::default(), 0, 5_000)
            .await
            .map(drop)
    })
    .await?;
    timed("current rates", async || {
        store
            .current_rps(&record, &Scope::default(), WallTime::default())
            .await
            .map(drop)
    })
    .await?;
    store.close().await;
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}

async fn fill(
    store: &Store,
    seconds: u32,
    endpoints: u32,
    requests: u32,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut times = Vec::new();
    let different = different_intervals(requests);
    let mut next = different.iter().cycle();
    for second in 0..seconds {
        let mut snapshot = Snapshot {
            run_id: "r".into(),
            seq: u64::from(second) + 1,
            user_changes: vec![UserChange {
                second,
                started: 1,
                stopped: 1,
                ..UserChange::default()
            }],
            ..Snapshot::default()
        };
        for endpoint in 0..endpoints {
            snapshot.endpoints.push(Endpoint {
                method: "GET".into(),
                name: format!("/endpoint/{endpoint}"),
            });
            let interval = next.next().expect("a cycle has no end").clone();
            snapshot.intervals.push(IntervalData {
                second,
                endpoint,
                ..interval
            });
        }
        snapshot.samples = (0..MAX_SAMPLES_PER_SECOND as u64)
            .map(|at| SampleData {
                endpoint: 0,
                at_us: u64::from(second) * 1_000_000 + at * 9_999,
                response_us: 1_000 + at,
                failed: false,
                kind: SampleKind::Drawn,
                ..SampleData::default()
            })
            .collect();
        let begin = Instant::now();
        let outcome = store
            .save_snapshot(&"r".into(), &"a".into(), snapshot)
            .await?;
        times.push(begin.elapsed());
        assert_eq!(outcome, SaveOutcome::Saved);
    }
    let sum: Duration = times.iter().sum();
    times.sort_unstable();
    println!(
        "saving a snapshot of {endpoints} endpoints: mean {:.2?}, median {:.2?}, 99th percentile {:.2?}, longest {:.2?}",
        sum / seconds,
        times[times.len() / 2],
        times[times.len() * 99 / 100],
        times[times.len() - 1]
    );
    Ok(())
}

/// So many that those of one endpoint differ from second to second.
fn different_intervals(requests: u32) -> Vec<IntervalData> {
    let mut random = 1_u64;
    let mut intervals = Vec::new();
    for _ in 0..4_999 {
        let mut interval = Interval::default();
        for _ in 0..requests {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            // 1 to about 250 ms, most of them short
            let response = 1_000 + ((random >> 48) * ((random >> 32) & 0xffff)) / 17_000;
            interval.record(Duration::from_micros(response), None, 100, None);
        }
        intervals.push(interval.to_wire(0, 0));
    }
    intervals
}

/// Prints the median and the longest of some repetitions.
async fn timed(
    what: &str,
    query: impl AsyncFn() -> Result<(), greylag_reporting::StoreError>,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut times = Vec::new();
    for _ in 0..9 {
        let begin = Instant::now();
        query().await?;
        times.push(begin.elapsed());
    }
    times.sort_unstable();
    println!("{what}: median {:.1?}, longest {:.1?}", times[4], times[8]);
    Ok(())
}

fn run(duration_s: u64) -> RunRecord {
    RunRecord {
        id: "r".into(),
        number: 0,
        test: LoadTest {
            name: "timings".into(),
            host: "http://127.0.0.1".into(),
            users: 1,
            ramp_up_s: 0,
            duration_s,
            workers: 1,
            infrastructure: "local".into(),
            scenario: "none".into(),
            stop_timeout_s: 10,
            declared: None,
            ..LoadTest::default()
        },
        phase: RunPhase::Running,
        created_at: WallTime::from_micros(0),
        started_at: Some(WallTime::from_micros(0)),
        ended_at: None,
        agents: vec![RunAgent {
            build: greylag_infra::BuildInfo::default(),
            id: "a".into(),
            name: "a".into(),
            workers: vec![0],
            last_seq: 0,
            saved_until: 0,
            end: None,
        }],
        profile: greylag_infra::LoadProfile::default(),
        completeness: greylag_infra::Completeness::default(),
    }
}

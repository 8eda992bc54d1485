//! A database with one long run, made once through the path that agents' results take, and kept between the measurements.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use greylag_infra::protocol::{
    Endpoint, IntervalData, SampleData, SampleKind, Snapshot, UserChange,
};
use greylag_infra::{
    BuildInfo, Completeness, LoadProfile, LoadTest, RunAgent, RunId, RunPhase, RunRecord, RunTime,
    WallTime,
};
use greylag_reporting::{Interval, SaveOutcome, Store, StoreError};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// The run's id, and its length in seconds.
pub(super) const RUN: &str = "day";
pub(super) const SECONDS: u32 = 86_400;
pub(super) const AGENTS: u32 = 100;
pub(super) const ENDPOINTS: u32 = 100;
/// The agent that has results of every second and endpoint. The others share the endpoints: each has results of one of them
/// in a second, another one in the next, so that each second has all of them and the database fits a disk.
pub(super) const BUSY_AGENT: u32 = 0;
/// Seconds in a snapshot, as if agents had been out of contact: a day is made in minutes.
const STEP: u32 = 120;
/// What an agent counts per second and endpoint.
const REQUESTS: usize = 20;
const SAMPLES: u32 = 10;
/// Different seconds that results are taken from.
const VARIANTS: usize = 4_999;
const FAILING: f64 = 0.001;
/// It stands beside a database that is whole, and holds what was made.
const MADE: &str = "made";

/// The name of an agent.
pub(super) fn agent_name(agent: u32) -> String {
    format!("machine-{agent:02}")
}

/// An endpoint of the run.
pub(super) fn endpoint(number: u32) -> Endpoint {
    Endpoint {
        method: "GET".to_owned(),
        name: format!("/api/v1/shop/items/[id]/part-{number}"),
    }
}

/// Requests of the whole run.
pub(super) fn requests() -> u64 {
    let per_second = u64::from(ENDPOINTS + AGENTS - 1) * REQUESTS as u64;
    per_second * u64::from(SECONDS)
}

/// The data directory, with the database in it.
pub(super) async fn directory() -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("queries");
    let what = format!("{SECONDS} s, {AGENTS} agents, {ENDPOINTS} endpoints, {REQUESTS} requests");
    let made = directory.join(MADE);
    if fs::read_to_string(&made).is_ok_and(|made| made == what) {
        return directory;
    }
    let _ = fs::remove_dir_all(&directory);
    eprintln!("making the database of {what} in {}", directory.display());
    let began = Instant::now();
    make(&directory).await.expect("the database can be made");
    fs::write(made, what).expect("the directory can be written");
    eprintln!("it took {:.0} s", began.elapsed().as_secs_f64());
    directory
}

async fn make(directory: &Path) -> Result<(), StoreError> {
    let store = Store::open(directory)?;
    let mut run = store.create_run(run()).await?;
    let variants = variants();
    let mut seqs = vec![0; AGENTS as usize];
    for from in (0..SECONDS).step_by(STEP as usize) {
        let seconds = from..(from + STEP).min(SECONDS);
        // With it a transaction has just begun, so that the next one waits for all that follow.
        save(&store, BUSY_AGENT, &mut seqs, Snapshot::default()).await?;
        let saves = (0..AGENTS).map(|agent| {
            let (store, mut seqs) = (&store, seqs.clone());
            let snapshot = snapshot(agent, seconds.clone(), &variants);
            async move { save(store, agent, &mut seqs, snapshot).await }
        });
        try_join_all(saves).await?;
        for seq in &mut seqs {
            *seq += 1;
        }
    }
    run.phase = RunPhase::Finished;
    run.ended_at = Some(WallTime::default() + RunTime::of_second(SECONDS));
    store.update_run(&run).await?;
    store.close().await;
    Ok(())
}

async fn save(
    store: &Store,
    agent: u32,
    seqs: &mut [u64],
    mut snapshot: Snapshot,
) -> Result<(), StoreError> {
    let seq = &mut seqs[agent as usize];
    *seq += 1;
    snapshot.run_id = RUN.into();
    snapshot.seq = *seq;
    let (run, agent) = (RunId::from(RUN), agent_name(agent).as_str().into());
    let outcome = store.save_snapshot(&run, &agent, snapshot).await?;
    assert_eq!(outcome, SaveOutcome::Saved);
    Ok(())
}

/// What an agent measured in these seconds.
fn snapshot(agent: u32, seconds: std::ops::Range<u32>, variants: &[IntervalData]) -> Snapshot {
    let mut snapshot = Snapshot {
        endpoints: (0..ENDPOINTS).map(endpoint).collect(),
        ..Snapshot::default()
    };
    for second in seconds {
        let of_second = match agent {
            BUSY_AGENT => 0..ENDPOINTS,
            other => {
                let turn = (other + second) % ENDPOINTS;
                turn..turn + 1
            }
        };
        for endpoint in of_second.clone() {
            let nth = (second as usize * 31 + endpoint as usize * 7 + agent as usize) % VARIANTS;
            snapshot.intervals.push(IntervalData {
                second,
                endpoint,
                ..variants[nth].clone()
            });
        }
        snapshot.samples.extend((0..SAMPLES).map(|at| SampleData {
            endpoint: of_second.start,
            at_us: u64::from(second) * 1_000_000 + u64::from(at * 99_000 + agent),
            response_us: 5_000 + u64::from((second + at * 997 + agent) % 60_000),
            failed: false,
            kind: SampleKind::Drawn,
            ..SampleData::default()
        }));
        snapshot.user_changes.push(UserChange {
            second,
            started: 1,
            stopped: 1,
            ..UserChange::default()
        });
    }
    snapshot
}

fn variants() -> Vec<IntervalData> {
    let mut random = SmallRng::seed_from_u64(10);
    let mut variant = || {
        let mut interval = Interval::default();
        for _ in 0..REQUESTS {
            // 1 to about 250 ms, most of them short.
            let (a, b): (f64, f64) = (random.random(), random.random());
            let response = Duration::from_secs_f64(0.001 + 0.25 * a * a * b);
            let error = random
                .random_bool(FAILING)
                .then_some("503 Server Error: Service Unavailable");
            interval.record(response, None, 1_800, error);
        }
        interval.to_wire(0, 0)
    };
    (0..VARIANTS).map(|_| variant()).collect()
}

fn run() -> RunRecord {
    let agent = |number| RunAgent {
        id: agent_name(number).as_str().into(),
        name: agent_name(number),
        workers: vec![number],
        last_seq: 0,
        saved_until: 0,
        end: None,
        build: BuildInfo::default(),
    };
    RunRecord {
        id: RUN.into(),
        number: 0,
        test: LoadTest {
            name: "a day".into(),
            host: "http://127.0.0.1".into(),
            users: u64::from(AGENTS),
            duration_s: u64::from(SECONDS),
            workers: AGENTS,
            infrastructure: "bench".into(),
            scenario: "none".into(),
            ..LoadTest::default()
        },
        phase: RunPhase::Running,
        created_at: WallTime::default(),
        started_at: Some(WallTime::default()),
        ended_at: None,
        agents: (0..AGENTS).map(agent).collect(),
        profile: LoadProfile::default(),
        completeness: Completeness::default(),
    }
}

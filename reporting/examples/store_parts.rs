//! Measures what parts of a long run of many agents cost: summaries of an endpoint, of an agent, of both, and deleting it.
//!
//! `cargo run --release -p greylag-reporting --example store_parts -- DIRECTORY [HOURS] [delete]`
//! makes a run of HOURS (24) with 100 endpoints and 100 agents in DIRECTORY, or takes the one that is there, and prints
//! how long summaries of it and of windows at random take. With `delete` it deletes the run while another one is saved,
//! and prints how long that takes until the space is given back, and how long the other's snapshots wait. It is a
//! measurement, not a test: what is fast enough depends on the machine.

use std::path::Path;
use std::time::{Duration, Instant};
use std::{env, fs};

use futures_util::future::try_join_all;
use greylag_infra::protocol::{Endpoint, IntervalData, Snapshot, UserChange};
use greylag_infra::{LoadTest, RunAgent, RunPhase, RunRecord, RunTime, WallTime};
use greylag_reporting::{Interval, SaveOutcome, Scope, Store, StoreError, Summary, Window};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

const DATABASE: &str = "greylag.sqlite";
const RUN: &str = "day";
const AGENTS: u32 = 100;
const ENDPOINTS: u32 = 100;
/// The agent that has results of every second and endpoint. Each other one has results of one endpoint in a second, of
/// another one in the next.
const BUSY_AGENT: u32 = 0;
/// Seconds in a snapshot, as if agents had been out of contact.
const STEP: u32 = 120;
/// What an agent counts per second and endpoint.
const REQUESTS: usize = 20;
/// Different seconds that results are taken from.
const VARIANTS: usize = 4_999;
const FAILING: f64 = 0.001;
/// How often the whole run and windows are asked for.
const WHOLE: usize = 9;
const WINDOWS: usize = 100;
/// A snapshot of another run is saved so often while the run is deleted.
const SAVE_EVERY: Duration = Duration::from_millis(100);
/// The database takes no more when the run is deleted.
const EMPTY: u64 = 4 << 20;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let directory = arguments.next().ok_or("the directory is missing")?;
    let directory = Path::new(&directory);
    let hours = arguments.next().map_or(Ok(24_u32), |hours| hours.parse())?;
    let seconds = hours * 3_600;
    if !directory.join(DATABASE).exists() {
        let begin = Instant::now();
        make(directory, seconds).await?;
        println!("made in {:.1?}", begin.elapsed());
    }
    if arguments.next().as_deref() == Some("delete") {
        delete(directory).await
    } else {
        query(directory, seconds).await
    }
}

fn agent_name(agent: u32) -> String {
    format!("machine-{agent:02}")
}

fn endpoint(number: u32) -> Endpoint {
    Endpoint {
        method: "GET".to_owned(),
        name: format!("/endpoint/{number}"),
    }
}

async fn query(directory: &Path, seconds: u32) -> Result<()> {
    let store = Store::open(directory)?;
    let mut random = SmallRng::seed_from_u64(7);
    let one = Some(endpoint(ENDPOINTS / 3));
    let agent = |number| Some(agent_name(number));
    println!("| summaries of {seconds} s | whole run, median | windows, median | p95 | longest |");
    println!("|---|---|---|---|---|");
    for (what, endpoint, agent) in [
        ("everything", None, None),
        ("an endpoint", one.clone(), None),
        ("an agent", None, agent(BUSY_AGENT)),
        ("another agent", None, agent(AGENTS / 2)),
        ("an endpoint and agent", one, agent(BUSY_AGENT)),
    ] {
        let scope = Scope {
            endpoint,
            agent,
            ..Scope::default()
        };
        let whole = times(&store, &vec![scope.clone(); WHOLE]).await?;
        let windows = (0..WINDOWS).map(|_| {
            Ok(Scope {
                window: Some(window(&mut random, seconds)?),
                ..scope.clone()
            })
        });
        let windows = times(&store, &windows.collect::<Result<Vec<_>>>()?).await?;
        println!(
            "| {what} | {:.1?} | {:.1?} | {:.1?} | {:.1?} |",
            whole[WHOLE / 2],
            windows[WINDOWS / 2],
            windows[WINDOWS * 95 / 100],
            windows[WINDOWS - 1],
        );
    }
    store.close().await;
    Ok(())
}

/// A window of any length from seconds to the whole run, each order of magnitude as likely as the others.
fn window(random: &mut SmallRng, seconds: u32) -> Result<Window> {
    let length = f64::from(seconds).powf(random.random_range(0.1..1.0)) as u32;
    let from = random.random_range(0..=seconds - length);
    Ok(Window::new(from, from + length)?)
}

/// How long the summaries take, sorted.
async fn times(store: &Store, scopes: &[Scope]) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    for scope in scopes {
        let begin = Instant::now();
        Summary::read(store, &RUN.into(), scope, WallTime::default()).await?;
        times.push(begin.elapsed());
    }
    times.sort_unstable();
    Ok(times)
}

async fn delete(directory: &Path) -> Result<()> {
    let store = Store::open(directory)?;
    store.create_run(run("other", 2)).await?;
    let before = size(directory)?;
    let begin = Instant::now();
    store.delete_run(&RUN.into()).await?;
    let mut waits = Vec::new();
    let mut rows_gone = None;
    for seq in 1.. {
        tokio::time::sleep(SAVE_EVERY).await;
        let snapshot = Snapshot {
            run_id: "other".into(),
            seq,
            ..Snapshot::default()
        };
        let saving = Instant::now();
        let (other, agent) = ("other".into(), agent_name(0).as_str().into());
        let saved = store.save_snapshot(&other, &agent, snapshot);
        assert_eq!(saved.await?, SaveOutcome::Saved);
        waits.push(saving.elapsed());
        let size = size(directory)?;
        if rows_gone.is_none() && size < before / 2 {
            rows_gone = Some(begin.elapsed());
        }
        if size < EMPTY {
            break;
        }
    }
    let took = begin.elapsed();
    waits.sort_unstable();
    println!(
        "deleted in {took:.1?} ({:.0} MB/s), files half as large after {:.1?}; other snapshots saved within {:.1?} (median), {:.1?} (p99), {:.1?} (longest of {})",
        before as f64 / 1e6 / took.as_secs_f64(),
        rows_gone.unwrap_or(took),
        waits[waits.len() / 2],
        waits[waits.len() * 99 / 100],
        waits[waits.len() - 1],
        waits.len(),
    );
    store.close().await;
    Ok(())
}

/// Bytes of the database's files.
fn size(directory: &Path) -> Result<u64> {
    let sizes = fs::read_dir(directory)?.map(|entry| Ok(entry?.metadata()?.len()));
    sizes.sum()
}

async fn make(directory: &Path, seconds: u32) -> Result<()> {
    let store = Store::open(directory)?;
    let mut run = store.create_run(run(RUN, AGENTS)).await?;
    let variants = variants();
    for (seq, from) in (1..).zip((0..seconds).step_by(STEP as usize)) {
        let saves = (0..AGENTS).map(|agent| {
            let (store, variants) = (&store, &variants);
            let mut snapshot = snapshot(agent, from..(from + STEP).min(seconds), variants);
            snapshot.seq = seq;
            async move {
                let agent = agent_name(agent).as_str().into();
                let saved = store.save_snapshot(&RUN.into(), &agent, snapshot).await?;
                assert_eq!(saved, SaveOutcome::Saved);
                Ok::<_, StoreError>(())
            }
        });
        try_join_all(saves).await?;
    }
    run.phase = RunPhase::Finished;
    run.ended_at = Some(WallTime::default() + RunTime::of_second(seconds));
    store.update_run(&run).await?;
    store.close().await;
    Ok(())
}

/// What an agent measured in these seconds.
fn snapshot(agent: u32, seconds: std::ops::Range<u32>, variants: &[IntervalData]) -> Snapshot {
    let mut snapshot = Snapshot {
        run_id: RUN.into(),
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
        for endpoint in of_second {
            let nth = (second as usize * 31 + endpoint as usize * 7 + agent as usize) % VARIANTS;
            snapshot.intervals.push(IntervalData {
                second,
                endpoint,
                ..variants[nth].clone()
            });
        }
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
            let failed = random.random_bool(FAILING);
            interval.record(response, None, 1_800, failed.then_some("503 Server Error"));
        }
        interval.to_wire(0, 0)
    };
    (0..VARIANTS).map(|_| variant()).collect()
}

fn run(id: &str, agents: u32) -> RunRecord {
    let agent = |number| RunAgent {
        build: greylag_infra::BuildInfo::default(),
        id: agent_name(number).as_str().into(),
        name: agent_name(number),
        workers: vec![number],
        last_seq: 0,
        saved_until: 0,
        end: None,
    };
    RunRecord {
        id: id.into(),
        number: 0,
        test: LoadTest {
            name: id.into(),
            duration_s: 86_400,
            ..LoadTest::default()
        },
        phase: RunPhase::Running,
        created_at: WallTime::default(),
        started_at: Some(WallTime::default()),
        ended_at: None,
        agents: (0..agents).map(agent).collect(),
        profile: greylag_infra::LoadProfile::default(),
        completeness: greylag_infra::Completeness::default(),
    }
}

//! A database with one long run, made once through the path that agents' results take, and kept between the measurements.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use greylag_infra::protocol::{
    Endpoint, IntervalData, LogLine, ProcessHealth, SampleData, SampleKind, Snapshot,
    TimerLateness, UserChange,
};
use greylag_infra::{
    BuildInfo, Completeness, LoadProfile, LoadTest, RunAgent, RunId, RunPhase, RunRecord, RunTime,
    WallTime,
};
use greylag_reporting::{Interval, SaveOutcome, Store, StoreError};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// The run's id.
pub(super) const RUN: &str = "day";
pub(super) const ENDPOINTS: u32 = 100;
/// The agent that has results of every second and endpoint. Of the others each has results of some endpoints in a second, of other ones in
/// the next, so that the database fits a disk.
pub(super) const BUSY_AGENT: u32 = 0;
/// Seconds in a snapshot, as if agents had been out of contact: a day is made in minutes.
const STEP: u32 = 120;
/// What an agent counts per second and endpoint.
const REQUESTS: usize = 10;
const SAMPLES: u32 = 10;
/// An agent logs a line every so many seconds.
const LOGS_EVERY: usize = 30;
/// Different seconds that results are taken from.
const VARIANTS: usize = 4_999;
const FAILING: f64 = 0.001;
const ERROR: &str = "503 Server Error: Service Unavailable";
/// It stands beside a database that is whole, and holds what was made.
const MADE: &str = "made";

/// A day of so many agents, or some hours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Day {
    pub(super) agents: u32,
    pub(super) hours: u32,
}

/// The name of an agent.
pub(super) fn agent_name(agent: u32) -> String {
    format!("machine-{agent:03}")
}

/// An endpoint of the run.
pub(super) fn endpoint(number: u32) -> Endpoint {
    Endpoint {
        method: "GET".to_owned(),
        name: format!("/api/v1/shop/items/[id]/part-{number}"),
    }
}

impl Day {
    /// How long the run is.
    pub(super) fn seconds(self) -> u32 {
        self.hours * 3_600
    }

    /// The data directory, with the database in it.
    pub(super) async fn directory(self) -> PathBuf {
        let name = format!("queries-{}-{}h", self.agents, self.hours);
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let what = format!(
            "{} s, {} agents, {ENDPOINTS} endpoints, {REQUESTS} requests",
            self.seconds(),
            self.agents
        );
        let made = directory.join(MADE);
        if fs::read_to_string(&made).is_ok_and(|made| made == what) {
            return directory;
        }
        let _ = fs::remove_dir_all(&directory);
        eprintln!("making the database of {what} in {}", directory.display());
        let began = Instant::now();
        self.make(&directory)
            .await
            .expect("the database can be made");
        fs::write(made, what).expect("the directory can be written");
        eprintln!("it took {:.0} s", began.elapsed().as_secs_f64());
        directory
    }

    /// Requests of the whole run.
    pub(super) fn requests(self) -> u64 {
        let shares = (0..self.agents).map(|agent| u64::from(self.share(agent)));
        shares.sum::<u64>() * REQUESTS as u64 * u64::from(self.seconds())
    }

    /// Of how many endpoints an agent has results in each second.
    fn share(self, agent: u32) -> u32 {
        match agent {
            BUSY_AGENT => ENDPOINTS,
            _ => (2 * ENDPOINTS / self.agents).clamp(1, ENDPOINTS),
        }
    }

    async fn make(self, directory: &Path) -> Result<(), StoreError> {
        let store = Store::open(directory)?;
        let mut run = store.create_run(self.run()).await?;
        let variants = variants();
        for (seq, from) in (1..).zip((0..self.seconds()).step_by(STEP as usize)) {
            let seconds = from..(from + STEP).min(self.seconds());
            // With it a transaction has just begun, so that the next one waits for all that follow.
            save(&store, BUSY_AGENT, 2 * seq - 1, Snapshot::default()).await?;
            let saves = (0..self.agents).map(|agent| {
                let snapshot = self.snapshot(agent, seconds.clone(), &variants);
                let seq = if agent == BUSY_AGENT { 2 * seq } else { seq };
                save(&store, agent, seq, snapshot)
            });
            try_join_all(saves).await?;
        }
        run.phase = RunPhase::Finished;
        run.ended_at = Some(WallTime::default() + RunTime::of_second(self.seconds()));
        store.update_run(&run).await?;
        store.close().await;
        Ok(())
    }

    /// What an agent measured in these seconds.
    fn snapshot(self, agent: u32, seconds: Range<u32>, variants: &[Variant]) -> Snapshot {
        let mut snapshot = Snapshot {
            endpoints: (0..ENDPOINTS).map(endpoint).collect(),
            ..Snapshot::default()
        };
        snapshot.log = seconds
            .clone()
            .step_by(LOGS_EVERY)
            .map(|second| LogLine {
                at: WallTime::default() + RunTime::of_second(second),
                source: agent_name(agent),
                text: format!("all is well in second {second}"),
            })
            .collect();
        for second in seconds {
            let share = self.share(agent);
            let first = (agent + second) * share % ENDPOINTS;
            for endpoint in (first..first + share).map(|number| number % ENDPOINTS) {
                let nth =
                    (second as usize * 31 + endpoint as usize * 7 + agent as usize) % VARIANTS;
                for interval in &variants[nth] {
                    snapshot.intervals.push(IntervalData {
                        second,
                        endpoint,
                        ..interval.clone()
                    });
                }
            }
            snapshot.samples.extend((0..SAMPLES).map(|at| SampleData {
                endpoint: (first + at) % ENDPOINTS,
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
            for worker in [Some(agent), None] {
                snapshot.health.push(health(second, worker));
            }
        }
        snapshot
    }

    fn run(self) -> RunRecord {
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
                users: u64::from(self.agents),
                duration_s: u64::from(self.seconds()),
                workers: self.agents,
                infrastructure: "bench".into(),
                scenario: "none".into(),
                ..LoadTest::default()
            },
            phase: RunPhase::Running,
            created_at: WallTime::default(),
            started_at: Some(WallTime::default()),
            ended_at: None,
            agents: (0..self.agents).map(agent).collect(),
            profile: LoadProfile::default(),
            completeness: Completeness::default(),
        }
    }
}

async fn save(
    store: &Store,
    agent: u32,
    seq: u64,
    mut snapshot: Snapshot,
) -> Result<(), StoreError> {
    snapshot.run_id = RUN.into();
    snapshot.seq = seq;
    let (run, agent) = (RunId::from(RUN), agent_name(agent).as_str().into());
    let outcome = store.save_snapshot(&run, &agent, snapshot).await?;
    assert_eq!(outcome, SaveOutcome::Saved);
    Ok(())
}

/// How a worker, or the agent itself, fared in a second.
fn health(second: u32, worker: Option<u32>) -> ProcessHealth {
    ProcessHealth {
        second,
        worker,
        users: 1,
        requests: 100,
        core_pm: Some(300 + second % 100),
        wait_pm: Some(second % 20),
        process_pm: Some(350 + second % 100),
        memory_bytes: Some(50 << 20),
        open_files: Some(100),
        late: worker.map(|_| TimerLateness {
            p50_us: 1_000,
            p99_us: 1_500 + second % 700,
            max_us: 3_000,
        }),
        machine: None,
    }
}

/// The requests to an endpoint in a second: those that succeeded, and those that failed if there are any.
type Variant = Vec<IntervalData>;

fn variants() -> Vec<Variant> {
    let mut random = SmallRng::seed_from_u64(10);
    let mut variant = || {
        let (mut ok, mut failed) = (Interval::default(), Interval::default());
        for _ in 0..REQUESTS {
            // 1 to about 250 ms, most of them short.
            let (a, b): (f64, f64) = (random.random(), random.random());
            let response = Duration::from_secs_f64(0.001 + 0.25 * a * a * b);
            let first_byte = Some(response.mul_f64(0.9));
            if random.random_bool(FAILING) {
                failed.record(response, first_byte, 1_800, Some(ERROR));
                failed.count_status(Some(503));
            } else {
                ok.record(response, first_byte, 1_800, None);
                ok.count_status(Some(200));
            }
        }
        let some = [ok, failed].into_iter().filter(|one| !one.is_empty());
        some.map(|one| one.to_wire(0, 0)).collect()
    };
    (0..VARIANTS).map(|_| variant()).collect()
}

//! Any part of a run says what a naive program adds up of all that was reported of it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use greylag_infra::protocol::{Endpoint, Snapshot};
use greylag_infra::{
    BuildInfo, Completeness, LoadProfile, LoadTest, MachineHealth, ProcessHealth, RunAgent,
    RunPhase, RunRecord, TimerLateness, WallClock,
};
use proptest::prelude::*;

use crate::measure::health::HealthSums;
use crate::measure::interval::Interval;
use crate::store::{GeneratorHealth, Scope, Store, Window};

const AGENTS: [&str; 2] = ["a", "b"];
/// Each agent has two workers.
const WORKERS: [[u32; 2]; 2] = [[0, 2], [1, 3]];
/// Results are of the seconds before this one.
const END: u32 = 1_400;

/// What is known of a second: agent, process, and how it fared.
type Part = (usize, Option<u32>, ProcessHealth);

fn run() -> RunRecord {
    let now = WallClock::start().now();
    let agents = AGENTS.iter().zip(WORKERS).map(|(name, workers)| RunAgent {
        id: (*name).into(),
        name: (*name).to_owned(),
        workers: workers.to_vec(),
        last_seq: 0,
        saved_until: 0,
        end: None,
        build: BuildInfo::default(),
    });
    RunRecord {
        id: "r".into(),
        number: 0,
        test: LoadTest {
            duration_s: 86_400,
            ..LoadTest::default()
        },
        phase: RunPhase::Running,
        created_at: now - Duration::from_secs(5_000),
        started_at: Some(now - Duration::from_secs(4_000)),
        ended_at: None,
        agents: agents.collect(),
        profile: LoadProfile::default(),
        completeness: Completeness::default(),
    }
}

/// Snapshots of one agent, mostly in order of time, some seconds late.
fn snapshots() -> impl Strategy<Value = Snapshots> {
    let known = |most: u32| prop::option::of(0..most);
    let one = (
        0..60_u32,
        0..3_usize,
        known(1_001),
        known(1_001),
        known(90_000),
        0..100_u64,
        prop::bool::weighted(0.1),
    );
    prop::collection::vec(prop::collection::vec(one, 0..12), 1..34).prop_map(|snapshots| {
        (0..)
            .zip(snapshots)
            .map(|(at, parts)| {
                let parts = parts.into_iter();
                parts
                    .map(
                        |(offset, process, core_pm, wait_pm, late_us, requests, late)| {
                            let second = if late {
                                at * 7 % 50 + offset
                            } else {
                                at * 40 + offset
                            };
                            let health = ProcessHealth {
                                second,
                                core_pm,
                                wait_pm: core_pm.and(wait_pm),
                                process_pm: core_pm.map(|pm| pm * 2),
                                memory_bytes: late_us.map(|us| u64::from(us) << 10),
                                requests,
                                users: requests / 2,
                                late: late_us.map(|us| TimerLateness {
                                    p50_us: us / 3,
                                    p99_us: us,
                                    max_us: us * 2,
                                }),
                                machine: (process == 2).then_some(MachineHealth {
                                    cpu_pm: core_pm,
                                    ..MachineHealth::default()
                                }),
                                ..ProcessHealth::default()
                            };
                            (second, process, health)
                        },
                    )
                    .collect()
            })
            .collect()
    })
}

/// What the snapshots of an agent have: second, process and how it fared.
type Snapshots = Vec<Vec<(u32, usize, ProcessHealth)>>;

/// Saves snapshots; gives everything that was reported.
async fn save(store: &Store, agents: &[Snapshots]) -> Vec<Part> {
    let mut reported = Vec::new();
    let most = agents.iter().map(Vec::len).max().unwrap_or(0);
    for at in 0..most {
        for (agent, snapshots) in agents.iter().enumerate() {
            let Some(parts) = snapshots.get(at) else {
                continue;
            };
            let mut interval = Interval::default();
            interval.record(Duration::from_millis(1), None, 1, None);
            // There are requests in every second that is talked about.
            let newest = u32::try_from(at).unwrap() * 40 + 59;
            let mut snapshot = Snapshot {
                run_id: "r".into(),
                seq: at as u64 + 1,
                endpoints: vec![Endpoint {
                    method: "GET".into(),
                    name: "/".into(),
                }],
                intervals: vec![interval.to_wire(newest, 0)],
                ..Snapshot::default()
            };
            for (_, process, health) in parts {
                let worker = WORKERS[agent].get(*process).copied();
                let health = ProcessHealth { worker, ..*health };
                snapshot.health.push(health);
                reported.push((agent, worker, health));
            }
            // Said twice it counts once.
            for _ in 0..2 {
                let id = AGENTS[agent].into();
                store
                    .save_snapshot(&"r".into(), &id, snapshot.clone())
                    .await
                    .unwrap();
            }
        }
    }
    reported
}

fn scope(window: Option<(u32, u32)>, agent: Option<usize>) -> Scope {
    Scope {
        window: window.map(|(from, to)| Window::new(from, to).unwrap()),
        agent: agent.map(|at| AGENTS[at].to_owned()),
        ..Scope::default()
    }
}

fn in_scope(
    reported: &[Part],
    seconds: Range<u32>,
    agent: Option<usize>,
) -> impl Iterator<Item = &Part> {
    reported.iter().filter(move |(of, _, health)| {
        seconds.contains(&health.second) && agent.is_none_or(|agent| agent == *of)
    })
}

fn check(
    found: &GeneratorHealth,
    reported: &[Part],
    window: Option<(u32, u32)>,
    agent: Option<usize>,
) {
    let seconds = window.map_or(0..END, |(from, to)| from..to);
    let mut processes: BTreeMap<(&str, Option<u32>), HealthSums> = BTreeMap::new();
    let mut saturated = BTreeSet::new();
    for (agent, worker, health) in in_scope(reported, seconds, agent) {
        let sums = processes.entry((AGENTS[*agent], *worker)).or_default();
        sums.merge(&HealthSums::of(health));
        if health.saturation().is_some() {
            saturated.insert(health.second);
        }
    }
    let found_processes: BTreeMap<_, _> = found
        .processes
        .iter()
        .map(|process| ((process.agent.as_str(), process.worker), process.sums))
        .collect();
    assert_eq!(found_processes, processes, "{window:?} {agent:?}");
    let found: BTreeSet<u32> = found
        .saturated
        .stretches()
        .iter()
        .cloned()
        .flatten()
        .collect();
    assert_eq!(found, saturated, "{window:?} {agent:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_part_of_a_run_is_what_was_reported_of_it(
        a in snapshots(),
        b in snapshots(),
        parts in prop::collection::vec((prop::option::of((0..1_300_u32, 1..1_300_u32)), prop::option::of(0..2_usize)), 12),
        step in 1..200_u32,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let mut store = Store::open(dir.path()).unwrap();
            store.create_run(run()).await.unwrap();
            let agents = [a, b];
            let reported = save(&store, &agents).await;
            let last = store.last_second(&"r".into()).await.unwrap().unwrap();
            for reopened in [false, true] {
                if reopened {
                    store.close().await;
                    store = Store::open(dir.path()).unwrap();
                }
                for (window, agent) in parts.iter().copied().chain([(None, None)]) {
                    let window = window.map(|(from, length)| (from.min(last), from.min(last) + length));
                    let asked = scope(window, agent);
                    let found = store.generator_health(&"r".into(), &asked).await.unwrap();
                    check(&found, &reported, window, agent);

                    let points = store.health_series(&"r".into(), &asked, step).await.unwrap();
                    let seconds = window.map_or(0..END, |(from, to)| from..to);
                    let mut worst: BTreeMap<u32, (Option<u64>, Option<u64>)> = BTreeMap::new();
                    for (_, _, health) in in_scope(&reported, seconds.clone(), agent).filter(|(_, worker, _)| worker.is_some()) {
                        let begins = (health.second - health.second % step).max(seconds.start);
                        let (core, late) = worst.entry(begins).or_default();
                        *core = (*core).max(health.core_pm.map(u64::from));
                        *late = (*late).max(health.late.map(|late| u64::from(late.p99_us)));
                    }
                    worst.retain(|_, (core, late)| core.is_some() || late.is_some());
                    let found: BTreeMap<_, _> = points
                        .iter()
                        .map(|point| (point.second, (point.core_worst_pm, point.late_worst_us)))
                        .collect();
                    assert_eq!(found.len(), points.len());
                    assert_eq!(found, worst);
                    assert!(points.iter().all(|point| point.core_median_pm <= point.core_worst_pm));
                }
            }
        });
    }
}

/// The rows of a day of 20 workers, of which each second is one row.
#[test]
fn a_days_rows_are_small() {
    let mut bytes = 0;
    for second in 0..8_u32 {
        let mut processes = super::Processes::new();
        for worker in 0..20 {
            let noise = (second * 131 + worker * 977) % 200;
            let health = ProcessHealth {
                second,
                worker: Some(worker),
                users: 500,
                requests: 3_000 + u64::from(noise),
                core_pm: Some(400 + noise),
                wait_pm: Some(noise / 7),
                process_pm: Some(450 + noise),
                memory_bytes: Some((60 << 20) + (u64::from(noise) << 12)),
                open_files: Some(520),
                late: Some(TimerLateness {
                    p50_us: 1_050 + noise,
                    p99_us: 2_000 + noise * 3,
                    max_us: 4_000 + noise * 9,
                }),
                machine: None,
            };
            let key = super::ProcessKey {
                agent: 0,
                worker: Some(worker),
            };
            processes.insert(key, HealthSums::of(&health));
        }
        bytes += super::packed::pack(processes.iter()).len();
    }
    let day = bytes / 8 * 86_400;
    assert!(day < 48 << 20, "{day} bytes");
}

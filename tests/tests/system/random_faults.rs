//! Random faults of all kinds, alone and in pairs: after each run its counts are nginx's log, or it says what is missing,
//! and no more is missing than it says.
//!
//! A short sequence by default. `GREYLAG_FAULT_RUNS=300` drives a long one, `GREYLAG_FAULT_SEED` names its first seed;
//! run k has seed first + k, so that one run is repeated by `GREYLAG_FAULT_RUNS=1 GREYLAG_FAULT_SEED=<its seed>`.

use std::collections::BTreeMap;
use std::time::Duration;

use greylag_infra::OnLostAgent;
use greylag_tests::summary::Summary;
use greylag_tests::{
    AccessLog, ChaosProxy, Cluster, Fault, FaultPlan, LoggedRequest, Nginx, ProcessId,
    START_TIMEOUT, Step, alone, descendants, lock_store, wait,
};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until};

use crate::faults::wait_until_gone;
use crate::support::{SOON, greylag, test};

/// Runs of the short sequence.
const RUNS: u64 = 2;
/// Its first seed.
const SEED: u64 = 20_261;
/// How long a run may take to be over, whatever happened: its deadlines are about 45 s.
const OVER: Duration = Duration::from_secs(120);
/// How long agents that are well may take to hand over what they hold.
const HANDED_OVER: Duration = Duration::from_secs(45);
/// How late everything comes on a link that is late.
const LINK_DELAY: Duration = Duration::from_millis(400);
/// How long a broken link stays so, at least for every connection to notice.
const LINK_BREAKS: Duration = Duration::from_millis(200);
/// Users of each run.
const USERS: u64 = 12;
/// How long each run has load.
const DURATION_S: u32 = 7;
/// Some of the faults last longer than the lease, some not.
const LEASE: &str = "4s";
const NAMES: [&str; 2] = ["east", "west"];

/// A worker process as the run's page lists it.
#[derive(Debug, Clone, Copy)]
struct Worker {
    agent: usize,
    index: u32,
}

/// One run and everything it needs.
struct Site {
    nginx: Nginx,
    cluster: Cluster,
    proxy: ChaosProxy,
    run: String,
    /// By process id.
    workers: BTreeMap<u32, Worker>,
    processes: Vec<ProcessId>,
    /// Keeps the store from saving as long as it is there.
    store_lock: Option<Box<dyn Send>>,
}

impl Site {
    async fn start(on_lost_agent: OnLostAgent) -> Self {
        let nginx = Nginx::start().await;
        let mut cluster = Cluster::start_with(&greylag(), &["--lease", LEASE]).await;
        let target = cluster.api().url().trim_start_matches("http://").to_owned();
        let proxy = ChaosProxy::start(&target).await;
        cluster.start_agent_at(&proxy.url(), NAMES[0], "lab", &[]);
        cluster.start_agent(NAMES[1], "lab");
        cluster.api().wait_for_agents("lab", 2, START_TIMEOUT).await;
        let changes = json!({
            "scenario": "per-process", "users": USERS, "workers": 4, "ramp_up": 0, "duration": DURATION_S, "stop_timeout": 3,
            "on_lost_agent": on_lost_agent,
        });
        let run = cluster
            .api()
            .start(&test(&nginx.url(), "lab", changes))
            .await;
        let mut site = Self {
            nginx,
            cluster,
            proxy,
            run,
            workers: BTreeMap::new(),
            processes: Vec::new(),
            store_lock: None,
        };
        site.wait_for_all_workers().await;
        site
    }

    /// Waits until each of the four workers is known and has been counted.
    async fn wait_for_all_workers(&mut self) {
        let path = format!("/api/v1/runs/{}", self.run);
        let rows = wait::until("all four workers", SOON, async || {
            let view = self.cluster.api().get(&path).await.json();
            let endpoints = view["endpoints"].as_array().map_or(0, Vec::len);
            match view["workers"].as_array() {
                Some(rows) if rows.len() == 4 && endpoints == 4 => Ok(rows.clone()),
                _ => Err(view.to_string()),
            }
        })
        .await;
        for row in rows {
            let number = |key: &str| row[key].as_u64().and_then(|n| u32::try_from(n).ok());
            let (pid, index) = (number("pid"), number("index"));
            let agent = NAMES.iter().position(|name| row["agent"] == **name);
            let (Some(pid), Some(index), Some(agent)) = (pid, index, agent) else {
                panic!("a worker of another form: {row}");
            };
            self.workers.insert(pid, Worker { agent, index });
            self.processes.extend(ProcessId::of(pid));
        }
    }

    /// Lets a fault happen.
    async fn begin(&mut self, fault: Fault) {
        match fault {
            Fault::KillWorker { agent } => self.signal_worker(agent, Signal::KILL),
            Fault::TerminateWorker { agent } => self.signal_worker(agent, Signal::TERM),
            Fault::FreezeWorker { agent, .. } => self.signal_worker(agent, Signal::STOP),
            Fault::KillAgent { agent } => self.cluster.agent(agent).kill_9().await,
            Fault::TerminateAgent { agent } => self.cluster.agent(agent).signal(Signal::TERM),
            Fault::TerminateUnit { agent } => {
                let workers = self.cluster.workers_of(agent);
                self.cluster.agent(agent).signal(Signal::TERM);
                for worker in workers {
                    worker.signal(Signal::TERM);
                }
            }
            Fault::FreezeAgent { agent, .. } => self.cluster.agent(agent).signal(Signal::STOP),
            Fault::RestartAgent { agent } => {
                self.cluster.agent(agent).kill_9().await;
                let url = match agent {
                    0 => self.proxy.url(),
                    _ => self.cluster.api().url().to_owned(),
                };
                self.cluster.start_agent_at(&url, NAMES[agent], "lab", &[]);
            }
            Fault::KillCoordinator { .. } | Fault::SetCoordinatorClock { .. } => {
                self.cluster.coordinator().signal(Signal::KILL);
            }
            Fault::TerminateCoordinator { .. } => self.cluster.coordinator().signal(Signal::TERM),
            Fault::FreezeCoordinator { .. } => self.cluster.coordinator().signal(Signal::STOP),
            Fault::FreezeTarget { .. } => self.signal_target(Signal::STOP),
            Fault::CutLink { .. } => self.proxy.cut(),
            Fault::DelayLink { .. } => self.proxy.delay(LINK_DELAY),
            Fault::DripLink { .. } => self.proxy.drip(),
            Fault::MuteCoordinator { .. } => self.proxy.mute_coordinator(),
            Fault::LoseFromAgent { .. } => self.proxy.lose_from_agent(),
            Fault::BlockStore { .. } => {
                let data = self.cluster.data();
                self.store_lock
                    .get_or_insert_with(|| Box::new(lock_store(data)));
            }
        }
    }

    /// Ends a fault that lasts.
    async fn end(&mut self, fault: Fault) {
        match fault {
            Fault::FreezeWorker { agent, .. } => self.signal_worker(agent, Signal::CONT),
            Fault::FreezeAgent { agent, .. } => self.cluster.agent(agent).signal(Signal::CONT),
            Fault::KillCoordinator { .. } | Fault::TerminateCoordinator { .. } => {
                // A coordinator does not start on a database that is locked.
                self.store_lock = None;
                // Harmless where it ended by itself, or was started again after another fault.
                self.cluster.kill_coordinator().await;
                self.cluster.restart_coordinator().await;
            }
            Fault::SetCoordinatorClock { seconds, .. } => {
                self.store_lock = None;
                self.cluster.kill_coordinator().await;
                self.cluster.restart_coordinator_with_clock(seconds).await;
            }
            Fault::BlockStore { .. } => self.store_lock = None,
            Fault::FreezeCoordinator { .. } => self.cluster.coordinator().signal(Signal::CONT),
            Fault::FreezeTarget { .. } => self.signal_target(Signal::CONT),
            Fault::CutLink { .. } | Fault::DelayLink { .. } | Fault::DripLink { .. } => {
                self.proxy.restore();
            }
            Fault::MuteCoordinator { .. } | Fault::LoseFromAgent { .. } => {
                // A stream with a hole in it is of no use: as TCP, the link gives up.
                self.proxy.cut();
                sleep(LINK_BREAKS).await;
                self.proxy.restore();
            }
            _ => {}
        }
    }

    fn signal_target(&self, signal: Signal) {
        for process in descendants(self.nginx.pid()) {
            process.signal(signal);
        }
    }

    /// To the first worker of an agent.
    fn signal_worker(&self, agent: usize, signal: Signal) {
        let mut workers = self.workers.iter();
        if let Some((pid, _)) = workers.find(|(_, worker)| worker.agent == agent)
            && let Some(process) = self.processes.iter().find(|process| process.pid == *pid)
        {
            process.signal(signal);
        }
    }

    /// The results once no healthy agent holds any more of them.
    async fn results(&self, plan: &FaultPlan) -> Summary {
        let api = self.cluster.api();
        let over = async || {
            let progress = api.try_progress(&self.run).await;
            let status = progress.as_ref().map_or(&Value::Null, |p| &p["status"]);
            match status.as_str() {
                Some("Finished" | "Failed") => Ok(()),
                _ => Err(format!("{progress:?}")),
            }
        };
        wait::until("the run to be over", OVER, over).await;
        let deadline = Instant::now() + HANDED_OVER;
        loop {
            let summary = api.summary(&self.run).await;
            let still_held = summary.gaps.iter().any(|gap| {
                let agent = NAMES
                    .iter()
                    .position(|name| gap.agent.as_deref() == Some(*name));
                gap.worker.is_none() && agent.is_some_and(|agent| !plan.may_lose(agent))
            });
            // Whoever was only frozen may hand over, and need not.
            let may_come = summary.gaps.iter().any(|gap| gap.worker.is_none());
            let patience = if still_held {
                HANDED_OVER
            } else {
                HANDED_OVER / 5
            };
            if !may_come || Instant::now() + (HANDED_OVER - patience) >= deadline {
                return summary;
            }
            sleep(Duration::from_millis(100)).await;
        }
    }
}

/// What is wrong with the results of a run; nothing, if all is said.
fn judge(
    site: &BTreeMap<u32, Worker>,
    plan: &FaultPlan,
    on_lost_agent: OnLostAgent,
    summary: &Summary,
    log: &AccessLog,
) -> Vec<String> {
    let mut wrong = Vec::new();
    let pid_of = |path: &str| {
        path.strip_prefix("/by/")
            .and_then(|pid| pid.parse::<u32>().ok())
    };
    let mut counts: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    for endpoint in &summary.endpoints {
        counts
            .entry(pid_of(&endpoint.name).unwrap_or(0))
            .or_default()
            .0 += endpoint.requests;
    }
    for request in &log.requests {
        counts
            .entry(pid_of(&request.path).unwrap_or(0))
            .or_default()
            .1 += 1;
    }
    for (pid, (counted, sent)) in counts {
        let Some(worker) = site.get(&pid) else {
            wrong.push(format!(
                "requests of process {pid}, which is not a worker of the run"
            ));
            continue;
        };
        let name = NAMES[worker.agent];
        if counted > sent {
            wrong.push(format!(
                "{name}/worker-{}: {counted} counted, {sent} sent",
                worker.index
            ));
        }
        let is_said = summary.gaps.iter().any(|gap| {
            gap.agent.as_deref() == Some(name)
                && gap.worker.is_none_or(|index| index == worker.index)
        });
        if counted < sent && !is_said {
            wrong.push(format!(
                "{name}/worker-{}: {counted} counted of {sent} sent, and nothing says so",
                worker.index
            ));
        }
    }
    for gap in &summary.gaps {
        let agent = NAMES
            .iter()
            .position(|name| gap.agent.as_deref() == Some(*name));
        if !agent.is_some_and(|agent| plan.may_lose(agent)) {
            wrong.push(format!(
                "a gap of an agent that lost nothing: {}",
                gap.message
            ));
        }
    }
    if summary.complete != summary.gaps.is_empty() {
        wrong.push(format!(
            "complete is {} with {} gaps",
            summary.complete,
            summary.gaps.len()
        ));
    }
    let has_gap_of_load = summary
        .gaps
        .iter()
        .any(|gap| gap.since_second + 1 < DURATION_S);
    match (on_lost_agent.continues(), summary.run.status.as_str()) {
        (false, "Finished") if !summary.complete => {
            wrong.push("a run with gaps is not Failed".to_owned());
        }
        (true, "Finished") if has_gap_of_load && summary.coverage.full => {
            wrong.push("a run went on without what it lost, and does not say so".to_owned());
        }
        _ => {}
    }
    wrong.extend(said_too_late(summary, log));
    wrong
}

/// Before the first second of which something may be missing, nothing is.
fn said_too_late(summary: &Summary, log: &AccessLog) -> Option<String> {
    /// Between the end of a request at nginx and its end at the worker, on a busy machine.
    const LATE_MS: u64 = 1_000;
    // What a worker waits for that is frozen, or that the machine holds up, is counted when it continues: at most one request
    // of each user.
    let counted_later = USERS;
    let since = summary.gaps.iter().map(|gap| gap.since_second).min()?;
    let first_ms = log
        .requests
        .iter()
        .map(|request| request.ended_at_ms)
        .min()?;
    let counted: u64 = summary
        .series
        .iter()
        .filter(|point| point.second < since)
        .map(|point| point.requests)
        .sum();
    // The first request ends at the earliest at run time zero.
    let until_ms = (first_ms + u64::from(since) * 1_000).saturating_sub(LATE_MS);
    let sent = log.count(|request| request.ended_at_ms < until_ms).requests;
    (counted + counted_later < sent).then(|| {
        format!("{sent} were sent more than a second before second {since}, but {counted} are counted before it")
    })
}

/// How a run went, for the figures.
struct Verdict {
    wrong: Vec<String>,
    complete: bool,
    missing: u64,
}

async fn drive(plan: &FaultPlan, on_lost_agent: OnLostAgent) -> Verdict {
    let mut site = Site::start(on_lost_agent).await;
    let began = Instant::now();
    for (at, step) in plan.timeline() {
        sleep_until(began + at).await;
        match step {
            Step::Begin(fault) => site.begin(fault).await,
            Step::End(fault) => site.end(fault).await,
        }
    }
    let summary = site.results(plan).await;
    wait_until_gone(&site.processes, SOON).await;
    let page = site.cluster.api().page(&site.run).await;
    let tables_path = format!("/api/v1/runs/{}/tables", site.run);
    let tables = site.cluster.api().get(&tables_path).await.body;
    let Site {
        nginx,
        workers,
        cluster,
        ..
    } = site;
    let log = nginx.finish().await;
    let mut wrong = judge(&workers, plan, on_lost_agent, &summary, &log);
    if let Some(remark) = &summary.remark
        && !(page.contains(remark) && tables.contains(remark))
    {
        wrong.push(format!("page or tables do not say: {remark}"));
    }
    drop(cluster);
    Verdict {
        wrong,
        complete: summary.complete,
        missing: log
            .totals()
            .requests
            .saturating_sub(summary.totals.requests),
    }
}

fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")),
        Err(_) => default,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_run_is_exact_or_says_what_is_missing() {
    let _turn = alone().await;
    let runs = setting("GREYLAG_FAULT_RUNS", RUNS);
    let first = setting("GREYLAG_FAULT_SEED", SEED);
    let (mut complete, mut failures) = (0, Vec::new());
    for seed in first..first + runs {
        let plan = FaultPlan::of_seed(seed);
        let on_lost_agent = match seed % 2 {
            0 => OnLostAgent::Fail,
            _ => OnLostAgent::Continue,
        };
        let began = Instant::now();
        // A run that ends in a panic does not end the sequence.
        let driven = tokio::task::LocalSet::new();
        let drive_it = {
            let plan = plan.clone();
            async move { drive(&plan, on_lost_agent).await }
        };
        let driving = driven.spawn_local(drive_it);
        let verdict = match driven.run_until(driving).await {
            Ok(verdict) => verdict,
            Err(error) => Verdict {
                wrong: vec![error.to_string()],
                complete: false,
                missing: 0,
            },
        };
        println!(
            "seed {seed}: {plan}, {on_lost_agent:?}: {}, {} missing, {:.0?}{}",
            if verdict.complete {
                "complete"
            } else {
                "incomplete"
            },
            verdict.missing,
            began.elapsed(),
            verdict
                .wrong
                .iter()
                .map(|wrong| format!("\n    WRONG {wrong}"))
                .collect::<String>()
        );
        complete += u64::from(verdict.complete);
        if !verdict.wrong.is_empty() {
            failures.push(format!(
                "seed {seed}: {plan}\n    {}",
                verdict.wrong.join("\n    ")
            ));
        }
    }
    println!(
        "{runs} runs: {complete} complete, {} that say what is missing, {} wrong",
        runs - complete - failures.len() as u64,
        failures.len()
    );
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The judge of the runs above finds what it is there to find.
#[test]
fn requests_that_are_missing_without_a_word_are_found() {
    let workers = BTreeMap::from([
        (10, Worker { agent: 0, index: 0 }),
        (20, Worker { agent: 1, index: 1 }),
    ]);
    let request = |pid: u32| LoggedRequest {
        method: "GET".into(),
        path: format!("/by/{pid}"),
        status: 200,
        ended_at_ms: 1_000,
        from: "127.0.0.1".into(),
        traceparent: String::new(),
    };
    let log = AccessLog {
        requests: vec![request(10), request(10), request(20)],
    };
    let quiet = FaultPlan { faults: Vec::new() };
    let gap = json!({
        "code": "worker_lost", "agent": "east", "worker": 0, "since_second": 0, "since": "", "message": "east",
    });
    let wrong = |plan: &FaultPlan, counted: [u64; 2], gaps: &[&Value]| {
        let summary = summary_of(counted, gaps);
        judge(&workers, plan, OnLostAgent::Fail, &summary, &log)
    };
    let killed = FaultPlan {
        faults: vec![(Duration::ZERO, Fault::KillWorker { agent: 0 })],
    };
    assert!(wrong(&quiet, [2, 1], &[]).is_empty());
    assert!(wrong(&killed, [1, 1], &[&gap]).is_empty());
    let words = |plan: &FaultPlan, counted, gaps: &[&Value]| wrong(plan, counted, gaps).join("; ");
    assert!(words(&killed, [1, 1], &[]).contains("east/worker-0: 1 counted of 2 sent"));
    assert!(words(&killed, [1, 0], &[&gap]).contains("west/worker-1: 0 counted of 1 sent"));
    assert!(words(&quiet, [3, 1], &[]).contains("3 counted, 2 sent"));
    assert!(words(&quiet, [2, 1], &[&gap]).contains("a gap of an agent that lost nothing"));
}

/// A summary with requests of the processes 10 and 20, and gaps.
fn summary_of(counted: [u64; 2], gaps: &[&Value]) -> Summary {
    let times = json!({
        "avg_ms": 1.0, "min_ms": 1.0, "max_ms": 1.0, "p50_ms": 1.0, "p75_ms": 1.0, "p90_ms": 1.0, "p95_ms": 1.0,
        "p98_ms": 1.0, "p99_ms": 1.0, "p999_ms": 1.0, "p9999_ms": 1.0,
        "intended": null, "first_byte": null, "first_byte_only": 0, "failures": 0, "error_rate": 0.0, "bytes": 0,
    });
    let with = |fields: Value| {
        let mut all = times.as_object().expect("an object").clone();
        all.extend(fields.as_object().expect("an object").clone());
        Value::Object(all)
    };
    let endpoint = |pid: u32, requests: u64| {
        with(json!({
            "method": "GET", "name": format!("/by/{pid}"), "requests": requests, "current_rps": 0.0, "current_failures_per_s": 0.0,
        }))
    };
    serde_json::from_value(json!({
        "run": {
            "id": "r", "number": 1, "test": "t", "type": "Locust", "infrastructure": "lab", "status": "Failed",
            "failure_reason": null, "users": 1, "duration_s": 1.0, "ramp_up_s": 0.0, "workers": 2, "builds": [],
            "started_at": null, "elapsed_s": 1.0,
        },
        "complete": gaps.is_empty(), "remark": null, "gaps": gaps,
        "coverage": { "full": true, "remark": null, "users": 1, "missing_users": 0, "losses": [] },
        "totals": with(json!({ "requests": 0, "rps": 0.0, "error_rate": 0.0, "arrivals": null })),
        "endpoints": [endpoint(10, counted[0]), endpoint(20, counted[1])],
        "errors": [], "warnings": [], "custom_metrics": [], "thresholds": [], "series_step_s": 1, "series": [],
        "generator": { "measured": false, "saturated_seconds": 0, "left_out": false, "saturated": [], "worst": null },
    }))
    .expect("a summary")
}

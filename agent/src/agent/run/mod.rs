//! An agent's part of one run.
//!
//! ```text
//!        all workers ready, shape known     planned end, Stop, or a failure       all workers exited
//!   Preparing ───────────────────► Ready ──► Driving ──────────────► Stopping ──────────────────► Over
//!       │                            │ Start                            ▲                           │ all
//!       └────────── Stop, failure ───┴──────────────────────────────────┘                           │ acknowledged
//!                                                                                                   ▼
//!                                                                                              forgotten
//! ```
//!
//! While the program of a shipped build is fetched the part is Fetching, which comes before Preparing and ends as that does.
//!
//! The first failure is kept. A worker that exits early fails the part and stops the other workers; their results are
//! sent all the same. Where the test says so, the part goes on with the others: see `lost_workers`. Stopping has a deadline, at which the workers that still run are killed.

mod deadlines;
mod following;
mod health;
mod local_ports;
mod lost_workers;
mod snapshots;
#[cfg(test)]
mod tests;
mod worker;
mod worker_events;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use greylag_infra::protocol::{LogLine, MAX_LOG_LINE_BYTES, Prepare, cut};
use greylag_infra::{
    FailureReason, LoadProfile, LostWorker, RunId, RunTime, SetUpData, WallTime, WorkerFailure,
};
use greylag_scenarios::WORKER_GRACE;

use super::outbox::Outbox;
use crate::worker_protocol::{ToWorker, for_workers};
pub(crate) use local_ports::local_ports;
use worker::Worker;
pub(crate) use worker::WorkerHandle;

/// How long workers may take to get ready, the scenario's own events not included.
const PREPARE_TIMEOUT: Duration = Duration::from_secs(45);
/// How often a snapshot is made of what is pending.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(1);
/// How long after a second of run time has ended its snapshot is made, so that every worker's report of it
/// has come.
const SNAPSHOT_DELAY: Duration = Duration::from_millis(120);

/// What an agent knows of a run beyond its definition.
#[derive(Debug)]
pub(crate) struct Plan {
    /// How much longer the scenario's own events may make the preparation of a worker.
    pub(crate) longest_start: Duration,
    /// How much longer they may make its end.
    pub(crate) longest_stop: Duration,
    /// Whether the run waits for the scenario's load shape, which is evaluated here.
    pub(crate) awaits_shape: bool,
    /// Whether worker 0 evaluates it, because only its program has the scenario.
    pub(crate) worker_evaluates_shape: bool,
    /// Local ports of this machine, if it says.
    pub(crate) local_ports: Option<u64>,
}

impl Plan {
    /// That of an agent that starts no worker.
    pub(crate) fn without_workers() -> Self {
        Self {
            longest_start: Duration::ZERO,
            longest_stop: Duration::ZERO,
            awaits_shape: false,
            worker_evaluates_shape: false,
            local_ports: None,
        }
    }
}

/// The present moment, as the agent's owner sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) instant: Instant,
    /// The coordinator's clock.
    pub(crate) coordinator_time: WallTime,
}

/// An agent's part of one run.
#[derive(Debug)]
pub(crate) struct AgentRun<W> {
    id: RunId,
    agent: String,
    stop_timeout: Duration,
    prepare_timeout: Duration,
    /// How long after the stop timeout a worker that still runs is killed, the scenario's own events included.
    kill_after: Duration,
    phase: Phase,
    run_zero: Option<Instant>,
    /// As it is now; known from the start on.
    profile: LoadProfile,
    /// When it changed last, after the start.
    profile_since: Option<Instant>,
    shape: Shape,
    worker_evaluates_shape: bool,
    /// Bytes of the shipped build that are here, while it is fetched.
    fetched: Arc<AtomicU64>,
    /// What the scenario's set-up made, if worker 0 is ours.
    set_up_data: Option<SetUpData>,
    failure: Option<FailureReason>,
    /// Why the scenario asks to finish the run before its time, if it does. It is sent with every ping, so that no lost message
    /// matters.
    finish_asked: Option<String>,
    /// Whether its load was ended before its time.
    stopped_early: bool,
    /// Whether it goes on without workers that it loses.
    may_lose_workers: bool,
    /// Workers that ended before they had handed over their results, or that it goes on without.
    lost_workers: Vec<LostWorker>,
    /// When the last user ended, µs of run time.
    last_user_ended: RunTime,
    /// Workers over the whole run.
    all_workers: u32,
    local_ports: Option<u64>,
    /// Seconds before this one have been measured of the agent itself.
    measured: u32,
    /// Whether a worker was saturated in any second so far.
    was_saturated: bool,
    workers: BTreeMap<u32, Worker<W>>,
    workers_changed: bool,
    outbox: Outbox,
    next_snapshot: Instant,
    next_alive: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The program of its workers is being fetched.
    Fetching,
    Preparing {
        until: Instant,
    },
    Ready,
    Driving,
    Stopping {
        kill_at: Instant,
    },
    Over,
}

/// The scenario's load shape, where the run follows it and we evaluate it.
#[derive(Debug)]
enum Shape {
    None,
    Awaited,
    Known(LoadProfile),
}

impl<W: WorkerHandle> AgentRun<W> {
    /// Takes on a part of a run; `start_worker` starts each worker process.
    pub(crate) fn prepare(
        prepare: &Prepare,
        agent: &str,
        plan: Plan,
        now: Now,
        start_worker: impl FnMut(u32, ToWorker) -> std::io::Result<W>,
    ) -> Self {
        let mut run = Self::fetching(prepare, agent, plan, now);
        run.start_workers(prepare, now, start_worker);
        run
    }

    /// Takes on a part of a run whose workers cannot be started yet.
    pub(crate) fn fetching(prepare: &Prepare, agent: &str, plan: Plan, now: Now) -> Self {
        let test = &prepare.test;
        Self {
            id: prepare.run_id.clone(),
            agent: agent.to_owned(),
            stop_timeout: test.stop_timeout(),
            prepare_timeout: PREPARE_TIMEOUT + plan.longest_start,
            kill_after: WORKER_GRACE + plan.longest_stop,
            phase: Phase::Fetching,
            run_zero: None,
            profile: LoadProfile::default(),
            profile_since: None,
            shape: if plan.awaits_shape {
                Shape::Awaited
            } else {
                Shape::None
            },
            worker_evaluates_shape: plan.worker_evaluates_shape,
            fetched: Arc::default(),
            set_up_data: None,
            failure: None,
            finish_asked: None,
            stopped_early: false,
            may_lose_workers: test.fleet.on_lost_agent.continues(),
            lost_workers: Vec::new(),
            last_user_ended: RunTime::ZERO,
            all_workers: test.workers,
            local_ports: plan.local_ports,
            measured: 0,
            was_saturated: false,
            workers: BTreeMap::new(),
            workers_changed: false,
            outbox: Outbox::new(prepare.run_id.clone()),
            next_snapshot: now.instant,
            next_alive: now.instant,
        }
    }

    /// Starts the workers, unless the part has ended meanwhile; `start_worker` starts each process.
    pub(crate) fn start_workers(
        &mut self,
        prepare: &Prepare,
        now: Now,
        mut start_worker: impl FnMut(u32, ToWorker) -> std::io::Result<W>,
    ) {
        if self.phase != Phase::Fetching {
            return;
        }
        self.phase = Phase::Preparing {
            until: now.instant + self.prepare_timeout,
        };
        let test = for_workers(&prepare.test);
        let counted_tags = prepare.test.counted_tags();
        let count = prepare.workers.len();
        self.note(
            now,
            format!("Starting {count} worker process{}", plural(count, "es")),
        );
        for &index in &prepare.workers {
            let message = ToWorker::Prepare {
                test: Box::new(test.clone()),
                worker: index,
                evaluates_shape: index == 0 && self.worker_evaluates_shape,
                counted_tags: counted_tags.clone(),
            };
            match start_worker(index, message) {
                Ok(handle) => self.add_worker(index, handle),
                Err(error) => {
                    let problem = error.to_string();
                    self.fail_worker(index, WorkerFailure::NotStarted { problem }, now);
                    break;
                }
            }
        }
        self.check_ports(&test.profile(), now);
        self.settle(now);
        self.check_ready(now);
    }

    fn add_worker(&mut self, index: u32, handle: W) {
        let worker = Worker {
            pid: handle.pid(),
            handle: Some(handle),
            ready: false,
            ended: false,
            failing: None,
            kill_at: None,
            lost: false,
            started: 0,
            stopped: 0,
            reported_until: 0,
        };
        self.workers.insert(index, worker);
        self.workers_changed = true;
    }

    /// Whether all workers wait for the start.
    pub(crate) fn is_ready(&self) -> bool {
        self.phase == Phase::Ready
    }

    /// Why the part did not end as planned, if so.
    pub(crate) fn problem(&self) -> Option<String> {
        let failure = self.failure.as_ref().map(ToString::to_string);
        failure.or_else(|| {
            self.stopped_early
                .then(|| "it was stopped early".to_owned())
        })
    }

    /// Follows how many bytes of the shipped build are here.
    pub(crate) fn fetched(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.fetched)
    }

    /// Whether its workers' program is awaited.
    pub(crate) fn is_fetching(&self) -> bool {
        self.phase == Phase::Fetching
    }

    /// Whether load is generated or about to be.
    pub(crate) fn is_active(&self) -> bool {
        self.phase != Phase::Over
    }

    /// Ends the load: requests in flight may finish within the stop timeout.
    pub(crate) fn stop(&mut self, now: Now) {
        match self.phase {
            Phase::Stopping { .. } | Phase::Over => return,
            Phase::Fetching | Phase::Preparing { .. } | Phase::Ready | Phase::Driving => {}
        }
        self.note(now, "Stopping the users".to_owned());
        self.stopped_early = true;
        self.phase = Phase::Stopping {
            kill_at: now.instant + self.stop_timeout + self.kill_after,
        };
        for worker in self.workers.values() {
            worker.send(|| ToWorker::Stop);
        }
        self.settle(now);
    }

    /// Ends the load because of a worker.
    pub(super) fn fail_worker(&mut self, index: u32, failure: WorkerFailure, now: Now) {
        let reason = FailureReason::Worker {
            agent: self.agent.clone(),
            worker: index,
            failure,
        };
        self.fail(reason, now);
    }

    /// Ends the load because of a failure; the first one is kept, and reported immediately, so that the run stops
    /// everywhere.
    pub(crate) fn fail(&mut self, reason: FailureReason, now: Now) {
        if self.phase == Phase::Over {
            return;
        }
        let is_first = self.failure.is_none();
        if is_first {
            self.note(now, reason.to_string());
            self.failure = Some(reason.clone());
        }
        self.stop(now);
        if is_first && self.phase != Phase::Over {
            self.outbox.set_failing(reason);
            self.snapshot(now);
        }
    }

    /// Kills what still runs.
    pub(crate) fn kill(&self) {
        for worker in self.workers.values() {
            if let Some(handle) = &worker.handle {
                handle.kill();
            }
        }
    }

    /// Ends the part when nothing runs any more.
    fn settle(&mut self, now: Now) {
        let stopping = matches!(self.phase, Phase::Stopping { .. } | Phase::Driving);
        let all_gone = self.workers.values().all(|worker| worker.handle.is_none());
        if !stopping || !all_gone {
            return;
        }
        self.note(now, "All workers have exited".to_owned());
        self.phase = Phase::Over;
        if self.workers_changed {
            self.report_workers();
        }
        self.outbox.end(
            self.failure.clone(),
            self.last_user_ended,
            std::mem::take(&mut self.lost_workers),
        );
        self.outbox.cut(None, self.reported_until());
    }

    /// What waits for the coordinator.
    pub(crate) fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// Whether the coordinator has everything and the run can be forgotten.
    pub(crate) fn is_done(&self) -> bool {
        self.outbox.is_done()
    }

    fn run_time(&self, now: Now) -> Duration {
        self.run_zero
            .map(|run_zero| now.instant.saturating_duration_since(run_zero))
            .unwrap_or_default()
    }

    /// Adds a line of the agent's own to the console log.
    pub(crate) fn note(&mut self, now: Now, text: String) {
        tracing::info!(run = %self.id, "{text}");
        self.log(now, self.agent.clone(), text);
    }

    fn log(&mut self, now: Now, source: String, text: String) {
        self.outbox.add_log(LogLine {
            at: now.coordinator_time,
            source,
            text: cut(&text, MAX_LOG_LINE_BYTES).into_owned(),
        });
    }
}

fn plural(count: usize, ending: &'static str) -> &'static str {
    if count == 1 { "" } else { ending }
}

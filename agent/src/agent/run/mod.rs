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
//! The first failure is the one that is kept. A worker that exits before its time fails the part and stops
//! the other workers; what they counted is sent all the same. Stopping has a deadline, at which what is left
//! is killed.

mod deadlines;
mod following;
mod local_ports;
#[cfg(test)]
mod tests;
mod worker;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use greylag_infra::protocol::{LogLine, MAX_LOG_LINE_BYTES, Prepare, UserChange, WorkerState, cut};
use greylag_infra::{
    FailureReason, GeneratorNotice, LoadProfile, LostWorker, RunId, SetUpData, WorkerFailure,
    micros, own_users,
};
use greylag_scenarios::WORKER_GRACE;

use super::link::Held;
use super::outbox::Outbox;
use super::worker_process::WorkerEvent;
use crate::worker_protocol::{Report, ToWorker};
pub(crate) use local_ports::local_ports;
use local_ports::too_few_ports;
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
    /// Local ports of this machine, if it says.
    pub(crate) local_ports: Option<u64>,
}

impl Plan {
    /// That of an agent that starts no worker.
    pub(crate) fn of_nobody() -> Self {
        Self {
            longest_start: Duration::ZERO,
            longest_stop: Duration::ZERO,
            awaits_shape: false,
            local_ports: None,
        }
    }
}

/// The present moment, as the agent's owner sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) instant: Instant,
    /// The coordinator's clock, µs since 1970.
    pub(crate) coordinator_us: u64,
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
    shape: Shape,
    /// What the scenario's set-up made, if worker 0 is ours.
    set_up_data: Option<SetUpData>,
    failure: Option<FailureReason>,
    /// Workers that ended before they had handed over their results.
    lost_workers: Vec<LostWorker>,
    /// When the last user ended, µs of run time.
    last_user_ended_us: u64,
    /// Workers over the whole run.
    all_workers: u32,
    local_ports: Option<u64>,
    workers: BTreeMap<u32, Worker<W>>,
    workers_changed: bool,
    outbox: Outbox,
    next_snapshot: Instant,
    next_alive: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Preparing { until: Instant },
    Ready,
    Driving,
    Stopping { kill_at: Instant },
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
        mut start_worker: impl FnMut(u32, ToWorker) -> std::io::Result<W>,
    ) -> Self {
        let test = &prepare.test;
        let mut run = Self {
            id: prepare.run_id.clone(),
            agent: agent.to_owned(),
            stop_timeout: test.stop_timeout(),
            prepare_timeout: PREPARE_TIMEOUT + plan.longest_start,
            kill_after: WORKER_GRACE + plan.longest_stop,
            phase: Phase::Preparing {
                until: now.instant + PREPARE_TIMEOUT + plan.longest_start,
            },
            run_zero: None,
            profile: LoadProfile::default(),
            shape: if plan.awaits_shape {
                Shape::Awaited
            } else {
                Shape::None
            },
            set_up_data: None,
            failure: None,
            lost_workers: Vec::new(),
            last_user_ended_us: 0,
            all_workers: test.workers,
            local_ports: plan.local_ports,
            workers: BTreeMap::new(),
            workers_changed: false,
            outbox: Outbox::new(prepare.run_id.clone()),
            next_snapshot: now.instant,
            next_alive: now.instant,
        };
        let count = prepare.workers.len();
        run.note(
            now,
            format!("Starting {count} worker process{}", plural(count, "es")),
        );
        for &index in &prepare.workers {
            let message = ToWorker::Prepare {
                test: Box::new(test.clone()),
                worker: index,
            };
            match start_worker(index, message) {
                Ok(handle) => run.add_worker(index, handle),
                Err(error) => {
                    let problem = error.to_string();
                    run.fail_worker(index, WorkerFailure::NotStarted { problem }, now);
                    break;
                }
            }
        }
        run.check_ports(&test.profile(), now);
        run.settle(now);
        run.check_ready(now);
        run
    }

    fn add_worker(&mut self, index: u32, handle: W) {
        let worker = Worker {
            pid: handle.pid(),
            handle: Some(handle),
            ready: false,
            ended: false,
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

    /// Whether load is generated or about to be.
    pub(crate) fn is_active(&self) -> bool {
        self.phase != Phase::Over
    }

    /// Ends the load: requests in flight may finish within the stop timeout.
    pub(crate) fn stop(&mut self, now: Now) {
        match self.phase {
            Phase::Stopping { .. } | Phase::Over => return,
            Phase::Preparing { .. } | Phase::Ready | Phase::Driving => {}
        }
        self.note(now, "Stopping the users".to_owned());
        self.phase = Phase::Stopping {
            kill_at: now.instant + self.stop_timeout + self.kill_after,
        };
        for worker in self.workers.values() {
            worker.say(|| ToWorker::Stop);
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

    /// Something happened in or to a worker.
    pub(crate) fn on_worker(&mut self, index: u32, event: WorkerEvent, now: Now) {
        match event {
            WorkerEvent::Ready { set_up_data } => {
                if set_up_data.is_some() {
                    self.set_up_data = set_up_data;
                }
                self.on_ready(index, now);
            }
            WorkerEvent::Report(report) => self.on_report(index, &report, now),
            WorkerEvent::StopTest { reason } => self.on_stop_test(&reason, now),
            WorkerEvent::Failing(failure) => self.fail_worker(index, failure, now),
            WorkerEvent::End {
                failure,
                last_user_ended_us,
            } => {
                self.last_user_ended_us = self.last_user_ended_us.max(last_user_ended_us);
                self.on_end(index, failure, now);
            }
            WorkerEvent::Line(line) => {
                let source = format!("{}/worker-{index}", self.agent);
                self.log(now, source, line);
            }
            WorkerEvent::LinesDropped(lines) => self.outbox.add_dropped_log_lines(lines),
            WorkerEvent::Exited { how } => self.on_exit(index, how, now),
        }
    }

    fn on_ready(&mut self, index: u32, now: Now) {
        if let Some(worker) = self.workers.get_mut(&index) {
            worker.ready = true;
        }
        self.check_ready(now);
    }

    fn check_ready(&mut self, now: Now) {
        let all_ready = self.workers.values().all(|worker| worker.ready)
            && !matches!(self.shape, Shape::Awaited);
        if all_ready && matches!(self.phase, Phase::Preparing { .. }) {
            self.phase = Phase::Ready;
            self.note(now, "All workers are ready".to_owned());
        }
    }

    fn on_report(&mut self, index: u32, report: &Report, now: Now) {
        if let Err(error) = self.outbox.add_report(report) {
            let problem = error.to_string();
            self.fail_worker(index, WorkerFailure::InvalidResults { problem }, now);
            return;
        }
        let Some(worker) = self.workers.get_mut(&index) else {
            return;
        };
        worker.reported_until = worker.reported_until.max(report.complete_until());
        for change in &report.user_changes {
            worker.started += change.started;
            worker.stopped += change.stopped;
            self.workers_changed = true;
        }
        for notice in &report.notices {
            let notice = GeneratorNotice {
                worker: Some(index),
                ..notice.clone()
            };
            self.add_notice(notice, now);
        }
        for news in self.outbox.take_overflow_news() {
            self.note(now, news);
        }
    }

    /// Notes that a profile has more users here than this machine has local ports.
    fn check_ports(&mut self, profile: &LoadProfile, now: Now) {
        let (Some(ports), Some(first_worker)) =
            (self.local_ports, self.workers.keys().next().copied())
        else {
            return;
        };
        let most_users = profile.most_users();
        let users = self
            .workers
            .keys()
            .map(|worker| own_users(most_users, *worker, self.all_workers))
            .sum();
        if let Some(notice) = too_few_ports(users, ports, first_worker) {
            self.add_notice(notice, now);
        }
    }

    /// Adds a notice to the results; the first of its kind is a line of the log, too.
    fn add_notice(&mut self, notice: GeneratorNotice, now: Now) {
        if let Some(news) = self.outbox.add_notice(notice) {
            self.note(now, format!("Warning: {}", news.message(Some(&self.agent))));
        }
    }

    /// The scenario's words become the reason of the failure, which is printed on terminals.
    fn on_stop_test(&mut self, reason: &str, now: Now) {
        let visible: String = reason
            .chars()
            .map(|character| match character {
                character if character.is_control() => ' ',
                character => character,
            })
            .collect();
        let text = visible.trim().to_owned();
        self.fail(FailureReason::StoppedByScenario { text }, now);
    }

    fn on_end(&mut self, index: u32, failure: Option<WorkerFailure>, now: Now) {
        if let Some(worker) = self.workers.get_mut(&index) {
            worker.ended = true;
        }
        if let Some(failure) = failure {
            self.fail_worker(index, failure, now);
        }
    }

    fn on_exit(&mut self, index: u32, how: Option<String>, now: Now) {
        let run_time = self.run_time(now);
        let Some(worker) = self.workers.get_mut(&index) else {
            return;
        };
        worker.handle = None;
        self.workers_changed = true;
        let left = worker.started.saturating_sub(worker.stopped);
        worker.stopped += left;
        let (ended, reported_until) = (worker.ended, worker.reported_until);
        if left > 0 {
            self.last_user_ended_us = self.last_user_ended_us.max(micros(run_time));
            self.outbox.add_user_change(UserChange {
                second: u32::try_from(run_time.as_secs()).unwrap_or(u32::MAX),
                started: 0,
                stopped: left,
                ..UserChange::default()
            });
        }
        if !ended {
            let how = how.unwrap_or_else(|| "exited unexpectedly".to_owned());
            if self.run_zero.is_some() {
                self.lost_workers.push(LostWorker {
                    worker: index,
                    since_second: reported_until,
                    how: how.clone(),
                });
            }
            self.fail_worker(index, WorkerFailure::Exited { how }, now);
        }
        self.settle(now);
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
            self.last_user_ended_us,
            std::mem::take(&mut self.lost_workers),
        );
        self.outbox.cut(None, self.reported_until());
    }

    /// Makes a snapshot of the seconds that are over, or of everything at the end.
    fn snapshot(&mut self, now: Now) {
        if self.workers_changed && self.phase != Phase::Over {
            self.report_workers();
        }
        let goes_on = self.run_zero.is_some() && self.phase != Phase::Over;
        let this_second = u32::try_from(self.run_time(now).as_secs()).unwrap_or(u32::MAX);
        self.outbox
            .cut(goes_on.then_some(this_second), self.reported_until());
    }

    /// Up to which second of run time all workers have reported everything. One that was lost never will.
    fn reported_until(&self) -> u32 {
        let until_of = |ended: bool| {
            let workers = self.workers.values();
            workers
                .filter(move |worker| worker.ended == ended)
                .map(|worker| worker.reported_until)
        };
        let latest = || until_of(true).max().unwrap_or(0);
        until_of(false).min().unwrap_or_else(latest)
    }

    fn report_workers(&mut self) {
        self.workers_changed = false;
        let states = self
            .workers
            .iter()
            .map(|(index, worker)| WorkerState {
                index: *index,
                pid: worker.pid,
                users: worker.started.saturating_sub(worker.stopped),
                running: worker.handle.is_some(),
            })
            .collect();
        self.outbox.set_workers(states);
    }

    /// How the part stands, for the coordinator.
    pub(crate) fn held(&self, run_id: &RunId) -> Held {
        // On a slow link most of what waits is not in a snapshot yet.
        let pending = self.outbox.oldest_pending_second();
        let pending_since = self.run_zero.zip(pending).and_then(|(run_zero, second)| {
            run_zero.checked_add(Duration::from_secs(u64::from(second) + 1))
        });
        let since = [self.outbox.unacknowledged_since(), pending_since];
        Held {
            run_id: run_id.clone(),
            run_zero: self.run_zero,
            unacknowledged_since: since.into_iter().flatten().min(),
        }
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
    fn note(&mut self, now: Now, text: String) {
        tracing::info!(run = %self.id, "{text}");
        self.log(now, self.agent.clone(), text);
    }

    fn log(&mut self, now: Now, source: String, text: String) {
        self.outbox.add_log(LogLine {
            at_us: now.coordinator_us,
            source,
            text: cut(&text, MAX_LOG_LINE_BYTES).into_owned(),
        });
    }
}

fn plural(count: usize, ending: &'static str) -> &'static str {
    if count == 1 { "" } else { ending }
}

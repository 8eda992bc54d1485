//! What follows from an event of a worker.

use std::time::Duration;

use greylag_infra::protocol::{MAX_ERROR_BYTES, UserChange, visible_line};
use greylag_infra::{
    FailureReason, GeneratorNotice, LoadProfile, LostWorker, ProcessHealth, WorkerFailure,
    own_users,
};

use super::local_ports::too_few_ports;
use super::{AgentRun, Now, Phase, Shape, WorkerHandle};
use crate::agent::worker_process::WorkerEvent;
use crate::worker_protocol::Report;

impl<W: WorkerHandle> AgentRun<W> {
    /// Something happened in or to a worker.
    pub(crate) fn on_worker(&mut self, index: u32, event: WorkerEvent, now: Now) {
        match event {
            WorkerEvent::Ready { set_up_data } => {
                if set_up_data.is_some() {
                    self.set_up_data = set_up_data;
                }
                self.on_ready(index, now);
            }
            // Only the worker that was asked says it, and before it is ready.
            WorkerEvent::Shape(shape) if matches!(self.shape, Shape::Awaited) => {
                self.on_shape(shape, now);
            }
            WorkerEvent::Shape(_) => {}
            WorkerEvent::Report(report) => self.on_report(index, &report, now),
            WorkerEvent::StopTest { reason } => {
                let text = visible_line(&reason, MAX_ERROR_BYTES);
                self.fail(FailureReason::StoppedByScenario { text }, now);
            }
            WorkerEvent::FinishTest { reason } => {
                self.finish_asked
                    .get_or_insert_with(|| visible_line(&reason, MAX_ERROR_BYTES));
            }
            WorkerEvent::Failing(failure) => self.on_failing(index, failure, now),
            WorkerEvent::End {
                failure,
                last_user_ended,
            } => {
                self.last_user_ended = self.last_user_ended.max(last_user_ended);
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

    pub(super) fn check_ready(&mut self, now: Now) {
        let all_ready = self.workers.values().all(|worker| worker.ready)
            && !matches!(self.shape, Shape::Awaited);
        if all_ready && matches!(self.phase, Phase::Preparing { .. }) {
            self.phase = Phase::Ready;
            self.note(now, "All workers are ready".to_owned());
        }
    }

    fn on_report(&mut self, index: u32, report: &Report, now: Now) {
        match self.outbox.add_report(index, report) {
            Ok(news) => {
                for notice in news {
                    self.note_warning(&notice, now);
                }
            }
            Err(error) => {
                let problem = error.to_string();
                self.fail_worker(index, WorkerFailure::InvalidResults { problem }, now);
                return;
            }
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
        for health in &report.health {
            let health = ProcessHealth {
                worker: Some(index),
                ..*health
            };
            self.add_health(&health, now);
        }
        for news in self.outbox.take_overflow_news() {
            self.note(now, news);
        }
    }

    /// Notes that a profile has more users here than this machine has local ports.
    pub(super) fn check_ports(&mut self, profile: &LoadProfile, now: Now) {
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
    pub(super) fn add_notice(&mut self, notice: GeneratorNotice, now: Now) {
        if let Some(news) = self.outbox.add_notice(notice) {
            self.note_warning(&news, now);
        }
    }

    fn note_warning(&mut self, notice: &GeneratorNotice, now: Now) {
        let message = notice.message(Some(&self.agent));
        self.note(now, format!("Warning: {message}"));
    }

    /// A worker is about to end early; its results come yet.
    pub(super) fn on_failing(&mut self, index: u32, failure: WorkerFailure, now: Now) {
        if !self.goes_on_without(index, &failure) {
            self.fail_worker(index, failure, now);
        } else {
            self.let_worker_end(index, failure, now);
        }
    }

    fn on_end(&mut self, index: u32, failure: Option<WorkerFailure>, now: Now) {
        let mut failing = None;
        if let Some(worker) = self.workers.get_mut(&index) {
            worker.ended = true;
            failing = worker.failing.take();
        }
        let Some(failure) = failing.or(failure) else {
            return;
        };
        if self.goes_on_without(index, &failure) {
            let lost = LostWorker {
                worker: index,
                since_second: second_of(self.run_time(now)),
                handed_over: true,
                how: failure.to_string(),
            };
            self.lose_worker(lost, now);
        } else {
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
        let failing = worker.failing.take();
        if left > 0 {
            self.last_user_ended = self.last_user_ended.max(run_time.into());
            self.outbox.add_user_change(UserChange {
                second: second_of(run_time),
                started: 0,
                stopped: left,
                ..UserChange::default()
            });
        }
        if !ended {
            let how = how.unwrap_or_else(|| "exited unexpectedly".to_owned());
            let how = failing.map_or(how, |failing| failing.to_string());
            let lost = LostWorker {
                worker: index,
                since_second: reported_until,
                handed_over: false,
                how: how.clone(),
            };
            let failure = WorkerFailure::Exited { how };
            if self.goes_on_without(index, &failure) {
                self.lose_worker(lost, now);
            } else {
                if self.run_zero.is_some() {
                    self.lost_workers.push(lost);
                }
                self.fail_worker(index, failure, now);
            }
        }
        self.settle(now);
    }
}

fn second_of(run_time: Duration) -> u32 {
    u32::try_from(run_time.as_secs()).unwrap_or(u32::MAX)
}

//! The results of one run that the coordinator does not have yet.
//!
//! ```text
//!  workers' reports, log lines, ...
//!        |  merged per second and endpoint
//!     pending  --cut, at most MAX_UNACKNOWLEDGED-->  unacknowledged  --ack-->  gone
//!                                                        | sent once per connection, unchanged
//! ```
//!
//! Results are never dropped: while the coordinator is away, new ones are merged into those that are pending.

mod error_samples;
#[cfg(test)]
mod metric_tests;
mod pending;
mod pending_sums;
mod pending_tags;
#[cfg(test)]
mod sample_tests;
mod send_budget;
#[cfg(test)]
mod tests;
mod unacknowledged;

use std::time::{Duration, Instant};

use bytes::Bytes;
use greylag_infra::protocol::{
    AgentEnd, CustomMetric, ErrorCount, ErrorSampleData, IntervalData, LogLine, MetricData,
    SampleData, SampleDetails, TagInterval, ToCoordinator, UserChange, WorkerState, encode,
};
use greylag_infra::{
    FailureReason, GeneratorNotice, GeneratorNotices, LostWorker, MAX_THRESHOLDS, ProcessHealth,
    RunId, RunTime,
};
use greylag_reporting::{
    IntervalError, MAX_SAMPLES_PER_SECOND, MetricError, PackedMetric, SparseInterval, check_metric,
    check_wire, thin_samples,
};

use crate::bounded_names::{BoundedNames, Overflowed};
use crate::worker_protocol::{Report, add_change};
use error_samples::ErrorSampleLimit;
use pending::{Pending, merge_into, merge_neighbours};
use send_budget::SendBudget;
use unacknowledged::Unacknowledged;

/// Seconds that are kept apart while they are pending; beyond that, each two neighbours are merged. Samples are drawn
/// again then, so that there are never more than for this many seconds.
const MAX_PENDING_SECONDS: usize = 600;
/// Seconds with user changes that are kept apart while they are pending.
const MAX_PENDING_USER_CHANGES: usize = 10_000;
/// Log lines that are pending at most; further ones count as dropped.
const MAX_PENDING_LOG_LINES: usize = 10_000;
/// A snapshot is closed when it has about this many bytes; what is left goes into the next one. With one
/// more interval of the largest kind it stays far below `MAX_MESSAGE_BYTES`.
const SNAPSHOT_BYTES: usize = 2 * 1024 * 1024;

/// The outbox of one run.
#[derive(Debug)]
pub(crate) struct Outbox {
    run_id: RunId,
    names: BoundedNames,
    reported_overflow: Overflowed,
    /// All of this run, so that each is logged once.
    notices: GeneratorNotices,
    error_samples: ErrorSampleLimit,
    pending: Pending,
    unacknowledged: Unacknowledged,
    last_seq: u64,
    requests: u64,
    failures: u64,
    ended: bool,
    budget: SendBudget,
}

/// Why a worker's report was not added.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReportError {
    #[error(transparent)]
    Interval(#[from] IntervalError),
    #[error("an interval refers to an endpoint that the report does not list")]
    Endpoint,
    #[error(
        "an interval refers to tag {0}, but thresholds are about at most {MAX_THRESHOLDS} tags"
    )]
    Tag(u32),
    #[error(transparent)]
    Metric(#[from] MetricError),
    #[error("values refer to a custom metric that the report does not list")]
    UnknownMetric,
}

impl Outbox {
    pub(crate) fn new(run_id: RunId) -> Self {
        Self {
            run_id,
            names: BoundedNames::default(),
            reported_overflow: Overflowed::default(),
            notices: GeneratorNotices::default(),
            error_samples: ErrorSampleLimit::default(),
            pending: Pending::default(),
            unacknowledged: Unacknowledged::default(),
            last_seq: 0,
            requests: 0,
            failures: 0,
            ended: false,
            budget: SendBudget::new(SNAPSHOT_BYTES),
        }
    }

    /// Adds the report of a worker, by its global index: all of it or, if any of it is wrong, nothing. Gives the notices about what
    /// was left out of it that are the first of their kind.
    ///
    /// # Errors
    /// When an interval is malformed or refers to an endpoint that is not in the report.
    pub(crate) fn add_report(
        &mut self,
        worker: u32,
        report: &Report,
    ) -> Result<Vec<GeneratorNotice>, ReportError> {
        let is_named = |position: u32| (position as usize) < report.endpoints.len();
        if !report.intervals.iter().all(|data| is_named(data.endpoint)) {
            return Err(ReportError::Endpoint);
        }
        let intervals = report
            .intervals
            .iter()
            .map(|data| Ok((data, check_wire(data)?)))
            .collect::<Result<Vec<_>, IntervalError>>()?;
        let tags = checked_tags(report)?;
        let metrics = checked_metrics(report)?;
        let numbers: Vec<u32> = report
            .endpoints
            .iter()
            .map(|endpoint| self.names.endpoint(&endpoint.method, &endpoint.name))
            .collect();
        let number_of = |position: u32| numbers.get(position as usize).copied();
        for (data, checked) in intervals {
            if let Some(endpoint) = number_of(data.endpoint) {
                self.add_interval(endpoint, data, &checked);
            }
        }
        for (tag, second, checked) in tags {
            let tags = &mut self.pending.tags;
            tags.add(second, tag, |requests| requests.merge(&checked));
        }
        let mut news = Vec::new();
        for (values, metric, checked) in metrics {
            news.extend(self.add_metric(metric, values, &checked));
        }
        for change in &report.user_changes {
            self.add_user_change(*change);
        }
        for sample in &report.samples {
            if let Some(endpoint) = number_of(sample.endpoint) {
                let text = |position: u32| report.sample_errors.get(position as usize);
                let text = sample.details.error.and_then(text);
                let error = text.map(|text| self.names.error(endpoint, text, |_, number| number));
                self.add_sample(SampleData {
                    endpoint,
                    details: SampleDetails {
                        worker: Some(worker),
                        error,
                        ..sample.details
                    },
                    ..*sample
                });
            }
        }
        for sample in &report.error_samples {
            if let (Some(endpoint), Some(text)) = (
                number_of(sample.endpoint),
                report.sample_errors.get(sample.error as usize),
            ) {
                let error = self.names.error(endpoint, text, |_, number| number);
                if self.error_samples.admits(error) {
                    let sample = ErrorSampleData {
                        endpoint,
                        error,
                        worker: Some(worker),
                        ..sample.clone()
                    };
                    self.pending.error_samples.push_back(sample.bounded());
                }
            }
        }
        Ok(news)
    }

    fn add_sample(&mut self, sample: SampleData) {
        /// How many times the limit may come together before they are thinned.
        const SLACK: usize = 4;
        let second = u32::try_from(sample.at_us / 1_000_000).unwrap_or(u32::MAX);
        let samples = self.pending.samples.entry(second).or_default();
        samples.push(sample);
        if samples.len() >= SLACK * MAX_SAMPLES_PER_SECOND {
            thin_samples(samples);
        }
        if self.pending.samples.len() > MAX_PENDING_SECONDS {
            merge_neighbours(&mut self.pending.samples, |kept, merged| {
                kept.extend(merged);
                thin_samples(kept);
            });
        }
    }

    fn add_interval(&mut self, endpoint: u32, data: &IntervalData, checked: &SparseInterval) {
        let second = self.pending.intervals.entry(data.second).or_default();
        let counted_by = (endpoint, checked.sums().outcomes());
        let interval = second.entry(counted_by).or_default();
        interval.add(checked);
        for ErrorCount { error, occurrences } in &data.errors {
            self.names.error(endpoint, error, |text, _| {
                interval.record_error(text, *occurrences);
            });
        }
        self.requests += data.requests;
        self.failures += data.failures;
        if self.pending.intervals.len() > MAX_PENDING_SECONDS {
            merge_neighbours(&mut self.pending.intervals, |kept, merged| {
                for (counted_by, interval) in merged {
                    merge_into(kept, counted_by, interval);
                }
            });
        }
    }

    fn add_metric(
        &mut self,
        metric: &CustomMetric,
        values: &MetricData,
        checked: &PackedMetric,
    ) -> Option<GeneratorNotice> {
        let CustomMetric { name, kind, unit } = metric;
        let number = match self.names.metrics.number(name, *kind, unit) {
            Ok(number) => number,
            // Another worker declared it otherwise, or others have used up all places.
            Err(left_out) => {
                return self.add_notice(left_out.notice(name, values.second, values.count));
            }
        };
        let metrics = &mut self.pending.metrics;
        metrics.add(values.second, number, |sums| sums.add(checked));
        None
    }

    /// Adds users that started or stopped.
    pub(crate) fn add_user_change(&mut self, change: UserChange) {
        add_change(
            self.pending
                .user_changes
                .entry(change.second)
                .or_insert(UserChange {
                    second: change.second,
                    ..UserChange::default()
                }),
            change,
        );
        if self.pending.user_changes.len() > MAX_PENDING_USER_CHANGES {
            merge_neighbours(&mut self.pending.user_changes, add_change);
        }
    }

    /// Adds a console log line.
    pub(crate) fn add_log(&mut self, line: LogLine) {
        if self.pending.log.len() < MAX_PENDING_LOG_LINES {
            self.pending.log.push_back(line);
        } else {
            self.pending.log_lines_dropped += 1;
        }
    }

    /// Counts log lines that were left out elsewhere.
    pub(crate) fn add_dropped_log_lines(&mut self, lines: u64) {
        self.pending.log_lines_dropped += lines;
    }

    /// The workers' state has changed to this.
    pub(crate) fn set_workers(&mut self, workers: Vec<WorkerState>) {
        self.pending.workers = workers;
    }

    /// These workers are lost so far, and the agent goes on without them.
    pub(crate) fn set_lost_workers(&mut self, lost: Vec<LostWorker>) {
        self.pending.lost_workers = lost;
    }

    /// The load is being stopped early, for this reason; it is in the next snapshot.
    pub(crate) fn set_failing(&mut self, reason: FailureReason) {
        self.pending.failing = Some(reason);
    }

    /// Adds what a worker, or this machine, ran short of. Returns the notice if it is the first of its kind.
    pub(crate) fn add_notice(&mut self, notice: GeneratorNotice) -> Option<GeneratorNotice> {
        self.pending.notices.add(notice.clone());
        self.notices.add(notice).cloned()
    }

    /// Adds how a worker, or the agent itself, fared in a second.
    pub(crate) fn add_health(&mut self, health: &ProcessHealth) {
        let processes = self.pending.health.entry(health.second).or_default();
        let known = processes.entry(health.worker);
        known
            .and_modify(|known| known.merge(health))
            .or_insert(*health);
        if self.pending.health.len() > MAX_PENDING_SECONDS {
            merge_neighbours(&mut self.pending.health, |kept, merged| {
                for (worker, health) in merged {
                    let known = kept.entry(worker);
                    known
                        .and_modify(|known| known.merge(&health))
                        .or_insert(health);
                }
            });
        }
    }

    /// Messages about caps that have been passed since this was last asked.
    pub(crate) fn take_overflow_news(&mut self) -> Vec<String> {
        let overflowed = self.names.overflowed();
        let news = overflowed.news_since(self.reported_overflow).collect();
        self.reported_overflow = overflowed;
        news
    }

    /// The agent's part of the run is over; nothing may be added from here on.
    pub(crate) fn end(
        &mut self,
        failure: Option<FailureReason>,
        ended_at: RunTime,
        lost_workers: Vec<LostWorker>,
    ) {
        let mut end = AgentEnd {
            requests: self.requests,
            failures: self.failures,
            ended_at,
            lost_workers,
            ..AgentEnd::default()
        };
        if let Some(reason) = failure {
            end.set_failure(reason);
        }
        self.pending.end = Some(end);
    }

    /// Makes snapshots of what is pending, as many as may be unacknowledged: of the seconds before this one, because
    /// the workers hand over more of it, or of all and with the end. What is reported is whole up to `reported_until`.
    pub(crate) fn cut(&mut self, before: Option<u32>, reported_until: u32) {
        while self.may_send_more() && !self.pending.is_empty(before) {
            self.last_seq += 1;
            let budget = self.budget.snapshot_bytes();
            let mut snapshot = self.pending.take(before, budget, &self.names);
            snapshot.run_id.clone_from(&self.run_id);
            snapshot.seq = self.last_seq;
            let pending = self.pending.first_second().unwrap_or(u32::MAX);
            snapshot.complete_until = reported_until.min(pending);
            self.ended |= snapshot.end.is_some();
            let frame = encode(&ToCoordinator::Snapshot(Box::new(snapshot)));
            self.unacknowledged.push(self.last_seq, frame.into());
        }
    }

    fn may_send_more(&self) -> bool {
        !self.unacknowledged.is_full() && self.budget.has_room(self.unacknowledged.bytes())
    }

    /// The next frame to send on the present connection.
    pub(crate) fn next_to_send(&mut self) -> Option<Bytes> {
        self.unacknowledged.next_to_send()
    }

    /// There is a new connection: everything unacknowledged has to be sent on it.
    pub(crate) fn reconnected(&mut self) {
        self.unacknowledged.send_all_again();
    }

    /// The coordinator has saved this snapshot and all before it, which took it so long.
    pub(crate) fn acknowledged(&mut self, seq: u64, saving: Duration) {
        let now = Instant::now();
        while let Some(frame) = self.unacknowledged.remove_up_to(seq) {
            self.budget
                .acknowledged(frame.bytes.len(), frame.sent_at, now, saving);
        }
    }

    /// Since when the oldest snapshot that is not acknowledged waits.
    pub(crate) fn unacknowledged_since(&self) -> Option<Instant> {
        self.unacknowledged.oldest()
    }

    /// The oldest second that results are pending of.
    pub(crate) fn oldest_pending_second(&self) -> Option<u32> {
        self.pending.first_second()
    }

    /// Whether the coordinator has everything, the end included.
    pub(crate) fn is_done(&self) -> bool {
        self.ended && self.unacknowledged.is_empty()
    }
}

/// The intervals of tags of a report, each with its tag and its second.
fn checked_tags(report: &Report) -> Result<Vec<(u32, u32, SparseInterval)>, ReportError> {
    let tags = report.tag_intervals.iter();
    let checked =
        tags.map(
            |TagInterval { tag, interval }| match (*tag as usize) < MAX_THRESHOLDS {
                true => Ok((*tag, interval.second, check_wire(interval)?)),
                false => Err(ReportError::Tag(*tag)),
            },
        );
    checked.collect()
}

/// The values of custom metrics of a report, each with its metric.
fn checked_metrics(
    report: &Report,
) -> Result<Vec<(&MetricData, &CustomMetric, PackedMetric)>, ReportError> {
    let checked = report.metric_values.iter().map(|values| {
        let metric = report.metrics.get(values.metric as usize);
        let metric = metric.ok_or(ReportError::UnknownMetric)?;
        Ok((values, metric, check_metric(metric.kind, values)?))
    });
    checked.collect()
}

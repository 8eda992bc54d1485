//! The results that an agent hands over: what happened since its last snapshot of a run.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::{
    CustomMetric, ErrorSampleData, FailureReason, GeneratorNotice, MAX_CUSTOM_METRICS,
    MAX_ERROR_SAMPLES_OF_RUN, MetricData, ProcessHealth, SampleDetails,
};
use crate::base::{MAX_ERRORS, MAX_WORKERS, RunId, RunTime, WallTime, bounded_list};

/// Most elements of each of a snapshot's lists but its intervals.
pub const MAX_SNAPSHOT_PARTS: usize = 50_000;
/// Most intervals of a snapshot.
pub const MAX_SNAPSHOT_INTERVALS: usize = 20_000;

/// What happened since the last snapshot. Everything in it is added to what is there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Snapshot {
    /// The run.
    pub run_id: RunId,
    /// Number of the snapshot, from 1 without gaps.
    pub seq: u64,
    /// Endpoints that `intervals`, `samples` and `error_samples` refer to by position.
    #[serde(deserialize_with = "bounded_list::<_, _, MAX_SNAPSHOT_PARTS>")]
    pub endpoints: Vec<Endpoint>,
    /// Requests by second and endpoint.
    #[serde(deserialize_with = "bounded_list::<_, _, MAX_SNAPSHOT_INTERVALS>")]
    pub intervals: Vec<IntervalData>,
    /// Users that started and stopped.
    #[serde(deserialize_with = "bounded_list::<_, _, MAX_SNAPSHOT_PARTS>")]
    pub user_changes: Vec<UserChange>,
    /// Single requests for the scatter plot.
    #[serde(deserialize_with = "bounded_list::<_, _, MAX_SNAPSHOT_PARTS>")]
    pub samples: Vec<SampleData>,
    /// Texts of errors that `samples` and `error_samples` refer to by position.
    #[serde(
        deserialize_with = "bounded_list::<_, _, { MAX_ERRORS + 1 }>",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub sample_errors: Vec<String>,
    /// Failed requests with what came back.
    #[serde(
        deserialize_with = "bounded_list::<_, _, MAX_ERROR_SAMPLES_OF_RUN>",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub error_samples: Vec<ErrorSampleData>,
    /// Console log lines, in order.
    #[serde(deserialize_with = "bounded_list::<_, _, MAX_SNAPSHOT_PARTS>")]
    pub log: Vec<LogLine>,
    /// Log lines left out because they came too fast.
    pub log_lines_dropped: u64,
    /// Workers without which the agent goes on, all of them so far; empty if unchanged. Of a run that goes on without what
    /// it loses.
    #[serde(
        deserialize_with = "bounded_list::<_, _, { MAX_WORKERS as usize }>",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub lost_workers: Vec<LostWorker>,
    /// State of the agent's workers now; empty if unchanged.
    #[serde(deserialize_with = "bounded_list::<_, _, { MAX_WORKERS as usize }>")]
    pub workers: Vec<WorkerState>,
    /// Why the agent is stopping its load early, once it knows; the run is to stop everywhere. Only the message, which
    /// is all that coordinators read before there were reasons: see [`Snapshot::failing_reason`].
    pub failing: Option<String>,
    /// The same as a reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<FailureReason>,
    /// What the generator itself ran short of since the last snapshot.
    #[serde(deserialize_with = "bounded_list::<_, _, MAX_SNAPSHOT_PARTS>")]
    pub notices: Vec<GeneratorNotice>,
    /// How the agent's workers and itself fared in some seconds. Empty where that is not measured.
    #[serde(
        deserialize_with = "bounded_list::<_, _, MAX_SNAPSHOT_PARTS>",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub health: Vec<ProcessHealth>,
    /// Custom metrics that `metric_values` refer to by position.
    #[serde(
        deserialize_with = "bounded_list::<_, _, MAX_CUSTOM_METRICS>",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub metrics: Vec<CustomMetric>,
    /// Their values, by second and metric.
    #[serde(
        deserialize_with = "bounded_list::<_, _, MAX_SNAPSHOT_PARTS>",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub metric_values: Vec<MetricData>,
    /// The requests of tasks with a tag that thresholds are about, by second and tag. They are among `intervals`, too.
    #[serde(
        deserialize_with = "bounded_list::<_, _, MAX_SNAPSHOT_INTERVALS>",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub tag_intervals: Vec<TagInterval>,
    /// With it, all results of the seconds of run time before this one are there, from all workers of the agent.
    pub complete_until: u32,
    /// Set in the last snapshot of the run.
    pub end: Option<AgentEnd>,
}

impl Snapshot {
    /// Says why the load is being stopped early.
    pub fn set_failing(&mut self, reason: FailureReason) {
        self.failing = Some(reason.to_string());
        self.reason = Some(reason);
    }

    /// Why the agent is stopping its load early, as it is kept.
    pub fn failing_reason(&self) -> Option<FailureReason> {
        FailureReason::reported(self.failing.as_deref(), self.reason.as_ref())
    }
}

/// Method and name: what results are counted by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Endpoint {
    /// HTTP method or another kind of request.
    pub method: String,
    /// The request's name.
    pub name: String,
}

/// One second of run time, one endpoint, one agent (or worker): the unit of measurement. All response
/// times in µs. Requests that failed are an interval of their own beside that of the others, so that the numbers of each
/// are known; agents of earlier versions have them together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct IntervalData {
    /// Second of run time in which the requests ended.
    pub second: u32,
    /// Position in [`Snapshot::endpoints`].
    pub endpoint: u32,
    /// Requests, failures included. May be 0 (then only `errors` matter: errors of tasks).
    pub requests: u64,
    /// Requests that failed.
    pub failures: u64,
    /// Bytes of response bodies, decoded.
    pub bytes: u64,
    /// Least response time.
    pub min_us: u64,
    /// Greatest response time.
    pub max_us: u64,
    /// Sum of response times.
    pub sum_us: u64,
    /// Sum of times to first byte.
    pub ttfb_sum_us: u64,
    /// Requests that have a time to first byte.
    pub ttfb_count: u64,
    /// HDR histogram (1 µs to 1 h, 3 digits), V2 + DEFLATE; empty when there are no requests.
    pub histogram: ByteBuf,
    /// Requests whose intended start is known; the next four and the histogram are about these, from the
    /// intended start on.
    pub intended_count: u64,
    /// Least response time from the intended start.
    pub intended_min_us: u64,
    /// Greatest response time from the intended start.
    pub intended_max_us: u64,
    /// Sum of response times from the intended start.
    pub intended_sum_us: u64,
    /// HDR histogram of them, as `histogram`; empty when there are none.
    pub intended_histogram: ByteBuf,
    /// Requests that were timed only until the first byte of the answer (those of goose scenarios).
    pub first_byte_only: u64,
    /// Errors by text.
    #[serde(deserialize_with = "bounded_list::<_, _, { MAX_ERRORS + 1 }>")]
    pub errors: Vec<ErrorCount>,
    /// Least time to first byte.
    pub ttfb_min_us: u64,
    /// Greatest time to first byte.
    pub ttfb_max_us: u64,
    /// HDR histogram of them, as `histogram`; empty when there are none, and of agents that do not have it.
    pub ttfb_histogram: ByteBuf,
    /// Status codes (0: no answer) with their counts, as a histogram has them after its header; empty of agents that do not
    /// count them.
    pub statuses: ByteBuf,
}

/// One second of run time and one tag, whatever the endpoint and however the requests ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TagInterval {
    /// Position in [`LoadTest::counted_tags`](crate::LoadTest::counted_tags).
    pub tag: u32,
    /// The requests. It refers to no endpoint and has no errors.
    pub interval: IntervalData,
}

/// How often an error occurred.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorCount {
    /// Its text.
    pub error: String,
    /// How often.
    pub occurrences: u64,
}

/// Users that started and stopped within one second of run time, and iterations of an arrival rate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UserChange {
    /// Second of run time.
    pub second: u32,
    /// Users started.
    pub started: u64,
    /// Users stopped.
    pub stopped: u64,
    /// Iterations that an arrival rate asked for and that began, late ones included.
    pub arrivals: u64,
    /// Of these, how many began late.
    pub late_arrivals: u64,
    /// Iterations that an arrival rate asked for and that never began, because every user was busy.
    pub skipped_arrivals: u64,
}

/// One request for the scatter plot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct SampleData {
    /// Position in [`Snapshot::endpoints`].
    pub endpoint: u32,
    /// When it ended: µs of run time.
    pub at_us: u64,
    /// Response time in µs.
    pub response_us: u64,
    /// Whether it failed.
    pub failed: bool,
    /// What else is known of it.
    #[serde(default)]
    pub details: SampleDetails,
    /// Why it was kept. The last field, because workers send samples as lists, from which it may be left out.
    #[serde(default, skip_serializing_if = "SampleKind::is_drawn")]
    pub kind: SampleKind,
}

/// Why a sample was kept of all requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SampleKind {
    /// Drawn from all requests, each as likely as any other.
    #[default]
    Drawn,
    /// Drawn from the failed ones in addition.
    Failed,
    /// The slowest of its endpoint, where it was not drawn.
    Slow,
}

impl SampleKind {
    /// Whether it was drawn from all requests.
    pub fn is_drawn(&self) -> bool {
        *self == Self::Drawn
    }
}

/// One line of the console log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When, on the coordinator's clock.
    #[serde(rename = "at_us")]
    pub at: WallTime,
    /// Who: `agent`, `agent/worker-0` or `coordinator`.
    pub source: String,
    /// The line, without its end, valid UTF-8, possibly cut. May hold terminal escapes: whoever shows it escapes.
    pub text: String,
}

/// State of one worker process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkerState {
    /// Global index.
    pub index: u32,
    /// Process id.
    pub pid: u32,
    /// Users active now.
    pub users: u64,
    /// Whether it runs.
    pub running: bool,
}

/// How an agent's part of a run ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentEnd {
    /// Why it did not end as planned. Only the message, which is all that coordinators read before there were reasons:
    /// see [`AgentEnd::failure_reason`].
    pub failure: Option<String>,
    /// The same as a reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<FailureReason>,
    /// All requests the agent reported in this run, for the check at the end.
    pub requests: u64,
    /// All failures likewise.
    pub failures: u64,
    /// When the agent's last user ended; run time zero if none ever started.
    #[serde(default, rename = "ended_at_us")]
    pub ended_at: RunTime,
    /// Workers that ended before they had handed over their results, and in a run that goes on without what it loses those
    /// that only ended early, too.
    #[serde(
        default,
        deserialize_with = "bounded_list::<_, _, { MAX_WORKERS as usize }>"
    )]
    pub lost_workers: Vec<LostWorker>,
}

impl AgentEnd {
    /// Says why the part did not end as planned.
    pub fn set_failure(&mut self, reason: FailureReason) {
        self.failure = Some(reason.to_string());
        self.reason = Some(reason);
    }

    /// Why the part did not end as planned, as it is kept.
    pub fn failure_reason(&self) -> Option<FailureReason> {
        FailureReason::reported(self.failure.as_deref(), self.reason.as_ref())
    }
}

/// A worker process that ended before it had handed over its results, or before the end of the load.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LostWorker {
    /// Global index.
    pub worker: u32,
    /// First second of run time of which something may be missing.
    pub since_second: u32,
    /// Whether all its results are there and only its users are missing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub handed_over: bool,
    /// How, as text that follows the worker's name: `was killed by signal 9 (SIGKILL)`.
    pub how: String,
}

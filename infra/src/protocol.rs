//! The wire between agents and the coordinator: MessagePack with named fields in WebSocket binary frames.
//!
//! WHEN CHANGING THE PROTOCOL: adding a field needs `#[serde(default)]` and no new version (unknown fields
//! are ignored, missing ones default). Changing what a field means, or adding a message that must be
//! understood, needs a new [`PROTOCOL_VERSION`]: agents and coordinator of different versions refuse each
//! other in the hello. Update the golden frames in `tests/` with either.
//!
//! Nothing is lost and nothing counted twice: an agent numbers its snapshots per run from 1; the
//! coordinator saves a snapshot, then acknowledges it; the agent keeps what is unacknowledged and sends it
//! again, unchanged, after a reconnect; the coordinator ignores numbers it has saved.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::agent_secret::AgentSecret;
use crate::bounded_list::bounded_list;
use crate::build_info::BuildInfo;
use crate::completeness::LostWorker;
use crate::generator_notice::GeneratorNotice;
use crate::load_profile::LoadProfile;
use crate::load_test::{LoadTest, MAX_OPTIONS, MAX_WORKERS};
use crate::run::RunId;
use crate::set_up_data::SetUpData;

/// Version of this protocol; both sides must have the same. What 3 added: an agent proves who it is, and agents of version 2 would
/// silently ignore a test's client settings and set-up data.
pub const PROTOCOL_VERSION: u32 = 3;
/// Largest message either side accepts, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 8 * 1024 * 1024;
/// Largest WebSocket frame that the coordinator accepts, in bytes: agents send longer messages in several, because a
/// connection keeps memory for its largest frame as long as it lasts.
pub const MAX_FRAME_BYTES: usize = 256 * 1024;
/// Largest hello, in bytes.
pub const MAX_HELLO_BYTES: usize = MAX_FRAME_BYTES;
/// Most scenarios of a hello.
pub const MAX_SCENARIOS: usize = 1_000;
/// Most user types, tags, or choices of an option of one scenario.
pub const MAX_SCENARIO_PARTS: usize = 1_000;
/// Most runs that an agent holds at a time: twice what a coordinator lets run, because it asks its database about each
/// that is over.
pub const MAX_HELD_RUNS: usize = 200;
/// Snapshots of one run an agent sends before it waits for an acknowledgement.
pub const MAX_UNACKNOWLEDGED: usize = 8;
/// Longest endpoint name kept, in bytes; longer ones are cut at a character and end in `…`.
pub const MAX_NAME_BYTES: usize = 512;
/// Longest error text kept, in bytes.
pub const MAX_ERROR_BYTES: usize = 1_024;
/// Longest console log line kept, in bytes.
pub const MAX_LOG_LINE_BYTES: usize = 4_096;
/// Most endpoints of one run; requests to further ones are counted under [`OTHER`].
pub const MAX_ENDPOINTS: usize = 1_000;
/// Most distinct errors of one run; further ones are counted under [`OTHER`].
pub const MAX_ERRORS: usize = 1_000;
/// Most elements of each of a snapshot's lists but its intervals.
pub const MAX_SNAPSHOT_PARTS: usize = 50_000;
/// Most intervals of a snapshot.
pub const MAX_SNAPSHOT_INTERVALS: usize = 20_000;
/// Name of the row that takes what is beyond a cap.
pub const OTHER: &str = "(other)";
/// Most bytes of a run's set-up data.
pub const MAX_SET_UP_DATA_BYTES: usize = 1024 * 1024;
/// Seconds between an agent's pings.
pub const PING_INTERVAL_S: u64 = 1;
/// Path of the agents' WebSocket on the coordinator's port.
pub const AGENT_SOCKET_PATH: &str = "/api/v1/agents/socket";

/// What an agent says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ToCoordinator {
    /// First frame of every connection.
    Hello(Hello),
    /// Each [`PING_INTERVAL_S`]: a heartbeat, and the measure of the clock offset.
    Ping {
        /// The agent's clock, µs since 1970.
        sent_at_us: u64,
        /// How the runs stand that the agent holds.
        #[serde(default, deserialize_with = "bounded_list::<_, _, MAX_HELD_RUNS>")]
        runs: Vec<HeldRun>,
    },
    /// All workers of this run are up and wait for the start.
    Ready {
        /// The run.
        run_id: RunId,
        /// What the scenario's own load shape says, if it has one and the test does not say otherwise.
        #[serde(default)]
        shape: Option<LoadProfile>,
        /// What the scenario's set-up made, from the agent that has worker 0; at most
        /// [`MAX_SET_UP_DATA_BYTES`]. Said again it is the same.
        #[serde(default)]
        set_up_data: Option<SetUpData>,
    },
    /// Results since the last snapshot of this run.
    Snapshot(Box<Snapshot>),
}

/// What the coordinator says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ToAgent {
    /// Answer to a hello that is accepted.
    Welcome(Welcome),
    /// Answer to a hello that is not; the connection closes. The reason is a sentence for the user.
    Refused {
        /// Why.
        reason: String,
    },
    /// Answer to a ping.
    Pong {
        /// As in the ping.
        sent_at_us: u64,
        /// The coordinator's clock, µs since 1970.
        coordinator_time_us: u64,
    },
    /// Start worker processes and answer `Ready`. Sent again after a reconnect is harmless.
    Prepare(Box<Prepare>),
    /// Generate load: run time zero is at `start_at_us` on the coordinator's clock.
    Start {
        /// The run.
        run_id: RunId,
        /// Run time zero, µs since 1970.
        start_at_us: u64,
        /// The number of users over time.
        profile: LoadProfile,
        /// What the scenario's set-up made, for every worker.
        #[serde(default)]
        set_up_data: Option<SetUpData>,
    },
    /// The load profile has changed. Sent again it is harmless.
    Profile {
        /// The run.
        run_id: RunId,
        /// The whole profile, as it is now.
        profile: LoadProfile,
    },
    /// End the load now: requests in flight may finish within the stop timeout.
    Stop {
        /// The run.
        run_id: RunId,
    },
    /// This snapshot and all before it are saved.
    Ack {
        /// The run.
        run_id: RunId,
        /// Number of the snapshot.
        seq: u64,
        /// How long it took to save, from when it had been received whole, in µs: that says nothing about the link.
        #[serde(default)]
        saving_us: u64,
    },
    /// The coordinator does not know this run or takes no more of its results: kill its workers and forget it.
    Abandon {
        /// The run.
        run_id: RunId,
    },
}

/// Who an agent is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// [`PROTOCOL_VERSION`] of the agent.
    pub protocol: u32,
    /// What proves who the agent process is, random at its start.
    #[serde(default)]
    pub secret: AgentSecret,
    /// Name of the agent, by default that of its machine.
    #[serde(default)]
    pub name: String,
    /// The infrastructure it joins.
    #[serde(default)]
    pub infrastructure: String,
    /// Greylag's version.
    #[serde(default)]
    pub version: String,
    /// Which build the agent and its workers are. Its version is the one above.
    #[serde(default)]
    pub build: BuildInfo,
    /// Processors of the machine.
    #[serde(default)]
    pub cores: u32,
    /// Scenarios compiled into the agent's binary.
    #[serde(default, deserialize_with = "bounded_list::<_, _, MAX_SCENARIOS>")]
    pub scenarios: Vec<ScenarioInfo>,
    /// Runs the agent still holds (running, or not yet acknowledged to the end).
    #[serde(default, deserialize_with = "bounded_list::<_, _, MAX_HELD_RUNS>")]
    pub runs: Vec<RunId>,
}

/// How a run stands that an agent holds, at the moment of a ping.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HeldRun {
    /// The run.
    pub run_id: RunId,
    /// Run time in µs on the agent's own clock, which no step of a wall clock moves; none before the start.
    pub run_time_us: Option<u64>,
    /// Age in µs of the oldest results that are not acknowledged; 0 if there are none.
    pub unacknowledged_us: u64,
}

/// A scenario compiled into an agent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ScenarioInfo {
    /// Its name.
    pub name: String,
    /// One line about it.
    #[serde(default)]
    pub description: String,
    /// Its user types, in the order in which they were added.
    #[serde(default, deserialize_with = "bounded_list::<_, _, MAX_SCENARIO_PARTS>")]
    pub user_types: Vec<UserTypeInfo>,
    /// The tags its tasks have.
    #[serde(default, deserialize_with = "bounded_list::<_, _, MAX_SCENARIO_PARTS>")]
    pub tags: Vec<String>,
    /// The options it declares.
    #[serde(default, deserialize_with = "bounded_list::<_, _, MAX_OPTIONS>")]
    pub options: Vec<OptionInfo>,
    /// Whether it has a load shape of its own, which takes the place of users, ramp-up and duration.
    #[serde(default)]
    pub has_shape: bool,
}

/// A user type an agent has compiled in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UserTypeInfo {
    /// Its name.
    pub name: String,
    /// Its weight.
    pub weight: f64,
    /// Exactly this many users, before any by weight; 0 for by weight.
    pub fixed_count: u64,
    /// Its own host, used when the test names none.
    pub host: Option<String>,
}

/// An option that a scenario declares.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OptionInfo {
    /// Its name, as on the command line without the dashes.
    pub name: String,
    /// What its values are.
    pub kind: OptionKind,
    /// Its value unless another is given.
    pub default: String,
    /// One sentence for people.
    pub help: String,
    /// Whether the value must never be shown.
    pub secret: bool,
    /// The values there are, if only some are allowed.
    #[serde(deserialize_with = "bounded_list::<_, _, MAX_SCENARIO_PARTS>")]
    pub choices: Vec<String>,
}

/// What an option's values are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OptionKind {
    /// Any text.
    #[default]
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Flag,
}

/// The coordinator's terms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// [`PROTOCOL_VERSION`] of the coordinator.
    pub protocol: u32,
    /// The agent's name in this infrastructure (numbered when another has the same).
    pub name: String,
    /// An agent that hears nothing for this long stops its load.
    pub lease_ms: u64,
}

/// An agent's part of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prepare {
    /// The run.
    pub run_id: RunId,
    /// Its definition.
    pub test: LoadTest,
    /// Global indexes of the workers to start, each below `test.workers`.
    pub workers: Vec<u32>,
}

/// What happened since the last snapshot. Everything in it is added to what is there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Snapshot {
    /// The run.
    pub run_id: RunId,
    /// Number of the snapshot, from 1 without gaps.
    pub seq: u64,
    /// Endpoints that `intervals` and `samples` refer to by position.
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
    /// Console log lines, in order.
    #[serde(deserialize_with = "bounded_list::<_, _, MAX_SNAPSHOT_PARTS>")]
    pub log: Vec<LogLine>,
    /// Log lines left out because they came too fast.
    pub log_lines_dropped: u64,
    /// State of the agent's workers now; empty if unchanged.
    #[serde(deserialize_with = "bounded_list::<_, _, { MAX_WORKERS as usize }>")]
    pub workers: Vec<WorkerState>,
    /// Why the agent is stopping its load before its time, once it knows; the run is to stop everywhere.
    pub failing: Option<String>,
    /// What the generator itself ran short of since the last snapshot.
    #[serde(deserialize_with = "bounded_list::<_, _, MAX_SNAPSHOT_PARTS>")]
    pub notices: Vec<GeneratorNotice>,
    /// With it, all results of the seconds of run time before this one are there, from all workers of the agent.
    pub complete_until: u32,
    /// Set in the last snapshot of the run.
    pub end: Option<AgentEnd>,
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
/// times in µs.
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
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SampleData {
    /// Position in [`Snapshot::endpoints`].
    pub endpoint: u32,
    /// When it ended: µs of run time.
    pub at_us: u64,
    /// Response time in µs.
    pub response_us: u64,
    /// Whether it failed.
    pub failed: bool,
    /// Why it was kept.
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
    /// When, on the coordinator's clock (µs since 1970).
    pub at_us: u64,
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
    /// Why it did not end as planned: a sentence that names worker and signal where there is one.
    pub failure: Option<String>,
    /// All requests the agent reported in this run, for the check at the end.
    pub requests: u64,
    /// All failures likewise.
    pub failures: u64,
    /// When the agent's last user ended, in µs of run time; 0 if none ever started.
    #[serde(default)]
    pub ended_at_us: u64,
    /// Workers that ended before they had handed over their results.
    #[serde(
        default,
        deserialize_with = "bounded_list::<_, _, { MAX_WORKERS as usize }>"
    )]
    pub lost_workers: Vec<LostWorker>,
}

/// Why a message is not understood. The connection it came on is closed; nobody else is harmed.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// Larger than [`MAX_MESSAGE_BYTES`].
    #[error("the message has {0} bytes; the maximum is {MAX_MESSAGE_BYTES}")]
    TooLarge(usize),
    /// No valid message.
    #[error("the frame is not a message of protocol version {PROTOCOL_VERSION}: {0}")]
    Malformed(#[from] rmp_serde::decode::Error),
}

/// Encodes a message as a frame.
pub fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    rmp_serde::to_vec_named(message).expect(
        "messages hold only maps with string keys, sequences and scalars, which always encode",
    )
}

/// Decodes a message.
///
/// # Errors
/// See [`FrameError`].
pub fn decode<'a, T: Deserialize<'a>>(frame: &'a [u8]) -> Result<T, FrameError> {
    if frame.len() > MAX_MESSAGE_BYTES {
        return Err(FrameError::TooLarge(frame.len()));
    }
    Ok(rmp_serde::from_slice(frame)?)
}

/// Cuts a text at a character so that it has at most `limit` bytes, the mark `…` included.
pub fn cut(text: &str, limit: usize) -> std::borrow::Cow<'_, str> {
    const MARK: &str = "…";
    if text.len() <= limit {
        return text.into();
    }
    let mut end = limit.saturating_sub(MARK.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{MARK}", &text[..end]).into()
}

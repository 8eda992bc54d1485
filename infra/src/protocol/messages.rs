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

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{SetUpData, Snapshot, shared};
use crate::base::{
    AgentSecret, BuildInfo, MAX_HELD_RUNS, MAX_SCENARIOS, RunId, RunTime, WallTime, bounded_list,
};
use crate::load_test::{LoadTest, ScenarioInfo};
use crate::profile::LoadProfile;

/// Version of this protocol; both sides must have the same. What 3 added: an agent proves who it is, and agents of version 2 would
/// silently ignore a test's client settings and set-up data.
pub const PROTOCOL_VERSION: u32 = 3;
/// Snapshots of one run an agent sends before it waits for an acknowledgement.
pub const MAX_UNACKNOWLEDGED: usize = 8;
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
        /// The agent's clock.
        #[serde(rename = "sent_at_us")]
        sent_at: WallTime,
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
        /// [`MAX_SET_UP_DATA_BYTES`](super::MAX_SET_UP_DATA_BYTES). Said again it is the same.
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
    /// Answer to a hello that is not; the connection closes. The reason is a message for the user.
    Refused {
        /// Why.
        reason: String,
    },
    /// Answer to a ping.
    Pong {
        /// As in the ping.
        #[serde(rename = "sent_at_us")]
        sent_at: WallTime,
        /// The coordinator's clock.
        #[serde(rename = "coordinator_time_us")]
        coordinator_time: WallTime,
    },
    /// Start worker processes and answer `Ready`. Sent again after a reconnect is harmless.
    Prepare(Box<Prepare>),
    /// Generate load: run time zero is at `start_at` on the coordinator's clock.
    Start {
        /// The run.
        run_id: RunId,
        /// Run time zero.
        #[serde(rename = "start_at_us")]
        start_at: WallTime,
        /// The number of users over time.
        #[serde(with = "shared")]
        profile: Arc<LoadProfile>,
        /// What the scenario's set-up made, for every worker.
        #[serde(default)]
        set_up_data: Option<SetUpData>,
    },
    /// The load profile has changed. Sent again it is harmless.
    Profile {
        /// The run.
        run_id: RunId,
        /// The whole profile, as it is now.
        #[serde(with = "shared")]
        profile: Arc<LoadProfile>,
    },
    /// End the load now: requests in flight may finish within the stop timeout.
    Stop {
        /// The run.
        run_id: RunId,
    },
    /// This snapshot and all before it are saved. One of no run says only that results have come and wait to be saved.
    Ack {
        /// The run.
        run_id: RunId,
        /// Number of the snapshot; 0 for none.
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
    /// Version of the protocol that it speaks with workers, if it runs builds that are shipped to it; none if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_protocol: Option<u32>,
    /// Whether it gives shipped builds their data files.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub takes_data: bool,
    /// Processors of the machine.
    #[serde(default)]
    pub cores: u32,
    /// Whether the agent ends with its first run, so that it takes no other.
    #[serde(default)]
    pub once: bool,
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
    /// Run time on the agent's own clock, which no step of a wall clock moves; none before the start.
    #[serde(rename = "run_time_us")]
    pub run_time: Option<RunTime>,
    /// Age in µs of the oldest results that are not acknowledged; 0 if there are none.
    pub unacknowledged_us: u64,
    /// Bytes that the agent has of the run's shipped build while it fetches it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fetched_bytes: Option<u64>,
    /// Why the scenario asks to finish the run before its time, if it does; at most [`MAX_ERROR_BYTES`](super::MAX_ERROR_BYTES).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish_asked: Option<String>,
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
    #[serde(with = "shared")]
    pub test: Arc<LoadTest>,
    /// Global indexes of the workers to start, each below `test.workers`.
    pub workers: Vec<u32>,
}

//! What an agent and its workers say to each other: MessagePack frames with a length, over the socket that
//! is a worker's standard input. Both are the same binary, so there are no versions.

use bytes::Bytes;
use greylag_infra::LoadTest;
use greylag_infra::protocol::{Endpoint, IntervalData, SampleData, UserChange};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio_util::codec::LengthDelimitedCodec;

/// Largest frame between an agent and its worker, in bytes.
const MAX_WORKER_FRAME_BYTES: usize = 64 * 1024 * 1024;
/// A report is closed when it has this many bytes, and the rest goes into the next.
pub(crate) const REPORT_BYTES: usize = 4 * 1024 * 1024;

/// What an agent says to a worker.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToWorker {
    /// First frame: what to do.
    Prepare {
        /// The definition of the run.
        test: Box<LoadTest>,
        /// Global index of this worker.
        worker: u32,
    },
    /// Begin.
    Start {
        /// Run time zero on this machine's wall clock, µs since 1970.
        run_zero_us: u64,
    },
    /// End the load now.
    Stop,
    /// The agent is well. A worker that is told nothing for this long ends: its agent may be frozen.
    Alive {
        /// How long, in ms.
        lease_ms: u64,
    },
}

/// What a worker says to its agent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromWorker {
    /// The scenario is built; waiting for the start.
    Ready,
    /// Results since the last report.
    Report(Report),
    /// Last frame: all results have been sent.
    End {
        /// Why it did not end as planned.
        failure: Option<String>,
        /// When its last user ended, µs of run time; 0 if none did.
        last_user_ended_us: u64,
    },
}

/// Results of one worker. Everything is added to what is there.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// What `intervals` and `samples` refer to by position.
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) intervals: Vec<IntervalData>,
    pub(crate) user_changes: Vec<UserChange>,
    pub(crate) samples: Vec<SampleData>,
}

impl Report {
    pub(crate) fn is_empty(&self) -> bool {
        self.intervals.is_empty() && self.user_changes.is_empty() && self.samples.is_empty()
    }
}

/// How the frames are told apart.
pub(crate) fn codec() -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder()
        .max_frame_length(MAX_WORKER_FRAME_BYTES)
        .new_codec()
}

/// Encodes a message as a frame.
pub(crate) fn encode<T: Serialize>(message: &T) -> Bytes {
    rmp_serde::to_vec(message)
        .expect("messages hold only sequences, maps and scalars, which always encode")
        .into()
}

/// Decodes a frame.
///
/// # Errors
/// When the frame is no such message.
pub(crate) fn decode<T: DeserializeOwned>(frame: &[u8]) -> Result<T, rmp_serde::decode::Error> {
    rmp_serde::from_slice(frame)
}

/// About how many bytes an interval takes in a frame.
pub(crate) fn interval_bytes(interval: &IntervalData) -> usize {
    /// Names and numbers of the fields.
    const FIELDS: usize = 250;
    /// Names and numbers of an error's fields.
    const ERROR_FIELDS: usize = 40;
    let errors: usize = interval
        .errors
        .iter()
        .map(|error| error.error.len() + ERROR_FIELDS)
        .sum();
    FIELDS + interval.histogram.len() + errors
}

//! The snapshots of one connection that are being saved: a few at a time, in the order in which they came, and each
//! whatever becomes of the connection meanwhile.

use std::time::Duration;

use axum::body::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use greylag_infra::protocol::{MAX_UNACKNOWLEDGED, Snapshot, ToAgent, ToCoordinator};
use greylag_infra::{AgentId, RunId};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{End, frames};
use crate::coordinator::agent_news::Saved;
use crate::coordinator::receive_budget::WholeMessage;
use crate::coordinator::{ConnectionFault, Coordinator};
use crate::store::{ReadySnapshot, SaveOutcome, StoreError};

/// Bytes of a connection's snapshots from which on no further one is taken before one of them is saved.
const MAX_BYTES: usize = 1024 * 1024;
/// How many bytes a second a connection is read at the most, over longer times: more than the results of the largest run, and
/// little enough that who sends as much as it can leaves the others their part.
const BYTES_PER_SECOND: u64 = 4 * 1024 * 1024;
/// How many bytes may come faster.
const BURST_BYTES: u64 = 8 * 1024 * 1024;

/// What is answered when a snapshot is saved, or why the connection ends.
type Answer = Result<ToAgent, End>;

/// Those of one connection.
#[derive(Debug)]
pub(super) struct Saves {
    coordinator: Coordinator,
    agent_id: AgentId,
    under_way: FuturesOrdered<JoinHandle<(usize, Answer)>>,
    bytes: usize,
    /// The last one is in the writer's queue.
    last_is_queued: Option<oneshot::Receiver<()>>,
    /// When what has been read so far should have come, at [`BYTES_PER_SECOND`].
    even: Instant,
}

/// A snapshot that was read, and what it says.
struct Read {
    run_id: RunId,
    seq: u64,
    says: Saved,
    ready: Result<ReadySnapshot, StoreError>,
}

impl Saves {
    pub(super) fn new(coordinator: &Coordinator, agent_id: &AgentId) -> Self {
        Self {
            coordinator: coordinator.clone(),
            agent_id: agent_id.clone(),
            under_way: FuturesOrdered::new(),
            bytes: 0,
            last_is_queued: None,
            even: Instant::now(),
        }
    }

    /// Whether none is being saved.
    pub(super) fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// When the next snapshot may be read; none before one of those that are being saved is.
    pub(super) fn next_may_be_read(&self) -> Option<Instant> {
        let waits = !self.under_way.is_empty()
            && (self.under_way.len() >= MAX_UNACKNOWLEDGED
                || self.bytes >= MAX_BYTES
                || !self.coordinator.shared.receive_budget.has_room());
        let burst = Duration::from_millis(BURST_BYTES * 1_000 / BYTES_PER_SECOND);
        (!waits).then(|| self.even.checked_sub(burst).unwrap_or(self.even))
    }

    /// Begins to save a snapshot that came at this time.
    pub(super) fn begin(&mut self, frame: Bytes, whole: WholeMessage, came: Instant) {
        let bytes = frame.len();
        let even = Duration::from_micros(bytes as u64 * 1_000_000 / BYTES_PER_SECOND);
        self.even = self.even.max(came) + even;
        self.bytes += bytes;
        let (queued, is_queued) = oneshot::channel();
        let turn = Turn {
            before: self.last_is_queued.replace(is_queued),
            queued,
        };
        // Before there is a task: tasks do not begin in their order, and one that has been checked waits, with the memory
        // that it takes, for those before it, which must not be behind it in the pool.
        let read = read(&self.coordinator, frame, whole);
        let (coordinator, agent_id) = (self.coordinator.clone(), self.agent_id.clone());
        // A task of its own, so that it is saved although the agent takes nothing that is sent to it, or is gone.
        let saved = tokio::spawn(async move {
            let answer = save(&coordinator, &agent_id, read, came, turn).await;
            (bytes, answer)
        });
        self.under_way.push_back(saved);
    }

    /// The answer to the oldest one, when it is saved; never when there is none. Nothing is lost when the wait is given
    /// up.
    pub(super) async fn next(&mut self) -> Answer {
        match self.under_way.next().await {
            Some(Ok((bytes, answer))) => {
                self.bytes -= bytes;
                answer
            }
            // The runtime ends, or the task panicked: the agent sends it again.
            Some(Err(_)) => Err(End::Dropped),
            None => std::future::pending().await,
        }
    }
}

/// The place of a snapshot between those of its connection: they go into the writer's queue one after the other.
struct Turn {
    before: Option<oneshot::Receiver<()>>,
    queued: oneshot::Sender<()>,
}

/// Has a snapshot read and checked.
fn read(
    coordinator: &Coordinator,
    frame: Bytes,
    whole: WholeMessage,
) -> impl Future<Output = Result<Result<Read, End>, StoreError>> + use<> {
    coordinator.store().checks().run(move |checker| {
        let message = frames::decode(&frame)?;
        drop((frame, whole));
        let ToCoordinator::Snapshot(mut snapshot) = message else {
            let detail = "a frame that begins as a snapshot is something else".to_owned();
            return Err(End::Fault(ConnectionFault::Malformed, detail));
        };
        let says = said_by(&mut snapshot);
        Ok(Read {
            run_id: snapshot.run_id.clone(),
            seq: snapshot.seq,
            says,
            ready: checker.check(*snapshot),
        })
    })
}

/// Saves a snapshot, then acknowledges it. What cannot be saved now is not acknowledged: closing the
/// connection makes the agent send it again after a pause.
async fn save(
    coordinator: &Coordinator,
    agent_id: &AgentId,
    read: impl Future<Output = Result<Result<Read, End>, StoreError>>,
    came: Instant,
    turn: Turn,
) -> Answer {
    let saving = &coordinator.shared.saving;
    // Until its answer is known, and what it says has been passed on.
    let _saving_now = saving.begin(agent_id, coordinator.now());
    let store = coordinator.store();
    let Ok(read) = read.await else {
        return Err(End::Dropped);
    };
    let Read {
        run_id,
        seq,
        says,
        ready,
    } = read?;
    if let Some(before) = turn.before
        && before.await.is_err()
    {
        // The one before could not be saved, and this one belongs behind it.
        return Err(End::Dropped);
    }
    let saved = match ready {
        Ok(ready) => match store.queue_snapshot(&run_id, agent_id, ready).await {
            Ok(saved) => {
                // That none comes behind it is fine.
                let _ = turn.queued.send(());
                saved.await
            }
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    };
    saving.note_snapshot(&saved, coordinator.now());
    match saved {
        Ok(outcome @ (SaveOutcome::Saved | SaveOutcome::Duplicate)) => {
            let says = match outcome {
                SaveOutcome::Duplicate => said_before(coordinator, &run_id, agent_id, says).await?,
                _ => says,
            };
            coordinator.shared.news.saved(&run_id, agent_id, says);
            if outcome == SaveOutcome::Saved {
                coordinator.changed();
            }
            let saving_us = u64::try_from(came.elapsed().as_micros()).unwrap_or(u64::MAX);
            Ok(ToAgent::Ack {
                run_id,
                seq,
                saving_us,
            })
        }
        Ok(SaveOutcome::Gap { expected }) => Err(End::Fault(
            ConnectionFault::InvalidSnapshot,
            format!("snapshot {seq} of run {run_id} arrived where {expected} was expected"),
        )),
        Err(error) if error.is_unknown_run() => Ok(ToAgent::Abandon { run_id }),
        Err(error) if error.is_invalid_input() => Err(End::Fault(
            ConnectionFault::InvalidSnapshot,
            format!("snapshot {seq} of run {run_id}: {error}"),
        )),
        Err(error) => {
            tracing::error!(%error, run = %run_id, seq, "cannot save a snapshot; the agent will send it again");
            Err(End::Dropped)
        }
    }
}

/// What a snapshot says to the life cycle of its run. Reasons are made such as can be kept.
fn said_by(snapshot: &mut Snapshot) -> Saved {
    if let Some(end) = &mut snapshot.end
        && let Some(reason) = end.failure_reason()
    {
        end.set_failure(reason);
    }
    Saved {
        until: Some(snapshot.complete_until),
        lost_workers: snapshot.lost_workers.clone(),
        failing: snapshot.failing_reason(),
        end: snapshot.end.clone(),
    }
}

/// What a snapshot says that was saved before. Only the saved one was checked, so nothing of this one counts. But before
/// a restart the life cycle may not have heard of the saved end; hearing it twice is harmless.
async fn said_before(
    coordinator: &Coordinator,
    run_id: &RunId,
    agent_id: &AgentId,
    unchecked: Saved,
) -> Result<Saved, End> {
    if unchecked.end.is_none() {
        return Ok(Saved::default());
    }
    match coordinator.store().run(run_id).await {
        Ok(record) => Ok(Saved {
            end: record.and_then(|record| record.agent(agent_id)?.end.clone()),
            ..Saved::default()
        }),
        Err(error) => {
            tracing::error!(%error, run = %run_id, "cannot read how an agent ended; the agent will send it again");
            Err(End::Dropped)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use greylag_infra::protocol;

    use super::*;
    use crate::coordinator::{CoordinatorConfig, Provisioning};

    /// A frame that says when it has been read.
    struct Frame {
        bytes: Vec<u8>,
        _read: mpsc::Sender<()>,
    }

    impl AsRef<[u8]> for Frame {
        fn as_ref(&self) -> &[u8] {
            &self.bytes
        }
    }

    /// If tasks put their snapshots into the pool, their order there would be any, and snapshots that wait for those
    /// behind them could take all the memory that these need.
    #[tokio::test]
    async fn snapshots_are_checked_in_their_order_before_any_task_begins() {
        let dir = tempfile::tempdir().unwrap();
        let config = CoordinatorConfig {
            data_dir: dir.path().to_owned(),
            lease: Duration::from_secs(30),
            provisioning: Provisioning::default(),
        };
        let coordinator = Coordinator::start(config).await.unwrap();
        let mut saves = Saves::new(&coordinator, &"a".into());
        let (read, is_read) = mpsc::channel();
        for seq in 1..=2 {
            let snapshot = Snapshot {
                run_id: "unknown".into(),
                seq,
                ..Snapshot::default()
            };
            let bytes = protocol::encode(&ToCoordinator::Snapshot(Box::new(snapshot)));
            let whole = coordinator.meter().message_is_whole(bytes.len());
            let frame = Frame {
                bytes,
                _read: read.clone(),
            };
            saves.begin(Bytes::from_owner(frame), whole, Instant::now());
        }
        drop(read);
        // Blocks the only thread on which tasks could begin.
        let waited = is_read.recv_timeout(Duration::from_secs(30));
        assert_eq!(
            waited,
            Err(mpsc::RecvTimeoutError::Disconnected),
            "both are read"
        );
        for _ in 1..=2 {
            let answer = saves.next().await;
            assert!(matches!(answer, Ok(ToAgent::Abandon { .. })));
        }
    }
}

//! A worker's connection to its agent, and for how long the agent may be silent.

use std::io;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{FutureExt, SinkExt, StreamExt};
use greylag_infra::{RunTime, WorkerFailure};
use tokio::net::UnixStream;
use tokio::time::{timeout, timeout_at};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use crate::worker_protocol::{FromWorker, ToWorker, codec, decode, encode};

/// How long the agent may be silent until it has set the lease.
const FIRST_LEASE: Duration = Duration::from_secs(60);
/// How long the agent may take to accept the last frame.
const LAST_FRAME: Duration = Duration::from_secs(10);

/// Why a session ended without its last message.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    #[error("the connection to the agent was lost, so the load was stopped")]
    AgentGone,
    #[error("nothing heard from the agent for {} s, so the load was stopped", .0.as_secs_f64())]
    AgentSilent(Duration),
    #[error("signals cannot be received: {0}")]
    Signals(#[source] io::Error),
    #[error("the socket to the agent failed: {0}")]
    Socket(#[from] io::Error),
    #[error("invalid message from the agent: {0}")]
    Malformed(#[from] rmp_serde::decode::Error),
    #[error("invalid message from the agent: its first frame is not Prepare")]
    FirstIsNotPrepare,
    #[error("invalid message from the agent: a second Prepare")]
    SecondPrepare,
    #[error("invalid message from the agent: a Start out of turn")]
    StartOutOfTurn,
}

/// The socket to the agent.
pub(super) struct AgentLink {
    socket: Framed<UnixStream, LengthDelimitedCodec>,
    lease: Duration,
    heard_at: Instant,
}

impl AgentLink {
    /// Speaks to the agent on this socket.
    ///
    /// # Errors
    /// When the socket cannot be used.
    pub(super) fn new(socket: StdUnixStream) -> Result<Self, SessionError> {
        let mut socket = Framed::new(UnixStream::from_std(socket)?, codec());
        // More is sent only when everything before has been read, so the results of a moment are the bound.
        socket.set_backpressure_boundary(usize::MAX);
        Ok(Self {
            socket,
            lease: FIRST_LEASE,
            heard_at: Instant::now(),
        })
    }

    /// The next message. May be dropped while it waits.
    pub(super) async fn next(&mut self) -> Result<ToWorker, SessionError> {
        let frame = match timeout_at((self.heard_at + self.lease).into(), self.socket.next()).await
        {
            Ok(frame) => frame.ok_or(SessionError::AgentGone)??,
            Err(_) => return Err(SessionError::AgentSilent(self.lease)),
        };
        self.heard_at = Instant::now();
        Ok(decode(&frame)?)
    }

    /// How long the agent may be silent from now on.
    pub(super) fn set_lease(&mut self, lease: Duration) {
        self.lease = lease;
    }

    /// Whether the agent has read everything that was sent.
    pub(super) fn has_read_all(&mut self) -> bool {
        // An error comes up again at the next message.
        SinkExt::<Bytes>::flush(&mut self.socket)
            .now_or_never()
            .is_some()
    }

    /// Sends messages without waiting for an agent that does not read: they follow when it does.
    pub(super) async fn put(&mut self, messages: &[FromWorker]) -> Result<(), SessionError> {
        /// A healthy agent reads within this time.
        const SOON: Duration = Duration::from_millis(50);
        for message in messages {
            self.socket.feed(encode(message)).await?;
        }
        match timeout(SOON, SinkExt::<Bytes>::flush(&mut self.socket)).await {
            Ok(flushed) => Ok(flushed?),
            Err(_) => Ok(()),
        }
    }

    /// Sends a message. An agent that does not read it within the lease counts as silent.
    pub(super) async fn send(&mut self, message: &FromWorker) -> Result<(), SessionError> {
        match timeout(self.lease, self.socket.send(encode(message))).await {
            Ok(sent) => Ok(sent?),
            Err(_) => Err(SessionError::AgentSilent(self.lease)),
        }
    }

    /// Sends the last frame.
    pub(super) async fn end(
        mut self,
        failure: Option<WorkerFailure>,
        last_user_ended: RunTime,
    ) -> Result<(), SessionError> {
        let end = FromWorker::End {
            failure,
            last_user_ended,
        };
        timeout(LAST_FRAME, self.send(&end))
            .await
            .map_err(|_| SessionError::AgentGone)?
    }
}

//! The connection to the coordinator: dialled, kept, and dialled again when it breaks.
//!
//! ```text
//!   dial ──► hello ──► welcome ──► frames and pings both ways ──► broken ──► back-off ──► dial ...
//!     │                   └─ refused: the end, with the coordinator's reason
//!     └─ token refused: the end
//! ```

mod backoff;
mod clock_offset;
mod dial;
mod end;
mod frames;
mod held_runs;

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use greylag_infra::protocol::{Hello, PING_INTERVAL_S, ToAgent, ToCoordinator, Welcome, encode};
use greylag_infra::{WallClock, WallTime};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

use backoff::Backoff;
pub(crate) use clock_offset::ClockOffset;
pub(crate) use dial::LinkConfig;
use dial::connect;
pub use end::Refusal;
use end::{Break, End};
use frames::{Progress, Socket, read_while_alive, write};
pub(crate) use held_runs::{Held, HeldRuns};

/// A connection that lasts for this long is sound: when it is lost, the next is dialled immediately, while a coordinator
/// that accepts and drops connections time and again is dialled less and less often.
const SOUND_AFTER: Duration = Duration::from_secs(3);
/// How long the closing of a connection may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// What happens on the connection.
#[derive(Debug)]
pub(crate) enum LinkEvent {
    /// There is a new connection; what is sent into `outgoing` goes out on it.
    Connected {
        welcome: Welcome,
        outgoing: mpsc::UnboundedSender<Bytes>,
    },
    /// A message from the coordinator.
    Message(ToAgent),
    /// The coordinator answered a ping. All clocks in µs since 1970.
    Pong {
        sent_at: WallTime,
        coordinator_time: WallTime,
        received_at: WallTime,
    },
    /// The connection broke; the next one is being dialled.
    Disconnected,
    /// Agent and coordinator do not go together. The last event.
    Refused(Refusal),
}

/// Keeps a connection until `closing` is cancelled. `hello` is asked for anew for every connection.
pub(crate) async fn keep_connected(
    config: LinkConfig,
    clock: WallClock,
    hello: impl Fn() -> Hello + Send,
    held: HeldRuns,
    events: mpsc::Sender<LinkEvent>,
    closing: CancellationToken,
) {
    let mut link = Link {
        config,
        clock,
        held,
        events,
        closing: closing.clone(),
        backoff: Backoff::default(),
        last_cause: None,
    };
    let mut random = SmallRng::from_os_rng();
    loop {
        match link.connect_and_converse(hello()).await {
            End::Closed => return,
            End::Refused(reason) => {
                let _ = link.events.send(LinkEvent::Refused(reason)).await;
                return;
            }
            End::Broken(cause) => link.log_cause(&cause),
        }
        tokio::select! {
            () = tokio::time::sleep(link.backoff.next(&mut random)) => {}
            () = closing.cancelled() => return,
        }
    }
}

struct Link {
    config: LinkConfig,
    clock: WallClock,
    held: HeldRuns,
    events: mpsc::Sender<LinkEvent>,
    closing: CancellationToken,
    backoff: Backoff,
    /// The cause that was last logged, until a connection succeeds.
    last_cause: Option<String>,
}

impl Link {
    async fn connect_and_converse(&mut self, hello: Hello) -> End {
        let connected = tokio::select! {
            connected = connect(&self.config, hello) => connected,
            () = self.closing.clone().cancelled_owned() => return End::Closed,
        };
        let (socket, welcome) = match connected {
            Ok(connected) => connected,
            Err(end) => return end,
        };
        let connected_at = Instant::now();
        self.last_cause = None;
        tracing::info!(
            "connected to {} as {}",
            self.config.socket_url,
            welcome.name
        );
        let (outgoing, queue) = mpsc::unbounded_channel();
        if self
            .events
            .send(LinkEvent::Connected { welcome, outgoing })
            .await
            .is_err()
        {
            return End::Closed;
        }
        let (mut sink, mut stream) = socket.split();
        let progress = Progress::new();
        // Side by side: while a long message is written slowly, what the coordinator says is heard.
        let end = tokio::select! {
            end = self.listen(&mut stream, &progress) => end,
            end = self.speak(&mut sink, queue, &progress) => end,
        };
        if connected_at.elapsed() >= SOUND_AFTER {
            self.backoff.reset();
        }
        if matches!(end, End::Closed) {
            let _ = timeout(CLOSE_TIMEOUT, sink.close()).await;
        }
        if self.events.send(LinkEvent::Disconnected).await.is_err() {
            return End::Closed;
        }
        end
    }

    async fn listen(&self, stream: &mut SplitStream<Socket>, progress: &Progress) -> End {
        loop {
            let message = match read_while_alive(stream, progress).await {
                Ok(message) => message,
                Err(cause) => return End::Broken(cause),
            };
            if self.events.send(self.event_of(message)).await.is_err() {
                return End::Closed;
            }
        }
    }

    async fn speak(
        &self,
        sink: &mut SplitSink<Socket, Message>,
        mut outgoing: mpsc::UnboundedReceiver<Bytes>,
        progress: &Progress,
    ) -> End {
        let mut pings = interval(Duration::from_secs(PING_INTERVAL_S));
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let frame = tokio::select! {
                () = self.closing.cancelled() => break,
                Some(frame) = outgoing.recv() => frame,
                _ = pings.tick() => {
                    let ping = ToCoordinator::Ping {
                        sent_at: self.clock.now(),
                        runs: self.held.at(std::time::Instant::now()),
                    };
                    encode(&ping).into()
                }
            };
            if let Err(cause) = write(sink, frame, progress).await {
                return End::Broken(cause);
            }
        }
        // What was handed over before the agent's end.
        while let Ok(frame) = outgoing.try_recv() {
            if write(sink, frame, progress).await.is_err() {
                break;
            }
        }
        End::Closed
    }

    fn event_of(&self, message: ToAgent) -> LinkEvent {
        match message {
            ToAgent::Pong {
                sent_at,
                coordinator_time,
            } => LinkEvent::Pong {
                sent_at,
                coordinator_time,
                received_at: self.clock.now(),
            },
            message => LinkEvent::Message(message),
        }
    }

    /// Logs once per cause why there is no connection.
    fn log_cause(&mut self, cause: &Break) {
        let cause = cause.to_string();
        if self.last_cause.as_ref() == Some(&cause) {
            return;
        }
        tracing::warn!(
            "cannot reach the coordinator at {} ({cause}); retrying until it responds",
            self.config.socket_url
        );
        self.last_cause = Some(cause);
    }
}

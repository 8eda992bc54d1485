//! The connection to the coordinator: dialled, kept, and dialled again when it breaks.
//!
//! ```text
//!   dial ──► hello ──► welcome ──► frames and pings both ways ──► broken ──► back-off ──► dial ...
//!     │                   └─ refused: the end, with the coordinator's sentence
//!     └─ token refused: the end
//! ```

mod backoff;
mod clock_offset;
mod held_runs;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use greylag_infra::protocol::{
    Hello, MAX_FRAME_BYTES, MAX_HELLO_BYTES, MAX_MESSAGE_BYTES, PING_INTERVAL_S, PROTOCOL_VERSION,
    ToAgent, ToCoordinator, Welcome, decode, encode,
};
use http::{HeaderValue, StatusCode, header};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use tokio_tungstenite::{
    Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config,
};
use tokio_util::sync::CancellationToken;
use url::Url;

use backoff::Backoff;
pub(crate) use clock_offset::ClockOffset;
pub(crate) use held_runs::{Held, HeldRuns};

use crate::wall_clock::WallClock;

/// How long reaching the coordinator may take, name resolution and TLS included.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the answer to the hello may take.
const WELCOME_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one frame may take to be written.
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);
/// A connection that is silent for so long is broken: the coordinator answers a ping each second.
const SILENCE: Duration = Duration::from_secs(10);
/// A connection that lasts for so long is sound: the next one that is lost is dialled again at once, while
/// one that is accepted and dropped time and again is dialled less and less often.
const SOUND_AFTER: Duration = Duration::from_secs(3);
/// How long the closing of a connection may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What the connection tells the agent.
#[derive(Debug)]
pub(crate) enum LinkEvent {
    /// There is a new connection; what is sent into `outgoing` goes out on it.
    Connected {
        welcome: Welcome,
        outgoing: mpsc::UnboundedSender<Bytes>,
    },
    /// The coordinator said something.
    Heard(ToAgent),
    /// The coordinator answered a ping. All clocks in µs since 1970.
    Pong {
        sent_at_us: u64,
        coordinator_time_us: u64,
        received_at_us: u64,
    },
    /// The connection broke; the next one is being dialled.
    Disconnected,
    /// The coordinator does not want this agent: a sentence. The last event.
    Refused(String),
}

/// Where the coordinator is and how to speak to it.
#[derive(Debug, Clone)]
pub(crate) struct LinkConfig {
    /// The WebSocket's address (ws or wss).
    pub(crate) socket_url: Url,
    pub(crate) token: Option<String>,
    /// How the server is checked at a wss address; by default by the system's authorities.
    pub(crate) tls: Option<Arc<ClientConfig>>,
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
            End::Broken(cause) => link.tell_cause(cause),
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
    /// The cause that was last told, until a connection succeeds.
    last_cause: Option<String>,
}

/// Why a connection ended or did not come about.
enum End {
    /// The agent ends.
    Closed,
    /// Dialling again has no use.
    Refused(String),
    /// Dialling again may help.
    Broken(String),
}

impl Link {
    async fn connect_and_converse(&mut self, hello: Hello) -> End {
        let connected = tokio::select! {
            connected = self.connect(hello) => connected,
            () = self.closing.clone().cancelled_owned() => return End::Closed,
        };
        let (mut socket, welcome) = match connected {
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
        let end = self.converse(&mut socket, queue).await;
        if connected_at.elapsed() >= SOUND_AFTER {
            self.backoff.reset();
        }
        if matches!(end, End::Closed) {
            let _ = timeout(CLOSE_TIMEOUT, socket.close(None)).await;
        }
        if self.events.send(LinkEvent::Disconnected).await.is_err() {
            return End::Closed;
        }
        end
    }

    async fn connect(&self, hello: Hello) -> Result<(Socket, Welcome), End> {
        let mut socket = self.dial().await?;
        let hello = encode(&ToCoordinator::Hello(hello));
        if hello.len() > MAX_HELLO_BYTES {
            return Err(End::Refused(format!(
                "the descriptions of this program's scenarios take {} bytes; the maximum is {MAX_HELLO_BYTES}: shorten descriptions and help texts, or split the program",
                hello.len()
            )));
        }
        write(&mut socket, hello.into()).await?;
        let answer = timeout(WELCOME_TIMEOUT, read(&mut socket))
            .await
            .map_err(|_| End::Broken("no handshake reply".to_owned()))??;
        match answer {
            ToAgent::Welcome(welcome) if welcome.protocol == PROTOCOL_VERSION => {
                Ok((socket, welcome))
            }
            ToAgent::Welcome(welcome) => Err(End::Refused(format!(
                "the coordinator speaks protocol version {}, this agent {PROTOCOL_VERSION}; use the same Greylag on both",
                welcome.protocol
            ))),
            ToAgent::Refused { reason } => Err(End::Refused(reason)),
            _ => Err(End::Broken("it did not accept the agent".to_owned())),
        }
    }

    async fn dial(&self) -> Result<Socket, End> {
        let url = self.config.socket_url.as_str();
        let mut request = url.into_client_request().map_err(|error| {
            End::Refused(format!("{url} is not a valid coordinator address: {error}"))
        })?;
        if let Some(token) = &self.config.token {
            let bearer = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| {
                End::Refused("the token has characters that cannot be sent".to_owned())
            })?;
            request.headers_mut().insert(header::AUTHORIZATION, bearer);
        }
        let limits = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE_BYTES))
            .max_frame_size(Some(MAX_MESSAGE_BYTES));
        let connector = self.config.tls.clone().map(Connector::Rustls);
        let dialled = connect_async_tls_with_config(request, Some(limits), true, connector);
        match timeout(DIAL_TIMEOUT, dialled).await {
            Ok(Ok((socket, _))) => Ok(socket),
            Ok(Err(SocketError::Http(response)))
                if response.status() == StatusCode::UNAUTHORIZED =>
            {
                Err(End::Refused(match &self.config.token {
                    Some(_) => {
                        "the coordinator rejected the token; use the one it was started with"
                            .to_owned()
                    }
                    None => {
                        "the coordinator requires a token; set it with --token or GREYLAG_TOKEN"
                            .to_owned()
                    }
                }))
            }
            Ok(Err(SocketError::Http(response))) if response.status() == StatusCode::FORBIDDEN => {
                Err(End::Refused(format!(
                    "the coordinator does not accept the host name in {url} (403 Forbidden); use the address it was started with, or start it with a token"
                )))
            }
            Ok(Err(SocketError::Http(response))) => Err(End::Broken(format!(
                "it answers {} where a Greylag coordinator would accept an agent",
                response.status()
            ))),
            Ok(Err(error)) => Err(End::Broken(error.to_string())),
            Err(_) => Err(End::Broken(format!(
                "no answer within {} s",
                DIAL_TIMEOUT.as_secs()
            ))),
        }
    }

    async fn converse(
        &self,
        socket: &mut Socket,
        mut outgoing: mpsc::UnboundedReceiver<Bytes>,
    ) -> End {
        let mut pings = interval(Duration::from_secs(PING_INTERVAL_S));
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last_heard = Instant::now();
        loop {
            let sent = tokio::select! {
                () = self.closing.cancelled() => return self.send_rest(socket, outgoing).await,
                read = read(socket) => {
                    let message = match read {
                        Ok(message) => message,
                        Err(end) => return end,
                    };
                    last_heard = Instant::now();
                    if self.events.send(self.event_of(message)).await.is_err() {
                        return End::Closed;
                    }
                    continue;
                }
                Some(frame) = outgoing.recv() => write(socket, frame).await,
                _ = pings.tick() => {
                    let ping = ToCoordinator::Ping {
                        sent_at_us: self.clock.now_us(),
                        runs: self.held.at(std::time::Instant::now()),
                    };
                    write(socket, encode(&ping).into()).await
                }
                () = tokio::time::sleep_until(last_heard + SILENCE) => {
                    Err(End::Broken(format!("nothing heard for {} s", SILENCE.as_secs())))
                }
            };
            if let Err(end) = sent {
                return end;
            }
        }
    }

    /// Sends what was handed over before the agent's end.
    async fn send_rest(
        &self,
        socket: &mut Socket,
        mut outgoing: mpsc::UnboundedReceiver<Bytes>,
    ) -> End {
        while let Ok(frame) = outgoing.try_recv() {
            if write(socket, frame).await.is_err() {
                break;
            }
        }
        End::Closed
    }

    fn event_of(&self, message: ToAgent) -> LinkEvent {
        match message {
            ToAgent::Pong {
                sent_at_us,
                coordinator_time_us,
            } => LinkEvent::Pong {
                sent_at_us,
                coordinator_time_us,
                received_at_us: self.clock.now_us(),
            },
            message => LinkEvent::Heard(message),
        }
    }

    /// Says once per cause why there is no connection.
    fn tell_cause(&mut self, cause: String) {
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

async fn read(socket: &mut Socket) -> Result<ToAgent, End> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Binary(frame))) => {
                return decode(&frame).map_err(|error| End::Broken(error.to_string()));
            }
            Some(Ok(Message::Close(_))) | None => {
                return Err(End::Broken("it closed the connection".to_owned()));
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(End::Broken(error.to_string())),
        }
    }
}

/// Writes a message, a long one in several frames.
async fn write(socket: &mut Socket, mut message: Bytes) -> Result<(), End> {
    if message.len() <= MAX_FRAME_BYTES {
        return write_frame(socket, Message::Binary(message)).await;
    }
    let mut kind = Data::Binary;
    while !message.is_empty() {
        let part = message.split_to(message.len().min(MAX_FRAME_BYTES));
        let frame = Frame::message(part, OpCode::Data(kind), message.is_empty());
        write_frame(socket, Message::Frame(frame)).await?;
        kind = Data::Continue;
    }
    Ok(())
}

async fn write_frame(socket: &mut Socket, frame: Message) -> Result<(), End> {
    match timeout(WRITE_TIMEOUT, socket.send(frame)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(End::Broken(error.to_string())),
        Err(_) => Err(End::Broken("it accepts no more messages".to_owned())),
    }
}

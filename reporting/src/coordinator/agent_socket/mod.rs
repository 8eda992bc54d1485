//! An agent's connection: one task that takes what the agent sends, answers it, and ends on any fault without harming
//! anyone else. `serve.rs` is the conversation, `saves.rs` the snapshots in it.

mod frames;
mod saves;
mod serve;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::any;
use axum::{Extension, Router};
use futures_util::SinkExt;
use greylag_infra::protocol::{
    AGENT_SOCKET_PATH, Hello, MAX_FRAME_BYTES, MAX_HELLO_BYTES, MAX_MESSAGE_BYTES, ToAgent,
    ToCoordinator, cut,
};
use tokio::sync::{mpsc, oneshot};

use self::frames::WRITE_TIMEOUT;
use super::admission::{HelloRefused, admit, check_hello};
use super::owner::{AGENT_QUEUE, Command};
use super::{ConnectionFault, Coordinator, Meter};
use crate::tokens::ValidToken;

/// How long a new connection may take to say hello.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// Most bytes of an agent's name that are logged: what is longer is not a valid name.
const MAX_LOGGED_NAME_BYTES: usize = 100;
/// How much is read of a connection at a time. It has this much memory for it as long as it lasts, and clears it for each
/// read.
const READ_BUFFER_BYTES: usize = 8 * 1024;

static CONNECTION_NUMBERS: AtomicU64 = AtomicU64::new(1);

/// Where agents connect. The token is checked by the layer the web server puts around it.
pub fn agent_routes(coordinator: Coordinator) -> Router {
    Router::new()
        .route(AGENT_SOCKET_PATH, any(upgrade))
        .with_state(coordinator)
}

async fn upgrade(
    State(coordinator): State<Coordinator>,
    meter: Option<Extension<Arc<Meter>>>,
    token: Option<Extension<ValidToken>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    // Without the web server around it there is nothing to count.
    let meter = meter.map_or_else(|| coordinator.meter(), |Extension(meter)| meter);
    upgrade
        .max_message_size(MAX_MESSAGE_BYTES)
        .max_frame_size(MAX_FRAME_BYTES)
        .read_buffer_size(READ_BUFFER_BYTES)
        .on_upgrade(|socket| converse(coordinator, socket, meter, token.map(|Extension(t)| t)))
}

/// Why a conversation ended.
#[derive(Debug)]
enum End {
    /// The agent closed the connection in order.
    Closed,
    /// The connection broke.
    Gone,
    /// The coordinator replaced or dropped it.
    Dropped,
    Fault(ConnectionFault, String),
}

impl End {
    /// Others needed the memory that its message took.
    fn crowded_out() -> Self {
        Self::Fault(
            ConnectionFault::CrowdedOut,
            "too many large messages were in transit, and this one had been waiting longest"
                .to_owned(),
        )
    }
}

async fn converse(
    coordinator: Coordinator,
    mut socket: WebSocket,
    meter: Arc<Meter>,
    token: Option<ValidToken>,
) {
    let connection = CONNECTION_NUMBERS.fetch_add(1, Ordering::Relaxed);
    let hello = match first_hello(&coordinator, connection, &mut socket, &meter).await {
        Ok(hello) => hello,
        Err(end) => return close(&coordinator, socket, "a new agent", end).await,
    };
    let admission = check_hello(&hello).and_then(|()| admit(&hello, token.as_ref()));
    let admission = match admission {
        Ok(admission) => admission,
        Err(refused) => return refuse(&coordinator, socket, &hello.name, &refused).await,
    };
    let agent_id = hello.secret.agent_id();
    let agent_name = cut(&hello.name, MAX_LOGGED_NAME_BYTES).into_owned();
    let (outgoing, queue) = mpsc::channel(AGENT_QUEUE);
    let (reply, answer) = oneshot::channel();
    let hello = Box::new(hello);
    coordinator
        .command(Command::AgentConnected {
            connection,
            hello,
            admission,
            outgoing,
            reply,
        })
        .await;
    match answer.await {
        Ok(Ok(())) => {}
        Ok(Err(refused)) => return refuse(&coordinator, socket, &agent_name, &refused).await,
        Err(_) => return,
    }
    let serving = serve::serve(&coordinator, &mut socket, queue, &agent_id, &meter);
    let end = tokio::select! {
        end = serving => end,
        () = revoked(token.as_ref()) => End::Fault(
            ConnectionFault::Revoked,
            "its token was revoked".to_owned(),
        ),
    };
    if let End::Gone = end {
        tracing::warn!(agent = %agent_name, "an agent's connection broke");
    }
    coordinator
        .command(Command::AgentDisconnected {
            connection,
            agent_id,
        })
        .await;
    close(&coordinator, socket, &agent_name, end).await;
}

/// Waits until the agent's token is revoked, if it can be.
async fn revoked(token: Option<&ValidToken>) {
    match token {
        Some(token) => token.revoked.cancelled().await,
        None => std::future::pending().await,
    }
}

async fn refuse(coordinator: &Coordinator, mut socket: WebSocket, agent: &str, why: &HelloRefused) {
    let reason = why.to_string();
    let refused = ToAgent::Refused {
        reason: reason.clone(),
    };
    // An agent that is gone already need not hear why.
    let _ = frames::send(&mut socket, &refused).await;
    let end = End::Fault(ConnectionFault::Refused, reason);
    close(coordinator, socket, agent, end).await;
}

/// Waits for the hello, as long as there is a place for those who have not said it.
async fn first_hello(
    coordinator: &Coordinator,
    connection: u64,
    socket: &mut WebSocket,
    meter: &Meter,
) -> Result<Hello, End> {
    meter.limit_messages(MAX_HELLO_BYTES);
    meter.message_done();
    let place = coordinator.shared.waiting_hellos.enter(connection);
    let hello = tokio::select! {
        hello = tokio::time::timeout(HELLO_TIMEOUT, receive_hello(socket)) => match hello {
            Ok(hello) => hello?,
            Err(_) => {
                let detail = format!("no hello within {} s", HELLO_TIMEOUT.as_secs());
                return Err(End::Fault(ConnectionFault::NoHello, detail));
            }
        },
        () = place.lost.cancelled() => return Err(End::Fault(
            ConnectionFault::CrowdedOut,
            "too many connections had not said hello, and this one had been waiting longest".to_owned(),
        )),
        () = meter.crowded_out() => return Err(End::crowded_out()),
    };
    meter.limit_messages(MAX_MESSAGE_BYTES);
    meter.message_done();
    Ok(hello)
}

async fn receive_hello(socket: &mut WebSocket) -> Result<Hello, End> {
    match frames::decode(&frames::receive(socket).await?)? {
        ToCoordinator::Hello(hello) => Ok(hello),
        _ => Err(End::Fault(
            ConnectionFault::NoHello,
            "the first frame is not a hello".to_owned(),
        )),
    }
}

async fn close(coordinator: &Coordinator, mut socket: WebSocket, agent: &str, end: End) {
    if let End::Fault(fault, detail) = end {
        coordinator.shared.faults.count(fault, agent, detail);
    }
    // The other side may be gone; there is nothing more to do for it.
    let _ = tokio::time::timeout(WRITE_TIMEOUT, socket.close()).await;
}

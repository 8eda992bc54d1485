//! An agent's connection: one task that saves snapshots and acknowledges them, and ends on any fault without
//! harming anyone else.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::any;
use axum::{Extension, Router};
use futures_util::{SinkExt, StreamExt};
use greylag_infra::protocol::{
    self, AGENT_SOCKET_PATH, AgentEnd, FailureReason, FrameError, Hello, MAX_FRAME_BYTES,
    MAX_HELLO_BYTES, MAX_MESSAGE_BYTES, Snapshot, ToAgent, ToCoordinator, cut,
};
use greylag_infra::{AgentId, RunId};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Error as SocketError;
use tokio_tungstenite::tungstenite::error::CapacityError;

use super::admission::{HelloRefused, check_hello};
use super::owner::{AGENT_QUEUE, Command};
use super::receive_budget::MessageTooLarge;
use super::{ConnectionFault, Coordinator, Meter};
use crate::store::SaveOutcome;

/// How long a new connection may take to say hello.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// Most bytes of an agent's name that are logged: what is longer is not a valid name.
const MAX_LOGGED_NAME_BYTES: usize = 100;
/// How long one frame may take to be written.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

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
    upgrade: WebSocketUpgrade,
) -> Response {
    // Without the web server around it there is nothing to count.
    let meter = meter.map_or_else(|| coordinator.meter(), |Extension(meter)| meter);
    upgrade
        .max_message_size(MAX_MESSAGE_BYTES)
        .max_frame_size(MAX_FRAME_BYTES)
        .on_upgrade(|socket| converse(coordinator, socket, meter))
}

/// Why a conversation ended.
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

async fn converse(coordinator: Coordinator, mut socket: WebSocket, meter: Arc<Meter>) {
    let connection = CONNECTION_NUMBERS.fetch_add(1, Ordering::Relaxed);
    let hello = match first_hello(&coordinator, connection, &mut socket, &meter).await {
        Ok(hello) => hello,
        Err(end) => return close(&coordinator, socket, "a new agent", end).await,
    };
    if let Err(refused) = check_hello(&hello) {
        return refuse(&coordinator, socket, &hello.name, &refused).await;
    }
    let agent_id = hello.secret.agent_id();
    let agent_name = cut(&hello.name, MAX_LOGGED_NAME_BYTES).into_owned();
    let (outgoing, queue) = mpsc::channel(AGENT_QUEUE);
    let (reply, answer) = oneshot::channel();
    let hello = Box::new(hello);
    coordinator
        .command(Command::AgentConnected {
            connection,
            hello,
            outgoing,
            reply,
        })
        .await;
    match answer.await {
        Ok(Ok(())) => {}
        Ok(Err(refused)) => return refuse(&coordinator, socket, &agent_name, &refused).await,
        Err(_) => return,
    }
    let end = serve(
        &coordinator,
        &mut socket,
        queue,
        connection,
        &agent_id,
        &meter,
    )
    .await;
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

async fn refuse(coordinator: &Coordinator, mut socket: WebSocket, agent: &str, why: &HelloRefused) {
    let reason = why.to_string();
    let refused = ToAgent::Refused {
        reason: reason.clone(),
    };
    // An agent that is gone already need not hear why.
    let _ = send(&mut socket, &refused).await;
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
    match receive(socket).await? {
        ToCoordinator::Hello(hello) => Ok(hello),
        _ => Err(End::Fault(
            ConnectionFault::NoHello,
            "the first frame is not a hello".to_owned(),
        )),
    }
}

async fn serve(
    coordinator: &Coordinator,
    socket: &mut WebSocket,
    mut queue: mpsc::Receiver<ToAgent>,
    connection: u64,
    agent_id: &AgentId,
    meter: &Meter,
) -> End {
    let lease = coordinator.shared.lease;
    let mut last_heard = Instant::now();
    loop {
        let received = tokio::select! {
            message = queue.recv() => {
                let Some(message) = message else {
                    return End::Dropped;
                };
                if send(socket, &message).await.is_err() {
                    return End::Gone;
                }
                continue;
            }
            // Not while a message is being saved: what has come whole is saved.
            () = meter.crowded_out() => return End::crowded_out(),
            received = tokio::time::timeout_at(last_heard + lease, receive(socket)) => received,
        };
        let message = match received {
            Ok(Ok(message)) => {
                last_heard = Instant::now();
                meter.message_is_whole();
                message
            }
            Ok(Err(end)) => return end,
            Err(_) => {
                let detail = format!("nothing heard for {} s", lease.as_secs_f64());
                return End::Fault(ConnectionFault::Silent, detail);
            }
        };
        let answer = match message {
            ToCoordinator::Ping { sent_at, runs } => {
                coordinator
                    .command(Command::AgentHeard {
                        agent_id: agent_id.to_owned(),
                        runs,
                    })
                    .await;
                Some(ToAgent::Pong {
                    sent_at,
                    coordinator_time: coordinator.now(),
                })
            }
            ToCoordinator::Ready {
                run_id,
                shape,
                set_up_data,
            } => {
                coordinator
                    .command(Command::AgentReady {
                        agent_id: agent_id.to_owned(),
                        run_id,
                        shape,
                        set_up_data,
                    })
                    .await;
                None
            }
            ToCoordinator::Snapshot(snapshot) => {
                match save(coordinator, connection, agent_id, *snapshot, last_heard).await {
                    Ok(answer) => answer,
                    Err(end) => return end,
                }
            }
            ToCoordinator::Hello(_) => {
                return End::Fault(ConnectionFault::Malformed, "a second hello".to_owned());
            }
        };
        meter.message_done();
        if let Some(answer) = answer
            && send(socket, &answer).await.is_err()
        {
            return End::Gone;
        }
    }
}

/// Saves a snapshot, then acknowledges it. What cannot be saved now is not acknowledged: closing the
/// connection makes the agent send it again after a pause.
async fn save(
    coordinator: &Coordinator,
    connection: u64,
    agent_id: &AgentId,
    mut snapshot: Snapshot,
    received_at: Instant,
) -> Result<Option<ToAgent>, End> {
    if let Some(end) = &mut snapshot.end
        && let Some(reason) = end.failure_reason()
    {
        end.set_failure(reason);
    }
    let (run_id, seq) = (snapshot.run_id.clone(), snapshot.seq);
    let mut news = News {
        until: Some(snapshot.complete_until),
        failing: snapshot.failing_reason(),
        end: snapshot.end.clone(),
    };
    let saving = &coordinator.shared.saving;
    let saving_now = saving.begin(connection, agent_id, coordinator.now());
    let saved = coordinator
        .store()
        .save_snapshot(&run_id, agent_id, snapshot)
        .await;
    drop(saving_now);
    saving.note(&saved, coordinator.now());
    match saved {
        Ok(outcome @ (SaveOutcome::Saved | SaveOutcome::Duplicate)) => {
            if outcome == SaveOutcome::Duplicate {
                news = news_again(coordinator, &run_id, agent_id, news).await?;
            }
            pass_on(coordinator, &run_id, agent_id, news).await;
            if outcome == SaveOutcome::Saved {
                coordinator.changed();
            }
            let saving = received_at.elapsed().as_micros();
            Ok(Some(ToAgent::Ack {
                run_id,
                seq,
                saving_us: u64::try_from(saving).unwrap_or(u64::MAX),
            }))
        }
        Ok(SaveOutcome::Gap { expected }) => Err(End::Fault(
            ConnectionFault::InvalidSnapshot,
            format!("snapshot {seq} of run {run_id} arrived where {expected} was expected"),
        )),
        Err(error) if error.is_unknown_run() => Ok(Some(ToAgent::Abandon { run_id })),
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

/// What a saved snapshot says to the life cycle of its run.
#[derive(Default)]
struct News {
    /// All results of the seconds before this one are saved.
    until: Option<u32>,
    /// Why the agent stops its load early.
    failing: Option<FailureReason>,
    end: Option<AgentEnd>,
}

/// What a snapshot says that was saved before. Only the saved one was checked, so nothing of this one counts. But before
/// a restart the life cycle may not have heard of the saved end; hearing it twice is harmless.
async fn news_again(
    coordinator: &Coordinator,
    run_id: &RunId,
    agent_id: &AgentId,
    unchecked: News,
) -> Result<News, End> {
    if unchecked.end.is_none() {
        return Ok(News::default());
    }
    match coordinator.store().run(run_id).await {
        Ok(record) => Ok(News {
            end: record.and_then(|record| record.agent(agent_id)?.end.clone()),
            ..News::default()
        }),
        Err(error) => {
            tracing::error!(%error, run = %run_id, "cannot read how an agent ended; the agent will send it again");
            Err(End::Dropped)
        }
    }
}

async fn pass_on(coordinator: &Coordinator, run_id: &RunId, agent_id: &AgentId, news: News) {
    coordinator
        .command(Command::ResultsSaved {
            agent_id: agent_id.to_owned(),
            run_id: run_id.to_owned(),
            until: news.until,
        })
        .await;
    if let Some(reason) = news.failing {
        coordinator
            .command(Command::AgentFailing {
                run_id: run_id.to_owned(),
                reason,
            })
            .await;
    }
    if let Some(end) = news.end {
        coordinator
            .command(Command::AgentEnded {
                agent_id: agent_id.to_owned(),
                run_id: run_id.to_owned(),
                end,
            })
            .await;
    }
}

async fn receive(socket: &mut WebSocket) -> Result<ToCoordinator, End> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Binary(frame))) => {
                return protocol::decode(&frame).map_err(|error| {
                    let fault = match error {
                        FrameError::TooLarge(_) => ConnectionFault::Oversized,
                        FrameError::Malformed(_) => ConnectionFault::Malformed,
                    };
                    End::Fault(fault, error.to_string())
                });
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Text(_))) => {
                let detail = "a text frame; messages are binary frames".to_owned();
                return Err(End::Fault(ConnectionFault::Malformed, detail));
            }
            Some(Ok(Message::Close(_))) => return Err(End::Closed),
            None => return Err(End::Gone),
            Some(Err(error)) if is_oversized(&error) => {
                return Err(End::Fault(ConnectionFault::Oversized, error.to_string()));
            }
            Some(Err(_)) => return Err(End::Gone),
        }
    }
}

/// Whether a connection failed because a message is larger than its limits: the WebSocket's or those of the bytes below it.
fn is_oversized(error: &axum::Error) -> bool {
    let mut causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.any(|cause| {
        matches!(
            cause.downcast_ref(),
            Some(SocketError::Capacity(CapacityError::MessageTooLong { .. }))
        ) || cause
            .downcast_ref()
            .is_some_and(MessageTooLarge::is_cause_of)
    })
}

async fn send(socket: &mut WebSocket, message: &ToAgent) -> Result<(), ()> {
    let frame = Message::Binary(protocol::encode(message).into());
    match tokio::time::timeout(WRITE_TIMEOUT, socket.send(frame)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(()),
    }
}

async fn close(coordinator: &Coordinator, mut socket: WebSocket, agent: &str, end: End) {
    if let End::Fault(fault, detail) = end {
        coordinator.shared.faults.count(fault, agent, detail);
    }
    // The other side may be gone; there is nothing more to do for it.
    let _ = tokio::time::timeout(WRITE_TIMEOUT, socket.close()).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_messages_depend_on_their_type() {
        let too_long = CapacityError::MessageTooLong {
            size: 2,
            max_size: 1,
        };
        let by_socket = SocketError::Capacity(too_long);
        let below_it = SocketError::Io(MessageTooLarge::of_limit(1));
        for error in [by_socket, below_it] {
            assert!(is_oversized(&axum::Error::new(error)));
        }
        // What others write in their messages makes no difference.
        let reset = std::io::Error::other("the message is too large, too long; Space limit");
        assert!(!is_oversized(&axum::Error::new(SocketError::Io(reset))));
        assert!(!is_oversized(&axum::Error::new(
            SocketError::ConnectionClosed
        )));
    }
}

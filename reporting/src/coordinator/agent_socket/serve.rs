//! An agent's conversation: what it says is answered when it comes, and its snapshots when they are saved, which
//! holds up nothing else.

use std::time::Duration;

use axum::extract::ws::WebSocket;
use greylag_infra::protocol::{ToAgent, ToCoordinator, is_snapshot};
use greylag_infra::{AgentId, RunId};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::saves::Saves;
use super::{End, frames};
use crate::coordinator::agent_news::Heartbeat;
use crate::coordinator::owner::Command;
use crate::coordinator::{ConnectionFault, Coordinator, Meter};

/// How often an agent hears that its results wait here, while none is saved: it may not be read from, and takes a
/// connection that is silent for 10 s for broken; and one that is being shut down waits for them only while it hears.
/// Likewise one whose message comes so slowly that its pings wait behind it.
const SIGN_OF_LIFE_EVERY: Duration = Duration::from_secs(2);

/// Converses until the connection ends.
pub(super) async fn serve(
    coordinator: &Coordinator,
    socket: &mut WebSocket,
    mut queue: mpsc::Receiver<ToAgent>,
    agent_id: &AgentId,
    meter: &Meter,
) -> End {
    let lease = coordinator.shared.lease;
    let mut saves = Saves::new(coordinator, agent_id);
    let mut last_heard = Instant::now();
    let mut last_answer = last_heard;
    let mut last_look = last_heard;
    loop {
        let now = Instant::now();
        if saves.is_empty() {
            last_answer = now;
        }
        let may_read_at = saves.next_may_be_read();
        let may_read = may_read_at.is_some_and(|at| at <= now);
        if !may_read {
            // It is not read from, which is not its silence.
            last_heard = now;
        }
        let answer = tokio::select! {
            message = queue.recv() => match message {
                Some(message) => Some(message),
                None => return End::Dropped,
            },
            saved = saves.next() => match saved {
                Ok(answer) => {
                    last_answer = Instant::now();
                    Some(answer)
                }
                Err(end) => return end,
            },
            () = meter.crowded_out() => return End::crowded_out(),
            received = frames::receive(socket), if may_read => {
                let frame = match received {
                    Ok(frame) => frame,
                    Err(end) => return end,
                };
                last_heard = Instant::now();
                last_look = last_heard;
                if is_snapshot(&frame) {
                    let whole = meter.message_is_whole(frame.len());
                    saves.begin(frame, whole, last_heard);
                    None
                } else {
                    let answer = match frames::decode(&frame) {
                        Ok(message) => answer(coordinator, agent_id, message).await,
                        Err(end) => return end,
                    };
                    meter.message_done();
                    match answer {
                        Ok(answer) => answer,
                        Err(end) => return end,
                    }
                }
            }
            () = sleep_until(last_heard + lease), if may_read => {
                if !meter.has_come_further() {
                    let detail = format!("nothing heard for {} s", lease.as_secs_f64());
                    return End::Fault(ConnectionFault::Silent, detail);
                }
                last_heard = Instant::now();
                Some(message_arrives(coordinator, agent_id))
            }
            () = sleep_until(last_look + SIGN_OF_LIFE_EVERY), if may_read => {
                last_look = Instant::now();
                meter.has_come_further().then(|| {
                    last_heard = last_look;
                    message_arrives(coordinator, agent_id)
                })
            }
            () = until(may_read_at), if !may_read => None,
            () = sleep_until(last_answer + SIGN_OF_LIFE_EVERY), if !saves.is_empty() => {
                last_answer = Instant::now();
                Some(nothing_saved())
            }
        };
        if let Some(answer) = answer
            && let Err(end) = frames::send(socket, &answer).await
        {
            return end;
        }
    }
}

/// Waits until then, or for ever.
async fn until(then: Option<Instant>) {
    match then {
        Some(then) => sleep_until(then).await,
        None => std::future::pending().await,
    }
}

/// What is to be answered to a message that is not a snapshot.
async fn answer(
    coordinator: &Coordinator,
    agent_id: &AgentId,
    message: ToCoordinator,
) -> Result<Option<ToAgent>, End> {
    match message {
        ToCoordinator::Ping { sent_at, runs } => {
            let at = coordinator.now();
            let heartbeat = Heartbeat { at, runs };
            coordinator.shared.news.heard(agent_id, heartbeat);
            Ok(Some(ToAgent::Pong {
                sent_at,
                coordinator_time: at,
            }))
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
            Ok(None)
        }
        ToCoordinator::Snapshot(_) => Err(End::Fault(
            ConnectionFault::Malformed,
            "a snapshot that does not begin as one".to_owned(),
        )),
        ToCoordinator::Hello(_) => Err(End::Fault(
            ConnectionFault::Malformed,
            "a second hello".to_owned(),
        )),
    }
}

/// More of a message has come: what is to be answered.
fn message_arrives(coordinator: &Coordinator, agent_id: &AgentId) -> ToAgent {
    let news = &coordinator.shared.news;
    news.message_arrives(agent_id, coordinator.now());
    nothing_saved()
}

/// An acknowledgement of no snapshot: its results are being taken care of.
fn nothing_saved() -> ToAgent {
    ToAgent::Ack {
        run_id: RunId::default(),
        seq: 0,
        saving_us: 0,
    }
}

//! Messages of an agent's connection as frames of its WebSocket, and how reading them ends.

use std::error::Error;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket};
use futures_util::StreamExt;
use greylag_infra::protocol::{self, FrameError, ToAgent, ToCoordinator};
use tokio_tungstenite::tungstenite::Error as SocketError;
use tokio_tungstenite::tungstenite::error::CapacityError;

use super::End;
use crate::coordinator::ConnectionFault;
use crate::coordinator::receive_budget::MessageTooLarge;

/// How long one frame may take to be written.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// The next message as it came. Nothing is lost when the wait is given up.
pub(super) async fn receive(socket: &mut WebSocket) -> Result<Bytes, End> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Binary(frame))) => return Ok(frame),
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

/// Reads a message.
pub(super) fn decode(frame: &[u8]) -> Result<ToCoordinator, End> {
    protocol::decode(frame).map_err(|error| {
        let fault = match error {
            FrameError::TooLarge(_) => ConnectionFault::Oversized,
            FrameError::Malformed(_) => ConnectionFault::Malformed,
        };
        End::Fault(fault, error.to_string())
    })
}

/// Writes a message.
pub(super) async fn send(socket: &mut WebSocket, message: &ToAgent) -> Result<(), End> {
    let frame = Message::Binary(protocol::encode(message).into());
    match tokio::time::timeout(WRITE_TIMEOUT, socket.send(frame)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(End::Gone),
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

//! Messages of the connection as frames of its WebSocket.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use greylag_infra::protocol::{MAX_FRAME_BYTES, ToAgent, decode};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::end::Break;

/// How long one frame may take to be written.
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);

pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Where messages are written.
pub(super) trait Outgoing: Sink<Message, Error = Error> + Unpin {}

impl<S: Sink<Message, Error = Error> + Unpin> Outgoing for S {}

/// Reads the next message.
pub(super) async fn read(
    socket: &mut (impl Stream<Item = Result<Message, Error>> + Unpin),
) -> Result<ToAgent, Break> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Binary(frame))) => return Ok(decode(&frame)?),
            Some(Ok(Message::Close(_))) | None => return Err(Break::Closed),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(Box::new(error).into()),
        }
    }
}

/// Writes a message, a long one in several frames.
pub(super) async fn write(socket: &mut impl Outgoing, mut message: Bytes) -> Result<(), Break> {
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

async fn write_frame(socket: &mut impl Outgoing, frame: Message) -> Result<(), Break> {
    match timeout(WRITE_TIMEOUT, socket.send(frame)).await {
        Ok(written) => written.map_err(|error| Box::new(error).into()),
        Err(_) => Err(Break::TakesNothing),
    }
}

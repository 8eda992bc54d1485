//! Messages of the connection as frames of its WebSocket.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use greylag_infra::protocol::{MAX_FRAME_BYTES, ToAgent, decode};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::end::Break;

/// How long one frame may take to be written.
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);
/// Longest frame: even a slow link carries it in time.
const MAX_PART_BYTES: usize = 16 * 1024;
const _: () = assert!(MAX_PART_BYTES <= MAX_FRAME_BYTES);
/// A connection that is silent for this long is broken, unless a long message is being written: the coordinator answers a
/// ping each second.
pub(super) const SILENCE: Duration = Duration::from_secs(10);

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

/// When a part of a long message was written last.
#[derive(Debug)]
pub(super) struct Progress(Mutex<Instant>);

impl Progress {
    /// None has been written before now.
    pub(super) fn new() -> Self {
        Self(Mutex::new(Instant::now()))
    }

    fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the next message. The connection is broken when none comes for [`SILENCE`] and no part of a long message has
/// been written for as long: the pings wait behind it.
pub(super) async fn read_while_alive(
    socket: &mut (impl Stream<Item = Result<Message, Error>> + Unpin),
    progress: &Progress,
) -> Result<ToAgent, Break> {
    let mut silent_since = Instant::now();
    let message = read(socket);
    let mut message = std::pin::pin!(message);
    loop {
        if let Ok(message) = timeout_at(silent_since + SILENCE, &mut message).await {
            return message;
        }
        let written = progress.last();
        if written <= silent_since {
            return Err(Break::Silent(SILENCE));
        }
        silent_since = written;
    }
}

/// Writes a message, a long one in several frames.
pub(super) async fn write(
    socket: &mut impl Outgoing,
    mut message: Bytes,
    progress: &Progress,
) -> Result<(), Break> {
    if message.len() <= MAX_PART_BYTES {
        return write_frame(socket, Message::Binary(message)).await;
    }
    let mut kind = Data::Binary;
    while !message.is_empty() {
        let part = message.split_to(message.len().min(MAX_PART_BYTES));
        let frame = Frame::message(part, OpCode::Data(kind), message.is_empty());
        write_frame(socket, Message::Frame(frame)).await?;
        progress.note();
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

#[cfg(test)]
mod tests {
    use futures_util::{sink, stream};
    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_long_message_over_a_slow_link_is_no_silence_and_what_follows_it_is() {
        const BYTES_PER_SECOND: u64 = 2_000;
        let sink = sink::unfold((), |(), frame: Message| async move {
            let millis = frame.len() as u64 * 1_000 / BYTES_PER_SECOND;
            sleep(Duration::from_millis(millis)).await;
            Ok::<_, Error>(())
        });
        let mut sink = std::pin::pin!(sink);
        let progress = Progress::new();
        let message = Bytes::from(vec![7; 8 * MAX_FRAME_BYTES]);
        let begun = Instant::now();
        let ended = tokio::sync::Mutex::new(None);
        let writing = async {
            let written = write(&mut sink, message, &progress).await;
            assert!(written.is_ok(), "{written:?}");
            *ended.lock().await = Some(begun.elapsed());
            std::future::pending::<()>().await;
        };
        let mut silent = stream::pending();
        let broken = tokio::select! {
            read = read_while_alive(&mut silent, &progress) => read,
            () = writing => unreachable!("it goes on for ever"),
        };
        assert!(matches!(broken, Err(Break::Silent(_))), "{broken:?}");
        let ended = ended.lock().await.expect("the message is written whole");
        assert_eq!(begun.elapsed(), ended + SILENCE);
    }
}

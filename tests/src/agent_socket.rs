//! A bare client of the agents' WebSocket, for saying what no agent says.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use greylag_infra::AgentSecret;
use greylag_infra::protocol::{
    self, AGENT_SOCKET_PATH, Hello, MAX_FRAME_BYTES, PROTOCOL_VERSION, ScenarioInfo, ToAgent,
    ToCoordinator,
};
use http::Request;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// How long raw bytes are offered.
const RAW_TIMEOUT: Duration = Duration::from_millis(500);
/// Bytes that are read at a time: a process may have thousands of connections, and coordinators say little.
const READ_BUFFER_BYTES: usize = 8 * 1024;

/// One connection.
#[derive(Debug)]
pub struct AgentSocket {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

/// How a connection went on.
#[derive(Debug)]
pub enum Heard {
    /// A message.
    Message(ToAgent),
    /// The coordinator closed the connection.
    Closed,
}

impl AgentSocket {
    /// Connects to the coordinator at this base URL, with further headers.
    ///
    /// # Errors
    /// The coordinator refuses the upgrade.
    pub async fn connect(url: &str, headers: &[(&'static str, &str)]) -> Result<Self, Box<Error>> {
        let address = format!("{}{AGENT_SOCKET_PATH}", url.replacen("http://", "ws://", 1));
        let mut request: Request<()> = address.into_client_request().map_err(Box::new)?;
        for (name, value) in headers {
            request.headers_mut().insert(
                *name,
                value.parse().expect("tests give valid header values"),
            );
        }
        let buffers = WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES);
        let (socket, _) = connect_async_with_config(request, Some(buffers), true)
            .await
            .map_err(Box::new)?;
        Ok(Self { socket })
    }

    /// Sends any frame. That the other side is already gone is not an error: what it said last is what counts.
    pub async fn send_frame(&mut self, frame: Message) {
        let _ = self.socket.send(frame).await;
    }

    /// Sends bytes below the frames, as far as the coordinator takes them within a time.
    pub async fn send_raw(&mut self, bytes: &[u8]) {
        let written = async {
            let stream = self.socket.get_mut();
            stream.write_all(bytes).await?;
            stream.flush().await
        };
        // That it takes no more, or is gone, is what tests of this want to see.
        let _ = tokio::time::timeout(RAW_TIMEOUT, written).await;
    }

    /// Sends a message.
    pub async fn send(&mut self, message: &ToCoordinator) {
        self.send_frame(Message::Binary(protocol::encode(message).into()))
            .await;
    }

    /// Sends an encoded message as agents do: a long one in several frames.
    ///
    /// # Errors
    /// The connection is closed.
    pub async fn try_send(&mut self, mut message: Bytes) -> Result<(), Box<Error>> {
        let mut kind = Data::Binary;
        while message.len() > MAX_FRAME_BYTES {
            let part = message.split_to(MAX_FRAME_BYTES);
            let frame = Frame::message(part, OpCode::Data(kind), false);
            self.socket.send(Message::Frame(frame)).await?;
            kind = Data::Continue;
        }
        let last = Frame::message(message, OpCode::Data(kind), true);
        Ok(self.socket.send(Message::Frame(last)).await?)
    }

    /// The next message, however long it takes; none when the connection is closed. Nothing is lost when the wait is given
    /// up.
    ///
    /// # Panics
    /// The coordinator sends something that is not a message.
    pub async fn next_message(&mut self) -> Option<ToAgent> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Binary(frame))) => {
                    return Some(protocol::decode(&frame).expect("the coordinator sends messages"));
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// The next message, or that the connection is closed.
    ///
    /// # Panics
    /// Neither comes within a time.
    pub async fn hear(&mut self) -> Heard {
        tokio::time::timeout(ANSWER_TIMEOUT, self.next_message())
            .await
            .expect("the coordinator answers or closes the connection")
            .map_or(Heard::Closed, Heard::Message)
    }

    /// Reads until the connection is closed.
    ///
    /// # Panics
    /// It stays open.
    pub async fn wait_until_closed(&mut self) {
        let closed = async { while let Heard::Message(_) = self.hear().await {} };
        tokio::time::timeout(ANSWER_TIMEOUT, closed)
            .await
            .expect("the coordinator closes the connection");
    }
}

/// A hello that is welcome, of an agent whose secret follows from its name.
pub fn hello(name: &str, infrastructure: &str) -> Hello {
    Hello {
        protocol: PROTOCOL_VERSION,
        secret: AgentSecret::new(format!("{name:->32}")),
        name: name.to_owned(),
        infrastructure: infrastructure.to_owned(),
        build: greylag_infra::BuildInfo::default(),
        version: "0.0.0".to_owned(),
        worker_protocol: None,
        takes_data: false,
        cores: 1,
        once: false,
        scenarios: vec![ScenarioInfo {
            name: "bare".to_owned(),
            description: String::new(),
            ..ScenarioInfo::default()
        }],
        runs: Vec::new(),
    }
}

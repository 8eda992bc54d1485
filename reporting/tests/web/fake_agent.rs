//! An agent that does what it is asked to, over a real WebSocket.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use greylag_infra::AgentSecret;
use greylag_infra::protocol::{
    AGENT_SOCKET_PATH, Hello, PROTOCOL_VERSION, ScenarioInfo, ToAgent, ToCoordinator, decode,
    encode,
};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// How long a message may take to come.
const DEADLINE: Duration = Duration::from_secs(20);

/// Its connection.
pub(crate) struct FakeAgent {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl FakeAgent {
    /// Joins an infrastructure with one scenario that has nothing but a name.
    pub(crate) async fn join(
        coordinator: SocketAddr,
        infrastructure: &str,
        scenario: &str,
    ) -> Self {
        let scenario = ScenarioInfo {
            name: scenario.into(),
            ..ScenarioInfo::default()
        };
        Self::join_with(coordinator, infrastructure, vec![scenario]).await
    }

    /// Joins an infrastructure with these scenarios.
    pub(crate) async fn join_with(
        coordinator: SocketAddr,
        infrastructure: &str,
        scenarios: Vec<ScenarioInfo>,
    ) -> Self {
        let (socket, _) = connect_async(format!("ws://{coordinator}{AGENT_SOCKET_PATH}"))
            .await
            .expect("the socket opens");
        let mut agent = Self { socket };
        let hello = Hello {
            protocol: PROTOCOL_VERSION,
            // One of each infrastructure may be there at once.
            secret: AgentSecret::new(format!("{}-{infrastructure:->32}", crate::site::AGENT)),
            name: crate::site::AGENT.into(),
            infrastructure: infrastructure.into(),
            build: greylag_infra::BuildInfo::default(),
            version: "0.0.0".into(),
            worker_protocol: None,
            takes_data: false,
            cores: 2,
            once: false,
            scenarios,
            runs: Vec::new(),
        };
        agent.send(&ToCoordinator::Hello(hello)).await;
        agent
            .until(|message| matches!(message, ToAgent::Welcome(_)))
            .await;
        agent
    }

    pub(crate) async fn send(&mut self, message: &ToCoordinator) {
        let frame = Message::Binary(encode(message).into());
        self.socket
            .send(frame)
            .await
            .expect("the coordinator listens");
    }

    /// Reads until a message is the wanted one, which it returns.
    pub(crate) async fn until(&mut self, wanted: impl Fn(&ToAgent) -> bool) -> ToAgent {
        loop {
            let frame = tokio::time::timeout(DEADLINE, self.socket.next())
                .await
                .expect("a message in time")
                .expect("the connection holds")
                .expect("a frame");
            if let Message::Binary(bytes) = frame {
                let message = decode(&bytes).expect("a message");
                if wanted(&message) {
                    return message;
                }
            }
        }
    }
}

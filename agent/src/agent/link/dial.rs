//! Reaching the coordinator, and the handshake: hello and welcome.

use std::sync::Arc;
use std::time::Duration;

use greylag_infra::protocol::{
    Hello, MAX_HELLO_BYTES, MAX_MESSAGE_BYTES, PROTOCOL_VERSION, ToAgent, ToCoordinator, Welcome,
    encode,
};
use greylag_reporting::ErrorBody;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use rustls::ClientConfig;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Error as SocketError;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{Connector, connect_async_tls_with_config};
use url::Url;

use super::end::{Break, End, Refusal};
use super::frames::{Progress, Socket, read, write};
use crate::untrusted::untrusted;

/// How long reaching the coordinator may take, name resolution and TLS included.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the answer to the hello may take.
const WELCOME_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the coordinator is and how to speak to it.
#[derive(Debug, Clone)]
pub(crate) struct LinkConfig {
    /// The WebSocket's address (ws or wss).
    pub(crate) socket_url: Url,
    pub(crate) token: Option<String>,
    /// How the server is checked at a wss address; by default by the system's authorities.
    pub(crate) tls: Option<Arc<ClientConfig>>,
}

/// Dials the coordinator and says hello, until it has welcomed the agent.
pub(super) async fn connect(config: &LinkConfig, hello: Hello) -> Result<(Socket, Welcome), End> {
    let mut socket = dial(config).await?;
    let hello = encode(&ToCoordinator::Hello(hello));
    if hello.len() > MAX_HELLO_BYTES {
        return Err(Refusal::HelloTooLarge { bytes: hello.len() }.into());
    }
    write(&mut socket, hello.into(), &Progress::new()).await?;
    let answer = timeout(WELCOME_TIMEOUT, read(&mut socket))
        .await
        .map_err(|_| Break::NoWelcome)??;
    match answer {
        ToAgent::Welcome(welcome) if welcome.protocol == PROTOCOL_VERSION => Ok((socket, welcome)),
        ToAgent::Welcome(welcome) => Err(Refusal::ProtocolVersion {
            theirs: welcome.protocol,
        }
        .into()),
        ToAgent::Refused { reason } => Err(Refusal::ByCoordinator(reason).into()),
        _ => Err(Break::OtherThanWelcome.into()),
    }
}

async fn dial(config: &LinkConfig) -> Result<Socket, End> {
    let url = config.socket_url.as_str();
    let mut request = url
        .into_client_request()
        .map_err(|error| Refusal::Address {
            url: url.to_owned(),
            source: Box::new(error),
        })?;
    if let Some(token) = &config.token {
        let bearer =
            HeaderValue::try_from(format!("Bearer {token}")).map_err(Refusal::UnsendableToken)?;
        request.headers_mut().insert(header::AUTHORIZATION, bearer);
    }
    let limits = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES));
    let connector = config.tls.clone().map(Connector::Rustls);
    let dialled = connect_async_tls_with_config(request, Some(limits), true, connector);
    let error = match timeout(DIAL_TIMEOUT, dialled).await {
        Ok(Ok((socket, _))) => return Ok(socket),
        Ok(Err(error)) => error,
        Err(_) => return Err(Break::NoAnswer(DIAL_TIMEOUT).into()),
    };
    Err(match error {
        SocketError::Http(response) => match response.status() {
            StatusCode::UNAUTHORIZED if config.token.is_some() => Refusal::WrongToken.into(),
            StatusCode::UNAUTHORIZED => Refusal::NoToken.into(),
            StatusCode::FORBIDDEN if lacks_scope(response.headers()) => {
                Refusal::NotForAgents.into()
            }
            StatusCode::FORBIDDEN => Refusal::UnknownName {
                url: url.to_owned(),
            }
            .into(),
            status => match response.body().as_deref().and_then(error_of) {
                Some(reason) if status == StatusCode::BAD_REQUEST => {
                    Refusal::ByCoordinator(reason).into()
                }
                _ => Break::NoCoordinator(status).into(),
            },
        },
        error => match untrusted(&error) {
            Some(cause) => Break::Untrusted(cause).into(),
            None => Break::Socket(Box::new(error)).into(),
        },
    })
}

/// The message of an error of the API, such as that the port speaks HTTPS.
fn error_of(body: &[u8]) -> Option<String> {
    let body: ErrorBody = serde_json::from_slice(body).ok()?;
    Some(body.error)
}

/// Whether the answer says that the token is right, but not for this (RFC 6750).
fn lacks_scope(headers: &HeaderMap) -> bool {
    let challenge = headers.get(header::WWW_AUTHENTICATE);
    let challenge = challenge.and_then(|challenge| challenge.to_str().ok());
    challenge.is_some_and(|challenge| challenge.contains("insufficient_scope"))
}

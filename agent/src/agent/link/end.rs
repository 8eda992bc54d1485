//! Why a connection to the coordinator ended or did not come about, and whether dialling again may help.

use std::time::Duration;

use greylag_infra::protocol::{FrameError, MAX_HELLO_BYTES, PROTOCOL_VERSION};
use http::StatusCode;
use tokio_tungstenite::tungstenite::Error as SocketError;

/// How a connection ended or why it did not come about.
pub(super) enum End {
    /// The agent ends.
    Closed,
    /// Dialling again is of no use.
    Refused(Refusal),
    /// Dialling again may help.
    Broken(Break),
}

/// Why this agent and its coordinator do not go together.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The coordinator says why.
    #[error("{0}")]
    ByCoordinator(String),
    /// The hello is larger than a coordinator takes.
    #[error(
        "the descriptions of this program's scenarios take {bytes} bytes; the maximum is {MAX_HELLO_BYTES}: shorten descriptions and help texts, or split the program"
    )]
    HelloTooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The coordinator is of another version.
    #[error(
        "the coordinator speaks protocol version {theirs}, this agent {PROTOCOL_VERSION}; use the same Greylag on both"
    )]
    ProtocolVersion {
        /// The coordinator's.
        theirs: u32,
    },
    /// The address cannot be dialled.
    #[error("{url} is not a valid coordinator address: {source}")]
    Address {
        /// The address.
        url: String,
        /// What is wrong with it.
        source: Box<SocketError>,
    },
    /// The token cannot be part of a request.
    #[error("the token has characters that cannot be sent")]
    UnsendableToken(#[source] http::header::InvalidHeaderValue),
    /// The coordinator has another token, or this one has ended.
    #[error(
        "the coordinator rejected the token; use the one it was started with, or one with the role agent that has not expired or been revoked"
    )]
    WrongToken,
    /// The token is not one of agents.
    #[error("the token is not for agents; create one with `greylag token create --role agent`")]
    NotForAgents,
    /// The coordinator has a token, and none was given.
    #[error("the coordinator requires a token; set it with --token or GREYLAG_TOKEN")]
    NoToken,
    /// The coordinator does not take requests under the name it was dialled by.
    #[error(
        "the coordinator does not accept the host name in {url} (403 Forbidden); use the address it was started with, or start it with a token"
    )]
    UnknownName {
        /// The address that was dialled.
        url: String,
    },
}

/// Why a connection broke or did not come about.
#[derive(Debug, thiserror::Error)]
pub(super) enum Break {
    #[error("no answer within {} s", .0.as_secs())]
    NoAnswer(Duration),
    #[error("it answers {0} where a Greylag coordinator would accept an agent")]
    NoCoordinator(StatusCode),
    #[error("{0}")]
    Untrusted(String),
    #[error("no handshake reply")]
    NoWelcome,
    #[error("it did not accept the agent")]
    OtherThanWelcome,
    #[error("nothing heard for {} s", .0.as_secs())]
    Silent(Duration),
    #[error("it accepts no more messages")]
    TakesNothing,
    #[error("it closed the connection")]
    Closed,
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Socket(#[from] Box<SocketError>),
}

impl From<Refusal> for End {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Break> for End {
    fn from(cause: Break) -> Self {
        Self::Broken(cause)
    }
}

//! Carries one request to one answer, on a kept connection where there is one.

mod answer_headers;
mod connect;
mod dial;
pub(super) mod http1;
mod http2;
mod local_ports;
mod outgoing;
mod pool;
mod proxy;
pub(super) mod stream;
mod tls;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use hyper::body::{Body as _, Incoming};

use super::failure::Failure;
use super::kind::HttpVersion;
use super::target::Origin;
use connect::connect;
use outgoing::Unanswered;
use pool::{Connection, Pool, Protocol};

pub(super) use answer_headers::AnswerHeaders;
pub(super) use http1::has_token;
pub(super) use outgoing::Outgoing;
pub(crate) use proxy::Proxy as ClientProxy;
pub use proxy::ProxyError;
pub(crate) use tls::TlsExtras;
pub(super) use tls::config as tls_config;
pub use tls::{TlsConfigError, tls_client_config};

/// How connections are made, for all users of a type.
pub(super) struct ConnectionSettings {
    /// Longest time for making one, TLS included.
    pub(super) timeout: Duration,
    pub(super) versions: HttpVersion,
    pub(super) tls: Arc<rustls::ClientConfig>,
    pub(super) proxy: Option<ClientProxy>,
    /// For an encrypted connection to a proxy.
    pub(super) proxy_tls: Arc<rustls::ClientConfig>,
}

/// One user's way to its targets. A clone shares its connections.
#[derive(Clone, Default)]
pub(super) struct Transport {
    pool: Arc<Pool>,
}

impl Transport {
    /// Sends a request, and reads the head of its answer.
    pub(super) async fn send(
        &self,
        settings: &ConnectionSettings,
        request: &Outgoing<'_>,
    ) -> Result<(Head, Unread), Failure> {
        let origin = &request.target.origin;
        let (mut connection, mut is_kept) = match self.pool.take(origin).await {
            Some(connection) => (connection, true),
            None => (self.connect(settings, origin).await?, false),
        };
        let mut answer = self.send_on(connection, request).await;
        if let Err(unanswered) = &answer
            && is_kept
            && unanswered.may_be_repeated(request.method)
        {
            self.pool.forget_shared(origin);
            (connection, is_kept) = (self.connect(settings, origin).await?, false);
            answer = self.send_on(connection, request).await;
        }
        answer.map_err(|unanswered| unanswered.into_failure(is_kept))
    }

    /// Gives back the memory that only requests under way need.
    pub(super) fn release_memory(&self) {
        self.pool.release_memory();
    }

    async fn connect(
        &self,
        settings: &ConnectionSettings,
        origin: &Origin,
    ) -> Result<Connection, Failure> {
        // In a box: it is rare, and large within every request that is under way.
        let connection = Box::pin(connect(settings, origin)).await?;
        Ok(self.pool.share(connection))
    }

    async fn send_on(
        &self,
        connection: Connection,
        request: &Outgoing<'_>,
    ) -> Result<(Head, Unread), Unanswered> {
        let Connection { origin, protocol } = connection;
        let closes = request.headers.closes();
        match protocol {
            Protocol::Http1(mut http1) => {
                let head = http1.send(request).await?;
                let source = Source::Http1 {
                    connection: Some(Connection {
                        origin,
                        protocol: Protocol::Http1(http1),
                    }),
                    back: (!closes).then(|| Arc::clone(&self.pool)),
                };
                Ok((head.into(), Unread::new(source)))
            }
            Protocol::Http2(mut http2) => {
                if closes {
                    // What the scenario asks for by it: the next request goes out on a new connection.
                    self.pool.forget_shared(&origin);
                }
                let answer = Box::pin(http2.send(request)).await?;
                let (head, body) = answer.into_parts();
                let unread = Unread::new(Source::Http2(body));
                Ok((Head::from(Response::from_parts(head, ())), unread))
            }
        }
    }
}

/// What the head of an answer says, on any version.
pub(super) struct Head {
    pub(super) status: StatusCode,
    /// The reason phrase where it is not the usual one.
    pub(super) reason: Option<Bytes>,
    pub(super) headers: AnswerHeaders,
}

impl From<http1::Head> for Head {
    fn from(head: http1::Head) -> Self {
        Self {
            status: head.status,
            reason: head.reason,
            headers: head.headers,
        }
    }
}

impl From<Response<()>> for Head {
    fn from(response: Response<()>) -> Self {
        let (head, ()) = response.into_parts();
        Self {
            status: head.status,
            reason: None,
            headers: head.headers.into(),
        }
    }
}

/// A body as it comes from the server. Read to its end, its connection serves again; dropped before, it is closed.
pub(super) struct Unread {
    source: Source,
    /// A piece that was looked at and belongs before the next.
    looked_at: Option<Bytes>,
}

enum Source {
    Http1 {
        connection: Option<Connection>,
        /// Where the connection goes when the body has been read; `None` if it is not to be kept.
        back: Option<Arc<Pool>>,
    },
    Http2(Incoming),
}

impl Unread {
    fn new(source: Source) -> Self {
        Self {
            source,
            looked_at: None,
        }
    }

    /// Whether the whole body came with the head.
    pub(super) fn is_here(&self) -> bool {
        match &self.source {
            Source::Http1 {
                connection:
                    Some(Connection {
                        protocol: Protocol::Http1(http1),
                        ..
                    }),
                ..
            } => http1.has_body(),
            _ => false,
        }
    }

    /// Reads the rest and keeps nothing of it.
    pub(super) async fn discard(mut self) -> Result<(), Failure> {
        while self.chunk().await?.is_some() {}
        Ok(())
    }

    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        std::future::poll_fn(|cx| self.poll_chunk(cx))
            .await
            .transpose()
    }

    /// Puts a piece back before those that follow.
    pub(super) fn put_back(&mut self, piece: Bytes) {
        self.looked_at = Some(piece);
    }

    /// The next piece, never an empty one; `None` at the end.
    pub(super) fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Failure>>> {
        if let Some(chunk) = self.looked_at.take() {
            return Poll::Ready(Some(Ok(chunk)));
        }
        self.source.poll_chunk(cx)
    }
}

impl Source {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
        match self {
            Source::Http1 { connection, back } => {
                let Some(Connection {
                    protocol: Protocol::Http1(http1),
                    ..
                }) = connection
                else {
                    return Poll::Ready(None);
                };
                let chunk = http1.poll_chunk(cx);
                match &chunk {
                    Poll::Ready(None) => {
                        if http1.serves_again()
                            && let (Some(back), Some(connection)) = (back.take(), connection.take())
                        {
                            back.give_back(connection);
                        } else {
                            *connection = None;
                        }
                    }
                    Poll::Ready(Some(Err(_))) => *connection = None,
                    _ => {}
                }
                chunk
            }
            Source::Http2(body) => loop {
                match Pin::new(&mut *body).poll_frame(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(None) => return Poll::Ready(None),
                    Poll::Ready(Some(Err(error))) => {
                        return Poll::Ready(Some(Err(Failure::http_body(&error))));
                    }
                    Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                        Ok(chunk) if !chunk.is_empty() => return Poll::Ready(Some(Ok(chunk))),
                        // Trailers are not a part of the body.
                        _ => {}
                    },
                }
            },
        }
    }
}

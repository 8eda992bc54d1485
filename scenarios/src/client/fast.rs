//! The fast transport: hyper's HTTP/1.1, one connection per user and origin, kept alive.
//!
//! The connection is driven inside the user's own task instead of one beside it: that saves a
//! wake-up and a switch of tasks per request, and dropping a request drops its connection with it.
//! While a user waits nobody polls its connection; a server that closed it meanwhile is noticed before
//! the next request is handed over, which then goes out on a new connection.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::header::{CONNECTION, HeaderMap};
use http::{Method, Request};
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1;
use hyper::ext::ReasonPhrase;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::ClientShared;
use super::body::Collected;
use super::body_stream::Unread;
use super::exchange::{Answer, Reading};
use super::failure::{CONNECT_TIMED_OUT, Failure, is_closing};
use super::race::may_race;
use super::stream::Stream;
use super::target::{Origin, Target};

/// Connections kept per user, one per origin; the one unused longest makes room.
const KEPT_CONNECTIONS: usize = 8;

/// One user's connections.
pub(super) struct FastTransport {
    kept: Vec<Kept>,
    /// Where connections come back to whose response was streamed; made with the first of them.
    returned: Option<Arc<Returned>>,
}

/// Connections whose streamed response has been read to its end.
type Returned = Mutex<Vec<(Origin, Connection)>>;

fn lock(returned: &Returned) -> MutexGuard<'_, Vec<(Origin, Connection)>> {
    // Nothing can panic while it is held; and a connection more or less does no harm.
    returned
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

struct Kept {
    origin: Origin,
    connection: Connection,
    since: Instant,
}

struct Connection {
    requests: http1::SendRequest<Full<Bytes>>,
    driver: http1::Connection<TokioIo<Stream>, Full<Bytes>>,
    closed: bool,
}

impl FastTransport {
    pub(super) fn new() -> Self {
        Self {
            kept: Vec::new(),
            returned: None,
        }
    }

    /// A transport beside this one; it gets the connections that this one has twice.
    pub(super) fn fork(&mut self) -> Self {
        let mut fork = Self::new();
        let (mut own, mut origins) = (Vec::new(), Vec::new());
        for kept in self.kept.drain(..) {
            if origins.contains(&kept.origin) {
                fork.kept.push(kept);
            } else {
                origins.push(kept.origin.clone());
                own.push(kept);
            }
        }
        self.kept = own;
        fork
    }

    /// Takes the idle connections of a fork back.
    pub(super) fn join(&mut self, fork: Self) {
        for kept in fork.kept {
            self.keep(kept.origin, kept.connection);
        }
    }

    fn returned(&mut self) -> &Arc<Returned> {
        self.returned.get_or_insert_default()
    }

    pub(super) async fn send(
        &mut self,
        shared: &ClientShared,
        method: &Method,
        target: &Arc<Target>,
        headers: HeaderMap,
        body: Bytes,
        reading: Reading,
    ) -> Result<Answer, Failure> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method.clone();
        *request.uri_mut() = target.uri.clone();
        *request.headers_mut() = headers;

        let (mut connection, idle) = match self.take(&target.origin).await {
            Some((connection, since)) => (connection, Some(since.elapsed())),
            None => (connect(shared, &target.origin).await?, None),
        };
        // Only a kept connection may turn out closed without fault; a copy to send again is needed
        // only where that can happen after the request was handed over.
        let spare = idle
            .filter(|idle| may_race(*idle, method))
            .map(|_| request.clone());
        let response = match connection.send(request).await {
            Ok(response) => response,
            Err(refused) => {
                let again = refused
                    .unsent
                    .filter(|_| idle.is_some())
                    .or_else(|| spare.filter(|_| refused.closed));
                let Some(request) = again else {
                    return Err(refused.failure);
                };
                connection = connect(shared, &target.origin).await?;
                connection
                    .send(request)
                    .await
                    .map_err(|refused| refused.failure)?
            }
        };
        let head_at = Instant::now();
        let (mut head, body) = response.into_parts();
        if reading == Reading::Head {
            let body = FastBody {
                body,
                back: (!says_close(&head.headers)).then(|| Arc::clone(self.returned())),
                kept: Some((target.origin.clone(), connection)),
            };
            return Ok(Answer {
                status: head.status,
                reason: head.extensions.remove::<ReasonPhrase>(),
                headers: head.headers,
                body: Bytes::new(),
                unread: Some(Box::new(Unread::fast(body))),
                head_at,
                target: Arc::clone(target),
                redirects: 0,
            });
        }
        let body = connection.read(body).await?;
        if !connection.closed && !says_close(&head.headers) {
            self.keep(target.origin.clone(), connection);
        }
        Ok(Answer {
            status: head.status,
            reason: head.extensions.remove::<ReasonPhrase>(),
            headers: head.headers,
            body,
            unread: None,
            head_at,
            target: Arc::clone(target),
            redirects: 0,
        })
    }

    /// The kept connection to `origin`, if it is still open.
    async fn take(&mut self, origin: &Origin) -> Option<(Connection, Instant)> {
        if let Some(returned) = &self.returned {
            let back = std::mem::take(&mut *lock(returned));
            for (origin, connection) in back {
                self.keep(origin, connection);
            }
        }
        let index = self.kept.iter().position(|kept| kept.origin == *origin)?;
        let Kept {
            mut connection,
            since,
            ..
        } = self.kept.swap_remove(index);
        connection.ready().await.then_some((connection, since))
    }

    fn keep(&mut self, origin: Origin, connection: Connection) {
        if self.kept.len() == KEPT_CONNECTIONS {
            let oldest = (0..self.kept.len()).min_by_key(|&index| self.kept[index].since);
            if let Some(index) = oldest {
                self.kept.swap_remove(index);
            }
        }
        self.kept.push(Kept {
            origin,
            connection,
            since: Instant::now(),
        });
    }
}

/// The body of a streamed response, with the connection it comes from.
pub(super) struct FastBody {
    body: Incoming,
    /// Where the connection goes when the body has been read; `None` when it ends with the body.
    back: Option<Arc<Returned>>,
    kept: Option<(Origin, Connection)>,
}

impl FastBody {
    /// The next piece; `None` at the end.
    pub(super) fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Failure>>> {
        loop {
            let Some((_, connection)) = &mut self.kept else {
                return Poll::Ready(None);
            };
            // The body is fed by the connection: first that, then look what came.
            connection.drive(cx);
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(chunk) = frame.into_data() {
                        return Poll::Ready(Some(Ok(chunk)));
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    self.kept = None;
                    return Poll::Ready(Some(Err(Failure::http_body(&error))));
                }
                Poll::Ready(None) => {
                    if let (Some(back), Some((origin, connection))) = (&self.back, self.kept.take())
                        && !connection.closed
                    {
                        let mut back = lock(back);
                        if back.len() < KEPT_CONNECTIONS {
                            back.push((origin, connection));
                        }
                    }
                    return Poll::Ready(None);
                }
            }
        }
    }
}

/// A request that got no response.
struct Refused {
    failure: Failure,
    /// The request, if it certainly was not sent.
    unsent: Option<Request<Full<Bytes>>>,
    /// Whether the connection was closed without a byte of an answer.
    closed: bool,
}

impl Connection {
    /// Polls the connection itself: nothing is read or written without this.
    fn drive(&mut self, cx: &mut Context<'_>) {
        if !self.closed && Pin::new(&mut self.driver).poll(cx).is_ready() {
            // Errors reach whoever waits for the response or its body.
            self.closed = true;
        }
    }

    /// Waits until a request can be handed over; false if the connection is closed.
    async fn ready(&mut self) -> bool {
        poll_fn(|cx| {
            self.drive(cx);
            if self.closed {
                return Poll::Ready(false);
            }
            self.requests.poll_ready(cx).map(|ready| ready.is_ok())
        })
        .await
    }

    async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<http::Response<Incoming>, Refused> {
        let mut response = pin!(self.requests.try_send_request(request));
        let (driver, closed) = (&mut self.driver, &mut self.closed);
        poll_fn(|cx| {
            if !*closed && Pin::new(&mut *driver).poll(cx).is_ready() {
                *closed = true;
            }
            response.as_mut().poll(cx)
        })
        .await
        .map_err(|mut error| Refused {
            unsent: error.take_message(),
            closed: is_closing(error.error()),
            failure: Failure::http(error.error()),
        })
    }

    async fn read(&mut self, body: Incoming) -> Result<Bytes, Failure> {
        let mut body = body;
        let mut collected = Collected::default();
        while !body.is_end_stream() {
            let frame = poll_fn(|cx| {
                // The body is fed by the connection: first that, then look what came.
                self.drive(cx);
                Pin::new(&mut body).poll_frame(cx)
            })
            .await;
            match frame {
                None => break,
                Some(Ok(frame)) => {
                    if let Ok(chunk) = frame.into_data() {
                        collected.push(chunk)?;
                    }
                }
                Some(Err(error)) => return Err(Failure::http_body(&error)),
            }
        }
        Ok(collected.finish())
    }
}

/// Makes a connection, TLS included, within the user type's time-out.
async fn connect(shared: &ClientShared, origin: &Origin) -> Result<Connection, Failure> {
    match tokio::time::timeout(shared.options.connect_timeout, open(shared, origin)).await {
        Ok(connected) => connected,
        Err(_) => Err(CONNECT_TIMED_OUT),
    }
}

async fn open(shared: &ClientShared, origin: &Origin) -> Result<Connection, Failure> {
    let host = origin.host.trim_matches(['[', ']']);
    let tcp = TcpStream::connect((host, origin.port))
        .await
        .map_err(|error| Failure::io(&error))?;
    // Without it small requests would wait for acknowledgements; it fails only on a dead socket.
    let _ = tcp.set_nodelay(true);
    let stream = if origin.https {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| Failure::new("TLS failure: this host cannot have a certificate"))?;
        let connector = TlsConnector::from(Arc::clone(&shared.tls));
        let tls = connector
            .connect(name, tcp)
            .await
            .map_err(|error| Failure::handshake(&error))?;
        Stream::Tls(Box::new(tls))
    } else {
        Stream::Tcp(tcp)
    };
    let (requests, driver) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| Failure::http(&error))?;
    Ok(Connection {
        requests,
        driver,
        closed: false,
    })
}

fn says_close(headers: &HeaderMap) -> bool {
    headers
        .get(CONNECTION)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"))
}

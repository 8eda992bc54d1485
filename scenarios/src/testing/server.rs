//! Servers on 127.0.0.1 that answer byte for byte what a test says.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;
use url::Url;

/// A request as it was on the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// As in the request line.
    pub(crate) target: String,
    /// Names in lower case, in the order they came.
    pub(crate) headers: Vec<(String, String)>,
    /// Names as they came.
    pub(crate) names: Vec<String>,
    pub(crate) body: String,
    /// Which connection it came on, from 0.
    pub(crate) connection: usize,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(own, _)| own == name)?;
        Some(&found.1)
    }
}

/// What to do about a request.
pub(crate) enum Reply {
    /// Write this and keep the connection.
    Write(Vec<u8>),
    /// Write this and close.
    WriteAndClose(Vec<u8>),
    /// Write this, then nothing until the test ends.
    Hang(Vec<u8>),
}

impl From<&str> for Reply {
    fn from(text: &str) -> Self {
        Reply::Write(text.as_bytes().to_vec())
    }
}

impl From<String> for Reply {
    fn from(text: String) -> Self {
        Reply::Write(text.into_bytes())
    }
}

/// A server and what it has seen.
pub(crate) struct Server {
    pub(crate) url: Url,
    seen: Arc<Mutex<Vec<Seen>>>,
    news: Arc<Notify>,
    connections: Arc<AtomicUsize>,
    closed: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Answers each request with what `reply` makes of it.
    pub(crate) async fn start<R: Into<Reply>>(
        reply: impl Fn(&Seen) -> R + Send + Sync + 'static,
    ) -> Self {
        Self::serve(None, move |seen| reply(seen).into()).await
    }

    /// The same over TLS.
    pub(crate) async fn start_tls<R: Into<Reply>>(
        tls: TlsAcceptor,
        reply: impl Fn(&Seen) -> R + Send + Sync + 'static,
    ) -> Self {
        Self::serve(Some(tls), move |seen| reply(seen).into()).await
    }

    async fn serve(
        tls: Option<TlsAcceptor>,
        reply: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = Url::parse(&format!("{scheme}://{address}")).unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let news = Arc::new(Notify::new());
        let connections = Arc::new(AtomicUsize::new(0));
        let closed = Arc::new(AtomicUsize::new(0));
        let reply = Arc::new(reply);
        let task = tokio::spawn({
            let (seen, news) = (Arc::clone(&seen), Arc::clone(&news));
            let (connections, closed) = (Arc::clone(&connections), Arc::clone(&closed));
            async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let number = connections.fetch_add(1, Ordering::SeqCst);
                    let (seen, news, reply, tls) = (
                        Arc::clone(&seen),
                        Arc::clone(&news),
                        Arc::clone(&reply),
                        tls.clone(),
                    );
                    let end = {
                        let (news, closed) = (Arc::clone(&news), Arc::clone(&closed));
                        move || {
                            closed.fetch_add(1, Ordering::SeqCst);
                            news.notify_waiters();
                        }
                    };
                    let note = move |one: Seen| {
                        seen.lock().unwrap().push(one);
                        news.notify_waiters();
                    };
                    tokio::spawn(async move {
                        match tls {
                            None => converse(stream, number, note, &*reply).await,
                            Some(tls) => {
                                if let Ok(stream) = tls.accept(stream).await {
                                    converse(stream, number, note, &*reply).await;
                                }
                            }
                        }
                        end();
                    });
                }
            }
        });
        Self {
            url,
            seen,
            news,
            connections,
            closed,
            task,
        }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Waits until this many requests were seen.
    pub(crate) async fn has_seen(&self, count: usize) {
        loop {
            let news = self.news.notified();
            if self.seen.lock().unwrap().len() >= count {
                return;
            }
            news.await;
        }
    }

    /// Waits until this many connections have been closed.
    pub(crate) async fn has_closed(&self, count: usize) {
        loop {
            let news = self.news.notified();
            if self.closed.load(Ordering::SeqCst) >= count {
                return;
            }
            news.await;
        }
    }

    /// The URL of a port without a listener.
    pub(crate) fn unreachable() -> Url {
        let address = refusing_address();
        Url::parse(&format!("http://{address}")).unwrap()
    }
}

/// An address of this machine that refuses connections.
pub(crate) fn refusing_address() -> SocketAddr {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    // A port that was given back may be the next server's; one that is bound without a listener stays ours.
    std::mem::forget(socket);
    address
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    connection: usize,
    note: impl Fn(Seen),
    reply: &(impl Fn(&Seen) -> Reply + ?Sized),
) {
    let mut stream = BufReader::new(stream);
    while let Some(seen) = read(&mut stream, connection).await {
        note(seen.clone());
        match reply(&seen) {
            Reply::Write(bytes) => {
                if stream.write_all(&bytes).await.is_err() {
                    return;
                }
                let _ = stream.flush().await;
            }
            Reply::WriteAndClose(bytes) => {
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
                return;
            }
            Reply::Hang(bytes) => {
                let _ = stream.write_all(&bytes).await;
                let _ = stream.flush().await;
                std::future::pending::<()>().await;
            }
        }
    }
}

async fn read(stream: &mut (impl AsyncBufReadExt + Unpin), connection: usize) -> Option<Seen> {
    let line = line(stream).await?;
    let mut parts = line.split_whitespace();
    let mut seen = Seen {
        method: parts.next()?.to_owned(),
        target: parts.next()?.to_owned(),
        connection,
        ..Seen::default()
    };
    while let Some((name, value)) = self::line(stream).await?.split_once(':') {
        seen.names.push(name.to_owned());
        seen.headers
            .push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    if let Some(length) = seen
        .header("content-length")
        .and_then(|text| text.parse().ok())
    {
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.ok()?;
        seen.body = String::from_utf8_lossy(&body).into_owned();
    }
    Some(seen)
}

/// A line without its end; bytes that are not UTF-8 become a character each. `None` at the end.
async fn line(stream: &mut (impl AsyncBufReadExt + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    if stream.read_until(b'\n', &mut bytes).await.ok()? == 0 {
        return None;
    }
    let text = String::from_utf8(bytes)
        .unwrap_or_else(|error| error.as_bytes().iter().copied().map(char::from).collect());
    Some(text.trim_end().to_owned())
}

/// A response with a body and its length.
pub(crate) fn respond(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        bytes.push_str(&format!("{name}: {value}\r\n"));
    }
    bytes.push_str("\r\n");
    let mut bytes = bytes.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

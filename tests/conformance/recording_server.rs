//! A server on 127.0.0.1 that answers what an application says, byte for byte, and writes down what it saw.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Longest line of a request head, and longest body: far beyond what the scenarios send.
const MAX_PART: usize = 1 << 20;
/// Time between pieces of an answer, in which a client that waits for more reads what there is.
const BETWEEN_PIECES: Duration = Duration::from_millis(10);

/// A request as it was on the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) method: String,
    /// As in the request line.
    pub(super) target: String,
    /// Names in lower case, in the order they came.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
    /// Which connection it came on, from 0.
    pub(super) connection: usize,
    /// When its head was complete, since the server's start.
    pub(super) at: Duration,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(own, _)| own == name)?;
        Some(&found.1)
    }

    /// The value of a cookie that was sent.
    pub(super) fn cookie(&self, name: &str) -> Option<&str> {
        let pairs = self.header("cookie")?.split("; ");
        pairs
            .filter_map(|pair| pair.split_once('='))
            .find_map(|(own, value)| (own == name).then_some(value))
    }

    pub(super) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// Method and target.
    pub(super) fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }
}

/// What to do about a request.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    /// Write this and keep the connection.
    Write(Vec<u8>),
    /// Write this and close.
    WriteAndClose(Vec<u8>),
    /// Write this after a while and keep the connection.
    WriteAfter(Duration, Vec<u8>),
    /// Close so that the client sees a reset.
    Reset,
    /// Write this, then nothing until the server ends.
    Hang(Vec<u8>),
    /// Write these, each in a packet of its own and whatever was asked, and end so.
    Pieces(Vec<Vec<u8>>, End),
}

/// What becomes of a connection after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It waits for the next request.
    Keep,
    Close,
    /// It is closed so that the client sees a reset.
    Reset,
}

/// What stands behind a server: makes an answer of each request.
pub(super) trait App: Send + Sync + 'static {
    fn answer(&self, seen: &Seen) -> Reply;
}

/// A server and what it has seen.
pub(super) struct Server {
    pub(super) port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(super) async fn start(app: impl App) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn(serve(listener, Arc::clone(&seen), Arc::new(app)));
        Self { port, seen, task }
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no handler panics").clone()
    }
}

async fn serve(listener: TcpListener, seen: Arc<Mutex<Vec<Seen>>>, app: Arc<dyn App>) {
    let started = Instant::now();
    // Dropped, and so ended, with the server.
    let mut connections = JoinSet::new();
    let mut number = 0;
    loop {
        let (stream, _) = listener.accept().await.expect("a listener accepts");
        let (seen, app) = (Arc::clone(&seen), Arc::clone(&app));
        connections.spawn(async move {
            // A client that goes away ends its connection only.
            let _ = converse(stream, number, started, &seen, &*app).await;
        });
        number += 1;
        while connections.try_join_next().is_some() {}
    }
}

async fn converse(
    stream: TcpStream,
    connection: usize,
    started: Instant,
    seen: &Mutex<Vec<Seen>>,
    app: &dyn App,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream, connection, started).await? {
        let reply = app.answer(&request);
        let is_head = request.method == "HEAD";
        seen.lock().expect("no handler panics").push(request);
        match reply {
            Reply::Write(bytes) if is_head => stream.write_all(head_of(&bytes)).await?,
            Reply::Write(bytes) => stream.write_all(&bytes).await?,
            Reply::WriteAfter(pause, bytes) => {
                tokio::time::sleep(pause).await;
                stream.write_all(&bytes).await?;
            }
            Reply::WriteAndClose(bytes) => {
                stream.write_all(&bytes).await?;
                return stream.shutdown().await;
            }
            Reply::Reset => return stream.get_ref().set_zero_linger(),
            Reply::Hang(bytes) => {
                stream.write_all(&bytes).await?;
                std::future::pending::<()>().await;
            }
            Reply::Pieces(pieces, end) => {
                for (number, piece) in pieces.iter().enumerate() {
                    if number > 0 {
                        tokio::time::sleep(BETWEEN_PIECES).await;
                    }
                    stream.write_all(piece).await?;
                }
                match end {
                    End::Keep => {}
                    End::Close => return stream.shutdown().await,
                    End::Reset => return stream.get_ref().set_zero_linger(),
                }
            }
        }
    }
    Ok(())
}

/// An answer without its body.
fn head_of(answer: &[u8]) -> &[u8] {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    &answer[..end.map_or(answer.len(), |end| end + 4)]
}

async fn read(
    stream: &mut BufReader<TcpStream>,
    connection: usize,
    started: Instant,
) -> std::io::Result<Option<Seen>> {
    // What is not HTTP (such as a TLS hello) has no such lines and is left.
    let Some(first) = line(stream).await? else {
        return Ok(None);
    };
    let mut parts = first.split(' ');
    let (Some(method), Some(target), Some("HTTP/1.1" | "HTTP/1.0")) =
        (parts.next(), parts.next(), parts.next())
    else {
        return Ok(None);
    };
    let mut seen = Seen {
        method: method.to_owned(),
        target: target.to_owned(),
        connection,
        ..Seen::default()
    };
    while let Some(line) = line(stream).await?.filter(|line| !line.is_empty()) {
        if let Some((name, value)) = line.split_once(':') {
            seen.headers
                .push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    seen.at = started.elapsed();
    let length = seen
        .header("content-length")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0_usize);
    let mut body = vec![0; length.min(MAX_PART)];
    stream.read_exact(&mut body).await?;
    seen.body = String::from_utf8_lossy(&body).into_owned();
    Ok(Some(seen))
}

/// A line without its end, with a character for each byte where it is not UTF-8; `None` at the end of the connection.
async fn line(stream: &mut BufReader<TcpStream>) -> std::io::Result<Option<String>> {
    let mut bytes = Vec::new();
    let mut limited = stream.take(MAX_PART as u64);
    if limited.read_until(b'\n', &mut bytes).await? == 0 {
        return Ok(None);
    }
    let text = String::from_utf8(bytes)
        .unwrap_or_else(|error| error.as_bytes().iter().copied().map(char::from).collect());
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// An answer with a body and its length.
pub(super) fn respond(status: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut text = format!("HTTP/1.1 {status}\r\n");
    // These have no body, and must not say that they had (RFC 9110, 8.6).
    let has_body = !status.starts_with("204") && !status.starts_with("304");
    let body = if has_body { body } else { "" };
    if has_body {
        text += &format!("content-length: {}\r\n", body.len());
    }
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    Reply::Write(format!("{text}\r\n{body}").into_bytes())
}

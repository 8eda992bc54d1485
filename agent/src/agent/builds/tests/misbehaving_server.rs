//! A server of files that answers each request as its test says.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the server does with a request.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    /// As it should, but not more than so many bytes.
    Cut(usize),
    /// As it should.
    Rest,
    /// The whole with status 200, whatever was asked for, but not more than so many bytes.
    FromTheStart(usize),
    /// Another file with status 200.
    Other(&'static [u8]),
    /// No more bytes than these of the rest, and the connection stays open.
    Stall(usize),
    /// A status with an empty body.
    Status(u16),
}

/// A server on a port of its own; the last of its answers is repeated.
pub(super) struct Server {
    pub(super) url: String,
    asked: Arc<Mutex<Vec<Option<u64>>>>,
    closed: watch::Receiver<u32>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(super) async fn start(content: &'static [u8], answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (closed_by_client, closed) = watch::channel(0);
        let seen = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            let mut answers = answers.into_iter();
            let mut answer = answers.next().unwrap();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let Some(from) = read_request(&mut stream).await else {
                    continue;
                };
                seen.lock().unwrap().push(from);
                // Whoever has hung up meanwhile asks again.
                let _ = respond(&mut stream, content, from, &answer).await;
                if matches!(answer, Answer::Stall(_)) {
                    let closed = closed_by_client.clone();
                    tokio::spawn(async move {
                        let _ = stream.read(&mut [0]).await;
                        closed.send_modify(|count| *count += 1);
                    });
                }
                answer = answers.next().unwrap_or(answer);
            }
        });
        Self {
            url,
            asked,
            closed,
            task,
        }
    }

    /// The first byte that each request asked for, if it named one.
    pub(super) fn asked(&self) -> Vec<Option<u64>> {
        self.asked.lock().unwrap().clone()
    }

    /// Waits until a request has come.
    pub(super) async fn is_asked(&self) {
        while self.asked().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }

    /// Waits until the client has closed a connection on which nothing more came.
    pub(super) async fn is_left(&mut self) {
        self.closed.wait_for(|count| *count > 0).await.unwrap();
    }
}

/// From which byte on a file is asked for.
async fn read_request(stream: &mut TcpStream) -> Option<Option<u64>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let range = head
        .lines()
        .find_map(|line| line.strip_prefix("range: bytes="));
    Some(range.map(|range| range.trim_end_matches('-').parse().unwrap()))
}

async fn respond(
    stream: &mut TcpStream,
    content: &[u8],
    from: Option<u64>,
    answer: &Answer,
) -> std::io::Result<()> {
    let start = usize::try_from(from.unwrap_or(0)).unwrap();
    let rest = &content[start.min(content.len())..];
    let status_of_rest = if from.is_some() { 206 } else { 200 };
    let (status, announced, sent) = match answer {
        Answer::Rest => (status_of_rest, rest.len(), rest),
        Answer::Cut(most) | Answer::Stall(most) => {
            (status_of_rest, rest.len(), &rest[..rest.len().min(*most)])
        }
        Answer::FromTheStart(most) => (200, content.len(), &content[..content.len().min(*most)]),
        Answer::Other(other) => (200, other.len(), *other),
        Answer::Status(status) => (*status, 0, &content[..0]),
    };
    let head = format!(
        "HTTP/1.1 {status} As Told\r\ncontent-length: {announced}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(sent).await?;
    stream.flush().await
}

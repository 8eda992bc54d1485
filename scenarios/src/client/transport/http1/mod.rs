//! HTTP/1.1 on one connection: a request is written, its answer read.
//!
//! This is Greylag's own rather than a library's, because a load test must read what browsers read, say which line
//! it cannot read, send header names as they were written, and know for certain whether a kept connection gave one
//! byte of an answer. It is polled by the user's own task: no task beside it, no wake-up between two.

mod framing;
mod head;
mod plain_head;
mod request;
mod scratch;
#[cfg(test)]
mod tests;

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes, BytesMut};
use http::Method;
use http::header::HeaderValue;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio_util::io::poll_read_buf;

use self::framing::{BodyReader, Step};
use self::head::{HEAD_TOO_LONG, PROTOCOL, find_end};
use self::scratch::{SCRATCH_SIZE, poll_read_scratch};
use super::outgoing::{Outgoing, Unanswered};
use crate::client::failure::{CLOSED_EARLY, DISCONNECTED, Failure};

pub(in crate::client) use self::head::{Head, LONGEST_HEAD, has_token, read_headers};

/// Longest body that is sent in one piece with its head, in bytes: copying it costs less than sending two pieces.
const SHORT_BODY: usize = 1 << 10;
/// Room for what a proxy says before a tunnel.
const TUNNEL_READ_SIZE: usize = 1 << 10;

/// One connection and the answer that is being read from it.
pub(in crate::client) struct Http1<S> {
    stream: S,
    /// What was read and not yet used. It has no memory while nothing comes: most connections wait.
    read: BytesMut,
    /// The head of the request that is being written, and its body if that is short.
    head: Vec<u8>,
    body: BodyReader,
    /// Whether it serves again once the answer has been read.
    keeps: bool,
    is_at_end: bool,
    /// Requests go to a proxy, which needs the whole URL.
    proxy: Option<ForProxy>,
}

/// What a request to an HTTP proxy has beside what the target gets.
pub(in crate::client) struct ForProxy {
    pub(in crate::client) authorization: Option<HeaderValue>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Http1<S> {
    pub(in crate::client) fn new(stream: S, proxy: Option<ForProxy>) -> Self {
        Self {
            stream,
            read: BytesMut::new(),
            head: Vec::new(),
            body: BodyReader::ended(),
            keeps: true,
            is_at_end: false,
            proxy,
        }
    }

    /// Whether another request can be sent: the last answer was read to its end, and nothing came after it, not
    /// even the end of the connection.
    pub(in crate::client) async fn is_idle(&mut self) -> bool {
        poll_fn(|cx| Poll::Ready(self.serves_again() && self.poll_unasked(cx).is_pending())).await
    }

    /// Whether the connection may be kept, as far as is known without looking at it.
    pub(in crate::client) fn serves_again(&self) -> bool {
        self.keeps && !self.is_at_end && self.body.is_ended() && self.read.is_empty()
    }

    /// Gives back the memory that only a request under way needs.
    pub(in crate::client) fn release_memory(&mut self) {
        if self.read.is_empty() {
            self.read = BytesMut::new();
        }
        self.head = Vec::new();
    }

    /// Sends a request and reads the head of its answer.
    pub(in crate::client) async fn send(
        &mut self,
        request: &Outgoing<'_>,
    ) -> Result<Head, Unanswered> {
        self.head.clear();
        let body = request::write(&mut self.head, request, self.proxy.as_ref());
        self.keeps = body.is_as_announced;
        let mut rest = &body.bytes[..];
        if rest.len() <= SHORT_BODY {
            self.head.extend_from_slice(rest);
            rest = &[];
        }
        let answer = self.exchange(request.method, rest).await;
        if answer.is_err() {
            self.keeps = false;
        }
        answer
    }

    /// Writes the head and the body, and reads meanwhile: a server may answer before it has read everything.
    async fn exchange(&mut self, method: &Method, body: &[u8]) -> Result<Head, Unanswered> {
        let mut sent = Sent::default();
        let mut line = 0;
        poll_fn(|cx| {
            if !sent.is_over {
                self.poll_send(cx, body, &mut sent);
            }
            self.poll_head(cx, method, &mut line, &mut sent)
        })
        .await
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, body: &[u8], sent: &mut Sent) {
        let length = self.head.len() + body.len();
        let mut stream = Pin::new(&mut self.stream);
        while sent.bytes < length {
            let written = match self.head.get(sent.bytes..) {
                None | Some([]) => stream
                    .as_mut()
                    .poll_write(cx, &body[sent.bytes - self.head.len()..]),
                Some(head) if body.is_empty() => stream.as_mut().poll_write(cx, head),
                Some(head) => stream
                    .as_mut()
                    .poll_write_vectored(cx, &[IoSlice::new(head), IoSlice::new(body)]),
            };
            match written {
                Poll::Pending => return,
                Poll::Ready(Ok(0)) => return sent.fail(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(more)) => sent.bytes += more,
                Poll::Ready(Err(error)) => return sent.fail(error),
            }
        }
        match stream.poll_flush(cx) {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => {
                sent.is_over = true;
                sent.is_complete = true;
            }
            Poll::Ready(Err(error)) => sent.fail(error),
        }
    }

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        method: &Method,
        line: &mut usize,
        sent: &mut Sent,
    ) -> Poll<Result<Head, Unanswered>> {
        loop {
            if *line == 0 {
                // An empty line before an answer is left over from the one before.
                while let Some(b'\r' | b'\n') = self.read.first() {
                    self.read.advance(1);
                }
            }
            if let Some(end) = find_end(&self.read, line) {
                *line = 0;
                let bytes = take_front(&mut self.read, end);
                let head = Head::parse(&bytes).map_err(Unanswered::answered)?;
                if head.is_interim() {
                    sent.is_seen = true;
                    continue;
                }
                let framing = head.framing(method).map_err(Unanswered::answered)?;
                self.body = BodyReader::new(framing);
                self.keeps &=
                    sent.is_complete && head.keeps_connection() && !self.body.is_until_close();
                return Poll::Ready(Ok(head));
            }
            let begun = self.read.len().min(PROTOCOL.len());
            if !self.read[..begun].eq_ignore_ascii_case(&PROTOCOL[..begun]) {
                let line = memchr::memchr(b'\n', &self.read).unwrap_or(self.read.len());
                return Poll::Ready(Err(Unanswered::answered(Failure::malformed(
                    "this is not an HTTP/1 status line",
                    self.read[..line].trim_ascii_end(),
                ))));
            }
            if self.read.len() > LONGEST_HEAD {
                return Poll::Ready(Err(Unanswered::answered(HEAD_TOO_LONG)));
            }
            match ready!(self.poll_read(cx)) {
                Ok(0) if self.read.is_empty() => {
                    return Poll::Ready(Err(sent.unanswered(None)));
                }
                Ok(0) => {
                    return Poll::Ready(Err(Unanswered::answered(Failure::new(CLOSED_EARLY))));
                }
                Ok(_) => {}
                Err(error) if self.read.is_empty() => {
                    return Poll::Ready(Err(sent.unanswered(Some(&error))));
                }
                Err(error) => return Poll::Ready(Err(Unanswered::answered(Failure::io(&error)))),
            }
        }
    }

    /// Whether the whole body is known to have been read from the connection.
    pub(in crate::client) fn has_body(&self) -> bool {
        self.body.is_within(&self.read)
    }

    /// The next piece of the body; `None` at its end.
    pub(in crate::client) fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Failure>>> {
        loop {
            match self.body.step(&mut self.read, self.is_at_end) {
                Ok(Step::Chunk(chunk)) => return Poll::Ready(Some(Ok(chunk))),
                Ok(Step::End) => return Poll::Ready(None),
                Ok(Step::More) => {}
                Err(failure) => return Poll::Ready(Some(Err(self.broken(failure)))),
            }
            if let Err(error) = ready!(self.poll_read(cx)) {
                let failure = self.broken(Failure::io(&error));
                return Poll::Ready(Some(Err(failure)));
            }
        }
    }

    fn broken(&mut self, failure: Failure) -> Failure {
        self.keeps = false;
        self.body = BodyReader::ended();
        failure
    }

    /// Looks for what has come without being asked for, the end of the connection included.
    fn poll_unasked(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut byte = [0];
        Pin::new(&mut self.stream).poll_read(cx, &mut ReadBuf::new(&mut byte))
    }

    /// Reads what has come; 0 at the end of the connection.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.is_at_end {
            return Poll::Ready(Ok(0));
        }
        let stream = Pin::new(&mut self.stream);
        let polled = if self.body.expected() > SCRATCH_SIZE as u64 {
            self.read.reserve(SCRATCH_SIZE);
            poll_read_buf(stream, cx, &mut self.read)
        } else {
            poll_read_scratch(stream, cx, &mut self.read)
        };
        let count = match ready!(polled) {
            // TLS closed without saying so is closed all the same; lengths tell what is missing.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
            Err(error) => return Poll::Ready(Err(error)),
            Ok(count) => count,
        };
        self.is_at_end = count == 0;
        Poll::Ready(Ok(count))
    }
}

/// The first bytes of what was read; where that is everything, its memory with them.
fn take_front(read: &mut BytesMut, length: usize) -> Bytes {
    if length == read.len() {
        std::mem::take(read).freeze()
    } else {
        read.split_to(length).freeze()
    }
}

/// How far a request has been sent.
#[derive(Default)]
struct Sent {
    bytes: usize,
    /// Whether nothing more will be written.
    is_over: bool,
    is_complete: bool,
    /// Whether the server has said that it has seen the request, by an answer that is not the last one.
    is_seen: bool,
    error: Option<io::Error>,
}

impl Sent {
    /// What the server has to say about it may still be there to be read.
    fn fail(&mut self, error: io::Error) {
        self.error = Some(error);
        self.is_over = true;
    }

    /// The connection ended without a byte of the last answer.
    fn unanswered(&self, read: Option<&io::Error>) -> Unanswered {
        let failure = match self.error.as_ref().or(read) {
            Some(error) => Failure::io(error),
            None => Failure::new(DISCONNECTED),
        };
        Unanswered {
            failure,
            is_unsent: self.bytes == 0 && !self.is_seen,
            is_silent: !self.is_seen,
        }
    }
}

/// Asks a proxy for a connection to `authority`, a host and a port. Returns what the other side has said already,
/// which came with the proxy's answer.
pub(in crate::client) async fn open_tunnel<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    authority: &str,
    authorization: Option<&HeaderValue>,
) -> Result<Bytes, Failure> {
    let io = |error: io::Error| Failure::io(&error);
    let mut head = Vec::new();
    request::write_connect(&mut head, authority, authorization);
    stream.write_all(&head).await.map_err(io)?;
    stream.flush().await.map_err(io)?;
    let (mut read, mut line) = (BytesMut::with_capacity(TUNNEL_READ_SIZE), 0);
    let end = loop {
        if let Some(end) = find_end(&read, &mut line) {
            break end;
        }
        if read.len() > LONGEST_HEAD {
            return Err(HEAD_TOO_LONG);
        }
        read.reserve(TUNNEL_READ_SIZE);
        if stream.read_buf(&mut read).await.map_err(io)? == 0 {
            return Err(Failure::new(CLOSED_EARLY));
        }
    };
    let status = Head::parse(&read.split_to(end).freeze())?.status;
    if status.is_success() {
        return Ok(read.freeze());
    }
    Err(Failure::owned(format!(
        "The proxy refused the connection: {status}"
    )))
}

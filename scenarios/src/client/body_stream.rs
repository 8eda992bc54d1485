//! Bodies of streamed responses: read piece by piece, decoded on the way.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use async_compression::tokio::bufread::{BrotliDecoder, DeflateDecoder, GzipDecoder, ZlibDecoder};
use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use hyper::body::Body as _;
use tokio::io::{AsyncBufRead, AsyncReadExt as _, BufReader};
use tokio_util::io::StreamReader;

use super::body::{Collected, NOT_DECODABLE};
use super::failure::Failure;
use super::fast::FastBody;
use super::full;

/// Most bytes that a decoder hands over at once.
const DECODED_PIECE: usize = 16 << 10;

/// A body as it comes from the server.
pub(super) struct Unread {
    source: Source,
    /// A piece that was looked at and belongs before the next.
    looked_at: Option<Bytes>,
}

enum Source {
    Fast(Box<FastBody>),
    Full(reqwest::Body),
}

impl Unread {
    pub(super) fn fast(body: FastBody) -> Self {
        Self {
            source: Source::Fast(Box::new(body)),
            looked_at: None,
        }
    }

    pub(super) fn full(body: reqwest::Body) -> Self {
        Self {
            source: Source::Full(body),
            looked_at: None,
        }
    }

    /// Reads everything, to the same limit as a body that is not streamed.
    pub(super) async fn read_whole(mut self) -> Result<Bytes, Failure> {
        let mut collected = Collected::default();
        while let Some(chunk) = self.chunk().await? {
            collected.push(chunk)?;
        }
        Ok(collected.finish())
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        poll_fn(|cx| self.poll_chunk(cx)).await.transpose()
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
        if let Some(chunk) = self.looked_at.take() {
            return Poll::Ready(Some(Ok(chunk)));
        }
        loop {
            let chunk = match &mut self.source {
                Source::Fast(body) => body.poll_chunk(cx),
                Source::Full(body) => Pin::new(body).poll_frame(cx).map(|frame| {
                    frame.map(|frame| match frame {
                        // Trailers are no part of the body.
                        Ok(frame) => Ok(frame.into_data().unwrap_or_default()),
                        Err(error) => Err(full::failure(error)),
                    })
                }),
            };
            match chunk {
                Poll::Ready(Some(Ok(chunk))) if chunk.is_empty() => {}
                chunk => return chunk,
            }
        }
    }
}

/// A body that a decoder reads. It is shared because a decoder may be content before the body's end has
/// been seen, and only then does its connection serve again.
#[derive(Clone)]
pub(super) struct Shared(Arc<Mutex<Unread>>);

impl Shared {
    fn new(unread: Unread) -> Self {
        Self(Arc::new(Mutex::new(unread)))
    }

    fn poll_chunk(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
        // Its two owners never read at the same time.
        let mut unread = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        unread.poll_chunk(cx)
    }
}

impl Stream for Shared {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let chunk = self.poll_chunk(cx);
        chunk
            .map(|chunk| chunk.map(|chunk| chunk.map_err(|failure| io::Error::other(Cut(failure)))))
    }
}

/// A failure of the transport on its way through a decoder.
#[derive(Debug)]
struct Cut(Failure);

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.text())
    }
}

impl std::error::Error for Cut {}

/// A body as the scenario reads it.
pub(super) enum BodyStream {
    /// Not begun: how it is encoded decides what follows.
    Encoded(Unread, Vec<String>),
    Plain(Unread),
    Decoded(Pin<Box<dyn AsyncBufRead + Send>>, Shared),
    Ended,
}

impl BodyStream {
    pub(super) fn new(unread: Unread, headers: &HeaderMap) -> Self {
        let mut encodings = Vec::new();
        for value in headers.get_all(CONTENT_ENCODING) {
            let value = String::from_utf8_lossy(value.as_bytes());
            encodings.extend(value.split(',').map(|one| one.trim().to_ascii_lowercase()));
        }
        encodings.retain(|encoding| !encoding.is_empty() && encoding != "identity");
        if encodings.is_empty() {
            Self::Plain(unread)
        } else {
            Self::Encoded(unread, encodings)
        }
    }

    /// The next piece; `None` at the end. Dropping the future loses nothing.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        let chunk = self.next().await;
        if !matches!(chunk, Ok(Some(_))) {
            *self = Self::Ended;
        }
        chunk
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        if let Self::Encoded(unread, _) = self {
            // Which of the two "deflate" it is shows in its first bytes.
            let Some(first) = unread.chunk().await? else {
                return Ok(None);
            };
            let bare_deflate = !is_zlib(&first);
            unread.looked_at = Some(first);
            if let Self::Encoded(unread, encodings) = std::mem::replace(self, Self::Ended) {
                *self = decoded(unread, &encodings, bare_deflate);
            }
        }
        match self {
            Self::Plain(unread) => unread.chunk().await,
            Self::Decoded(reader, source) => {
                let mut piece = BytesMut::with_capacity(DECODED_PIECE);
                match reader.read_buf(&mut piece).await {
                    Ok(0) => {
                        // Only the end is missing, or what follows is no part of the body.
                        poll_fn(|cx| source.poll_chunk(cx)).await.transpose()?;
                        Ok(None)
                    }
                    Ok(_) => Ok(Some(piece.freeze())),
                    Err(error) => Err(error
                        .get_ref()
                        .and_then(|inner| inner.downcast_ref::<Cut>())
                        .map_or(NOT_DECODABLE, |cut| cut.0.clone())),
                }
            }
            Self::Encoded(..) | Self::Ended => Ok(None),
        }
    }
}

/// "deflate" is zlib by the standard and bare deflate by some servers (RFC 9110, 8.4.1.2; RFC 1950, 2.2).
fn is_zlib(first: &[u8]) -> bool {
    first.first().is_some_and(|byte| byte & 0x0f == 8)
        && first
            .get(1)
            .is_none_or(|second| (u16::from(first[0]) << 8 | u16::from(*second)) % 31 == 0)
}

fn decoded(unread: Unread, encodings: &[String], bare_deflate: bool) -> BodyStream {
    let known =
        |encoding: &String| matches!(encoding.as_str(), "gzip" | "x-gzip" | "deflate" | "br");
    // One that nobody asked for stays as it is, and so does what is inside of it.
    if !encodings.last().is_some_and(known) {
        return BodyStream::Plain(unread);
    }
    let source = Shared::new(unread);
    let mut reader: Pin<Box<dyn AsyncBufRead + Send>> = Box::pin(StreamReader::new(source.clone()));
    // The last encoding was applied last.
    for (depth, encoding) in encodings
        .iter()
        .rev()
        .take_while(|one| known(one))
        .enumerate()
    {
        reader = match encoding.as_str() {
            "br" => Box::pin(BufReader::new(BrotliDecoder::new(reader))),
            "deflate" if bare_deflate && depth == 0 => {
                Box::pin(BufReader::new(DeflateDecoder::new(reader)))
            }
            "deflate" => Box::pin(BufReader::new(ZlibDecoder::new(reader))),
            _ => {
                let mut decoder = GzipDecoder::new(reader);
                decoder.multiple_members(true);
                Box::pin(BufReader::new(decoder))
            }
        };
    }
    BodyStream::Decoded(reader, source)
}

//! Bodies that are read piece by piece, decoded on the way.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use async_compression::tokio::bufread::{BrotliDecoder, DeflateDecoder, ZlibDecoder};
use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use tokio::io::{AsyncBufRead, AsyncReadExt as _, BufReader};
use tokio_util::io::StreamReader;

use super::gzip_members::GzipMembers;
use super::{Body, Collected};
use crate::client::failure::Failure;
use crate::client::transport::Unread;

/// The failure of a body that is not encoded as its head says.
const NOT_DECODABLE: Failure = Failure::new("Response body cannot be decompressed");
const TOO_MANY_ENCODINGS: Failure =
    Failure::new("Response body cannot be decompressed: it has more than 5 encodings");
/// Most encodings of one body, one inside of the other; curl and browsers allow no more.
const MOST_ENCODINGS: usize = 5;
/// Most bytes that a decoder hands over at once.
const DECODED_PIECE: usize = 16 << 10;

/// A body that a decoder reads. It is shared because a decoder may be content before the body's end has
/// been seen, and only then does its connection serve again.
#[derive(Clone)]
pub(in crate::client) struct Shared(Arc<Mutex<Unread>>);

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
pub(in crate::client) struct Cut(Failure);

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.text())
    }
}

impl std::error::Error for Cut {}

/// A body as the scenario reads it.
pub(in crate::client) enum BodyStream {
    /// Not begun: how it is encoded decides what follows.
    Encoded(Unread, Vec<String>),
    Plain(Unread),
    Decoded(Pin<Box<dyn AsyncBufRead + Send>>, Shared),
    Ended,
}

impl BodyStream {
    pub(in crate::client) fn new(unread: Unread, headers: &HeaderMap) -> Self {
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

    /// Reads everything; keeps it up to a limit.
    pub(in crate::client) async fn read_whole(mut self, limit: usize) -> Result<Body, Failure> {
        let mut collected = Collected::new(limit);
        while let Some(chunk) = self.chunk().await? {
            collected.push(chunk);
        }
        Ok(collected.finish())
    }

    /// The next piece; `None` at the end. Dropping the future loses nothing.
    pub(in crate::client) async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        let chunk = self.next().await;
        if !matches!(chunk, Ok(Some(_))) {
            *self = Self::Ended;
        }
        chunk
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        if let Self::Encoded(unread, encodings) = self {
            if encodings.len() > MOST_ENCODINGS {
                return Err(TOO_MANY_ENCODINGS);
            }
            // Which of the two "deflate" it is shows in its first bytes.
            let Some(first) = unread.chunk().await? else {
                return Ok(None);
            };
            let bare_deflate = !is_zlib(&first);
            unread.put_back(first);
            if let Self::Encoded(unread, encodings) = std::mem::replace(self, Self::Ended) {
                *self = decoded(unread, &encodings, bare_deflate);
            }
        }
        match self {
            Self::Plain(unread) => unread.chunk().await,
            Self::Decoded(reader, source) => {
                // A few bytes can hold gigabytes, which come without a wait: other users and timeouts get their turn.
                tokio::task::consume_budget().await;
                let mut piece = BytesMut::with_capacity(DECODED_PIECE);
                match reader.read_buf(&mut piece).await {
                    Ok(0) => {
                        // Only the end is missing, or what follows is not part of the body.
                        while poll_fn(|cx| source.poll_chunk(cx))
                            .await
                            .transpose()?
                            .is_some()
                        {}
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
    // One that was not asked for stays as it is, and so does its content.
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
            _ => Box::pin(BufReader::new(GzipMembers::new(reader))),
        };
    }
    BodyStream::Decoded(reader, source)
}

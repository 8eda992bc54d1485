//! Bodies of responses: read whole, bounded, decoded.

use async_compression::tokio::bufread::{BrotliDecoder, DeflateDecoder, GzipDecoder, ZlibDecoder};
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::failure::Failure;

/// Largest body, as sent and as decoded, in bytes. A larger one is a failure of the request.
pub(crate) const LARGEST_BODY: usize = 64 << 20;

/// The failure of a body beyond [`LARGEST_BODY`].
pub(crate) const TOO_LARGE: Failure = Failure::new("Response body is larger than 64 MiB");
/// The failure of a body that is not encoded as its head says.
pub(crate) const NOT_DECODABLE: Failure = Failure::new("Response body cannot be decompressed");

/// Collects the chunks of a body; one chunk, the usual case, is not copied.
#[derive(Default)]
pub(crate) struct Collected {
    first: Bytes,
    rest: BytesMut,
}

impl Collected {
    pub(crate) fn push(&mut self, chunk: Bytes) -> Result<(), Failure> {
        if self.first.len() + self.rest.len() + chunk.len() > LARGEST_BODY {
            return Err(TOO_LARGE);
        }
        if self.first.is_empty() {
            self.first = chunk;
        } else {
            if self.rest.is_empty() {
                self.rest.reserve(self.first.len() + chunk.len());
            }
            self.rest.extend_from_slice(&chunk);
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Bytes {
        if self.rest.is_empty() {
            return self.first;
        }
        let mut whole = BytesMut::with_capacity(self.first.len() + self.rest.len());
        whole.extend_from_slice(&self.first);
        whole.extend_from_slice(&self.rest);
        whole.freeze()
    }
}

/// Undoes the content encodings of a body. One that nobody asked for stays as it is.
pub(crate) async fn decode(headers: &HeaderMap, body: Bytes) -> Result<Bytes, Failure> {
    if body.is_empty() || !headers.contains_key(CONTENT_ENCODING) {
        return Ok(body);
    }
    let mut encodings = Vec::new();
    for value in headers.get_all(CONTENT_ENCODING) {
        let value = String::from_utf8_lossy(value.as_bytes());
        encodings.extend(value.split(',').map(|one| one.trim().to_ascii_lowercase()));
    }
    let mut body = body;
    // The last encoding was applied last.
    for encoding in encodings.iter().rev() {
        let wire = body.as_ref();
        body = match encoding.as_str() {
            "gzip" | "x-gzip" => {
                let mut decoder = GzipDecoder::new(wire);
                decoder.multiple_members(true);
                read(decoder).await?
            }
            // "deflate" is zlib by the standard and bare deflate by some servers (RFC 9110, 8.4.1.2).
            "deflate" => match read(ZlibDecoder::new(wire)).await {
                Ok(body) => body,
                Err(failure) if failure == TOO_LARGE => return Err(failure),
                Err(_) => read(DeflateDecoder::new(wire)).await?,
            },
            "br" => read(BrotliDecoder::new(wire)).await?,
            _ => return Ok(body),
        };
    }
    Ok(body)
}

async fn read(decoder: impl AsyncRead + Unpin) -> Result<Bytes, Failure> {
    let mut decoded = Vec::new();
    decoder
        .take(LARGEST_BODY as u64 + 1)
        .read_to_end(&mut decoded)
        .await
        .map_err(|_| NOT_DECODABLE)?;
    if decoded.len() > LARGEST_BODY {
        return Err(TOO_LARGE);
    }
    Ok(decoded.into())
}

//! Bodies of responses, as far as they are kept.

mod gzip_members;
mod stream;

use bytes::{Bytes, BytesMut};

pub(super) use stream::BodyStream;

/// Most bytes of a decoded body that are kept to be read, unless the user type says otherwise.
pub(crate) const MAX_BODY: usize = 64 << 20;

/// A whole body: what was kept of it, or how long it was.
#[derive(Debug, Clone)]
pub(super) enum Body {
    Kept(Bytes),
    NotKept(BodyNotKept),
}

impl Default for Body {
    fn default() -> Self {
        Self::Kept(Bytes::new())
    }
}

impl Body {
    /// Its length in bytes.
    pub(super) fn length(&self) -> u64 {
        match self {
            Self::Kept(bytes) => bytes.len() as u64,
            Self::NotKept(missing) => missing.length,
        }
    }
}

/// A body that was larger than what is kept of one ([`max_body`](crate::UserBuilder::max_body)). It was received and
/// counted, and cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the response body has {length} bytes, more than the {limit} that are kept: raise the limit with max_body(bytes) of the user type, or stream the response"
)]
pub struct BodyNotKept {
    length: u64,
    limit: usize,
}

impl BodyNotKept {
    /// How long the decoded body was, in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The most that is kept, in bytes.
    pub fn limit(&self) -> usize {
        self.limit
    }
}

/// Collects the chunks of a body up to a limit, and counts the rest. One chunk, the usual case, is not copied.
pub(super) struct Collected {
    /// The only chunk so far.
    first: Bytes,
    /// All chunks, once there are several.
    more: BytesMut,
    length: u64,
    limit: usize,
}

impl Collected {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            first: Bytes::new(),
            more: BytesMut::new(),
            length: 0,
            limit,
        }
    }

    pub(super) fn push(&mut self, chunk: Bytes) {
        self.length += chunk.len() as u64;
        if self.length > self.limit as u64 {
            // Half a body is of no use: nothing of it is kept.
            self.first = Bytes::new();
            self.more = BytesMut::new();
        } else if self.first.is_empty() && self.more.is_empty() {
            self.first = chunk;
        } else {
            if self.more.is_empty() {
                let first = std::mem::take(&mut self.first);
                self.more.reserve(first.len() + chunk.len());
                self.more.extend_from_slice(&first);
            }
            self.more.extend_from_slice(&chunk);
        }
    }

    pub(super) fn finish(self) -> Body {
        if self.length > self.limit as u64 {
            return Body::NotKept(BodyNotKept {
                length: self.length,
                limit: self.limit,
            });
        }
        Body::Kept(if self.more.is_empty() {
            self.first
        } else {
            self.more.freeze()
        })
    }
}

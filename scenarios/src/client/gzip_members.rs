//! gzip as servers send it: one member or several, and whatever follows them.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_compression::tokio::bufread::GzipDecoder;
use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};

/// What a member begins with (RFC 1952, 2.3.1).
const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Decodes members one after the other. What follows them and is not one (zero bytes that fill a block, a line
/// end) is ignored, as curl and browsers do. A member that is cut off is an error.
pub(super) struct GzipMembers<R> {
    state: State<R>,
    /// Whether a whole member has been read.
    has_member: bool,
}

enum State<R> {
    Member(GzipDecoder<R>),
    /// Between two members, or after the last.
    Between(R),
    Ended,
}

impl<R: AsyncBufRead + Unpin> GzipMembers<R> {
    pub(super) fn new(encoded: R) -> Self {
        Self {
            state: State::Member(GzipDecoder::new(encoded)),
            has_member: false,
        }
    }
}

impl<R: AsyncBufRead + Unpin> AsyncRead for GzipMembers<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            match &mut this.state {
                State::Ended => return Poll::Ready(Ok(())),
                State::Member(decoder) => {
                    let before = buffer.filled().len();
                    match ready!(Pin::new(decoder).poll_read(cx, buffer)) {
                        Ok(()) if buffer.filled().len() > before => return Poll::Ready(Ok(())),
                        Ok(()) => {
                            this.has_member = true;
                            if let State::Member(decoder) =
                                std::mem::replace(&mut this.state, State::Ended)
                            {
                                this.state = State::Between(decoder.into_inner());
                            }
                        }
                        // What only looked like another member.
                        Err(error) if this.has_member && is_garbage(&error) => {
                            this.state = State::Ended;
                        }
                        Err(error) => return Poll::Ready(Err(error)),
                    }
                }
                State::Between(encoded) => {
                    let next = ready!(Pin::new(encoded).poll_fill_buf(cx))?;
                    let compared = next.len().min(MAGIC.len());
                    let begins = compared > 0 && next[..compared] == MAGIC[..compared];
                    if let State::Between(encoded) =
                        std::mem::replace(&mut this.state, State::Ended)
                        && begins
                    {
                        this.state = State::Member(GzipDecoder::new(encoded));
                    }
                }
            }
        }
    }
}

/// Whether a decoder could make nothing of what it got; its end and the connection's errors are something else.
fn is_garbage(error: &io::Error) -> bool {
    error.kind() != io::ErrorKind::UnexpectedEof && !is_of_the_transport(error)
}

fn is_of_the_transport(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(|inner| inner.is::<super::body_stream::Cut>())
}

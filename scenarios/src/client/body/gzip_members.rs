//! gzip as servers send it: one member or several, and whatever follows them.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_compression::tokio::bufread::GzipDecoder;
use tokio::io::{AsyncBufRead, AsyncRead, AsyncReadExt as _, Chain, ReadBuf};

/// What a member begins with (RFC 1952, 2.3.1).
const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Decodes members one after the other. What follows them and is not one (zero bytes that fill a block, a line
/// end, the first byte of [`MAGIC`] alone) is ignored, as curl, browsers and Python do. A member that is cut off is an
/// error, where Python hands over what came of it.
pub(in crate::client) struct GzipMembers<R> {
    state: State<R>,
    /// Whether a whole member has been read.
    has_member: bool,
}

enum State<R> {
    /// What was read of its magic number to find it, and the rest.
    Member(Box<GzipDecoder<Chain<&'static [u8], R>>>),
    /// Between two members, or after the last.
    Between(R),
    /// After the first byte of what may be another member.
    Begun(R),
    Ended,
}

impl<R: AsyncBufRead + Unpin> State<R> {
    fn member(begun: &'static [u8], rest: R) -> Self {
        Self::Member(Box::new(GzipDecoder::new(begun.chain(rest))))
    }

    /// Looks at what follows a member; the next state.
    fn poll_after_member(self, cx: &mut Context<'_>) -> (Self, Poll<io::Result<()>>) {
        let ready = Poll::Ready(Ok(()));
        match self {
            Self::Between(mut encoded) => match Pin::new(&mut encoded).poll_fill_buf(cx) {
                Poll::Pending => (Self::Between(encoded), Poll::Pending),
                Poll::Ready(Err(error)) => (Self::Ended, Poll::Ready(Err(error))),
                Poll::Ready(Ok([first])) if *first == MAGIC[0] => {
                    Pin::new(&mut encoded).consume(1);
                    (Self::Begun(encoded), ready)
                }
                Poll::Ready(Ok(next)) if next.starts_with(&MAGIC) => {
                    (Self::member(&[], encoded), ready)
                }
                Poll::Ready(Ok(_)) => (Self::Ended, ready),
            },
            Self::Begun(mut encoded) => match Pin::new(&mut encoded).poll_fill_buf(cx) {
                Poll::Pending => (Self::Begun(encoded), Poll::Pending),
                Poll::Ready(Err(error)) => (Self::Ended, Poll::Ready(Err(error))),
                Poll::Ready(Ok([second, ..])) if *second == MAGIC[1] => {
                    (Self::member(&MAGIC[..1], encoded), ready)
                }
                Poll::Ready(Ok(_)) => (Self::Ended, ready),
            },
            other => (other, ready),
        }
    }
}

impl<R: AsyncBufRead + Unpin> GzipMembers<R> {
    pub(in crate::client) fn new(encoded: R) -> Self {
        Self {
            state: State::member(&[], encoded),
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
                    match ready!(Pin::new(&mut **decoder).poll_read(cx, buffer)) {
                        Ok(()) if buffer.filled().len() > before => return Poll::Ready(Ok(())),
                        Ok(()) => {
                            this.has_member = true;
                            if let State::Member(decoder) =
                                std::mem::replace(&mut this.state, State::Ended)
                            {
                                this.state = State::Between(decoder.into_inner().into_inner().1);
                            }
                        }
                        // What only looked like another member.
                        Err(error) if this.has_member && is_garbage(&error) => {
                            this.state = State::Ended;
                        }
                        Err(error) => return Poll::Ready(Err(error)),
                    }
                }
                State::Between(_) | State::Begun(_) => {
                    let state = std::mem::replace(&mut this.state, State::Ended);
                    let (next, poll) = state.poll_after_member(cx);
                    this.state = next;
                    ready!(poll)?;
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
        .is_some_and(|inner| inner.is::<super::stream::Cut>())
}

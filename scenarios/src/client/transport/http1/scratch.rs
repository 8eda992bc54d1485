//! What comes is read into memory that all connections of a thread share, and copied from there in the size that it
//! has: a connection that waits holds no memory for what may come, and one read takes all that is there.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::io::{AsyncRead, ReadBuf};

/// Most bytes that are read at once. A read that does not fill it has taken everything there was, so that no other
/// one is needed to learn that.
pub(super) const SCRATCH_SIZE: usize = 64 << 10;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH_SIZE].into());
}

/// Appends what has come to `read`; 0 at the end of the stream.
pub(super) fn poll_read_scratch<S: AsyncRead>(
    stream: Pin<&mut S>,
    cx: &mut Context<'_>,
    read: &mut BytesMut,
) -> Poll<io::Result<usize>> {
    // Streams do not read other streams' answers, so it is never borrowed twice.
    SCRATCH.with_borrow_mut(|scratch| {
        let mut buffer = ReadBuf::new(scratch);
        ready!(stream.poll_read(cx, &mut buffer))?;
        let filled = buffer.filled();
        read.extend_from_slice(filled);
        Poll::Ready(Ok(filled.len()))
    })
}

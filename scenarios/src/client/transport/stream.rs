//! A TCP connection with or without TLS; through an encrypted proxy with TLS inside of TLS. Of a tunnel some bytes may
//! have been read already.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// What HTTP is spoken over.
pub(in crate::client) enum Stream {
    Tcp(TcpStream),
    Tls(Box<TlsStream<Stream>>),
    /// A stream from which these bytes have been read.
    Begun(Box<(Bytes, Stream)>),
}

impl Stream {
    /// The stream from before these bytes were read from it.
    pub(in crate::client) fn after(self, read: Bytes) -> Self {
        if read.is_empty() {
            return self;
        }
        Self::Begun(Box::new((read, self)))
    }
}

macro_rules! on_either {
    ($self:ident, $inner:ident => $call:expr) => {
        match $self.get_mut() {
            Stream::Tcp(stream) => {
                let $inner = Pin::new(stream);
                $call
            }
            Stream::Tls(stream) => {
                let $inner = Pin::new(&mut **stream);
                $call
            }
            Stream::Begun(begun) => {
                let $inner = Pin::new(&mut begun.1);
                $call
            }
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Stream::Begun(begun) = self.as_mut().get_mut()
            && !begun.0.is_empty()
        {
            let length = begun.0.len().min(buffer.remaining());
            buffer.put_slice(&begun.0.split_to(length));
            return Poll::Ready(Ok(()));
        }
        on_either!(self, stream => stream.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        on_either!(self, stream => stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        on_either!(self, stream => stream.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Stream::Tcp(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
            Stream::Begun(begun) => begun.1.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_either!(self, stream => stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_either!(self, stream => stream.poll_shutdown(cx))
    }
}

//! The bytes' way out of this machine: TCP, or a Unix socket.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use super::arrival::{self, Arrivals};

/// An open socket.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream, Arrivals),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Socket {
    /// A TCP socket that sends small requests at once.
    pub(super) fn tcp(stream: TcpStream) -> Self {
        // Only a delay of small requests is lost where the system refuses.
        let _ = stream.set_nodelay(true);
        Self::Tcp(stream, Arrivals::Unknown)
    }

    /// The same, of which is known when bytes come, where the system can tell.
    pub(super) fn noted(self) -> Self {
        match self {
            Self::Tcp(stream, _) => {
                let is_noted = arrival::note(&stream);
                Self::Tcp(stream, Arrivals::of(is_noted))
            }
            #[cfg(unix)]
            Self::Unix(stream) => Self::Unix(stream),
        }
    }

    /// As [`Arrivals::age`].
    #[inline]
    pub(super) fn age(&self) -> Option<u64> {
        match self {
            Self::Tcp(_, arrivals) => arrivals.age(),
            #[cfg(unix)]
            Self::Unix(_) => None,
        }
    }

    /// As [`AsyncWrite::poll_write`], with less to ask for while there is room for what is sent.
    #[inline]
    pub(super) fn poll_send(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let sent = match self {
                Self::Tcp(stream, _) => stream.try_write(bytes),
                #[cfg(unix)]
                Self::Unix(stream) => stream.try_write(bytes),
            };
            if !sent.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
                return Poll::Ready(sent);
            }
            ready!(match self {
                Self::Tcp(stream, _) => stream.poll_write_ready(cx),
                #[cfg(unix)]
                Self::Unix(stream) => stream.poll_write_ready(cx),
            })?;
        }
    }

    /// Ready when there may be something to read, or an end.
    #[inline]
    pub(super) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        // What is wrong is told by reading.
        match self {
            Self::Tcp(stream, _) => stream.poll_read_ready(cx).map(|_| ()),
            #[cfg(unix)]
            Self::Unix(stream) => stream.poll_read_ready(cx).map(|_| ()),
        }
    }
}

impl AsyncRead for Socket {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream, arrivals) => arrivals.poll_read(stream, cx, buffer),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Socket {
    #[inline]
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream, _) => Pin::new(stream).poll_write(cx, bytes),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream, _) => Pin::new(stream).poll_write_vectored(cx, pieces),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream, _) => stream.is_write_vectored(),
            #[cfg(unix)]
            Self::Unix(stream) => stream.is_write_vectored(),
        }
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream, _) => Pin::new(stream).poll_flush(cx),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream, _) => Pin::new(stream).poll_shutdown(cx),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

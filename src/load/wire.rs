//! A connection as HTTP/2 and asynchronous readers want it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connection::Stream;
use crate::model::run::ErrorClass;

/// What ALPN calls HTTP/2.
pub(super) const ALPN_HTTP2: &[u8] = b"h2";

impl Stream {
    /// Whether HTTP/2 can be spoken: agreed on inside TLS, or taken for granted without.
    pub(super) fn is_for_http2(&self) -> bool {
        match self {
            Self::Tls(secured) => secured.stream.get_ref().1.alpn_protocol() == Some(ALPN_HTTP2),
            Self::Plain(_) => true,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Self::poll_read(self.get_mut(), cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Self::poll_write(self.get_mut(), cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Self::poll_flush(self.get_mut(), cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Self::poll_flush(self.get_mut(), cx)
    }
}

/// What it means that TLS was not agreed on.
pub(super) fn handshake_class(error: &io::Error) -> ErrorClass {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    match cause {
        Some(
            rustls::Error::NoApplicationProtocol
            | rustls::Error::AlertReceived(rustls::AlertDescription::NoApplicationProtocol),
        ) => ErrorClass::WrongProtocol,
        _ => ErrorClass::Tls,
    }
}

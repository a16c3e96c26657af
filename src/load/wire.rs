//! A connection as the HTTP/2 library wants it: asynchronous bytes, counted, and seen through when it is not HTTP/2.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connection::Stream;
use crate::model::run::ErrorClass;

/// How every answer of HTTP/1 begins.
const HTTP1: &[u8] = b"HTTP/1";
/// What ALPN calls HTTP/2.
pub(super) const ALPN_HTTP2: &[u8] = b"h2";

/// A connection whose bytes are counted.
pub(super) struct Wire {
    stream: Stream,
    traffic: Rc<Traffic>,
}

/// What went over a connection; shared with those who sent it.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    received: Cell<u64>,
    sent: Cell<u64>,
    /// Bytes of `HTTP/1` that the answer begins with; none once it is known whether it does.
    matched: Cell<Option<usize>>,
    is_http1: Cell<bool>,
    /// Whether something was received since the task of this connection was last run.
    has_read: Cell<bool>,
}

impl Wire {
    pub(super) fn new(stream: Stream) -> (Self, Rc<Traffic>) {
        let traffic = Rc::new(Traffic { matched: Cell::new(Some(0)), ..Traffic::default() });
        (Self { stream, traffic: Rc::clone(&traffic) }, traffic)
    }
}

impl Traffic {
    /// Bytes received since this was last asked. Requests on one connection share them, so that their sum is
    /// exact and a single one's share is not.
    pub(super) fn take_received(&self) -> u64 {
        self.received.take()
    }

    /// Bytes sent since this was last asked.
    pub(super) fn take_sent(&self) -> u64 {
        self.sent.take()
    }

    /// The task of this connection is run.
    pub(super) fn begin_turn(&self) {
        self.has_read.set(false);
    }

    /// Whether the other side has answered in HTTP/1.
    pub(super) fn is_http1(&self) -> bool {
        self.is_http1.get()
    }

    fn note_received(&self, bytes: &[u8]) {
        self.has_read.set(self.has_read.get() || !bytes.is_empty());
        self.received.set(self.received.get() + bytes.len() as u64);
        let Some(matched) = self.matched.get() else { return };
        let expected = &HTTP1[matched..];
        let length = expected.len().min(bytes.len());
        let is_alike = bytes[..length] == expected[..length];
        self.is_http1.set(is_alike && length == expected.len());
        self.matched.set((is_alike && length < expected.len()).then_some(matched + length));
    }
}

impl Stream {
    /// Whether HTTP/2 can be spoken: agreed on inside TLS, or taken for granted without.
    pub(super) fn is_for_http2(&self) -> bool {
        match self {
            Self::Tls(secured) => secured.stream.get_ref().1.alpn_protocol() == Some(ALPN_HTTP2),
            Self::Plain(_) => true,
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        let before = buffer.filled().len();
        let read = wire.stream.poll_read(cx, buffer);
        wire.traffic.note_received(&buffer.filled()[before..]);
        read
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        // What was read may have woken slots that send at once: a PING's answer goes out with what they send.
        if wire.traffic.has_read.take() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let written = wire.stream.poll_write(cx, bytes);
        if let Poll::Ready(Ok(length)) = &written {
            wire.traffic.sent.set(wire.traffic.sent.get() + *length as u64);
        }
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().stream.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The connection is closed when it is dropped, right after.
        self.get_mut().stream.poll_flush(cx)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn is_http1(pieces: &[&[u8]]) -> bool {
        let traffic = Traffic { matched: Cell::new(Some(0)), ..Traffic::default() };
        for piece in pieces {
            traffic.note_received(piece);
        }
        assert_eq!(traffic.take_received(), pieces.iter().map(|piece| piece.len() as u64).sum::<u64>());
        traffic.is_http1()
    }

    #[test]
    fn an_answer_in_http1_is_seen_however_it_is_cut() {
        assert!(is_http1(&[b"HTTP/1.1 400 Bad Request\r\n"]));
        assert!(is_http1(&[b"H", b"", b"TTP", b"/1", b".0 200"]));
        assert!(!is_http1(&[b"HTTP", b"S/1"]));
        assert!(!is_http1(&[b"\0\0\x12\x04\0\0\0\0\0HTTP/1"]));
        assert!(!is_http1(&[b"HTTP/"]));
        assert!(!is_http1(&[]));
    }
}

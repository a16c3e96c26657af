//! A connection to the target, plain or inside TLS, and what its failures mean.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::random::Random;
use super::schedule::nanos;
use super::tally::Opening;
use super::wire::handshake_class;
use crate::model::plan::Reuse;
use crate::model::run::ErrorClass;

/// Opens connections to the target's addresses.
#[derive(Clone)]
pub(super) struct Connector {
    /// At least one; each connection goes to the next.
    pub(super) addresses: Arc<[SocketAddr]>,
    pub(super) tls: Option<(Arc<rustls::ClientConfig>, ServerName<'static>)>,
    pub(super) reuse: Option<Reuse>,
    /// How many connections were begun.
    pub(super) begun: Arc<AtomicUsize>,
    /// Where the draws of [`Self::lifetime`] come from: all workers' together, each other than the one before.
    pub(super) seed: Arc<AtomicU64>,
}

/// A connection that was just made.
pub(super) struct Connected {
    pub(super) stream: Stream,
    /// Which of the target's addresses it leads to.
    pub(super) address: u16,
    pub(super) opening: Opening,
}

/// An open connection.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connector {
    /// How many requests a fresh connection carries before it is closed.
    pub(super) fn lifetime(&self) -> u64 {
        let Some(Reuse { min, max }) = self.reuse else { return u64::MAX };
        let drawn = Random::seeded(self.seed.fetch_add(1, Ordering::Relaxed)).next_u64();
        let choices = max.saturating_sub(min).saturating_add(1);
        min.saturating_add(drawn % choices)
    }

    /// Where the next connection goes: the address, and which it is.
    pub(super) fn next_address(&self) -> (SocketAddr, u16) {
        let at = self.begun.fetch_add(1, Ordering::Relaxed) % self.addresses.len();
        (self.addresses[at], u16::try_from(at).unwrap_or(u16::MAX))
    }

    /// Connects and, where asked, agrees on TLS.
    pub(super) async fn connect(&self) -> Result<Connected, ErrorClass> {
        let began = Instant::now();
        let (to, address) = self.next_address();
        let stream = TcpStream::connect(to).await.map_err(|error| connect_class(&error))?;
        let mut opening = Opening { connect: Some(nanos(began.elapsed())), ..Opening::default() };
        // Only a delay of small requests is lost where the system refuses.
        let _ = stream.set_nodelay(true);
        let Some((config, name)) = &self.tls else {
            return Ok(Connected { stream: Stream::Plain(stream), address, opening });
        };
        let began = Instant::now();
        let stream = TlsConnector::from(Arc::clone(config))
            .connect(name.clone(), stream)
            .await
            .map_err(|error| handshake_class(&error))?;
        opening.tls = Some(nanos(began.elapsed()));
        Ok(Connected { stream: Stream::Tls(Box::new(stream)), address, opening })
    }
}

impl Stream {
    #[inline]
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => match Pin::new(stream).poll_read(cx, buffer) {
                // Closed without TLS's own farewell, as many servers do: an end like that of plain TCP.
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    Poll::Ready(Ok(()))
                }
                read => read,
            },
        }
    }

    #[inline]
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    /// Whether all that was written has left us.
    #[inline]
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }
}

/// What it means that a connection was not made.
fn connect_class(error: &io::Error) -> ErrorClass {
    match error.kind() {
        io::ErrorKind::TimedOut => ErrorClass::ConnectTimeout,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => ErrorClass::Reset,
        // Refused, unreachable, or no local port left: nobody could be reached there.
        _ => ErrorClass::ConnectRefused,
    }
}

/// What it means that an open connection failed.
pub(super) fn exchange_class(error: &io::Error) -> ErrorClass {
    match error.kind() {
        io::ErrorKind::TimedOut => ErrorClass::ResponseTimeout,
        io::ErrorKind::UnexpectedEof | io::ErrorKind::WriteZero => ErrorClass::ClosedEarly,
        // rustls reports what breaks TLS as invalid data.
        io::ErrorKind::InvalidData => ErrorClass::Tls,
        _ => ErrorClass::Reset,
    }
}

//! A connection to the target, plain or inside TLS, and what its failures mean.

use std::fmt;
use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::PathBuf;
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

use super::arrival::Noting;
use super::random::Random;
use super::reasons::{Reasons, Refusal, connect_refusal, tls_words};
use super::schedule::nanos;
use super::socket::Socket;
use super::tally::Opening;
use super::tunnel::Tunnel;
use super::wire::handshake_class;
use crate::model::plan::{Family, Reuse};
use crate::model::run::ErrorClass;

/// The most addresses of one name that a connection tries.
pub(super) const ADDRESSES_MAX: usize = 8;

/// How long the end of a kept connection may be under way to us beside the time that connecting took, and at most, in
/// nanoseconds.
const CROSSING_NANOS: [u64; 2] = [10_000_000, 250_000_000];

/// Where a connection leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Address(SocketAddr),
    /// A name that is resolved for each connection: by the proxy or, without one, here.
    Name(String, u16),
    #[cfg(unix)]
    Unix(PathBuf),
}

/// Opens connections to the target.
#[derive(Clone)]
pub(super) struct Connector {
    /// At least one; each connection goes to the next.
    pub(super) places: Arc<[Place]>,
    /// The number of the first of them among the addresses of all connectors of a run.
    pub(super) first_address: u16,
    pub(super) tunnel: Option<Arc<Tunnel>>,
    /// How long the name's one resolution took, in nanoseconds; counted with the first connection.
    pub(super) resolved_in: Option<u64>,
    /// Which addresses of a name are used that is resolved for each connection.
    pub(super) family: Family,
    /// Whether connections go to all of them in turn.
    pub(super) all_addresses: bool,
    pub(super) tls: Option<(Arc<rustls::ClientConfig>, ServerName<'static>)>,
    pub(super) reuse: Option<Reuse>,
    /// Has the system note when bytes come; none where nobody asks, or it does not.
    pub(super) noting: Option<Arc<Noting>>,
    /// How many connections were begun.
    pub(super) begun: Arc<AtomicUsize>,
    /// Where the draws of [`Self::lifetime`] come from: all workers' together, each other than the one before.
    pub(super) seed: Arc<AtomicU64>,
    pub(super) reasons: Reasons,
}

/// A connection that was just made.
pub(super) struct Connected {
    pub(super) stream: Stream,
    /// Which of the target's addresses it leads to.
    pub(super) address: u16,
    pub(super) opening: Opening,
}

/// For how long after a request was sent the end of a connection may be one that the target began before it knew of the
/// request: a round trip, as long as it took to connect, and what a target may take to notice what has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crossing {
    nanos: u64,
}

impl Connected {
    pub(super) fn crossing(&self) -> Crossing {
        let [least, most] = CROSSING_NANOS;
        Crossing { nanos: self.opening.connect.unwrap_or(0).saturating_add(least).min(most) }
    }
}

impl Crossing {
    /// Whether an end seen at `known` may have been under way before the target knew of a request sent at `sent_at`.
    pub(super) fn covers(self, sent_at: u64, known: u64) -> bool {
        known.saturating_sub(sent_at) <= self.nanos
    }
}

/// An open connection.
pub(super) enum Stream {
    Plain(Socket),
    Tls(Box<Secured>),
}

/// A connection inside TLS, which may break later: in TLS 1.3 the target looks at our certificate after the handshake.
pub(super) struct Secured {
    pub(super) stream: TlsStream<Socket>,
    reasons: Reasons,
}

impl Connector {
    /// How many requests a fresh connection carries before it is closed.
    pub(super) fn lifetime(&self) -> u64 {
        let Some(Reuse { min, max }) = self.reuse else { return u64::MAX };
        let drawn = Random::seeded(self.seed.fetch_add(1, Ordering::Relaxed)).next_u64();
        let choices = max.saturating_sub(min).saturating_add(1);
        min.saturating_add(drawn % choices)
    }

    /// The number after the last of its addresses.
    pub(super) fn addresses_end(&self) -> u16 {
        self.first_address.saturating_add(u16::try_from(self.places.len()).unwrap_or(u16::MAX))
    }

    /// Where the next connection goes, the number of that address, and how many were begun before.
    fn next_place(&self) -> (&Place, u16, usize) {
        let turn = self.begun.fetch_add(1, Ordering::Relaxed);
        let at = turn % self.places.len();
        (&self.places[at], self.first_address.saturating_add(u16::try_from(at).unwrap_or(u16::MAX)), turn)
    }

    /// Where the next datagrams go; which of the target's addresses that is.
    pub(super) async fn next_address(&self) -> Result<(SocketAddr, u16), ErrorClass> {
        let (place, at, turn) = self.next_place();
        let found = match place {
            Place::Address(address) => Ok((*address, at)),
            Place::Name(host, port) => {
                resolve(host, *port, self.family).await.map(|found| (found[turn % found.len()], at))
            }
            #[cfg(unix)]
            Place::Unix(_) => {
                Err(Refusal::new(ErrorClass::ConnectRefused, "no datagrams over a Unix socket"))
            }
        };
        found.map_err(|refusal| self.note(&refusal))
    }

    /// Connects and, where asked, agrees on TLS.
    pub(super) async fn connect(&self) -> Result<Connected, ErrorClass> {
        self.connect_in_words().await.map_err(|refusal| self.note(&refusal))
    }

    fn note(&self, refusal: &Refusal) -> ErrorClass {
        self.reasons.note(refusal.class, &refusal.why);
        refusal.class
    }

    async fn connect_in_words(&self) -> Result<Connected, Refusal> {
        let (place, address, turn) = self.next_place();
        let mut opening = Opening { dns: self.resolved_in.filter(|_| turn == 0), ..Opening::default() };
        let socket = self.open(place, turn, &mut opening).await?;
        let Some((config, name)) = &self.tls else {
            return Ok(Connected { stream: Stream::Plain(socket), address, opening });
        };
        let began = Instant::now();
        let stream = TlsConnector::from(Arc::clone(config))
            .connect(name.clone(), socket)
            .await
            .map_err(|error| Refusal::new(handshake_class(&error), tls_words(&error)))?;
        opening.tls = Some(nanos(began.elapsed()));
        let secured = Secured { stream, reasons: self.reasons.clone() };
        Ok(Connected { stream: Stream::Tls(Box::new(secured)), address, opening })
    }

    /// A socket to `place`, TLS not yet begun. What a proxy takes to connect is counted as connecting.
    pub(super) async fn open(
        &self,
        place: &Place,
        turn: usize,
        opening: &mut Opening,
    ) -> Result<Socket, Refusal> {
        let mut began = Instant::now();
        let opened = match (&self.tunnel, place) {
            (Some(tunnel), place) => tunnel.open(place).await,
            (None, Place::Address(address)) => tcp(*address).await,
            (None, Place::Name(host, port)) => {
                let mut found = resolve(host, *port, self.family).await?;
                opening.dns = Some(nanos(began.elapsed()));
                began = Instant::now();
                if self.all_addresses {
                    found = vec![found[turn % found.len()]];
                }
                first(&found).await
            }
            #[cfg(unix)]
            (None, Place::Unix(path)) => match tokio::net::UnixStream::connect(path).await {
                Ok(stream) => Ok(Socket::Unix(stream)),
                Err(error) => {
                    Err(connect_refusal(&error, format_args!("the Unix socket {}", path.display())))
                }
            },
        };
        opening.connect = Some(nanos(began.elapsed()));
        opened.map(|socket| if self.noting.is_some() { socket.noted() } else { socket })
    }
}

/// What a name stands for now; at least one address.
pub(super) async fn resolve(host: &str, port: u16, family: Family) -> Result<Vec<SocketAddr>, Refusal> {
    let failed = |why: String| Refusal::new(ErrorClass::Dns, why);
    let found = tokio::net::lookup_host((host, port))
        .await
        .map_err(|error| failed(format!("the name {host} could not be resolved: {error}")))?;
    let found: Vec<_> = found.filter(|address| is_in(family, address)).collect();
    if found.is_empty() { Err(failed(format!("the name {host} stands for no address"))) } else { Ok(found) }
}

/// Whether an address is of the family.
pub(super) fn is_in(family: Family, address: &SocketAddr) -> bool {
    match family {
        Family::Any => true,
        Family::V4 => address.is_ipv4(),
        Family::V6 => address.is_ipv6(),
    }
}

async fn tcp(address: SocketAddr) -> Result<Socket, Refusal> {
    let stream = TcpStream::connect(address)
        .await
        .map_err(|error| connect_refusal(&error, format_args!("{address}")))?;
    Ok(Socket::tcp(stream))
}

/// The first of some addresses that accepts a connection; why the last did not, if none does.
async fn first(addresses: &[SocketAddr]) -> Result<Socket, Refusal> {
    let mut refusal = Refusal::new(ErrorClass::Dns, "the name stands for no address");
    for address in addresses.iter().take(ADDRESSES_MAX) {
        match tcp(*address).await {
            Ok(socket) => return Ok(socket),
            Err(why) => refusal = why,
        }
    }
    Err(refusal)
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(host, port) => write!(f, "{host}:{port}"),
            #[cfg(unix)]
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Secured {
    /// Keeps in words why TLS broke.
    fn noted<T>(&self, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(error)) = &result
            && error.kind() == io::ErrorKind::InvalidData
        {
            self.reasons.note(exchange_class(error), &tls_words(error));
        }
        result
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
            Self::Tls(secured) => match Pin::new(&mut secured.stream).poll_read(cx, buffer) {
                // Closed without TLS's own farewell, as many servers do: an end like that of plain TCP.
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    Poll::Ready(Ok(()))
                }
                read => secured.noted(read),
            },
        }
    }

    #[inline]
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => stream.poll_send(cx, bytes),
            Self::Tls(secured) => {
                let written = Pin::new(&mut secured.stream).poll_write(cx, bytes);
                secured.noted(written)
            }
        }
    }

    /// How long ago the bytes came that were read last, in nanoseconds; none where that is not known. To be asked before
    /// the run's clock is.
    #[inline]
    pub(super) fn age(&self) -> Option<u64> {
        match self {
            Self::Plain(stream) => stream.age(),
            Self::Tls(secured) => secured.stream.get_ref().0.age(),
        }
    }

    /// Whether it may be worth while to read: cheaper to ask, where nothing is expected yet, than to try.
    #[inline]
    pub(super) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Plain(stream) => stream.poll_readable(cx),
            Self::Tls(_) => Poll::Ready(()),
        }
    }

    /// Whether all that was written has left us.
    #[inline]
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Tls(secured) => {
                let flushed = Pin::new(&mut secured.stream).poll_flush(cx);
                secured.noted(flushed)
            }
        }
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

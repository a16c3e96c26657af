//! How an adapter is reached: its streams of bytes.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::TcpStream;
use url::Url;

use super::client::AtStep;
use crate::model::host::is_here;

/// Where an adapter is.
#[derive(Debug)]
pub enum Way {
    /// `host:port`, `http://host:port` or `https://host:port`; authorities in PEM besides those that the machine trusts.
    Address {
        /// As a person wrote it.
        address: String,
        /// Certificates of authorities.
        authorities: Option<Vec<u8>>,
    },
    /// A Unix socket on this machine.
    Socket(PathBuf),
    /// In this process; can be connected once.
    Memory(DuplexStream),
}

impl Way {
    /// Whether nobody on the way to an address can read along: TLS, or this machine. What is no address is not.
    #[must_use]
    pub fn is_private(address: &str) -> bool {
        Place::of(address.trim()).is_ok_and(|place| place.is_tls || is_here(&place.host))
    }
}

/// What an address names.
struct Place {
    host: String,
    port: u16,
    is_tls: bool,
}

impl Place {
    /// # Errors
    /// What is wrong with the address, in words.
    fn of(address: &str) -> Result<Self, String> {
        let text = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
        let url = Url::parse(&text).map_err(|error| format!("{address} is no address: {error}"))?;
        let is_tls = match url.scheme() {
            "https" => true,
            "http" => false,
            other => return Err(format!("adapters are spoken to over http or https, not {other}")),
        };
        let host = url.host_str().ok_or_else(|| format!("{address} names no host"))?;
        let port = url.port().or(is_tls.then_some(443)).ok_or_else(|| {
            format!("{address} names no port; the adapters of known meshes listen at 10000 to 10012")
        })?;
        Ok(Self { host: host.trim_matches(['[', ']']).to_owned(), port, is_tls })
    }
}

/// A way that can be taken again and again, as far as that is possible.
#[derive(Clone)]
pub(super) struct Road {
    kind: Arc<Kind>,
    /// As it is told.
    pub(super) name: String,
    /// Whether nobody on the way can read along.
    pub(super) is_private: bool,
    first: Arc<Mutex<First>>,
}

/// How the other side of the latest stream began: it tells what is there, when that is no adapter.
#[derive(Debug, Default)]
struct First {
    bytes: Vec<u8>,
    /// Nothing more came.
    is_over: bool,
    /// What went wrong with TLS.
    tls: Option<BadTls>,
}

/// What goes wrong with TLS where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BadTls {
    NotSpoken,
    Closed,
}

/// As many bytes are looked at.
const FIRST_BYTES: usize = 8;

/// At which step it shows what is there instead of an adapter, what that is, and what to do. The step is that of what was
/// found: where a connection was made and ended, it is a race whether that is seen while dialling or only in asking.
pub(super) type Odd = (AtStep, &'static str, &'static str);

enum Kind {
    Tcp { host: String, port: u16, tls: Option<tokio_rustls::TlsConnector> },
    Socket(PathBuf),
    Memory(Mutex<Option<DuplexStream>>),
}

/// A stream of bytes to an adapter, whose first are noted.
pub(super) struct Stream {
    wire: Wire,
    first: Arc<Mutex<First>>,
}

enum Wire {
    Tcp(TcpStream),
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
    #[cfg(unix)]
    Socket(tokio::net::UnixStream),
    Memory(DuplexStream),
}

impl Road {
    /// # Errors
    /// What is wrong with the address, in words.
    pub(super) fn of(way: Way) -> Result<Self, String> {
        match way {
            Way::Memory(stream) => {
                Ok(Self::new(Kind::Memory(Mutex::new(Some(stream))), "built in".to_owned(), true))
            }
            Way::Socket(path) => {
                let name = path.display().to_string();
                Ok(Self::new(Kind::Socket(path), name, true))
            }
            Way::Address { address, authorities } => Self::tcp(address.trim(), authorities.as_deref()),
        }
    }

    fn tcp(address: &str, authorities: Option<&[u8]>) -> Result<Self, String> {
        let Place { host, port, is_tls } = Place::of(address)?;
        let is_private = is_tls || is_here(&host);
        let tls = if is_tls { Some(connector(authorities)?) } else { None };
        Ok(Self::new(Kind::Tcp { host, port, tls }, address.to_owned(), is_private))
    }

    fn new(kind: Kind, name: String, is_private: bool) -> Self {
        Self { kind: Arc::new(kind), name, is_private, first: Arc::default() }
    }

    /// What is there where the latest stream led, if that can be told and it is no adapter.
    pub(super) fn odd(&self) -> Option<Odd> {
        let is_tls = matches!(&*self.kind, Kind::Tcp { tls: Some(_), .. });
        noted(&self.first).odd(is_tls)
    }

    pub(super) async fn open(&self) -> io::Result<Stream> {
        *noted(&self.first) = First::default();
        let wire = match &*self.kind {
            Kind::Tcp { host, port, tls } => {
                let stream = connect(host, *port).await?;
                stream.set_nodelay(true)?;
                match tls {
                    None => Wire::Tcp(stream),
                    Some(tls) => Wire::Tls(Box::new(self.agree(tls, host, stream).await?)),
                }
            }
            #[cfg(unix)]
            Kind::Socket(path) => Wire::Socket(tokio::net::UnixStream::connect(path).await?),
            #[cfg(not(unix))]
            Kind::Socket(_) => return Err(io::Error::other("this system has no Unix sockets")),
            Kind::Memory(stream) => {
                let stream = stream.lock().unwrap_or_else(PoisonError::into_inner).take();
                Wire::Memory(stream.ok_or_else(|| io::Error::other("it has ended"))?)
            }
        };
        Ok(Stream { wire, first: Arc::clone(&self.first) })
    }

    async fn agree(
        &self,
        tls: &tokio_rustls::TlsConnector,
        host: &str,
        stream: TcpStream,
    ) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let agreed = tls.connect(name, stream).await;
        if let Err(error) = &agreed {
            noted(&self.first).tls = BadTls::of(error);
        }
        agreed
    }
}

fn noted(first: &Mutex<First>) -> MutexGuard<'_, First> {
    first.lock().unwrap_or_else(PoisonError::into_inner)
}

/// This machine's name is never asked of a resolver: what it answers would be trusted as this machine is.
async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    if !host.eq_ignore_ascii_case("localhost") {
        return TcpStream::connect((host, port)).await;
    }
    match TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
        Ok(stream) => Ok(stream),
        // Of the usual one it is said why, where both refuse.
        Err(error) => TcpStream::connect((Ipv6Addr::LOCALHOST, port)).await.map_err(|_| error),
    }
}

impl BadTls {
    fn of(error: &io::Error) -> Option<Self> {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match inner {
            Some(rustls::Error::InvalidMessage(_)) => Some(Self::NotSpoken),
            Some(_) => None,
            None => Some(Self::Closed).filter(|_| is_end(error)),
        }
    }
}

fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
    )
}

impl First {
    fn odd(&self, is_tls: bool) -> Option<Odd> {
        const TLS_ALERT: &[u8] = &[0x15, 0x03];
        match self.tls {
            Some(BadTls::NotSpoken) => {
                return Some((
                    AtStep::Dial,
                    "what listens there does not speak TLS",
                    "Write http:// before the address, where nobody else can read along; or check its port",
                ));
            }
            Some(BadTls::Closed) => {
                return Some((
                    AtStep::Dial,
                    "the connection was closed while agreeing on TLS",
                    "Check its port; write http:// before the address if it does not speak TLS",
                ));
            }
            None => {}
        }
        if self.bytes.starts_with(b"HTTP/") {
            return Some((
                AtStep::Name,
                "a web server listens there: it answered in HTTP/1.1, which no adapter speaks",
                "Check the port; adapters of known meshes listen at 10000 to 10012",
            ));
        }
        if self.bytes.first() == Some(&b'<') {
            return Some((
                AtStep::Name,
                "what listens there answered with a page, and not as an adapter",
                "Check the port; adapters of known meshes listen at 10000 to 10012",
            ));
        }
        if !is_tls && self.bytes.starts_with(TLS_ALERT) {
            return Some((
                AtStep::Name,
                "what listens there speaks TLS",
                "Write https:// before the address",
            ));
        }
        if self.is_over && self.bytes.is_empty() {
            return Some((
                AtStep::Name,
                "what listens there closed the connection at once, without a word",
                match is_tls {
                    true => "Check that it is an adapter that listens there",
                    false => {
                        "Check that it is an adapter that listens there; if it speaks TLS, write https:// before the address"
                    }
                },
            ));
        }
        None
    }

    fn note(&mut self, read: &[u8]) {
        let room = FIRST_BYTES.saturating_sub(self.bytes.len()).min(read.len());
        self.bytes.extend_from_slice(&read[..room]);
    }
}

fn connector(authorities: Option<&[u8]>) -> Result<tokio_rustls::TlsConnector, String> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(pem) = authorities {
        let own: Result<Vec<CertificateDer<'static>>, _> = CertificateDer::pem_slice_iter(pem).collect();
        let own = own.map_err(|_| "the authorities are no PEM certificates".to_owned())?;
        roots.add_parsable_certificates(own);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(tokio_rustls::TlsConnector::from(Arc::new(config)))
}

/// Does the same with the stream, whatever it is.
macro_rules! with {
    ($stream:expr, $it:ident => $work:expr) => {
        match &mut $stream.get_mut().wire {
            Wire::Tcp($it) => $work,
            Wire::Tls($it) => $work,
            #[cfg(unix)]
            Wire::Socket($it) => $work,
            Wire::Memory($it) => $work,
        }
    };
}

impl Stream {
    /// A connection that ends before its first word may show that in writing first. What the other side said before is still
    /// there to be read and tells more: so writing goes on, to nobody, until reading has come to the end.
    fn is_left_to_reading<T>(&self, polled: &Poll<io::Result<T>>) -> bool {
        let Poll::Ready(Err(error)) = polled else { return false };
        is_end(error) && noted(&self.first).bytes.is_empty()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = with!(self.as_mut(), it => Pin::new(it).poll_read(cx, buffer));
        if let Poll::Ready(read) = &polled {
            let mut first = noted(&self.first);
            let read_nothing = read.as_ref().map_or_else(is_end, |()| buffer.filled().len() == before);
            first.is_over |= read_nothing;
            first.note(&buffer.filled()[before..]);
        }
        polled
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = with!(self.as_mut(), it => Pin::new(it).poll_write(cx, bytes));
        if self.is_left_to_reading(&polled) { Poll::Ready(Ok(bytes.len())) } else { polled }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = with!(self.as_mut(), it => Pin::new(it).poll_flush(cx));
        if self.is_left_to_reading(&polled) { Poll::Ready(Ok(())) } else { polled }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with!(self, it => Pin::new(it).poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn road(address: &str) -> Result<Road, String> {
        Road::of(Way::Address { address: address.to_owned(), authorities: None })
    }

    #[test]
    fn only_this_machine_and_tls_are_private() {
        for (address, is_private) in [
            ("localhost:10000", true),
            ("127.0.0.1:10000", true),
            ("[::1]:10000", true),
            ("http://10.0.0.1:10000", false),
            ("adapter.test:10000", false),
            ("https://adapter.test", true),
        ] {
            assert_eq!(road(address).map(|road| road.is_private), Ok(is_private), "{address}");
            assert_eq!(Way::is_private(address), is_private, "{address}");
        }
    }

    #[tokio::test]
    async fn the_name_of_this_machine_is_reached_at_either_address() {
        for loopback in ["127.0.0.1:0", "[::1]:0"] {
            let listener = tokio::net::TcpListener::bind(loopback).await.expect("loopback");
            let address = listener.local_addr().expect("an address");
            let stream = connect("LocalHost", address.port()).await.expect("it listens");
            assert_eq!(stream.peer_addr().expect("a peer"), address);
        }
    }

    #[test]
    fn the_first_bytes_tell_what_is_there() {
        let first = |bytes: &[u8]| {
            let mut first = First::default();
            bytes.chunks(3).for_each(|chunk| first.note(chunk));
            first
        };
        let words = |first: First, is_tls| first.odd(is_tls).map(|(_, cause, _)| cause).unwrap_or_default();
        assert!(words(first(b"HTTP/1.1 404 Not Found"), false).contains("web server"));
        assert!(words(first(b"<html>"), true).contains("a page"));
        assert!(words(first(&[0x15, 3, 1, 0, 2, 2, 22]), false).contains("speaks TLS"));
        assert!(words(First { is_over: true, ..First::default() }, false).contains("closed"));
        // Settings of HTTP/2, as every adapter begins; and one that says nothing yet.
        assert_eq!(words(First { is_over: true, ..first(&[0, 0, 6, 4, 0, 0, 0, 0, 0, 0]) }, false), "");
        assert_eq!(words(First::default(), false), "");
    }

    #[test]
    fn what_is_no_address_is_refused_in_words() {
        for (address, words) in [
            ("localhost", "names no port"),
            ("ftp://localhost:1", "not ftp"),
            ("http://", "no address"),
            ("a b:1", "no address"),
        ] {
            let refused = road(address).err().unwrap_or_default();
            assert!(refused.contains(words), "{address}: {refused}");
        }
    }
}

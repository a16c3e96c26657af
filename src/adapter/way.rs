//! How an adapter is reached: its streams of bytes.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::TcpStream;
use url::Url;

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
}

enum Kind {
    Tcp { host: String, port: u16, tls: Option<tokio_rustls::TlsConnector> },
    Socket(PathBuf),
    Memory(Mutex<Option<DuplexStream>>),
}

/// A stream of bytes to an adapter.
pub(super) enum Stream {
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
                let kind = Arc::new(Kind::Memory(Mutex::new(Some(stream))));
                Ok(Self { kind, name: "built in".to_owned(), is_private: true })
            }
            Way::Socket(path) => {
                let name = path.display().to_string();
                Ok(Self { kind: Arc::new(Kind::Socket(path)), name, is_private: true })
            }
            Way::Address { address, authorities } => Self::tcp(address.trim(), authorities.as_deref()),
        }
    }

    fn tcp(address: &str, authorities: Option<&[u8]>) -> Result<Self, String> {
        let Place { host, port, is_tls } = Place::of(address)?;
        let is_private = is_tls || is_here(&host);
        let tls = if is_tls { Some(connector(authorities)?) } else { None };
        Ok(Self { kind: Arc::new(Kind::Tcp { host, port, tls }), name: address.to_owned(), is_private })
    }

    pub(super) async fn open(&self) -> io::Result<Stream> {
        match &*self.kind {
            Kind::Tcp { host, port, tls } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                let Some(tls) = tls else { return Ok(Stream::Tcp(stream)) };
                let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
                Ok(Stream::Tls(Box::new(tls.connect(name, stream).await?)))
            }
            #[cfg(unix)]
            Kind::Socket(path) => Ok(Stream::Socket(tokio::net::UnixStream::connect(path).await?)),
            #[cfg(not(unix))]
            Kind::Socket(_) => Err(io::Error::other("this system has no Unix sockets")),
            Kind::Memory(stream) => {
                let stream = stream.lock().unwrap_or_else(PoisonError::into_inner).take();
                stream.map(Stream::Memory).ok_or_else(|| io::Error::other("it has ended"))
            }
        }
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
        match $stream.get_mut() {
            Stream::Tcp($it) => $work,
            Stream::Tls($it) => $work,
            #[cfg(unix)]
            Stream::Socket($it) => $work,
            Stream::Memory($it) => $work,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        with!(self, it => Pin::new(it).poll_read(cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        with!(self, it => Pin::new(it).poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with!(self, it => Pin::new(it).poll_flush(cx))
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

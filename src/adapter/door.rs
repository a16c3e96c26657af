//! The door of what is served: as many connections as there is room for, TLS agreed on in time, each cut when told.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::stream::{self, Stream};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Sleep;
use tokio_rustls::TlsAcceptor;
use tonic::transport::server::Connected;

/// Connections at once; more are closed at once.
pub(super) const CONNECTIONS_MAX: usize = 64;
/// The longest that agreeing on TLS may take.
const TLS_MAX: Duration = Duration::from_secs(10);
/// The longest until one that was let in has begun to speak HTTP/2.
const BEGIN_MAX: Duration = Duration::from_secs(10);
/// How HTTP/2 begins is so long.
const BEGIN_BYTES: usize = 24;
/// After a failure to accept, for want of descriptors perhaps.
const PAUSE: Duration = Duration::from_millis(100);

/// Certificate and key of a server, PEM.
#[derive(Clone)]
pub struct ServerTls {
    /// The certificate, and those up to the authority.
    pub certificate: Vec<u8>,
    /// Its key.
    pub key: Vec<u8>,
}

impl ServerTls {
    /// Whether they can be used.
    ///
    /// # Errors
    /// What is wrong with them, in words without what is in them.
    pub fn check(&self) -> Result<(), String> {
        self.acceptor().map(drop)
    }

    pub(super) fn acceptor(&self) -> Result<TlsAcceptor, String> {
        let certificates: Result<Vec<CertificateDer<'static>>, _> =
            CertificateDer::pem_slice_iter(&self.certificate).collect();
        let certificates = certificates.map_err(|_| "the certificate is no PEM".to_owned())?;
        if certificates.is_empty() {
            return Err("there is no certificate in PEM".to_owned());
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|_| "there is no private key in PEM that needs no password".to_owned())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_no_client_auth()
            .with_single_cert(certificates, key)
            .map_err(|error| format!("the certificate and the key cannot be used: {error}"))?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

/// Who was let in.
pub(super) struct Guest {
    stream: Box<dyn Both>,
    /// Until HTTP/2 was begun.
    begins: Option<Begins>,
    cut: Cut,
    is_cut: bool,
    /// Its room.
    _room: OwnedSemaphorePermit,
}

struct Begins {
    by: Pin<Box<Sleep>>,
    read: usize,
}

/// Ready once connections are to be cut.
pub(super) type Cut = Pin<Box<dyn Future<Output = ()> + Send>>;

trait Both: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Both for T {}

/// Those who come, until it is dropped.
pub(super) fn guests(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    cut: impl Fn() -> Cut + Send + 'static,
) -> impl Stream<Item = io::Result<Guest>> {
    let (let_in, guests) = mpsc::channel(CONNECTIONS_MAX);
    tokio::spawn(accept(listener, tls, let_in, cut));
    stream::unfold(guests, |mut guests| async {
        let guest = guests.recv().await?;
        Some((Ok(guest), guests))
    })
}

async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    let_in: mpsc::Sender<Guest>,
    cut: impl Fn() -> Cut,
) {
    let rooms = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = let_in.closed() => return,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        // Who finds no room is told so by the end of the connection.
        let Ok(room) = Arc::clone(&rooms).try_acquire_owned() else { continue };
        let (tls, let_in, cut) = (tls.clone(), let_in.clone(), cut());
        tokio::spawn(async move {
            let Some(stream) = greet(stream, tls).await else { return };
            let begins = Some(Begins { by: Box::pin(tokio::time::sleep(BEGIN_MAX)), read: 0 });
            // Fails when it is over.
            let _ = let_in.send(Guest { stream, begins, cut, is_cut: false, _room: room }).await;
        });
    }
}

/// None for who does not agree on TLS in time, or at all.
async fn greet(stream: TcpStream, tls: Option<TlsAcceptor>) -> Option<Box<dyn Both>> {
    stream.set_nodelay(true).ok()?;
    let Some(tls) = tls else { return Some(Box::new(stream)) };
    let agreed = tokio::time::timeout(TLS_MAX, tls.accept(stream)).await.ok()?.ok()?;
    Some(Box::new(agreed))
}

impl Guest {
    fn poll_cut(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        self.is_cut = self.is_cut || self.cut.as_mut().poll(cx).is_ready();
        if self.is_cut { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }
}

impl AsyncRead for Guest {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_cut(cx)?;
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let Some(begins) = &mut self.begins else { return polled };
        if polled.is_ready() {
            begins.read += buffer.filled().len() - before;
        } else if begins.by.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        if begins.read >= BEGIN_BYTES {
            self.begins = None;
        }
        polled
    }
}

impl AsyncWrite for Guest {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_cut(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_cut(cx)?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_cut(cx)?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Connected for Guest {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

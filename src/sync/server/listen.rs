//! Connections: TLS, limits, and a stop that lets open requests end.

use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use super::routes::{Desk, router};

/// After this a connection is asked to end, so that none is held for ever.
const CONNECTION_AGE_MAX: Duration = Duration::from_secs(10 * 60);
/// Between two tries to take connections when the system has no more to give.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// The most bytes of a request's head.
const HEAD_BYTES_MAX: usize = 32 * 1024;

/// Why TLS cannot be spoken.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The PEM has no certificate, or something else.
    #[error("the certificate cannot be read: name a PEM file with the whole chain")]
    Certificate(#[source] rustls::pki_types::pem::Error),
    /// The PEM has no key, or something else.
    #[error("the key cannot be read: name a PEM file with the private key")]
    Key(#[source] rustls::pki_types::pem::Error),
    /// They do not belong together.
    #[error("certificate and key cannot be used together")]
    Pair(#[source] rustls::Error),
}

/// What speaks TLS with these, PEM.
pub(super) fn acceptor(chain: &[u8], key: &[u8]) -> Result<TlsAcceptor, TlsError> {
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(chain).collect::<Result<_, _>>().map_err(TlsError::Certificate)?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(TlsError::Key)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.and_then(|config| config.with_no_client_auth().with_single_cert(chain, key));
    let mut config = config.map_err(TlsError::Pair)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Serves connections until `stop` is there, and then those that are open for a while.
pub(super) async fn listen(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    desk: &Arc<Desk>,
    stop: impl Future<Output = ()> + Send,
) {
    let limits = &desk.settings.limits;
    let places = Arc::new(Semaphore::new(limits.connections));
    let (stopping, is_stopping) = watch::channel(false);
    let mut stop = std::pin::pin!(stop);
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = &mut stop => break,
            next = next => next,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(ACCEPT_AGAIN).await;
            continue;
        };
        let (desk, tls, is_stopping) = (Arc::clone(desk), tls.clone(), is_stopping.clone());
        tokio::spawn(async move {
            let _place = place;
            let _ = stream.set_nodelay(true);
            let Some(tls) = tls else { return connection(stream, &desk, is_stopping).await };
            let greeted = tokio::time::timeout(desk.settings.limits.head_time, tls.accept(stream)).await;
            if let Ok(Ok(stream)) = greeted {
                connection(stream, &desk, is_stopping).await;
            }
        });
    }
    drop(listener);
    let _ = stopping.send(true);
    let all = u32::try_from(limits.connections).unwrap_or(u32::MAX);
    // Those that are not done then are cut.
    let _ = tokio::time::timeout(limits.stop_time, places.acquire_many(all)).await;
}

async fn connection<S>(stream: S, desk: &Arc<Desk>, mut is_stopping: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    let head_time = desk.settings.limits.head_time;
    builder.http1().timer(TokioTimer::new()).header_read_timeout(head_time).max_buf_size(HEAD_BYTES_MAX);
    let service = TowerToHyperService::new(router(Arc::clone(desk)));
    let serving = builder.serve_connection(TokioIo::new(stream), service);
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        // A client that broke off is its own business.
        _ = serving.as_mut() => return,
        _ = is_stopping.wait_for(|is_stopping| *is_stopping) => {}
        () = tokio::time::sleep(CONNECTION_AGE_MAX) => {}
    }
    serving.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(CONNECTION_AGE_MAX, serving).await;
}

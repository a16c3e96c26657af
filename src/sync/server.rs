//! A server of records: what `meshbench serve` is.
//!
//! It keeps nothing but what is in its store of objects, so that several servers may share one. Who asks is for a [`Gate`] to
//! tell; what a person may see is their own space and the teams' that they belong to.

mod http;
mod ledger;
mod limits;
mod metrics;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use jiff::{SignedDuration, Timestamp};
use object_store::ObjectStore;
use object_store::path::Path;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::words::LoginHint;
use http::Server;
pub use http::{OPENAPI, ROUTES};
use ledger::Ledger;

/// The largest record where nothing else is said, in bytes.
pub const RECORD_BYTES: u64 = 16 * 1024 * 1024;
/// The most bytes of a space where nothing else is said.
pub const QUOTA_BYTES: u64 = 10 * 1024 * 1024 * 1024;
/// Requests a second of one person where nothing else is said; ten times as many may come at once.
pub const RATE_PER_SEC: u32 = 200;
/// The most connections.
const CONNECTIONS_MAX: usize = 2048;
/// The longest that a head of a request is waited for.
const HEAD_MAX: Duration = Duration::from_secs(10);
/// How long open requests may take after the end was asked for.
const END_MAX: Duration = Duration::from_secs(10);
/// How often what was deleted is swept away.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// How a server is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// Where one logs in to use it.
    pub login: LoginHint,
    /// Spaces that several people share.
    pub teams: Vec<Team>,
    /// The largest record, in bytes.
    pub record_bytes: u64,
    /// The most bytes of a space.
    pub quota_bytes: u64,
    /// Requests a second of one person.
    pub rate_per_sec: u32,
    /// How long after its deletion a run is kept.
    pub grace: SignedDuration,
}

/// A space that several people share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Team {
    /// As it stands in addresses; letters, digits, `-` and `_`.
    pub id: String,
    /// People with this in their groups claim belong to it.
    pub group: Option<String>,
    /// These people belong to it, by the issuer's names for them.
    pub members: Vec<String>,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The issuer's name for them, which never changes.
    pub subject: String,
    /// The name shown to others.
    pub name: String,
    /// Groups that the issuer says they are in.
    pub groups: Vec<String>,
}

/// Why it is not known who asks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The access token is not good. Its words may be told.
    #[error("{0}")]
    Invalid(String),
    /// It cannot be told just now.
    #[error("{0}")]
    Unknown(String),
}

/// Tells who asks.
pub trait Gate: Send + Sync {
    /// The person whose access token it is.
    fn admit<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Person, Denied>>;
}

/// Takes one line of JSON for each request: no tokens, no names, no addresses of people.
pub type Log = Arc<dyn Fn(&str) + Send + Sync>;

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The store cannot be used.
    #[error("the store cannot be used")]
    Store(#[from] object_store::Error),
    /// The address of the store is none.
    #[error("{address} is no address of a store: {reason}")]
    Address {
        /// As it was given.
        address: String,
        /// Why.
        reason: String,
    },
}

impl ServerSettings {
    /// With the limits of [`RECORD_BYTES`] and the like.
    #[must_use]
    pub fn new(login: LoginHint) -> Self {
        Self {
            login,
            teams: Vec::new(),
            record_bytes: RECORD_BYTES,
            quota_bytes: QUOTA_BYTES,
            rate_per_sec: RATE_PER_SEC,
            grace: SignedDuration::from_hours(30 * 24),
        }
    }
}

/// The store of objects at an address: a folder, or `s3://bucket/path`, `gs://bucket/path`, `az://container/path` with the
/// clouds' own environment variables.
///
/// # Errors
/// [`ServeError`].
pub fn store_at(address: &str) -> Result<Arc<dyn ObjectStore>, ServeError> {
    let wrong = |reason: String| ServeError::Address { address: address.to_owned(), reason };
    if !address.contains("://") {
        std::fs::create_dir_all(address).map_err(|error| wrong(error.to_string()))?;
        let folder = object_store::local::LocalFileSystem::new_with_prefix(address)?;
        return Ok(Arc::new(folder.with_fsync(true).with_automatic_cleanup(true)));
    }
    // The clouds are spoken to with TLS; an error says that a provider is chosen already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let url = url::Url::parse(address).map_err(|error| wrong(error.to_string()))?;
    let bucket = url.host_str().unwrap_or_default().to_owned();
    let within = Path::parse(url.path().trim_matches('/')).map_err(|error| wrong(error.to_string()))?;
    let store: Box<dyn ObjectStore> = match url.scheme() {
        "s3" => {
            let builder = object_store::aws::AmazonS3Builder::from_env().with_bucket_name(bucket);
            Box::new(builder.build()?)
        }
        "gs" => {
            let builder = object_store::gcp::GoogleCloudStorageBuilder::from_env().with_bucket_name(bucket);
            Box::new(builder.build()?)
        }
        "az" => {
            let builder = object_store::azure::MicrosoftAzureBuilder::from_env().with_container_name(bucket);
            Box::new(builder.build()?)
        }
        other => return Err(wrong(format!("{other}:// is none of s3://, gs:// and az://"))),
    };
    Ok(Arc::new(object_store::prefix::PrefixStore::new(store, within)))
}

/// Serves until `stop`, then lets open requests end.
///
/// # Errors
/// When the store cannot be used.
pub async fn serve(
    listener: TcpListener,
    settings: ServerSettings,
    store: Arc<dyn ObjectStore>,
    gate: Arc<dyn Gate>,
    log: Log,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let grace = settings.grace;
    let server = Arc::new(Server::new(settings, Ledger::open(store).await?, gate, log));
    let router = http::router(Arc::clone(&server));
    let sweeping = tokio::spawn(async move {
        let mut every = tokio::time::interval(SWEEP_EVERY);
        loop {
            every.tick().await;
            server.sweep(grace, Timestamp::now()).await;
        }
    });
    let (graceful, room) = (GracefulShutdown::new(), Arc::new(Semaphore::new(CONNECTIONS_MAX)));
    tokio::pin!(stop);
    loop {
        // Beyond the bound connections wait in the system's queue.
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { break };
        let stream = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                // Too many files, say: it passes.
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        let mut builder = auto::Builder::new(TokioExecutor::new()).http1_only();
        builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_MAX);
        let service = TowerToHyperService::new(router.clone());
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // Who breaks off is told nothing.
            let _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    sweeping.abort();
    let _ = tokio::time::timeout(END_MAX, graceful.shutdown()).await;
    Ok(())
}

/// Whether an address is reached from this machine only.
#[must_use]
pub fn is_private(address: SocketAddr) -> bool {
    address.ip().is_loopback()
}

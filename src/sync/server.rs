//! The server of records. It keeps no state but what can be read again from its store, so that several may share one.
//!
//! ```text
//! connection ─▶ listen (TLS, limits, graceful stop) ─▶ routes ─▶ Gate: who asks?   ─▶ book: log and records of a space
//!                                                       └ observe: metrics, one line of log
//! ```
//! In the store:
//! ```text
//! epoch                              made once: a wiped store has another
//! spaces/KEY/records/DIGEST-UPLOAD   the bytes, written before the entry, which says where
//! spaces/KEY/log/0000000000000001    the entry, created only where there is none: whoever comes second takes the next number
//! spaces/KEY/turn                    another one whenever entries were rewritten: what was read of them before is old
//! spaces/KEY/deletion                another one with each deletion of the account: its machines send nothing again by themselves
//! ```

mod answer;
mod book;
mod listen;
mod observe;
mod place;
mod rate;
mod routes;
mod sweep;

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::words::LoginHint;
use crate::model::envelope::ENVELOPE_BYTES_MAX;

pub use listen::TlsError;
pub use place::{PlaceError, open_store};

use routes::Desk;

/// Whom a token is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The issuer's name for them.
    pub subject: String,
    /// The name shown to others.
    pub name: String,
    /// The groups that the issuer says they are in.
    pub groups: Vec<String>,
}

/// Why a token is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// It is none of the issuer's, not for us, or over.
    Invalid(String),
    /// It cannot be told just now: the issuer's keys cannot be had.
    Unknown(String),
}

/// The answer to [`Gate::admit`], when it is there.
pub type Admission<'a> = Pin<Box<dyn Future<Output = Result<Person, Denied>> + Send + 'a>>;

/// Knows whom tokens are from.
pub trait Gate: Send + Sync + 'static {
    /// Whom it is from.
    fn admit<'a>(&'a self, token: &'a str) -> Admission<'a>;
}

/// Some people who share a space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Team {
    /// In [`crate::sync::words::Space::id`]; see [`Team::is_id`].
    pub id: String,
    /// Who belongs to it.
    pub members: Members,
}

/// Who belongs to a team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Members {
    /// Whoever the issuer says is in this group.
    Group(String),
    /// These, by the issuer's names for them.
    Subjects(Vec<String>),
}

/// What a server takes, of whom, and how much.
#[derive(Clone)]
pub struct ServerSettings {
    /// Where one logs in.
    pub login: LoginHint,
    /// All teams.
    pub teams: Vec<Team>,
    /// Certificate chain and key, PEM; none where TLS is ended before it.
    pub tls: Option<(Vec<u8>, Vec<u8>)>,
    /// How much.
    pub limits: Limits,
    /// What takes lines of log, each one JSON object.
    pub log: LogLine,
}

/// How much a server takes.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The largest record; never more than [`ENVELOPE_BYTES_MAX`].
    pub record_bytes: u64,
    /// Of all records of a space.
    pub space_bytes: u64,
    /// How many requests a person may make at once before the rate counts.
    pub burst: u32,
    /// How many more they may make each second.
    pub rate_per_sec: f64,
    /// Records in memory at once, being taken.
    pub bodies: usize,
    /// Connections at once.
    pub connections: usize,
    /// For the head of a request.
    pub head_time: Duration,
    /// For the body of a request.
    pub body_time: Duration,
    /// For requests that are open when it is asked to stop.
    pub stop_time: Duration,
    /// How long a run that its author deleted can be taken back.
    pub grace: Duration,
    /// Between two looks for runs that were deleted long enough ago.
    pub sweep_every: Duration,
    /// How old bytes must be that no entry of a log names before they are deleted: much longer than any upload can last.
    pub orphan_age: Duration,
}

/// What takes lines of log.
pub type LogLine = Arc<dyn Fn(&str) + Send + Sync>;

/// The longest first look into the store.
const READY_MAX: Duration = Duration::from_secs(30);

/// Why a server does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Its first look into the store.
    #[error(
        "the store cannot be used: is its address right, are its credentials in the environment, and may it be written to?"
    )]
    Store(#[source] object_store::Error),
    /// The store knows who we are, and does not let us in; or does not know.
    #[error(
        "the store does not take these credentials: set the cloud's variables of the environment to ones that may write"
    )]
    Denied(#[source] object_store::Error),
    /// The store does not answer its first question.
    #[error("the store did not answer within {} s: is its address right?", READY_MAX.as_secs())]
    Silent,
    /// What the store says of itself is not ours.
    #[error("the store's object “epoch” is not Meshbench's; name an empty place")]
    Foreign,
    /// Certificate or key.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            record_bytes: 16 * 1024 * 1024,
            space_bytes: 10 * 1024 * 1024 * 1024,
            burst: 1000,
            rate_per_sec: 100.0,
            bodies: 16,
            connections: 1024,
            head_time: Duration::from_secs(10),
            body_time: Duration::from_secs(60),
            stop_time: Duration::from_secs(10),
            grace: Duration::from_secs(30 * 24 * 60 * 60),
            sweep_every: Duration::from_secs(60 * 60),
            orphan_age: Duration::from_secs(24 * 60 * 60),
        }
    }
}

impl Team {
    /// Whether this can stand in addresses: up to 64 of `a-z 0-9 - _ .`, the first a letter or number, and not
    /// [`crate::sync::words::PERSONAL`].
    #[must_use]
    pub fn is_id(text: &str) -> bool {
        let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        text != super::words::PERSONAL
            && text.len() <= 64
            && text.as_bytes().first().is_some_and(plain)
            && text.bytes().all(|byte| plain(&byte) || b"-_.".contains(&byte))
    }

    fn has(&self, person: &Person) -> bool {
        match &self.members {
            Members::Group(group) => person.groups.contains(group),
            Members::Subjects(subjects) => subjects.contains(&person.subject),
        }
    }
}

impl fmt::Debug for ServerSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerSettings").field("login", &self.login).field("limits", &self.limits).finish()
    }
}

/// A server that can serve: certificate, key and store are good.
pub struct Ready {
    desk: Arc<Desk>,
    tls: Option<tokio_rustls::TlsAcceptor>,
}

impl Ready {
    /// Looks at everything that can be wrong, before anybody is listened to.
    ///
    /// # Errors
    /// [`ServeError`].
    pub async fn new(
        mut settings: ServerSettings,
        store: Arc<dyn ObjectStore>,
        gate: Arc<dyn Gate>,
    ) -> Result<Self, ServeError> {
        settings.limits.record_bytes = settings.limits.record_bytes.min(ENVELOPE_BYTES_MAX as u64);
        let tls = settings.tls.as_ref().map(|(chain, key)| listen::acceptor(chain, key)).transpose()?;
        let looked = tokio::time::timeout(READY_MAX, book::epoch(store.as_ref())).await;
        let epoch = looked.map_err(|_| ServeError::Silent)??;
        Ok(Self { desk: Arc::new(Desk::new(settings, epoch, store, gate)), tls })
    }

    /// Serves until `stop` is there; then takes no more connections, and requests that are open have [`Limits::stop_time`].
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()> + Send) {
        // A set, because it ends what is in it also where nobody waits for the end of this.
        let mut sweeping = JoinSet::new();
        sweeping.spawn(sweep::repeat(Arc::clone(&self.desk)));
        listen::listen(listener, self.tls, &self.desk, stop).await;
        sweeping.shutdown().await;
    }
}

/// [`Ready::new`] and [`Ready::serve`].
///
/// # Errors
/// [`ServeError`], all before the first request.
pub async fn serve(
    listener: TcpListener,
    settings: ServerSettings,
    store: Arc<dyn ObjectStore>,
    gate: Arc<dyn Gate>,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    Ready::new(settings, store, gate).await?.serve(listener, stop).await;
    Ok(())
}

/// A line of log: a JSON object of these, and the time.
fn line(fields: &BTreeMap<&str, serde_json::Value>) -> String {
    let mut all = fields.clone();
    all.insert("time", jiff::Timestamp::now().to_string().into());
    serde_json::to_string(&all).unwrap_or_default()
}

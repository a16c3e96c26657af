//! The server of records, for faces: the two that it stands on, those who know whom a token is from and those who keep
//! records, are joined here.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::runtime::Builder;

use super::served::Served;
use crate::account::{Bearer, Verifier, VerifyError};
use crate::model::causes::chain;
use crate::sync::server::{
    Admission, Denied, Gate, Person, PlaceError, Ready, ServeError, ServerSettings, open_store,
};

pub use crate::sync::server::{Limits, LogLine, Members, Team};

/// How long is waited for connections that were cut.
const STRAYS_END_MAX: Duration = Duration::from_millis(300);

/// How records are served.
pub struct RecordsOptions {
    /// Address and port; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Where they are kept: a folder, or an address in a cloud's storage.
    pub store: String,
    /// The OpenID Connect issuer whose access tokens are taken.
    pub issuer: String,
    /// What the tokens must be for.
    pub audience: String,
    /// The client that is registered with the issuer for Meshbench's desktops.
    pub client_id: Option<String>,
    /// Scopes to ask for beside the usual ones.
    pub scopes: Vec<String>,
    /// The claim of a token that names a person's groups.
    pub groups_claim: String,
    /// All teams.
    pub teams: Vec<Team>,
    /// Certificate chain and key, PEM; none where TLS is ended before it.
    pub tls: Option<(Vec<u8>, Vec<u8>)>,
    /// How much it takes.
    pub limits: Limits,
    /// What takes lines of log.
    pub log: LogLine,
}

/// Why no records are served.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// Where they are to be kept.
    #[error("{}", chain(.0))]
    Place(PlaceError),
    /// The issuer's address.
    #[error("--issuer cannot be used: {0}")]
    Issuer(String),
    /// A team's name cannot stand in addresses.
    #[error(
        "“{0}” is no name of a team: up to 64 of a-z 0-9 - _ . are, the first a letter or number, but not “me”"
    )]
    Team(String),
    /// Two teams have one name.
    #[error("there are two teams “{0}”")]
    Twice(String),
    /// Certificate, key, or what the store answers.
    #[error("{}", chain(.0))]
    NotReady(ServeError),
    /// The address cannot be listened on, or threads cannot be started.
    #[error("{0} cannot be listened on: {1}")]
    Listen(SocketAddr, #[source] std::io::Error),
}

/// Records that are served until it is stopped.
pub struct ServingRecords(Served<()>);

impl RecordsError {
    /// Whether what was said is wrong, and not only what is there.
    #[must_use]
    pub fn is_input(&self) -> bool {
        match self {
            Self::Place(_) | Self::Issuer(_) | Self::Team(_) | Self::Twice(_) => true,
            Self::NotReady(error) => matches!(error, ServeError::Tls(_) | ServeError::Foreign),
            Self::Listen(..) => false,
        }
    }
}

impl ServingRecords {
    /// Looks at everything that can be wrong, then listens and serves from now on.
    ///
    /// # Errors
    /// [`RecordsError`].
    pub fn start(options: RecordsOptions) -> Result<Self, RecordsError> {
        check_teams(&options.teams)?;
        let listen = options.listen;
        let store = open_store(&options.store).map_err(RecordsError::Place)?;
        let gate = gate(&options.issuer, &options.audience, &options.groups_claim)?;
        let settings = ServerSettings {
            login: crate::sync::words::LoginHint {
                issuer: options.issuer,
                audience: options.audience,
                client_id: options.client_id,
                scopes: options.scopes,
            },
            teams: options.teams,
            tls: options.tls,
            limits: options.limits,
            log: options.log,
        };
        let mut threads = Builder::new_multi_thread();
        let threads = threads.thread_name("meshbench-records").enable_all().build();
        let failed = |error| RecordsError::Listen(listen, error);
        let threads = threads.map_err(failed)?;
        let ready = threads.block_on(Ready::new(settings, store, gate)).map_err(RecordsError::NotReady)?;
        let served = Served::start_on(threads, listen, |listener, stopped, _| ready.serve(listener, stopped));
        served.map(Self).map_err(failed)
    }

    /// Where they are served.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// Whether it ended though nobody stopped it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.0.is_over()
    }

    /// Stops: requests that are open have a few seconds.
    ///
    /// # Errors
    /// Why it had ended before.
    pub fn stop(self) -> Result<(), String> {
        self.0.stop(STRAYS_END_MAX)
    }
}

fn check_teams(teams: &[Team]) -> Result<(), RecordsError> {
    for (at, team) in teams.iter().enumerate() {
        if !Team::is_id(&team.id) {
            return Err(RecordsError::Team(team.id.clone()));
        }
        if teams[..at].iter().any(|before| before.id == team.id) {
            return Err(RecordsError::Twice(team.id.clone()));
        }
    }
    Ok(())
}

/// Knows whom tokens are from: those that the issuer made for this audience.
fn gate(issuer: &str, audience: &str, groups_claim: &str) -> Result<Arc<dyn Gate>, RecordsError> {
    let verifier = Verifier::new(issuer, audience, groups_claim).map_err(RecordsError::Issuer)?;
    Ok(Arc::new(Proven(verifier)))
}

struct Proven(Verifier);

impl Gate for Proven {
    fn admit<'a>(&'a self, token: &'a str) -> Admission<'a> {
        Box::pin(async {
            let proven = self.0.access(token, Timestamp::now()).await;
            let Bearer { subject, name, groups } = proven.map_err(|error| match error {
                VerifyError::Unavailable(reason) => Denied::Unknown(reason),
                error => Denied::Invalid(error.to_string()),
            })?;
            Ok(Person { subject, name, groups })
        })
    }
}

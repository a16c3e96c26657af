//! Publishing of a kept run to a remote provider of Meshery. Experimental: see [`crate::sync::meshery`].
//!
//! The login comes from the system's keyring; one that a person imports goes there, and into no file. Without a keyring it
//! is good for one time, and that is said.

use std::io::Read;
use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::account::Keyring;
use crate::model::causes::chain;
use crate::model::digest::Digest;
use crate::model::{Quantiles, Run, Stop, duration};
use crate::report::fortio;
use crate::stats::CodecError;
use crate::sync::meshery::{Bearer, Keep, Login, MesheryError, Profile, Provider, Publication};

/// Under which profile runs are filed unless a person says another.
pub const PROFILE: &str = "Meshbench";
/// A token file is no larger.
const TOKEN_FILE_BYTES_MAX: u64 = 64 * 1024;
/// Stands in front of the name of a run whose numbers must not be used.
pub const VOID_MARK: &str = "[VOID]";

/// A run to publish.
#[derive(Clone)]
pub struct Publishing {
    /// The run.
    pub run: Arc<Run>,
    /// The provider's.
    pub address: String,
    /// What a person imports: the text of Meshery's token file. None for what the keyring keeps.
    pub token_file: Option<String>,
    /// Of the result; none for that of the run.
    pub name: Option<String>,
    /// Under which the result is filed; none for [`PROFILE`].
    pub profile: Option<String>,
    /// What is done with a run whose numbers must not be used.
    pub void: VoidRuns,
}

/// What is done with a run whose numbers must not be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VoidRuns {
    /// It is refused.
    #[default]
    Refused,
    /// It is published with [`VOID_MARK`] in its name.
    Marked,
}

/// That a run was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedRun {
    /// As it is called there.
    pub name: String,
    /// The provider's address.
    pub address: String,
    /// The provider's id of the result; none where it told none.
    pub result: Option<String>,
    /// The provider's id of the profile.
    pub profile: String,
    /// What a person should know.
    pub remarks: Vec<String>,
}

/// Why a run was not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Its numbers must not be used.
    #[error("the run is void: our own generator was too slow for its numbers to be used")]
    Void,
    /// Nothing was measured.
    #[error("nothing was measured in this run, so there is nothing to publish")]
    Empty,
    /// Its histogram cannot be read.
    #[error("the run cannot be written as a result of Fortio")]
    Histogram(#[source] CodecError),
    /// No login is kept.
    #[error("no login for {0} is kept; import its token file (auth.json) first")]
    NoLogin(String),
    /// The login cannot be read.
    #[error("the login for {address} cannot be read: {reason}; import the token file again")]
    Keyring {
        /// Of which provider.
        address: String,
        /// Why, in words.
        reason: String,
    },
    /// The provider did not take it.
    #[error(transparent)]
    Meshery(#[from] MesheryError),
    /// No thread for it.
    #[error("publishing could not be started")]
    Start(#[source] std::io::Error),
}

impl PublishError {
    /// Whether what was asked for is at fault, and nothing was sent.
    #[must_use]
    pub fn is_input(&self) -> bool {
        match self {
            Self::Void | Self::Empty | Self::NoLogin(_) => true,
            Self::Meshery(error) => matches!(error, MesheryError::Address(_) | MesheryError::Token(_)),
            Self::Histogram(_) | Self::Keyring { .. } | Self::Start(_) => false,
        }
    }
}

/// The text of Meshery's token file.
///
/// # Errors
/// When it cannot be read, or is larger than such a file is.
pub fn read_token_file(file: impl Read) -> std::io::Result<String> {
    let mut text = String::new();
    file.take(TOKEN_FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > TOKEN_FILE_BYTES_MAX {
        return Err(std::io::Error::other("it is larger than 64 KiB, which no token file is"));
    }
    Ok(text)
}

/// [`publish`], for who can wait.
///
/// # Errors
/// As [`publish`].
pub fn publish_and_wait(asked: &Publishing) -> Result<PublishedRun, PublishError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(PublishError::Start)?;
    runtime.block_on(publish(asked))
}

/// Publishes a run. An imported login is kept in the keyring first, and a renewed one before it is used.
///
/// # Errors
/// Why it was not published, in words.
pub async fn publish(asked: &Publishing) -> Result<PublishedRun, PublishError> {
    let provider = Provider::at(&asked.address)?;
    let publication = publication(asked)?;
    let address = provider.address().to_owned();
    let keyring = Arc::new(Keyring::default());
    let mut remarks = Vec::new();
    let login = login(asked, &address, &keyring, &mut remarks).await?;
    let key = key(&address);
    let system = login.system;
    let keep: Arc<Keep> = Arc::new(move |bearer| keyring.write(&key, &kept(bearer, system)));
    let published = provider.publish(login, keep, &publication).await?;
    if let Some(reason) = &published.not_kept {
        remarks.push(format!(
            "The provider gave another login in the place of the one that was used, and it could not be kept ({reason}). \
             Download a new token file before you publish again."
        ));
    }
    Ok(PublishedRun {
        name: publication.name,
        address,
        result: published.result,
        profile: published.profile,
        remarks,
    })
}

/// What is published of a run.
fn publication(asked: &Publishing) -> Result<Publication, PublishError> {
    let run = &*asked.run;
    if run.is_void() && asked.void == VoidRuns::Refused {
        return Err(PublishError::Void);
    }
    if run.response_ms == Quantiles::default() {
        return Err(PublishError::Empty);
    }
    let called = asked.name.as_deref().unwrap_or(&run.name);
    let name = if run.is_void() { format!("{VOID_MARK} {called}") } else { called.to_owned() };
    let mut told = run.clone();
    told.name.clone_from(&name);
    Ok(Publication {
        mesh: run.labels.get("mesh").cloned().unwrap_or_default(),
        test_id: run.id.to_string(),
        started: run.started,
        runner_results: fortio::of(&told).map_err(PublishError::Histogram)?,
        profile: Profile {
            name: asked.profile.clone().unwrap_or_else(|| PROFILE.to_owned()),
            url: fortio::shown_url(&run.plan.target.url),
            connections: run.plan.connections,
            rate_per_sec: run.rate.asked.unwrap_or(0.0).round() as u64,
            duration: length(run),
        },
        name,
    })
}

fn length(run: &Run) -> String {
    match run.plan.stop {
        Stop::Duration(planned) => duration::text(planned),
        Stop::Requests(_) | Stop::Never => format!("{}s", run.elapsed_s.ceil()),
    }
}

/// The imported login, or the one that is kept.
async fn login(
    asked: &Publishing,
    address: &str,
    keyring: &Arc<Keyring>,
    remarks: &mut Vec<String>,
) -> Result<Login, PublishError> {
    let (keyring, key) = (Arc::clone(keyring), key(address));
    let unreadable = |reason: String| PublishError::Keyring { address: address.to_owned(), reason };
    let Some(text) = &asked.token_file else {
        let read = blocking(move || keyring.read(&key)).await.map_err(unreadable)?;
        let read = read.ok_or_else(|| PublishError::NoLogin(address.to_owned()))?;
        return of_kept(&read).ok_or_else(|| unreadable("it is not one of ours".to_owned()));
    };
    let login = Login { bearer: Bearer::read(text)?, system: Uuid::now_v7() };
    let secret = kept(&login.bearer, login.system);
    if let Err(reason) = blocking(move || keyring.write(&key, &secret)).await {
        remarks.push(format!("The login is not kept for the next time ({reason})."));
    }
    Ok(login)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.map_err(|error| chain(&error))?
}

/// By what a login is known in the keyring.
fn key(address: &str) -> String {
    format!("meshery-login-{}", Digest::of(address.as_bytes()).short(32))
}

fn kept(bearer: &Bearer, system: Uuid) -> String {
    json!({"system": system.to_string(), "token": bearer.expose()}).to_string()
}

fn of_kept(text: &str) -> Option<Login> {
    let fields: Value = serde_json::from_str(text).ok()?;
    let system = Uuid::parse_str(fields["system"].as_str()?).ok()?;
    Some(Login { bearer: Bearer::read(text).ok()?, system })
}

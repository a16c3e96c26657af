//! Logins that go on: tokens in the system's keyring or, without one, in memory until the program ends; renewed by themselves,
//! once at a time.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use oauth2::TokenResponse as _;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::keyring::Keyring;
use super::login::{Answer, refresh, revoke};
use crate::model::account::Provider;

/// An access token that ends sooner is renewed.
const EARLY: SignedDuration = SignedDuration::from_secs(60);
/// How long a token that was just renewed is not renewed again because a server refused the one before.
const JUST_NOW: Duration = Duration::from_secs(10);
/// How long the provider is waited for when one logs out.
const REVOKE_MAX: Duration = Duration::from_secs(5);

/// Where secrets outlive the program. May block for a few seconds.
pub trait Vault: Send + Sync {
    /// What is kept under a name.
    ///
    /// # Errors
    /// Why it cannot be read, in words.
    fn read(&self, name: &str) -> Result<Option<String>, String>;

    /// Keeps a secret, in the place of the one before.
    ///
    /// # Errors
    /// Why it cannot be kept, in words.
    fn write(&self, name: &str, secret: &str) -> Result<(), String>;

    /// Forgets a secret.
    ///
    /// # Errors
    /// Why it cannot be forgotten, in words.
    fn remove(&self, name: &str) -> Result<(), String>;
}

impl Vault for Keyring {
    fn read(&self, name: &str) -> Result<Option<String>, String> {
        Self::read(self, name)
    }

    fn write(&self, name: &str, secret: &str) -> Result<(), String> {
        Self::write(self, name, secret)
    }

    fn remove(&self, name: &str) -> Result<(), String> {
        Self::remove(self, name)
    }
}

/// What proves a login.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// None where it must be renewed first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    access: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh: Option<String>,
    /// Until when the access token is good; none if the provider did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
}

impl Tokens {
    pub(super) fn of(answer: &Answer, now: Timestamp) -> Self {
        let life = answer.expires_in().and_then(|life| SignedDuration::try_from(life).ok());
        Self {
            access: Some(answer.access_token().secret().clone()),
            refresh: answer.refresh_token().map(|refresh| refresh.secret().clone()),
            until: life.and_then(|life| now.checked_add(life).ok()),
        }
    }

    /// As it is kept: where it can be renewed, what renews it is enough.
    fn kept(&self) -> Self {
        let access = if self.refresh.is_some() { None } else { self.access.clone() };
        let until = if self.refresh.is_some() { None } else { self.until };
        Self { access, refresh: self.refresh.clone(), until }
    }

    fn good(&self, now: Timestamp, early: SignedDuration) -> Option<&String> {
        let is_good = self.until.is_none_or(|until| until.duration_since(now) > early);
        self.access.as_ref().filter(|_| is_good)
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("until", &self.until).finish_non_exhaustive()
    }
}

/// Where a login outlives the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// In the system's keyring.
    Keyring,
    /// Nowhere: it is gone with the program, and why.
    SessionOnly(String),
}

/// How a login stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginStanding {
    /// Where it outlives the program.
    pub kept: Kept,
    /// How long it lasts.
    pub lasts: Lasts,
}

/// How long a login lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lasts {
    /// It is renewed by itself; until when the access token is good that was had last.
    Renewed(Option<Timestamp>),
    /// It ends then, or when the provider likes if it did not say.
    Until(Option<Timestamp>),
    /// It is over.
    Over,
    /// It cannot be known just now, and why.
    Unknown(String),
}

impl LoginStanding {
    /// For people: `renewed by itself, next by 14:05 · kept in the system’s keyring`.
    #[must_use]
    pub fn words(&self, moment: impl Fn(Timestamp) -> String) -> String {
        let lasts = match &self.lasts {
            Lasts::Renewed(None) => "renewed by itself".to_owned(),
            Lasts::Renewed(Some(until)) => format!("renewed by itself, next by {}", moment(*until)),
            Lasts::Until(None) => "until the provider ends it".to_owned(),
            Lasts::Until(Some(until)) => format!("until {}", moment(*until)),
            Lasts::Over => return "the login is over: log in again".to_owned(),
            Lasts::Unknown(reason) => return format!("how long it lasts cannot be read: {reason}"),
        };
        match self.kept {
            Kept::Keyring => format!("{lasts} · kept in the system’s keyring"),
            Kept::SessionOnly(_) => format!("{lasts}, or until Meshbench closes: there is no keyring"),
        }
    }
}

/// Why there is no access token. Its text is for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// One has to log in again.
    #[error("the login is over ({0}); log in again")]
    LoggedOut(String),
    /// It cannot be renewed just now.
    #[error("the login cannot be renewed just now: {0}")]
    Unavailable(String),
}

/// Every login of this program.
#[derive(Clone)]
pub struct Sessions {
    vault: Arc<dyn Vault>,
    held: Arc<Mutex<HashMap<Uuid, Slot>>>,
}

type Slot = Arc<tokio::sync::Mutex<Held>>;

#[derive(Default)]
struct Held {
    tokens: Option<Tokens>,
    renewed: Option<Instant>,
    /// Why the tokens are not in the keyring.
    unkept: Option<String>,
}

impl Held {
    fn standing(&self) -> LoginStanding {
        LoginStanding {
            kept: self.unkept.clone().map_or(Kept::Keyring, Kept::SessionOnly),
            lasts: match &self.tokens {
                None => Lasts::Over,
                Some(tokens) if tokens.refresh.is_some() => Lasts::Renewed(tokens.until),
                Some(tokens) => Lasts::Until(tokens.until),
            },
        }
    }
}

impl Sessions {
    /// With a place where logins outlive the program.
    #[must_use]
    pub fn new(vault: Arc<dyn Vault>) -> Self {
        Self { vault, held: Arc::default() }
    }

    /// Keeps what a login has brought.
    pub async fn keep(&self, account: Uuid, tokens: Tokens) -> LoginStanding {
        let slot = self.slot(account);
        let mut held = slot.lock().await;
        let unkept = self.write(account, &tokens).await.err();
        *held = Held { tokens: Some(tokens), renewed: None, unkept };
        held.standing()
    }

    /// How a login stands. Nobody but the keyring is asked.
    pub async fn standing(&self, account: Uuid) -> LoginStanding {
        let slot = self.slot(account);
        let mut held = slot.lock().await;
        if held.tokens.is_none() {
            match self.read(account).await {
                Ok(kept) => held.tokens = kept,
                Err(SessionError::LoggedOut(reason) | SessionError::Unavailable(reason)) => {
                    let lasts = Lasts::Unknown(reason);
                    return LoginStanding { kept: Kept::Keyring, lasts };
                }
            }
        }
        held.standing()
    }

    /// An access token that is good for a while. Where a server refused the last one, `is_refused` asks for another.
    ///
    /// # Errors
    /// [`SessionError`].
    pub async fn access(
        &self,
        account: Uuid,
        provider: &Provider,
        is_refused: bool,
    ) -> Result<String, SessionError> {
        let (sessions, provider) = (self.clone(), provider.clone());
        // Not broken off with whoever asks: a renewed login that nobody keeps is lost, where each renews once only.
        let asking = tokio::spawn(async move { sessions.current(account, &provider, is_refused).await });
        asking.await.unwrap_or_else(|error| Err(SessionError::Unavailable(error.to_string())))
    }

    async fn current(
        &self,
        account: Uuid,
        provider: &Provider,
        is_refused: bool,
    ) -> Result<String, SessionError> {
        let slot = self.slot(account);
        // Whoever comes second finds what the first has brought.
        let mut held = slot.lock().await;
        if held.tokens.is_none() {
            held.tokens = self.read(account).await?;
        }
        let logged_out = |reason: &str| SessionError::LoggedOut(reason.to_owned());
        let Some(tokens) = held.tokens.clone() else {
            return Err(logged_out("nobody is logged in on this machine"));
        };
        let now = Timestamp::now();
        let is_new = held.renewed.is_some_and(|at| at.elapsed() < JUST_NOW);
        // Some providers' tokens last for less than we like: those that were just renewed are good to their end.
        let early = if is_new { SignedDuration::ZERO } else { EARLY };
        if let Some(good) = tokens.good(now, early)
            && (!is_refused || is_new)
        {
            return Ok(good.clone());
        }
        let Some(with) = &tokens.refresh else {
            return Err(logged_out(if is_refused {
                "the server does not take it"
            } else {
                "its time is up"
            }));
        };
        match refresh(provider, with).await {
            Ok(answer) => {
                let mut fresh = Tokens::of(&answer, now);
                fresh.refresh = fresh.refresh.or_else(|| tokens.refresh.clone());
                // Before it is used: some providers take each refresh token once only. Without a keyring it is held here.
                let unkept = self.write(account, &fresh).await.err();
                let access = fresh.access.clone().unwrap_or_default();
                *held = Held { tokens: Some(fresh), renewed: Some(Instant::now()), unkept };
                Ok(access)
            }
            Err((true, reason)) => {
                *held = Held::default();
                let _ = self.remove(account).await;
                Err(SessionError::LoggedOut(reason))
            }
            Err((false, reason)) => match tokens.good(now, SignedDuration::ZERO) {
                Some(good) if !is_refused => Ok(good.clone()),
                _ => Err(SessionError::Unavailable(reason)),
            },
        }
    }

    /// Ends a login: here at once, and with the provider if it can be told.
    ///
    /// # Errors
    /// What a person should know: that the provider, or the keyring, was not told.
    pub async fn log_out(&self, account: Uuid, provider: Option<&Provider>) -> Result<(), String> {
        let slot = self.slot(account);
        let mut held = slot.lock().await;
        let tokens = match held.tokens.take() {
            Some(tokens) => Some(tokens),
            None => self.read(account).await.ok().flatten(),
        };
        let removed = self.remove(account).await;
        let revoked = match (tokens, provider) {
            (Some(tokens), Some(provider)) => {
                let told = tokio::time::timeout(REVOKE_MAX, revoke_all(provider, tokens)).await;
                told.unwrap_or_else(|_| Err("it does not answer".to_owned()))
            }
            _ => Ok(()),
        };
        removed.map_err(|reason| format!("the keyring was not cleared: {reason}"))?;
        revoked.map_err(|reason| format!("the provider was not told that the login is over: {reason}"))
    }

    fn slot(&self, account: Uuid) -> Slot {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(held.entry(account).or_default())
    }

    async fn read(&self, account: Uuid) -> Result<Option<Tokens>, SessionError> {
        let vault = Arc::clone(&self.vault);
        let read = tokio::task::spawn_blocking(move || vault.read(&name(account))).await;
        let unavailable = |reason: String| SessionError::Unavailable(format!("the keyring: {reason}"));
        let read = read.map_err(|error| unavailable(error.to_string()))?.map_err(unavailable)?;
        Ok(read.and_then(|kept| serde_json::from_str(&kept).ok()))
    }

    async fn write(&self, account: Uuid, tokens: &Tokens) -> Result<(), String> {
        let kept = serde_json::to_string(&tokens.kept()).map_err(|error| error.to_string())?;
        let vault = Arc::clone(&self.vault);
        let write = tokio::task::spawn_blocking(move || vault.write(&name(account), &kept)).await;
        write.map_err(|error| error.to_string())?
    }

    async fn remove(&self, account: Uuid) -> Result<(), String> {
        let vault = Arc::clone(&self.vault);
        let remove = tokio::task::spawn_blocking(move || vault.remove(&name(account))).await;
        remove.map_err(|error| error.to_string())?
    }
}

/// Under what a login is kept.
fn name(account: Uuid) -> String {
    format!("login {account}")
}

async fn revoke_all(provider: &Provider, tokens: Tokens) -> Result<(), String> {
    // With the refresh token most providers end the access token too.
    match (&tokens.refresh, &tokens.access) {
        (Some(refresh), _) => revoke(provider, "refresh_token", refresh).await,
        (None, Some(access)) => revoke(provider, "access_token", access).await,
        (None, None) => Ok(()),
    }
}

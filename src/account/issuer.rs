//! What an issuer of OpenID Connect says of itself, and its keys.

use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use url::Url;

use super::jwt::{Jwk, VerifyError};
use super::web::{Web, WebError, skew};
use crate::model::causes::chain;
use crate::model::host::is_safe;

/// The most keys of an issuer that are looked at.
const KEYS_MAX: usize = 64;
/// How long one waits before asking again for a key that was not there.
const ASK_AGAIN: SignedDuration = SignedDuration::from_secs(10);
const TOO_SOON: &str = "it was asked a moment ago";
/// How long keys are used before they are asked for again.
const KEYS_FRESH: SignedDuration = SignedDuration::from_hours(1);
/// How long keys are used where the issuer does not answer.
const KEYS_STALE: SignedDuration = SignedDuration::from_hours(24);

/// What an issuer says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Discovery {
    pub(super) issuer: String,
    pub(super) jwks_uri: String,
    #[serde(default)]
    pub(super) authorization_endpoint: Option<String>,
    #[serde(default)]
    pub(super) token_endpoint: Option<String>,
    #[serde(default)]
    pub(super) device_authorization_endpoint: Option<String>,
    #[serde(default)]
    pub(super) revocation_endpoint: Option<String>,
    #[serde(default)]
    pub(super) scopes_supported: Vec<String>,
    #[serde(default)]
    pub(super) code_challenge_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
}

/// An issuer whose keys are known, or will be when they are asked for.
pub(super) struct Issuer {
    web: Web,
    address: String,
    known: Mutex<Known>,
    /// One at a time asks.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Clone, Default)]
struct Known {
    discovery: Option<Discovery>,
    keys: Vec<Jwk>,
    /// When the keys were had.
    had: Option<Timestamp>,
    /// When they were asked for last.
    asked: Option<Timestamp>,
    /// What its clock said then, against ours.
    skew: Option<String>,
}

#[derive(Deserialize)]
struct Keys {
    keys: Vec<serde_json::Value>,
}

impl Issuer {
    pub(super) fn new(address: &str) -> Result<Self, WebError> {
        let address = address.trim_end_matches('/').to_owned();
        if !Url::parse(&address).is_ok_and(|url| is_safe(&url)) {
            return Err(WebError::Unsafe(address));
        }
        Ok(Self { web: Web::new()?, address, known: Mutex::default(), asking: tokio::sync::Mutex::default() })
    }

    pub(super) fn web(&self) -> &Web {
        &self.web
    }

    /// What it says of itself; asked once.
    ///
    /// # Errors
    /// Why it cannot be used, for people.
    pub(super) async fn discovery(&self) -> Result<Discovery, String> {
        if let Some(known) = self.known().discovery {
            return Ok(known);
        }
        let url = format!("{}/.well-known/openid-configuration", self.address);
        let wrong = |reason: String| format!("{} cannot be used to log in: {reason}", self.address);
        let parsed = Url::parse(&url).map_err(|error| wrong(error.to_string()))?;
        let (found, _): (Discovery, _) = self.web.get(&parsed, None).await.map_err(|error| match error {
            WebError::Odd | WebError::Status(404) => {
                wrong("it does not describe an OpenID Connect issuer; is this its address?".to_owned())
            }
            error => wrong(chain(&error)),
        })?;
        if found.issuer.trim_end_matches('/') != self.address {
            return Err(wrong(format!("it calls itself {}; enter that address", found.issuer)));
        }
        if !Url::parse(&found.jwks_uri).is_ok_and(|url| is_safe(&url)) {
            return Err(wrong("its keys are not fetched with TLS (https)".to_owned()));
        }
        self.change(|known| known.discovery = Some(found.clone()));
        Ok(found)
    }

    /// What is to be known of this machine's clock, as far as the issuer's tells.
    pub(super) fn skew(&self) -> Option<String> {
        self.known().skew
    }

    /// The keys by which a token may be signed: those with its key id, or all where it names none.
    pub(super) async fn keys(&self, kid: Option<&str>, now: Timestamp) -> Result<Vec<Jwk>, VerifyError> {
        let known = self.known();
        let fitting = |known: &Known| -> Vec<Jwk> {
            known.keys.iter().filter(|key| kid.is_none() || key.kid.as_deref() == kid).cloned().collect()
        };
        let is_younger = |limit| known.had.is_some_and(|had| now.duration_since(had) < limit);
        let found = fitting(&known);
        if !found.is_empty() && is_younger(KEYS_FRESH) {
            return Ok(found);
        }
        let too_soon = known.asked.is_some_and(|asked| now.duration_since(asked).abs() < ASK_AGAIN);
        let asked = if too_soon { Err(TOO_SOON.to_owned()) } else { self.ask(now, known.asked).await };
        let known = self.known();
        let found = fitting(&known);
        let is_younger = |limit| known.had.is_some_and(|had| now.duration_since(had) < limit);
        match asked {
            Ok(()) if found.is_empty() => {
                Err(VerifyError::Invalid("it is signed by a key that the issuer does not have"))
            }
            Ok(()) => Ok(found),
            Err(_) if !found.is_empty() && is_younger(KEYS_STALE) => Ok(found),
            Err(_) if too_soon && is_younger(KEYS_STALE) => {
                Err(VerifyError::Invalid("it is signed by a key that the issuer does not have"))
            }
            Err(reason) => {
                Err(VerifyError::Unavailable(format!("the issuer's keys cannot be had: {reason}")))
            }
        }
    }

    /// Asks for the keys, if nobody else has since `before`: then what came of that counts.
    async fn ask(&self, now: Timestamp, before: Option<Timestamp>) -> Result<(), String> {
        let _alone = self.asking.lock().await;
        let known = self.known();
        if known.asked != before {
            return if known.had == known.asked { Ok(()) } else { Err(TOO_SOON.to_owned()) };
        }
        let came = self.fetch(now).await;
        // Not before: whoever asks may break off, and others wait for the answer.
        self.change(|known| known.asked = Some(now));
        came
    }

    async fn fetch(&self, now: Timestamp) -> Result<(), String> {
        let discovery = self.discovery().await?;
        let url = Url::parse(&discovery.jwks_uri).map_err(|error| error.to_string())?;
        let (found, date): (Keys, _) = self.web.get(&url, None).await.map_err(|error| chain(&error))?;
        // A key of a kind that is not known here is no reason not to use the others.
        let keys: Vec<Jwk> = found
            .keys
            .into_iter()
            .take(KEYS_MAX)
            .filter_map(|key| serde_json::from_value(key).ok())
            .collect();
        self.change(|known| {
            known.keys = keys;
            known.had = Some(now);
            known.skew = skew(date, now);
        });
        Ok(())
    }

    fn known(&self) -> Known {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

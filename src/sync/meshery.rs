//! Publishes results to a remote provider of Meshery, one way. **Experimental**: it was written from Meshery's public
//! sources, and held against a peer that was written from the same, never against a provider.
//!
//! ```text
//! GET  /{version}/capabilities?os=…            where profiles are, and how names are written; or as documented
//! GET  {profiles}?search=NAME                  the profile of that name,
//! POST {profiles}                              which is made where there is none
//! POST {profiles}/{id}/results                 201 {"id"}
//! POST /refresh {"token"}                      on the first 401: another login, which is kept before it is used
//! ```
//! Nothing is sent a second time but after a 401, since what was not answered may have arrived. The provider of 2019, which
//! takes a cookie, is not spoken to. Nothing is ever fetched.

mod error;
mod web;
mod words;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use web::{Ask, Web};
use words::Place;

pub use error::MesheryError;
pub use words::Era;

/// The version that we ask the capabilities of: that of Meshery's own programs when they log in.
const VERSION: &str = "v0.3.14";
/// The longest login.
const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// What says who we are: base64 (without padding) of the JSON of a token and the one that renews it.
#[derive(Clone, PartialEq, Eq)]
pub struct Bearer(String);

/// A login, and the instance of Meshbench that it is used by.
#[derive(Clone, Debug)]
pub struct Login {
    /// What says who we are.
    pub bearer: Bearer,
    /// Made once for each login that is imported; tells nothing about the machine.
    pub system: Uuid,
}

/// Keeps a renewed login, before it is used: the one before may be worth nothing from now on. May block for a few seconds.
/// The error says why it is not kept, in words.
pub type Keep = dyn Fn(&Bearer) -> Result<(), String> + Send + Sync;

/// A run as it is published.
#[derive(Clone, Debug)]
pub struct Publication {
    /// Of the result.
    pub name: String,
    /// The mesh that was measured, or empty.
    pub mesh: String,
    /// Our id of the run.
    pub test_id: String,
    /// When the first request was due.
    pub started: Timestamp,
    /// In Fortio's shape.
    pub runner_results: Value,
    /// Under which it is filed.
    pub profile: Profile,
}

/// What results are filed under. One of this name is used as it is; if there is none, it is made.
#[derive(Clone, Debug)]
pub struct Profile {
    /// By which it is found.
    pub name: String,
    /// Where the load went, without secrets.
    pub url: String,
    /// Connections.
    pub connections: u32,
    /// 0 for as fast as possible.
    pub rate_per_sec: u64,
    /// As Go writes durations: `30s`.
    pub duration: String,
}

/// That a run was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The provider's id of the result; none where it told none.
    pub result: Option<String>,
    /// The provider's id of the profile.
    pub profile: String,
    /// How the provider writes names.
    pub era: Era,
    /// Why a renewed login was not kept, if so.
    pub not_kept: Option<String>,
}

/// A provider, by its address.
pub struct Provider(Web);

impl Bearer {
    /// Reads a token file (`auth.json`, `{"token": …}`), a bare blob, or the JSON of a token as Go writes it.
    ///
    /// # Errors
    /// Why it is none of these; without a part of it.
    pub fn read(text: &str) -> Result<Self, MesheryError> {
        let text = text.trim();
        if text.len() > TOKEN_BYTES_MAX {
            return Err(MesheryError::Token("it is larger than 16 KiB"));
        }
        if !text.starts_with('{') {
            return Self::blob(text);
        }
        let fields: Value =
            serde_json::from_str(text).map_err(|_| MesheryError::Token("it begins as JSON and is none"))?;
        match (fields["token"].as_str(), fields["access_token"].as_str()) {
            (Some(blob), _) => Self::blob(blob.trim()),
            (None, Some(_)) => Self::blob(&STANDARD_NO_PAD.encode(fields.to_string())),
            (None, None) => Err(MesheryError::Token("it has no token")),
        }
    }

    fn blob(text: &str) -> Result<Self, MesheryError> {
        if text.is_empty() {
            return Err(MesheryError::Token("its token is empty: log in with Meshery first"));
        }
        if text.len() > TOKEN_BYTES_MAX || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(MesheryError::Token("it has characters that no token has"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The secret itself, to keep it or to send it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is something in it to renew it with.
    fn can_be_renewed(&self) -> bool {
        let bytes = STANDARD_NO_PAD.decode(self.0.trim_end_matches('=')).unwrap_or_default();
        let token: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        token["refresh_token"].as_str().is_some_and(|token| !token.is_empty())
    }
}

impl std::fmt::Debug for Bearer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bearer(hidden)")
    }
}

impl Provider {
    /// By `https://`, or `http://` on this machine.
    ///
    /// # Errors
    /// Why a login must not go there.
    pub fn at(address: &str) -> Result<Self, MesheryError> {
        Web::at(address).map(Self)
    }

    /// By what its login is known: its address, always written in the same way.
    #[must_use]
    pub fn address(&self) -> &str {
        self.0.address()
    }

    /// Publishes a run, under a profile that is found or made.
    ///
    /// # Errors
    /// Which step failed, and why. Nothing was published, unless an answer did not come: then it may have been.
    pub async fn publish(
        &self,
        login: Login,
        keep: Arc<Keep>,
        publication: &Publication,
    ) -> Result<Published, MesheryError> {
        let mut session = Session { web: &self.0, login, keep, is_renewed: false, not_kept: None };
        let (place, profile) = session.filed(publication).await?;
        let body = place.era.result(publication, &profile);
        let step = "the result could not be published";
        let path = format!("{}/{profile}/results", place.profiles);
        let made = session
            .ask(&Ask { step, method: Method::POST, path: &path, query: &[], body: Some(&body) })
            .await?;
        Ok(Published { result: words::id(&made), profile, era: place.era, not_kept: session.not_kept })
    }
}

/// Questions one after another, with a login that may be renewed between two of them.
struct Session<'a> {
    web: &'a Web,
    login: Login,
    keep: Arc<Keep>,
    is_renewed: bool,
    not_kept: Option<String>,
}

impl Session<'_> {
    async fn ask(&mut self, ask: &Ask<'_>) -> Result<Value, MesheryError> {
        match self.web.ask(ask, Some((&self.login.bearer, self.login.system))).await {
            Err(MesheryError::LoginRefused { .. })
                if !self.is_renewed && self.login.bearer.can_be_renewed() =>
            {
                self.renew().await.map_err(|error| MesheryError::NotRenewed(Box::new(error)))?;
                self.web.ask(ask, Some((&self.login.bearer, self.login.system))).await
            }
            answer => answer,
        }
    }

    async fn renew(&mut self) -> Result<(), MesheryError> {
        self.is_renewed = true;
        let step = "the login could not be renewed";
        let body = json!({"token": self.login.bearer.expose()});
        let ask = Ask { step, method: Method::POST, path: "/refresh", query: &[], body: Some(&body) };
        let answer = self.web.ask(&ask, None).await.map_err(without_words)?;
        let blob = words::renewed(&answer).ok_or(MesheryError::Lacks { step, what: "a token" })?;
        let next = Bearer::blob(blob.trim())?;
        let (keep, kept) = (Arc::clone(&self.keep), next.clone());
        let written = tokio::task::spawn_blocking(move || keep(&kept)).await;
        self.not_kept = written.unwrap_or_else(|error| Err(error.to_string())).err();
        self.login.bearer = next;
        Ok(())
    }

    /// Where the provider keeps profiles, as far as it tells.
    async fn places(&mut self) -> Result<Vec<Place>, MesheryError> {
        let step = "the provider's capabilities could not be read";
        let path = format!("/{VERSION}/capabilities");
        let query = [("os", std::env::consts::OS)];
        let ask = Ask { step, method: Method::GET, path: &path, query: &query, body: None };
        match self.ask(&ask).await {
            Ok(said) => Ok(Place::of(&said).map_or_else(Place::documented, |place| vec![place])),
            Err(error) if error.is_missing() => Ok(Place::documented()),
            Err(error) => Err(error),
        }
    }

    /// The profile, and where it is.
    async fn filed(&mut self, publication: &Publication) -> Result<(Place, String), MesheryError> {
        let mut last = None;
        for place in self.places().await? {
            match self.profile(&place, publication).await {
                Ok(profile) => return Ok((place, profile)),
                Err(error) if error.is_missing() => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        let none = MesheryError::Lacks { step: "the profiles could not be listed", what: "a place for them" };
        Err(last.unwrap_or(none))
    }

    async fn profile(&mut self, place: &Place, publication: &Publication) -> Result<String, MesheryError> {
        if let Some(found) = self.find(place, &publication.profile.name).await? {
            return Ok(found);
        }
        let step = "the profile could not be made";
        let body = place.era.profile(publication);
        let path = &place.profiles;
        let ask = Ask { step, method: Method::POST, path, query: &[], body: Some(&body) };
        let made = self.ask(&ask).await?;
        match words::id(&made) {
            Some(id) => Ok(id),
            // Some answer without it.
            None => {
                let found = self.find(place, &publication.profile.name).await?;
                found.ok_or(MesheryError::Lacks { step, what: "the profile's id" })
            }
        }
    }

    async fn find(&mut self, place: &Place, name: &str) -> Result<Option<String>, MesheryError> {
        let most = words::PROFILES_MAX.to_string();
        let query = [("search", name), ("page", "0"), (place.era.page_size(), most.as_str())];
        let step = "the profiles could not be listed";
        let ask = Ask { step, method: Method::GET, path: &place.profiles, query: &query, body: None };
        Ok(words::profile_id(&self.ask(&ask).await?, name))
    }
}

/// What is said about a login may repeat it.
fn without_words(error: MesheryError) -> MesheryError {
    match error {
        MesheryError::Refused { step, status, .. } => {
            MesheryError::Refused { step, status, said: String::new() }
        }
        error => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_read_as_it_is_pasted_or_imported() {
        for text in ["abc", " abc\n", r#"{"meshery-provider": "Meshery", "token": "abc"}"#] {
            assert_eq!(Bearer::read(text).expect(text).expose(), "abc");
        }
        let go = Bearer::read(r#"{"access_token": "a", "refresh_token": "r"}"#).expect("a token of Go");
        assert!(go.can_be_renewed() && !go.expose().contains('='));
        assert!(!Bearer::read("abc").expect("a blob").can_be_renewed());
        for text in ["", "{", "{}", r#"{"token": ""}"#, "two words", r#"{"token": "a\nb"}"#, "é"] {
            let error = Bearer::read(text).expect_err(text).to_string();
            assert!(error.starts_with("that is no login of Meshery"), "{error}");
        }
        assert!(Bearer::read(&"x".repeat(TOKEN_BYTES_MAX + 1)).is_err());
        assert_eq!(format!("{go:?}"), "Bearer(hidden)");
    }
}

//! Proves whose an access token is: what a server of records asks before it answers.

use jiff::Timestamp;

use super::issuer::Issuer;
use super::jwt::{Unproven, VerifyError};
use crate::model::causes::chain;

/// The most groups of a person that are looked at.
const GROUPS_MAX: usize = 500;

/// Proves the access tokens of one issuer that are for one audience.
pub struct Verifier {
    issuer: Issuer,
    audience: String,
    groups_claim: String,
}

/// Whose a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// The issuer's name for the person, which never changes.
    pub subject: String,
    /// The name to show.
    pub name: String,
    /// What the groups claim says.
    pub groups: Vec<String>,
}

impl Verifier {
    /// Of tokens that this issuer makes for this audience; groups are in that claim.
    ///
    /// # Errors
    /// Why the issuer cannot be used, for people.
    pub fn new(issuer: &str, audience: &str, groups_claim: &str) -> Result<Self, String> {
        let issuer = Issuer::new(issuer).map_err(|error| chain(&error))?;
        Ok(Self { issuer, audience: audience.to_owned(), groups_claim: groups_claim.to_owned() })
    }

    /// Whose the token is.
    ///
    /// # Errors
    /// [`VerifyError`].
    pub async fn access(&self, token: &str, now: Timestamp) -> Result<Bearer, VerifyError> {
        let unproven = Unproven::read(token)?;
        let keys = self.issuer.keys(unproven.header.kid.as_deref(), now).await?;
        let claims = unproven.prove(&keys)?;
        let discovery = self.issuer.discovery().await.map_err(VerifyError::Unavailable)?;
        claims.check(&discovery.issuer, now)?;
        if !claims.aud.all().contains(&self.audience) {
            return Err(VerifyError::Invalid("it is for another audience"));
        }
        let groups = match claims.rest.get(&self.groups_claim) {
            Some(serde_json::Value::String(one)) => vec![one.clone()],
            Some(serde_json::Value::Array(many)) => {
                many.iter().filter_map(|one| one.as_str().map(str::to_owned)).take(GROUPS_MAX).collect()
            }
            _ => Vec::new(),
        };
        Ok(Bearer { name: claims.shown_name(), subject: claims.sub, groups })
    }
}

//! One question to a provider: no redirects, bounded in time and size, and its login in no error.

use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION};
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;
use url::Url;
use uuid::Uuid;

use super::super::web::speaker;
use super::{Bearer, MesheryError};
use crate::model::host::is_here;

/// The largest answer.
pub(super) const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// No question takes longer.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// The most characters of what a provider says that are shown.
const SAID_CHARS_MAX: usize = 200;

/// A provider that questions go to.
pub(super) struct Web {
    client: reqwest::Client,
    base: Url,
}

/// A question.
pub(super) struct Ask<'a> {
    /// For errors: `the profiles could not be listed`.
    pub(super) step: &'static str,
    pub(super) method: Method,
    /// From the provider's own address on, beginning with a slash.
    pub(super) path: &'a str,
    pub(super) query: &'a [(&'a str, &'a str)],
    pub(super) body: Option<&'a Value>,
}

impl Web {
    pub(super) fn at(address: &str) -> Result<Self, MesheryError> {
        let base = checked(address).map_err(MesheryError::Address)?;
        let client = |error: Box<dyn std::error::Error + Send + Sync>| MesheryError::Client(error);
        let builder = speaker(&base).map_err(|error| client(error.into()))?.timeout(ANSWER_MAX);
        let client = builder.build().map_err(|error| client(error.into()))?;
        Ok(Self { client, base })
    }

    /// The provider's address, with its scheme and without a path's last slash.
    pub(super) fn address(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Asks; with a login in all questions but one.
    pub(super) async fn ask(
        &self,
        ask: &Ask<'_>,
        login: Option<(&Bearer, Uuid)>,
    ) -> Result<Value, MesheryError> {
        let step = ask.step;
        let mut url = self.url(ask.path)?;
        if !ask.query.is_empty() {
            url.query_pairs_mut().extend_pairs(ask.query);
        }
        let mut request = self.client.request(ask.method.clone(), url).header(ACCEPT, "application/json");
        if let Some((bearer, system)) = login {
            let mut value = HeaderValue::try_from(format!("bearer {}", bearer.expose()))
                .map_err(|_| MesheryError::Token("it has characters that no token has"))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value).header("SystemID", system.to_string());
        }
        if let Some(body) = ask.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let response = request.send().await.map_err(|error| no_answer(step, error))?;
        let secret = login.map_or("", |(bearer, _)| bearer.expose());
        read(step, response, secret).await
    }

    /// Of the provider itself: whoever says where things are must not lead the login to others.
    fn url(&self, path: &str) -> Result<Url, MesheryError> {
        let elsewhere = || MesheryError::Endpoint(path.chars().take(SAID_CHARS_MAX).collect());
        if !path.starts_with('/') || path.starts_with("//") || path.contains(['\\', '?', '#']) {
            return Err(elsewhere());
        }
        let url = Url::parse(&format!("{}{path}", self.address())).map_err(|_| elsewhere())?;
        if url.origin() == self.base.origin() { Ok(url) } else { Err(elsewhere()) }
    }
}

/// An address to which a login may go.
fn checked(address: &str) -> Result<Url, String> {
    let url = Url::parse(address.trim())
        .map_err(|error| format!("{error}; write it as https://cloud.meshery.io"))?;
    let host = url.host_str().unwrap_or_default();
    if url.scheme() != "https" && !(url.scheme() == "http" && is_here(host)) {
        return Err("a login goes to https:// only, or to this machine".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it holds a user or password; the login is in the token file".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("it has a query or a fragment; write the address of the provider alone".to_owned());
    }
    Ok(url)
}

fn no_answer(step: &'static str, error: reqwest::Error) -> MesheryError {
    MesheryError::NoAnswer { step, source: error.without_url() }
}

async fn read(step: &'static str, response: Response, secret: &str) -> Result<Value, MesheryError> {
    let status = response.status();
    if status.is_redirection() {
        return Err(MesheryError::Redirected { step, to: destination(&response) });
    }
    if status == StatusCode::UNAUTHORIZED {
        return Err(MesheryError::LoginRefused { step });
    }
    let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_page = kind.is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("text/html"));
    let body = whole(step, response).await?;
    let is_page = is_page || body.trim_ascii_start().starts_with(b"<");
    if !status.is_success() {
        let said = if is_page { String::new() } else { said(&body, secret) };
        return Err(MesheryError::Refused { step, status, said });
    }
    if is_page {
        return Err(MesheryError::NotJson { step, what: "a web page" });
    }
    serde_json::from_slice(&body).map_err(|_| MesheryError::NotJson { step, what: "no JSON" })
}

async fn whole(step: &'static str, mut response: Response) -> Result<Vec<u8>, MesheryError> {
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|error| no_answer(step, error))? {
        if body.len() + part.len() > ANSWER_BYTES_MAX {
            return Err(MesheryError::TooLarge { step });
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}

/// Where a redirect leads, without its query.
fn destination(response: &Response) -> String {
    let to = response.headers().get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match response.url().join(to) {
        Ok(url) => format!("{}{}", url.host_str().unwrap_or_default(), url.path())
            .chars()
            .take(SAID_CHARS_MAX)
            .collect(),
        Err(_) => "nowhere that can be read".to_owned(),
    }
}

/// What a provider says, on one line, bounded, and without the login that it may repeat.
fn said(body: &[u8], secret: &str) -> String {
    let text = String::from_utf8_lossy(body);
    let text = if secret.is_empty() { text.into_owned() } else { text.replace(secret, "(hidden)") };
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let words: String = words.chars().filter(|c| !c.is_control()).take(SAID_CHARS_MAX).collect();
    if words.is_empty() { words } else { format!(": {words}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_goes_to_https_or_to_this_machine_and_nowhere_else() {
        for address in
            ["https://cloud.meshery.io", "http://127.0.0.1:9081/", "http://[::1]:1", "https://x/y/"]
        {
            assert!(checked(address).is_ok(), "{address}");
        }
        for address in [
            "http://cloud.meshery.io",
            "ftp://127.0.0.1",
            "cloud.meshery.io",
            "https://user:word@cloud.meshery.io",
            "https://cloud.meshery.io/?token=x",
            "",
        ] {
            assert!(checked(address).is_err(), "{address}");
        }
    }

    #[test]
    fn no_endpoint_leads_away_from_the_provider() {
        let web = Web::at("https://cloud.meshery.io/base/").expect("an address");
        assert_eq!(web.url("/user").expect("its own").as_str(), "https://cloud.meshery.io/base/user");
        for path in
            ["https://evil.test/", "//evil.test/x", "user", "/\\evil.test", "@evil.test/", "/a?b", ":1/"]
        {
            assert!(web.url(path).is_err(), "{path}");
        }
    }

    #[test]
    fn what_is_said_does_not_repeat_the_login() {
        assert_eq!(said(b"token\r\n SECRET is\x1b over", "SECRET"), ": token (hidden) is over");
        assert!(said(&[b'x'; 5000], "").len() <= SAID_CHARS_MAX + 2);
    }
}

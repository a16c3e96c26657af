//! A machine's side of the exchange: one question, one answer. It knows nothing of what is kept here or there.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::web;
use super::words::{API, Capabilities, Changes, Have, Me, Missing, Refused, Taken};
use crate::model::causes::chain;
use crate::model::digest::Digest;
use crate::model::envelope::ENVELOPE_BYTES_MAX;
use crate::model::host::is_here;

/// The longest silence in an answer.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// No question takes longer, whatever is sent.
const ASKING_MAX: Duration = Duration::from_secs(300);
/// The most bytes of an answer that is no record.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The longest that a server is believed to want to be left alone.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);
/// The most characters of a server's words that are shown.
const WORDS_MAX: usize = 300;

/// Gives an access token: the one that is known, or, where a server would not take that one, another.
pub type Tokens = Arc<dyn Fn(Which) -> BoxFuture<'static, Result<String, String>> + Send + Sync>;

/// Which access token is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The one that is known.
    Known,
    /// Another: the known one was not taken.
    Fresh,
}

/// Speaks with a server.
#[derive(Clone)]
pub struct Client {
    base: Url,
    web: reqwest::Client,
    tokens: Tokens,
}

/// Why a server did not do what was asked. Its text is for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// Its address cannot be used.
    #[error("{0}")]
    Address(String),
    /// It does not answer: later it may.
    #[error("the server cannot be reached: {0}")]
    Offline(String),
    /// It has no time for us: later it will.
    #[error("the server asks to wait: {reason}")]
    Busy {
        /// Its words.
        reason: String,
        /// How long.
        after: Option<Duration>,
    },
    /// It does not take our login, nor a fresh one.
    #[error("you are not logged in: {0}")]
    LoggedOut(String),
    /// It will not, however often it is asked.
    #[error("{message}")]
    Refused {
        /// Status code.
        status: u16,
        /// Its word for it.
        code: String,
        /// Its words.
        message: String,
    },
    /// What answers is not a server of records that we understand.
    #[error("{0}")]
    Odd(String),
}

impl Client {
    /// Speaks with the server at an address, with TLS unless it is on this machine.
    ///
    /// # Errors
    /// [`ClientError::Address`].
    pub fn new(server: &str, tokens: Tokens) -> Result<Self, ClientError> {
        let base = address(server)?;
        let wrong = |cause: String| ClientError::Address(format!("{base} cannot be used: {cause}"));
        let builder = web::speaker(&base).map_err(|error| wrong(error.to_string()))?;
        let builder = builder.read_timeout(SILENCE_MAX).timeout(ASKING_MAX);
        let web = builder.build().map_err(|error| wrong(chain(&error)))?;
        Ok(Self { base, web, tokens })
    }

    /// What the server is and takes. Asks for no login.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::Odd`] where it speaks another version.
    pub async fn capabilities(&self) -> Result<Capabilities, ClientError> {
        let url = self.url(&["capabilities"]);
        let answer = self.web.get(url).send().await.map_err(|error| offline(&error))?;
        let found: Capabilities = read(answered(answer).await?).await?;
        if found.api == API {
            return Ok(found);
        }
        Err(ClientError::Odd(format!(
            "the server speaks version {} of the protocol, this Meshbench {API}; use versions that fit together",
            found.api
        )))
    }

    /// Who we are to the server.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn me(&self) -> Result<Me, ClientError> {
        read(self.ask(Method::GET, self.url(&["me"]), None).await?).await
    }

    /// Deletes all that the server keeps of whoever is logged in: their own space, and what they sent to teams.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn delete_me(&self) -> Result<(), ClientError> {
        self.ask(Method::DELETE, self.url(&["me"]), None).await.map(drop)
    }

    /// What a space has taken after a place in its order, at most `limit` changes.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::Odd`] for changes that are out of order.
    pub async fn changes(&self, space: &str, after: u64, limit: usize) -> Result<Changes, ClientError> {
        let mut url = self.url(&["spaces", space, "changes"]);
        url.query_pairs_mut()
            .append_pair("after", &after.to_string())
            .append_pair("limit", &limit.to_string());
        let page: Changes = read(self.ask(Method::GET, url, None).await?).await?;
        let seqs = page.changes.iter().map(|change| change.seq);
        let is_ascending = std::iter::once(after).chain(seqs.clone()).zip(seqs).all(|(one, next)| one < next);
        if is_ascending && page.changes.len() <= limit && !(page.more && page.changes.is_empty()) {
            return Ok(page);
        }
        Err(ClientError::Odd("the server's list of changes is out of order".to_owned()))
    }

    /// The bytes under a name, at most `max` of them; none if the server does not have them any more. They are not proven.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn record(
        &self,
        space: &str,
        digest: Digest,
        max: u64,
    ) -> Result<Option<Vec<u8>>, ClientError> {
        let url = self.url(&["spaces", space, "records", &digest.to_string()]);
        let answer = match self.ask(Method::GET, url, None).await {
            Ok(answer) => answer,
            Err(ClientError::Refused { status: 404 | 410, .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let max = usize::try_from(max).unwrap_or(usize::MAX).min(ENVELOPE_BYTES_MAX);
        body(answer, max).await.map(Some)
    }

    /// Sends a record; what the server says of it.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::Odd`] where it took something else.
    pub async fn send(&self, space: &str, digest: Digest, bytes: Vec<u8>) -> Result<Taken, ClientError> {
        let url = self.url(&["spaces", space, "records", &digest.to_string()]);
        let taken: Taken = read(self.ask(Method::PUT, url, Some(Content::Record(bytes))).await?).await?;
        if taken.digest == digest {
            return Ok(taken);
        }
        Err(ClientError::Odd("the server took another record than was sent".to_owned()))
    }

    /// Which of these records the server lacks.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn missing(&self, space: &str, digests: &[Digest]) -> Result<Missing, ClientError> {
        let url = self.url(&["spaces", space, "have"]);
        let have = Have { digests: digests.to_vec() };
        read(self.ask(Method::POST, url, Some(Content::json(&have))).await?).await
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("v1").extend(path);
        }
        url
    }

    /// Asks with our login, and once more with a fresh one where it is not taken.
    async fn ask(&self, method: Method, url: Url, content: Option<Content>) -> Result<Response, ClientError> {
        let first = self.once(&method, &url, content.clone(), Which::Known).await?;
        if first.status() != StatusCode::UNAUTHORIZED {
            return answered(first).await;
        }
        answered(self.once(&method, &url, content, Which::Fresh).await?).await
    }

    async fn once(
        &self,
        method: &Method,
        url: &Url,
        content: Option<Content>,
        which: Which,
    ) -> Result<Response, ClientError> {
        let token = (self.tokens)(which).await.map_err(ClientError::LoggedOut)?;
        let mut request = self.web.request(method.clone(), url.clone()).bearer_auth(token);
        match content {
            Some(Content::Record(bytes)) => {
                request = request.header(CONTENT_TYPE, "application/octet-stream").body(bytes);
            }
            Some(Content::Json(bytes)) => {
                request = request.header(CONTENT_TYPE, "application/json").body(bytes);
            }
            None => {}
        }
        request.send().await.map_err(|error| offline(&error))
    }
}

#[derive(Clone)]
enum Content {
    Record(Vec<u8>),
    Json(Vec<u8>),
}

impl Content {
    fn json(value: &impl Serialize) -> Self {
        Self::Json(serde_json::to_vec(value).expect("the words of the protocol have a JSON form"))
    }
}

/// The address of a server as it is kept: a host's without a path means its root.
fn address(server: &str) -> Result<Url, ClientError> {
    let wrong = |why: &str| ClientError::Address(format!("“{server}” is no address of a server: {why}"));
    let url = Url::parse(server.trim()).map_err(|_| wrong("it begins with https://"))?;
    let host = url.host_str().ok_or_else(|| wrong("it names no host"))?;
    match url.scheme() {
        "https" => {}
        "http" if is_here(host) => {}
        "http" => return Err(wrong("without TLS everybody on the way could read along; use https://")),
        _ => return Err(wrong("it begins with https://")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("it holds a user or password; log in instead"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("it ends before ? and #"));
    }
    Ok(url)
}

fn offline(error: &reqwest::Error) -> ClientError {
    ClientError::Offline(chain(error))
}

/// An answer that is a success.
async fn answered(answer: Response) -> Result<Response, ClientError> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    if status.is_redirection() {
        return Err(ClientError::Odd(
            "the address leads elsewhere; enter the address that it leads to".to_owned(),
        ));
    }
    let after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let after = after.map(|seconds| Duration::from_secs(seconds).min(RETRY_AFTER_MAX));
    let said = body(answer, ANSWER_BYTES_MAX).await.unwrap_or_default();
    let refused: Option<Refused> = serde_json::from_slice(&said).ok();
    let reason =
        refused.as_ref().map_or_else(|| format!("it answered {status}"), |said| short(&said.message));
    Err(match status {
        StatusCode::UNAUTHORIZED => ClientError::LoggedOut(reason),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => ClientError::Busy { reason, after },
        status if status.is_server_error() => ClientError::Busy { reason, after },
        status => match refused {
            Some(said) => ClientError::Refused { status: status.as_u16(), code: said.code, message: reason },
            None => ClientError::Odd(format!("no server of records answers there ({status})")),
        },
    })
}

fn short(words: &str) -> String {
    words.chars().filter(|letter| !letter.is_control()).take(WORDS_MAX).collect()
}

async fn read<T: DeserializeOwned>(answer: Response) -> Result<T, ClientError> {
    let said = body(answer, ANSWER_BYTES_MAX).await?;
    serde_json::from_slice(&said)
        .map_err(|_| ClientError::Odd("what answers there is no Meshbench server".to_owned()))
}

async fn body(mut answer: Response, max: usize) -> Result<Vec<u8>, ClientError> {
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(|error| offline(&error))? {
        if body.len() + part.len() > max {
            return Err(ClientError::Odd("the server's answer is longer than it said".to_owned()));
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_are_safe_to_send_a_login_to_are_taken() {
        for good in
            ["https://bench.test", "https://bench.test/base/", "http://127.0.0.1:8080", "http://[::1]:1"]
        {
            assert!(address(good).is_ok(), "{good}");
        }
        for wrong in
            ["bench.test", "http://bench.test", "ftp://x", "https://u:p@bench.test", "https://b/?a", ""]
        {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }
}

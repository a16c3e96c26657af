//! How providers of logins are spoken with: TLS or this machine, no redirects, and limits on everything.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::header::DATE;
use serde::de::DeserializeOwned;
use url::Url;

use crate::model::causes::chain;
use crate::model::host::is_safe;

/// No question to a provider takes longer.
const ANSWER_MAX: Duration = Duration::from_secs(15);
/// The longest answer.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// Speaks HTTP.
#[derive(Clone)]
pub(super) struct Web(reqwest::Client);

/// Why a provider did not answer as it should.
#[derive(Debug, thiserror::Error)]
pub(super) enum WebError {
    #[error("{0}")]
    Offline(String),
    #[error("it answered {0}")]
    Status(u16),
    #[error("its answer is larger than {} KiB", ANSWER_BYTES_MAX / 1024)]
    Large,
    #[error("it answered with something else")]
    Odd,
    #[error("{0} is not spoken to with TLS (https)")]
    Unsafe(String),
}

impl Web {
    /// # Errors
    /// When TLS cannot be set up.
    pub(super) fn new() -> Result<Self, WebError> {
        let odd = |error: String| WebError::Offline(error);
        let mut roots = rustls::RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| odd(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(ANSWER_MAX)
            .user_agent(concat!("Meshbench/", env!("CARGO_PKG_VERSION")))
            .build();
        client.map(Self).map_err(|error| odd(chain(&error)))
    }

    /// A document of a provider, and when its clock says that it was sent.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        url: &Url,
        token: Option<&str>,
    ) -> Result<(T, Option<Timestamp>), WebError> {
        if !is_safe(url) {
            return Err(WebError::Unsafe(url.to_string()));
        }
        let mut request = self.0.get(url.clone()).header("accept", "application/json");
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.map_err(|error| offline(&error))?;
        let status = answer.status();
        if !status.is_success() {
            return Err(WebError::Status(status.as_u16()));
        }
        let date = answer.headers().get(DATE).and_then(|date| date.to_str().ok());
        let date = date.and_then(|date| rfc2822::parse(date).ok()).map(|date| date.timestamp());
        let body = body(answer).await?;
        Ok((serde_json::from_slice(&body).map_err(|_| WebError::Odd)?, date))
    }
}

impl Web {
    /// Sends a form; nothing of the answer matters but whether it is a success.
    pub(super) async fn tell(&self, url: &Url, fields: &[(&str, &str)]) -> Result<(), WebError> {
        if !is_safe(url) {
            return Err(WebError::Unsafe(url.to_string()));
        }
        let form: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.0.post(url.clone()).header("content-type", "application/x-www-form-urlencoded");
        let answer = request.body(form).send().await.map_err(|error| offline(&error))?;
        let status = answer.status();
        if status.is_success() { Ok(()) } else { Err(WebError::Status(status.as_u16())) }
    }
}

fn offline(error: &reqwest::Error) -> WebError {
    WebError::Offline(chain(error))
}

async fn body(mut answer: reqwest::Response) -> Result<Vec<u8>, WebError> {
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(|error| offline(&error))? {
        if body.len() + part.len() > ANSWER_BYTES_MAX {
            return Err(WebError::Large);
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}

impl<'a> AsyncHttpClient<'a> for Web {
    type Error = WebError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, WebError>> + Send + 'a>>;

    fn call(&'a self, mut request: HttpRequest) -> Self::Future {
        // GitHub answers with a form where JSON is not asked for.
        request.headers_mut().insert("accept", http::HeaderValue::from_static("application/json"));
        Box::pin(async move {
            let safe = Url::parse(&request.uri().to_string()).is_ok_and(|url| is_safe(&url));
            if !safe {
                return Err(WebError::Unsafe(request.uri().to_string()));
            }
            let request = reqwest::Request::try_from(request).map_err(|error| offline(&error))?;
            let answer = self.0.execute(request).await.map_err(|error| offline(&error))?;
            let (mut status, headers) = (answer.status(), answer.headers().clone());
            let body = body(answer).await?;
            if status.is_success() && is_error(&body) {
                status = http::StatusCode::BAD_REQUEST;
            }
            let mut made = http::Response::builder().status(status);
            if let Some(to) = made.headers_mut() {
                *to = headers;
            }
            made.body(body).map_err(|_| WebError::Odd)
        })
    }
}

/// Whether an answer is an error by RFC 6749 §5.2: GitHub gives those with the status of a success.
fn is_error(body: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(body).is_ok_and(|answer| answer.get("error").is_some())
}

/// What a person should know of a machine's clock: `the clock of this machine is 7 minutes ahead`; none if it is right
/// within a minute or two.
pub(super) fn skew(theirs: Option<Timestamp>, now: Timestamp) -> Option<String> {
    let seconds = now.as_second() - theirs?.as_second();
    let minutes = (seconds.abs() + 30) / 60;
    let way = if seconds > 0 { "ahead of" } else { "behind" };
    let noun = if minutes == 1 { "minute" } else { "minutes" };
    (seconds.abs() > 90).then(|| {
        format!("the clock of this machine is {minutes} {noun} {way} the provider's; set it, then try again")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_clock_is_told_in_minutes() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        assert_eq!(skew(None, at(0)), None);
        assert_eq!(skew(Some(at(1000)), at(1080)), None);
        assert!(skew(Some(at(1000)), at(1420)).unwrap().contains("7 minutes ahead"));
        assert!(skew(Some(at(1000)), at(900)).unwrap().contains("2 minutes behind"));
    }
}

//! Logins by OpenID Connect that a kubeconfig keeps (`auth-provider: oidc`), renewed as kubectl renews them.
//!
//! kubectl writes renewed tokens into the kubeconfig; we never do. Where a provider gives another refresh token in the
//! place of the one that was used, it is kept in the system's keyring, before anything is done with the new login.
//!
//! Other than kubectl, on purpose: a provider is spoken to with TLS, or on this machine only.

use std::collections::HashMap;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use oauth2::basic::{
    BasicErrorResponse, BasicErrorResponseType, BasicRevocationErrorResponse, BasicTokenType,
};
use oauth2::{
    AsyncHttpClient, AuthType, ClientId, ClientSecret, ExtraTokenFields, HttpRequest, HttpResponse,
    RefreshToken, RequestTokenError, StandardRevocableToken, StandardTokenIntrospectionResponse,
    StandardTokenResponse, TokenResponse as _, TokenUrl,
};
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use url::Url;

use super::kubeconfig::{Provider, Resolved, Secret};
use super::words::{bounded, chain, trouble};
use super::{connect, proxy};
use crate::model::certificate::certificates;
use crate::model::cluster::Trouble;
use crate::model::digest::Digest;
use crate::model::host::is_safe;

/// No question to a provider takes longer.
const PROVIDER_ANSWER_MAX: Duration = Duration::from_secs(8);
/// The longest answer of a provider.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// A token that expires sooner is renewed.
const EARLY_S: i64 = 60;

/// Where refresh tokens are kept that a provider gave in the place of others. May block for a few seconds.
pub trait TokenStore: Send + Sync {
    /// What is kept under a name.
    ///
    /// # Errors
    /// Why it cannot be read, in words.
    fn read(&self, name: &str) -> Result<Option<String>, String>;

    /// Keeps a token, in the place of the one before.
    ///
    /// # Errors
    /// Why it cannot be kept, in words.
    fn write(&self, name: &str, token: &str) -> Result<(), String>;
}

/// Tokens that were renewed: one for a whole program, since some providers accept each refresh token once only, and two
/// contexts may have the same one.
#[derive(Clone)]
pub struct Tokens {
    store: Arc<dyn TokenStore>,
    renewed: Arc<Mutex<HashMap<String, Slot>>>,
}

type Slot = Arc<tokio::sync::Mutex<Renewed>>;

/// What came of a refresh token of a kubeconfig.
#[derive(Default)]
struct Renewed {
    id_token: Option<Secret>,
    refresh_token: Option<Secret>,
    remark: Option<String>,
}

/// A login of this kind.
pub(super) struct OidcLogin {
    issuer: Url,
    client_id: String,
    client_secret: Option<Secret>,
    id_token: Option<Secret>,
    refresh_token: Option<Secret>,
    /// Certificates by which the provider is trusted; none for what the machine trusts.
    authority: Option<Vec<u8>>,
    tokens: Tokens,
}

/// What is sent to the API server.
pub(super) struct IdToken {
    pub(super) token: Secret,
    pub(super) expires: Option<Timestamp>,
    /// What a person should know of it.
    pub(super) remark: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct IdTokenField {
    id_token: Option<String>,
}

impl ExtraTokenFields for IdTokenField {}

type Renewal = StandardTokenResponse<IdTokenField, BasicTokenType>;
type Client = oauth2::Client<
    BasicErrorResponse,
    Renewal,
    StandardTokenIntrospectionResponse<IdTokenField, BasicTokenType>,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
>;

impl Tokens {
    /// With a place where they outlive the program.
    #[must_use]
    pub fn new(store: Arc<dyn TokenStore>) -> Self {
        Self { store, renewed: Arc::default() }
    }

    fn slot(&self, name: &str) -> Slot {
        let mut renewed = self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(renewed.entry(name.to_owned()).or_default())
    }

    async fn read(&self, name: &str) -> Result<Option<Secret>, String> {
        let (store, name) = (Arc::clone(&self.store), name.to_owned());
        let read = tokio::task::spawn_blocking(move || store.read(&name)).await;
        Ok(read.map_err(|error| error.to_string())??.map(Secret::new))
    }

    async fn write(&self, name: &str, token: &Secret) -> Result<(), String> {
        let (store, name, token) = (Arc::clone(&self.store), name.to_owned(), token.expose().to_owned());
        tokio::task::spawn_blocking(move || store.write(&name, &token))
            .await
            .map_err(|error| error.to_string())?
    }
}

impl OidcLogin {
    /// # Errors
    /// What the kubeconfig does not say, or says wrongly.
    pub(super) fn of(resolved: &Resolved, provider: &Provider, tokens: &Tokens) -> Result<Self, Trouble> {
        let setting = |key: &str| {
            let value = provider.config.get(key).map(|value| value.expose().trim());
            value.filter(|value| !value.is_empty())
        };
        let secret = |key: &str| setting(key).map(|value| Secret::new(value.to_owned()));
        let wrong = |cause: String| {
            let advice = "Log in again with the tool that this kubeconfig came from";
            trouble("The kubeconfig's login cannot be used", cause, advice)
        };
        let needed = |key: &str| setting(key).ok_or_else(|| wrong(format!("its provider has no {key}")));
        let text = needed("idp-issuer-url")?;
        let issuer =
            Url::parse(text).map_err(|error| wrong(format!("its idp-issuer-url is no URL: {error}")))?;
        if !is_safe(&issuer) {
            return Err(wrong(format!("{} is not spoken to with TLS (https)", bounded(text))));
        }
        let authority =
            match (setting("idp-certificate-authority-data"), setting("idp-certificate-authority")) {
                (Some(data), _) => Some(connect::decoded(data, "the provider's certificate authority")?),
                (None, Some(path)) => {
                    // A window has no folder of its own that it would be relative to, as a terminal has.
                    let folder = resolved.key.file.parent().unwrap_or(Path::new(""));
                    Some(connect::read(&folder.join(path), "the provider's certificate authority")?)
                }
                (None, None) => None,
            };
        Ok(Self {
            client_id: needed("client-id")?.to_owned(),
            issuer,
            client_secret: secret("client-secret"),
            id_token: secret("id-token"),
            refresh_token: secret("refresh-token"),
            authority,
            tokens: tokens.clone(),
        })
    }

    /// A token that is good for a while, renewed where it must be. `is_refused`: the server did not accept the last one.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub(super) async fn token(&self, is_refused: bool) -> Result<IdToken, Trouble> {
        let name = self.name();
        let slot = self.tokens.slot(&name);
        // Others wait here, so that a refresh token is used once.
        let mut renewed = slot.lock().await;
        let known = renewed.id_token.as_ref().or(self.id_token.as_ref());
        if let Some(token) =
            known.filter(|token| !is_refused && seconds_left(token).is_none_or(|left| left > EARLY_S))
        {
            return Ok(told(token.clone(), &renewed));
        }
        match self.renew(&name, &mut renewed).await {
            Ok(token) => Ok(told(token, &renewed)),
            // What is there is good for some seconds more.
            Err(trouble) => match known_until_now(&renewed, self, is_refused) {
                Some(token) => Ok(told(token, &renewed)),
                None => Err(trouble),
            },
        }
    }

    /// By what the login is known in the keyring: it tells nothing, and is another when the kubeconfig's token is.
    fn name(&self) -> String {
        let refresh = self.refresh_token.as_ref().map_or("", Secret::expose);
        let text = format!("{}\n{}\n{refresh}", self.issuer, self.client_id);
        format!("kubeconfig-login-{}", Digest::of(text.as_bytes()).short(32))
    }

    async fn renew(&self, name: &str, renewed: &mut Renewed) -> Result<Secret, Trouble> {
        let Some(own) = &self.refresh_token else {
            let cause = "the token that the kubeconfig keeps has expired, and there is none to renew it with"
                .to_owned();
            let advice = "Log in again with the tool that this kubeconfig came from";
            return Err(trouble("The kubeconfig's login has expired", cause, advice));
        };
        let kept = self.tokens.read(name).await;
        let kept = kept.as_ref().ok().cloned().flatten().or_else(|| renewed.refresh_token.clone());
        let used = kept.unwrap_or_else(|| own.clone());
        let web = self.web()?;
        let endpoint = self.token_endpoint(&web).await?;
        let mut answer = self.exchange(&web, &endpoint, &used).await;
        if let Err(Failed::Grant(_)) = answer {
            // Another program of ours may have been quicker.
            let now = self.tokens.read(name).await.ok().flatten();
            if let Some(now) = now.filter(|now| *now != used) {
                answer = self.exchange(&web, &endpoint, &now).await;
            }
        }
        let answer = answer.map_err(|failed| self.words(failed))?;
        let token = answer.extra_fields().id_token.clone().map(Secret::new).ok_or_else(|| {
            let advice = "Ask who runs the provider: clusters need the scope openid";
            trouble("The login was not renewed", format!("{} gave no id_token", self.issuer), advice)
        })?;
        if let Some(next) = answer.refresh_token() {
            let next = Secret::new(next.secret().clone());
            if next != used {
                // Before the new login is used: the old token may be worth nothing from now on.
                let written = self.tokens.write(name, &next).await;
                renewed.remark = written.err().map(|reason| {
                    format!(
                        "The renewed login is kept for this session only ({}). When Meshbench and kubectl ask you to, log \
                         in again with the tool that the kubeconfig came from.",
                        bounded(&reason)
                    )
                });
            }
            renewed.refresh_token = Some(next);
        }
        renewed.id_token = Some(token.clone());
        Ok(token)
    }

    /// Speaks HTTP with the provider.
    fn web(&self) -> Result<Web, Trouble> {
        let failed =
            |cause: String| trouble("The login cannot be renewed", cause, "Check the kubeconfig's provider");
        let mut roots = rustls::RootCertStore::empty();
        let trusted: Vec<CertificateDer<'static>> = match &self.authority {
            Some(pem) => certificates(pem)
                .map_err(|_| failed("there is no certificate in the provider's authority".to_owned()))?,
            None => rustls_native_certs::load_native_certs().certs,
        };
        roots.add_parsable_certificates(trusted);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PROVIDER_ANSWER_MAX)
            .no_proxy();
        if let Some(proxy) = proxy::choose(None, &self.issuer, &proxy::Environment::read()) {
            builder = builder
                .proxy(reqwest::Proxy::all(proxy).map_err(|_| failed("its proxy is no URL".to_owned()))?);
        }
        builder.build().map(Web).map_err(|error| failed(chain(&error)))
    }

    async fn token_endpoint(&self, web: &Web) -> Result<TokenUrl, Trouble> {
        #[derive(Deserialize)]
        struct Discovery {
            token_endpoint: String,
        }
        let url = format!("{}/.well-known/openid-configuration", self.issuer.as_str().trim_end_matches('/'));
        let request = http::Request::get(&url).body(Vec::new());
        let request = request.map_err(|error| self.failed(&error.to_string()))?;
        let response = fetch(web, request).await.map_err(|error| self.failed(&chain(&error)))?;
        if response.status() != http::StatusCode::OK {
            return Err(self.failed(&format!("{url} answered {}", response.status())));
        }
        let read: Discovery = serde_json::from_slice(response.body())
            .map_err(|_| self.failed(&format!("{url} does not describe a provider of OpenID Connect")))?;
        let endpoint = Url::parse(&read.token_endpoint).ok().filter(is_safe);
        let endpoint =
            endpoint.ok_or_else(|| self.failed("its token endpoint is not spoken to with TLS (https)"))?;
        Ok(TokenUrl::from_url(endpoint))
    }

    async fn exchange(&self, web: &Web, endpoint: &TokenUrl, refresh: &Secret) -> Result<Renewal, Failed> {
        match self.ask(web, endpoint, refresh, AuthType::BasicAuth).await {
            // As Go's library does: some take the secret in the body only.
            Err(Failed::Client(_)) if self.client_secret.is_some() => {
                self.ask(web, endpoint, refresh, AuthType::RequestBody).await
            }
            answer => answer,
        }
    }

    async fn ask(
        &self,
        web: &Web,
        endpoint: &TokenUrl,
        refresh: &Secret,
        auth: AuthType,
    ) -> Result<Renewal, Failed> {
        let mut client = Client::new(ClientId::new(self.client_id.clone())).set_auth_type(auth);
        if let Some(secret) = &self.client_secret {
            client = client.set_client_secret(ClientSecret::new(secret.expose().to_owned()));
        }
        let client = client.set_token_uri(endpoint.clone());
        let refresh = RefreshToken::new(refresh.expose().to_owned());
        let answer = client.exchange_refresh_token(&refresh).request_async(web).await;
        answer.map_err(|error| match error {
            RequestTokenError::ServerResponse(said) => {
                let about = said.error_description().map(|words| format!(": {words}"));
                let words = format!("{}{}", said.error().as_ref(), about.unwrap_or_default());
                match said.error() {
                    BasicErrorResponseType::InvalidGrant => Failed::Grant(words),
                    BasicErrorResponseType::InvalidClient => Failed::Client(words),
                    _ => Failed::Other(words),
                }
            }
            RequestTokenError::Request(error) => Failed::Other(chain(&error)),
            // What it answered is not told: it may be a token.
            RequestTokenError::Parse(..) => {
                Failed::Other("it answered with something else than a login".to_owned())
            }
            RequestTokenError::Other(words) => Failed::Other(words),
        })
    }

    fn words(&self, failed: Failed) -> Trouble {
        match failed {
            Failed::Grant(words) => trouble(
                "The kubeconfig's login has expired",
                format!("{} does not renew it: {}", self.issuer, bounded(&words)),
                "Log in again with the tool that this kubeconfig came from",
            ),
            Failed::Client(words) | Failed::Other(words) => self.failed(&words),
        }
    }

    fn failed(&self, cause: &str) -> Trouble {
        let cause = format!("{}: {}", self.issuer, bounded(cause));
        trouble("The login was not renewed", cause, "Check that the provider can be reached, then try again")
    }
}

enum Failed {
    /// The refresh token is worth nothing (any more).
    Grant(String),
    /// The program is not known, or not by its secret.
    Client(String),
    Other(String),
}

/// Speaks HTTP.
struct Web(reqwest::Client);

impl<'a> AsyncHttpClient<'a> for Web {
    type Error = WebError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, WebError>> + Send + 'a>>;

    fn call(&'a self, request: HttpRequest) -> Self::Future {
        Box::pin(fetch(self, request))
    }
}

/// Why a provider did not answer.
#[derive(Debug, thiserror::Error)]
enum WebError {
    #[error("no answer")]
    Web(#[from] reqwest::Error),
    #[error("the request cannot be made")]
    Request(#[from] http::Error),
    #[error("its answer is larger than 1 MiB")]
    Large,
}

async fn fetch(web: &Web, request: HttpRequest) -> Result<HttpResponse, WebError> {
    let mut response = web.0.execute(request.try_into()?).await?;
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await? {
        if body.len() + part.len() > ANSWER_BYTES_MAX {
            return Err(WebError::Large);
        }
        body.extend_from_slice(&part);
    }
    let mut answer = http::Response::builder().status(response.status());
    if let Some(headers) = answer.headers_mut() {
        *headers = response.headers().clone();
    }
    Ok(answer.body(body)?)
}

fn told(token: Secret, renewed: &Renewed) -> IdToken {
    IdToken { expires: expiry(&token), token, remark: renewed.remark.clone() }
}

fn known_until_now(renewed: &Renewed, login: &OidcLogin, is_refused: bool) -> Option<Secret> {
    let known = renewed.id_token.as_ref().or(login.id_token.as_ref())?;
    let is_good = !is_refused && seconds_left(known).is_some_and(|left| left > 0);
    is_good.then(|| known.clone())
}

fn seconds_left(token: &Secret) -> Option<i64> {
    expiry(token).map(|at| at.as_second() - Timestamp::now().as_second())
}

/// When a token expires, by what it says of itself.
fn expiry(token: &Secret) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Claims {
        exp: i64,
    }
    let claims = URL_SAFE_NO_PAD.decode(token.expose().split('.').nth(1)?.trim_end_matches('=')).ok()?;
    Timestamp::from_second(serde_json::from_slice::<Claims>(&claims).ok()?.exp).ok()
}

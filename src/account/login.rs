//! Logs in: with the system's browser, or with a code that is entered on another device.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use oauth2::basic::{
    BasicErrorResponse, BasicErrorResponseType, BasicRevocationErrorResponse, BasicTokenType,
};
use oauth2::{
    AuthType, AuthorizationCode, ClientId, ClientSecret, CsrfToken, DeviceAuthorizationUrl,
    DeviceCodeErrorResponseType, EmptyExtraDeviceAuthorizationFields, ExtraTokenFields, PkceCodeChallenge,
    RedirectUrl, RefreshToken, RequestTokenError, Scope, StandardDeviceAuthorizationResponse,
    StandardErrorResponse, StandardRevocableToken, StandardTokenIntrospectionResponse, StandardTokenResponse,
    TokenResponse as _, TokenUrl,
};
use serde::{Deserialize, Serialize};
use url::Url;

use super::callback::Callback;
use super::issuer::{Discovery, Issuer};
use super::jwt::{Unproven, VerifyError};
use super::session::Tokens;
use super::web::{Web, WebError};
use crate::model::account::{Provider, ProviderKind};
use crate::model::causes::chain;
use crate::model::host::is_safe;

/// How long a person has to log in with the browser.
const BROWSER_MAX: Duration = Duration::from_secs(300);
/// How long a code may be entered, at most.
const DEVICE_MAX: Duration = Duration::from_secs(1800);
/// The most characters of a provider's words that are shown.
const WORDS_MAX: usize = 200;

/// Tells what a person has to do.
pub type TellLogin = Arc<dyn Fn(LoginStep) + Send + Sync>;

/// What a person has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginStep {
    /// Log in at this address, which is to be opened in their browser.
    Browser {
        /// The address.
        url: String,
    },
    /// Enter a code, on any device.
    Device {
        /// The address where it is entered.
        address: String,
        /// The code.
        code: String,
        /// An address that holds the code already.
        whole: Option<String>,
        /// Until when.
        until: Timestamp,
    },
}

/// A person who has logged in.
pub struct LoggedIn {
    /// The provider's name for the person, which never changes.
    pub subject: String,
    /// The name to show.
    pub name: String,
    /// If the provider told it.
    pub email: Option<String>,
    /// What proves it.
    pub tokens: Tokens,
}

/// Why nobody has logged in. Its text is for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// The provider cannot be used.
    #[error("{0}")]
    Provider(String),
    /// The person said no, or the provider did.
    #[error("the provider has refused: {0}")]
    Refused(String),
    /// Nobody came back.
    #[error(
        "nobody came back from the browser within 5 minutes; perhaps its page was closed. Log in again, or with a \
         device code"
    )]
    NobodyCame,
    /// The code was not entered in time.
    #[error("the code was not entered in time; log in again for another one")]
    CodeOver,
    /// What came back proves nothing.
    #[error("what the provider sent proves nothing: {0}")]
    Unproven(String),
    /// Nothing on this machine can be listened on.
    #[error("the browser cannot come back to this machine: {0}. Log in with a device code")]
    Listen(String),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct IdTokenField {
    id_token: Option<String>,
}

impl ExtraTokenFields for IdTokenField {}

pub(super) type Answer = StandardTokenResponse<IdTokenField, BasicTokenType>;
type OAuth = oauth2::Client<
    BasicErrorResponse,
    Answer,
    StandardTokenIntrospectionResponse<IdTokenField, BasicTokenType>,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
>;

/// Logs in with the system's browser: authorization code with PKCE, back to a listener on this machine.
///
/// # Errors
/// [`LoginError`].
pub async fn by_browser(provider: &Provider, tell: &TellLogin) -> Result<LoggedIn, LoginError> {
    let ProviderKind::OpenId { issuer, audience, callback, .. } = &provider.kind else {
        // GitHub wants a secret for the browser's way back, and a program that is handed out has none.
        return by_device(provider, tell).await;
    };
    let issuer = issuer_at(issuer)?;
    let discovery = issuer.discovery().await.map_err(LoginError::Provider)?;
    let knows_s256 = |methods: &Vec<String>| methods.iter().any(|method| method == "S256");
    if !discovery.code_challenge_methods_supported.as_ref().is_none_or(knows_s256) {
        return Err(LoginError::Provider(
            "the provider does not speak PKCE with S256; it is too old to be logged in with safely"
                .to_owned(),
        ));
    }
    let authorize = endpoint(discovery.authorization_endpoint.as_deref(), "log in with a browser")?;
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (state, nonce) = (CsrfToken::new_random_len(32), CsrfToken::new_random_len(32));
    let callback = Callback::listen(callback.as_deref()).await.map_err(LoginError::Listen)?;
    let mut url = authorize;
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", provider.client_id())
        .append_pair("redirect_uri", callback.url())
        .append_pair("scope", &scopes(provider, &discovery).join(" "))
        .append_pair("state", state.secret())
        .append_pair("nonce", nonce.secret())
        .append_pair("code_challenge", challenge.as_str())
        .append_pair("code_challenge_method", "S256");
    if let Some(audience) = audience {
        url.query_pairs_mut().append_pair("resource", audience);
    }
    // Without it many providers do not give a refresh token.
    url.query_pairs_mut().append_pair("prompt", "consent");
    if !discovery.scopes_supported.iter().any(|scope| scope == "offline_access") {
        // Google's way to ask for one; others pass over what they do not know (RFC 6749 §3.1).
        url.query_pairs_mut().append_pair("access_type", "offline");
    }
    tell(LoginStep::Browser { url: url.into() });
    let wants_issuer = discovery.authorization_response_iss_parameter_supported;
    let redirect = callback.url().to_owned();
    let came = callback.came_back(state.secret(), &discovery.issuer, wants_issuer);
    let code = tokio::time::timeout(BROWSER_MAX, came).await.map_err(|_| LoginError::NobodyCame)??;
    let redirect = RedirectUrl::new(redirect).map_err(|error| LoginError::Listen(error.to_string()))?;
    let client = oauth(provider).set_token_uri(token_url(&discovery)?).set_redirect_uri(redirect);
    let mut request = client.exchange_code(AuthorizationCode::new(code)).set_pkce_verifier(verifier);
    if let Some(audience) = audience {
        request = request.add_extra_param("resource", audience.as_str());
    }
    let answer = request.request_async(issuer.web()).await.map_err(|error| refused(error, &issuer))?;
    proven(&issuer, &discovery, provider, Some(nonce.secret()), answer).await
}

/// Logs in with a code that is entered on any device.
///
/// # Errors
/// [`LoginError`].
pub async fn by_device(provider: &Provider, tell: &TellLogin) -> Result<LoggedIn, LoginError> {
    match &provider.kind {
        ProviderKind::OpenId { issuer, audience, .. } => {
            let issuer = issuer_at(issuer)?;
            let discovery = issuer.discovery().await.map_err(LoginError::Provider)?;
            let device =
                endpoint(discovery.device_authorization_endpoint.as_deref(), "log in with a device code")?;
            let scopes = scopes(provider, &discovery);
            let token = token_url(&discovery)?;
            let answer =
                enter_code(provider, (device, token), scopes, audience.as_deref(), issuer.web(), tell)
                    .await?;
            proven(&issuer, &discovery, provider, None, answer).await
        }
        ProviderKind::GitHub { address, api, .. } => {
            let web = Web::new().map_err(|error| LoginError::Provider(chain(&error)))?;
            let at = |path: &str| {
                let url = Url::parse(&format!("{}{path}", address.trim_end_matches('/')));
                url.map_err(|error| LoginError::Provider(error.to_string()))
            };
            let (device, token) = (at("/login/device/code")?, at("/login/oauth/access_token")?);
            let scopes = vec!["read:user".to_owned()];
            let answer =
                enter_code(provider, (device, TokenUrl::from_url(token)), scopes, None, &web, tell).await?;
            github_user(&web, api, answer).await
        }
    }
}

async fn enter_code(
    provider: &Provider,
    (device, token): (Url, TokenUrl),
    scopes: Vec<String>,
    audience: Option<&str>,
    web: &Web,
    tell: &TellLogin,
) -> Result<Answer, LoginError> {
    let client = oauth(provider)
        .set_device_authorization_url(DeviceAuthorizationUrl::from_url(device))
        .set_token_uri(token);
    // Keycloak wants of a device too what it wants of a client; others pass over what they do not know (RFC 6749, 3.1).
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let mut request = client
        .exchange_device_code()
        .add_scopes(scopes.into_iter().map(Scope::new))
        .add_extra_param("code_challenge", challenge.as_str().to_owned())
        .add_extra_param("code_challenge_method", "S256");
    if let Some(audience) = audience {
        request = request.add_extra_param("resource", audience.to_owned());
    }
    let details: StandardDeviceAuthorizationResponse = request
        .request_async::<_, EmptyExtraDeviceAuthorizationFields>(web)
        .await
        .map_err(|error| LoginError::Provider(format!("no device code could be had: {}", words(error))))?;
    let life = details.expires_in().min(DEVICE_MAX);
    let until = Timestamp::now() + SignedDuration::try_from(life).unwrap_or(SignedDuration::ZERO);
    tell(LoginStep::Device {
        address: shown(details.verification_uri().as_str()),
        code: shown(details.user_code().secret()),
        whole: details.verification_uri_complete().map(|whole| whole.secret().clone()),
        until,
    });
    let mut request = client.exchange_device_access_token(&details);
    request = request.add_extra_param("code_verifier", verifier.secret().clone());
    if let Some(audience) = audience {
        request = request.add_extra_param("resource", audience.to_owned());
    }
    let answer = request.request_async(web, tokio::time::sleep, Some(life)).await;
    answer.map_err(|error| match &error {
        RequestTokenError::ServerResponse(said) => match said.error() {
            DeviceCodeErrorResponseType::AccessDenied => {
                LoginError::Refused("it was not allowed there".to_owned())
            }
            DeviceCodeErrorResponseType::ExpiredToken => LoginError::CodeOver,
            other => LoginError::Refused(shown(other.as_ref())),
        },
        _ => LoginError::Provider(words(error)),
    })
}

/// Who has logged in, by the proof that the provider gave with the tokens.
async fn proven(
    issuer: &Issuer,
    discovery: &Discovery,
    provider: &Provider,
    nonce: Option<&str>,
    answer: Answer,
) -> Result<LoggedIn, LoginError> {
    let now = Timestamp::now();
    let unproven = |reason: String| LoginError::Unproven(reason);
    let token = answer.extra_fields().id_token.as_deref();
    let token = token.ok_or_else(|| unproven("it holds no ID token".to_owned()))?;
    let read = Unproven::read(token).map_err(|error| unproven(error.to_string()))?;
    let keys = issuer.keys(read.header.kid.as_deref(), now).await;
    let keys = keys.map_err(|error| unproven(error.to_string()))?;
    let claims = read.prove(&keys).map_err(|error| unproven(error.to_string()))?;
    claims.check(&discovery.issuer, now).map_err(|error| match error {
        // A wrong clock is by far the most frequent cause.
        VerifyError::Expired(_) | VerifyError::Invalid(_) => {
            unproven(issuer.skew().unwrap_or_else(|| error.to_string()))
        }
        VerifyError::Unavailable(reason) => unproven(reason),
    })?;
    let (ours, audience) = (provider.client_id().to_owned(), claims.aud.all());
    let is_for_us = audience.contains(&ours)
        && (audience.len() == 1 || claims.azp.as_ref() == Some(&ours))
        && claims.azp.as_ref().is_none_or(|azp| *azp == ours);
    if !is_for_us {
        return Err(unproven("its ID token is for another program".to_owned()));
    }
    if nonce.is_some() && claims.nonce.as_deref() != nonce {
        return Err(unproven("its ID token is of another login".to_owned()));
    }
    let name = claims.shown_name();
    let email = claims.email.filter(|email| email.len() <= 254).map(|email| shown(&email));
    Ok(LoggedIn { subject: claims.sub, name, email, tokens: Tokens::of(&answer, now) })
}

async fn github_user(web: &Web, api: &str, answer: Answer) -> Result<LoggedIn, LoginError> {
    #[derive(Deserialize)]
    struct User {
        id: u64,
        login: String,
        name: Option<String>,
        email: Option<String>,
    }
    let wrong = |reason: String| LoginError::Provider(format!("GitHub does not say who you are: {reason}"));
    let url = format!("{}/user", api.trim_end_matches('/'));
    let url = Url::parse(&url).map_err(|error| wrong(error.to_string()))?;
    let token = answer.access_token().secret();
    let (user, _): (User, _) = web.get(&url, Some(token)).await.map_err(|error| wrong(chain(&error)))?;
    let name = user.name.filter(|name| !name.trim().is_empty()).unwrap_or(user.login);
    let tokens = Tokens::of(&answer, Timestamp::now());
    Ok(LoggedIn { subject: user.id.to_string(), name: shown(&name), email: user.email, tokens })
}

/// Another access token for a refresh token.
///
/// # Errors
/// Whether the login is over, and the provider's words.
pub(super) async fn refresh(provider: &Provider, refresh: &str) -> Result<Answer, (bool, String)> {
    let ProviderKind::OpenId { issuer, audience, .. } = &provider.kind else {
        return Err((true, "GitHub's logins are not renewed".to_owned()));
    };
    let failed = |reason: String| (false, reason);
    let issuer = issuer_at(issuer).map_err(|error| failed(error.to_string()))?;
    let discovery = issuer.discovery().await.map_err(failed)?;
    let token_url = token_url(&discovery).map_err(|error| failed(error.to_string()))?;
    let client = oauth(provider).set_token_uri(token_url);
    let refresh = RefreshToken::new(refresh.to_owned());
    let mut request = client.exchange_refresh_token(&refresh);
    if let Some(audience) = audience {
        request = request.add_extra_param("resource", audience.as_str());
    }
    request.request_async(issuer.web()).await.map_err(|error| {
        let is_over = matches!(&error, RequestTokenError::ServerResponse(said)
            if matches!(said.error(), BasicErrorResponseType::InvalidGrant | BasicErrorResponseType::InvalidClient));
        (is_over, words(error))
    })
}

/// Tells the provider that a token is not used any more (RFC 7009).
///
/// # Errors
/// Why it was not told, for people.
pub(super) async fn revoke(provider: &Provider, kind: &str, token: &str) -> Result<(), String> {
    let ProviderKind::OpenId { issuer, .. } = &provider.kind else {
        return Err("GitHub's logins are ended in its settings, under Applications".to_owned());
    };
    let issuer = issuer_at(issuer).map_err(|error| error.to_string())?;
    let discovery = issuer.discovery().await?;
    let endpoint = endpoint(discovery.revocation_endpoint.as_deref(), "end logins");
    let endpoint = endpoint.map_err(|error| error.to_string())?;
    let mut fields = vec![("token", token), ("token_type_hint", kind), ("client_id", provider.client_id())];
    fields.extend(provider.client_secret().map(|secret| ("client_secret", secret.as_str())));
    issuer.web().tell(&endpoint, &fields).await.map_err(|error| chain(&error))
}

fn oauth(provider: &Provider) -> OAuth {
    // Public clients name themselves in the body.
    let client =
        OAuth::new(ClientId::new(provider.client_id().to_owned())).set_auth_type(AuthType::RequestBody);
    match provider.client_secret() {
        Some(secret) => client.set_client_secret(ClientSecret::new(secret.clone())),
        None => client,
    }
}

fn issuer_at(address: &str) -> Result<Issuer, LoginError> {
    Issuer::new(address).map_err(|error| LoginError::Provider(chain(&error)))
}

fn token_url(discovery: &Discovery) -> Result<TokenUrl, LoginError> {
    endpoint(discovery.token_endpoint.as_deref(), "give tokens").map(TokenUrl::from_url)
}

fn endpoint(address: Option<&str>, what: &str) -> Result<Url, LoginError> {
    let address = address.ok_or_else(|| LoginError::Provider(format!("the provider does not {what}")))?;
    Url::parse(address).ok().filter(is_safe).ok_or_else(|| {
        LoginError::Provider(format!("the provider's place to {what} is not spoken to with TLS (https)"))
    })
}

/// What is asked for: of the usual ones those that the provider knows.
fn scopes(provider: &Provider, discovery: &Discovery) -> Vec<String> {
    let known = &discovery.scopes_supported;
    let usual = ["profile", "email", "offline_access"].map(str::to_owned);
    let usual = usual.into_iter().filter(|scope| known.is_empty() || known.contains(scope));
    let own = match &provider.kind {
        ProviderKind::OpenId { scopes, .. } => scopes.clone(),
        ProviderKind::GitHub { .. } => Vec::new(),
    };
    let mut all: Vec<String> = std::iter::once("openid".to_owned()).chain(usual).chain(own).collect();
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|scope| seen.insert(scope.clone()));
    all
}

fn refused(error: TokenError, issuer: &Issuer) -> LoginError {
    let is_answer = matches!(error, RequestTokenError::ServerResponse(_));
    let words = words(error);
    let words = issuer.skew().map_or_else(|| words.clone(), |skew| format!("{words} ({skew})"));
    if is_answer { LoginError::Refused(words) } else { LoginError::Provider(words) }
}

type TokenError = RequestTokenError<WebError, BasicErrorResponse>;

/// Why, without what was answered: it may be a token.
fn words<T>(error: RequestTokenError<WebError, StandardErrorResponse<T>>) -> String
where
    T: oauth2::ErrorResponseType + std::fmt::Display + 'static,
{
    match error {
        RequestTokenError::ServerResponse(said) => {
            let about = said.error_description().map(|words| format!(": {words}"));
            shown(&format!("{}{}", said.error(), about.unwrap_or_default()))
        }
        RequestTokenError::Request(error) => chain(&error),
        RequestTokenError::Parse(..) => "it answered with something else than a login".to_owned(),
        RequestTokenError::Other(words) => shown(&words),
    }
}

/// Foreign words, as they may be shown.
pub(super) fn shown(words: &str) -> String {
    words.chars().filter(|letter| !letter.is_control()).take(WORDS_MAX).collect()
}

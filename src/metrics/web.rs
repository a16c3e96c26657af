//! One question to a source over HTTP: bounded in time and size, no redirects, and its login in no error.

use std::error::Error;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use url::Url;

use super::failure::{Failure, said};
use crate::model::causes::chain;
use crate::model::cluster::Trouble;
use crate::model::host::{is_here, is_safe};
use crate::model::metrics::{Access, Login};

mod tls;

/// No question takes longer.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// The largest answer.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// No connection takes longer.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// A query longer than this goes as a form, where that is possible: many proxies refuse longer addresses.
const QUERY_BYTES_MAX: usize = 4 * 1024;
/// The header that names a tenant.
const TENANT: HeaderName = HeaderName::from_static("x-scope-orgid");

/// How much of a source's patience and of our memory one question may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// No question takes longer, its answer included.
    pub answer_max: Duration,
    /// The largest answer, in bytes.
    pub answer_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { answer_max: ANSWER_MAX, answer_bytes_max: ANSWER_BYTES_MAX }
    }
}

/// A question that somebody else carries to the source: a GET.
#[derive(Clone, PartialEq, Eq)]
pub struct Carried {
    /// From the root of the source on: `/prometheus/api/v1/query?query=up`.
    pub path_and_query: String,
    /// What goes with it: `accept`, the tenant, and the login where there is one.
    pub headers: Vec<(String, String)>,
    /// No more bytes of the answer are wanted; one more is enough to tell that it is larger.
    pub answer_bytes_max: usize,
}

/// What it was answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CarriedAnswer {
    /// Of HTTP.
    pub status: u16,
    /// The body.
    pub bytes: Vec<u8>,
    /// As the header has it; may be empty.
    pub content_type: String,
}

/// Carries questions to a source that we cannot reach ourselves: through an API server's proxy, say. Its errors are
/// words for people.
pub type Carrier =
    Arc<dyn Fn(Carried) -> Pin<Box<dyn Future<Output = Result<CarriedAnswer, String>> + Send>> + Send + Sync>;

/// A way to a source over HTTP. Cheap to copy.
#[derive(Clone)]
pub struct Web {
    way: Way,
    /// With a leading slash and without a last one; empty for none.
    base: String,
    headers: HeaderMap,
    /// What must be in no error.
    secrets: Arc<Vec<String>>,
    limits: Limits,
}

#[derive(Clone)]
enum Way {
    /// Scheme, host and port; the path is in `base`.
    Direct(reqwest::Client, Arc<Url>),
    Carried(Carrier),
}

/// One question.
pub(super) struct Ask<'a> {
    /// After the base path, beginning with a slash.
    pub(super) path: &'a str,
    pub(super) fields: &'a [(&'a str, &'a str)],
    /// Whether a form is taken as well.
    pub(super) may_post: bool,
    pub(super) accept: &'static str,
}

/// What was answered, whatever the status.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) status: u16,
    pub(super) content_type: String,
    /// A header that only VictoriaMetrics sends.
    pub(super) names_its_host: bool,
    /// Where a redirect leads, without its query.
    pub(super) location: String,
    pub(super) bytes: Vec<u8>,
}

impl Web {
    /// To an address with the path under which the source is, if any: `https://metrics.example/prometheus`.
    ///
    /// `secret`: the token or password, where `access` has a login.
    ///
    /// # Errors
    /// When the address, the login or a file of certificates cannot be used. A login goes to `https://` or to this
    /// machine only.
    pub fn new(url: &str, access: &Access, secret: Option<&str>) -> Result<Self, Trouble> {
        let url = checked(url)?;
        if access.login != Login::None && !is_safe(&url) {
            return Err(Failure::Address(
                "a login would go over the network where others can read it; use https://".to_owned(),
            )
            .into());
        }
        let builder = speaker(access)?;
        let here = url.host_str().is_some_and(is_here);
        let builder = if here { builder.no_proxy() } else { builder };
        Self::direct(builder, url, access, secret)
    }

    /// Over a Unix socket, on which something leads to the source: a port-forward, say. `host` is what the source is
    /// told that it is called; `base_path` as in an address, or empty.
    ///
    /// # Errors
    /// As [`Self::new`].
    #[cfg(unix)]
    pub fn over_socket(
        path: &std::path::Path,
        host: &str,
        base_path: &str,
        access: &Access,
        secret: Option<&str>,
    ) -> Result<Self, Trouble> {
        let url = checked(&format!("http://{host}/{}", base_path.trim_start_matches('/')))?;
        let builder = speaker(access)?.no_proxy().unix_socket(path);
        Self::direct(builder, url, access, secret)
    }

    /// By a carrier; `path` is that under which the source is, or empty. Always a GET.
    ///
    /// An API server's proxy takes a login for its own: whoever carries through one has to refuse such an `access`.
    ///
    /// # Errors
    /// When the login cannot be used.
    pub fn carried(
        carrier: Carrier,
        path: &str,
        access: &Access,
        secret: Option<&str>,
    ) -> Result<Self, Trouble> {
        let url = checked(&format!("http://carried/{}", path.trim_start_matches('/')))?;
        let (headers, secrets) = headers(access, secret)?;
        Ok(Self {
            way: Way::Carried(carrier),
            base: base_of(&url),
            headers,
            secrets: Arc::new(secrets),
            limits: Limits::default(),
        })
    }

    /// With other limits.
    #[must_use]
    pub fn within(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// To what is under this path of it: `/api/datasources/proxy/uid/x`.
    pub(super) fn under(&self, path: &str) -> Self {
        let mut under = self.clone();
        under.base.push_str(path);
        under
    }

    fn direct(
        builder: reqwest::ClientBuilder,
        url: Url,
        access: &Access,
        secret: Option<&str>,
    ) -> Result<Self, Trouble> {
        let (headers, secrets) = headers(access, secret)?;
        let client = builder.build().map_err(|error| Failure::NoAnswer(chain(&error)))?;
        Ok(Self {
            way: Way::Direct(client, Arc::new(url.clone())),
            base: base_of(&url),
            headers,
            secrets: Arc::new(secrets),
            limits: Limits::default(),
        })
    }

    /// What must be in no error.
    pub(super) fn secrets(&self) -> &[String] {
        &self.secrets
    }

    /// Asks, and takes the answer whatever its status.
    pub(super) async fn ask(&self, ask: &Ask<'_>) -> Result<Page, Failure> {
        let limit = self.limits.answer_max;
        let page = async {
            match &self.way {
                Way::Direct(client, origin) => self.sent(client, origin, ask).await,
                Way::Carried(carrier) => self.given(carrier, ask).await,
            }
        };
        tokio::time::timeout(limit, page).await.unwrap_or(Err(Failure::Slow(limit)))
    }

    async fn sent(&self, client: &reqwest::Client, origin: &Url, ask: &Ask<'_>) -> Result<Page, Failure> {
        let mut url = origin.clone();
        url.set_path(&format!("{}{}", self.base, ask.path));
        let fields = form(ask.fields);
        let request = if ask.may_post && fields.len() > QUERY_BYTES_MAX {
            client.post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(fields)
        } else {
            url.set_query((!fields.is_empty()).then_some(&fields));
            client.get(url)
        };
        let request = request.headers(self.headers.clone()).header(ACCEPT, ask.accept);
        let response = request.send().await.map_err(|error| self.no_answer(error))?;
        let text = |name: HeaderName| {
            let value = response.headers().get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let mut page = Page {
            status: response.status().as_u16(),
            content_type: text(CONTENT_TYPE),
            names_its_host: response.headers().contains_key("x-server-hostname"),
            location: destination(&response, &text(LOCATION)),
            bytes: Vec::new(),
        };
        page.bytes = self.whole(response).await?;
        Ok(page)
    }

    async fn whole(&self, mut response: reqwest::Response) -> Result<Vec<u8>, Failure> {
        let most = self.limits.answer_bytes_max;
        if response.content_length().is_some_and(|length| length > most as u64) {
            return Err(Failure::Large(most));
        }
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|error| self.no_answer(error))? {
            if body.len() + part.len() > most {
                return Err(Failure::Large(most));
            }
            body.extend_from_slice(&part);
        }
        Ok(body)
    }

    async fn given(&self, carrier: &Carrier, ask: &Ask<'_>) -> Result<Page, Failure> {
        let fields = form(ask.fields);
        let mark = if fields.is_empty() { "" } else { "?" };
        let mut headers = vec![("accept".to_owned(), ask.accept.to_owned())];
        for (name, value) in &self.headers {
            let value = value.to_str().unwrap_or_default().to_owned();
            headers.push((name.as_str().to_owned(), value));
        }
        let path = format!("{}{}", self.base, ask.path);
        let path = if path.is_empty() { "/" } else { &path };
        let carried = Carried {
            path_and_query: format!("{path}{mark}{fields}"),
            headers,
            answer_bytes_max: self.limits.answer_bytes_max,
        };
        let answer = carrier(carried).await.map_err(|error| Failure::Way(said(&error, &self.secrets)))?;
        if answer.bytes.len() > self.limits.answer_bytes_max {
            return Err(Failure::Large(self.limits.answer_bytes_max));
        }
        Ok(Page {
            status: answer.status,
            content_type: answer.content_type,
            names_its_host: false,
            location: "another address".to_owned(),
            bytes: answer.bytes,
        })
    }

    fn no_answer(&self, error: reqwest::Error) -> Failure {
        let error = error.without_url();
        let cause = said(&chain(&error), &self.secrets);
        let causes = sources(&error);
        if causes.iter().any(|cause| is_distrust(*cause)) {
            return Failure::Untrusted(cause);
        }
        let kind = causes.iter().find_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
        let lower = cause.to_lowercase();
        match kind {
            Some(io::ErrorKind::ConnectionRefused) => Failure::Refused(cause),
            _ if lower.contains("dns error") || lower.contains("failed to lookup address") => {
                Failure::Name(cause)
            }
            _ => Failure::NoAnswer(cause),
        }
    }
}

impl Page {
    /// The page if it is a success, and else why it is none.
    pub(super) fn success(self, secrets: &[String]) -> Result<Self, Failure> {
        if (200..300).contains(&self.status) {
            return if self.is_web_page() { Err(Failure::Page) } else { Ok(self) };
        }
        let said = self.said(secrets);
        Err(match self.status {
            300..400 => Failure::Redirected(self.location),
            401 => Failure::LoginRefused(said),
            403 => Failure::Forbidden(said),
            404 => Failure::NotFound(said),
            429 => Failure::TooOften(said),
            400 | 422 if !said.is_empty() => Failure::Query(said),
            code @ 500.. => Failure::Unwell(code, said),
            code => Failure::Status(code, said),
        })
    }

    fn is_web_page(&self) -> bool {
        let kind = self.content_type.trim_start().to_ascii_lowercase();
        kind.starts_with("text/html") || self.bytes.trim_ascii_start().starts_with(b"<")
    }

    /// What it says for people: in JSON, or as plain text; nothing of a web page.
    fn said(&self, secrets: &[String]) -> String {
        if self.is_web_page() {
            return String::new();
        }
        let told = super::wire::told(&self.bytes);
        told.map_or_else(|| said(&String::from_utf8_lossy(&self.bytes), secrets), |told| said(&told, secrets))
    }
}

impl fmt::Debug for Web {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = match &self.way {
            Way::Direct(_, origin) => origin.as_str(),
            Way::Carried(_) => "carried",
        };
        f.debug_struct("Web").field("way", &way).field("base", &self.base).finish_non_exhaustive()
    }
}

/// Without what may be a login.
impl fmt::Debug for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Carried").field("path_and_query", &self.path_and_query).finish_non_exhaustive()
    }
}

fn speaker(access: &Access) -> Result<reqwest::ClientBuilder, Failure> {
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls::config(&access.tls)?)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("Meshbench/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_MAX))
}

/// An address that a source can have.
fn checked(address: &str) -> Result<Url, Failure> {
    let address = address.trim();
    let url = Url::parse(address).map_err(|error| Failure::Address(format!("{address}: {error}")))?;
    let wrong = |what: &str| Err(Failure::Address(what.to_owned()));
    if !["http", "https"].contains(&url.scheme()) {
        return wrong("it begins with neither http:// nor https://");
    }
    if url.host_str().unwrap_or_default().is_empty() {
        return wrong("it names no host");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return wrong("it holds a user or password; enter these as the source's login");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return wrong("it has a query or a fragment; leave out what follows ? or #");
    }
    Ok(url)
}

fn base_of(url: &Url) -> String {
    url.path().trim_end_matches('/').to_owned()
}

/// What goes with every question, and what of it must be in no error.
fn headers(access: &Access, secret: Option<&str>) -> Result<(HeaderMap, Vec<String>), Failure> {
    let (mut headers, mut secrets) = (HeaderMap::new(), Vec::new());
    let secret = secret.map(str::trim).filter(|secret| !secret.is_empty());
    let login = match (&access.login, secret) {
        (Login::None, _) => None,
        (Login::Bearer, None) => return Err(Failure::Secret("there is no token".to_owned())),
        (Login::Bearer, Some(token)) => Some(format!("Bearer {token}")),
        (Login::Basic { user }, _) if user.contains(':') => {
            return Err(Failure::Secret("a user's name cannot have a colon".to_owned()));
        }
        (Login::Basic { user }, password) => {
            let both = BASE64_STANDARD.encode(format!("{user}:{}", password.unwrap_or_default()));
            secrets.push(both.clone());
            Some(format!("Basic {both}"))
        }
    };
    secrets.extend(secret.map(str::to_owned));
    if let Some(login) = login {
        let mut value = HeaderValue::try_from(login)
            .map_err(|_| Failure::Secret("it has characters that no login has".to_owned()))?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    let tenant = access.tenant.trim();
    if !tenant.is_empty() {
        let value = HeaderValue::try_from(tenant)
            .map_err(|_| Failure::Address("the tenant has characters that no header has".to_owned()))?;
        headers.insert(TENANT, value);
    }
    Ok((headers, secrets))
}

fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// Where a redirect leads, without its query.
fn destination(response: &reqwest::Response, to: &str) -> String {
    match response.url().join(to) {
        Ok(mut url) => {
            url.set_query(None);
            url.set_fragment(None);
            said(url.as_str(), &[])
        }
        Err(_) => "nowhere that can be read".to_owned(),
    }
}

/// An error, and all that caused it.
fn sources<'a>(error: &'a (dyn Error + 'static)) -> Vec<&'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source()).collect()
}

/// Whether TLS failed because of who answered; also within errors of the system that were made of it.
fn is_distrust(error: &(dyn Error + 'static)) -> bool {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return matches!(tls, rustls::Error::InvalidCertificate(_));
    }
    let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    inner.is_some_and(|inner| is_distrust(inner))
}

#[cfg(test)]
mod tests;

//! What is sent.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{
    BODY_BYTES_MAX, Field, Problem, REDACTED, check_basic_auth, check_cookie, check_header, check_method,
};

/// The most requests among which a plan chooses.
pub const VARIANTS_MAX: usize = 64;
/// The largest weight of one of them.
const WEIGHT_MAX: f64 = 1_000_000.0;
/// The largest data file, in bytes.
pub const DATA_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The most rows of a data file.
pub const DATA_ROWS_MAX: usize = 1_000_000;
/// The most columns of a data file.
pub const DATA_COLUMNS_MAX: usize = 256;
/// The most redirects that one request follows.
pub const REDIRECTS_MAX: u8 = 20;
/// The largest payload of a datagram: what fits into one over IPv4, less the number that is put before it.
pub const DATAGRAM_BYTES_MAX: usize = 65_507 - 8;

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// `GET`, `POST`, …
    #[serde(default = "default_method")]
    pub method: String,
    /// In the order in which they are sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<Header>,
    /// Sent as one `Cookie` header.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cookies: Vec<Cookie>,
    /// Sent as an `Authorization` header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic_auth: Option<BasicAuth>,
    /// Sent as a `Content-Type` header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// The body.
    #[serde(default, skip_serializing_if = "Body::is_empty")]
    pub body: Body,
    /// The call, where the protocol is gRPC; headers are then its metadata, and the body is not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grpc: Option<Grpc>,
}

/// A gRPC call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grpc {
    /// `package.Service/Method`.
    pub method: String,
    /// The request message as JSON (the mapping of proto3).
    #[serde(default = "empty_message")]
    pub message: String,
}

/// One of several requests, chosen at random by weight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// What tables call it.
    pub name: String,
    /// How often it is chosen, against the other weights.
    #[serde(default = "one")]
    pub weight: f64,
    /// Where it goes, if not to the plan's URL: a whole URL, of any host, or a path. Each of the plan's connections is
    /// then one to every scheme, host and port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What is sent.
    #[serde(default)]
    pub request: Request,
}

/// Rows whose columns stand in for `{{name}}` in path and query, headers, cookies, body and gRPC message.
///
/// Path and query are percent-encoded (`{{raw name}}` is not), a body and a message are filled as they are, and
/// `{{json name}}` is the inside of a JSON string: `{"user": "{{json name}}"}`. What needs no data: `{{$n}}` (the
/// number of the request, from 0), `{{$uuid}}`, `{{$random 1 100}}` (both ends included), `{{$time_ms}}` (since 1970).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// CSV with a line of names first, or JSON objects (`.jsonl`, `.ndjson`, `.json`), one a line or all in one array.
    pub file: PathBuf,
    /// Which row is next.
    #[serde(default, skip_serializing_if = "Order::is_default")]
    pub order: Order,
}

/// Which row of a data file is next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// One after another, from the first again after the last.
    #[default]
    InTurn,
    /// Any.
    Random,
}

/// What is remembered from an answer to the next request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Session {
    /// Whether cookies that an answer sets are sent with later requests of the same connection's slot, to the
    /// same scheme, host and port.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub keep_cookies: bool,
    /// Redirects that a request follows at most; 0 for none, so that the redirect is the answer. All that follows is
    /// one request, with the status of the last answer: one redirect too many, or one that leads away from the
    /// request's scheme, host and port, is that answer. Load goes only where the plan says.
    #[serde(skip_serializing_if = "is_zero")]
    pub follow_redirects: u8,
}

/// One request header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// A secret value never reaches a record, a report or an exported plan.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub secret: bool,
}

/// One cookie. Its value is a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cookie {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// HTTP basic authentication. The password is a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BasicAuth {
    /// User name; holds no colon.
    pub user: String,
    /// Password.
    pub password: String,
}

/// A request body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// None.
    #[default]
    Empty,
    /// This text.
    Text(String),
    /// The bytes of this file, read when the run starts.
    File(PathBuf),
}

impl Variant {
    /// # Errors
    /// Why it cannot be one of a plan for `target`.
    pub(super) fn check(&self, target: &str, templates: bool) -> Result<(), String> {
        if self.name.is_empty() || self.name.chars().count() > 120 || self.name.chars().any(char::is_control)
        {
            return Err("a name of 1 to 120 characters is missing".to_owned());
        }
        if !(0.0..=WEIGHT_MAX).contains(&self.weight) {
            return Err("a weight is a number from 0 to 1 000 000".to_owned());
        }
        if let Some(text) = &self.url {
            self.check_url(text, target)?;
        }
        self.request.problems(templates).into_iter().next().map_or(Ok(()), |problem| Err(problem.reason))
    }

    fn check_url(&self, text: &str, target: &str) -> Result<(), String> {
        // A target that is no URL has a problem of its own.
        let Ok(base) = url::Url::parse(target) else { return Ok(()) };
        if !matches!(base.scheme(), "http" | "https") {
            return Err("an echo has no paths; leave the URL out".to_owned());
        }
        if text.contains("://") {
            super::check_url(text)?;
        } else if !text.starts_with('/') || text.starts_with("//") {
            return Err("write a whole URL, or a path that begins with one /".to_owned());
        }
        let url = base.join(text).map_err(|error| format!("this is not a URL: {error}"))?;
        if matches!(url.scheme(), "http" | "https") {
            Ok(())
        } else {
            Err("beside HTTP, a request can go to HTTP only: http:// or https://".to_owned())
        }
    }
}

impl Request {
    /// Everything that keeps this from being sent; `templates`: whether `{{name}}` stands for something.
    pub(super) fn problems(&self, templates: bool) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut check = |field, result: Result<(), String>| {
            if let Err(reason) = result {
                found.push(Problem { field, reason });
            }
        };
        check(Field::Method, check_method(&self.method));
        for (at, header) in self.headers.iter().enumerate() {
            check(Field::Header(at), check_header(&header.name, &header.value));
        }
        for (at, cookie) in self.cookies.iter().enumerate() {
            let fixed = if templates { without_templates(&cookie.value) } else { cookie.value.clone() };
            check(Field::Cookie(at), check_cookie(&Cookie { name: cookie.name.clone(), value: fixed }));
        }
        if let Some(auth) = &self.basic_auth {
            check(Field::BasicAuth, check_basic_auth(auth));
        }
        if let Some(value) = &self.content_type {
            check(Field::ContentType, check_header("Content-Type", value));
        }
        check(Field::Body, check_body(&self.body));
        found
    }

    /// Puts [`REDACTED`] in the place of every secret.
    pub(super) fn redact(&mut self) {
        for header in &mut self.headers {
            if header.is_secret() {
                header.secret = true;
                REDACTED.clone_into(&mut header.value);
            }
        }
        for cookie in &mut self.cookies {
            REDACTED.clone_into(&mut cookie.value);
        }
        if let Some(auth) = &mut self.basic_auth {
            REDACTED.clone_into(&mut auth.password);
        }
    }
}

/// The text with each `{{…}}` left out.
fn without_templates(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((_, behind)) = after.split_once("}}") else { break };
        kept.push_str(before);
        rest = behind;
    }
    kept + rest
}

fn check_body(body: &Body) -> Result<(), String> {
    match body {
        Body::Text(text) if text.len() as u64 > BODY_BYTES_MAX => {
            Err("the body is larger than 16 MiB".to_owned())
        }
        Body::File(path) if path.as_os_str().is_empty() => Err("a file for the body is missing".to_owned()),
        _ => Ok(()),
    }
}

impl Header {
    /// Marked secret, or one that usually holds a credential.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        const CREDENTIALS: [&str; 6] =
            ["authorization", "cookie", "proxy-authorization", "x-api-key", "x-auth-token", "x-csrf-token"];
        self.secret || CREDENTIALS.iter().any(|name| self.name.eq_ignore_ascii_case(name))
    }
}

impl Body {
    /// Whether nothing is sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }
}

impl Order {
    fn is_default(&self) -> bool {
        *self == Self::InTurn
    }
}

impl Session {
    /// # Errors
    /// Why so much cannot be remembered.
    pub(super) fn check(self) -> Result<(), String> {
        if self.follow_redirects > REDIRECTS_MAX {
            return Err(format!("at most {REDIRECTS_MAX} redirects can be followed"));
        }
        Ok(())
    }

    /// Whether anything is remembered from an answer.
    #[must_use]
    pub fn is_kept(self) -> bool {
        self.keep_cookies || self.follow_redirects > 0
    }

    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for Request {
    fn default() -> Self {
        Self {
            method: default_method(),
            headers: Vec::new(),
            cookies: Vec::new(),
            basic_auth: None,
            content_type: None,
            body: Body::Empty,
            grpc: None,
        }
    }
}

fn default_method() -> String {
    "GET".to_owned()
}

fn empty_message() -> String {
    "{}".to_owned()
}

fn one() -> f64 {
    1.0
}

fn is_zero(count: &u8) -> bool {
    *count == 0
}

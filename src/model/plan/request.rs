//! What is sent.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The most requests among which a plan chooses.
pub const VARIANTS_MAX: usize = 64;
/// The largest data file, in bytes.
pub const DATA_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The most redirects that one request follows.
pub const REDIRECTS_MAX: u8 = 20;

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
    /// Where it goes, if not to the plan's URL: a whole URL, or a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What is sent.
    #[serde(default)]
    pub request: Request,
}

/// Rows whose columns stand in for `{{name}}` in path, headers, body and gRPC message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// CSV with a line of names first (`.csv`), or one JSON object a line (`.jsonl`, `.ndjson`, `.json`).
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
    /// Whether cookies that an answer sets are sent with later requests of the same connection's slot.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub keep_cookies: bool,
    /// Redirects that a request follows at most; 0 for none, so that the redirect is the answer.
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

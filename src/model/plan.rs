//! A plan: one load test as data. Also the TOML that people save and share.

mod curve;
mod pacing;
mod replay;
mod request;
mod stage;
mod target;
mod wire;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use super::{Goal, Labels, duration};

pub use curve::{ClosedLoop, Curve, PER_REQUEST, scaled};
pub use pacing::{
    Arrivals, Pacing, Profile, STAGE_MAX, STAGE_MIN, STAGE_NAME_MAX, STAGES_MAX, STEPS_MAX, Shape, Stage,
    Stop, check_profile, check_stage,
};
pub use replay::{REPLAY_BYTES_MAX, REPLAY_TIMES_MAX, parse_replay};
pub use request::{
    BasicAuth, Body, Cookie, DATA_BYTES_MAX, DATA_COLUMNS_MAX, DATA_ROWS_MAX, DATAGRAM_BYTES_MAX, Data, Grpc,
    Header, Order, REDIRECTS_MAX, Request, Session, VARIANTS_MAX, Variant,
};
pub use target::{
    ClientCertificate, ClusterNote, Family, Protocol, RESOLVE_MAX, Reach, Resolve, Reuse, Route, STREAMS_MAX,
    Schema, ServiceTarget, Target, TargetKind, Tls, Tunnel,
};
pub use wire::{
    GRPC_HEALTH, GRPC_MESSAGE_BYTES_MAX, IN_FLIGHT_MAX, check_grpc_method, check_metadata, check_streams,
};

/// The version of the plan format that this program writes.
pub const PLAN_VERSION: u32 = 2;
/// The oldest version of the plan format that this program reads; each later one only added to it.
const PLAN_VERSION_OLDEST: u32 = 1;
/// Stands for a secret in every record, report and exported plan.
pub const REDACTED: &str = "•••";
/// As [`REDACTED`], within a URL.
const REDACTED_IN_URL: &str = "redacted";
/// The most connections that one run opens.
pub const CONNECTIONS_MAX: u32 = 10_000;
/// The highest rate, in requests per second.
pub const RATE_MAX: f64 = 1_000_000.0;
/// The lowest rate, in requests per second: less than one in the longest run.
pub const RATE_MIN: f64 = 1e-6;
/// The largest request body, in bytes.
pub const BODY_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// The largest plan file, in bytes (a body text included).
pub const PLAN_BYTES_MAX: u64 = 20 * 1024 * 1024;

/// One load test: target, request, pacing and when to stop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`PLAN_VERSION`] of the writer; a newer one is refused.
    pub version: u32,
    /// What a person calls it; may be empty.
    #[serde(default)]
    pub name: String,
    /// How many connections are kept open at most; also the bound of requests in flight.
    #[serde(default = "default_connections")]
    pub connections: u32,
    /// Requests due in this first stretch are sent but not counted.
    #[serde(default, with = "duration::serde_text")]
    pub warmup: Duration,
    /// How long one request may take from being sent to its last byte.
    #[serde(default = "default_timeout", with = "duration::serde_text")]
    pub timeout: Duration,
    /// What must be reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub goals: Vec<Goal>,
    /// Whether the run ends as soon as one of the goals cannot be reached any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub give_up: bool,
    /// Where the load goes.
    pub target: Target,
    /// What is sent.
    #[serde(default)]
    pub request: Request,
    /// Further requests among which each due one is chosen by weight; `request` is then not sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<Variant>,
    /// Whether `{{name}}` in path, headers, body and message stands for something; always with `data`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub templates: bool,
    /// The rows that templates are filled from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Data>,
    /// What is remembered from an answer to the next request.
    #[serde(default, skip_serializing_if = "Session::is_default")]
    pub session: Session,
    /// When requests are due.
    #[serde(default)]
    pub pacing: Pacing,
    /// When it ends.
    #[serde(default)]
    pub stop: Stop,
    /// Given to every run of this plan.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
}

/// A field of a plan, so that a form can put a reason beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// `target.url`
    Url,
    /// `target.protocol`
    Protocol,
    /// `target.tls`
    Tls,
    /// `target.reach`
    Reach,
    /// `target.reuse`
    Reuse,
    /// `request.grpc`
    Grpc,
    /// `request.method`
    Method,
    /// `request.headers[n]`
    Header(usize),
    /// `request.cookies[n]`
    Cookie(usize),
    /// `request.basic_auth`
    BasicAuth,
    /// `request.content_type`
    ContentType,
    /// `request.body`
    Body,
    /// `variants[n]`; none for all of them together.
    Variant(Option<usize>),
    /// `data`
    Data,
    /// `session`
    Session,
    /// `pacing.rate_per_sec`
    Rate,
    /// `connections`
    Connections,
    /// `stop`
    Stop,
    /// `warmup`
    Warmup,
    /// `timeout`
    Timeout,
    /// `labels`
    Labels,
    /// `name`
    Name,
}

/// What is wrong with a field of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub field: Field,
    /// What, and what would be right; a sentence without a full stop.
    pub reason: String,
}

impl Plan {
    /// A plan for `url` with every default.
    #[must_use]
    pub fn for_url(url: &str) -> Self {
        Self {
            version: PLAN_VERSION,
            name: String::new(),
            connections: default_connections(),
            warmup: Duration::ZERO,
            timeout: default_timeout(),
            goals: Vec::new(),
            give_up: false,
            target: Target { url: url.to_owned(), ..Target::default() },
            request: Request::default(),
            variants: Vec::new(),
            templates: false,
            data: None,
            session: Session::default(),
            pacing: Pacing::default(),
            stop: Stop::default(),
            labels: Labels::new(),
        }
    }

    /// Everything that keeps this plan from being run; empty when it can be.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut check = |field, result: Result<(), String>| {
            if let Err(reason) = result {
                found.push(Problem { field, reason });
            }
        };
        check(Field::Name, check_name(&self.name));
        check(Field::Url, check_url(&self.target.url));
        check(Field::Tls, target::check_tls(&self.target.tls));
        check(Field::Reach, target::check_reach(&self.target.reach, &self.target.url));
        check(Field::Reuse, self.target.reuse.map_or(Ok(()), target::check_reuse));
        found.extend(self.request.problems(self.has_templates()));
        found.extend(self.sent_problems());
        let mut check = |field, result: Result<(), String>| {
            if let Err(reason) = result {
                found.push(Problem { field, reason });
            }
        };
        check(Field::Rate, self.pacing.check());
        check(Field::Connections, check_connections(self.connections));
        check(Field::Stop, check_stop(self.stop));
        check(Field::Timeout, check_timeout(self.timeout));
        check(Field::Labels, self.labels.iter().try_for_each(|(key, value)| check_label(key, value)));
        found.extend(wire::problems(self));
        found
    }

    /// What is wrong with variants, data and session.
    fn sent_problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut check = |field, result: Result<(), String>| {
            if let Err(reason) = result {
                found.push(Problem { field, reason });
            }
        };
        check(Field::Variant(None), self.check_variants());
        for (at, variant) in self.variants.iter().enumerate().take(VARIANTS_MAX) {
            let checked = variant.check(&self.target.url, self.has_templates());
            check(
                Field::Variant(Some(at)),
                checked.map_err(|reason| format!("“{}”: {reason}", variant.name)),
            );
        }
        if self.data.as_ref().is_some_and(|data| data.file.as_os_str().is_empty()) {
            check(Field::Data, Err("a data file is missing".to_owned()));
        }
        check(Field::Session, self.session.check());
        if self.is_echo() && self.session.is_kept() {
            check(Field::Session, Err("an echo has no cookies and no redirects".to_owned()));
        }
        found
    }

    fn check_variants(&self) -> Result<(), String> {
        if self.variants.len() > VARIANTS_MAX {
            return Err(format!("a plan has at most {VARIANTS_MAX} requests"));
        }
        if !self.variants.is_empty() && self.variants.iter().all(|variant| variant.weight <= 0.0) {
            return Err("no request has a weight above 0".to_owned());
        }
        Ok(())
    }

    /// Whether `{{name}}` stands for something.
    #[must_use]
    pub fn has_templates(&self) -> bool {
        self.templates || self.data.is_some()
    }

    /// One URL of each scheme, host and port that requests go to, in the order of the requests; empty while none is a
    /// URL.
    #[must_use]
    pub fn origins(&self) -> Vec<Url> {
        let Ok(base) = Url::parse(&self.target.url) else { return Vec::new() };
        let named: Vec<Url> = match self.variants.as_slice() {
            [] => vec![base],
            variants => variants
                .iter()
                .filter_map(|variant| base.join(variant.url.as_deref().unwrap_or("")).ok())
                .collect(),
        };
        let mut origins: Vec<Url> = Vec::new();
        for url in named {
            if !origins.iter().any(|origin| is_same_origin(origin, &url)) {
                origins.push(url);
            }
        }
        origins
    }

    /// Whether the target sends back what it is sent (`tcp://` and `udp://`), and speaks no HTTP.
    #[must_use]
    pub fn is_echo(&self) -> bool {
        let scheme = self.target.url.split_once("://").map_or("", |(scheme, _)| scheme);
        ["tcp", "udp"].iter().any(|echo| scheme.trim().eq_ignore_ascii_case(echo))
    }

    /// How long counted requests are due by plan; none where answers or chance decide.
    #[must_use]
    pub fn counted_length(&self) -> Option<Duration> {
        if matches!(self.pacing, Pacing::Replay { .. }) {
            return None;
        }
        let own = self.pacing.own_length();
        match self.stop {
            Stop::Duration(length) => Some(own.map_or(length, |own| own.min(length))),
            Stop::Requests(_) if self.pacing.is_random() || self.pacing.has_closed_loop() => None,
            Stop::Requests(count) => self.pacing.due(count).or(own),
            Stop::Never => own,
        }
    }

    /// A copy in which every secret is [`REDACTED`]: what records, reports and exports hold.
    #[must_use]
    pub fn redacted(&self) -> Self {
        let mut plan = self.clone();
        plan.target.redact();
        plan.request.redact();
        for variant in &mut plan.variants {
            variant.url = variant.url.as_deref().map(redacted_url);
            variant.request.redact();
        }
        plan
    }

    /// The plan with the secrets of another, where both send the same to the same place. A plan that goes elsewhere gets
    /// none: whoever changed it may not know them.
    #[must_use]
    pub fn with_secrets_of(&self, other: &Self) -> Self {
        let hidden = other.redacted();
        let goes = |plan: &Self| {
            let urls: Vec<_> = plan.variants.iter().map(|variant| variant.url.clone()).collect();
            (plan.target.clone(), urls)
        };
        if goes(self) != goes(&hidden) {
            return self.clone();
        }
        let values = (serde_json::to_value(self), serde_json::to_value(&hidden), serde_json::to_value(other));
        let (Ok(mut plan), Ok(hidden), Ok(other)) = values else { return self.clone() };
        reveal(&mut plan, &hidden, &other);
        serde_json::from_value(plan).unwrap_or_else(|_| self.clone())
    }

    /// The plan as TOML, secrets as they are. Share [`Plan::redacted`] instead.
    ///
    /// # Panics
    /// Never: every field of a plan has a TOML form.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let plan = Self { version: PLAN_VERSION, ..self.clone() };
        toml::to_string_pretty(&plan).expect("every field of a plan has a TOML form")
    }

    /// Reads a plan from TOML.
    ///
    /// # Errors
    /// What is wrong, with the line, in words for a person.
    pub fn from_toml(text: &str) -> Result<Self, String> {
        if text.len() as u64 > PLAN_BYTES_MAX {
            return Err("the file is too large for a plan (limit 20 MiB)".to_owned());
        }
        let raw: toml::Table = toml::from_str(text)
            .map_err(|error| format!("this is not TOML: {}", toml_words(&error, text)))?;
        match raw.get("version").and_then(toml::Value::as_integer) {
            Some(version)
                if (i64::from(PLAN_VERSION_OLDEST)..=i64::from(PLAN_VERSION)).contains(&version) => {}
            Some(version) if version > i64::from(PLAN_VERSION) => {
                return Err(format!(
                    "the plan has version {version}; this Meshbench reads versions up to {PLAN_VERSION}"
                ));
            }
            _ => {
                return Err(format!(
                    "the plan names no known version; its first line should be: version = {PLAN_VERSION}"
                ));
            }
        }
        let plan: Self = toml::from_str(text)
            .map_err(|error| format!("this plan cannot be read: {}", toml_words(&error, text)))?;
        // What ends by itself is not cut by a default that nobody wrote.
        let is_free = plan.pacing.ends_by_itself() && !raw.contains_key("stop");
        let stop = if is_free { Stop::Never } else { plan.stop };
        Ok(Self { version: PLAN_VERSION, stop, ..plan })
    }
}

/// What is wrong, and in which line. Not the line itself, as the library would show it: it may hold a secret.
fn toml_words(error: &toml::de::Error, text: &str) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    match before.map(|before| before.matches('\n').count() + 1) {
        Some(line) => format!("line {line}: {}", error.message()),
        None => error.message().to_owned(),
    }
}

/// Whether both lead to the same scheme, host and port.
#[must_use]
pub fn is_same_origin(one: &Url, other: &Url) -> bool {
    // Not by the library's own notion: by that, each URL of a scheme that it does not know is alone.
    (one.scheme(), one.host(), one.port_or_known_default())
        == (other.scheme(), other.host(), other.port_or_known_default())
}

/// # Errors
/// Why this cannot be loaded.
pub fn check_url(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("a URL is missing, for example http://localhost:8080/".to_owned());
    }
    if text.len() > 8192 {
        return Err("the URL is longer than 8192 characters".to_owned());
    }
    let url = url::Url::parse(text).map_err(|error| {
        if text.contains("://") {
            format!("this is not a URL: {error}")
        } else {
            format!("write the scheme too, for example http://{text}")
        }
    })?;
    if !text.contains("://") {
        // `localhost:8080` parses, with the scheme `localhost`.
        return Err(format!("write the scheme too, for example http://{text}"));
    }
    if !matches!(url.scheme(), "http" | "https" | "tcp" | "udp") {
        return Err(format!("{} is not supported; use http, https, tcp or udp", url.scheme()));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("the URL names no host".to_owned());
    }
    if matches!(url.scheme(), "tcp" | "udp") {
        check_echo(&url)?;
    }
    if url.password() == Some(REDACTED_IN_URL) || url.username() == REDACTED_IN_URL {
        return Err(
            "the credentials in the URL were not kept because they are secret; enter them again".to_owned()
        );
    }
    Ok(())
}

/// Of an echo, a URL says host and port and nothing else.
fn check_echo(url: &url::Url) -> Result<(), String> {
    let scheme = url.scheme();
    if url.port().is_none_or(|port| port == 0) {
        return Err(format!("name the port too, for example {scheme}://localhost:7"));
    }
    let more = !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some();
    if more || !url.username().is_empty() || url.password().is_some() {
        return Err(format!(
            "{scheme} has a host and a port and nothing else, for example {scheme}://localhost:7"
        ));
    }
    Ok(())
}

/// # Errors
/// Why this is no HTTP method.
pub fn check_method(method: &str) -> Result<(), String> {
    if method.is_empty() {
        return Err("a method is missing, for example GET".to_owned());
    }
    if method == "CONNECT" {
        return Err("CONNECT opens a tunnel and has no answer to measure".to_owned());
    }
    if is_token(method) { Ok(()) } else { Err(format!("“{method}” is not an HTTP method")) }
}

/// # Errors
/// Why this header cannot be sent.
pub fn check_header(name: &str, value: &str) -> Result<(), String> {
    const FRAMING: [&str; 4] = ["content-length", "transfer-encoding", "connection", "expect"];
    if !is_token(name) {
        return Err(if name.is_empty() {
            "a header has no name".to_owned()
        } else {
            format!("“{name}” is not a header name")
        });
    }
    if FRAMING.iter().any(|framing| name.eq_ignore_ascii_case(framing)) {
        return Err(format!("{name} is set by Meshbench itself"));
    }
    if value == REDACTED {
        return Err(format!("the value of {name} was not kept because it is secret; enter it again"));
    }
    if !value.chars().all(|c| c == '\t' || (c >= ' ' && c != '\u{7f}')) {
        return Err(format!("the value of {name} holds a line break or control character"));
    }
    Ok(())
}

/// # Errors
/// Why this cookie cannot be sent.
pub fn check_cookie(cookie: &Cookie) -> Result<(), String> {
    if !is_token(&cookie.name) {
        return Err(if cookie.name.is_empty() {
            "a cookie has no name".to_owned()
        } else {
            format!("“{}” is not a cookie name", cookie.name)
        });
    }
    if cookie.value == REDACTED {
        return Err(format!(
            "the value of cookie {} was not kept because it is secret; enter it again",
            cookie.name
        ));
    }
    let allowed = |c: char| c.is_ascii_graphic() && !matches!(c, ';' | ',' | '\\' | '"');
    if cookie.value.chars().all(allowed) {
        Ok(())
    } else {
        Err(format!("the value of cookie {} holds a character that cookies cannot carry", cookie.name))
    }
}

/// # Errors
/// Why these credentials cannot be sent.
pub fn check_basic_auth(auth: &BasicAuth) -> Result<(), String> {
    if auth.user.contains(':') {
        return Err("a user name for basic authentication cannot hold a colon".to_owned());
    }
    if auth.password == REDACTED {
        return Err("the password was not kept because it is secret; enter it again".to_owned());
    }
    if auth.user.chars().chain(auth.password.chars()).any(char::is_control) {
        return Err("user name and password cannot hold control characters".to_owned());
    }
    Ok(())
}

/// # Errors
/// Why this rate (requests per second) cannot be asked for.
pub fn check_rate(rate_per_sec: f64) -> Result<(), String> {
    if !rate_per_sec.is_finite() || rate_per_sec <= 0.0 {
        return Err("the rate must be more than 0 requests per second".to_owned());
    }
    if rate_per_sec < RATE_MIN {
        return Err("the lowest rate is 0.000001 requests per second".to_owned());
    }
    if rate_per_sec > RATE_MAX {
        return Err("the highest rate is 1 000 000 requests per second".to_owned());
    }
    Ok(())
}

/// # Errors
/// Why this number of connections cannot be opened.
pub fn check_connections(connections: u32) -> Result<(), String> {
    if (1..=CONNECTIONS_MAX).contains(&connections) {
        Ok(())
    } else {
        Err(format!("connections must be 1 to {CONNECTIONS_MAX}"))
    }
}

/// # Errors
/// Why this label cannot be kept.
pub fn check_label(key: &str, value: &str) -> Result<(), String> {
    let plain = |text: &str| text.chars().all(|c| !c.is_control());
    if key.is_empty()
        || key.len() > 63
        || !key.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c))
    {
        return Err(format!(
            "“{key}” is not a label key; use letters, digits, dot, dash, slash and underscore (at most 63)"
        ));
    }
    if value.len() > 253 || !plain(value) {
        return Err(format!(
            "the value of label {key} is longer than 253 characters or holds control characters"
        ));
    }
    Ok(())
}

/// # Errors
/// Why this cannot be a name.
pub fn check_name(name: &str) -> Result<(), String> {
    if name.chars().count() > 120 || name.chars().any(char::is_control) {
        return Err("a name has at most 120 characters and no line breaks".to_owned());
    }
    Ok(())
}

fn check_stop(stop: Stop) -> Result<(), String> {
    match stop {
        Stop::Duration(length) if length < Duration::from_millis(100) => {
            Err("the shortest run is 100 ms".to_owned())
        }
        Stop::Requests(0) => Err("the number of requests must be at least 1".to_owned()),
        _ => Ok(()),
    }
}

fn check_timeout(timeout: Duration) -> Result<(), String> {
    if timeout < Duration::from_millis(1) || timeout > Duration::from_secs(600) {
        return Err("the timeout must be between 1 ms and 10 minutes".to_owned());
    }
    Ok(())
}

/// A URL may carry `user:password@`, or `token@`; what is kept does not.
/// Puts what was hidden back in its place. Parts of lists are the same by their name, where they have one.
fn reveal(value: &mut serde_json::Value, hidden: &serde_json::Value, other: &serde_json::Value) {
    use serde_json::Value;
    match (value, hidden, other) {
        (Value::Object(value), Value::Object(hidden), Value::Object(other)) => {
            for (key, value) in value {
                if let (Some(hidden), Some(other)) = (hidden.get(key), other.get(key)) {
                    reveal(value, hidden, other);
                }
            }
        }
        (Value::Array(values), Value::Array(hidden), Value::Array(other)) => {
            for (at, value) in values.iter_mut().enumerate() {
                let name = value.get("name").cloned();
                let place = match name {
                    Some(name) => hidden.iter().position(|hidden| hidden.get("name") == Some(&name)),
                    None => Some(at),
                };
                if let Some((hidden, other)) = place.and_then(|at| hidden.get(at).zip(other.get(at))) {
                    reveal(value, hidden, other);
                }
            }
        }
        (value, hidden, other) if value == hidden && hidden != other => value.clone_from(other),
        _ => {}
    }
}

fn redacted_url(text: &str) -> String {
    let Ok(mut url) = url::Url::parse(text) else { return text.to_owned() };
    // Neither can fail: a URL that had credentials can have others.
    if url.password().is_some() {
        let _ = url.set_password(Some(REDACTED_IN_URL));
    } else if !url.username().is_empty() {
        let _ = url.set_username(REDACTED_IN_URL);
    } else {
        return text.to_owned();
    }
    url.to_string()
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

fn default_connections() -> u32 {
    16
}

fn default_timeout() -> Duration {
    Duration::from_secs(5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_from_elsewhere_gets_the_secrets_of_here_unless_it_goes_elsewhere() {
        let header =
            |name: &str, value: &str| Header { name: name.to_owned(), value: value.to_owned(), secret: true };
        let mut here = Plan::for_url("https://ann:pass@shop.test/");
        here.request.headers = vec![header("X-Key", "one"), header("X-Other", "two")];
        let mut there = here.redacted();
        there.name = "Renamed".to_owned();
        there.request.headers.reverse();
        there.request.headers.push(header("X-New", REDACTED));
        let merged = there.with_secrets_of(&here);
        assert_eq!((merged.name.as_str(), merged.target.url.as_str()), ("Renamed", here.target.url.as_str()));
        let values: Vec<_> = merged.request.headers.iter().map(|header| header.value.as_str()).collect();
        assert_eq!(values, ["two", "one", REDACTED]);
        there.target.url = "https://elsewhere.test/".to_owned();
        assert_eq!(there.with_secrets_of(&here), there);
    }

    fn full() -> Plan {
        let mut plan = Plan::for_url("https://localhost:8443/a?b=c");
        plan.name = "Checkout".to_owned();
        plan.request.headers.push(Header {
            name: "X-Api-Key".to_owned(),
            value: "CANARY".to_owned(),
            secret: false,
        });
        plan.request.cookies.push(Cookie { name: "session".to_owned(), value: "CANARY".to_owned() });
        plan.request.basic_auth = Some(BasicAuth { user: "ada".to_owned(), password: "CANARY".to_owned() });
        plan.request.body = Body::Text("{}".to_owned());
        plan.goals.push("p99<20ms".parse().expect("a goal"));
        plan.labels.insert("mesh".to_owned(), "istio".to_owned());
        plan
    }

    #[test]
    fn a_plan_survives_toml() {
        let plan = full();
        assert_eq!(Plan::from_toml(&plan.to_toml()), Ok(plan.clone()), "{}", plan.to_toml());
        let secs = Duration::from_secs;
        let shapes = [
            Shape::Hold(0.0),
            Shape::Ramp { from: 0.0, to: 100.5 },
            Shape::Steps { from: 10.0, to: 100.0, count: 10 },
            Shape::Spike { base: 10.0, peak: 100.0, after: secs(10), width: secs(5) },
            Shape::Sine { mean: 50.0, swing: 25.0, period: secs(60) },
            Shape::Max { think: secs(1) },
            Shape::Max { think: Duration::ZERO },
        ];
        let stage = |shape| Stage { name: "rise".to_owned(), length: secs(60), shape };
        let profile =
            Profile { arrivals: Arrivals::Poisson, stages: shapes.into_iter().map(stage).collect() };
        for pacing in [
            Pacing::MAX,
            Pacing::Max { think: Duration::from_millis(250) },
            Pacing::Poisson { rate_per_sec: 12.5 },
            Pacing::Profile(profile),
            Pacing::Replay { file: "times.csv".into() },
        ] {
            for stop in [Stop::Requests(100), Stop::Never, Stop::Duration(secs(3))] {
                let plan = Plan { pacing: pacing.clone(), stop, ..full() };
                assert_eq!(Plan::from_toml(&plan.to_toml()), Ok(plan.clone()), "{}", plan.to_toml());
                assert_eq!(plan.problems(), []);
            }
        }
    }

    #[test]
    fn a_profile_without_a_stop_goes_on_to_its_end() {
        let text = "version = 2\n[target]\nurl = \"http://localhost/\"\n[pacing]\nkind = \"profile\"\n\
             [[pacing.stages]]\nname = \"rise\"\nlength = \"2m\"\nshape = { ramp = { from = 10.0, to = 100.0 } }\n\
             [[pacing.stages]]\nlength = \"1m\"\nshape = { hold = 100.0 }\n";
        let plan = Plan::from_toml(text).expect("a plan");
        assert_eq!(plan.stop, Stop::Never);
        assert_eq!(plan.counted_length(), Some(Duration::from_secs(180)));
        let cut = Plan { stop: Stop::Duration(Duration::from_secs(10)), ..plan };
        assert_eq!(cut.counted_length(), Some(Duration::from_secs(10)));
        let old = "version = 1\n[target]\nurl = \"http://localhost/\"\n[pacing]\nkind = \"max\"\n";
        assert_eq!(Plan::from_toml(old).expect("a plan").pacing, Pacing::MAX);
    }

    #[test]
    fn the_shortest_plan_is_a_version_and_a_url() {
        let plan = Plan::from_toml("version = 1\n[target]\nurl = \"http://localhost/\"\n").expect("a plan");
        assert_eq!(plan, Plan::for_url("http://localhost/"));
    }

    #[test]
    fn hostile_plans_get_a_reason() {
        for (text, reason) in [
            ("", "no known version"),
            ("version = 3", "reads versions up to 2"),
            ("version = 1", "cannot be read"),
            ("version = 1\nsurprise = 1\n[target]\nurl = \"http://x\"", "surprise"),
            ("[[[", "not TOML"),
        ] {
            let error = Plan::from_toml(text).expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
        let deep = format!("version = 1\na = {}1{}", "[".repeat(100_000), "]".repeat(100_000));
        Plan::from_toml(&deep).expect_err("depth has a limit");
    }

    #[test]
    fn a_redacted_plan_holds_no_secret_and_cannot_be_run() {
        let mut plan = full();
        plan.target.url = "http://ada:CANARY@localhost/".to_owned();
        let redacted = plan.redacted();
        assert!(!redacted.to_toml().contains("CANARY"));
        let fields: Vec<Field> = redacted.problems().into_iter().map(|problem| problem.field).collect();
        assert_eq!(fields, [Field::Url, Field::Header(0), Field::Cookie(0), Field::BasicAuth]);
    }

    #[test]
    fn secrets_of_certificates_and_proxies_are_never_kept() {
        let mut plan = Plan::for_url("https://localhost/");
        plan.target.tls.client =
            Some(ClientCertificate::Pkcs12 { file: "me.p12".into(), password: "CANARY".to_owned() });
        plan.target.reach.proxy = Some("http://ada:CANARY@localhost:3128".to_owned());
        assert_eq!(plan.problems(), []);
        assert_eq!(Plan::from_toml(&plan.to_toml()), Ok(plan.clone()));
        let kept = plan.redacted();
        assert!(!kept.to_toml().contains("CANARY"), "{}", kept.to_toml());
        let fields: Vec<Field> = kept.problems().into_iter().map(|problem| problem.field).collect();
        assert_eq!(fields, [Field::Tls, Field::Reach]);
    }

    #[test]
    fn ways_that_lead_nowhere_get_a_reason() {
        let mut plan = Plan::for_url("https://localhost/");
        plan.target.tls.server_name = Some("a b".to_owned());
        plan.target.reach.proxy = Some("ftp://localhost".to_owned());
        plan.target.reuse = Some(Reuse { min: 3, max: 2 });
        let fields: Vec<Field> = plan.problems().into_iter().map(|problem| problem.field).collect();
        assert_eq!(fields, [Field::Tls, Field::Reach, Field::Reuse]);
    }

    #[test]
    fn each_wrong_field_is_named() {
        assert_eq!(full().problems(), []);
        let mut plan = full();
        plan.target.url = "ftp://x".to_owned();
        plan.request.method = "G T".to_owned();
        plan.request.headers[0].value = "a\r\nb".to_owned();
        plan.pacing = Pacing::Constant { rate_per_sec: 0.0 };
        plan.connections = 0;
        plan.stop = Stop::Requests(0);
        plan.timeout = Duration::ZERO;
        let fields: Vec<Field> = plan.problems().into_iter().map(|problem| problem.field).collect();
        assert_eq!(
            fields,
            [
                Field::Url,
                Field::Method,
                Field::Header(0),
                Field::Rate,
                Field::Connections,
                Field::Stop,
                Field::Timeout
            ]
        );
    }

    #[test]
    fn an_echo_has_a_host_and_a_port() {
        for url in ["tcp://localhost:7", "udp://127.0.0.1:7", "tcp://[::1]:7/"] {
            assert_eq!(check_url(url), Ok(()), "{url}");
            assert!(Plan::for_url(url).is_echo(), "{url}");
        }
        for url in
            ["tcp://localhost", "udp://localhost:7/a", "tcp://me@localhost:7", "tcp://:7", "tcp:localhost:7"]
        {
            check_url(url).expect_err(url);
        }
        let mut plan = Plan::for_url("udp://localhost:7");
        plan.session.follow_redirects = 1;
        assert_eq!(plan.problems()[0].field, Field::Session);
    }

    fn variant(name: &str, url: Option<&str>, weight: f64) -> Variant {
        Variant { name: name.to_owned(), weight, url: url.map(str::to_owned), request: Request::default() }
    }

    #[test]
    fn variants_are_checked_and_redacted_as_the_one_request_is() {
        let mut plan = Plan::for_url("http://localhost:8080/a");
        plan.variants = vec![
            variant("path", Some("/b?c={{d}}"), 1.0),
            variant("whole", Some("http://ada:CANARY@localhost:8080/c"), 0.0),
            variant("same", None, 2.5),
        ];
        plan.variants[2].request.cookies.push(Cookie { name: "a".to_owned(), value: "CANARY".to_owned() });
        assert_eq!(plan.problems(), []);
        assert_eq!(Plan::from_toml(&plan.to_toml()), Ok(plan.clone()), "{}", plan.to_toml());
        assert!(!plan.redacted().to_toml().contains("CANARY"));
        assert_eq!(
            plan.redacted().problems().into_iter().map(|problem| problem.field).collect::<Vec<_>>(),
            [Field::Variant(Some(1)), Field::Variant(Some(2))]
        );
        for (wrong, reason) in [
            (variant("away", Some("tcp://other.test:9/"), 1.0), "HTTP only"),
            (variant("away", Some("//other.test/"), 1.0), "begins with one /"),
            (variant("no path", Some("b"), 1.0), "begins with one /"),
            (variant("", None, 1.0), "name"),
            (variant("weight", None, -1.0), "weight"),
            (variant("weight", None, f64::NAN), "weight"),
        ] {
            plan.variants[0] = wrong;
            let problems = plan.problems();
            assert!(problems.len() == 1 && problems[0].reason.contains(reason), "{problems:?}");
        }
        plan.variants = vec![variant("never", None, 0.0)];
        assert_eq!(plan.problems()[0].field, Field::Variant(None));
        plan.variants = vec![variant("many", None, 1.0); VARIANTS_MAX + 1];
        assert_eq!(plan.problems()[0].field, Field::Variant(None));
    }

    #[test]
    fn every_place_that_a_plan_goes_to_is_told_once() {
        let mut plan = Plan::for_url("http://a.test/x");
        let origins = |plan: &Plan| plan.origins().iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(origins(&plan), ["http://a.test/x"]);
        plan.variants = [
            Some("https://b.test/{{id}}"),
            Some("http://a.test:80/y"),
            Some("/z"),
            Some("https://b.test:443/"),
        ]
        .into_iter()
        .map(|url| variant("v", url, 1.0))
        .collect();
        assert_eq!(origins(&plan), ["https://b.test/%7B%7Bid%7D%7D", "http://a.test/y"]);
        let plan = Plan::for_url("tcp://a.test:7");
        assert_eq!(origins(&plan), ["tcp://a.test:7"]);
        assert_eq!(Plan::for_url("no").origins(), []);
    }

    #[test]
    fn a_template_may_stand_in_a_cookie_where_templates_are_meant() {
        let mut plan = Plan::for_url("http://localhost/");
        plan.request.cookies.push(Cookie { name: "a".to_owned(), value: "x{{$random 1 2}}y".to_owned() });
        assert_eq!(plan.problems()[0].field, Field::Cookie(0));
        plan.templates = true;
        assert_eq!(plan.problems(), []);
        plan.request.cookies[0].value = "{{a}};".to_owned();
        assert_eq!(plan.problems()[0].field, Field::Cookie(0));
    }

    #[test]
    fn credentials_in_a_url_are_never_kept_and_never_sent_as_their_stand_in() {
        for url in ["http://ada:CANARY@localhost/", "http://CANARY@localhost/"] {
            let kept = Plan::for_url(url).redacted();
            assert!(!kept.to_toml().contains("CANARY"), "{}", kept.target.url);
            let problems = kept.problems();
            assert_eq!(problems.len(), 1, "{url}");
            assert!(problems[0].field == Field::Url && problems[0].reason.contains("enter them again"));
        }
        assert_eq!(redacted_url("http://localhost/a b"), "http://localhost/a b");
    }

    #[test]
    fn a_plan_that_cannot_be_read_is_not_repeated() {
        for text in [
            "version = 1\n[target]\nurl = \"http://x/\"\n[request.basic_auth]\nuser = \"a\"\npasswort = \"CANARY\"\n",
            "version = 1\n[target]\nurl = \"http://ada:CANARY@x/\n",
        ] {
            let words = Plan::from_toml(text).expect_err(text);
            assert!(!words.contains("CANARY") && words.contains("line "), "{words}");
        }
    }
}
